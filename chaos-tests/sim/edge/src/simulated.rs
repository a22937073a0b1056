//! An agent in the simulation: store, keeper and protocol as they are, with a link that is given.
//!
//! The loop around a link is that of `session.rs`, without gRPC.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use muster_domain::Limits;
use muster_proto::edge::v1::AgentStatus;
use muster_proto::v1;
use muster_proto::v1::sync_operation::Operation;
use rand::Rng;
use tokio::sync::{mpsc, oneshot};

use crate::keeper::{self, Job};
use crate::protocol::{Loss, QueuePolicy, Settings};
use crate::store::{Reader, Room, Store, StoreError};
use crate::submission::{Refused, Submission};

/// Frames on their way to the stream.
const FRAMES_MAX: usize = 8_192;
/// How often the keeper is told that time passes.
const TICK: Duration = Duration::from_millis(500);

/// An agent at work.
pub struct Agent {
    jobs: mpsc::Sender<Job>,
    reader: Reader,
    ended: Option<oneshot::Receiver<Result<(), StoreError>>>,
}

/// What an edge says on a link.
pub type Frames = BoxStream<'static, v1::SyncRequest>;
/// Opens a link: takes what the edge says and gives what it hears.
pub type Connect = Box<dyn FnOnce(Frames) -> BoxFuture<'static, Result<BoxStream<'static, Heard>, Loss>> + Send>;
/// What an edge hears on a link, or why it is over.
pub type Heard = Result<v1::SyncResponse, Loss>;

impl Agent {
    /// Opens the store in `folder` and starts the keeper.
    ///
    /// # Errors
    /// When the store is not sound, or its disk does not do its work.
    pub fn start(folder: &Path, edge: &str, queue_operations_max: usize) -> Result<Self, StoreError> {
        let room = Arc::new(Room::new(folder, 0));
        let (store, loaded) = Store::open_in(&room, folder, edge, &mut || rand::rng().random())?;
        let reader = store.reader();
        let settings = Settings {
            queue_operations_max,
            queue_bytes_max: 1 << 20,
            queue_policy: QueuePolicy::Refuse,
            window_items: 16,
            agent_version: "muster-edge/sim".to_owned(),
        };
        let started = keeper::start(store, loaded, settings, Limits::default(), room)?;
        Ok(Self { jobs: started.jobs, reader, ended: Some(started.ended) })
    }

    /// Returns when the store has failed: the agent is of no use then.
    pub fn failed(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let ended = self.ended.take();
        async move {
            if let Some(ended) = ended {
                drop(ended.await);
            }
        }
    }

    /// Queues a report of a twin.
    ///
    /// # Errors
    /// When it is not queued.
    pub async fn report(&self, twin: &str, json: String, request_id: String) -> Result<(), Refused> {
        let report = v1::SyncReport { name: twin.to_owned(), reported_json: json };
        let operation = v1::SyncOperation { queued_ms: 0, operation: Some(Operation::Report(report)) };
        let (reply, answer) = oneshot::channel();
        let submission = Submission { operation, expected_version: 0, request_id, is_dry_run: false, reply };
        self.jobs.send(Job::Submit(Box::new(submission))).await.map_err(|_| Refused::Stopping)?;
        answer.await.map_err(|_| Refused::Stopping)?.map(|_| ())
    }

    /// How it is; `None` when it has ended.
    pub async fn status(&self) -> Option<AgentStatus> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Status(reply)).await.ok()?;
        answer.await.ok()
    }

    /// All items that it holds.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn items(&self) -> Result<Vec<v1::SyncItem>, StoreError> {
        Ok(self.reader.list("", None, usize::MAX, |_| true, |_| true)?.items)
    }

    /// What links need of it.
    pub fn link(&self) -> Link {
        Link { jobs: self.jobs.clone() }
    }
}

/// The way of links to the keeper.
#[derive(Clone)]
pub struct Link {
    jobs: mpsc::Sender<Job>,
}

impl Link {
    /// One link: opens it with `connect`, which takes what the edge says and gives what it hears. Returns how long to wait for the
    /// next one; `None` when the keeper is gone or wants none.
    pub async fn run(&self, connect: Connect) -> Option<Duration> {
        let loss = self.follow(connect).await?;
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Lost(loss, reply)).await.ok()?;
        answer.await.ok()?.map(Duration::from_millis)
    }

    async fn follow(&self, connect: Connect) -> Option<Loss> {
        let (frames, outgoing) = mpsc::channel(FRAMES_MAX);
        let (close, mut closed) = oneshot::channel();
        self.jobs.send(Job::Open(frames, close)).await.ok()?;
        let outgoing = stream::unfold(outgoing, |mut outgoing| async move {
            let next = outgoing.recv().await?;
            Some((next, outgoing))
        });
        let opened = tokio::select! {
            opened = connect(outgoing.boxed()) => opened,
            why = &mut closed => return why.ok(),
        };
        let mut link = match opened {
            Ok(link) => link,
            Err(loss) => return Some(loss),
        };
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let job = tokio::select! {
                frame = link.next() => match frame {
                    Some(Ok(frame)) => Job::Heard(Box::new(frame)),
                    Some(Err(loss)) => return Some(loss),
                    None => return Some(Loss { message: "the cluster ended the stream".to_owned(), ..Loss::default() }),
                },
                why = &mut closed => return why.ok(),
                _ = ticks.tick() => Job::Tick,
            };
            self.jobs.send(job).await.ok()?;
        }
    }
}
