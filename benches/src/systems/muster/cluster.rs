//! Several `musterd` on free loopback ports: their certificates, their configuration, their start.
//!
//! Without `--tls` the nodes run with `insecure_dev`, as etcd does without TLS beside them; tokens are checked in both
//! cases. With it, clients and peers use TLS with certificates made by `musterd pki`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use http::HeaderValue;
use muster_proto::v1;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::connections::{Connections, Tls};
use crate::grpc::Method;
use crate::process::{Process, free_ports};

/// How long the cluster may take until every node knows a leader and a majority.
const START_WITHIN: Duration = Duration::from_secs(60);

/// How long making the certificates may take.
const PKI_WITHIN: Duration = Duration::from_secs(30);

/// How long a node may take to say how it is.
const STATUS_WITHIN: Duration = Duration::from_secs(5);

type GetStatus = Method<v1::GetStatusRequest, v1::GetStatusResponse>;

/// The running nodes.
pub(crate) struct Cluster {
    program: PathBuf,
    folder: PathBuf,
    /// In the order of node ids, which begin with 1.
    nodes: Vec<Process>,
    addresses: Vec<String>,
    token: HeaderValue,
    tls: Option<Tls>,
}

impl Cluster {
    pub(crate) async fn start(program: &Path, folder: &Path, count: usize, with_tls: bool) -> Result<Self> {
        let pki = make_pki(program, folder, count).await?;
        let ports = free_ports(3 * count)?;
        let mut nodes = Vec::with_capacity(count);
        for node in 0..count {
            let name = node_name(node);
            let file = configuration_file(folder, node);
            fs::write(&file, configuration(&pki, &ports, node, count, with_tls)?)
                .context("write a node's configuration")?;
            nodes.push(Process::start(&name, program, [Path::new("--config"), &file], folder)?);
        }
        let tls = if with_tls {
            Some(Tls::new(&fs::read(pki.join("client-ca.crt")).context("read the authority")?)?)
        } else {
            None
        };
        let token = fs::read_to_string(pki.join("admin.token")).context("read the admin token")?;
        let mut cluster = Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            nodes,
            addresses: ports[..count].iter().map(|port| format!("127.0.0.1:{port}")).collect(),
            token: format!("Bearer {}", token.trim()).parse().context("read the admin token")?,
            tls,
        };
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    /// Every node's address for clients, as URLs.
    pub(crate) fn urls(&self) -> Vec<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.addresses.iter().map(|address| format!("{scheme}://{address}")).collect()
    }

    /// The leader's address for clients, as URL.
    pub(crate) async fn leader_url(&self) -> Result<String> {
        let urls = self.urls();
        let leader = self.status(&urls[0]).await?.leader_id;
        let place = usize::try_from(leader).ok().and_then(|id| id.checked_sub(1));
        place.and_then(|place| urls.get(place).cloned()).context("no node leads")
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// What goes with every call: authentication is part of what a call costs.
    pub(crate) fn token(&self) -> HeaderValue {
        self.token.clone()
    }

    pub(crate) fn processes(&self) -> Vec<(String, u32)> {
        self.nodes.iter().map(|node| (node.name.clone(), node.pid)).collect()
    }

    pub(crate) fn check_running(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Process::check_running)
    }

    /// The place of the node that leads.
    pub(crate) async fn leader(&self) -> Result<usize> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            for url in self.urls() {
                if let Ok(status) = self.status(&url).await
                    && status.can_write
                    && let Some(place) = usize::try_from(status.leader_id).ok().and_then(|id| id.checked_sub(1))
                {
                    return Ok(place);
                }
            }
            ensure!(Instant::now() < deadline, "no node leads");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether a node that was asked to end has done so.
    pub(crate) fn has_ended(&mut self, node: usize) -> Result<bool> {
        self.nodes[node].has_ended()
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self, node: usize) -> Result<()> {
        self.nodes[node].kill().await
    }

    /// SIGTERM, without waiting for the end.
    pub(crate) fn terminate(&mut self, node: usize) -> Result<()> {
        self.nodes[node].terminate()
    }

    /// Where a node keeps its data.
    pub(crate) fn data_folder(&self, node: usize) -> PathBuf {
        self.folder.join(format!("data-{}", node_name(node)))
    }

    /// The administrator's token.
    pub(crate) fn secret(&self) -> String {
        let text = self.token.to_str().unwrap_or_default();
        text.trim_start_matches("Bearer ").to_owned()
    }

    /// Waits until a node that was asked to end has done so.
    pub(crate) async fn wait_for_end(&mut self, node: usize) -> Result<()> {
        self.nodes[node].ended().await
    }

    /// Starts a node that has ended, or is about to, and waits until all nodes are in reach and even.
    pub(crate) async fn restart(&mut self, node: usize) -> Result<()> {
        self.restart_within(node, START_WITHIN).await
    }

    /// The same, with a bound of its own.
    pub(crate) async fn restart_within(&mut self, node: usize, limit: Duration) -> Result<()> {
        self.nodes[node].ended().await?;
        self.start_again(node)?;
        let deadline = Instant::now() + limit;
        loop {
            let status = self.status(&self.urls()[node]).await;
            if status.as_ref().is_ok_and(|status| {
                status.can_write && status.members.iter().all(|member| member.reachable && member.applied_lag == 0)
            }) {
                return Ok(());
            }
            self.check_running()?;
            ensure!(Instant::now() < deadline, "the node did not come back: {status:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts a node that has ended.
    pub(crate) fn start_again(&mut self, node: usize) -> Result<()> {
        let file = configuration_file(&self.folder, node);
        self.nodes[node] =
            Process::start(&node_name(node), &self.program, [Path::new("--config"), &file], &self.folder)?;
        Ok(())
    }

    pub(crate) async fn stop(self) {
        for node in self.nodes {
            node.stop().await;
        }
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_WITHIN;
        for url in self.urls() {
            loop {
                let state = match self.status(&url).await {
                    Ok(status) if status.leader_id != 0 && status.can_write => break,
                    Ok(status) => format!("leader {}, can write: {}", status.leader_id, status.can_write),
                    Err(error) => format!("{error:#}"),
                };
                self.check_running()?;
                ensure!(
                    Instant::now() < deadline,
                    "{url} was not ready in {START_WITHIN:?}: {state}\n{}",
                    self.nodes.iter().map(Process::log_tail).collect::<Vec<_>>().join("\n")
                );
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    async fn status(&self, url: &str) -> Result<v1::GetStatusResponse> {
        let connections = Connections::open(&[url.to_owned()], 1, self.tls.as_ref()).await?;
        let get: GetStatus = Method::new(connections.of(0), "/muster.v1.ClusterService/GetStatus", Some(&self.token));
        timeout(STATUS_WITHIN, get.call(&v1::GetStatusRequest {})).await?.map_err(anyhow::Error::msg)
    }
}

fn configuration_file(folder: &Path, node: usize) -> PathBuf {
    folder.join(format!("{}.toml", node_name(node)))
}

fn node_name(node: usize) -> String {
    format!("n{}", node + 1)
}

/// Makes certificates, keys and the admin token with the node's own command.
async fn make_pki(program: &Path, folder: &Path, count: usize) -> Result<PathBuf> {
    let pki = folder.join("pki");
    let mut command = Command::new(program);
    command.args(["pki", "init", "--nodes", &count.to_string(), "--dir"]).arg(&pki).kill_on_drop(true);
    let output = timeout(PKI_WITHIN, command.output())
        .await
        .context("musterd pki init takes too long")?
        .with_context(|| format!("start {}", program.display()))?;
    if !output.status.success() {
        bail!("musterd pki init ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(pki)
}

/// One node's configuration file. Ports: clients' first, then peers', then HTTP.
fn configuration(pki: &Path, ports: &[u16], node: usize, count: usize, with_tls: bool) -> Result<String> {
    let (client, peer, http) = (&ports[..count], &ports[count..2 * count], &ports[2 * count..]);
    let cluster_id = fs::read_to_string(pki.join("cluster-id")).context("read the cluster id")?;
    let (id, name) = (node + 1, node_name(node));
    let own = pki.join("nodes").join(&name);
    let own = own.display();
    let mut text = String::new();
    write!(
        text,
        "[node]\nid = {id}\nname = \"{name}\"\ndata_dir = \"data-{name}\"\n\n[cluster]\nid = \"{}\"\n",
        cluster_id.trim()
    )?;
    for member in 0..count {
        write!(
            text,
            "\n[[cluster.members]]\nid = {}\nname = \"{}\"\npeer_address = \"127.0.0.1:{}\"\nclient_address = \"127.0.0.1:{}\"\n",
            member + 1,
            node_name(member),
            peer[member],
            client[member]
        )?;
    }
    write!(text, "\n[client_listener]\naddress = \"127.0.0.1:{}\"\n", client[node])?;
    if with_tls {
        write!(
            text,
            "[client_listener.tls]\ncert_file = \"{own}/server.crt\"\nkey_file = \"{own}/server.key\"\n\
             client_ca_file = \"{own}/client-ca.crt\"\n"
        )?;
    }
    write!(text, "\n[peer_listener]\naddress = \"127.0.0.1:{}\"\n", peer[node])?;
    if with_tls {
        write!(
            text,
            "[peer_listener.tls]\ncert_file = \"{own}/peer.crt\"\nkey_file = \"{own}/peer.key\"\nca_file = \"{own}/peer-ca.crt\"\n"
        )?;
    }
    write!(text, "\n[http]\naddress = \"127.0.0.1:{}\"\n", http[node])?;
    write!(
        text,
        "\n[security]\ninsecure_dev = {}\nsecrets_key_file = \"{own}/secrets.key\"\nadmin_token_file = \"{own}/admin.token\"\n",
        !with_tls
    )?;
    write!(text, "\n[log]\nlevel = \"warn\"\n")?;
    Ok(text)
}
