//! The handle through which the rest of the node uses consensus.
//!
//! This file starts the parts, connects them, and stops them in order; what they do is theirs.
//!
//! - Nothing here blocks its caller: submitting never waits, and every wait has a limit.
//! - A consensus core that ended by itself ends the process.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, Stream};
use openraft::RaftLogReader;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{Fatal, RaftError};
use openraft::metrics::WaitError;
use openraft::storage::RaftLogStorage;
use openraft::{Instant, ServerState};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::server::Connected;

use super::fatal::FatalHandler;
use super::gate::Gate;
use super::log_store::{self, LogCloser};
use super::log_tail::TailLimits;
use super::network::NetworkFactory;
use super::peer_service::{self, CertifiedSender, CheckAddressee, ForwardHandler, PeerCallHandler, Peers};
use super::peers::{PeerConnector, PeerPool};
use super::read_barrier::ReadBarrier;
use super::responder::Completion;
use super::settings::RaftSettings;
use super::snapshot::{SnapshotStore, applied_in};
use super::state_machine::StateMachine;
use super::status::{self, RaftStatus};
use super::types::{Member, NodeId, Payload, Raft, TypeConfig};
use super::{AdminError, Machine, Outcomes, ReadError, ReadPoint, StartError, SubmitError, log_bytes};
use crate::store::state_db::StateDb;
use crate::tasks::{self, Stopper};

/// What consensus works with.
pub struct RaftParts {
    /// The state store; entries are purged only after it is durable.
    pub state: Arc<StateDb>,
    /// Applies committed payloads.
    pub machine: Arc<dyn Machine>,
    /// Makes connections to peers.
    pub connector: Arc<dyn PeerConnector>,
    /// Answers forwarded requests.
    pub forward: Arc<dyn ForwardHandler>,
    /// Reads who a connection's certificate belongs to.
    pub certified: CertifiedSender,
    /// Answers single questions of peers.
    pub calls: Arc<dyn PeerCallHandler>,
    /// Ends the process.
    pub fatal: Arc<dyn FatalHandler>,
}

/// Running consensus.
pub struct RaftNode {
    settings: RaftSettings,
    raft: Raft,
    gate: Arc<Gate>,
    pool: Arc<PeerPool>,
    reads: ReadBarrier,
    applied: watch::Receiver<Option<u64>>,
    leader: watch::Receiver<Option<NodeId>>,
    stopping: Arc<AtomicBool>,
    stopper: Stopper,
    log: LogCloser,
    server: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for RaftNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RaftNode").field("id", &self.settings.node_id).finish_non_exhaustive()
    }
}

impl RaftNode {
    /// Opens log and snapshots, applies what is known to be committed, and serves peers on `incoming`.
    ///
    /// # Errors
    /// When something on disk cannot be used or a setting is out of range.
    pub async fn start<S, IO>(settings: RaftSettings, parts: RaftParts, incoming: S) -> Result<Arc<Self>, StartError>
    where
        S: Stream<Item = io::Result<IO>> + Send + Unpin + 'static,
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let config = Arc::new(settings.openraft()?);
        let pool =
            PeerPool::new(&settings, parts.connector).map_err(|error| StartError::Settings(error.to_string()))?;
        let pool = Arc::new(pool);
        let state = Arc::clone(&parts.state);
        let limits = TailLimits { entries: settings.log_tail_entries, bytes: settings.log_tail_bytes };
        let flush = Box::new(move || state.flush_wal_synced().map_err(io::Error::other));
        let (mut log_store, log) =
            log_store::open(&settings.data_dir, settings.log_segment_bytes, limits, flush, Arc::clone(&parts.fatal))?;
        let snapshots = SnapshotStore::open(&settings.data_dir, &settings.cluster_id, Arc::clone(&parts.state))
            .map_err(StartError::Snapshots)?;
        let snapshots = Arc::new(snapshots);
        let (last_applied, _) = applied_in(&parts.state.db()).map_err(StartError::State)?;
        let log_state = log_store.get_log_state().await.map_err(StartError::State)?;
        let vote = log_store.read_vote().await.map_err(StartError::State)?;
        let has_promised = log_state.last_log_id.is_some() || vote.is_some();
        if let Some(last) = last_applied.filter(|_| !has_promised) {
            return Err(StartError::LogGone { applied: last.index });
        }
        let gate = Arc::new(Gate::new(&settings.data_dir, has_promised).map_err(StartError::Marker)?);
        let (applied_sender, applied) = watch::channel(last_applied.map(|last| last.index));
        let applied_bytes = Arc::new(AtomicU64::new(0));
        let machine = StateMachine {
            state: parts.state,
            machine: parts.machine,
            snapshots: Arc::clone(&snapshots),
            fatal: Arc::clone(&parts.fatal),
            applied: applied_sender,
            applied_bytes: Arc::clone(&applied_bytes),
        };
        let network = NetworkFactory {
            node_id: settings.node_id,
            pool: Arc::clone(&pool),
            stall_timeout: settings.append_stall_timeout,
        };
        let raft = Raft::new(settings.node_id, config, network, log_store, machine)
            .await
            .map_err(|fatal| StartError::Raft(fatal.to_string()))?;
        let (stopper, stop) = tasks::stop_pair();
        let reads = ReadBarrier::start(
            raft.clone(),
            Arc::clone(&pool),
            applied.clone(),
            settings.read_queue_max,
            settings.read_timeout,
        );
        tasks::spawn(
            "log-bytes",
            log_bytes::run(raft.clone(), applied_bytes, settings.log_round_bytes.max(1), applied.clone()),
        );
        let service = Peers {
            raft: raft.clone(),
            gate: Arc::clone(&gate),
            reads: reads.clone(),
            snapshots,
            forward: parts.forward,
            calls: parts.calls,
            forward_in_flight_max: settings.forward_in_flight_max,
            receiving: AtomicBool::new(false),
            stop,
        };
        let check = CheckAddressee {
            cluster_id: settings.cluster_id.as_str().into(),
            node_id: settings.node_id,
            certified: parts.certified,
        };
        let server = tasks::spawn("peer-server", async move {
            if let Err(error) = peer_service::serve(service, check, incoming).await {
                tracing::error!(%error, "the peer listener ended");
            }
        });
        let stopping = Arc::new(AtomicBool::new(false));
        let (leader_sender, leader) = watch::channel(None);
        let watcher = Watcher {
            raft: raft.clone(),
            pool: Arc::clone(&pool),
            leader: leader_sender,
            stopping: Arc::clone(&stopping),
            fatal: parts.fatal,
        };
        tasks::spawn("raft-watcher", watcher.run());
        Ok(Arc::new(Self {
            settings,
            raft,
            gate,
            pool,
            reads,
            applied,
            leader,
            stopping,
            stopper,
            log,
            server: tokio::sync::Mutex::new(Some(server)),
        }))
    }

    /// Hands a payload to consensus without ever waiting. `done` is called exactly once, perhaps before this returns,
    /// on a task of consensus: it must not block.
    pub fn submit(&self, payload: Bytes, done: impl FnOnce(Result<Outcomes, SubmitError>) + Send + 'static) {
        let (completion, responder) = Completion::new(done);
        if self.stopping.load(Ordering::Acquire) {
            return completion.refused(SubmitError::Stopped);
        }
        // Unconstrained, because a spent task budget must not look like a full queue.
        let handing = tokio::task::unconstrained(self.raft.client_write_ff(Payload(payload), Some(responder)));
        match handing.now_or_never() {
            Some(Ok(())) => completion.accepted(),
            Some(Err(_)) => completion.refused(SubmitError::Stopped),
            None => completion.refused(SubmitError::Busy),
        }
    }

    /// Returns when the local state holds every write acknowledged anywhere before this call. Works on any member.
    ///
    /// # Errors
    /// When no leader or majority is reached in time.
    pub async fn read_barrier(&self) -> Result<ReadPoint, ReadError> {
        self.reads.wait().await
    }

    pub(super) fn raft(&self) -> &Raft {
        &self.raft
    }

    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.settings.node_id
    }

    /// The newest term this node knows.
    pub fn term(&self) -> u64 {
        self.raft.server_metrics().borrow_watched().vote.leader_id.term
    }

    /// Does this node believe that it leads?
    pub fn is_leader(&self) -> bool {
        self.raft.server_metrics().borrow_watched().state == ServerState::Leader
    }

    /// Who leads, as far as this node knows; it may be this node.
    pub fn leader(&self) -> Option<(NodeId, Member)> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let id = metrics.current_leader?;
        Some((id, metrics.membership_config.membership().get_node(&id)?.clone()))
    }

    /// Changes each time another leader, or none, is known.
    pub fn leader_changes(&self) -> watch::Receiver<Option<NodeId>> {
        self.leader.clone()
    }

    /// The index of the last entry applied to the local state.
    pub fn applied_index(&self) -> Option<u64> {
        *self.applied.borrow()
    }

    /// Everything this node knows about its consensus.
    pub fn status(&self) -> RaftStatus {
        status::read(&self.raft, self.applied_index())
    }

    /// The connections to the other members.
    pub fn peers(&self) -> &Arc<PeerPool> {
        &self.pool
    }

    /// May this node vote and acknowledge? Not when it is empty and was never asked to join: its disk may have been
    /// replaced.
    pub fn takes_part(&self) -> bool {
        self.gate.is_open()
    }

    /// Agrees durably to be a member of the cluster that `founder` is about to found. May be asked again as long as
    /// nothing was founded.
    ///
    /// # Errors
    /// When this node holds data, or has agreed to be founded by another node.
    pub async fn join_founding(&self, founder: NodeId) -> Result<(), AdminError> {
        if self.is_initialized().await? || self.applied_index().is_some() {
            return Err(AdminError::Refused("this node has a log: it belongs to a cluster already".to_owned()));
        }
        let gate = Arc::clone(&self.gate);
        let joined = tokio::task::spawn_blocking(move || gate.join(founder)).await;
        let joined = joined.map_err(|error| AdminError::Refused(error.to_string()))?;
        joined.map_err(|error| AdminError::Refused(super::chain(&error)))
    }

    /// Takes part from now on, because the cluster has admitted this node and its own joining; durable when this returns.
    ///
    /// # Errors
    /// When this node has agreed to be founded, or the marker cannot be written.
    pub async fn take_part(&self) -> Result<(), AdminError> {
        let (gate, node_id) = (Arc::clone(&self.gate), self.node_id());
        let admitted = tokio::task::spawn_blocking(move || gate.admit(node_id)).await;
        let admitted = admitted.map_err(|error| AdminError::Refused(error.to_string()))?;
        admitted.map_err(|error| AdminError::Refused(super::chain(&error)))
    }

    /// Makes a new cluster of these members. Only on one node, and only once; the others must have agreed, see
    /// [`Self::join_founding`].
    ///
    /// # Errors
    /// When this node already belongs to a cluster, or is not among the members.
    pub async fn initialize(&self, members: BTreeMap<NodeId, Member>) -> Result<(), AdminError> {
        self.join_founding(self.node_id()).await?;
        self.raft.initialize(members).await.map_err(|error| match error {
            RaftError::APIError(refused) => AdminError::Refused(refused.to_string()),
            RaftError::Fatal(_) => AdminError::Stopped,
        })
    }

    /// Does this node belong to a cluster?
    ///
    /// # Errors
    /// When consensus has stopped.
    pub async fn is_initialized(&self) -> Result<bool, AdminError> {
        self.raft.is_initialized().await.map_err(stopped)
    }

    /// Waits until a leader is known.
    pub async fn wait_for_leader(&self, timeout: Duration) -> Option<(NodeId, Member)> {
        let mut changes = self.leader_changes();
        let waiting = async {
            loop {
                if let Some(leader) = self.leader() {
                    return Some(leader);
                }
                changes.changed().await.ok()?;
            }
        };
        tokio::time::timeout(timeout, waiting).await.ok().flatten()
    }

    /// Waits until everything in the local log that is committed is applied: before this the state may be older than
    /// what this node has already answered with.
    ///
    /// # Errors
    /// When it takes longer than `timeout`, for example because no majority is reached.
    pub async fn wait_for_recovery(&self, timeout: Duration) -> Result<(), AdminError> {
        match self.raft.wait_for_recovery(Some(timeout)).await {
            Ok(_) => Ok(()),
            Err(WaitError::Timeout(..)) => Err(AdminError::Timeout("recovery")),
            Err(WaitError::ShuttingDown) => Err(AdminError::Stopped),
        }
    }

    /// Starts to build a snapshot now.
    ///
    /// # Errors
    /// When consensus has stopped.
    pub async fn trigger_snapshot(&self) -> Result<(), AdminError> {
        self.raft.trigger().snapshot().await.map_err(stopped)
    }

    /// Asks the leader, which must be this node, to hand over to another voter.
    ///
    /// # Errors
    /// When this node does not lead, or when `to` has no vote or was not heard lately: a leader that hands over to a
    /// dead node would take no writes until it gives up.
    pub async fn transfer_leader(&self, to: NodeId) -> Result<(), AdminError> {
        let voter = self.status().members.into_iter().any(|member| member.id == to && member.voter);
        if !self.is_leader() || !voter || !self.heard_lately(to) {
            return Err(AdminError::Refused(format!(
                "this node does not lead, or node {to} has no vote or does not answer"
            )));
        }
        self.raft.trigger().transfer_leader(to).await.map_err(stopped)
    }

    /// Stops consensus: hands leadership over when it can, refuses new payloads, ends the streams to and from peers,
    /// and returns when the log is closed.
    pub async fn shutdown(&self) {
        if self.stopping.swap(true, Ordering::AcqRel) {
            return;
        }
        self.hand_over().await;
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "consensus did not stop cleanly");
        }
        self.stopper.stop();
        self.pool.clear();
        if let Some(mut server) = self.server.lock().await.take()
            && tokio::time::timeout(Duration::from_secs(1), &mut server).await.is_err()
        {
            server.abort();
        }
        if !self.log.closed(Duration::from_secs(5)).await {
            tracing::warn!("the Raft log was still in use when the node stopped");
        }
    }

    /// Did this follower answer its leader, this node, within the last two leases?
    pub(super) fn heard_lately(&self, id: NodeId) -> bool {
        let lately = Duration::from_millis(2 * self.settings.election_timeout_max_ms);
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let heard = metrics.heartbeat.as_ref().and_then(|heard| heard.get(&id)).and_then(|at| *at);
        heard.is_some_and(|at| at.elapsed() < lately)
    }

    /// Hands leadership to the voter whose log is the longest, and waits for it to take over.
    async fn hand_over(&self) {
        let status = self.status();
        if status.leader != Some(status.node_id) || !self.is_leader() {
            return;
        }
        let heir = status
            .members
            .iter()
            .filter(|member| member.voter && member.id != status.node_id && self.heard_lately(member.id))
            .max_by_key(|member| member.matched_index);
        let Some(heir) = heir else { return };
        if self.raft.trigger().transfer_leader(heir.id).await.is_err() {
            return;
        }
        let mut changes = self.leader_changes();
        let this = status.node_id;
        let taken = changes.wait_for(|leader| leader.is_some_and(|leader| leader != this));
        if tokio::time::timeout(self.settings.handover_timeout, taken).await.is_err() {
            tracing::warn!(to = heir.id, "no other node took over leadership in time");
        }
    }
}

fn stopped(_: Fatal<TypeConfig>) -> AdminError {
    AdminError::Stopped
}

/// Follows openraft's own view: tells who leads, keeps the pool to the members, and notices when the core ends.
struct Watcher {
    raft: Raft,
    pool: Arc<PeerPool>,
    leader: watch::Sender<Option<NodeId>>,
    stopping: Arc<AtomicBool>,
    fatal: Arc<dyn FatalHandler>,
}

impl Watcher {
    async fn run(self) {
        let mut changes = self.raft.server_metrics();
        loop {
            let (leader, members) = {
                let metrics = changes.borrow_watched();
                let members: BTreeMap<_, _> =
                    metrics.membership_config.membership().nodes().map(|(id, member)| (*id, member.clone())).collect();
                (metrics.current_leader, members)
            };
            if !self.stopping.load(Ordering::Acquire) {
                self.pool.set_members(&members);
            }
            self.leader.send_if_modified(|known| {
                let changed = *known != leader;
                *known = leader;
                changed
            });
            if changes.changed().await.is_err() {
                break;
            }
        }
        let ended = self.raft.metrics().borrow_watched().running_state.clone();
        match ended {
            Err(fatal @ (Fatal::StorageError(_) | Fatal::Panicked)) => self.fatal.fatal("consensus ended", &fatal),
            _ if !self.stopping.load(Ordering::Acquire) => {
                self.fatal.fatal("consensus ended", &io::Error::other("it stopped without being asked to"));
            }
            _ => {}
        }
    }
}
