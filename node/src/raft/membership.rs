//! Changes of members, as the leader makes them through openraft, and what they are decided by.
//!
//! This file does not know who may be a member, or why: it adds, exchanges and removes what it is told. Invariants:
//! - Voters change by joint consensus only, one change at a time; a second one is refused as busy.
//! - A change that takes too long goes on by itself: it is in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};

use super::AdminError;
use super::node::RaftNode;
use super::types::{Member, NodeId, TypeConfig};

/// How long a change may take before its caller is told that it goes on.
const CHANGE_MAX: Duration = Duration::from_secs(6);

/// The members, as this node knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Who votes; while voters change, who will.
    pub voters: BTreeSet<NodeId>,
    /// Whether a change of voters is under way.
    pub changing: bool,
    /// All members, learners included.
    pub all: BTreeMap<NodeId, Member>,
}

impl RaftNode {
    /// The members, as this node knows them.
    pub fn members(&self) -> Members {
        let metrics = self.raft().server_metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let sets = membership.get_joint_config();
        Members {
            voters: sets.last().cloned().unwrap_or_default(),
            changing: sets.len() > 1,
            all: membership.nodes().map(|(id, member)| (*id, member.clone())).collect(),
        }
    }

    /// Did this member answer its leader, this node, within the last two leases? The leader itself always does.
    pub fn answers(&self, id: NodeId) -> bool {
        id == self.node_id() || self.heard_lately(id)
    }

    /// Adds a member without a vote; its log is sent to it from now on. Only on the leader.
    ///
    /// # Errors
    /// When this node does not lead, or another change is under way.
    pub async fn add_learner(&self, id: NodeId, member: Member) -> Result<(), AdminError> {
        self.change(ChangeMembers::AddNodes(BTreeMap::from([(id, member)])), true).await
    }

    /// Makes exactly these members vote; those that did and shall not any more are no members afterwards. Only on the
    /// leader.
    ///
    /// # Errors
    /// When this node does not lead, or another change is under way.
    pub async fn set_voters(&self, voters: BTreeSet<NodeId>) -> Result<(), AdminError> {
        self.change(ChangeMembers::ReplaceAllVoters(voters), false).await
    }

    /// Removes members that have no vote. Only on the leader.
    ///
    /// # Errors
    /// When this node does not lead, or another change is under way.
    pub async fn remove_learners(&self, learners: BTreeSet<NodeId>) -> Result<(), AdminError> {
        self.change(ChangeMembers::RemoveNodes(learners), false).await
    }

    async fn change(&self, change: ChangeMembers<NodeId, Member>, retain: bool) -> Result<(), AdminError> {
        let changing = self.raft().change_membership(change, retain);
        match tokio::time::timeout(CHANGE_MAX, changing).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(error)),
            Err(_) => Err(AdminError::Timeout("the change of members")),
        }
    }
}

fn refused(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> AdminError {
    match error {
        RaftError::Fatal(_) => AdminError::Stopped,
        RaftError::APIError(ClientWriteError::ForwardToLeader(_) | ClientWriteError::LogEntryDiscarded(_)) => {
            AdminError::NotLeader
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(
            error @ (ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_)),
        )) => AdminError::Busy(error.to_string()),
        RaftError::APIError(error) => AdminError::Refused(error.to_string()),
    }
}
