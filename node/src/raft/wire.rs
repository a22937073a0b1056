//! Conversions between openraft's types and ours on disk and on the wire. openraft's own encoding is never used, so
//! that its upgrades touch neither.
//!
//! A message that lacks what it must have is an error with the name of the field; nothing is filled in by default.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;
use muster_proto::peer::v1 as peer;
use muster_proto::stored::v1 as stored;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, StreamAppendResult, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use prost::Message;

use super::ReadError;
use super::types::{
    Entry, EntryPayload, LogId, Member, Membership, Payload, SnapshotMeta, StoredMembership, TypeConfig, Vote, log_id,
};
use crate::store::envelope::{self, RecordType};

/// A message that this node cannot use.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the field {0} is missing")]
    Missing(&'static str),
    #[error("the membership is invalid: {0}")]
    Membership(String),
}

impl From<WireError> for io::Error {
    fn from(error: WireError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl From<WireError> for tonic::Status {
    fn from(error: WireError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

fn need<T>(value: Option<T>, field: &'static str) -> Result<T, WireError> {
    value.ok_or(WireError::Missing(field))
}

// --- places, votes, members ---

pub(super) fn log_id_out(id: &LogId) -> stored::RaftLogId {
    stored::RaftLogId { term: id.leader_id.term, index: id.index }
}

pub(super) fn log_id_in(id: stored::RaftLogId) -> LogId {
    log_id(id.term, id.index)
}

pub(super) fn vote_out(vote: &Vote) -> stored::RaftVote {
    stored::RaftVote { term: vote.leader_id.term, node_id: vote.leader_id.voted_for, committed: vote.committed }
}

pub(super) fn vote_in(vote: stored::RaftVote) -> Vote {
    if vote.committed { Vote::new_committed(vote.term, vote.node_id) } else { Vote::new(vote.term, vote.node_id) }
}

pub(super) fn need_vote(vote: Option<stored::RaftVote>) -> Result<Vote, WireError> {
    Ok(vote_in(need(vote, "vote")?))
}

fn membership_out(membership: &Membership) -> stored::RaftMembership {
    stored::RaftMembership {
        voter_sets: membership
            .get_joint_config()
            .iter()
            .map(|set| stored::RaftVoterSet { node_ids: set.iter().copied().collect() })
            .collect(),
        members: membership
            .nodes()
            .map(|(id, member)| {
                let member = stored::RaftMember {
                    peer_addr: member.peer_addr.clone(),
                    client_addr: member.client_addr.clone(),
                    name: member.name.clone(),
                };
                (*id, member)
            })
            .collect(),
    }
}

fn membership_in(membership: stored::RaftMembership) -> Result<Membership, WireError> {
    let sets: Vec<BTreeSet<u64>> =
        membership.voter_sets.into_iter().map(|set| set.node_ids.into_iter().collect()).collect();
    let members: BTreeMap<u64, Member> = membership
        .members
        .into_iter()
        .map(|(id, member)| {
            let stored::RaftMember { peer_addr, client_addr, name } = member;
            (id, Member { peer_addr, client_addr, name })
        })
        .collect();
    Membership::new(sets, members).map_err(|error| WireError::Membership(error.to_string()))
}

pub(super) fn stored_membership_out(membership: &StoredMembership) -> stored::RaftStoredMembership {
    stored::RaftStoredMembership {
        log_id: membership.log_id().as_ref().map(log_id_out),
        membership: Some(membership_out(membership.membership())),
    }
}

pub(super) fn stored_membership_in(membership: stored::RaftStoredMembership) -> Result<StoredMembership, WireError> {
    let inner = membership_in(need(membership.membership, "membership")?)?;
    Ok(StoredMembership::new(membership.log_id.map(log_id_in), inner))
}

pub(super) fn manifest_meta(manifest: &stored::SnapshotManifest) -> Result<SnapshotMeta, WireError> {
    Ok(SnapshotMeta {
        last_log_id: manifest.last_log_id.map(log_id_in),
        last_membership: stored_membership_in(need(manifest.membership.clone(), "membership")?)?,
    })
}

// --- entries ---

pub(super) fn entry_out(entry: &Entry) -> stored::RaftEntry {
    stored::RaftEntry {
        log_id: Some(log_id_out(&entry.log_id)),
        payload: match &entry.payload {
            EntryPayload::Blank => None,
            EntryPayload::Normal(payload) => Some(stored::raft_entry::Payload::Normal(payload.0.clone())),
            EntryPayload::Membership(membership) => {
                Some(stored::raft_entry::Payload::Membership(membership_out(membership)))
            }
        },
    }
}

pub(super) fn entry_in(entry: stored::RaftEntry) -> Result<Entry, WireError> {
    Ok(Entry {
        log_id: log_id_in(need(entry.log_id, "log_id")?),
        payload: match entry.payload {
            None => EntryPayload::Blank,
            Some(stored::raft_entry::Payload::Normal(bytes)) => EntryPayload::Normal(Payload(bytes)),
            Some(stored::raft_entry::Payload::Membership(membership)) => {
                EntryPayload::Membership(membership_in(membership)?)
            }
        },
    })
}

// --- records on disk ---

pub(super) fn seal<M: Message>(kind: RecordType, message: &M) -> Vec<u8> {
    let mut out = bytes::BytesMut::with_capacity(envelope::HEADER_BYTES + message.encoded_len());
    envelope::seal_into(&mut out, kind, |out| {
        message.encode(out).expect("a growing buffer takes any message");
    });
    out.into()
}

pub(super) fn unseal<M: Message + Default>(kind: RecordType, record: impl Into<Bytes>) -> io::Result<M> {
    let body = envelope::open_bytes(kind, &record.into())?;
    M::decode(body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

// --- requests and replies ---

pub(super) fn append_out(request: &AppendEntriesRequest<TypeConfig>) -> peer::AppendRequest {
    peer::AppendRequest {
        vote: Some(vote_out(&request.vote)),
        prev_log_id: request.prev_log_id.as_ref().map(log_id_out),
        entries: request.entries.iter().map(entry_out).collect(),
        leader_commit: request.leader_commit.as_ref().map(log_id_out),
    }
}

pub(super) fn append_in(request: peer::AppendRequest) -> Result<AppendEntriesRequest<TypeConfig>, WireError> {
    Ok(AppendEntriesRequest {
        vote: need_vote(request.vote)?,
        prev_log_id: request.prev_log_id.map(log_id_in),
        entries: request.entries.into_iter().map(entry_in).collect::<Result<_, _>>()?,
        leader_commit: request.leader_commit.map(log_id_in),
    })
}

fn matched_out(id: Option<&LogId>) -> peer::Matched {
    peer::Matched { log_id: id.map(log_id_out) }
}

fn reply(result: peer::append_reply::Result) -> peer::AppendReply {
    peer::AppendReply { result: Some(result) }
}

pub(super) fn stream_reply_out(result: &StreamAppendResult<TypeConfig>) -> peer::AppendReply {
    use peer::append_reply::Result as Wire;
    reply(match result {
        Ok(last) => Wire::Accepted(matched_out(last.as_ref())),
        Err(StreamAppendError::Conflict(at)) => Wire::Conflict(matched_out(Some(at))),
        Err(StreamAppendError::HigherVote(vote)) => Wire::HigherVote(vote_out(vote)),
    })
}

pub(super) fn stream_reply_in(reply: peer::AppendReply) -> Result<StreamAppendResult<TypeConfig>, WireError> {
    use peer::append_reply::Result as Wire;
    Ok(match need(reply.result, "result")? {
        Wire::Accepted(matched) | Wire::AcceptedInPart(matched) => Ok(matched.log_id.map(log_id_in)),
        Wire::Conflict(matched) => {
            Err(StreamAppendError::Conflict(log_id_in(need(matched.log_id, "conflict.log_id")?)))
        }
        Wire::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote_in(vote))),
    })
}

pub(super) fn once_reply_out(response: &AppendEntriesResponse<TypeConfig>) -> peer::AppendReply {
    use peer::append_reply::Result as Wire;
    reply(match response {
        AppendEntriesResponse::Success => Wire::Accepted(matched_out(None)),
        AppendEntriesResponse::PartialSuccess(last) => Wire::AcceptedInPart(matched_out(last.as_ref())),
        AppendEntriesResponse::Conflict => Wire::Conflict(matched_out(None)),
        AppendEntriesResponse::HigherVote(vote) => Wire::HigherVote(vote_out(vote)),
    })
}

pub(super) fn once_reply_in(reply: peer::AppendReply) -> Result<AppendEntriesResponse<TypeConfig>, WireError> {
    use peer::append_reply::Result as Wire;
    Ok(match need(reply.result, "result")? {
        Wire::Accepted(_) => AppendEntriesResponse::Success,
        Wire::AcceptedInPart(matched) => AppendEntriesResponse::PartialSuccess(matched.log_id.map(log_id_in)),
        Wire::Conflict(_) => AppendEntriesResponse::Conflict,
        Wire::HigherVote(vote) => AppendEntriesResponse::HigherVote(vote_in(vote)),
    })
}

pub(super) fn read_index_out(id: u64, result: Result<LogId, ReadError>) -> peer::ReadIndexReply {
    use peer::read_index_reply::Result as Wire;
    let refusal = |refusal: peer::ReadIndexRefusal| Wire::Refusal(refusal.into());
    let result = match result {
        Ok(log_id) => Wire::LogId(log_id_out(&log_id)),
        Err(ReadError::Busy) => refusal(peer::ReadIndexRefusal::Busy),
        Err(ReadError::NoQuorum) => refusal(peer::ReadIndexRefusal::NoQuorum),
        // The reader asks again, and perhaps another node.
        Err(ReadError::NoLeader | ReadError::Timeout | ReadError::Stopped) => {
            refusal(peer::ReadIndexRefusal::Unspecified)
        }
    };
    peer::ReadIndexReply { id, result: Some(result) }
}

pub(super) fn read_index_in(reply: peer::ReadIndexReply) -> Result<LogId, ReadError> {
    use peer::read_index_reply::Result as Wire;
    match reply.result {
        Some(Wire::LogId(log_id)) => Ok(log_id_in(log_id)),
        Some(Wire::Refusal(refusal)) => Err(match peer::ReadIndexRefusal::try_from(refusal) {
            Ok(peer::ReadIndexRefusal::Busy) => ReadError::Busy,
            Ok(peer::ReadIndexRefusal::NoQuorum) => ReadError::NoQuorum,
            Ok(peer::ReadIndexRefusal::Unspecified) | Err(_) => ReadError::NoLeader,
        }),
        None => Err(ReadError::NoLeader),
    }
}

pub(super) fn vote_request_out(request: &VoteRequest<TypeConfig>) -> peer::VoteRequest {
    peer::VoteRequest {
        vote: Some(vote_out(&request.vote)),
        last_log_id: request.last_log_id.as_ref().map(log_id_out),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(super) fn vote_request_in(request: peer::VoteRequest) -> Result<VoteRequest<TypeConfig>, WireError> {
    let mut out = VoteRequest::new(need_vote(request.vote)?, request.last_log_id.map(log_id_in));
    out.leadership_transfer = request.leadership_transfer;
    Ok(out)
}

pub(super) fn vote_reply_out(response: &VoteResponse<TypeConfig>) -> peer::VoteReply {
    peer::VoteReply {
        vote: Some(vote_out(&response.vote)),
        granted: response.vote_granted,
        last_log_id: response.last_log_id.as_ref().map(log_id_out),
    }
}

pub(super) fn vote_reply_in(reply: peer::VoteReply) -> Result<VoteResponse<TypeConfig>, WireError> {
    Ok(VoteResponse::new(need_vote(reply.vote)?, reply.last_log_id.map(log_id_in), reply.granted))
}

pub(super) fn transfer_out(request: &TransferLeaderRequest<TypeConfig>) -> peer::TransferLeaderRequest {
    peer::TransferLeaderRequest {
        from_leader: Some(vote_out(request.from_leader())),
        to_node_id: *request.to_node_id(),
        last_log_id: request.last_log_id().map(log_id_out),
    }
}

pub(super) fn transfer_in(
    request: peer::TransferLeaderRequest,
) -> Result<TransferLeaderRequest<TypeConfig>, WireError> {
    let from = need_vote(request.from_leader)?;
    Ok(TransferLeaderRequest::new(from, request.to_node_id, request.last_log_id.map(log_id_in)))
}

pub(super) fn transfer_reply_out(response: &TransferLeaderResponse<TypeConfig>) -> peer::TransferLeaderReply {
    use peer::transfer_leader_reply::Result as Wire;
    peer::TransferLeaderReply {
        result: Some(match response {
            Ok(()) => Wire::Accepted(peer::Empty {}),
            Err(TransferLeaderError::VoteChanged { expected, actual }) => Wire::VoteChanged(peer::VoteChanged {
                expected: Some(vote_out(expected)),
                actual: Some(vote_out(actual)),
            }),
            Err(TransferLeaderError::LogNotFlushed { expected, actual }) => Wire::LogNotFlushed(peer::LogNotFlushed {
                expected: expected.as_ref().map(log_id_out),
                actual: actual.as_ref().map(log_id_out),
            }),
        }),
    }
}

pub(super) fn transfer_reply_in(
    reply: peer::TransferLeaderReply,
) -> Result<TransferLeaderResponse<TypeConfig>, WireError> {
    use peer::transfer_leader_reply::Result as Wire;
    Ok(match need(reply.result, "result")? {
        Wire::Accepted(_) => Ok(()),
        Wire::VoteChanged(changed) => Err(TransferLeaderError::VoteChanged {
            expected: need_vote(changed.expected)?,
            actual: need_vote(changed.actual)?,
        }),
        Wire::LogNotFlushed(not) => Err(TransferLeaderError::LogNotFlushed {
            expected: not.expected.map(log_id_in),
            actual: not.actual.map(log_id_in),
        }),
    })
}
