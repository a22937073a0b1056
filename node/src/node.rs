//! What the services of a node share, and what a node knows of itself and its peers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::{Body, Key};
use muster_proto::v1::{GetStatusResponse, MemberStatus, ResponseHeader};
use prost::Message;
use tokio::time::timeout;

use crate::backup::source::BackupSource;
use crate::clock::Clock;
use crate::compare::Compare;
use crate::data_dir::NodeIdentity;
use crate::ids_source::IdsSource;
use crate::membership::Membership;
use crate::propose::Proposer;
use crate::queries::Queries;
use crate::raft::{AdminError, PeerCallHandler, RaftNode};
use crate::read::Reader;
use crate::secrets::Sealer;
use crate::sync::{EdgeSync, VERIFY_METHOD};
use crate::watch::Watches;

/// What every service needs.
pub struct Services {
    /// Carries commands out.
    pub proposer: Arc<Proposer>,
    /// Hands out views.
    pub reader: Arc<Reader>,
    /// Which node of which cluster this is.
    pub identity: NodeIdentity,
    /// Knows the members.
    pub status: Arc<ClusterStatus>,
    /// Answers queries.
    pub queries: Arc<Queries>,
    /// Follows changes.
    pub watches: Arc<Watches>,
    /// Serves edges.
    pub sync: Arc<EdgeSync>,
    /// Changes the members.
    pub membership: Arc<Membership>,
    /// Makes backups.
    pub backups: Arc<BackupSource>,
    /// Compares the members.
    pub compare: Arc<Compare>,
    /// Seals keys.
    pub sealer: Arc<Sealer>,
    /// Makes ids and keys.
    pub ids: Arc<dyn IdsSource>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Bounds of requests.
    pub settings: ApiSettings,
}

/// Bounds of requests.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Elements of a batch.
    pub batch_items_max: usize,
    /// Elements of a page.
    pub page_items_max: usize,
    /// How long a unary call may take.
    pub request_timeout: Duration,
    /// Size of a message that comes in, bytes.
    pub max_message_bytes: usize,
    /// Patches in flight on one stream.
    pub stream_in_flight_max: usize,
}

/// The method by which nodes ask each other for their status.
pub const STATUS_METHOD: &str = "status";
/// The method by which the founder asks the other members to join. `ALREADY_EXISTS` when the one asked holds data.
pub const JOIN_FOUNDING_METHOD: &str = "join-founding";
/// How long a peer may take to say how it is.
const PEER_STATUS_TIMEOUT: Duration = Duration::from_millis(800);

/// Knows this node's status, and asks the others for theirs.
pub struct ClusterStatus {
    raft: Arc<RaftNode>,
    reader: Arc<Reader>,
    cluster_id: String,
    data_dir: PathBuf,
    started_ms: u64,
}

impl ClusterStatus {
    /// For this node.
    #[must_use]
    pub fn new(
        raft: Arc<RaftNode>,
        reader: Arc<Reader>,
        cluster_id: String,
        data_dir: PathBuf,
        clock: &dyn Clock,
    ) -> Arc<Self> {
        Arc::new(Self { raft, reader, cluster_id, data_dir, started_ms: clock.now_ms() })
    }

    /// Raft's term as this node knows it.
    #[must_use]
    pub fn raft_term(&self) -> u64 {
        self.raft.term()
    }

    /// A header that is true at `revision`.
    #[must_use]
    pub fn header(&self, revision: u64) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.cluster_id.clone(),
            node_id: self.raft.node_id(),
            revision,
            raft_term: self.raft.term(),
        }
    }

    /// The cluster as this node sees it; members that do not answer in time are shown as not reachable.
    pub async fn get(&self) -> GetStatusResponse {
        let raft = self.raft.status();
        let members = join_all(raft.members.iter().map(|member| self.member(member.id))).await;
        let last = raft.last_log_index.unwrap_or(0).max(raft.committed_index.unwrap_or(0));
        let members = raft.members.iter().zip(members).map(|(known, answer)| {
            let mut status = answer.unwrap_or_default();
            status.reachable = status.node_id != 0;
            status.node_id = known.id;
            status.name.clone_from(&known.member.name);
            status.peer_address.clone_from(&known.member.peer_addr);
            status.client_address.clone_from(&known.member.client_addr);
            status.voter = known.voter;
            status.leader = raft.leader == Some(known.id);
            if status.reachable {
                status.applied_lag = last.saturating_sub(status.applied_index);
            }
            status
        });
        GetStatusResponse {
            header: Some(self.header(self.reader.local().revision())),
            leader_id: raft.leader.unwrap_or(0),
            members: members.collect(),
            can_write: self.can_write().await,
            feature_level: self.feature_level(),
        }
    }

    /// Whether a write would be accepted now: a leader with a quorum answers.
    pub async fn can_write(&self) -> bool {
        matches!(timeout(PEER_STATUS_TIMEOUT, self.raft.read_barrier()).await, Ok(Ok(_)))
    }

    /// What this node says of itself.
    #[must_use]
    pub fn own(&self) -> MemberStatus {
        let raft = self.raft.status();
        let position = self.reader.local().position();
        MemberStatus {
            node_id: raft.node_id,
            revision: position.revision,
            applied_index: raft.applied_index.unwrap_or(0),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            disk_used_bytes: used_bytes(&self.data_dir),
            disk_free_bytes: fs4::available_space(&self.data_dir).unwrap_or(0),
            chain_hash: hex(&position.chain),
            last_log_index: raft.last_log_index.unwrap_or(0),
            snapshot_index: raft.snapshot_index.unwrap_or(0),
            purged_index: raft.purged_index.unwrap_or(0),
            supported_feature_level: FEATURE_LEVEL,
            start_time: Some(crate::convert::timestamp(self.started_ms)),
            ..MemberStatus::default()
        }
    }

    async fn member(&self, id: u64) -> Option<MemberStatus> {
        if id == self.raft.node_id() {
            return Some(self.own());
        }
        let call = self.raft.peers().call(id, STATUS_METHOD, Bytes::new());
        match timeout(PEER_STATUS_TIMEOUT, call).await {
            Ok(Ok(answer)) => MemberStatus::decode(answer).ok(),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// The cluster's feature level as this node has it; 0 before its first command.
    #[must_use]
    pub fn feature_level(&self) -> u32 {
        let record = self.reader.local().get(&Key::Cluster).ok().flatten();
        match record.as_deref().map(|record| &record.body) {
            Some(Body::Cluster(cluster)) => cluster.feature_level,
            _ => 0,
        }
    }
}

/// Answers what other nodes ask.
#[derive(Default)]
pub struct LateStatus {
    status: std::sync::OnceLock<Arc<ClusterStatus>>,
    membership: std::sync::OnceLock<Arc<Membership>>,
    compare: std::sync::OnceLock<Arc<Compare>>,
    sync: std::sync::OnceLock<Arc<EdgeSync>>,
}

impl LateStatus {
    /// Puts the status in place; only the first one counts.
    pub fn set(&self, status: Arc<ClusterStatus>) {
        if self.status.set(status).is_err() {
            tracing::warn!("a status was set twice");
        }
    }

    /// Puts what changes members in place; only the first one counts.
    pub fn set_membership(&self, membership: Arc<Membership>) {
        if self.membership.set(membership).is_err() {
            tracing::warn!("the membership was set twice");
        }
    }

    /// Puts the sessions of edges in place; only the first ones count.
    pub fn set_sync(&self, sync: Arc<EdgeSync>) {
        if self.sync.set(sync).is_err() {
            tracing::warn!("the sessions of edges were set twice");
        }
    }

    /// Puts the comparison in place; only the first one counts.
    pub fn set_compare(&self, compare: Arc<Compare>) {
        if self.compare.set(compare).is_err() {
            tracing::warn!("a comparison was set twice");
        }
    }
}

impl PeerCallHandler for LateStatus {
    fn call(&self, from: u64, method: &str, request: Bytes) -> BoxFuture<'static, Result<Bytes, tonic::Status>> {
        let answer = match (method, self.status.get()) {
            (STATUS_METHOD, Some(status)) => Ok(Bytes::from(status.own().encode_to_vec())),
            (JOIN_FOUNDING_METHOD, Some(status)) => {
                let raft = Arc::clone(&status.raft);
                return async move { join_founding(&raft, from).await }.boxed();
            }
            (VERIFY_METHOD, _) => {
                let sync = self.sync.get().map(Arc::clone);
                return async move {
                    let sync = sync.ok_or_else(|| tonic::Status::unavailable("the node is starting"))?;
                    sync.answer_verify(request).await
                }
                .boxed();
            }
            (STATUS_METHOD | JOIN_FOUNDING_METHOD, None) => Err(tonic::Status::unavailable("the node is starting")),
            (other, _) => {
                let (membership, compare) = (self.membership.get().map(Arc::clone), self.compare.get().map(Arc::clone));
                let method = other.to_owned();
                return async move {
                    let starting = || tonic::Status::unavailable("the node is starting");
                    let (membership, compare) = (membership.ok_or_else(starting)?, compare.ok_or_else(starting)?);
                    if let Some(answer) = membership.call(from, &method, request.clone()).await {
                        return answer;
                    }
                    let unknown = || Err(tonic::Status::unimplemented(format!("no method {method}")));
                    compare.answer(&method, request).await.unwrap_or_else(unknown)
                }
                .boxed();
            }
        };
        async move { answer }.boxed()
    }
}

async fn join_founding(raft: &RaftNode, founder: u64) -> Result<Bytes, tonic::Status> {
    match raft.join_founding(founder).await {
        Ok(()) => Ok(Bytes::new()),
        Err(AdminError::Refused(reason)) => Err(tonic::Status::already_exists(reason)),
        Err(error) => Err(tonic::Status::unavailable(error.to_string())),
    }
}

/// Bytes of all files below `folder`; what vanishes meanwhile counts nothing.
fn used_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => used_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Bytes as lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS[usize::from(nibble)] as char;
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
