//! What idle edges cost a node. Slow, so it runs only when asked for: `cargo test -p muster-chaos --test it idle -- --ignored`.

use anyhow::{Context, ensure};
use futures::StreamExt;
use muster_chaos::cluster::Cluster;
use muster_client::{Client, names, proto};

use super::edge::{Link, Store};
use super::{NAMESPACE, cluster_that_beats};

const EDGES: usize = 2_000;
const DEVICES_EACH: usize = 20;

/// Resident memory of the only node, KiB.
fn resident(cluster: &Cluster) -> anyhow::Result<u64> {
    let own = cluster.scratch().display().to_string();
    for process in std::fs::read_dir("/proc")?.flatten() {
        let read = |file: &str| std::fs::read_to_string(process.path().join(file)).unwrap_or_default();
        if read("cmdline").contains(&own) {
            let status = read("status");
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory")?;
            return Ok(line.trim().trim_end_matches(" kB").parse()?);
        }
    }
    anyhow::bail!("the node is not found")
}

async fn fill(client: &Client, edge: usize) -> anyhow::Result<()> {
    let parent = names::namespace(NAMESPACE);
    let request = proto::CreateEdgeRequest {
        parent: parent.clone(),
        edge_id: format!("e{edge}"),
        edge: Some(proto::Edge::default()),
        ..Default::default()
    };
    client.edges().create(request).await?;
    let requests = (0..DEVICES_EACH).map(|at| proto::CreateDeviceRequest {
        device_id: format!("device-{edge}-{at}"),
        device: Some(proto::Device { edge: format!("e{edge}"), ..Default::default() }),
        ..Default::default()
    });
    let requests = requests.collect();
    let request = proto::BatchCreateDevicesRequest { parent, requests, atomic: true, ..Default::default() };
    client.devices().batch_create(request).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and thousands of connections"]
async fn an_idle_edge_costs_at_most_64_kib() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    // So that nobody has to answer meanwhile.
    let (cluster, client) = cluster_that_beats(1, &[], 600_000).await?;
    let mut filled = futures::stream::iter(0..EDGES).map(|edge| fill(&client, edge)).buffer_unordered(32);
    while let Some(edge) = filled.next().await {
        edge?;
    }
    drop(filled);
    // Tokens are records like any other, and no cost of a session.
    let named = |edge: usize| {
        let client = &client;
        async move { Store::new(client, &format!("e{edge}")).await }
    };
    let mut stores = Vec::new();
    let mut made = futures::stream::iter(0..EDGES).map(named).buffer_unordered(32);
    while let Some(store) = made.next().await {
        stores.push(store?);
    }
    drop(made);
    let connect = |mut store: Store| {
        let cluster = &cluster;
        async move {
            let mut link = store.connect(cluster, 1).await?;
            let came = store.follow(&mut link, 1).await?;
            ensure!(came.len() == 2 * DEVICES_EACH, "{}", came.len());
            anyhow::Ok::<(Store, Link)>((store, link))
        }
    };
    // Some first, so that what the node allocates once is not counted.
    let mut links = Vec::new();
    for store in stores.drain(..100) {
        links.push(connect(store).await?);
    }
    let before = resident(&cluster)?;
    let mut connecting = futures::stream::iter(stores).map(connect).buffer_unordered(16);
    while let Some(link) = connecting.next().await {
        links.push(link?);
    }
    drop(connecting);
    let after = resident(&cluster)?;
    let each = (after.saturating_sub(before) * 1_024) / (EDGES - 100) as u64;
    assert!(each <= 64 << 10, "{each} bytes each, {before} KiB before and {after} KiB after");
    #[allow(clippy::print_stderr, reason = "a measurement says what it found")]
    {
        eprintln!("{each} bytes for each idle edge with {DEVICES_EACH} devices; connected: {}", links.len());
    }
    Ok(())
}
