//! Records a cluster: real nodes on real disks, small files so that much happens to them, clients that note what was
//! acknowledged.
//!
//! ```text
//! first start ─ load ─ kill -9 of a node, start ─ load ─ orderly stop of a node (kept: n1.earlier), start ─ load ─
//! orderly stop of all (kept: n1.final, …)
//! ```
//!
//! A kill takes nothing from the page cache, so a recording goes on over it. It knows nothing of crashes and images.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_client::{Client, names, new_request_id, proto};
use nix::sys::signal::Signal;
use tokio::task::JoinHandle;

use super::acknowledged::{Facts, Notes};
use super::folders;
use super::rehearse::{Answer, Rehearser};
use crate::cluster::{Cluster, Options};
use crate::eventually::eventually;
use crate::workload::{NAMESPACE, prepare};

/// Bytes of a segment of the Raft log: some hundred rounds.
pub const SEGMENT_BYTES: usize = 128 << 10;
/// Small memory tables and frequent snapshots: flushes, purges and new files every second or so.
const SETTINGS: &str = "[raft]\nsnapshot_entries = 100\nlog_keep_entries = 60\n\
                        [storage]\nstate_memtable_bytes = 1048576\ndisk_free_min_bytes = 0\n";
/// Clients, each with a device of its own.
const WRITERS: usize = 8;
/// Bytes of each patch: documents large enough for memory tables to fill.
const PADDING_BYTES: u64 = 600;

/// What to record.
#[derive(Debug, Clone)]
pub struct Task {
    /// Nodes: 1, or 3.
    pub nodes: u64,
    /// Acknowledged writes, about.
    pub writes: u64,
    /// Where to; made anew.
    pub folder: PathBuf,
    /// Another musterd than the one built here.
    pub musterd: Option<PathBuf>,
}

/// What makes a node write down its changes.
pub(crate) fn environment(library: &Path, into: &Path, node: u64, folder: &Path) -> [(&'static str, PathBuf); 4] {
    [
        ("LD_PRELOAD", library.to_owned()),
        ("MUSTER_CRASH_ROOT", folder.join("data")),
        ("MUSTER_CRASH_RECORDING", into.join(format!("n{node}.recording"))),
        ("MUSTER_LOG_SEGMENT_BYTES", SEGMENT_BYTES.to_string().into()),
    ]
}

/// Runs the cluster, and leaves everything in the folder.
///
/// # Errors
/// When the cluster does not do what it should without any crash.
pub async fn record(task: &Task) -> anyhow::Result<Facts> {
    if task.folder.exists() {
        std::fs::remove_dir_all(&task.folder)?;
    }
    std::fs::create_dir_all(&task.folder)?;
    let into = task.folder.canonicalize()?;
    let recorded = Some(into.clone());
    let options = Options { nodes: task.nodes, settings: SETTINGS.to_owned(), breakable: false, recorded };
    let mut cluster = Cluster::prepare(options, task.musterd.clone()).await?;
    let cluster_id = std::fs::read_to_string(cluster.pki().join("cluster-id"))?.trim().to_owned();
    let roots: Vec<String> = cluster.ids().iter().map(|id| cluster.data_dir(*id).display().to_string()).collect();
    Facts::write(&into, &cluster_id, &roots)?;
    cluster.start_all().await?;
    let client = cluster.client()?;
    prepare(&client, WRITERS).await?;
    let load = Load::start(&cluster, Notes::create(&into, task.nodes)?)?;
    load.until(task.writes / 3).await?;
    let victim = cluster.leader().await?;
    cluster.kill(&[victim]).await?;
    cluster.start_node(victim)?;
    load.until(task.writes * 2 / 3).await?;
    cluster.end(1, Signal::SIGTERM).await?;
    folders::copy(&cluster.data_dir(1), &into.join("n1.earlier"))?;
    cluster.start_node(1)?;
    load.until(task.writes).await?;
    load.finish().await?;
    cluster.wait_until_whole().await?;
    settle(&cluster).await?;
    for id in cluster.ids() {
        let status = cluster.end(id, Signal::SIGTERM).await?;
        ensure!(status.success(), "node {id} ended with {status} as it was told to stop");
        folders::copy(&cluster.data_dir(id), &into.join(format!("n{id}.final")))?;
    }
    let reference = reference(&into, task.musterd.clone(), &cluster_id)?;
    std::fs::write(into.join("reference.json"), reference)?;
    Facts::read(&into)
}

/// Waits until all nodes have everything.
async fn settle(cluster: &Cluster) -> anyhow::Result<()> {
    let client = cluster.client()?;
    eventually("all nodes at one revision", Duration::from_secs(30), async || {
        let status = client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
        let revisions: Vec<u64> = status.members.iter().map(|member| member.revision).collect();
        if revisions.windows(2).all(|two| two[0] == two[1]) { Ok(()) } else { Err(format!("{revisions:?}")) }
    })
    .await
}

/// What the first node tells of its data as it ended.
fn reference(folder: &Path, musterd: Option<PathBuf>, cluster_id: &str) -> anyhow::Result<String> {
    let images = folders::for_images()?;
    let data = images.path().join("data");
    folders::copy(&folder.join("n1.final"), &data)?;
    let musterd = musterd.map_or_else(|| crate::built::binary("musterd"), Ok)?;
    let mut rehearser = Rehearser::new(musterd, SEGMENT_BYTES, images.path().join("errors"));
    match rehearser.ask(&data, cluster_id, 1)? {
        Answer::Started(told) => Ok(told.to_string()),
        other => anyhow::bail!("a node that stopped in order does not start again: {other:?}"),
    }
}

/// Clients that write until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Load {
    fn start(cluster: &Cluster, notes: Notes) -> anyhow::Result<Self> {
        let (stop, acknowledged, notes) = (Arc::default(), Arc::default(), Arc::new(notes));
        let tasks = (0..WRITERS)
            .map(|writer| {
                let client = cluster.client()?;
                let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
                Ok(tokio::spawn(write(client, writer, Arc::clone(&notes), stop, acknowledged)))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { stop, acknowledged, tasks })
    }

    async fn until(&self, writes: u64) -> anyhow::Result<()> {
        eventually("writes are acknowledged", Duration::from_secs(120), async || {
            let now = self.acknowledged.load(Ordering::Relaxed);
            if self.tasks.iter().any(JoinHandle::is_finished) {
                return Err("a client gave up".to_owned());
            }
            if now >= writes { Ok(()) } else { Err(format!("{now} of {writes}")) }
        })
        .await
    }

    async fn finish(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Release);
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

/// Patches a device of its own, and now and then makes one or takes one away.
async fn write(
    client: Client,
    writer: usize,
    notes: Arc<Notes>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let mut sequence = 0_u64;
    while !stop.load(Ordering::Acquire) {
        sequence += 1;
        let request_id = new_request_id();
        let extra = format!("e{writer}-{}", sequence / 20);
        let answered = match sequence % 20 {
            7 => create(&client, extra, request_id.clone()).await,
            17 => delete(&client, &extra, request_id.clone()).await,
            _ => patch(&client, &format!("d{writer}"), sequence, request_id.clone()).await,
        };
        match answered {
            Ok(header) => {
                let header = header.context("an answer without a header")?;
                notes.note(header.node_id, header.raft_term, header.revision, &request_id)?;
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            // Never answered, or, for a device that is taken away, its creation was not.
            Err(error) if error.is_retryable() || error.is_outcome_unknown() || sequence % 20 == 17 => {}
            Err(error) => return Err(error).context(format!("write {sequence} of writer {writer}")),
        }
    }
    Ok(())
}

type Answered = Result<Option<proto::ResponseHeader>, muster_client::CallError>;

async fn create(client: &Client, device_id: String, request_id: String) -> Answered {
    let parent = names::namespace(NAMESPACE);
    let request = proto::CreateDeviceRequest { parent, device_id, request_id, ..Default::default() };
    Ok(client.devices().create(request).await?.header)
}

async fn delete(client: &Client, device: &str, request_id: String) -> Answered {
    let request =
        proto::DeleteDeviceRequest { name: names::device(NAMESPACE, device), request_id, ..Default::default() };
    Ok(client.devices().delete(request).await?.header)
}

async fn patch(client: &Client, device: &str, sequence: u64, request_id: String) -> Answered {
    // Like no other, and not to be compressed to nothing.
    let mut state = sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let padding: String = (0..PADDING_BYTES)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b'a' + u8::try_from(state % 26).unwrap_or_default())
        })
        .collect();
    let request = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, device),
        desired_json: Some(format!("{{\"sequence\":{sequence},\"padding\":\"{padding}\"}}")),
        request_id,
        ..Default::default()
    };
    Ok(client.twins().patch(request).await?.header)
}
