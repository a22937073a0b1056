//! Linearizable reads: one question to the quorum for all readers that wait at the moment.
//!
//! ```text
//! readers -> queue -> round: leader asks its quorum | follower asks the leader -> index -> reader waits until applied
//! ```
//!
//! This file does not know what is read. Invariants:
//! - A reader takes part only in a round that began after it arrived, so it sees every write acknowledged before.
//! - A node that asks on behalf of another never asks further: there is no loop of questions.
//! - Waiting for the local state to catch up happens at the reader, so that it never delays the next round.

use std::sync::{Arc, Weak};
use std::time::Duration;

use muster_planted::{self as planted, Bug};
use muster_proto::peer::v1 as wire_types;
use openraft::ReadPolicy;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{LinearizableReadError, RaftError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Response, Status, Streaming};

use super::dialogue::{Dialogue, Topic};
use super::peers::{Client, Peer, PeerPool};
use super::types::{LogId, NodeId, Raft};
use super::wire;
use super::{ReadError, ReadPoint};
use crate::tasks;

/// Most readers served by one round.
const ROUND_READERS: usize = 4096;

/// How often a round lets other tasks go first before it begins.
const YIELDS: usize = 3;

/// How long a reader waits for a leader to be elected, and how often it looks.
const LEADERLESS_PATIENCE: Duration = Duration::from_secs(2);
const LEADERLESS_PAUSE: Duration = Duration::from_millis(20);

struct Waiter {
    /// Asked by another node: this one must be the leader.
    for_peer: bool,
    answer: oneshot::Sender<Result<LogId, ReadError>>,
}

/// The queue of readers.
#[derive(Clone)]
pub(super) struct ReadBarrier {
    queue: mpsc::Sender<Waiter>,
    applied: watch::Receiver<Option<u64>>,
    limit: Duration,
}

impl ReadBarrier {
    pub(super) fn start(
        raft: Raft,
        pool: Arc<PeerPool>,
        applied: watch::Receiver<Option<u64>>,
        queue_max: usize,
        limit: Duration,
    ) -> Self {
        let (queue, waiters) = mpsc::channel(queue_max.max(1));
        tasks::spawn("read-barrier", run(raft, pool, waiters, limit));
        Self { queue, applied, limit }
    }

    /// Returns when the local state holds every write that was acknowledged before this call.
    pub(super) async fn wait(&self) -> Result<ReadPoint, ReadError> {
        if planted::is(Bug::NoReadBarrier)
            && let Some(index) = *self.applied.borrow()
        {
            return Ok(ReadPoint { index, term: 0 });
        }
        let reading = async {
            let log_id = self.ask_patiently().await?;
            // Mostly it is applied already, and then nobody needs to be told of the next one.
            if *self.applied.borrow() < Some(log_id.index) {
                let mut applied = self.applied.clone();
                let reached = applied.wait_for(|applied| *applied >= Some(log_id.index)).await;
                reached.map_err(|_| ReadError::Stopped)?;
            }
            Ok(ReadPoint { index: log_id.index, term: log_id.leader_id.term })
        };
        tokio::time::timeout(self.limit, reading).await.unwrap_or(Err(ReadError::Timeout))
    }

    /// The index another node must have applied; only the leader answers.
    pub(super) async fn index_for_peer(&self) -> Result<LogId, ReadError> {
        self.ask(true).await
    }

    /// Between a leader's end and the next election there is none for a moment; most readers would rather wait.
    async fn ask_patiently(&self) -> Result<LogId, ReadError> {
        let start = super::now();
        loop {
            match self.ask(false).await {
                Err(ReadError::NoLeader) if start.elapsed() < LEADERLESS_PATIENCE => {
                    tokio::time::sleep(LEADERLESS_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    async fn ask(&self, for_peer: bool) -> Result<LogId, ReadError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Waiter { for_peer, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ReadError::Busy,
            mpsc::error::TrySendError::Closed(_) => ReadError::Stopped,
        })?;
        answered.await.map_err(|_| ReadError::Stopped)?
    }
}

async fn run(raft: Raft, pool: Arc<PeerPool>, mut queue: mpsc::Receiver<Waiter>, limit: Duration) {
    let mut waiters = Vec::new();
    let mut asked = Leader::default();
    while queue.recv_many(&mut waiters, ROUND_READERS).await > 0 {
        // Whoever is about to ask may ask with these: under load a round then serves many more, and a lone reader, with
        // nobody ready behind it, waits for nothing.
        for _ in 0..YIELDS {
            tokio::task::yield_now().await;
        }
        while waiters.len() < ROUND_READERS
            && let Ok(waiter) = queue.try_recv()
        {
            waiters.push(waiter);
        }
        waiters.retain(|waiter| !waiter.answer.is_closed());
        let for_local = waiters.iter().any(|waiter| !waiter.for_peer);
        let at_leader = as_leader(&raft).await;
        let at_follower = match &at_leader {
            Err(NotHere::Follower(leader)) if for_local => Some(tokio::select! {
                answer = asked.ask(&pool, *leader, limit) => answer,
                // The readers ask again, and the new leader: one that vanished silently must not hold them up.
                () = another_leads(&raft, *leader) => Err(ReadError::NoLeader),
            }),
            _ => None,
        };
        metrics::histogram!("muster_read_round_readers").record(waiters.len() as f64);
        for waiter in waiters.drain(..) {
            let result = match (&at_leader, &at_follower) {
                (Ok(log_id), _) => Ok(*log_id),
                (Err(NotHere::Failed(error)), _) => Err(*error),
                (Err(NotHere::Follower(_)), Some(result)) if !waiter.for_peer => *result,
                (Err(NotHere::Follower(_)), _) => Err(ReadError::NoLeader),
            };
            // A reader that gave up does not matter.
            waiter.answer.send(result).ok();
        }
    }
}

enum NotHere {
    /// Another node leads, as far as is known.
    Follower(Option<NodeId>),
    Failed(ReadError),
}

async fn as_leader(raft: &Raft) -> Result<LogId, NotHere> {
    let leader = raft.server_metrics().borrow_watched().current_leader;
    let this = raft.metrics().borrow_watched().id;
    if leader != Some(this) {
        return Err(NotHere::Follower(leader));
    }
    match raft.get_read_linearizer(ReadPolicy::ReadIndex).await {
        Ok(_) if planted::is(Bug::ReadBeforeTheTerm) => {
            raft.metrics().borrow_watched().last_applied.ok_or(NotHere::Failed(ReadError::NoLeader))
        }
        Ok(linearizer) => Ok(*linearizer.read_log_id().log_id()),
        Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
            Err(NotHere::Follower(forward.leader_id.filter(|leader| *leader != this)))
        }
        Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => {
            Err(NotHere::Failed(ReadError::NoQuorum))
        }
        Err(RaftError::Fatal(_)) => Err(NotHere::Failed(ReadError::Stopped)),
    }
}

/// Returns when somebody else leads, or nobody, as far as this node knows.
async fn another_leads(raft: &Raft, leader: Option<NodeId>) {
    let mut changes = raft.server_metrics();
    while changes.borrow_watched().current_leader == leader {
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// The conversation with the leader.
#[derive(Default)]
struct Leader {
    /// With whom; held weakly, because the pool decides how long connections are kept.
    peer: Weak<Peer>,
    dialogue: Dialogue<ReadIndexes>,
}

impl Leader {
    async fn ask(&mut self, pool: &PeerPool, leader: Option<NodeId>, limit: Duration) -> Result<LogId, ReadError> {
        let peer = leader.and_then(|leader| pool.known(leader)).ok_or(ReadError::NoLeader)?;
        if !std::ptr::eq(self.peer.as_ptr(), Arc::as_ptr(&peer)) {
            *self = Self { peer: Arc::downgrade(&peer), dialogue: Dialogue::default() };
        }
        match self.dialogue.ask(&peer, limit, wire_types::ReadIndexRequest::default()).await {
            Ok(reply) => wire::read_index_in(reply),
            Err(status) if status.code() == Code::DeadlineExceeded => Err(ReadError::Timeout),
            Err(_) => Err(ReadError::NoLeader),
        }
    }
}

/// Questions for the read index, see [`Dialogue`]. Asking one twice is harmless: the later answer is the fresher one.
struct ReadIndexes;

impl Topic for ReadIndexes {
    type Question = wire_types::ReadIndexRequest;
    type Answer = wire_types::ReadIndexReply;

    async fn open(
        client: &mut Client,
        questions: ReceiverStream<wire_types::ReadIndexRequest>,
    ) -> Result<Response<Streaming<wire_types::ReadIndexReply>>, Status> {
        client.read_index(questions).await
    }

    fn number(question: &mut wire_types::ReadIndexRequest, id: u64) {
        question.id = id;
    }

    fn answers(answer: &wire_types::ReadIndexReply) -> u64 {
        answer.id
    }
}
