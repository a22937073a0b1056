//! A node in the simulation: what `server.rs` wires together, over connections and clocks that are given.
//!
//! Left out: the listeners and their TLS, the HTTP page, signals, backups, and the first command, which the world sends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use muster_domain::policy::{Principal, Role};
use muster_domain::{Command, Event};
use muster_proto::v1;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::server::Connected;

use crate::apply::Applier;
use crate::authorize::{self, Caller};
use crate::clock::Clock;
use crate::compare::{self, Compare};
use crate::disk_space::DiskSpace;
use crate::ids_source::IdsSource;
use crate::membership::{Membership, MembershipSettings};
use crate::node::{ClusterStatus, LateStatus};
use crate::outcome::Outcome;
use crate::propose::{Forwarded, LateHandler, PackerSettings, ProposeError, ProposeSettings, Proposer};
use crate::raft::{FatalHandler, Member, PeerConnector, RaftNode, RaftParts, RaftSettings};
use crate::read::Reader;
use crate::retention::{Keeper, Sweeper};
use crate::store::state_db::{StateDb, StateOptions};
use crate::store::states::States;
use crate::store::unwritten::Limits;
use crate::store::{digest, event_log};
use crate::sync::{EdgeSync, Session, SyncError, SyncParts, SyncSettings};
use crate::tasks::{self, Stopper};
use crate::views::CheckpointFile;
use crate::watch::Watches;

/// What a node is started with.
pub struct Parts {
    pub raft: RaftSettings,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdsSource>,
    pub connector: Arc<dyn PeerConnector>,
    pub fatal: Arc<dyn FatalHandler>,
    /// How long a command is tried, and half of it a read.
    pub request_timeout: Duration,
    /// Twins that are kept unwritten.
    pub unwritten: Limits,
    /// As much is written to the state between two flushes at most, in bytes.
    pub state_buffer_bytes: usize,
}

/// A running node.
pub struct Node {
    pub raft: Arc<RaftNode>,
    pub reader: Arc<Reader>,
    pub proposer: Arc<Proposer>,
    pub membership: Arc<Membership>,
    pub sync: Arc<EdgeSync>,
    pub states: Arc<States>,
    state: Arc<StateDb>,
    stopper: Stopper,
}

/// Starts a node that peers reach by `incoming`.
pub async fn start<IO>(parts: Parts, incoming: BoxStream<'static, std::io::Result<IO>>) -> anyhow::Result<Node>
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let (stopper, stop) = tasks::stop_pair();
    let (node_id, cluster_id) = (parts.raft.node_id, parts.raft.cluster_id.clone());
    let data_dir: PathBuf = parts.raft.data_dir.clone();
    let disk = DiskSpace::new(&data_dir, 1)?;
    disk.watch(stop.clone());
    let options = StateOptions {
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: parts.state_buffer_bytes,
        ..StateOptions::default()
    };
    let state = StateDb::open(&data_dir, options)?;
    let states = Arc::new(States::with_limits(Arc::clone(&state), 1 << 20, parts.unwritten));
    let applier = Applier::open(Arc::clone(&states), Some(CheckpointFile::below(&data_dir)))?;
    let forward = Arc::new(LateHandler::default());
    let calls = Arc::new(LateStatus::default());
    let raft_parts = RaftParts {
        state: Arc::clone(&state),
        machine: Arc::clone(&applier) as _,
        connector: parts.connector,
        forward: Arc::clone(&forward) as _,
        certified: |_| None,
        calls: Arc::clone(&calls) as _,
        fatal: parts.fatal,
    };
    let raft = RaftNode::start(parts.raft, raft_parts, incoming).await?;
    let reader =
        Arc::new(Reader::new(Arc::clone(&raft), Arc::clone(&states), applier.positions(), parts.request_timeout / 2));
    let settings = ProposeSettings {
        command_bytes_max: 1 << 20,
        deadline: parts.request_timeout,
        packer: PackerSettings {
            queue_max: 1024,
            queue_bytes_max: 64 << 20,
            commands_max: 64,
            bytes_max: 1 << 20,
            entries_in_flight: 1,
        },
    };
    let proposer = Proposer::start(
        Arc::clone(&raft),
        Arc::clone(&reader),
        Arc::clone(&applier),
        Arc::clone(&parts.clock),
        disk,
        settings,
    );
    forward.set(Forwarded::new(Arc::clone(&proposer)));
    let status = ClusterStatus::new(
        Arc::clone(&raft),
        Arc::clone(&reader),
        cluster_id.clone(),
        data_dir.clone(),
        parts.clock.as_ref(),
    );
    calls.set(Arc::clone(&status));
    let membership = Membership::new(
        Arc::clone(&raft),
        Arc::clone(&reader),
        Arc::clone(&proposer),
        Arc::clone(&status),
        MembershipSettings { promote_lag_entries: 100 },
    );
    calls.set_membership(Arc::clone(&membership));
    membership.start_keeper(data_dir, stop.clone());
    let compare = Compare::new(Arc::clone(&raft), Arc::clone(&reader), Arc::clone(&state));
    calls.set_compare(Arc::clone(&compare));
    compare::watch(&compare, stop.clone());
    let watches = Watches::start(Arc::clone(&reader), applier.positions(), applier.recent(), 1000, stop.clone());
    let edges = SyncParts {
        proposer: Arc::clone(&proposer),
        reader: Arc::clone(&reader),
        watches,
        raft: Arc::clone(&raft),
        status,
        clock: Arc::clone(&parts.clock),
        ids: parts.ids,
        cluster_id,
        node_id,
    };
    let settings = SyncSettings { sessions_max: 100, heartbeat: Duration::from_secs(5), window_operations: 256 };
    let sync = EdgeSync::start(edges, settings, stop.clone());
    calls.set_sync(Arc::clone(&sync));
    let keeper = Keeper {
        raft: Arc::clone(&raft),
        reader: Arc::clone(&reader),
        states: Arc::clone(&states),
        proposer: Arc::clone(&proposer),
        clock: parts.clock,
    };
    keeper.start(stop.clone());
    Sweeper { applier, states: Arc::clone(&states) }.start(stop);
    Ok(Node { raft, reader, proposer, membership, sync, states, state, stopper })
}

impl Node {
    /// Lets go of everything that still runs of a node that is dead already: nothing of it reaches anybody.
    pub async fn bury(&self) {
        self.stopper.stop();
        self.raft.shutdown().await;
    }

    /// Stops it as an operator would.
    ///
    /// # Errors
    /// When what it holds cannot be written.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.stopper.stop();
        self.raft.shutdown().await;
        self.states.write_twins()?;
        Ok(self.state.flush()?)
    }

    /// Makes a new cluster of these members; the others must have agreed.
    ///
    /// # Errors
    /// When it belongs to one already.
    pub async fn found(&self, members: BTreeMap<u64, Member>) -> anyhow::Result<()> {
        Ok(self.raft.initialize(members).await?)
    }

    /// Carries out a command of an administrator.
    ///
    /// # Errors
    /// When there is no outcome.
    pub async fn propose(&self, command: Command, request_id: &str) -> Result<Outcome, ProposeError> {
        let principal = Principal::User { name: "sim".to_owned(), role: Role::Admin, namespace: None, token: None };
        let caller = Caller { principal, origin: "sim".to_owned() };
        let command = authorize::command(&caller, command).expect("an administrator may do anything");
        self.proposer.propose(command, request_id, [0; 16]).await
    }

    /// Carries out a command of the cluster itself.
    ///
    /// # Errors
    /// When there is no outcome.
    pub async fn propose_first(&self, command: Command) -> Result<Outcome, ProposeError> {
        self.proposer.propose(authorize::by_node(self.raft.node_id(), command), "", [0; 16]).await
    }

    /// All events up to the newest revision: revision, place within it, event.
    ///
    /// # Errors
    /// When the store fails.
    pub fn events(&self) -> anyhow::Result<Vec<(u64, u32, Event)>> {
        let mut all = Vec::new();
        event_log::visit(&self.states.db(), 1, self.reader.local().revision(), |entry| {
            all.extend((0..).zip(entry.events).map(|(index, event)| (entry.revision, index, event)));
            Ok(true)
        })?;
        Ok(all)
    }

    /// A digest of all records, at the newest revision.
    ///
    /// # Errors
    /// When the store fails.
    pub fn digest(&self) -> anyhow::Result<(u64, String)> {
        let revision = self.reader.local().revision();
        Ok((revision, format!("{:?}", digest::digest(&self.states.db(), revision)?)))
    }

    /// Opens the session that an edge asks for in what it says.
    ///
    /// # Errors
    /// As an edge hears it: reason, message, when it may come back.
    pub async fn open_edge(
        &self,
        namespace: &str,
        edge: &str,
        inbound: BoxStream<'static, Result<v1::SyncRequest, tonic::Status>>,
    ) -> Result<EdgeSession, Ended> {
        let (namespace, edge) = (namespace.to_owned(), edge.to_owned());
        let caller = Caller { principal: Principal::Edge { namespace, edge, token: None }, origin: "sim".to_owned() };
        self.sync.open(caller, inbound).await.map(EdgeSession).map_err(|error| ended(&error))
    }
}

/// Why a session is over: reason, message, when the edge may come back.
pub type Ended = (String, String, Option<Duration>);

fn ended(error: &SyncError) -> Ended {
    let reason = match error {
        SyncError::Rejected(rejection) => rejection.reason.code().to_owned(),
        _ => String::new(),
    };
    (reason, error.to_string(), None)
}

/// A session of an edge.
pub struct EdgeSession(Session);

impl EdgeSession {
    /// What is said next; nothing when the session is over.
    pub async fn next(&mut self) -> Option<Result<v1::SyncResponse, Ended>> {
        self.0.next().await.map_err(|error| ended(&error)).transpose()
    }
}
