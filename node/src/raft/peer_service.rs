//! The receiving side of the peer protocol.
//!
//! This file decodes, checks who is speaking to whom, and hands on; it decides nothing. Invariants:
//! - A call for another cluster or another node is refused before anything in it is looked at. Only who joins may leave open
//!   which node it asks.
//! - Only members forward requests: whoever forwards vouches for the caller.
//! - A message that cannot be decoded ends its stream with an error; nothing is skipped silently.
//! - A node that has lost what it promised answers nothing that counts towards a majority; see `gate.rs`.
//! - A stream from a peer ends when this node stops.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, ready};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt};
use muster_planted::{self as planted, Bug};
use muster_proto::peer::v1 as wire_types;
use muster_proto::peer::v1::peer_service_server::{PeerService, PeerServiceServer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::{Connected, Server};
use tonic::{Code, Extensions, Request, Response, Status, Streaming};

use super::forward::{BUSY, ForwardRejected};
use super::gate::Gate;
use super::peers::{ANY_NODE, CLUSTER_ID, FROM_NODE, MESSAGE_BYTES, TO_NODE};
use super::read_barrier::ReadBarrier;
use super::snapshot::SnapshotStore;
use super::types::{NodeId, Raft, Snapshot, Vote};
use super::{dialogue, wire};
use crate::tasks::{self, StopSignal};
use openraft::async_runtime::WatchReceiver;

/// Answers requests that another node forwarded to this one.
pub trait ForwardHandler: Send + Sync + 'static {
    /// One request; many run at once, on one task, so this must not block. A handler must not forward again.
    fn handle(&self, from: NodeId, request: Bytes) -> BoxFuture<'static, Result<Bytes, ForwardRejected>>;
}

/// Answers single questions of other nodes.
pub trait PeerCallHandler: Send + Sync + 'static {
    /// One question; `method` says which.
    fn call(&self, from: NodeId, method: &str, request: Bytes) -> BoxFuture<'static, Result<Bytes, Status>>;
}

/// Which node the certificate of a connection names, from the extensions of a call; `None` without TLS.
pub type CertifiedSender = fn(&Extensions) -> Option<NodeId>;

/// Refuses calls that are not meant for this node, or whose sender is not who its certificate says.
#[derive(Clone)]
pub(super) struct CheckAddressee {
    pub cluster_id: Arc<str>,
    pub node_id: NodeId,
    pub certified: CertifiedSender,
}

/// The sender named in a call.
#[derive(Clone, Copy)]
struct From(NodeId);

impl Interceptor for CheckAddressee {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let text = |name| request.metadata().get(name).and_then(|value| value.to_str().ok());
        let number = |name| text(name).and_then(|value| value.parse::<NodeId>().ok());
        if text(CLUSTER_ID) != Some(&*self.cluster_id) {
            return Err(Status::failed_precondition("this node belongs to another cluster"));
        }
        if !number(TO_NODE).is_some_and(|to| to == self.node_id || to == ANY_NODE) {
            return Err(Status::failed_precondition(format!("this is node {}", self.node_id)));
        }
        let from = number(FROM_NODE).filter(|from| *from != self.node_id);
        let from = from.ok_or_else(|| Status::failed_precondition("the sender does not say which other node it is"))?;
        if let Some(certified) = (self.certified)(request.extensions())
            .filter(|certified| *certified != from && !planted::is(Bug::PeerUnproved))
        {
            tracing::warn!(from, certified, "a node called in the name of another");
            return Err(Status::permission_denied(format!("the certificate is node {certified}'s, not node {from}'s")));
        }
        request.extensions_mut().insert(From(from));
        Ok(request)
    }
}

fn sender<T>(request: &Request<T>) -> Result<NodeId, Status> {
    let from = request.extensions().get::<From>().ok_or_else(|| Status::internal("the sender was not checked"))?;
    Ok(from.0)
}

/// The peer service of one node.
pub(super) struct Peers {
    pub raft: Raft,
    pub gate: Arc<Gate>,
    pub reads: ReadBarrier,
    pub snapshots: Arc<SnapshotStore>,
    pub forward: Arc<dyn ForwardHandler>,
    pub calls: Arc<dyn PeerCallHandler>,
    pub forward_in_flight_max: usize,
    /// One snapshot arrives at a time.
    pub receiving: AtomicBool,
    pub stop: StopSignal,
}

impl Peers {
    /// Refuses who is no member, such as a node that was removed and still has its certificate.
    fn check_member(&self, id: NodeId) -> Result<(), Status> {
        let metrics = self.raft.server_metrics();
        let known = metrics.borrow_watched().membership_config.membership().get_node(&id).is_some();
        if known { Ok(()) } else { Err(Status::permission_denied(format!("node {id} is not a member of the cluster"))) }
    }
}

/// Serves until told to stop. Connections that do not end by themselves are left to end with the process.
pub(super) async fn serve<S, IO>(
    service: Peers,
    check: CheckAddressee,
    incoming: S,
) -> Result<(), tonic::transport::Error>
where
    S: Stream<Item = io::Result<IO>> + Send + Unpin + 'static,
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let stop = service.stop.clone();
    let server = PeerServiceServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES);
    Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(2)))
        .http2_keepalive_timeout(Some(Duration::from_secs(3)))
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .max_concurrent_streams(256)
        .http2_max_header_list_size(16 << 10)
        .add_service(InterceptedService::new(server, check))
        .serve_with_incoming_shutdown(incoming, stop.stopped())
        .await
}

fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("consensus has stopped on this node: {error}"))
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl PeerService for Peers {
    type AppendStream = Replies<wire_types::AppendReply>;
    type HeartbeatStream = Replies<wire_types::HeartbeatReply>;
    type ReadIndexStream = Replies<wire_types::ReadIndexReply>;
    type ForwardStream = ReceiverStream<Result<wire_types::ForwardReply, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<wire_types::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        self.gate.check()?;
        let from = sender(&request)?;
        // The first message that is not one ends the input, and with it the stream.
        let requests = request.into_inner().scan((), move |(), message| {
            let decoded = message.and_then(|message| wire::append_in(message).map_err(Status::from));
            ready(decoded.inspect_err(|status| tracing::debug!(from, %status, "a replication stream ended")).ok())
        });
        // openraft reads on even when nobody takes its replies, which would keep the connection open.
        let requests = requests.take_until(self.stop.clone().stopped());
        let replies = self.raft.stream_append(requests).map(|result| match result {
            Ok(result) => Ok(wire::stream_reply_out(&result)),
            Err(fatal) => Err(stopped(fatal)),
        });
        Ok(Response::new(Box::pin(replies.take_until(self.stop.clone().stopped()))))
    }

    async fn heartbeat(
        &self,
        request: Request<Streaming<wire_types::HeartbeatRequest>>,
    ) -> Result<Response<Self::HeartbeatStream>, Status> {
        self.gate.check()?;
        let (gate, raft) = (Arc::clone(&self.gate), self.raft.clone());
        let answer = move |wire_types::HeartbeatRequest { id, append }| {
            let (gate, raft) = (Arc::clone(&gate), raft.clone());
            async move {
                gate.check()?;
                let request = wire::append_in(append.unwrap_or_default())?;
                let response = raft.append_entries(request).await.map_err(stopped)?;
                Ok(wire_types::HeartbeatReply { id, reply: Some(wire::once_reply_out(&response)) })
            }
        };
        Ok(Response::new(Box::pin(dialogue::answers(request.into_inner(), self.stop.clone(), answer))))
    }

    async fn vote(&self, request: Request<wire_types::VoteRequest>) -> Result<Response<wire_types::VoteReply>, Status> {
        self.gate.check()?;
        let request = wire::vote_request_in(request.into_inner())?;
        let response = self.raft.vote(request).await.map_err(stopped)?;
        Ok(Response::new(wire::vote_reply_out(&response)))
    }

    async fn pre_vote(
        &self,
        request: Request<wire_types::VoteRequest>,
    ) -> Result<Response<wire_types::VoteReply>, Status> {
        self.gate.check()?;
        let request = wire::vote_request_in(request.into_inner())?;
        let response = self.raft.pre_vote(request).await.map_err(stopped)?;
        Ok(Response::new(wire::vote_reply_out(&response)))
    }

    async fn transfer_leader(
        &self,
        request: Request<wire_types::TransferLeaderRequest>,
    ) -> Result<Response<wire_types::TransferLeaderReply>, Status> {
        self.gate.check()?;
        let request = wire::transfer_in(request.into_inner())?;
        let response = self.raft.handle_transfer_leader(request).await.map_err(stopped)?;
        Ok(Response::new(wire::transfer_reply_out(&response)))
    }

    async fn offer_snapshot(
        &self,
        request: Request<wire_types::SnapshotHeader>,
    ) -> Result<Response<wire_types::SnapshotHave>, Status> {
        self.gate.check()?;
        let manifest = request.into_inner().manifest;
        let manifest = manifest.ok_or_else(|| Status::invalid_argument("the manifest is missing"))?;
        if self.receiving.swap(true, Ordering::AcqRel) {
            return Err(Status::unavailable("another snapshot is arriving"));
        }
        let _done = Release(&self.receiving);
        let store = Arc::clone(&self.snapshots);
        // Reads the files: they are used only when they are right.
        let found = move || store.has_of(&manifest).map_err(|error| store.refuse(&error));
        let files = tokio::task::spawn_blocking(found).await;
        let files = files.map_err(|error| Status::internal(error.to_string()))?;
        let files = files.map_err(|error| Status::data_loss(error.to_string()))?;
        Ok(Response::new(wire_types::SnapshotHave { files }))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<wire_types::SnapshotPart>>,
    ) -> Result<Response<wire_types::SnapshotReply>, Status> {
        self.gate.check()?;
        if self.receiving.swap(true, Ordering::AcqRel) {
            return Err(Status::unavailable("another snapshot is arriving"));
        }
        let _done = Release(&self.receiving);
        let (vote, snapshot) = receive(Arc::clone(&self.snapshots), request.into_inner()).await?;
        tracing::info!(meta = %snapshot.meta, "a snapshot arrived and is complete");
        let response = self.raft.install_full_snapshot(vote, snapshot).await.map_err(stopped)?;
        Ok(Response::new(wire_types::SnapshotReply { vote: Some(wire::vote_out(&response.vote)) }))
    }

    async fn read_index(
        &self,
        request: Request<Streaming<wire_types::ReadIndexRequest>>,
    ) -> Result<Response<Self::ReadIndexStream>, Status> {
        let reads = self.reads.clone();
        let answer = move |wire_types::ReadIndexRequest { id }| {
            let reads = reads.clone();
            async move { Ok(wire::read_index_out(id, reads.index_for_peer().await)) }
        };
        Ok(Response::new(Box::pin(dialogue::answers(request.into_inner(), self.stop.clone(), answer))))
    }

    async fn forward(
        &self,
        request: Request<Streaming<wire_types::ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        let from = sender(&request)?;
        self.check_member(from)?;
        let (replies, receiver) = mpsc::channel(8);
        let session = ForwardSession {
            from,
            handler: Arc::clone(&self.forward),
            in_flight_max: self.forward_in_flight_max,
            running: FuturesUnordered::new(),
        };
        tasks::spawn("forwarded", session.run(request.into_inner(), replies, self.stop.clone()));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn call(&self, request: Request<wire_types::CallRequest>) -> Result<Response<wire_types::CallReply>, Status> {
        let from = sender(&request)?;
        let wire_types::CallRequest { method, payload } = request.into_inner();
        let payload = self.calls.call(from, &method, payload).await?;
        Ok(Response::new(wire_types::CallReply { payload }))
    }
}

/// Clears the flag when the call ends, in whatever way.
struct Release<'a>(&'a AtomicBool);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Writes an arriving snapshot to disk, off the async threads, and verifies it.
async fn receive(
    store: Arc<SnapshotStore>,
    mut parts: Streaming<wire_types::SnapshotPart>,
) -> Result<(Vote, Snapshot), Status> {
    use wire_types::snapshot_part::Part;
    let first = parts.message().await?.and_then(|part| part.part);
    let Some(Part::Header(header)) = first else {
        return Err(Status::invalid_argument("a snapshot begins with its header"));
    };
    let vote = wire::need_vote(header.vote)?;
    let manifest = header.manifest.ok_or_else(|| Status::invalid_argument("the manifest is missing"))?;
    let (chunks, mut arriving) = mpsc::channel::<wire_types::SnapshotChunk>(4);
    let write = {
        let store = Arc::clone(&store);
        move || {
            let mut receiver = store.receive(manifest)?;
            while let Some(chunk) = arriving.blocking_recv() {
                receiver.chunk(chunk.file, chunk.offset, &chunk.data)?;
            }
            receiver.finish()
        }
    };
    let writing = tokio::task::spawn_blocking(move || write().map_err(|error| store.refuse(&error)));
    while let Some(part) = parts.message().await? {
        let Some(Part::Chunk(chunk)) = part.part else {
            return Err(Status::invalid_argument("only chunks follow the header"));
        };
        if chunks.send(chunk).await.is_err() {
            break;
        }
    }
    drop(chunks);
    let written = writing.await.map_err(|error| Status::internal(error.to_string()))?;
    Ok((vote, written.map_err(|error| Status::data_loss(error.to_string()))?))
}

/// The requests of one peer: all run on one task, and their answers go back in batches.
struct ForwardSession {
    from: NodeId,
    handler: Arc<dyn ForwardHandler>,
    in_flight_max: usize,
    running: FuturesUnordered<BoxFuture<'static, wire_types::ForwardResult>>,
}

/// Most answers in one message.
const REPLY_ITEMS: usize = 512;

impl ForwardSession {
    async fn run(
        mut self,
        mut requests: Streaming<wire_types::ForwardRequest>,
        replies: mpsc::Sender<Result<wire_types::ForwardReply, Status>>,
        stop: StopSignal,
    ) {
        let mut stop = std::pin::pin!(stop.stopped());
        let mut ready = Vec::new();
        let mut open = true;
        while open || !self.running.is_empty() || !ready.is_empty() {
            tokio::select! {
                () = &mut stop => return,
                message = requests.message(), if open => match message {
                    Ok(Some(request)) => self.begin(request, &mut ready),
                    Ok(None) => open = false,
                    Err(status) => {
                        tracing::debug!(from = self.from, %status, "a forwarding stream ended");
                        return;
                    }
                },
                Some(result) = self.running.next(), if ready.len() < REPLY_ITEMS => {
                    ready.push(result);
                    while ready.len() < REPLY_ITEMS
                        && let Some(Some(result)) = self.running.next().now_or_never()
                    {
                        ready.push(result);
                    }
                },
                room = replies.reserve(), if !ready.is_empty() => match room {
                    Ok(room) => room.send(Ok(wire_types::ForwardReply { results: std::mem::take(&mut ready) })),
                    Err(_) => return,
                },
            }
        }
    }

    fn begin(&self, request: wire_types::ForwardRequest, ready: &mut Vec<wire_types::ForwardResult>) {
        for wire_types::ForwardItem { id, payload } in request.items {
            if self.running.len() >= self.in_flight_max {
                let no = wire_types::ForwardRejection {
                    code: Code::ResourceExhausted as i32,
                    message: BUSY.to_owned(),
                    details: Bytes::new(),
                };
                let result = Some(wire_types::forward_result::Result::Rejection(no));
                ready.push(wire_types::ForwardResult { id, result });
                continue;
            }
            let answer = self.handler.handle(self.from, payload);
            self.running.push(Box::pin(async move {
                let result = match answer.await {
                    Ok(payload) => wire_types::forward_result::Result::Payload(payload),
                    Err(ForwardRejected { code, message, details }) => {
                        wire_types::forward_result::Result::Rejection(wire_types::ForwardRejection {
                            code,
                            message,
                            details,
                        })
                    }
                };
                wire_types::ForwardResult { id, result: Some(result) }
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::service::Interceptor;
    use tonic::{Code, Extensions, Request};

    use super::{CLUSTER_ID, CheckAddressee, FROM_NODE, TO_NODE, sender};
    use crate::raft::types::NodeId;

    /// What a listener with TLS would leave in the extensions.
    #[derive(Clone, Copy)]
    struct Certificate(NodeId);

    fn certified(extensions: &Extensions) -> Option<NodeId> {
        extensions.get::<Certificate>().map(|certificate| certificate.0)
    }

    fn check(
        cluster: &'static str,
        from: &'static str,
        to: &'static str,
        certificate: Option<NodeId>,
    ) -> Result<NodeId, Code> {
        let mut request = Request::new(());
        for (name, value) in [(CLUSTER_ID, cluster), (FROM_NODE, from), (TO_NODE, to)] {
            request.metadata_mut().insert(name, value.parse().expect("ASCII"));
        }
        if let Some(node) = certificate {
            request.extensions_mut().insert(Certificate(node));
        }
        let mut check = CheckAddressee { cluster_id: "c".into(), node_id: 1, certified };
        let checked = check.call(request).map_err(|status| status.code())?;
        sender(&checked).map_err(|status| status.code())
    }

    #[test]
    fn a_call_is_for_this_node_and_from_who_the_certificate_says() {
        assert_eq!(check("c", "2", "1", None), Ok(2));
        assert_eq!(check("c", "2", "1", Some(2)), Ok(2));
        assert_eq!(check("c", "2", "1", Some(3)), Err(Code::PermissionDenied), "in the name of another");
        assert_eq!(check("d", "2", "1", Some(2)), Err(Code::FailedPrecondition), "another cluster");
        assert_eq!(check("c", "2", "3", Some(2)), Err(Code::FailedPrecondition), "another node");
        assert_eq!(check("c", "1", "1", Some(1)), Err(Code::FailedPrecondition), "from itself");
        assert_eq!(check("c", "x", "1", Some(2)), Err(Code::FailedPrecondition), "from nobody");
    }
}
