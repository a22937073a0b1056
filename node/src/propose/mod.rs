//! From an authorized command to its outcome: stamp, pack, submit, or forward to the leader.
//!
//! ```text
//! propose ─ leader here? ── yes ─▶ queue ─▶ packer: stamp time, pack many into one Raft entry ─▶ outcome
//!                └── no ─▶ forward the encoded, unstamped request to the leader ─▶ outcome
//! ```
//!
//! - A request is encoded once: the same bytes are forwarded, logged and replicated.
//! - Time enters here, on the leader only, and never goes backwards.
//! - A forwarded request is never forwarded again: the node that gets one is the leader or says so.
//! - What was surely not accepted is tried again until the deadline; what may have been accepted is tried again only
//!   under a `request_id`, because only then a second attempt has no second effect.
//! - What not all members know yet does not enter the log: an operation above the cluster's feature level is refused here.
//! - The queue is bounded; a full one is refused at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_domain::{Body, Command, Key, Operation, Rejection, feature};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::apply::Applier;
use crate::authorize::Authorized;
use crate::clock::Clock;
use crate::disk_space::DiskSpace;
use crate::outcome::Outcome;
use crate::raft::{ForwardError, RaftNode};
use crate::read::{Consistency, ReadError, Reader};
use crate::request::Request;
use crate::store::codec;
use crate::store::error::StoreError;

mod forwarded;
mod packer;

pub use forwarded::{Forwarded, LateHandler};
use packer::Packer;
pub use packer::PackerSettings;

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// A queue is full.
    #[error("the {queue} queue is full; slow down and try again")]
    Busy {
        /// Which.
        queue: &'static str,
    },
    /// Nobody leads, or the leader has no quorum.
    #[error("there is no leader with a quorum; nothing was changed")]
    NoLeader,
    /// It may or may not have been applied.
    #[error("the outcome is unknown, the change may have been applied: {0}")]
    OutcomeUnknown(String),
    /// The node is stopping.
    #[error("the node is stopping; nothing was changed")]
    Stopping,
    /// The command is larger than allowed.
    #[error("the command has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The leader runs an older version that does not know this command.
    #[error("the leader does not know this command; finish the upgrade of all nodes first")]
    UnknownCommand,
    /// Some member runs an older version that does not know this command.
    #[error("{}", .0.message)]
    FeatureLevel(Box<Rejection>),
    /// Less disk is free than `storage.disk_free_min_bytes`.
    #[error("the disk is nearly full: reads go on, writes are refused until there is room again")]
    DiskLow,
    /// A dry run could not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed; the node is about to stop.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
}

/// Bounds of proposing.
#[derive(Debug, Clone, Copy)]
pub struct ProposeSettings {
    /// Encoded size of one command, bytes.
    pub command_bytes_max: usize,
    /// How long a command is tried.
    pub deadline: Duration,
    /// How the leader packs.
    pub packer: PackerSettings,
}

/// Takes commands.
pub struct Proposer {
    raft: Arc<RaftNode>,
    packer: Packer,
    reader: Arc<Reader>,
    applier: Arc<Applier>,
    clock: Arc<dyn Clock>,
    disk: Arc<DiskSpace>,
    settings: ProposeSettings,
}

/// What came of one attempt.
enum Attempt {
    Done(Bytes),
    /// Surely not accepted.
    NotAccepted(ProposeError),
    /// May have been accepted.
    Unknown(String),
    /// Trying again would not help.
    Failed(ProposeError),
}

impl Proposer {
    /// Starts the packer of this node.
    #[must_use]
    pub fn start(
        raft: Arc<RaftNode>,
        reader: Arc<Reader>,
        applier: Arc<Applier>,
        clock: Arc<dyn Clock>,
        disk: Arc<DiskSpace>,
        settings: ProposeSettings,
    ) -> Arc<Self> {
        let packer = Packer::start(Arc::clone(&raft), applier.positions(), Arc::clone(&clock), settings.packer);
        Arc::new(Self { raft, packer, reader, applier, clock, disk, settings })
    }

    /// Carries a command out and answers when this node, too, has applied it.
    ///
    /// # Errors
    /// When there is no outcome; [`ProposeError`] says whether it may have been applied all the same.
    pub async fn propose(
        &self,
        command: Authorized<Command>,
        request_id: &str,
        body_hash: [u8; 16],
    ) -> Result<Outcome, ProposeError> {
        let request = self.encoded(command, request_id, body_hash);
        let retry_unknown = !request_id.is_empty();
        let first = self.begin_attempt(request.clone());
        let outcome = self.finish(first, request, retry_unknown).await?;
        if outcome.revision > 0 {
            // The change is made; a node that lags behind only delays the moment its own reads show it.
            let reached = self.reader.reach(outcome.revision).await;
            if let Err(error) = reached {
                tracing::warn!(revision = outcome.revision, %error, "answered before the change was applied here");
            }
        }
        Ok(outcome)
    }

    /// Begins to carry a command out; commands submitted one after the other on the leader keep their order.
    #[must_use]
    pub fn submit(
        self: &Arc<Self>,
        command: Authorized<Command>,
        request_id: &str,
        body_hash: [u8; 16],
    ) -> oneshot::Receiver<Result<Outcome, ProposeError>> {
        let request = self.encoded(command, request_id, body_hash);
        let retry_unknown = !request_id.is_empty();
        let (answer, outcome) = oneshot::channel();
        let first = self.begin_attempt(request.clone());
        let proposer = Arc::clone(self);
        crate::tasks::spawn("propose", async move {
            let result = proposer.finish(first, request, retry_unknown).await;
            if answer.send(result).is_err() {
                tracing::debug!("the caller left before the outcome");
            }
        });
        outcome
    }

    /// What would follow from a command now; nothing changes.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn dry_run(&self, command: Authorized<Command>) -> Result<Outcome, ProposeError> {
        self.reader.view(Consistency::Linearizable).await?;
        let request = request_of(command, "", [0; 16]);
        let applier = Arc::clone(&self.applier);
        let now_ms = self.clock.now_ms();
        Ok(applier.dry_run(&request, now_ms).map_err(Arc::new)?)
    }

    async fn finish(&self, first: Begun, request: Encoded, retry_unknown: bool) -> Result<Outcome, ProposeError> {
        let deadline = Instant::now() + self.settings.deadline;
        let mut begun = first;
        let mut maybe_applied = None;
        let mut pause = Duration::from_millis(5);
        loop {
            let attempt = match timeout_at(deadline, self.end_attempt(begun, &request)).await {
                Ok(attempt) => attempt,
                Err(_) => Attempt::Unknown("no answer before the deadline".to_owned()),
            };
            let refusal = match attempt {
                Attempt::Done(outcome) => {
                    return codec::decode_outcome(&outcome)
                        .map_err(|error| ProposeError::OutcomeUnknown(error.to_string()));
                }
                Attempt::Failed(error) => return Err(maybe_applied.map_or(error, ProposeError::OutcomeUnknown)),
                Attempt::NotAccepted(error) => error,
                Attempt::Unknown(why) if !retry_unknown => return Err(ProposeError::OutcomeUnknown(why)),
                Attempt::Unknown(why) => {
                    maybe_applied = Some(why);
                    ProposeError::NoLeader
                }
            };
            if Instant::now() + pause >= deadline {
                return Err(maybe_applied.map_or(refusal, ProposeError::OutcomeUnknown));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
            begun = self.begin_attempt(request.clone());
        }
    }

    fn begin_attempt(&self, Encoded { bytes: request, feature_level }: Encoded) -> Begun {
        if request.len() > self.settings.command_bytes_max {
            let error = ProposeError::TooLarge { bytes: request.len(), max: self.settings.command_bytes_max };
            return Begun::Ended(Attempt::Failed(error));
        }
        if self.disk.is_low() && !frees_room(&request) {
            return Begun::Ended(Attempt::Failed(ProposeError::DiskLow));
        }
        match self.raft.leader() {
            Some((leader, _)) if leader == self.raft.node_id() => {
                let queued = self.check_feature_level(feature_level).and_then(|()| self.packer.enqueue(request));
                match queued {
                    Ok(outcome) => Begun::Here(outcome),
                    Err(error) => Begun::Ended(Attempt::Failed(error)),
                }
            }
            Some((leader, _)) => Begun::Elsewhere(leader),
            None => Begun::Ended(Attempt::NotAccepted(ProposeError::NoLeader)),
        }
    }

    /// On the leader: the level only rises, so what its own state allows is allowed.
    fn check_feature_level(&self, needed: u32) -> Result<(), ProposeError> {
        if needed <= 1 {
            return Ok(());
        }
        let level = self.feature_level()?;
        if needed <= level {
            return Ok(());
        }
        Err(ProposeError::FeatureLevel(Box::new(feature::too_low(needed, level))))
    }

    fn feature_level(&self) -> Result<u32, ProposeError> {
        let record = self.reader.local().get(&Key::Cluster).map_err(Arc::new)?;
        Ok(match record.as_deref().map(|record| &record.body) {
            Some(Body::Cluster(cluster)) => cluster.feature_level,
            _ => 0,
        })
    }

    fn encoded(&self, command: Authorized<Command>, request_id: &str, body_hash: [u8; 16]) -> Encoded {
        let mut request = request_of(command, request_id, body_hash);
        if request.command.feature_level() > 1 {
            // A level that cannot be read is judged by the leader.
            request.command.leave_out_above(self.feature_level().unwrap_or(feature::FEATURE_LEVEL));
        }
        Encoded { feature_level: request.command.feature_level(), bytes: codec::encode_request(&request) }
    }

    async fn end_attempt(&self, begun: Begun, request: &Encoded) -> Attempt {
        match begun {
            Begun::Ended(attempt) => attempt,
            Begun::Here(outcome) => packer::ended(outcome.await),
            Begun::Elsewhere(leader) => self.forward(leader, request.bytes.clone()).await,
        }
    }

    async fn forward(&self, leader: u64, request: Bytes) -> Attempt {
        match self.raft.peers().forward(leader, request).await {
            Ok(outcome) => Attempt::Done(outcome),
            Err(ForwardError::NotSent(why)) => {
                tracing::debug!(leader, why, "the leader was not reached");
                Attempt::NotAccepted(ProposeError::NoLeader)
            }
            Err(ForwardError::UnknownOutcome(why)) => Attempt::Unknown(why),
            Err(ForwardError::Busy) => Attempt::Failed(ProposeError::Busy { queue: "forwarding" }),
            Err(ForwardError::Rejected(rejected)) => forwarded::read_rejection(&rejected),
        }
    }
}

/// Whether a request leads to less on disk: what compacts events is taken on a disk that is nearly full.
fn frees_room(request: &Bytes) -> bool {
    codec::decode_request(request).is_ok_and(|request| {
        let operations = &request.command.operations;
        operations
            .iter()
            .all(|operation| matches!(operation, Operation::CompactEvents { .. } | Operation::SetRetention { .. }))
    })
}

/// An attempt that has begun.
enum Begun {
    Ended(Attempt),
    Here(packer::Pending),
    Elsewhere(u64),
}

/// A request as it is logged, and the level the cluster needs for it.
#[derive(Clone)]
struct Encoded {
    bytes: Bytes,
    feature_level: u32,
}

fn request_of(command: Authorized<Command>, request_id: &str, body_hash: [u8; 16]) -> Request {
    let (caller, command) = command.into_parts();
    Request {
        principal: caller.principal,
        origin: caller.origin,
        request_id: request_id.to_owned(),
        body_hash,
        command,
    }
}
