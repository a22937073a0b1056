//! What finding and mending a difference moves: a real agent with 100,000 items, ten of which it lost or has in another
//! revision, comes back; every byte of its connection is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_edge::protocol::Write;
use muster_edge::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::agent::Agent;
use super::{Setting, sites};
use crate::talk::{print, say};
use crate::workload::{NAMESPACE, twin_name};

/// Devices, each with its twin.
const DEVICES: u32 = 50_000;
const QUICK_DEVICES: u32 = 1_000;
/// Items that differ.
const DAMAGED: u32 = 10;

/// Measures and prints.
pub(super) async fn run(setting: &Setting) -> Result<()> {
    let devices = if setting.is_quick { QUICK_DEVICES } else { DEVICES };
    let items = u64::from(devices) * 2;
    say(&format!("repair: {devices} devices with twins"));
    let cluster = setting.cluster(1, false).await?;
    sites::create(&cluster, 1, devices).await?;
    let folder = tempfile::tempdir_in(setting.folder.path())?.keep();
    let urls = cluster.urls();
    let mut agent = Agent::prepare(&setting.program, &folder, &cluster, &urls).await?;
    let counter = Counter::start(urls[0].trim_start_matches("http://")).await?;
    agent.redirect(&urls[0], &counter.url)?;

    let begun = Instant::now();
    agent.start()?;
    agent.in_step(items).await?;
    let (whole, took) = (counter.taken(), begun.elapsed());
    agent.end().await?;
    counter.taken();
    // How it comes back when nothing differs: what a repair adds is counted from here.
    agent.start()?;
    agent.in_step(items).await?;
    agent.end().await?;
    let calm = counter.taken();

    damage(&agent, devices)?;
    let begun = Instant::now();
    agent.start()?;
    let status = agent.in_step(items).await?;
    let mended = begun.elapsed();
    let repair = counter.taken();
    ensure!(status["repairs"] == 1, "no repair: {status}");
    print(&format!(
        "{items} items: whole snapshot {:.1} MiB down, {:.1} KiB up, {took:.1?}; coming back without a difference {} bytes down, {} up\n\
         {DAMAGED} of {items} items differ: {} bytes down, {} up, {mended:.1?} with the start; {} items sent",
        whole.0 as f64 / 1_048_576.0,
        whole.1 as f64 / 1_024.0,
        calm.0,
        calm.1,
        repair.0,
        repair.1,
        status["repaired_items"],
    ));
    agent.stop().await;
    cluster.stop().await;
    Ok(())
}

/// Half of them are lost, half are of another revision.
fn damage(agent: &Agent, devices: u32) -> Result<()> {
    let edge = format!("namespaces/{NAMESPACE}/edges/{}", sites::edge_id(0));
    let (store, _) = Store::open(&agent.store(), &edge, &mut rand::random).context("open the store")?;
    let names = (0..DAMAGED).map(|at| twin_name(at * (devices / DAMAGED)));
    let mut writes = Vec::new();
    for (at, name) in names.enumerate() {
        if at % 2 == 0 {
            writes.push(Write::RemoveItem(name));
        } else {
            let mut item = store.reader().item(&name)?.with_context(|| format!("{name} is held"))?;
            item.revision += 1_000_000;
            writes.push(Write::PutItem(Box::new(item)));
        }
    }
    Ok(store.commit(&writes, true)?)
}

/// A door in front of a node that counts bytes: down from the node, and up to it.
struct Counter {
    url: String,
    down: Arc<AtomicU64>,
    up: Arc<AtomicU64>,
}

impl Counter {
    async fn start(node: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (down, up) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counter = Self { url, down: Arc::clone(&down), up: Arc::clone(&up) };
        let node = node.to_owned();
        spawn_local(async move {
            while let Ok((edge, _)) = listener.accept().await {
                let Ok(node) = TcpStream::connect(&node).await else { continue };
                let ((from_edge, to_edge), (from_node, to_node)) = (edge.into_split(), node.into_split());
                spawn_local(pass(from_edge, to_node, Arc::clone(&up)));
                spawn_local(pass(from_node, to_edge, Arc::clone(&down)));
            }
        });
        Ok(counter)
    }

    /// Bytes down and up since it was asked last.
    fn taken(&self) -> (u64, u64) {
        (self.down.swap(0, Ordering::Relaxed), self.up.swap(0, Ordering::Relaxed))
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, bytes: Arc<AtomicU64>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
        bytes.fetch_add(read as u64, Ordering::Relaxed);
    }
    // The other side hears of the end.
    tokio::time::timeout(Duration::from_secs(1), to.shutdown()).await.ok();
}
