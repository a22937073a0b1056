//! What a node knows about its consensus, as plain values for status calls, metrics and logs.

use openraft::async_runtime::WatchReceiver;
use openraft::{Instant, ServerState};

use super::types::{Member, NodeId, Raft};

/// The part a node plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Follows without a vote.
    Learner,
    /// Follows a leader, or waits for one.
    Follower,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
    /// Is stopping.
    Shutdown,
}

impl Role {
    /// The role in one lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Learner => "learner",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Leader => "leader",
            Self::Shutdown => "shutdown",
        }
    }
}

impl From<ServerState> for Role {
    fn from(state: ServerState) -> Self {
        match state {
            ServerState::Learner => Self::Learner,
            ServerState::Follower => Self::Follower,
            ServerState::Candidate => Self::Candidate,
            ServerState::Leader => Self::Leader,
            ServerState::Shutdown => Self::Shutdown,
        }
    }
}

/// One member as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Which member.
    pub id: NodeId,
    /// How it is reached.
    pub member: Member,
    /// Has a vote.
    pub voter: bool,
    /// The last entry known to be in its log; known to the leader only.
    pub matched_index: Option<u64>,
    /// Entries it is behind the leader's log; known to the leader only.
    pub lag_entries: Option<u64>,
}

/// A node's view of its consensus. Indexes count log entries, not revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftStatus {
    /// This node.
    pub node_id: NodeId,
    /// The part it plays.
    pub role: Role,
    /// The newest term it knows.
    pub term: u64,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The last entry in its log.
    pub last_log_index: Option<u64>,
    /// The last entry it knows to be committed.
    pub committed_index: Option<u64>,
    /// The last entry applied to its state.
    pub applied_index: Option<u64>,
    /// The last entry in its newest snapshot.
    pub snapshot_index: Option<u64>,
    /// The last entry removed from its log.
    pub purged_index: Option<u64>,
    /// All members.
    pub members: Vec<MemberStatus>,
    /// Milliseconds since a majority last answered; known to the leader only.
    pub millis_since_quorum_ack: Option<u64>,
}

pub(super) fn read(raft: &Raft, applied_index: Option<u64>) -> RaftStatus {
    // Cloned at once: a held reference would block openraft.
    let metrics = raft.metrics().borrow_watched().clone();
    let membership = metrics.membership_config.membership();
    let replication = metrics.replication.as_ref();
    let members = membership
        .nodes()
        .map(|(id, member)| {
            let matched = if *id == metrics.id {
                replication.and(metrics.last_log_index)
            } else {
                replication.and_then(|replication| replication.get(id)).and_then(|matched| matched.map(|id| id.index))
            };
            let lag = replication.map(|_| next(metrics.last_log_index).saturating_sub(next(matched)));
            MemberStatus {
                id: *id,
                member: member.clone(),
                voter: membership.voter_ids().any(|voter| voter == *id),
                matched_index: matched,
                lag_entries: lag,
            }
        })
        .collect();
    RaftStatus {
        node_id: metrics.id,
        role: metrics.state.into(),
        term: metrics.current_term,
        leader: metrics.current_leader,
        last_log_index: metrics.last_log_index,
        committed_index: metrics.local_committed.map(|id| id.index),
        applied_index,
        snapshot_index: metrics.snapshot.map(|id| id.index),
        purged_index: metrics.purged.map(|id| id.index),
        members,
        millis_since_quorum_ack: metrics
            .last_quorum_acked
            .map(|acked| u64::try_from(acked.elapsed().as_millis()).unwrap_or(u64::MAX)),
    }
}

fn next(index: Option<u64>) -> u64 {
    index.map_or(0, |index| index + 1)
}
