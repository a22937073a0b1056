//! The cluster's side of edge sync: `sync.md` beside `muster/v1/sync.proto` is the specification.
//!
//! ```text
//! hello ─▶ opening ─▶ the log grants an epoch ─▶ welcome
//! lane of the namespace ─▶ router ─▶ scopes ─▶ down ─▶ items, marks ─▶ edge        (repair: compare, differences, fetch)
//! edge ─▶ operations ─▶ up ─▶ the log ─▶ record of the session ─▶ operations_result ─▶ edge
//! ```
//!
//! A session is pulled by its connection and holds no queue; scopes hold names and revisions, in memory once for each connected
//! edge (a resource has one edge at most, so the scopes of a namespace together hold each resource once), about 100 bytes an
//! item. It decides nothing: epochs, sequences and refusals are the domain's. It does not know who may connect (the door's table
//! and the domain's policy do). Invariants, as `sync.md` section 8 names them:
//!
//! - `E1-exactly-once`, `E2-order`, `E3-fencing`, `E6-no-fork`: kept by the log; `opening.rs` and `up.rs` add nothing of their own.
//! - `E5-convergence`: `down.rs` and `repair.rs`. `W6-mark`, `W11-bounded`: `scope.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use muster_domain::{Reason, Rejection};
use tonic::Status;

use crate::authorize::Caller;
use crate::clock::Clock;
use crate::ids_source::IdsSource;
use crate::node::ClusterStatus;
use crate::propose::{ProposeError, Proposer};
use crate::raft::RaftNode;
use crate::read::{ReadError, Reader, ScanError, StoreError};
use crate::tasks::{self, StopSignal};
use crate::watch::Watches;

mod content;
mod down;
mod field_path;
mod items;
mod opening;
mod places;
mod repair;
mod repairing;
mod router;
mod routing;
mod scope;
mod session;
mod sessions;
mod up;
mod uplink;
mod verify;
mod verifying;

pub(crate) use session::{Inbound, Session};
pub use sessions::Presence;
pub use verifying::{Unverified, VERIFY_METHOD};

use down::Down;
use opening::Hello;
use router::Namespace;
use sessions::Sessions;

/// How long a connection may take to say hello.
const HELLO_MAX: Duration = Duration::from_secs(10);
/// Edges that come back in a second, at most, after their node has stopped.
const RETURNS_PER_SECOND: usize = 500;

/// Bounds of sync.
#[derive(Debug, Clone, Copy)]
pub struct SyncSettings {
    /// Sessions of this node at a time.
    pub sessions_max: usize,
    /// An edge hears of its node at least this often.
    pub heartbeat: Duration,
    /// Operations of a session that may be unanswered.
    pub window_operations: u32,
}

/// What sync needs of a node.
pub struct SyncParts {
    /// Carries commands out.
    pub proposer: Arc<Proposer>,
    /// Hands out views.
    pub reader: Arc<Reader>,
    /// Follows changes.
    pub watches: Arc<Watches>,
    /// Reaches other nodes.
    pub raft: Arc<RaftNode>,
    /// Makes headers.
    pub status: Arc<ClusterStatus>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Spreads those that come back.
    pub ids: Arc<dyn IdsSource>,
    /// This cluster.
    pub cluster_id: String,
    /// This node.
    pub node_id: u64,
}

/// All sessions of this node.
pub struct EdgeSync {
    proposer: Arc<Proposer>,
    reader: Arc<Reader>,
    watches: Arc<Watches>,
    raft: Arc<RaftNode>,
    status: Arc<ClusterStatus>,
    clock: Arc<dyn Clock>,
    cluster_id: String,
    node_id: u64,
    settings: SyncSettings,
    sessions: Arc<Sessions>,
    namespaces: Mutex<HashMap<String, Weak<Namespace>>>,
}

/// Why a session does not begin, or ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this node has {0} sessions of edges, and takes no more")]
    Full(usize),
    #[error("the node is stopping, or cannot keep up with the namespace")]
    Stopping,
    #[error("nothing was heard of the edge for three heartbeats")]
    Silent,
    #[error("what the edge asks for is not kept any more; connect again")]
    Overtaken,
    #[error("the stream broke")]
    Broken(#[source] Status),
}

impl From<ScanError> for SyncError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Store(StoreError::Compacted { .. }) => Self::Overtaken,
            ScanError::Store(error) => Self::Store(error),
            ScanError::Read(error) => Self::Read(error),
        }
    }
}

impl EdgeSync {
    /// Takes sessions until told to stop.
    #[must_use]
    pub fn start(parts: SyncParts, settings: SyncSettings, stop: StopSignal) -> Arc<Self> {
        let sessions = Sessions::new(settings.sessions_max);
        let SyncParts { proposer, reader, watches, raft, status, clock, ids, cluster_id, node_id } = parts;
        let closing = Arc::clone(&sessions);
        tasks::spawn("sync-stop", async move {
            stop.stopped().await;
            let seconds = 1 + closing.len() / RETURNS_PER_SECOND;
            closing.close(u32::try_from(seconds * 1_000).unwrap_or(u32::MAX), &*ids);
        });
        let namespaces = Mutex::default();
        let sync = Self {
            proposer,
            reader,
            watches,
            raft,
            status,
            clock,
            cluster_id,
            node_id,
            settings,
            sessions,
            namespaces,
        };
        Arc::new(sync)
    }

    /// What an edge says of itself, if it is connected to this node.
    #[must_use]
    pub fn presence(&self, namespace: &str, edge: &str) -> Option<Presence> {
        self.sessions.presence(namespace, edge)
    }

    /// Opens the session that the first message of `inbound` asks for.
    pub(crate) async fn open(self: &Arc<Self>, caller: Caller, mut inbound: Inbound) -> Result<Session, SyncError> {
        use futures::StreamExt;
        if self.sessions.is_closed() {
            return Err(SyncError::Stopping);
        }
        let place = self.sessions.place().map_err(SyncError::Full)?;
        let first = tokio::time::timeout(HELLO_MAX, inbound.next()).await;
        let first = first.ok().flatten().ok_or_else(|| {
            Rejection::new(Reason::InvalidField, "message", "hello must be sent, at once and before anything else")
        })?;
        let hello = Hello::read(first.map_err(SyncError::Broken)?)?;
        let opened = hello.open(self, &caller).await?;
        let presence = Presence {
            connected_since_ms: self.clock.now_ms(),
            cursor: hello.cursor,
            agent_version: hello.agent_version.clone(),
            ..Presence::default()
        };
        let epoch = opened.record.epoch;
        let seat = self.sessions.enter(place, &hello.namespace, &hello.edge, epoch, presence).ok_or_else(|| {
            let message = "the edge has opened a newer session meanwhile";
            Rejection::new(Reason::EpochFenced, "hello", message)
        })?;
        let namespace = self.namespace(&hello.namespace);
        // Not before its own opening: its cursor may be newer than what this node had told until then.
        let shared = namespace.join(&hello.edge, opened.revision).await.ok_or(SyncError::Stopping)?;
        // Below the floor it cannot be told what changed: everything is sent.
        let floor = self.reader.local().event_floor_of(&hello.namespace)?;
        let cursor = if hello.cursor + 1 < floor { 0 } else { hello.cursor };
        let down = Down::new(namespace, shared, cursor, hello.window);
        metrics::counter!("muster_sync_openings_total").increment(1);
        Ok(Session::new(self, caller, inbound, hello, &opened, seat, down))
    }

    /// What keeps the scopes of a namespace up to date.
    fn namespace(&self, id: &str) -> Arc<Namespace> {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        let found = namespaces.get(id).and_then(Weak::upgrade).filter(|namespace| !namespace.is_over());
        found.unwrap_or_else(|| {
            namespaces.retain(|_, namespace| namespace.strong_count() > 0);
            let namespace = Namespace::start(id, &self.reader, &self.watches);
            namespaces.insert(id.to_owned(), Arc::downgrade(&namespace));
            namespace
        })
    }
}
