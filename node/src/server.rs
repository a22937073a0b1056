//! Wires a node together once, starts it in order and stops it in order.
//!
//! Start: state, Raft and its peer listener, bootstrap, then the client listener, so that nobody is served by a node
//! that does not know its cluster. Stop: clients first, then Raft (which hands leadership over), then the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::transport::Server;
use tonic_web::GrpcWebLayer;

use crate::apply::Applier;
use crate::authorize::{Authentication, AuthorizeLayer};
use crate::backup::source::BackupSource;
use crate::compare::{self, Compare};
use crate::config::Config;
use crate::disk_space::DiskSpace;
use crate::first_start::Startup;
use crate::membership::{Membership, MembershipSettings};
use crate::node::{ApiSettings, ClusterStatus, LateStatus, Services};
use crate::propose::{Forwarded, LateHandler, PackerSettings, ProposeSettings, Proposer};
use crate::queries::{LiveLimits, Queries, QueryBudget};
use crate::raft::{ExitProcess, FatalHandler, Member, RaftNode, RaftParts, RaftSettings};
use crate::read::Reader;
use crate::retention::{Keeper, Sweeper};
use crate::store::error::rocks;
use crate::store::state_db::{StateDb, StateOptions};
use crate::store::states::States;
use crate::sync::{EdgeSync, SyncParts, SyncSettings};
use crate::tasks::{self, StopSignal};
use crate::tls::{self, Connection, Incoming, IncomingLimits, ServerTls};
use crate::views::{CheckpointFile, KeeperSettings, ViewsKeeper};
use crate::watch::Watches;

mod bootstrap;
mod health;
mod joining;

pub use bootstrap::DataLost;

/// How long streams and calls in progress may take to end when the node stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Bytes of commands that may wait for the leader.
const QUEUE_BYTES_MAX: usize = 256 << 20;
/// How long the state may take to catch up with what was committed before the node stopped.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// Patches in flight on one `PatchTwinStream`, as its documentation says.
const STREAM_IN_FLIGHT_MAX: usize = 4_096;
/// Connections of peers at a time; each keeps a handful.
const PEER_CONNECTIONS_MAX: usize = 256;

/// Runs a node until it is told to stop.
///
/// # Errors
/// When it cannot start, or a listener fails.
pub async fn run(startup: Startup) -> anyhow::Result<()> {
    tls::install_provider();
    let (stopper, stop) = tasks::stop_pair();
    let config = Arc::new(startup.config.clone());
    let recorder = crate::observe::install_recorder().context("metrics")?;

    // Bound before anything else, so that a taken port is said before the disk is touched.
    let clients = bind_clients(&config, &stop).await?;
    if let Some(context) = &startup.local_context
        && let Err(error) = context.write(clients.local_addr())
    {
        tracing::warn!(error = &error as &dyn std::error::Error, "the CLI's context was not written");
    }
    let http = bind_http(&config).await?;
    let disk = DiskSpace::new(startup.data_dir.path(), config.storage.disk_free_min_bytes)
        .context("the free space of node.data_dir")?;
    disk.watch(stop.clone());

    let state = StateDb::open(startup.data_dir.path(), state_options(&config))?;
    let states = Arc::new(States::new(Arc::clone(&state), config.storage.state_cache_bytes as u64));
    let checkpoint = CheckpointFile::below(startup.data_dir.path());
    let applier = Applier::open_and_make_views_beside(Arc::clone(&states), checkpoint.clone())?;
    let views = ViewsKeeper::new(
        applier.views(),
        checkpoint,
        Arc::clone(&disk),
        Arc::clone(&state),
        Arc::new(ExitProcess),
        keeper_settings(&config),
    );
    views.start(stop.clone());
    let backups = BackupSource::open(
        startup.data_dir.path(),
        Arc::clone(&state),
        startup.identity.clone(),
        Arc::clone(&startup.clock),
    )
    .context("what an unfinished backup left")?;
    let forward = Arc::new(LateHandler::default());
    let calls = Arc::new(LateStatus::default());
    let raft = start_raft(&startup, &config, &stop, &state, &applier, &forward, &calls).await?;

    let wait_max = Duration::from_millis(config.client_listener.request_timeout_ms / 2);
    let reader = Arc::new(Reader::new(Arc::clone(&raft), Arc::clone(&states), applier.positions(), wait_max));
    let proposer = Proposer::start(
        Arc::clone(&raft),
        Arc::clone(&reader),
        Arc::clone(&applier),
        Arc::clone(&startup.clock),
        Arc::clone(&disk),
        propose_settings(&config),
    );
    forward.set(Forwarded::new(Arc::clone(&proposer)));
    let status = ClusterStatus::new(
        Arc::clone(&raft),
        Arc::clone(&reader),
        startup.identity.cluster_id.clone(),
        startup.data_dir.path().to_owned(),
        startup.clock.as_ref(),
    );
    calls.set(Arc::clone(&status));
    let membership = Membership::new(
        Arc::clone(&raft),
        Arc::clone(&reader),
        Arc::clone(&proposer),
        Arc::clone(&status),
        MembershipSettings { promote_lag_entries: config.raft.promote_lag_entries },
    );
    calls.set_membership(Arc::clone(&membership));
    membership.start_keeper(startup.data_dir.path().to_owned(), stop.clone());
    let compare = Compare::new(Arc::clone(&raft), Arc::clone(&reader), Arc::clone(&state));
    calls.set_compare(Arc::clone(&compare));
    compare::watch(&compare, stop.clone());
    let healthy = Arc::new(health::NodeHealth::new(Arc::clone(&status), Arc::clone(&raft), disk));
    healthy.start(stop.clone());
    if let Some(http) = http {
        tasks::spawn("http", crate::observe::serve(http, recorder, Arc::clone(&healthy) as _, stop.clone()));
    }

    let stopping = {
        let stop = stop.clone();
        async move {
            tasks::shutdown_signal().await;
            tracing::info!("stopping");
            stopper.stop();
            drop(stop);
        }
    };
    tasks::spawn("signals", stopping);

    let bootstrapped = match bootstrap::run(&startup, &raft, &reader, &proposer, &stop).await {
        Ok(bootstrapped) => bootstrapped,
        Err(refused) => {
            // Or the end of Raft would look like a failure of its own, and be what is told.
            raft.shutdown().await;
            return Err(refused);
        }
    };
    if bootstrapped {
        recover(&raft, &stop).await;
        let watches = Watches::start(
            Arc::clone(&reader),
            applier.positions(),
            applier.recent(),
            config.limits.watches,
            stop.clone(),
        );
        let edges = SyncParts {
            proposer: Arc::clone(&proposer),
            reader: Arc::clone(&reader),
            watches: Arc::clone(&watches),
            raft: Arc::clone(&raft),
            status: Arc::clone(&status),
            clock: Arc::clone(&startup.clock),
            ids: Arc::clone(&startup.ids),
            cluster_id: startup.identity.cluster_id.clone(),
            node_id: startup.identity.node_id,
        };
        let sync = EdgeSync::start(edges, sync_settings(&config), stop.clone());
        calls.set_sync(Arc::clone(&sync));
        let services = Arc::new(Services {
            proposer,
            reader: Arc::clone(&reader),
            status,
            queries: Queries::new(
                applier.views(),
                applier.positions(),
                Arc::clone(&startup.clock),
                query_budget(&config),
                live_limits(&config),
            ),
            watches,
            sync,
            membership,
            backups,
            compare,
            sealer: Arc::clone(&startup.sealer),
            ids: Arc::clone(&startup.ids),
            clock: Arc::clone(&startup.clock),
            identity: startup.identity.clone(),
            settings: ApiSettings {
                request_timeout: Duration::from_millis(config.client_listener.request_timeout_ms),
                max_message_bytes: config.client_listener.max_message_bytes,
                stream_in_flight_max: STREAM_IN_FLIGHT_MAX,
                batch_items_max: config.limits.batch_items,
                page_items_max: config.limits.page_items,
            },
        });
        crate::views::keep_words(&applier.views(), stop.clone());
        flush_beside(&state);
        keep_retention(&startup, &raft, &reader, &services.proposer, &states, &applier, &stop);
        healthy.set_serving();
        let served = serve_clients(&config, clients, services, &healthy, stop.clone()).await;
        raft.shutdown().await;
        served?;
    } else {
        raft.shutdown().await;
    }
    views.write();
    states.write_twins()?;
    state.flush().map_err(rocks("flush the state"))?;
    tracing::info!("stopped");
    Ok(())
}

/// Starts what carries out how much of the past is kept.
fn keep_retention(
    startup: &Startup,
    raft: &Arc<RaftNode>,
    reader: &Arc<Reader>,
    proposer: &Arc<Proposer>,
    states: &Arc<States>,
    applier: &Arc<Applier>,
    stop: &StopSignal,
) {
    let keeper = Keeper {
        raft: Arc::clone(raft),
        reader: Arc::clone(reader),
        states: Arc::clone(states),
        proposer: Arc::clone(proposer),
        clock: Arc::clone(&startup.clock),
    };
    keeper.start(stop.clone());
    Sweeper { applier: Arc::clone(applier), states: Arc::clone(states) }.start(stop.clone());
}

/// Makes durable what was replayed, so that a node that is killed again soon need not replay it again, and so that a
/// state is there that can tell of a log that is gone.
fn flush_beside(state: &Arc<StateDb>) {
    let state = Arc::clone(state);
    let flush = move || {
        if let Err(error) = state.flush() {
            ExitProcess.end_if_broken("flushing the state", &error);
            tracing::warn!(%error, "the state cannot be flushed");
        }
    };
    drop(tasks::spawn("first flush", async move {
        tasks::blocking(flush).await;
    }));
}

/// Waits until the state shows all that was committed before this node stopped: a revoked token must not work again for
/// a moment. Without a quorum that cannot be known; the node then serves what it has.
async fn recover(raft: &RaftNode, stop: &StopSignal) {
    tokio::select! {
        recovered = raft.wait_for_recovery(RECOVERY_MAX) => {
            if let Err(error) = recovered {
                tracing::warn!(%error, "serving before the state is known to be complete");
            }
        }
        () = stop.clone().stopped() => {}
    }
}

fn state_options(config: &Config) -> StateOptions {
    StateOptions {
        block_cache_bytes: config.storage.state_cache_bytes,
        write_buffer_bytes: config.storage.state_memtable_bytes,
        on_broken: |said| tasks::die(tasks::EXIT_STORAGE, &format!("the state store: {said}")),
    }
}

fn query_budget(config: &Config) -> QueryBudget {
    QueryBudget {
        time: Duration::from_millis(config.queries.time_ms),
        memory_bytes: config.queries.memory_bytes,
        rows: config.queries.scanned_rows,
        changed_rows: config.queries.changed_rows,
    }
}

fn live_limits(config: &Config) -> LiveLimits {
    LiveLimits { queries: config.queries.live, rows: config.queries.live_rows, bytes: config.queries.live_bytes }
}

fn sync_settings(config: &Config) -> SyncSettings {
    SyncSettings {
        sessions_max: config.sync.sessions_max,
        heartbeat: Duration::from_millis(config.sync.heartbeat_ms),
        window_operations: config.sync.window_operations,
    }
}

fn keeper_settings(config: &Config) -> KeeperSettings {
    let interval = config.queries.views_checkpoint_interval_ms;
    KeeperSettings {
        interval: (interval > 0).then(|| Duration::from_millis(interval)),
        memory_bytes_max: config.queries.views_memory_bytes,
    }
}

fn propose_settings(config: &Config) -> ProposeSettings {
    ProposeSettings {
        command_bytes_max: config.limits.command_bytes,
        deadline: Duration::from_millis(config.client_listener.request_timeout_ms),
        packer: PackerSettings {
            queue_max: config.limits.propose_queue_commands,
            queue_bytes_max: QUEUE_BYTES_MAX,
            commands_max: config.raft.max_entry_commands,
            bytes_max: config.raft.max_entry_bytes,
            entries_in_flight: 1,
        },
    }
}

async fn bind_http(config: &Config) -> anyhow::Result<Option<tokio::net::TcpListener>> {
    if !config.http.enabled {
        return Ok(None);
    }
    let listener = tokio::net::TcpListener::bind(&config.http.address).await;
    Ok(Some(listener.with_context(|| format!("http.address {} cannot be bound", config.http.address))?))
}

async fn bind_clients(config: &Config, stop: &StopSignal) -> anyhow::Result<Incoming> {
    let listener = &config.client_listener;
    let tls = match &listener.tls {
        Some(files) => {
            let tls = ServerTls::clients(files)?;
            tls.reloading().watch("client certificates", stop.clone());
            Some(Arc::new(tls))
        }
        None => None,
    };
    let limits = IncomingLimits {
        listener: "client",
        max_connections: listener.max_connections,
        max_handshakes: listener.max_handshakes,
        handshake_timeout: Duration::from_millis(listener.handshake_timeout_ms),
    };
    Incoming::bind(listener.address, tls, limits)
        .await
        .with_context(|| format!("client_listener.address {} cannot be bound", listener.address))
}

async fn bind_peers(
    config: &Config,
    cluster_id: &str,
    stop: &StopSignal,
) -> anyhow::Result<BoxStream<'static, std::io::Result<Connection>>> {
    if config.is_single_node() {
        return Ok(futures::stream::pending().boxed());
    }
    let listener = &config.peer_listener;
    let tls = match &listener.tls {
        Some(files) => {
            let tls = ServerTls::peers(files, cluster_id)?;
            tls.reloading().watch("peer certificates", stop.clone());
            Some(Arc::new(tls))
        }
        None => None,
    };
    let limits = IncomingLimits {
        listener: "peer",
        max_connections: PEER_CONNECTIONS_MAX,
        max_handshakes: PEER_CONNECTIONS_MAX,
        handshake_timeout: Duration::from_millis(config.client_listener.handshake_timeout_ms),
    };
    let incoming = Incoming::bind(listener.address, tls, limits)
        .await
        .with_context(|| format!("peer_listener.address {} cannot be bound", listener.address))?;
    Ok(incoming.boxed())
}

async fn start_raft(
    startup: &Startup,
    config: &Config,
    stop: &StopSignal,
    state: &Arc<StateDb>,
    applier: &Arc<Applier>,
    forward: &Arc<LateHandler>,
    calls: &Arc<LateStatus>,
) -> anyhow::Result<Arc<RaftNode>> {
    let cluster_id = &startup.identity.cluster_id;
    let peers = bind_peers(config, cluster_id, stop).await?;
    let connector = tls::PeerConnector::new(&config.peer_listener, cluster_id, startup.identity.node_id)?;
    if let Some(files) = connector.reloading() {
        files.watch("own peer certificate", stop.clone());
    }
    let parts = RaftParts {
        state: Arc::clone(state),
        machine: Arc::clone(applier) as _,
        connector: Arc::new(connector),
        certified: tls::certified_peer,
        forward: Arc::clone(forward) as _,
        calls: Arc::clone(calls) as _,
        fatal: Arc::new(ExitProcess),
    };
    let mut settings =
        RaftSettings::new(cluster_id.clone(), startup.identity.node_id, startup.data_dir.path().to_owned());
    settings.heartbeat_ms = config.raft.heartbeat_interval_ms;
    settings.election_timeout_min_ms = config.raft.election_timeout_min_ms;
    settings.election_timeout_max_ms = config.raft.election_timeout_max_ms;
    settings.snapshot_logs_since_last = config.raft.snapshot_entries;
    settings.log_keep_entries = config.raft.log_keep_entries;
    settings.read_queue_max = config.limits.read_queue_requests;
    settings.forward_in_flight_max = config.limits.propose_queue_commands;
    Ok(RaftNode::start(settings, parts, peers).await?)
}

/// The members to initialize Raft with.
pub(crate) fn members(config: &Config, node_id: u64) -> BTreeMap<u64, Member> {
    if config.cluster.members.is_empty() {
        let alone = Member {
            peer_addr: config.peer_listener.address.to_string(),
            client_addr: config
                .client_listener
                .advertise
                .clone()
                .unwrap_or_else(|| config.client_listener.address.to_string()),
            name: config.node_name(),
        };
        return BTreeMap::from([(node_id, alone)]);
    }
    let member = |member: &crate::config::Member| Member {
        peer_addr: member.peer_address.clone(),
        client_addr: member.client_address.clone(),
        name: member.name.clone(),
    };
    config.cluster.members.iter().map(|known| (known.id, member(known))).collect()
}

async fn serve_clients(
    config: &Config,
    incoming: Incoming,
    services: Arc<Services>,
    health: &health::NodeHealth,
    stop: StopSignal,
) -> anyhow::Result<()> {
    let listener = &config.client_listener;
    let authentication = Arc::new(Authentication {
        reader: Arc::clone(&services.reader),
        clock: Arc::clone(&services.clock),
        insecure_dev: config.security.insecure_dev,
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(muster_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let address = incoming.local_addr();
    tracing::info!(%address, "serving clients");
    let stopped = stop.clone();
    let serving = Server::builder()
        .accept_http1(true)
        .timeout(Duration::from_millis(listener.request_timeout_ms * 2))
        .http2_keepalive_interval(Some(Duration::from_millis(listener.keepalive_interval_ms)))
        .http2_keepalive_timeout(Some(Duration::from_millis(listener.keepalive_timeout_ms)))
        .http2_max_header_list_size(listener.max_header_bytes)
        .max_concurrent_streams(listener.max_streams_per_connection)
        .max_connection_age(Duration::from_millis(listener.max_connection_age_ms))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .tcp_nodelay(true)
        .layer(GrpcWebLayer::new())
        .layer(AuthorizeLayer::new(authentication))
        .add_routes(crate::api::routes(services, listener.max_message_bytes))
        .add_service(health.service())
        .add_service(reflection)
        .serve_with_incoming_shutdown(incoming, async move { stopped.stopped().await });
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = stop.stopped() => {}
    }
    // Calls in progress may end; streams that do not are cut.
    match tokio::time::timeout(DRAIN_MAX, serving).await {
        Ok(ended) => Ok(ended?),
        Err(_) => {
            tracing::warn!("open calls and streams were cut");
            Ok(())
        }
    }
}
