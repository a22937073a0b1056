//! A cluster of real processes on loopback, in a temporary folder, with certificates of its own.
//!
//! `making` prepares members, `asking` is how a test asks them. Invariants: ports are free ones, every process dies with
//! the test, and the logs are shown when a test fails.

mod asking;
mod making;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub use crate::built::{binary, shared_data};
use crate::crash_lab::record;
pub use crate::pids::Pids;

/// Lines of a node's log that are shown when a test fails.
const LOG_LINES_SHOWN: usize = 40;
/// How long it may take until a member has come to where it ends by itself.
const EXIT_PATIENCE: Duration = Duration::from_secs(60);

/// The file in a node's folder that says how its disk and its clock fail.
pub const DISK_FAULTS: &str = "disk-faults";
/// The file in a node's folder that says by which ways it dials its peers.
pub const DETOURS: &str = "detours";

/// What kind of cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// Members.
    pub nodes: u64,
    /// Settings added to each node's file, such as `[raft]\nsnapshot_entries = 50`.
    pub settings: String,
    /// Nodes run with the library of disk faults, and take detours to each other where there are any.
    pub breakable: bool,
    /// Nodes run with the crash lab's library, which writes down each change of their data into this folder.
    pub recorded: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodes: 3, settings: String::new(), breakable: false, recorded: None }
    }
}

/// One member.
struct Node {
    id: u64,
    client_port: u16,
    peer_port: u16,
    folder: PathBuf,
    process: Option<Child>,
}

/// A running cluster.
pub struct Cluster {
    folder: TempDir,
    musterd: PathBuf,
    settings: String,
    /// What is preloaded into nodes.
    preload: Option<PathBuf>,
    /// What writes down changes of files, and where to.
    recorded: Option<(PathBuf, PathBuf)>,
    pids: Pids,
    nodes: Vec<Node>,
}

impl Cluster {
    /// Makes certificates and settings, starts all members and waits until writes are accepted.
    ///
    /// # Errors
    /// When a step fails, with what it printed.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        Self::start_with(options, None).await
    }

    /// The same, with another `musterd` than the one built here.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(options: Options, musterd: Option<PathBuf>) -> anyhow::Result<Self> {
        let mut cluster = Self::prepare(options, musterd).await?;
        cluster.start_all().await?;
        Ok(cluster)
    }

    /// Makes certificates and settings, and starts nothing.
    ///
    /// # Errors
    /// When a step fails, with what it printed.
    pub async fn prepare(options: Options, musterd: Option<PathBuf>) -> anyhow::Result<Self> {
        let musterd = musterd.map_or_else(|| binary("musterd"), Ok)?;
        let preload = options.breakable.then(|| binary("libmuster_disk_faults.so")).transpose()?;
        let recorded = options.recorded.clone().map(|folder| anyhow::Ok((binary("libmuster_crash_shim.so")?, folder)));
        let folder = TempDir::with_prefix("muster-chaos-")?;
        let mut cluster = Self {
            folder,
            musterd,
            settings: options.settings.clone(),
            preload,
            recorded: recorded.transpose()?,
            pids: Pids::default(),
            nodes: Vec::new(),
        };
        cluster.make_certificates(options.nodes).await?;
        cluster.write_settings(&options)?;
        Ok(cluster)
    }

    /// Starts all members and waits until writes are accepted.
    ///
    /// # Errors
    /// When a process cannot be started, or the cluster does not come up.
    pub async fn start_all(&mut self) -> anyhow::Result<()> {
        for id in self.ids() {
            self.start_node(id)?;
        }
        self.wait_until_whole().await
    }

    /// Takes a member that was removed and has ended off the list.
    ///
    /// # Errors
    /// When its process still runs.
    pub fn forget_node(&mut self, id: u64) -> anyhow::Result<()> {
        ensure!(self.node(id).process.is_none(), "node {id} still runs");
        self.nodes.retain(|node| node.id != id);
        Ok(())
    }

    /// Where certificates and secrets lie.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.folder.path().join("pki")
    }

    /// A folder for what a test writes.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of a member: settings, log, data, and what breaks it.
    #[must_use]
    pub fn folder_of(&self, id: u64) -> &Path {
        &self.node(id).folder
    }

    /// Where its peers dial a member.
    #[must_use]
    pub fn peer_address(&self, id: u64) -> String {
        format!("127.0.0.1:{}", self.node(id).peer_port)
    }

    /// The process of a member; `None` when it does not run.
    #[must_use]
    pub fn pid_of(&self, id: u64) -> Option<u32> {
        self.node(id).process.as_ref().and_then(Child::id)
    }

    /// The data directory of a member.
    #[must_use]
    pub fn data_dir(&self, id: u64) -> PathBuf {
        self.node(id).folder.join("data")
    }

    /// Ids of all members.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    fn node(&self, id: u64) -> &Node {
        self.nodes.iter().find(|node| node.id == id).expect("the test names a member")
    }

    fn node_mut(&mut self, id: u64) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).expect("the test names a member")
    }

    /// From now on nodes are started with this `musterd`.
    pub fn restart_with(&mut self, musterd: PathBuf) {
        self.musterd = musterd;
    }

    /// Starts a member that is not running.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start_node(&mut self, id: u64) -> anyhow::Result<()> {
        self.start_armed(id, None)
    }

    /// The same, with a failpoint at which the process ends; see the node's `failpoint.rs`.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start_armed(&mut self, id: u64, failpoint: Option<&str>) -> anyhow::Result<()> {
        let (musterd, preload) = (self.musterd.clone(), self.preload.clone());
        let recorded = self.recorded.clone();
        let node = self.node_mut(id);
        let log = File::options().create(true).append(true).open(node.folder.join("log"))?;
        let process = Command::new(musterd)
            .arg("--config")
            .arg(node.folder.join("node.toml"))
            .envs(failpoint.map(|failpoint| ("MUSTER_FAILPOINT", failpoint)))
            .envs(breakable(preload.as_deref(), &node.folder))
            .envs(
                recorded
                    .map(|(library, into)| record::environment(&library, &into, node.id, &node.folder))
                    .into_iter()
                    .flatten(),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("musterd")?;
        let pid = process.id();
        node.process = Some(process);
        self.pids.note(id, pid);
        Ok(())
    }

    /// The processes of members, also for those who do not hold the cluster.
    #[must_use]
    pub fn pids(&self) -> Pids {
        self.pids.clone()
    }

    /// Sends a signal to a member.
    ///
    /// # Errors
    /// When it is not running.
    pub fn signal(&self, id: u64, signal: Signal) -> anyhow::Result<()> {
        let pid = self.node(id).process.as_ref().and_then(Child::id).context("the node is not running")?;
        Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
    }

    /// Sends a signal to a member and waits until it is gone.
    ///
    /// # Errors
    /// When it is not running, or does not end in time.
    pub async fn end(&mut self, id: u64, signal: Signal) -> anyhow::Result<ExitStatus> {
        self.signal(id, signal)?;
        let mut process = self.node_mut(id).process.take().context("the node is not running")?;
        match tokio::time::timeout(Duration::from_secs(20), process.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("node {id} did not end within 20 s after {signal}"),
        }
    }

    /// Waits until a member ends by itself.
    ///
    /// # Errors
    /// When it is not running, or goes on running.
    pub async fn wait_for_exit(&mut self, id: u64) -> anyhow::Result<ExitStatus> {
        let process = self.node_mut(id).process.as_mut().context("the node is not running")?;
        match tokio::time::timeout(EXIT_PATIENCE, process.wait()).await {
            Ok(status) => {
                self.node_mut(id).process = None;
                Ok(status?)
            }
            Err(_) => bail!("node {id} did not end within {EXIT_PATIENCE:?}"),
        }
    }

    /// How a member ended, if it did by itself since it was started; it can be started again then.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn ended(&mut self, id: u64) -> anyhow::Result<Option<ExitStatus>> {
        let Some(process) = self.node_mut(id).process.as_mut() else { return Ok(None) };
        let status = process.try_wait()?;
        if status.is_some() {
            self.node_mut(id).process = None;
        }
        Ok(status)
    }

    /// What a member has logged.
    ///
    /// # Errors
    /// When it was never started.
    pub fn log_of(&self, id: u64) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.node(id).folder.join("log"))?)
    }

    /// What each node logged last, for who looks into a failure.
    #[must_use]
    pub fn last_words(&self) -> String {
        let words = self.nodes.iter().map(|node| {
            let log = fs::read_to_string(node.folder.join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
            format!("--- log of node {} ---\n{shown}\n", node.id)
        });
        words.collect()
    }

    /// Kills members at once, without a chance to write anything.
    ///
    /// # Errors
    /// When one is not running.
    pub async fn kill(&mut self, ids: &[u64]) -> anyhow::Result<()> {
        for id in ids {
            self.signal(*id, Signal::SIGKILL)?;
        }
        for id in ids {
            if let Some(mut process) = self.node_mut(*id).process.take() {
                process.wait().await?;
            }
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        #[allow(clippy::print_stderr, reason = "a failed test shows what the nodes said")]
        {
            eprintln!("{}", self.last_words());
        }
    }
}

/// What tells a breakable node where its faults are written.
fn breakable(preload: Option<&Path>, folder: &Path) -> Vec<(&'static str, PathBuf)> {
    preload.map_or_else(Vec::new, |library| {
        vec![
            ("LD_PRELOAD", library.to_owned()),
            ("MUSTER_DISK_FAULTS", folder.join(DISK_FAULTS)),
            ("MUSTER_PEER_DETOURS", folder.join(DETOURS)),
        ]
    })
}
