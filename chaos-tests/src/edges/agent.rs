//! A real `muster-edge` in a folder, with a token of its own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_client::{Client, ClientConfig, RetryPolicy, proto};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::NAMESPACE;
use crate::cluster::{Cluster, binary};
use crate::eventually::eventually;

/// How long anything may take here.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// See the module. The process ends with it.
pub struct Agent {
    folder: PathBuf,
    process: Option<Child>,
    /// By how much its clock is wrong.
    clock_off_ms: i64,
}

impl Agent {
    /// The agent of an edge that exists; it is not started.
    pub async fn prepare(cluster: &Cluster, edge: &str, endpoints: &[String]) -> anyhow::Result<Self> {
        let folder = cluster.scratch().join(edge);
        fs::create_dir(&folder)?;
        let token = token(&cluster.client()?, edge).await?;
        fs::write(folder.join("token"), token)?;
        let ca = cluster.pki().join("client-ca.crt");
        fs::write(
            folder.join("edge.toml"),
            format!(
                "[edge]\nname = \"namespaces/{NAMESPACE}/edges/{edge}\"\nstore_dir = \"store\"\n\
                 [cluster]\nendpoints = {endpoints:?}\nca_file = {ca:?}\ntoken_file = \"token\"\n\
                 [local]\nsocket = \"edge.sock\"\n",
            ),
        )?;
        Ok(Self { folder, process: None, clock_off_ms: 0 })
    }

    /// Adds to its settings.
    pub fn add_settings(&self, settings: &str) -> anyhow::Result<()> {
        let path = self.folder.join("edge.toml");
        Ok(fs::write(&path, fs::read_to_string(&path)? + settings)?)
    }

    /// Where its files lie.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(binary("muster-edge")?);
        command.env("MUSTER_EDGE_CONFIG", self.folder.join("edge.toml")).stdin(Stdio::null()).kill_on_drop(true);
        command.env("MUSTER_CLOCK_OFFSET_MS", self.clock_off_ms.to_string());
        Ok(command)
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.begin()?;
        eventually("the agent answers", PATIENCE, async || self.status().await.map_err(|error| error.to_string()))
            .await?;
        Ok(())
    }

    /// Starts it, and does not wait.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
        let process = self.command()?.arg("run").stdout(Stdio::null()).stderr(log).spawn().context("muster-edge")?;
        self.process = Some(process);
        Ok(())
    }

    /// Starts it, waits until it ends by itself, and returns what it said.
    pub async fn refuses(&self) -> anyhow::Result<String> {
        let output = tokio::time::timeout(PATIENCE, self.command()?.arg("run").output()).await??;
        ensure!(!output.status.success(), "it ended with success");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// From the next start on its clock is wrong by so much.
    pub fn set_clock_off(&mut self, ms: i64) {
        self.clock_off_ms = ms;
    }

    /// The most memory that it has taken since it started, KiB.
    pub fn memory_kib(&self) -> anyhow::Result<u64> {
        let pid = self.process.as_ref().and_then(Child::id).context("it runs")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Where its replica and its queue lie.
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Ends it in order.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("it runs")?;
        let pid = process.id().context("it runs")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
        let status = tokio::time::timeout(PATIENCE, process.wait()).await.context("it does not end")??;
        ensure!(status.success(), "{status}\n{}", self.log());
        Ok(())
    }

    /// Ends it at once, without a chance to write anything.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("it runs")?;
        let pid = process.id().context("it runs")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
        process.wait().await?;
        Ok(())
    }

    /// What `muster-edge status --json` says.
    pub async fn status(&self) -> anyhow::Result<serde_json::Value> {
        let output = self.command()?.args(["status", "--json"]).output().await?;
        ensure!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Waits until status says that nothing waits, and that both sides agree at a revision from `revision` on.
    pub async fn in_step(&self, revision: u64) -> anyhow::Result<serde_json::Value> {
        let what = format!("in step at {revision}");
        let waited = eventually(&what, PATIENCE, async || {
            let status = self.status().await.map_err(|error| error.to_string())?;
            let is_there = status["link"] == "in-step"
                && status["queued_operations"] == 0
                && status["cursor"].as_u64().is_some_and(|cursor| cursor >= revision);
            if is_there { Ok(status) } else { Err(status.to_string()) }
        });
        waited.await.with_context(|| self.log())
    }

    /// A client of its socket; each call is tried once.
    pub fn client(&self) -> anyhow::Result<Client> {
        let socket = format!("unix:{}", self.folder.join("edge.sock").display());
        let once = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
        Ok(Client::new(ClientConfig::new([socket]).retry(once))?)
    }

    /// Its last lines.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(40).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

async fn token(admin: &Client, edge: &str) -> anyhow::Result<String> {
    let token = proto::Token {
        role: proto::Role::Edge.into(),
        namespace: NAMESPACE.to_owned(),
        edge_id: edge.to_owned(),
        ..Default::default()
    };
    let request = proto::CreateTokenRequest { token: Some(token), ..Default::default() };
    Ok(admin.cluster().create_token(request).await?.secret)
}
