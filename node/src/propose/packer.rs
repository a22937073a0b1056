//! The leader's queue: commands are stamped and packed, many to one Raft entry, one entry in flight at a time.
//!
//! One entry in flight lets a pack grow while the last one is being made durable; measured, it is the fastest way under
//! load and costs a lone client nothing. It does not know what a command is.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Attempt, ProposeError};
use crate::apply::Position;
use crate::clock::Clock;
use crate::raft::{Outcomes, RaftNode, SubmitError};
use crate::store::codec;

/// Bounds of packing.
#[derive(Debug, Clone, Copy)]
pub struct PackerSettings {
    /// Commands that may wait.
    pub queue_max: usize,
    /// Bytes of commands that may wait.
    pub queue_bytes_max: usize,
    /// Commands in one entry.
    pub commands_max: usize,
    /// Bytes in one entry; a single larger command still goes alone.
    pub bytes_max: usize,
    /// Entries in flight.
    pub entries_in_flight: usize,
}

/// The answer to come for one command.
pub(super) type Pending = oneshot::Receiver<Result<Bytes, SubmitError>>;

struct Waiting {
    request: Bytes,
    /// Its share of the queue's bytes, given back when it leaves the queue.
    _bytes: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<Bytes, SubmitError>>,
}

/// The queue's near end.
pub(super) struct Packer {
    queue: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
}

impl Packer {
    /// Starts packing on this node; what it packs while it is not the leader is refused by Raft.
    pub(super) fn start(
        raft: Arc<RaftNode>,
        positions: watch::Receiver<Position>,
        clock: Arc<dyn Clock>,
        settings: PackerSettings,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue_max);
        crate::tasks::spawn("packer", run(raft, positions, clock, settings, waiting));
        Self { queue, bytes: Arc::new(Semaphore::new(settings.queue_bytes_max)) }
    }

    /// Puts an encoded request into the queue.
    pub(super) fn enqueue(&self, request: Bytes) -> Result<Pending, ProposeError> {
        let full = || ProposeError::Busy { queue: "propose" };
        let share = u32::try_from(request.len()).map_err(|_| full())?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(share).map_err(|_| full())?;
        let (answer, pending) = oneshot::channel();
        match self.queue.try_send(Waiting { request, _bytes: bytes, answer }) {
            Ok(()) => Ok(pending),
            Err(TrySendError::Full(_)) => Err(full()),
            Err(TrySendError::Closed(_)) => Err(ProposeError::Stopping),
        }
    }
}

/// Reads an answer.
pub(super) fn ended(answer: Result<Result<Bytes, SubmitError>, oneshot::error::RecvError>) -> Attempt {
    match answer {
        Ok(Ok(outcome)) => Attempt::Done(outcome),
        Ok(Err(SubmitError::NotLeader { .. })) => Attempt::NotAccepted(ProposeError::NoLeader),
        Ok(Err(SubmitError::Busy)) => Attempt::Failed(ProposeError::Busy { queue: "Raft" }),
        Ok(Err(SubmitError::Stopped)) => Attempt::Failed(ProposeError::Stopping),
        Ok(Err(SubmitError::Unknown)) | Err(_) => {
            Attempt::Unknown("leadership was lost before the outcome was known".to_owned())
        }
    }
}

async fn run(
    raft: Arc<RaftNode>,
    positions: watch::Receiver<Position>,
    clock: Arc<dyn Clock>,
    settings: PackerSettings,
    mut waiting: mpsc::Receiver<Waiting>,
) {
    let in_flight = Arc::new(Semaphore::new(settings.entries_in_flight));
    let mut pack = Vec::with_capacity(settings.commands_max);
    let mut last_stamp = 0;
    loop {
        let Ok(permit) = Arc::clone(&in_flight).acquire_owned().await else { return };
        let left = settings.commands_max - pack.len();
        if left > 0 && pack.is_empty() && waiting.recv_many(&mut pack, left).await == 0 {
            return;
        }
        while pack.len() < settings.commands_max {
            match waiting.try_recv() {
                Ok(next) => pack.push(next),
                Err(_) => break,
            }
        }
        let rest = pack.split_off(count_within(&pack, settings.bytes_max));
        last_stamp = clock.now_ms().max(last_stamp).max(positions.borrow().time_ms);
        let payload = codec::encode_batch(pack.iter().map(|waiting| (last_stamp, &waiting.request)));
        metrics::histogram!("muster_propose_entry_commands").record(pack.len() as f64);
        let answers: Vec<_> = pack.into_iter().map(|waiting| waiting.answer).collect();
        raft.submit(payload, move |outcome| {
            drop(permit);
            answer_all(answers, outcome);
        });
        pack = rest;
    }
}

/// How many of the first commands fit into one entry; at least one.
fn count_within(pack: &[Waiting], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fitting = pack.iter().take_while(|waiting| {
        bytes += waiting.request.len();
        bytes <= bytes_max
    });
    fitting.count().max(1).min(pack.len())
}

fn answer_all(answers: Vec<oneshot::Sender<Result<Bytes, SubmitError>>>, outcome: Result<Outcomes, SubmitError>) {
    let each: Box<dyn Iterator<Item = Result<Bytes, SubmitError>>> = match outcome {
        Ok(outcomes) => Box::new(outcomes.into_iter().map(Ok).chain(std::iter::repeat(Err(SubmitError::Unknown)))),
        Err(error) => Box::new(std::iter::repeat(Err(error))),
    };
    for (answer, outcome) in answers.into_iter().zip(each) {
        // A caller that is gone has given up waiting; its change is made or refused all the same.
        drop(answer.send(outcome));
    }
}
