//! A rolling restart of three nodes under load: each is told to stop, started again (of the same version or of another)
//! and waited for, while writers and a watcher go on. Fails when a write was refused, an acknowledged one is lost, the nodes
//! differ afterwards, or the watcher missed something.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a script that drives real processes by the real clock"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::invariants::{acked_writes_survive, chains_agree};
use muster_chaos::workload::{NAMESPACE, Writers, prepare, wait_for_writes};
use muster_client::{Client, names, proto};
use nix::sys::signal::Signal;
use proto::watch_response::Content;

/// Restart three nodes one after the other under load, from one version to another.
#[derive(Debug, Parser)]
struct Arguments {
    /// The musterd that runs first [default: the one built here]
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
    /// The musterd that each node is restarted with [default: the same]
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// Writers
    #[arg(long, default_value_t = 12)]
    writers: usize,
    /// Rounds over all nodes
    #[arg(long, default_value_t = 2)]
    rounds: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut cluster = Cluster::start_with(Options::default(), arguments.from.clone()).await?;
    let client = cluster.client()?;
    prepare(&client, arguments.writers).await?;
    let writers = Writers::start((0..arguments.writers).map(|_| cluster.client()).collect::<anyhow::Result<_>>()?);
    let watching = tokio::spawn(watch(cluster.client()?));
    wait_for_writes(&client, 200).await?;
    if let Some(to) = arguments.to.or(arguments.from) {
        cluster.restart_with(to);
    }
    for round in 1..=arguments.rounds {
        for id in cluster.ids() {
            let begun = Instant::now();
            let ended = cluster.end(id, Signal::SIGTERM).await?;
            ensure!(ended.success(), "node {id} ended with {ended}");
            let down = begun.elapsed();
            cluster.start_node(id)?;
            cluster.wait_until_whole().await?;
            let whole = begun.elapsed();
            wait_for_writes(&client, 100).await?;
            println!("round {round}, node {id}: stopped in {down:.1?}, whole again after {whole:.1?}");
        }
    }
    let acked = writers.finish().await.context("a write was refused")?;
    let revision = chains_agree::check(&cluster).await?;
    for id in cluster.ids() {
        acked_writes_survive::check(&cluster.client_of(&[id])?, &acked, revision).await?;
    }
    let mark = proto::DeleteDeviceRequest { name: names::device(NAMESPACE, "d0"), ..Default::default() };
    client.devices().delete(mark).await?;
    let seen =
        tokio::time::timeout(Duration::from_secs(30), watching).await.context("the watcher fell silent")???;
    ensure!(seen >= acked.len(), "the watcher was told {seen} patches, {} were acknowledged", acked.len());
    println!("{} writes acknowledged, none refused, none lost; the watcher was told {seen}", acked.len());
    Ok(())
}

/// Counts patches until a device is deleted, and fails when revisions do not follow each other.
async fn watch(client: Client) -> anyhow::Result<usize> {
    let spec =
        proto::WatchSpec { id: 1, from_revision: 1, resource: names::namespace(NAMESPACE), ..Default::default() };
    let mut watcher = client.watch(proto::WatchRequest { watches: vec![spec], ..Default::default() });
    let (mut patches, mut last) = (0, (0, 0));
    loop {
        let Some(Content::Events(events)) = watcher.next().await?.content else { continue };
        for event in events.events.into_iter().filter_map(|told| told.event) {
            ensure!((event.revision, event.index) > last, "revision {} came after {last:?}", event.revision);
            last = (event.revision, event.index);
            patches += usize::from(event.kind == "twin.patched");
            if event.kind == "device.deleted" {
                return Ok(patches);
            }
        }
    }
}
