//! The types openraft is instantiated with. Together with the rest of `raft/` this is the only place that names
//! openraft; the rest of the node sees the plain types of `raft/mod.rs`.
//!
//! - One leader per term (openraft's standard leader id), as in the Raft paper.
//! - A payload is opaque bytes; its outcomes are opaque bytes, one for each command packed into it.

use std::fmt;

use bytes::Bytes;
use openraft::vote::RaftLeaderId;
use openraft::{OptionalSend, RaftTypeConfig};

use super::Outcomes;
use super::responder::FnResponder;
use super::state_machine::StateMachine;

/// Names a member of the cluster; never used again after the member was removed.
pub type NodeId = u64;

/// How a member is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// host:port of the peer listener.
    pub peer_addr: String,
    /// host:port of the client listener.
    pub client_addr: String,
    /// For people; not unique.
    pub name: String,
}

/// What one log entry carries.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Payload(pub Bytes);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What applying one entry gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied(pub Outcomes);

/// The instantiation of openraft.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TypeConfig;

impl RaftTypeConfig for TypeConfig {
    type D = Payload;
    type R = Applied;
    type NodeId = NodeId;
    type Node = Member;
    type Term = u64;
    type LeaderId = LeaderId;
    type Vote = Vote;
    type Payload = EntryPayload;
    type Entry = Entry;
    type AsyncRuntime = openraft::impls::TokioRuntime;
    type Responder<T>
        = FnResponder<T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = openraft::impls::BoxedErrorSource;
}

/// Term and candidate.
pub(super) type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, NodeId>;
/// The term of an elected leader.
pub(super) type CommittedLeaderId = <LeaderId as RaftLeaderId>::Committed;
/// A promise to a candidate, or the knowledge of a leader.
pub(super) type Vote = openraft::impls::Vote<LeaderId>;
/// Term and index.
pub(super) type LogId = openraft::LogId<CommittedLeaderId>;
/// Nothing, a payload, or a change of members.
pub(super) type EntryPayload = openraft::EntryPayload<Payload, NodeId, Member>;
/// A log entry.
pub(super) type Entry = openraft::impls::Entry<CommittedLeaderId, EntryPayload>;
/// Voters and learners.
pub(super) type Membership = openraft::Membership<NodeId, Member>;
/// A membership and the entry that set it.
pub(super) type StoredMembership = openraft::StoredMembership<CommittedLeaderId, NodeId, Member>;
/// What a snapshot covers.
pub(super) type SnapshotMeta = openraft::SnapshotMeta<CommittedLeaderId, NodeId, Member>;
/// A snapshot and where its files are.
pub(super) type Snapshot = openraft::Snapshot<CommittedLeaderId, NodeId, Member, super::snapshot::SnapshotData>;
/// The running instance.
pub(super) type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// A place in the log, from plain numbers.
pub(super) fn log_id(term: u64, index: u64) -> LogId {
    LogId { leader_id: CommittedLeaderId::from(term), index }
}

/// Bytes an entry weighs against the limits on batches.
pub(super) fn entry_bytes(entry: &Entry) -> usize {
    const OVERHEAD: usize = 32;
    match &entry.payload {
        EntryPayload::Normal(payload) => payload.0.len() + OVERHEAD,
        EntryPayload::Blank => OVERHEAD,
        EntryPayload::Membership(membership) => OVERHEAD + 128 * membership.nodes().count(),
    }
}
