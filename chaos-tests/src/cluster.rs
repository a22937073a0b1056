//! A cluster of real processes on loopback, in a temporary folder, with certificates of its own.
//!
//! Invariants: ports are free ones, every process dies with the test, and the logs are shown when a test fails.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use muster_client::{Client, ClientConfig, RetryPolicy, proto};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub use crate::built::{binary, shared_data};
use crate::crash_lab::record;
use crate::eventually::eventually;
pub use crate::pids::Pids;

/// Lines of a node's log that are shown when a test fails.
const LOG_LINES_SHOWN: usize = 40;

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

    async fn make_certificates(&self, nodes: u64) -> anyhow::Result<()> {
        let made = Command::new(&self.musterd)
            .args(["pki", "init", "--nodes", &nodes.to_string(), "--dir"])
            .arg(self.pki())
            .output()
            .await?;
        ensure!(made.status.success(), "musterd pki init: {}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    fn write_settings(&mut self, options: &Options) -> anyhow::Result<()> {
        let cluster_id = fs::read_to_string(self.pki().join("cluster-id"))?;
        let ports: Vec<[u16; 3]> = (0..options.nodes).map(|_| free_ports()).collect::<anyhow::Result<_>>()?;
        let members: String = (1..=options.nodes)
            .zip(&ports)
            .map(|(id, [client, peer, _])| {
                format!(
                    "[[cluster.members]]\nid = {id}\nname = \"n{id}\"\npeer_address = \"127.0.0.1:{peer}\"\n\
                     client_address = \"127.0.0.1:{client}\"\n"
                )
            })
            .collect();
        for (id, ports) in (1..=options.nodes).zip(&ports) {
            let cluster = format!("[cluster]\nid = \"{}\"\n{members}", cluster_id.trim());
            self.write_node(
                id,
                ports,
                &format!("admin_token_file = \"{}\"", self.pki().join("admin.token").display()),
                &cluster,
            )?;
        }
        Ok(())
    }

    fn write_node(&mut self, id: u64, ports: &[u16; 3], security: &str, cluster: &str) -> anyhow::Result<()> {
        let [client, peer, http] = ports;
        let folder = self.folder.path().join(format!("n{id}"));
        fs::create_dir(&folder)?;
        let pki = self.pki().join(format!("nodes/n{id}"));
        let pki = pki.display();
        let settings = format!(
            "[node]\nid = {id}\nname = \"n{id}\"\ndata_dir = \"data\"\n\
             [client_listener]\naddress = \"127.0.0.1:{client}\"\n\
             [client_listener.tls]\ncert_file = \"{pki}/server.crt\"\nkey_file = \"{pki}/server.key\"\n\
             client_ca_file = \"{pki}/client-ca.crt\"\n\
             [peer_listener]\naddress = \"127.0.0.1:{peer}\"\n\
             [peer_listener.tls]\ncert_file = \"{pki}/peer.crt\"\nkey_file = \"{pki}/peer.key\"\n\
             ca_file = \"{pki}/peer-ca.crt\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n\
             [security]\nsecrets_key_file = \"{pki}/secrets.key\"\n{security}\n\
             {}\n{cluster}",
            self.settings,
        );
        fs::write(folder.join("node.toml"), settings)?;
        fs::write(folder.join(DISK_FAULTS), [0; 64])?;
        self.nodes.push(Node { id, client_port: *client, peer_port: *peer, folder, process: None });
        Ok(())
    }

    /// Admits a node, makes what it needs, and starts it; returns its id.
    ///
    /// # Errors
    /// When a step fails, with what it printed.
    pub async fn add_node(&mut self, admission: proto::AdmitNodeRequest) -> anyhow::Result<u64> {
        let answer = self.client()?.members().admit(admission).await?;
        self.prepare_node(&answer).await?;
        self.start_node(answer.node_id)?;
        Ok(answer.node_id)
    }

    /// Makes certificates and settings of a node that was admitted, without starting it.
    ///
    /// # Errors
    /// When a step fails, with what it printed.
    pub async fn prepare_node(&mut self, admitted: &proto::AdmitNodeResponse) -> anyhow::Result<()> {
        let id = admitted.node_id;
        let made = Command::new(&self.musterd)
            .args(["pki", "node", "--id", &id.to_string(), "--node", &format!("n{id}=localhost,127.0.0.1"), "--dir"])
            .arg(self.pki())
            .output()
            .await?;
        ensure!(made.status.success(), "musterd pki node: {}", String::from_utf8_lossy(&made.stderr));
        let cluster_id = fs::read_to_string(self.pki().join("cluster-id"))?;
        let join: Vec<String> = admitted.peer_addresses.iter().map(|address| format!("\"{address}\"")).collect();
        let cluster = format!(
            "[cluster]\nid = \"{}\"\njoin = [{}]\njoin_token_file = \"join.token\"\n",
            cluster_id.trim(),
            join.join(", ")
        );
        self.write_node(id, &free_ports()?, "", &cluster)?;
        let token = self.node(id).folder.join("join.token");
        fs::write(&token, format!("{}\n", admitted.join_token))?;
        Ok(fs::set_permissions(token, fs::Permissions::from_mode(0o600))?)
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

    /// Waits until `wanted` holds for the list of members.
    ///
    /// # Errors
    /// When that takes more than 60 s.
    pub async fn wait_for_members(
        &self,
        what: &str,
        wanted: impl Fn(&[proto::Member]) -> bool,
    ) -> anyhow::Result<Vec<proto::Member>> {
        let client = self.client()?;
        eventually(what, Duration::from_secs(60), async || {
            let request = proto::ListMembersRequest { show_removed: false };
            let members = client.members().list(request).await.map_err(|error| error.to_string())?.members;
            if wanted(&members) { Ok(members) } else { Err(format!("{members:?}")) }
        })
        .await
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
        match tokio::time::timeout(Duration::from_secs(20), process.wait()).await {
            Ok(status) => {
                self.node_mut(id).process = None;
                Ok(status?)
            }
            Err(_) => bail!("node {id} did not end within 20 s"),
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

    /// A client of the given members, as admin, that retries for up to 30 s.
    ///
    /// # Errors
    /// When certificates are missing.
    pub fn client_of(&self, ids: &[u64]) -> anyhow::Result<Client> {
        Ok(Client::new(self.client_config(ids)?.token_file(self.pki().join("admin.token"))?)?)
    }

    /// A client of all members, as admin.
    ///
    /// # Errors
    /// When certificates are missing.
    pub fn client(&self) -> anyhow::Result<Client> {
        self.client_of(&self.ids())
    }

    /// Settings of a client of the given members, without credentials.
    ///
    /// # Errors
    /// When certificates are missing.
    pub fn client_config(&self, ids: &[u64]) -> anyhow::Result<ClientConfig> {
        let endpoints: Vec<String> = ids.iter().map(|id| self.endpoint(*id)).collect();
        let retry = RetryPolicy { attempt_timeout: Duration::from_secs(5), ..RetryPolicy::default() };
        Ok(ClientConfig::new(endpoints)
            .ca_file(self.pki().join("client-ca.crt"))?
            .server_name("localhost")
            .retry(retry))
    }

    /// The address of a member for clients.
    #[must_use]
    pub fn endpoint(&self, id: u64) -> String {
        format!("https://127.0.0.1:{}", self.node(id).client_port)
    }

    /// The status as one member sees it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn status_of(&self, id: u64) -> anyhow::Result<proto::GetStatusResponse> {
        Ok(self.client_of(&[id])?.cluster().status(proto::GetStatusRequest {}).await?)
    }

    /// The leader that the members in reach agree on.
    ///
    /// # Errors
    /// When there is none for 20 s.
    pub async fn leader(&self) -> anyhow::Result<u64> {
        let client = self.client()?;
        eventually("a leader", Duration::from_secs(20), async || {
            let status =
                client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
            match status.leader_id {
                0 => Err("no leader is known".to_owned()),
                id => Ok(id),
            }
        })
        .await
    }

    /// Waits until all members are in reach and writes are accepted.
    ///
    /// # Errors
    /// When that takes more than 60 s.
    pub async fn wait_until_whole(&self) -> anyhow::Result<()> {
        let client = self.client()?;
        let nodes = self.nodes.len();
        eventually("all members in reach", Duration::from_secs(60), async || {
            let status =
                client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
            let reachable = status.members.iter().filter(|member| member.reachable).count();
            if status.can_write && reachable == nodes {
                Ok(())
            } else {
                Err(format!("{reachable} of {nodes} in reach, writes accepted: {}", status.can_write))
            }
        })
        .await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for node in &self.nodes {
            let log = fs::read_to_string(node.folder.join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
            #[allow(clippy::print_stderr, reason = "a failed test shows what the nodes said")]
            {
                eprintln!("--- log of node {} ---\n{shown}", node.id);
            }
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

/// Three ports that are free now. They are chosen apart, so that no two nodes get the same.
fn free_ports() -> anyhow::Result<[u16; 3]> {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(listeners) {
        *port = listener?.local_addr()?.port();
    }
    Ok(ports)
}
