//! What openraft sends to other nodes: replication, heartbeats, votes, leadership, snapshots.
//!
//! This file knows openraft's traits and the wire; it makes no connection and keeps none. Invariants:
//! - Every call has a hard deadline; the replication stream, which has none, is given up when answers stop.
//! - An unreachable peer never counts as granting anything.
//! - Heartbeats have a connection of their own, so that they do not wait behind entries, and their interval as deadline.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use muster_proto::peer::v1 as peer;
use openraft::OptionalSend;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{RPCOption, RPCTypes, RaftNetworkFactory, RaftNetworkV2, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Response, Status, Streaming};

use super::dialogue::{Dialogue, Topic};
use super::peers::{Client, Lane, Peer, PeerPool, deadline};
use super::snapshot::SnapshotData;
use super::types::{Member, NodeId, Snapshot, TypeConfig, Vote};
use super::wire::{self, WireError};

/// Most bytes of one snapshot chunk.
const CHUNK_BYTES: usize = 1 << 20;
/// How long opening a replication stream may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two tries to open one: openraft asks for the next at once.
const OPEN_PAUSE: Duration = Duration::from_millis(50);

type RpcError = RPCError<TypeConfig>;
type AppendResults<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>;

/// Makes the clients openraft uses.
pub(super) struct NetworkFactory {
    pub node_id: NodeId,
    pub pool: Arc<PeerPool>,
    pub stall_timeout: Duration,
}

impl NetworkFactory {
    fn client(&self, target: NodeId, member: &Member, lane: Lane) -> PeerNetwork {
        PeerNetwork {
            node_id: self.node_id,
            peer: self.pool.peer(target, member),
            lane,
            heartbeats: Dialogue::default(),
            stall_timeout: self.stall_timeout,
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = PeerNetwork;

    async fn new_client(&mut self, target: NodeId, node: &Member) -> PeerNetwork {
        self.client(target, node, Lane::Append)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, node: &Member) -> PeerNetwork {
        self.client(target, node, Lane::Control)
    }

    async fn new_snapshot_client(&mut self, target: NodeId, node: &Member) -> PeerNetwork {
        self.client(target, node, Lane::Snapshot)
    }
}

/// openraft's client for one peer and one kind of traffic.
pub(super) struct PeerNetwork {
    node_id: NodeId,
    peer: Arc<Peer>,
    lane: Lane,
    heartbeats: Dialogue<Heartbeats>,
    stall_timeout: Duration,
}

/// Appends without entries, see [`Dialogue`]. Asking one twice is harmless.
struct Heartbeats;

impl Topic for Heartbeats {
    type Question = peer::HeartbeatRequest;
    type Answer = peer::HeartbeatReply;

    async fn open(
        client: &mut Client,
        questions: ReceiverStream<peer::HeartbeatRequest>,
    ) -> Result<Response<Streaming<peer::HeartbeatReply>>, Status> {
        client.heartbeat(questions).await
    }

    fn number(question: &mut peer::HeartbeatRequest, id: u64) {
        question.id = id;
    }

    fn answers(answer: &peer::HeartbeatReply) -> u64 {
        answer.id
    }
}

impl PeerNetwork {
    fn open(&self, lane: Lane) -> Result<Client, RpcError> {
        self.peer.client(lane).map_err(|error| RPCError::Unreachable(Unreachable::from_string(error)))
    }

    async fn unary<T>(
        &self,
        action: RPCTypes,
        limit: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, RpcError> {
        match deadline(limit, call).await {
            Ok(reply) => Ok(reply.into_inner()),
            Err(status) => Err(self.failed(action, limit, &status)),
        }
    }

    fn failed(&self, action: RPCTypes, timeout: Duration, status: &Status) -> RpcError {
        match status.code() {
            Code::DeadlineExceeded => {
                RPCError::Timeout(Timeout { action, id: self.node_id, target: self.peer.id, timeout })
            }
            // A refusal will not go away by asking again at once.
            Code::Unavailable | Code::FailedPrecondition | Code::Unauthenticated | Code::PermissionDenied => {
                RPCError::Unreachable(Unreachable::from_string(status.message()))
            }
            _ => RPCError::Network(NetworkError::from_string(status.message())),
        }
    }

    async fn stream<S>(&self, input: S) -> Result<AppendResults<'static>, RpcError>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let requests = input.map(move |request| {
            counter.fetch_add(1, Ordering::Relaxed);
            wire::append_out(&request)
        });
        let opened = async {
            let mut client = self.open(Lane::Append)?;
            self.unary(RPCTypes::AppendEntries, OPEN_TIMEOUT, client.append(requests)).await
        };
        let replies = rested(opened.await).await?;
        let stall = self.stall_timeout;
        let (node_id, target) = (self.node_id, self.peer.id);
        let results = stream::unfold(Some((replies, sent, 0u64)), move |state| async move {
            let (mut replies, sent, mut received) = state?;
            loop {
                let before = sent.load(Ordering::Relaxed);
                return match tokio::time::timeout(stall, replies.message()).await {
                    Err(_) if before <= received => continue,
                    Err(_) => {
                        let action = RPCTypes::AppendEntries;
                        Some((Err(RPCError::Timeout(Timeout { action, id: node_id, target, timeout: stall })), None))
                    }
                    Ok(Ok(Some(reply))) => {
                        received += 1;
                        match wire::stream_reply_in(reply) {
                            Ok(result) => Some((Ok(result), Some((replies, sent, received)))),
                            Err(error) => Some((Err(garbled(&error)), None)),
                        }
                    }
                    Ok(Ok(None)) => None,
                    Ok(Err(status)) => {
                        let error = if status.code() == Code::Unavailable {
                            RPCError::Unreachable(Unreachable::from_string(status.message()))
                        } else {
                            RPCError::Network(NetworkError::from_string(status.message()))
                        };
                        Some((Err(error), None))
                    }
                };
            }
        });
        Ok(Box::pin(results))
    }

    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: Snapshot,
        limit: Duration,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let start = super::now();
        let mut client = self.open(Lane::Snapshot).map_err(streaming)?;
        let (parts, receiver) = mpsc::channel(4);
        let header = peer::SnapshotHeader {
            vote: Some(wire::vote_out(&vote)),
            manifest: Some(snapshot.snapshot.manifest.as_ref().clone()),
        };
        let has = self.has_of(&mut client, header.clone(), limit).await?;
        let data = snapshot.snapshot;
        let reading = tokio::task::spawn_blocking(move || read_parts(&data, header, &has, &parts));
        let reply =
            self.unary(RPCTypes::InstallSnapshot, limit, client.install_snapshot(ReceiverStream::new(receiver)));
        let reply = reply.await.map_err(streaming)?;
        // The receiver has verified everything, so a reader that failed cannot have gone unnoticed.
        drop(reading);
        metrics::histogram!("muster_snapshot_send_seconds").record(start.elapsed());
        let vote = wire::need_vote(reply.vote).map_err(|error| streaming(garbled(&error)))?;
        Ok(SnapshotResponse::new(vote))
    }
}

impl PeerNetwork {
    /// The files of a snapshot that the receiver has already. One of an older version has none.
    async fn has_of(
        &self,
        client: &mut Client,
        header: peer::SnapshotHeader,
        limit: Duration,
    ) -> Result<Vec<u32>, StreamingError<TypeConfig>> {
        let offered = client.offer_snapshot(header);
        let answer = self.unary(RPCTypes::InstallSnapshot, limit, async {
            match offered.await {
                Err(status) if status.code() == Code::Unimplemented => Ok(Response::new(peer::SnapshotHave::default())),
                answer => answer,
            }
        });
        Ok(answer.await.map_err(streaming)?.files)
    }
}

/// Hands the header and then all chunks to the stream; stops when nobody listens any more.
fn read_parts(
    data: &SnapshotData,
    header: peer::SnapshotHeader,
    has: &[u32],
    parts: &mpsc::Sender<peer::SnapshotPart>,
) -> io::Result<()> {
    let give = |part| {
        let part = peer::SnapshotPart { part: Some(part) };
        parts.blocking_send(part).map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the receiver went away"))
    };
    give(peer::snapshot_part::Part::Header(header))?;
    let result = data.read_chunks(CHUNK_BYTES, has, |file, offset, data| {
        give(peer::snapshot_part::Part::Chunk(peer::SnapshotChunk { file, offset, data: data.into() }))
    });
    if let Err(error) = &result {
        tracing::warn!(%error, "sending a snapshot ended early");
    }
    result
}

fn garbled(error: &WireError) -> RpcError {
    RPCError::Network(NetworkError::new(error))
}

/// What became of opening a stream; a failure after a pause, or a member that is down is asked thousands of times a second.
async fn rested<T>(opened: Result<T, RpcError>) -> Result<T, RpcError> {
    if opened.is_err() {
        tokio::time::sleep(OPEN_PAUSE).await;
    }
    opened
}

fn streaming(error: RpcError) -> StreamingError<TypeConfig> {
    match error {
        RPCError::Timeout(timeout) => StreamingError::Timeout(timeout),
        RPCError::Unreachable(unreachable) => StreamingError::Unreachable(unreachable),
        RPCError::Network(network) => StreamingError::Network(network),
        RPCError::RemoteError(remote) => StreamingError::Network(NetworkError::from_string(remote)),
    }
}

impl RaftNetworkV2<TypeConfig> for PeerNetwork {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let limit = option.hard_ttl();
        let question = peer::HeartbeatRequest { id: 0, append: Some(wire::append_out(&request)) };
        let answer = self.heartbeats.ask(&self.peer, limit, question).await;
        let answer = answer.map_err(|status| self.failed(RPCTypes::AppendEntries, limit, &status))?;
        wire::once_reply_in(answer.reply.unwrap_or_default()).map_err(|error| garbled(&error))
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<AppendResults<'s>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        match self.lane {
            Lane::Append => Box::pin(async move { Ok(self.stream(input).await? as AppendResults<'s>) }),
            // openraft gives each heartbeat an input of its own; the stream they travel on is kept for all of them.
            Lane::Control | Lane::Forward | Lane::Snapshot => stream_append_sequential(self, input, option),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let mut client = self.open(Lane::Control)?;
        let call = client.vote(wire::vote_request_out(&request));
        let reply = self.unary(RPCTypes::Vote, option.hard_ttl(), call).await?;
        wire::vote_reply_in(reply).map_err(|error| garbled(&error))
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let mut client = self.open(Lane::Control)?;
        let call = client.pre_vote(wire::vote_request_out(&request));
        let reply = self.unary(RPCTypes::Vote, option.hard_ttl(), call).await?;
        wire::vote_reply_in(reply).map_err(|error| garbled(&error))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            result = self.send_snapshot(vote, snapshot, option.hard_ttl()) => result,
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let mut client = self.open(Lane::Control)?;
        let call = client.transfer_leader(wire::transfer_out(&request));
        let reply = self.unary(RPCTypes::TransferLeader, option.hard_ttl(), call).await?;
        wire::transfer_reply_in(reply).map_err(|error| garbled(&error))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn only_what_failed_is_told_after_a_pause() {
        assert!(matches!(rested(Ok(7)).now_or_never(), Some(Ok(7))));
        let failed = || Err::<(), _>(RPCError::Unreachable(Unreachable::from_string("down")));
        assert!(rested(failed()).now_or_never().is_none(), "openraft would ask again at once");
        assert!(matches!(rested(failed()).await, Err(RPCError::Unreachable(_))));
    }
}
