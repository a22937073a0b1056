//! What an application wants queued, and what it is answered.

use muster_domain::Rejection;
use muster_proto::v1;
use tokio::sync::oneshot;

use crate::protocol::{Full, Stopped};
use crate::store::StoreError;

/// See the module.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Without its time.
    pub(crate) operation: v1::SyncOperation,
    /// If not 0: the version of the reported section that is expected.
    pub(crate) expected_version: u64,
    /// May be empty.
    pub(crate) request_id: String,
    /// Judge only.
    pub(crate) is_dry_run: bool,
    pub(crate) reply: oneshot::Sender<Result<v1::Resource, Refused>>,
}

/// Why an operation was not queued.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It breaks a rule.
    #[error(transparent)]
    Rule(#[from] Rejection),
    /// The edge does not hold what it is about.
    #[error("{0} is not in the scope of this edge, or has not come here yet")]
    NotHeld(String),
    /// The queue is full.
    #[error(transparent)]
    Full(#[from] Full),
    /// The disk of the store has too little room.
    #[error("less than {0} bytes are free on the disk of this edge's store; nothing new is taken until there is room")]
    DiskFull(u64),
    /// What is queued would never be sent.
    #[error("this edge does not send any more ({}): {}", .0.reason, .0.message)]
    Stopped(Stopped),
    /// The stored copy of what it is about is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agent stops.
    #[error("the agent is stopping")]
    Stopping,
}
