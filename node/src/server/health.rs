//! How well the node is: alive, ready for reads, able to write; over HTTP and as gRPC health services.
//!
//! gRPC services: `` (empty, alive), `muster.ready`, `muster.write`. It decides nothing; it only asks and tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthApi, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};

use crate::disk_space::DiskSpace;
use crate::node::ClusterStatus;
use crate::observe::{Health, HealthSource};
use crate::raft::RaftNode;
use crate::tasks::{self, StopSignal};

/// How often it asks.
const PERIOD: Duration = Duration::from_millis(500);

/// The node's health.
pub(super) struct NodeHealth {
    status: Arc<ClusterStatus>,
    raft: Arc<RaftNode>,
    disk: Arc<DiskSpace>,
    serving: AtomicBool,
    can_write: AtomicBool,
    reporter: HealthReporter,
}

impl NodeHealth {
    pub(super) fn new(status: Arc<ClusterStatus>, raft: Arc<RaftNode>, disk: Arc<DiskSpace>) -> Self {
        let reporter = HealthReporter::new();
        Self { status, raft, disk, serving: AtomicBool::new(false), can_write: AtomicBool::new(false), reporter }
    }

    /// Clients are served from now on.
    pub(super) fn set_serving(&self) {
        self.serving.store(true, Ordering::Release);
    }

    /// The gRPC health service.
    pub(super) fn service(&self) -> HealthServer<impl HealthApi + use<>> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    /// Asks again and again until the node stops.
    pub(super) fn start(self: &Arc<Self>, stop: StopSignal) {
        let health = Arc::clone(self);
        tasks::spawn("health", async move {
            while !stop.is_stopped() {
                health.ask().await;
                tokio::select! {
                    () = sleep(PERIOD) => {}
                    () = stop.clone().stopped() => break,
                }
            }
            health.tell("", false).await;
        });
    }

    async fn ask(&self) {
        self.can_write.store(self.status.can_write().await, Ordering::Release);
        self.tell("", true).await;
        self.tell("muster.ready", self.ready().is_ok()).await;
        self.tell("muster.write", self.write().is_ok()).await;
    }

    async fn tell(&self, service: &str, good: bool) {
        let status = if good { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status(service, status).await;
    }
}

impl HealthSource for NodeHealth {
    fn live(&self) -> Health {
        Ok(())
    }

    fn ready(&self) -> Health {
        if !self.serving.load(Ordering::Acquire) {
            return Err("starting: the cluster's settings are not known here yet".to_owned());
        }
        match self.raft.leader() {
            Some(_) => Ok(()),
            None => Err("no leader is known".to_owned()),
        }
    }

    fn write(&self) -> Health {
        self.ready()?;
        if self.disk.is_low() {
            return Err("the disk is nearly full".to_owned());
        }
        if self.can_write.load(Ordering::Acquire) { Ok(()) } else { Err("no leader with a quorum answers".to_owned()) }
    }
}
