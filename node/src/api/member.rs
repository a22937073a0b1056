//! `MemberService`: who belongs to the cluster. What a change of members takes is [`crate::membership`]'s business; here it
//! is decoded, allowed, recorded and answered.
//!
//! - A change is recorded under its caller before Raft is changed, so that the history says who did it.
//! - The secret of a join token exists in one answer only.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::node::{Node, NodeState, admitted_id};
use muster_domain::policy::ReadScope;
use muster_domain::{Operation, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::member_service_server::MemberService;
use tonic::{Request, Response, Status};

use super::read::Read;
use super::status::Failure;
use super::write::{Done, Write};
use crate::convert::timestamp;
use crate::join_token::NewJoinSecret;
use crate::node::Services;
use crate::read::{EventFilter, EventScope};

/// How long a join token is valid when nothing else is asked for, and at least and at most; seconds.
const TOKEN_LIFETIME: u64 = 86_400;
const TOKEN_LIFETIME_MIN: u64 = 60;
const TOKEN_LIFETIME_MAX: u64 = 30 * 86_400;

/// The members of the cluster.
pub(crate) struct MemberApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl MemberService for MemberApi {
    async fn list_members(
        &self,
        request: Request<v1::ListMembersRequest>,
    ) -> Result<Response<v1::ListMembersResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        read.allow(ReadScope::Cluster)?;
        Ok(Response::new(list(&read, request.show_removed).await?))
    }

    async fn admit_node(
        &self,
        request: Request<v1::AdmitNodeRequest>,
    ) -> Result<Response<v1::AdmitNodeResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "AdmitNode", request)?;
        Ok(Response::new(admit(write, request).await?))
    }

    async fn promote_member(
        &self,
        request: Request<v1::PromoteMemberRequest>,
    ) -> Result<Response<v1::PromoteMemberResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "PromoteMember", request)?;
        let done = promote(write, request.node_id).await?;
        Ok(Response::new(v1::PromoteMemberResponse { header: done.header() }))
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "RemoveMember", request)?;
        let done = remove(write, request.node_id, request.force).await?;
        Ok(Response::new(v1::RemoveMemberResponse { header: done.header() }))
    }

    async fn transfer_leadership(
        &self,
        request: Request<v1::TransferLeadershipRequest>,
    ) -> Result<Response<v1::TransferLeadershipResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let actor = read.caller.principal.actor();
        tracing::info!(actor, origin = read.caller.origin, to = request.node_id, "asked to move leadership");
        let leader_id = read.services.membership.transfer(request.node_id).await.map_err(Failure::from)?;
        let header = read.header(read.services.reader.local().revision());
        Ok(Response::new(v1::TransferLeadershipResponse { header, leader_id }))
    }
}

async fn list(read: &Read, show_removed: bool) -> Result<v1::ListMembersResponse, Failure> {
    let nodes = read.services.membership.nodes()?;
    let status = read.services.status.get().await;
    let mut members: BTreeMap<u64, v1::Member> = nodes
        .iter()
        .filter(|(_, node)| node.state != NodeState::Removed || show_removed)
        // Joined, but no member yet: the leader is about to add it.
        .map(|(id, node)| (*id, of_record(*id, node)))
        .collect();
    for member in status.members {
        let to_vote = member.voter || nodes.get(&member.node_id).is_some_and(|node| node.voter);
        let replaces = nodes.get(&member.node_id).map_or(0, |node| node.replaces);
        let state = if member.voter { v1::MemberState::Voter } else { v1::MemberState::Learner };
        let shown = v1::Member {
            node_id: member.node_id,
            name: member.name,
            state: state.into(),
            leader: member.leader,
            reachable: member.reachable,
            peer_address: member.peer_address,
            client_address: member.client_address,
            lag_entries: member.applied_lag,
            to_vote,
            replaces: if member.voter { 0 } else { replaces },
            token_expire_time: None,
            version: member.version,
        };
        members.insert(shown.node_id, shown);
    }
    let header = read.header(read.services.reader.local().revision());
    Ok(v1::ListMembersResponse { header, members: members.into_values().collect() })
}

fn of_record(id: u64, node: &Node) -> v1::Member {
    let state = match node.state {
        NodeState::Admitted => v1::MemberState::Admitted,
        NodeState::Joined => v1::MemberState::Learner,
        NodeState::Removed => v1::MemberState::Removed,
    };
    v1::Member {
        node_id: id,
        name: node.name.clone(),
        state: state.into(),
        peer_address: node.peer_address.clone(),
        client_address: node.client_address.clone(),
        to_vote: node.voter && node.state != NodeState::Removed,
        replaces: node.replaces,
        token_expire_time: (node.state == NodeState::Admitted).then(|| timestamp(node.expires_ms)),
        ..v1::Member::default()
    }
}

async fn admit(write: Write, request: v1::AdmitNodeRequest) -> Result<v1::AdmitNodeResponse, Failure> {
    let services = Arc::clone(&write.services);
    let v1::AdmitNodeRequest { name, learner, replaces, token_lifetime_seconds, .. } = request;
    let lifetime = match token_lifetime_seconds {
        0 => TOKEN_LIFETIME,
        seconds if (TOKEN_LIFETIME_MIN..=TOKEN_LIFETIME_MAX).contains(&seconds) => seconds,
        _ => {
            let rule = format!("token_lifetime_seconds must be {TOKEN_LIFETIME_MIN} to {TOKEN_LIFETIME_MAX}");
            return Err(Rejection::new(Reason::InvalidField, "token_lifetime_seconds", rule).into());
        }
    };
    if replaces != 0 && learner {
        let rule = "a learner replaces nobody: it has no vote";
        return Err(Rejection::new(Reason::InvalidField, "replaces", rule).into());
    }
    if replaces != 0 && !services.membership.is_member(replaces) {
        let message = format!("node {replaces} is not a member of the cluster");
        return Err(Rejection::new(Reason::NotFound, "replaces", message).into());
    }
    let made = NewJoinSecret::generate(&*services.ids);
    let expires_ms = services.clock.now_ms() + lifetime * 1_000;
    let node = Node {
        name,
        state: NodeState::Admitted,
        voter: !learner,
        replaces,
        token_hash: made.hash,
        expires_ms,
        nonce: [0; 16],
        peer_address: String::new(),
        client_address: String::new(),
    };
    let members_max = services.membership.members_max();
    let done = write.single(Operation::AdmitNode { node: Box::new(node), members_max }).await?;
    let node_id = admitted(&done).await?;
    let recorded = services.membership.nodes()?.remove(&node_id);
    // Another hash than ours: this was a retry, and the first answer had the secret.
    let ours = recorded.as_ref().is_some_and(|node| node.token_hash == made.hash);
    Ok(v1::AdmitNodeResponse {
        header: done.header(),
        node_id,
        join_token: if ours { made.text(node_id).to_string() } else { String::new() },
        token_expire_time: recorded.map(|node| timestamp(node.expires_ms)),
        peer_addresses: services.membership.peer_addresses(),
    })
}

/// The id that the change gave, or its first try.
async fn admitted(done: &Done) -> Result<u64, Failure> {
    let filter = EventFilter { kinds: vec!["node.admitted".to_owned()], ..EventFilter::of(EventScope::All) };
    let page = done.view().events(filter, done.revision, done.revision, 0, 1).await?;
    let id = page.entries.into_iter().next().and_then(|(entry, _)| admitted_id(&entry.events));
    id.ok_or_else(|| {
        let why = "this node has not caught up with the change; `muster cluster members` shows the id";
        Failure::Propose(crate::propose::ProposeError::OutcomeUnknown(why.to_owned()))
    })
}

async fn promote(write: Write, node_id: u64) -> Result<Done, Failure> {
    let services = Arc::clone(&write.services);
    services.membership.may_promote(node_id).await?;
    let done = write.single(Operation::PromoteNode { node_id }).await?;
    services.membership.settle().await?;
    Ok(done)
}

async fn remove(write: Write, node_id: u64, force: bool) -> Result<Done, Failure> {
    let services = Arc::clone(&write.services);
    services.membership.may_remove(node_id, force).await?;
    let name = services.membership.name_of(node_id);
    let done = write.single(Operation::RemoveNode { node_id, name }).await?;
    services.membership.settle().await?;
    Ok(done)
}
