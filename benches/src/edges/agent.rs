//! The agent itself, a real `muster-edge`: memory at rest with a thousand twins, how fast it takes reports while there is no
//! cluster, and the size of its binary.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use muster_proto::v1;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use super::{Setting, sites};
use crate::connections::Connections;
use crate::grpc::Method;
use crate::load::{Caller, Client, Window, closed_loop, drive};
use crate::machine::{processor_time, resident_bytes};
use crate::process::{Process, free_ports};
use crate::systems::muster::cluster::Cluster;
use crate::talk::{print, say};
use crate::workload::{Choice, NAMESPACE, patch, twin_name};

const TWINS: u32 = 1_000;
/// Applications that report at the same time.
const CLIENTS: [usize; 2] = [1, 64];
/// How long anything here may take.
const WITHIN: Duration = Duration::from_secs(300);
/// What the agent may take at rest (the figure).
const REACH_BYTES: u64 = 32 << 20;

type Report = Method<v1::ReportPropertiesRequest, v1::TwinChangeResponse>;

/// Measures and prints.
pub(super) async fn run(setting: &Setting) -> Result<()> {
    let mut cluster = setting.cluster(1, false).await?;
    say(&format!("agent: {TWINS} devices with twins"));
    sites::create(&cluster, 1, TWINS).await?;
    let folder = tempfile::tempdir_in(setting.folder.path())?.keep();
    let mut agent = Agent::prepare(&setting.program, &folder, &cluster, &cluster.urls()).await?;
    agent.start()?;
    let status = agent.in_step(u64::from(TWINS) * 2).await?;
    sleep(Duration::from_secs(3)).await;
    let (memory, before) = (resident_bytes(agent.pid()?)?, processor_time(agent.pid()?)?);
    let begun = Instant::now();
    sleep(setting.rest).await;
    let spent = processor_time(agent.pid()?)?.saturating_sub(before);
    print(&format!(
        "agent with {TWINS} devices and their twins ({} items), at rest: {:.1} MiB of memory (to reach: {}), {:.2} % of a processor",
        status["items"],
        memory as f64 / f64::from(1 << 20),
        REACH_BYTES >> 20,
        100.0 * spent.as_secs_f64() / begun.elapsed().as_secs_f64(),
    ));
    cluster.kill(0).await?;
    for clients in CLIENTS {
        queue(setting, &agent, clients).await?;
    }
    let status = agent.status().await?;
    print(&format!(
        "  with {} operations queued: {:.1} MiB of memory",
        status["queued_operations"],
        resident_bytes(agent.pid()?)? as f64 / f64::from(1 << 20)
    ));
    size(&agent.program, &folder).await?;
    agent.stop().await;
    cluster.stop().await;
    Ok(())
}

/// Reports into the queue, each synced before it is answered.
async fn queue(setting: &Setting, agent: &Agent, clients: usize) -> Result<()> {
    let connections = Connections::open(std::slice::from_ref(&agent.url), 1, None).await?;
    let window =
        Window::after(setting.warmup.min(Duration::from_secs(1)), setting.measured.min(Duration::from_secs(3)));
    let all = (0..clients).map(|client| -> Client {
        let method = Report::new(connections.of(client), "/muster.v1.TwinService/ReportProperties", None);
        closed_loop(Reporting { method, choice: Choice::new(client, TWINS) }, window)
    });
    let figures = drive(all.collect(), window, &[("agent".to_owned(), agent.pid()?)]).await?;
    ensure!(figures.is_sound(), "{:?}", figures.first_error);
    print(&format!(
        "  reports while there is no cluster, {clients} clients: {:.0}/s, p50 {} us, p99 {} us",
        figures.rate, figures.p50_us, figures.p99_us
    ));
    Ok(())
}

struct Reporting {
    method: Report,
    choice: Choice,
}

impl Caller for Reporting {
    async fn call(&mut self) -> Result<u32, String> {
        let name = twin_name(self.choice.device());
        let reported_json = patch(self.choice.count());
        let request = v1::ReportPropertiesRequest { name, reported_json, ..Default::default() };
        self.method.call(&request).await.map(|_| 1)
    }
}

async fn size(program: &Path, folder: &Path) -> Result<()> {
    let whole = std::fs::metadata(program)?.len();
    let stripped = folder.join("stripped");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(program).status().await;
    let size = match strip {
        Ok(status) if status.success() => {
            format!("{:.1} MiB", std::fs::metadata(&stripped)?.len() as f64 / 1_048_576.0)
        }
        _ => "not known, there is no strip".to_owned(),
    };
    print(&format!("  binary: {:.1} MiB with line tables; stripped {size}", whole as f64 / 1_048_576.0));
    Ok(())
}

/// A `muster-edge` in a folder of its own.
pub(super) struct Agent {
    program: PathBuf,
    folder: PathBuf,
    url: String,
    process: Option<Process>,
}

impl Agent {
    /// The agent of the first edge. `musterd` has its binary beside it.
    pub(super) async fn prepare(
        musterd: &Path,
        folder: &Path,
        cluster: &Cluster,
        endpoints: &[String],
    ) -> Result<Self> {
        let program = musterd.with_file_name("muster-edge");
        ensure!(program.is_file(), "there is no {}; build it (cargo build -p muster-edge)", program.display());
        let token = sites::token(cluster, 0).await?;
        std::fs::write(folder.join("token"), token)?;
        let port = free_ports(1)?[0];
        std::fs::write(
            folder.join("edge.toml"),
            format!(
                "[edge]\nname = \"namespaces/{NAMESPACE}/edges/{}\"\nstore_dir = \"store\"\n\
                 [cluster]\nendpoints = {endpoints:?}\ntoken_file = \"token\"\n\
                 [local]\nsocket = \"edge.sock\"\naddress = \"127.0.0.1:{port}\"\n[log]\nlevel = \"warn\"\n",
                sites::edge_id(0)
            ),
        )?;
        Ok(Self { program, folder: folder.to_owned(), url: format!("http://127.0.0.1:{port}"), process: None })
    }

    /// Lets it find the nodes elsewhere from its next start on.
    pub(super) fn redirect(&self, from: &str, to: &str) -> Result<()> {
        let file = self.folder.join("edge.toml");
        let settings = std::fs::read_to_string(&file)?;
        ensure!(settings.contains(from), "the agent has no endpoint {from}");
        Ok(std::fs::write(file, settings.replace(from, to))?)
    }

    pub(super) fn start(&mut self) -> Result<()> {
        let arguments = ["run".into(), "--config".into(), self.folder.join("edge.toml").into_os_string()];
        self.process = Some(Process::start("edge", &self.program, arguments, &self.folder)?);
        Ok(())
    }

    pub(super) fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    fn pid(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("the agent runs")?.pid)
    }

    /// What `muster-edge status --json` says.
    pub(super) async fn status(&self) -> Result<serde_json::Value> {
        let mut command = Command::new(&self.program);
        command.args(["status", "--json", "--config"]).arg(self.folder.join("edge.toml")).kill_on_drop(true);
        let output = timeout(Duration::from_secs(10), command.output()).await??;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Waits until it holds so many items, and both sides agree.
    pub(super) async fn in_step(&mut self, items: u64) -> Result<serde_json::Value> {
        let begun = Instant::now();
        loop {
            self.process.as_mut().context("the agent runs")?.check_running()?;
            match self.status().await {
                Ok(status) if status["link"] == "in-step" && status["items"] == items => return Ok(status),
                other if begun.elapsed() > WITHIN => bail!("the agent is not in step: {other:?}"),
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Ends it in order.
    pub(super) async fn end(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the agent runs")?;
        process.terminate()?;
        process.ended().await
    }

    pub(super) async fn stop(mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
    }
}
