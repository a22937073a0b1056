//! Power cuts without a model: each node's data on an ext4 of its own, on a loop device; under load all of them are
//! shut down at one instant without flushing anything, the nodes killed, the file systems mounted again, the nodes
//! started, and every acknowledged write looked for.
//!
//! Needs root and loop devices, and says so where they are not there. Mounts are taken away also when a run fails.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use muster_client::Client;
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::built::binary;
use crate::cluster::{Cluster, Options};
use crate::invariants::{acked_writes_survive, chains_agree};
use crate::workload::{Acked, Writers, prepare};

/// Bytes of each file system; sparse.
const DISK_BYTES: u64 = 1 << 30;
const WRITERS: usize = 6;
/// How long killed processes may take to be gone.
const ENDED_MAX: Duration = Duration::from_secs(5);
/// As in recordings: much happens to files in a short time.
const SETTINGS: &str = "[raft]\nsnapshot_entries = 200\nlog_keep_entries = 100\n\
                        [storage]\nstate_memtable_bytes = 1048576\ndisk_free_min_bytes = 0\n";

/// What to do.
#[derive(Debug, Clone)]
pub struct Task {
    /// Nodes.
    pub nodes: u64,
    /// Cuts of all nodes.
    pub rounds: u64,
    /// Chooses when.
    pub seed: u64,
    /// Another musterd than the one built here.
    pub musterd: Option<PathBuf>,
}

/// What a run came to.
#[derive(Debug)]
pub enum Outcome {
    /// Not here, and why.
    Skipped(String),
    /// Cuts, writes that were acknowledged and are all there, and how long the slowest return to accepting writes took.
    Survived {
        /// Cuts.
        cuts: u64,
        /// Writes.
        acknowledged: u64,
        /// See above.
        slowest: Duration,
    },
}

/// One file system, mounted as long as this value lives.
struct Mount {
    image: PathBuf,
    at: PathBuf,
}

impl Mount {
    fn make(image: PathBuf, at: PathBuf) -> anyhow::Result<Self> {
        File::create(&image)?.set_len(DISK_BYTES)?;
        call(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        std::fs::create_dir_all(&at)?;
        let this = Self { image, at };
        this.mount()?;
        Ok(this)
    }

    fn mount(&self) -> anyhow::Result<()> {
        call(Command::new("mount").args(["-t", "ext4", "-o", "loop,data=ordered"]).arg(&self.image).arg(&self.at))
    }

    fn unmount(&self) -> anyhow::Result<()> {
        call(Command::new("umount").arg(&self.at))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.unmount().is_err() {
            // A process of a failed run may still be there for a moment.
            call(Command::new("umount").arg("-l").arg(&self.at)).ok();
        }
    }
}

fn call(command: &mut Command) -> anyhow::Result<()> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(())
}

/// Why there are no power cuts here; `None` when there may be.
fn missing(folder: &Path) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("mounting needs root".to_owned());
    }
    let tried = Mount::make(folder.join("try.img"), folder.join("try"))
        .and_then(|mount| call(Command::new(binary("muster-power-cut")?).arg(&mount.at)));
    tried.err().map(|error| format!("no ext4 on a loop device, or none that can be shut down: {error:#}"))
}

/// Cuts and looks.
///
/// # Errors
/// What is missing, or why the cluster did not come back.
pub async fn run(task: &Task) -> anyhow::Result<Outcome> {
    let options = Options { nodes: task.nodes, settings: SETTINGS.to_owned(), ..Options::default() };
    let cluster = Cluster::prepare(options, task.musterd.clone()).await?;
    if let Some(why) = missing(cluster.scratch()) {
        return Ok(Outcome::Skipped(why));
    }
    let mounts = cluster
        .ids()
        .into_iter()
        .map(|id| Mount::make(cluster.scratch().join(format!("n{id}.img")), cluster.data_dir(id)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut world = World { cluster, mounts };
    world.cluster.start_all().await?;
    world.run(task).await
}

/// Taken away in this order: processes, what they use, and the folder that all of it lies in.
struct World {
    cluster: Cluster,
    mounts: Vec<Mount>,
}

impl Drop for World {
    fn drop(&mut self) {
        let pids: Vec<u32> = self.cluster.ids().into_iter().filter_map(|id| self.cluster.pid_of(id)).collect();
        self.cluster.ids().into_iter().for_each(|id| drop(self.cluster.signal(id, Signal::SIGKILL)));
        let lives = |pid: &u32| {
            // `pid (name) state …`: a zombie has let go of its files.
            let about = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            about.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
        };
        let begun = Instant::now();
        while pids.iter().any(lives) && begun.elapsed() < ENDED_MAX {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.mounts.clear();
    }
}

impl World {
    async fn run(&mut self, task: &Task) -> anyhow::Result<Outcome> {
        let mut chance = StdRng::seed_from_u64(task.seed);
        let client = self.cluster.client()?;
        prepare(&client, WRITERS).await?;
        let mut acknowledged = 0;
        let mut slowest = Duration::ZERO;
        for round in 0..task.rounds {
            let acked = self.round(Duration::from_millis(chance.random_range(300..2_500)), &mut slowest).await;
            let acked =
                acked.with_context(|| format!("cut {} of {} (seed {:#x})", round + 1, task.rounds, task.seed))?;
            acknowledged += acked.len() as u64;
        }
        Ok(Outcome::Survived { cuts: task.rounds, acknowledged, slowest })
    }

    /// Load, a cut in the middle of it, a start, and a look for everything.
    async fn round(&mut self, load: Duration, slowest: &mut Duration) -> anyhow::Result<Vec<Acked>> {
        let clients: Vec<Client> = (0..WRITERS).map(|_| self.cluster.client()).collect::<anyhow::Result<_>>()?;
        let writers = Writers::start(clients);
        tokio::time::sleep(load).await;
        let acked = {
            let mut cut = Command::new(binary("muster-power-cut")?);
            cut.args(self.mounts.iter().map(|mount| &mount.at));
            call(&mut cut)?;
            let ids = self.cluster.ids();
            self.cluster.kill(&ids).await?;
            for mount in &self.mounts {
                mount.unmount()?;
                mount.mount()?;
            }
            let begun = Instant::now();
            self.cluster.start_all().await.context("after a power cut of all nodes")?;
            *slowest = begun.elapsed().max(*slowest);
            writers.finish().await?
        };
        if acked.is_empty() {
            bail!("nothing was acknowledged");
        }
        let newest = acked.iter().map(|write| write.revision).max().unwrap_or_default();
        for id in self.cluster.ids() {
            let node = self.cluster.client_of(&[id])?;
            acked_writes_survive::check(&node, &acked, newest).await.with_context(|| format!("node {id}"))?;
        }
        chains_agree::check(&self.cluster).await?;
        Ok(acked)
    }
}
