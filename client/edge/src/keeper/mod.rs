//! The one who changes the store: a thread that takes in frames, ticks and what applications want queued, several at a time,
//! makes what follows durable in one transaction, and only then lets anybody hear of it.
//!
//! ```text
//!   applications ─┐                          ┌─▶ store, one transaction, synced if need be
//!   link, ticks ──┴─▶ jobs ─▶ protocol step ─┤        then
//!                                            └─▶ readers, frames, answers
//! ```
//!
//! It is what keeps the rule of a step (`protocol`). It knows no network and no gRPC.
//!
//! - What belongs to one link is never sent over another: a step ends where a link ends.
//! - A write that fails ends the thread: memory is ahead of the disk then. One that finds no room waits (`store/backend.rs`), so
//!   it is looked before whether there is room (`room.rs`).

mod contents;
mod publish;
mod room;
mod start;
mod status;
mod submit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_domain::Limits;
use muster_proto::edge::v1::AgentStatus;
use muster_proto::v1;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Monotonic;
use crate::contents::Contents;
use crate::protocol::{Input, LinkState, Loss, Protocol, Step};
use crate::published::Published;
use crate::rules::View;
use crate::store::{Left, Reader, Room, Store, StoreError};
use crate::submission::Submission;

pub(crate) use start::start;
use submit::Recent;

/// Jobs that may wait for the keeper.
pub(crate) const JOBS_MAX: usize = 1_024;
/// Jobs in one transaction.
const BATCH_MAX: usize = 256;

/// What the keeper is asked to do.
pub(crate) enum Job {
    /// A stream is about to be opened; frames go there, and the reason to end it.
    Open(mpsc::Sender<v1::SyncRequest>, oneshot::Sender<Loss>),
    Heard(Box<v1::SyncResponse>),
    Tick,
    /// The stream has ended; answered with the milliseconds to wait for the next one, `None` for ever.
    Lost(Loss, oneshot::Sender<Option<u64>>),
    Submit(Box<Submission>),
    Status(oneshot::Sender<AgentStatus>),
    /// What the store holds, read for the link of this number.
    Contents(u64, Option<Contents>),
}

struct OpenLink {
    frames: mpsc::Sender<v1::SyncRequest>,
    close: Option<oneshot::Sender<Loss>>,
}

/// Everything that is done at the end of a batch.
#[derive(Default)]
struct Batch {
    step: Step,
    jobs: usize,
    /// Names whose view is up to date already.
    viewed: BTreeSet<String>,
    answers: Vec<Box<dyn FnOnce() + Send>>,
}

/// See the module.
pub(crate) struct Keeper {
    store: Store,
    reader: Reader,
    room: Arc<Room>,
    /// As it was before the newest batch.
    left: Left,
    protocol: Protocol,
    /// As the settings say, for as long as the cluster has said nothing.
    limits: Limits,
    /// Of names that operations are pending for.
    views: BTreeMap<String, View>,
    recent: Recent,
    published: Arc<Published>,
    link: Option<OpenLink>,
    /// Links that were opened.
    links: u64,
    /// For answers to the keeper itself; does not keep it alive.
    jobs: mpsc::WeakSender<Job>,
    clock: Monotonic,
    /// Names changed since the last mark, as they were then if anybody watches.
    changed: BTreeMap<String, Option<v1::Resource>>,
    /// Items whose stored copy is damaged.
    damaged: BTreeSet<String>,
    mark_ms: u64,
    /// The mark that watchers heard of last.
    told: u64,
    last_state: Option<LinkState>,
}

impl Keeper {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Result<(), StoreError> {
        while let Some(job) = jobs.blocking_recv() {
            let mut batch = Batch::default();
            self.take(job, &mut batch)?;
            while batch.jobs < BATCH_MAX {
                let Ok(job) = jobs.try_recv() else { break };
                self.take(job, &mut batch)?;
            }
            self.end(batch)?;
        }
        Ok(())
    }

    fn take(&mut self, job: Job, batch: &mut Batch) -> Result<(), StoreError> {
        batch.jobs += 1;
        let now_ms = self.clock.now_ms();
        match job {
            Job::Heard(frame) => self.protocol.take(Input::Heard(frame), now_ms, &mut batch.step),
            Job::Tick => {
                self.look_for_room();
                self.protocol.take(Input::Tick, now_ms, &mut batch.step);
            }
            Job::Submit(submission) => self.submit(*submission, batch)?,
            Job::Status(reply) => {
                let status = self.status();
                batch.answers.push(Box::new(move || {
                    reply.send(status).ok();
                }));
            }
            Job::Contents(link, contents) if link == self.links => {
                self.protocol.take(Input::Contents(contents), now_ms, &mut batch.step);
            }
            Job::Contents(..) => {}
            Job::Open(frames, close) => {
                self.end(std::mem::take(batch))?;
                if let Err(full) = self.room_for_a_link() {
                    // Who opens it may have gone away.
                    close.send(full).ok();
                    return Ok(());
                }
                self.links += 1;
                self.link = Some(OpenLink { frames, close: Some(close) });
                self.protocol.take(Input::Opened, now_ms, &mut batch.step);
                self.end(std::mem::take(batch))?;
            }
            Job::Lost(loss, reply) => {
                self.end(std::mem::take(batch))?;
                self.link = None;
                self.protocol.take(Input::Lost(loss), now_ms, &mut batch.step);
                self.end(std::mem::take(batch))?;
                let wait = self.protocol.next_link_ms().map(|next| next.saturating_sub(now_ms));
                reply.send(wait).ok();
            }
        }
        Ok(())
    }

    /// Makes a batch durable, then lets it be heard of.
    fn end(&mut self, mut batch: Batch) -> Result<(), StoreError> {
        self.protocol.finish(&mut batch.step);
        self.note_changes(&batch.step);
        self.store.commit(&batch.step.writes, batch.step.durable)?;
        self.publish(&batch)?;
        if batch.step.reads_contents {
            self.read_contents();
        }
        self.send(batch.step);
        for answer in batch.answers {
            answer();
        }
        Ok(())
    }

    fn send(&mut self, step: Step) {
        let Some(link) = &mut self.link else { return };
        let mut close = step.close;
        for frame in step.frames {
            if link.frames.try_send(frame).is_err() {
                // It is closed, or the other side has not read for thousands of frames.
                close.get_or_insert_with(|| "the stream takes no more frames".to_owned());
                break;
            }
        }
        if let Some(message) = close
            && let Some(sender) = link.close.take()
        {
            sender.send(Loss { message, ..Loss::default() }).ok();
        }
    }
}
