//! Consensus: one replicated log of opaque payloads, in the same order on every node.
//!
//! ```text
//!  submit ──> openraft core ──> log_store ──> log_writer ──> raftlog/        (one thread, one sync a batch)
//!                 │   └──────> network ───> peers ───> other nodes' peer_service
//!                 └─committed─> state_machine ──> Machine::apply ──> state/   (one atomic batch)
//!  read_barrier ─> quorum ─> wait until applied                   snapshot <─> other nodes
//! ```
//!
//! This is the only module that names openraft; what it shows outside are plain types. It deliberately knows nothing
//! of commands, events, principals or the public API: a payload is bytes, and so is each of its outcomes.
//!
//! - Acknowledged means durable on a majority: a callback fires only after a sync.
//! - Any storage error ends the process ([`FatalHandler`]).
//! - Every queue is bounded; what does not fit is refused with `Busy`.

mod dialogue;
mod fatal;
mod forward;
mod gate;
mod log_bytes;
mod log_disk;
mod log_store;
mod log_tail;
mod log_writer;
mod membership;
mod network;
mod node;
mod on_disk;
mod peer_service;
mod peers;
mod read_barrier;
mod rehearsal;
mod responder;
mod restored;
mod settings;
mod snapshot;
mod snapshot_kept;
mod snapshot_receiver;
mod state_machine;
mod status;
mod types;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::time::Instant;

use bytes::Bytes;

pub use fatal::{ExitProcess, FatalHandler, chain};
pub use forward::{ForwardError, ForwardRejected};
pub use log_disk::LogOpenError;
pub use membership::Members;
pub use node::{RaftNode, RaftParts};
pub use peer_service::{CertifiedSender, ForwardHandler, PeerCallHandler};
pub use peers::{BoxError, MESSAGE_BYTES, PeerConnector, PeerPool, PlainConnector, endpoint};
pub use rehearsal::{Place, Rehearsal, rehearse};
pub use restored::{check_log, found_restored, last_applied};
pub use settings::RaftSettings;
pub use status::{MemberStatus, RaftStatus, Role};
pub use types::{Member, NodeId};

use crate::clock::{Clock, SystemClock};

/// The outcomes of one payload, one for each command packed into it, in their order. Opaque here.
pub type Outcomes = Vec<Bytes>;

/// Committed entries to apply as one atomic write.
#[derive(Clone, Debug)]
pub struct ApplyBatch {
    /// The payloads in log order. Empty when the entries only concern consensus itself.
    pub payloads: Vec<Bytes>,
    /// Index of the last entry that the batch covers, with or without a payload.
    pub log_index_last: u64,
    /// Records to put into the column family `meta` in the same write. Without them a restart would apply entries
    /// twice.
    pub meta: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The deterministic state machine above consensus.
pub trait Machine: Send + Sync + 'static {
    /// Applies a batch in one atomic write and gives the outcomes of each payload. Synchronous and deterministic.
    ///
    /// # Errors
    /// An error is fatal: the process ends, because it can no longer answer as its peers do.
    fn apply(&self, batch: ApplyBatch) -> io::Result<Vec<Outcomes>>;

    /// The state below was replaced by another node's: everything remembered from it must be read anew.
    ///
    /// # Errors
    /// An error is fatal.
    fn reset(&self) -> io::Result<()>;
}

/// The keys consensus keeps in the state store's family `meta`.
pub mod meta_keys {
    /// The last applied entry.
    pub const APPLIED: &[u8] = b"raft/applied";
    /// The last applied membership.
    pub const MEMBERSHIP: &[u8] = b"raft/membership";
}

/// Why a payload has no outcome.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// Not accepted: another node leads, or none. May be submitted again there.
    #[error("this node is not the leader")]
    NotLeader {
        /// Who leads, as far as is known.
        leader: Option<(NodeId, Member)>,
    },
    /// Not accepted: the queue into consensus is full.
    #[error("too many payloads are waiting")]
    Busy,
    /// Not accepted: this node is stopping.
    #[error("consensus has stopped on this node")]
    Stopped,
    /// Accepted, but leadership was lost before the outcome was known: it may take effect or not.
    #[error("leadership was lost: the payload may or may not take effect")]
    Unknown,
}

/// Why a linearizable read cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too many reads are waiting.
    #[error("too many reads are waiting")]
    Busy,
    /// No leader is known or reached.
    #[error("no leader is known")]
    NoLeader,
    /// The leader reaches no majority.
    #[error("no majority answers")]
    NoQuorum,
    /// It took too long.
    #[error("the read took too long")]
    Timeout,
    /// This node is stopping.
    #[error("consensus has stopped on this node")]
    Stopped,
}

/// A place in the log that the local state has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPoint {
    /// Index of the entry.
    pub index: u64,
    /// Term of the entry.
    pub term: u64,
}

/// Why consensus could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be used.
    #[error("the Raft log")]
    Log(#[from] LogOpenError),
    /// The snapshots cannot be used.
    #[error("the snapshots")]
    Snapshots(#[source] io::Error),
    /// The state's place in the log cannot be read.
    #[error("the state store")]
    State(#[source] io::Error),
    /// The record of having joined the cluster cannot be read or written.
    #[error("the marker MEMBER in the data directory")]
    Marker(#[source] io::Error),
    /// The state is there, but log and vote are gone.
    #[error(
        "the state holds entries up to index {applied}, but the Raft log has neither entries nor a vote: a part of the data \
         directory was deleted. A node that forgot what it promised must not take part again: put the data directory \
         back as it was when the node last ran (not an older copy), or replace the member under a new id: `muster cluster \
         replace`, see node/docs/how-to/membership.md"
    )]
    LogGone {
        /// The last entry that the state holds.
        applied: u64,
    },
    /// Log entries were dropped whose effect is neither in the state nor in a snapshot.
    #[error(
        "the Raft log begins after index {purged}, but the state and its snapshots {}: a part of the data directory was deleted or \
         put back as it was earlier. Put the whole directory back as it was when the node last ran, or replace the member \
         under a new id: `muster cluster replace`, see node/docs/how-to/membership.md",
        .applied.map_or_else(|| "are empty".to_owned(), |applied| format!("end at index {applied}"))
    )]
    StateGone {
        /// The last entry that was dropped.
        purged: u64,
        /// The last entry that state or snapshot hold.
        applied: Option<u64>,
    },
    /// A setting is out of range.
    #[error("the settings of consensus: {0}")]
    Settings(String),
    /// openraft refused what it found.
    #[error("starting consensus: {0}")]
    Raft(String),
}

impl StartError {
    /// Whether what was durable is gone, so that this node must not take part under its id any more.
    #[must_use]
    pub fn is_data_loss(&self) -> bool {
        matches!(self, Self::LogGone { .. } | Self::StateGone { .. } | Self::Log(LogOpenError::LogLost { .. }))
    }
}

/// Why an administrative step failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AdminError {
    /// The cluster's state does not allow it.
    #[error("{0}")]
    Refused(String),
    /// Another node leads, or none.
    #[error("this node is not the leader")]
    NotLeader,
    /// Another change of members is under way.
    #[error("another change of members is under way: {0}")]
    Busy(String),
    /// It took too long.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// This node is stopping.
    #[error("consensus has stopped on this node")]
    Stopped,
}

pub(crate) fn now() -> Instant {
    SystemClock.monotonic()
}
