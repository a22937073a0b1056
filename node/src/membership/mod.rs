//! Who belongs to the cluster: admission, promotion, removal and handing over, from the API to Raft.
//!
//! ```text
//! API ─▶ ask the leader whether it may ─▶ propose (the registry's record of the node) ─▶ leader: settle
//! joining node ─▶ any member ─▶ leader: take the token, add a learner          keeper ───────┘
//! ```
//!
//! What shall be stands in the log, as records of nodes; the leader brings Raft's members in line with them
//! ([`plan`]), at once when asked and again and again by itself ([`keeper`]). So a change that was interrupted goes on under
//! the next leader. This module names no gRPC code; `api/status.rs` does.
//!
//! - Nothing is recorded that the guard rails ([`guard`]) refuse.
//! - Only the leader changes members; others hand on what they are asked, once.
//! - A node that was removed ends itself when a member confirms that Raft goes on without it, not before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_domain::node::{Node, NodeState};
use muster_domain::{Body, Command, Key, Operation, Reason, Rejection};
use muster_proto::peer::v1 as wire;
use prost::Message;
use tokio::time::{Instant, sleep};
use tonic::Status;

use crate::authorize;
use crate::node::ClusterStatus;
use crate::outcome::OperationResult;
use crate::propose::{ProposeError, Proposer};
use crate::raft::{AdminError, Member, RaftNode};
use crate::read::Reader;
use crate::store::error::StoreError;

mod answers;
mod error;
mod guard;
mod keeper;
mod plan;
#[cfg(test)]
mod tests;

pub use error::MemberError;
pub(crate) use error::read_reply;

/// How long the leader is sought and asked again.
const ASK_MAX: Duration = Duration::from_secs(9);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// By which a node that was admitted asks to be let in.
pub const JOIN_METHOD: &str = "join";
/// By which members hand to the leader what only it can answer.
pub const MEMBER_METHOD: &str = "member";
/// By which a node asks whether it was removed.
pub const REMOVED_METHOD: &str = "removed";

/// What may be tuned.
#[derive(Debug, Clone, Copy)]
pub struct MembershipSettings {
    /// A learner that is at most so many log entries behind becomes a voter.
    pub promote_lag_entries: u64,
}

/// Knows what the registry says of nodes and what Raft makes of it, and brings the two together.
pub struct Membership {
    raft: Arc<RaftNode>,
    reader: Arc<Reader>,
    proposer: Arc<Proposer>,
    status: Arc<ClusterStatus>,
    settings: MembershipSettings,
    /// One at a time settles on this node.
    settling: tokio::sync::Mutex<()>,
}

impl Membership {
    /// For this node.
    #[must_use]
    pub fn new(
        raft: Arc<RaftNode>,
        reader: Arc<Reader>,
        proposer: Arc<Proposer>,
        status: Arc<ClusterStatus>,
        settings: MembershipSettings,
    ) -> Arc<Self> {
        Arc::new(Self { raft, reader, proposer, status, settings, settling: tokio::sync::Mutex::default() })
    }

    /// Whether this learner may become a voter now.
    ///
    /// # Errors
    /// When it is no member, far behind, or does not answer.
    pub async fn may_promote(&self, node_id: u64) -> Result<(), MemberError> {
        self.at_leader(wire::member_ask::Ask::MayPromote(node_id)).await
    }

    /// Whether this member may leave now.
    ///
    /// # Errors
    /// When it is unknown, the last voter, or, unless forced, when it would leave no majority that answers.
    pub async fn may_remove(&self, node_id: u64, force: bool) -> Result<(), MemberError> {
        self.at_leader(wire::member_ask::Ask::MayRemove(wire::MayRemove { node_id, force })).await
    }

    /// Returns when Raft's members are what the records of nodes say.
    ///
    /// # Errors
    /// When that takes longer; it goes on by itself.
    pub async fn settle(&self) -> Result<(), MemberError> {
        let settled = self.at_leader(wire::member_ask::Ask::Settle(wire::Settle {})).await;
        settled.map_err(|error| match error {
            MemberError::NoLeader => MemberError::Busy(
                "the change is recorded, and no leader was found to make it; it goes on by itself".to_owned(),
            ),
            other => other,
        })
    }

    /// Lets another voter lead: `to`, or one that the leader chooses when it is 0. Returns who does.
    ///
    /// # Errors
    /// When `to` has no vote or does not answer.
    pub async fn transfer(&self, to: u64) -> Result<u64, MemberError> {
        let before = self.raft.leader().map_or(0, |(leader, _)| leader);
        if to != 0 && to == before {
            return Ok(to);
        }
        self.at_leader(wire::member_ask::Ask::Transfer(to)).await?;
        let deadline = Instant::now() + ASK_MAX;
        loop {
            match self.raft.leader() {
                Some((leader, _)) if leader == to || (to == 0 && leader != before) => return Ok(leader),
                _ if Instant::now() >= deadline => {
                    return Err(MemberError::Busy("leadership did not move in time; look at who leads".to_owned()));
                }
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// The records of nodes, by id; founders have none until they are removed.
    ///
    /// # Errors
    /// When the store fails.
    pub fn nodes(&self) -> Result<BTreeMap<u64, Node>, StoreError> {
        let view = self.reader.local();
        let last = match view.get(&Key::Cluster)?.as_deref().map(|record| &record.body) {
            Some(Body::Cluster(cluster)) => cluster.last_node_id,
            _ => 0,
        };
        let mut nodes = BTreeMap::new();
        for id in 1..=last {
            if let Some(Body::Node(node)) = view.get(&Key::Node(id))?.as_deref().map(|record| &record.body) {
                nodes.insert(id, (**node).clone());
            }
        }
        Ok(nodes)
    }

    /// The highest id among the members, founders included.
    #[must_use]
    pub fn members_max(&self) -> u64 {
        self.raft.members().all.keys().next_back().copied().unwrap_or(0).max(self.raft.node_id())
    }

    /// Whether this is a member now.
    #[must_use]
    pub fn is_member(&self, node_id: u64) -> bool {
        self.raft.members().all.contains_key(&node_id)
    }

    /// Where members reach each other.
    #[must_use]
    pub fn peer_addresses(&self) -> Vec<String> {
        self.raft.members().all.into_values().map(|member| member.peer_addr).collect()
    }

    /// The name of a member, as Raft knows it.
    #[must_use]
    pub fn name_of(&self, node_id: u64) -> String {
        self.raft.members().all.get(&node_id).map(|member| member.name.clone()).unwrap_or_default()
    }

    /// Has the leader answer, wherever it is; tries again while there is none or it is busy.
    async fn at_leader(&self, ask: wire::member_ask::Ask) -> Result<(), MemberError> {
        let deadline = Instant::now() + ASK_MAX;
        loop {
            let result = match self.raft.leader() {
                None => Err(MemberError::NoLeader),
                Some((leader, _)) if leader == self.raft.node_id() => self.answer(&ask).await,
                Some((leader, _)) => self.hand_on(leader, ask.clone()).await,
            };
            match result {
                Err(MemberError::NoLeader | MemberError::Busy(_)) if Instant::now() < deadline => sleep(PAUSE).await,
                result => return result,
            }
        }
    }

    async fn hand_on(&self, leader: u64, ask: wire::member_ask::Ask) -> Result<(), MemberError> {
        let request = Bytes::from(wire::MemberAsk { ask: Some(ask) }.encode_to_vec());
        match self.raft.peers().call(leader, MEMBER_METHOD, request).await {
            Ok(reply) => read_reply(reply),
            Err(status) => {
                tracing::debug!(leader, %status, "the leader did not answer a question about members");
                Err(MemberError::NoLeader)
            }
        }
    }
}

impl From<AdminError> for MemberError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NotLeader | AdminError::Stopped => Self::NoLeader,
            AdminError::Busy(message) => Self::Busy(message),
            AdminError::Timeout(_) => {
                Self::Busy("the change of members takes long; it goes on by itself, look again".to_owned())
            }
            AdminError::Refused(message) => Self::QuorumAtRisk(message),
        }
    }
}
