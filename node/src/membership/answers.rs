//! What this node answers as the leader, and to a node that asks whether it was removed.

use super::plan::{self, Facts, Standing, Step};
use super::{
    Bytes, Command, JOIN_METHOD, MEMBER_METHOD, Member, MemberError, Membership, Message, NodeState, Operation,
    OperationResult, ProposeError, REMOVED_METHOD, Reason, Rejection, Status, authorize, error, guard, wire,
};

/// Steps that one settling takes at most before it says that it goes on.
const STEPS_MAX: usize = 16;

impl Membership {
    /// Answers a question of another node; `None` for methods of others.
    pub(crate) async fn call(&self, from: u64, method: &str, request: Bytes) -> Option<Result<Bytes, Status>> {
        Some(match method {
            JOIN_METHOD => match wire::JoinRequest::decode(request) {
                // The connection's certificate names the sender, and nobody joins in the name of another.
                Ok(join) if join.node_id != from => {
                    Err(Status::permission_denied(format!("node {from} asks to join as node {}", join.node_id)))
                }
                Ok(join) => Ok(error::reply(self.at_leader(wire::member_ask::Ask::Join(join)).await)),
                Err(malformed) => Err(Status::invalid_argument(malformed.to_string())),
            },
            MEMBER_METHOD if !self.raft.members().all.contains_key(&from) => {
                Err(Status::permission_denied(format!("node {from} is not a member of the cluster")))
            }
            MEMBER_METHOD => match wire::MemberAsk::decode(request).map(|message| message.ask) {
                Ok(Some(ask)) => Ok(error::reply(self.answer(&ask).await)),
                Ok(None) => Err(Status::unimplemented("a question about members that this version does not know")),
                Err(malformed) => Err(Status::invalid_argument(malformed.to_string())),
            },
            REMOVED_METHOD => match self.is_out(from) {
                Ok(removed) => Ok(wire::RemovedReply { removed }.encode_to_vec().into()),
                Err(error) => Err(Status::unavailable(error.to_string())),
            },
            _ => return None,
        })
    }

    /// Answers as the leader.
    pub(super) async fn answer(&self, ask: &wire::member_ask::Ask) -> Result<(), MemberError> {
        use wire::member_ask::Ask;
        if !self.raft.is_leader() {
            return Err(MemberError::NoLeader);
        }
        match ask {
            Ask::Join(request) => self.join(request).await,
            Ask::MayPromote(id) => guard::promote(&self.facts_asked().await?, *id),
            Ask::MayRemove(wire::MayRemove { node_id, force }) => {
                guard::remove(&self.facts_asked().await?, *node_id, *force)
            }
            Ask::Settle(wire::Settle {}) => self.settle_here().await,
            Ask::Transfer(to) => {
                let heir = guard::heir(&self.facts_asked().await?, *to)?;
                tracing::info!(to = heir, "handing leadership over, as asked");
                Ok(self.raft.transfer_leader(heir).await?)
            }
        }
    }

    /// Raft and the registry agree that this node has left.
    fn is_out(&self, id: u64) -> Result<bool, crate::store::error::StoreError> {
        let removed = self.nodes()?.get(&id).is_some_and(|node| node.state == NodeState::Removed);
        Ok(removed && !self.raft.members().all.contains_key(&id))
    }

    /// Takes the token, then has the log sent to the node.
    async fn join(&self, request: &wire::JoinRequest) -> Result<(), MemberError> {
        let invalid = |field: &str, message: &str| Rejection::new(Reason::InvalidField, field, message);
        let level = self.status.feature_level();
        if request.supported_feature_level < level {
            let message = format!(
                "the node supports feature level {}, and the cluster is at {level}; run a newer musterd on it",
                request.supported_feature_level
            );
            return Err(Rejection::new(Reason::FeatureLevelTooLow, "", message).into());
        }
        let hash: [u8; 32] = (&*request.token_hash).try_into().map_err(|_| invalid("join_token", "is malformed"))?;
        let nonce: [u8; 16] = (&*request.nonce).try_into().map_err(|_| invalid("nonce", "must have 16 bytes"))?;
        let id = request.node_id;
        self.record(Operation::UseJoinToken {
            node_id: id,
            token_hash: hash,
            nonce,
            peer_address: request.peer_address.clone(),
            client_address: request.client_address.clone(),
        })
        .await?;
        if self.raft.members().all.contains_key(&id) {
            return Ok(());
        }
        let name = self.nodes().map_err(|error| MemberError::Busy(error.to_string()))?.remove(&id);
        let member = Member {
            peer_addr: request.peer_address.clone(),
            client_addr: request.client_address.clone(),
            name: name.map(|node| node.name).unwrap_or_default(),
        };
        self.raft.add_learner(id, member).await?;
        tracing::info!(node = id, "a node has joined as a learner");
        Ok(())
    }

    /// Records what the cluster does by itself.
    pub(super) async fn record(&self, operation: Operation) -> Result<(), MemberError> {
        let command = authorize::by_node(self.raft.node_id(), Command::single(operation));
        let outcome = self.proposer.propose(command, "", [0; 16]).await.map_err(|error| match error {
            ProposeError::FeatureLevel(rejection) => MemberError::Rejected(*rejection),
            other => MemberError::Busy(other.to_string()),
        })?;
        match outcome.results.into_iter().next() {
            Some(OperationResult::Rejected(rejection)) => Err(rejection.into()),
            _ => Ok(()),
        }
    }

    /// Takes steps until Raft's members are what the records say.
    pub(super) async fn settle_here(&self) -> Result<(), MemberError> {
        let _one = self.settling.lock().await;
        for _ in 0..STEPS_MAX {
            match plan::next(&self.facts()?) {
                Step::Nothing => return Ok(()),
                Step::RecordRemoved(replaced) => {
                    for node_id in replaced {
                        let name = self.name_of(node_id);
                        tracing::info!(node = node_id, "a member is replaced");
                        self.record(Operation::RemoveNode { node_id, name }).await?;
                    }
                }
                Step::HandOver(heir) => {
                    tracing::info!(to = heir, "handing leadership over, because this node leaves the cluster");
                    self.raft.transfer_leader(heir).await?;
                    return Err(MemberError::NoLeader);
                }
                Step::SetVoters(voters) => {
                    tracing::info!(?voters, "changing the voters");
                    self.raft.set_voters(voters).await?;
                }
                Step::RemoveLearners(learners) => {
                    tracing::info!(?learners, "removing members without a vote");
                    self.raft.remove_learners(learners).await?;
                }
            }
        }
        Err(MemberError::Busy("the members change again and again; the leader goes on".to_owned()))
    }

    /// The facts, with every member asked whether it is there: one that died a moment ago still counts as heard lately.
    async fn facts_asked(&self) -> Result<Facts, MemberError> {
        let answering = self.status.get().await.members;
        let mut facts = self.facts()?;
        for member in answering.iter().filter(|member| !member.reachable) {
            if let Some(standing) = facts.members.get_mut(&member.node_id) {
                standing.answers = false;
            }
        }
        Ok(facts)
    }

    pub(super) fn facts(&self) -> Result<Facts, MemberError> {
        let members = self.raft.members();
        let status = self.raft.status();
        let standings = status.members.iter().map(|member| {
            let standing = Standing { lag: member.lag_entries, answers: self.raft.answers(member.id) };
            (member.id, standing)
        });
        Ok(Facts {
            this: self.raft.node_id(),
            voters: members.voters,
            changing: members.changing,
            members: standings.collect(),
            nodes: self.nodes().map_err(|error| MemberError::Busy(error.to_string()))?,
            lag_max: self.settings.promote_lag_entries,
        })
    }
}
