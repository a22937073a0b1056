//! The other members as seen from here: their addresses, and the connections to them that are kept.
//!
//! This file does not know what is said over the connections. Invariants:
//! - Each peer has a connection for each kind of traffic, so that a stalled stream of one kind cannot hold up another.
//! - Every call is stamped with the cluster, its sender and its receiver; the receiver refuses what is not for it.
//! - Messages are bounded by [`MESSAGE_BYTES`] in both directions.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use muster_planted::{self as planted, Bug};
use muster_proto::peer::v1 as peer;
use muster_proto::peer::v1::peer_service_client::PeerServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::forward::{ForwardError, ForwardLink};
use super::types::{Member, NodeId};

/// Most bytes of one message between nodes.
pub const MESSAGE_BYTES: usize = 32 << 20;

pub(super) const CLUSTER_ID: &str = "muster-cluster-id";
pub(super) const FROM_NODE: &str = "muster-from-node";
pub(super) const TO_NODE: &str = "muster-to-node";

/// Stands in for a receiver whose id the sender cannot know yet. No node has it.
pub(super) const ANY_NODE: NodeId = 0;

/// An error of any kind.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Makes the connections to peers; the place where TLS comes in.
pub trait PeerConnector: Send + Sync + 'static {
    /// A lazy channel to host:port: it connects at the first use and again by itself. Build it on [`endpoint`].
    ///
    /// # Errors
    /// When the address is not one, or when the credentials cannot be used.
    fn channel(&self, peer_addr: &str) -> Result<Channel, BoxError>;
}

/// Connects without TLS: for loopback and tests only.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainConnector;

impl PeerConnector for PlainConnector {
    fn channel(&self, peer_addr: &str) -> Result<Channel, BoxError> {
        Ok(endpoint(&format!("http://{peer_addr}"))?.connect_lazy())
    }
}

/// An endpoint with the timeouts, windows and keepalive that every connection between nodes has.
///
/// # Errors
/// When `uri` is not one.
pub fn endpoint(uri: &str) -> Result<Endpoint, tonic::transport::Error> {
    Ok(Endpoint::from_shared(uri.to_owned())?
        .connect_timeout(Duration::from_secs(1))
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(10)))
        .http2_keep_alive_interval(Duration::from_secs(2))
        .keep_alive_timeout(Duration::from_secs(3))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20))
}

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane {
    Append,
    /// Heartbeats, votes, read indexes, calls: small and urgent.
    Control,
    Forward,
    Snapshot,
}

/// A client whose calls are stamped.
pub(super) type Client = PeerServiceClient<InterceptedService<Channel, Stamp>>;

/// Names cluster, sender and receiver in each call.
#[derive(Clone)]
pub(super) struct Stamp {
    cluster: MetadataValue<Ascii>,
    from: MetadataValue<Ascii>,
    to: MetadataValue<Ascii>,
}

impl Interceptor for Stamp {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert(CLUSTER_ID, self.cluster.clone());
        metadata.insert(FROM_NODE, self.from.clone());
        metadata.insert(TO_NODE, self.to.clone());
        Ok(request)
    }
}

/// One other member.
pub(super) struct Peer {
    pub id: NodeId,
    pub member: Member,
    stamp: Stamp,
    connector: Arc<dyn PeerConnector>,
    lanes: [OnceLock<Channel>; 4],
    forward: ForwardLink,
}

impl Peer {
    /// A client on the kept connection of a lane.
    pub(super) fn client(&self, lane: Lane) -> Result<Client, BoxError> {
        let cell = &self.lanes[lane as usize];
        let channel = match cell.get() {
            Some(channel) => channel.clone(),
            None => {
                let channel = self.connector.channel(&self.member.peer_addr)?;
                cell.get_or_init(|| channel).clone()
            }
        };
        let channel = InterceptedService::new(channel, self.stamp.clone());
        Ok(PeerServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES))
    }
}

/// All other members, by id.
pub struct PeerPool {
    cluster_id: String,
    node_id: NodeId,
    connector: Arc<dyn PeerConnector>,
    forward_in_flight_max: usize,
    forward_in_flight_bytes: usize,
    call_timeout: Duration,
    peers: RwLock<BTreeMap<NodeId, Arc<Peer>>>,
}

impl PeerPool {
    pub(super) fn new(settings: &super::RaftSettings, connector: Arc<dyn PeerConnector>) -> Result<Self, BoxError> {
        // Checked once here, so that stamping can rely on it.
        settings.cluster_id.parse::<MetadataValue<Ascii>>()?;
        Ok(Self {
            cluster_id: settings.cluster_id.clone(),
            node_id: settings.node_id,
            connector,
            forward_in_flight_max: settings.forward_in_flight_max,
            forward_in_flight_bytes: settings.forward_in_flight_bytes,
            call_timeout: settings.call_timeout,
            peers: RwLock::default(),
        })
    }

    /// The peer with this id and these addresses; connections are kept as long as the addresses stay.
    pub(super) fn peer(&self, id: NodeId, member: &Member) -> Arc<Peer> {
        if let Some(peer) = self.known(id).filter(|peer| peer.member == *member) {
            return peer;
        }
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get(&id).filter(|peer| peer.member == *member) {
            return Arc::clone(peer);
        }
        let peer = Arc::new(self.make(id, member));
        peers.insert(id, Arc::clone(&peer));
        peer
    }

    fn make(&self, id: NodeId, member: &Member) -> Peer {
        let stamp = Stamp {
            cluster: self.cluster_id.parse().expect("checked when the pool was made"),
            from: self.node_id.into(),
            to: id.into(),
        };
        Peer {
            id,
            member: member.clone(),
            stamp,
            connector: Arc::clone(&self.connector),
            lanes: Default::default(),
            forward: ForwardLink::new(self.forward_in_flight_max, self.forward_in_flight_bytes),
        }
    }

    /// Makes a node reachable that is no member yet: the members of a cluster that is about to be founded.
    pub fn know(&self, id: NodeId, member: &Member) {
        self.peer(id, member);
    }

    /// Makes the pool hold exactly these members, this node excepted.
    pub(super) fn set_members(&self, members: &BTreeMap<NodeId, Member>) {
        for (id, member) in members.iter().filter(|(id, _)| **id != self.node_id) {
            self.peer(*id, member);
        }
        self.peers.write().unwrap_or_else(PoisonError::into_inner).retain(|id, _| members.contains_key(id));
    }

    pub(super) fn known(&self, id: NodeId) -> Option<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Asks whatever member answers at `peer_addr` a single question. For a node that joins and knows no id yet.
    ///
    /// # Errors
    /// The answer of the other node's handler, or why it could not be reached.
    pub async fn call_address(&self, peer_addr: &str, method: &str, request: Bytes) -> Result<Bytes, Status> {
        let member = Member { peer_addr: peer_addr.to_owned(), ..Member::default() };
        let peer = self.make(ANY_NODE, &member);
        self.ask(self.call_timeout, &peer, method, request).await
    }

    /// The ids of all other nodes it knows.
    pub fn ids(&self) -> Vec<NodeId> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Drops all connections.
    pub(super) fn clear(&self) {
        self.peers.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Hands a request to another node, batched with others, and waits for its answer.
    ///
    /// # Errors
    /// Says whether the request may have had an effect; see [`ForwardError`].
    pub async fn forward(&self, to: NodeId, request: Bytes) -> Result<Bytes, ForwardError> {
        let peer = self.known(to).ok_or_else(|| ForwardError::NotSent(format!("node {to} is not a member")))?;
        peer.forward.send(&peer, request, self.call_timeout).await
    }

    /// Asks another node a single question.
    ///
    /// # Errors
    /// The answer of the other node's handler, or why it could not be reached.
    pub async fn call(&self, to: NodeId, method: &str, request: Bytes) -> Result<Bytes, Status> {
        self.call_within(self.call_timeout, to, method, request).await
    }

    /// The same for a question that may take longer.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_within(
        &self,
        limit: Duration,
        to: NodeId,
        method: &str,
        request: Bytes,
    ) -> Result<Bytes, Status> {
        let peer = self.known(to).ok_or_else(|| Status::not_found(format!("node {to} is not a member")))?;
        self.ask(limit, &peer, method, request).await
    }

    async fn ask(&self, limit: Duration, peer: &Peer, method: &str, request: Bytes) -> Result<Bytes, Status> {
        let mut client = peer.client(Lane::Control).map_err(|error| Status::unavailable(error.to_string()))?;
        let request = peer::CallRequest { method: method.to_owned(), payload: request };
        let reply = deadline(limit, client.call(request)).await?;
        Ok(reply.into_inner().payload)
    }
}

/// A hard limit on how long a call may take.
pub(super) async fn deadline<T>(limit: Duration, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    if planted::is(Bug::NoDeadline) {
        return call.await;
    }
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(Status::deadline_exceeded(format!("no answer within {limit:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tonic::{Code, Status};

    use super::deadline;

    #[tokio::test]
    async fn a_call_that_is_never_answered_ends() {
        let call = deadline(Duration::from_millis(20), pending::<Result<(), Status>>());
        let ended = tokio::time::timeout(Duration::from_secs(2), call).await.expect("long before");
        assert_eq!(ended.unwrap_err().code(), Code::DeadlineExceeded);
    }
}
