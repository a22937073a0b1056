//! What a command led to. It knows no encoding ([`crate::store::codec`]) and no status codes.
//!
//! - It is part of the replicated state: every replica computes the same one, and a retry gets the first one.

use muster_domain::Rejection;

/// What a command led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The revision it got; 0 when nothing was accepted.
    pub revision: u64,
    /// One for each operation, in order.
    pub results: Vec<OperationResult>,
}

/// What one operation led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationResult {
    /// It took effect.
    Accepted(Accepted),
    /// It changed nothing.
    Rejected(Rejection),
}

impl OperationResult {
    /// Whether it took effect.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }
}

/// What an accepted operation's caller is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Of the operation's main record, after it; empty when that was deleted.
    pub etag: String,
    /// Version of the main record, or of the whole twin, after it.
    pub version: u64,
    /// Twins only: version of tags.
    pub tags_version: u64,
    /// Twins only: version of desired.
    pub desired_version: u64,
    /// Twins only: version of reported.
    pub reported_version: u64,
    /// Top-level resources that the operation removed.
    pub deleted: u64,
    /// The deletion of a namespace is complete.
    pub finished: bool,
}
