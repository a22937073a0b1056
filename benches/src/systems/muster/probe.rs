//! Single writes to single nodes, for measuring how long writes stand still.

use anyhow::Result;
use futures::future::BoxFuture;
use http::HeaderValue;
use muster_proto::v1;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::{Calls, Patch, fleet, patch_request};
use crate::connections::Connections;
use crate::workload::Choice;

/// Devices the probes write to.
const DEVICES: u32 = 100;

/// Writes through one node.
pub(crate) struct Probe {
    patch: Patch,
    choice: Choice,
}

impl Probe {
    /// Creates what probes write to.
    pub(crate) async fn prepare(cluster: &Cluster) -> Result<()> {
        let connections = Connections::open(&cluster.urls(), 3, cluster.tls()).await?;
        fleet::create(&Calls { connections, token: cluster.token() }, DEVICES).await
    }

    /// Creates a fleet through some of the nodes.
    pub(crate) async fn load(cluster: &Cluster, nodes: &[usize], devices: u32) -> Result<()> {
        let urls: Vec<String> = nodes.iter().map(|node| cluster.urls()[*node].clone()).collect();
        let connections = Connections::open(&urls, urls.len(), cluster.tls()).await?;
        fleet::create(&Calls { connections, token: cluster.token() }, devices).await
    }

    pub(crate) async fn open(cluster: &Cluster, node: usize) -> Result<Self> {
        let connections = Connections::open(&[cluster.urls()[node].clone()], 1, cluster.tls()).await?;
        let token: HeaderValue = cluster.token();
        let patch = Patch::new(connections.of(0), "/muster.v1.TwinService/PatchTwin", Some(&token));
        Ok(Self { patch, choice: Choice::new(node, DEVICES) })
    }

    /// When it was sent, and the revision it got.
    pub(crate) fn send(&mut self) -> BoxFuture<'static, (Instant, Result<u64, String>)> {
        let (patch, request): (Patch, v1::PatchTwinRequest) =
            (self.patch.clone(), patch_request(&mut self.choice, true));
        let sent = Instant::now();
        Box::pin(async move {
            let outcome = patch.call(&request).await;
            (sent, outcome.map(|answer| answer.header.map(|header| header.revision).unwrap_or_default()))
        })
    }
}
