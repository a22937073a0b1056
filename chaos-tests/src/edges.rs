//! Real edges at a cluster: agents with lines to it that break, applications that report through them, a person at the cluster
//! who wants things of devices and moves them; and what must hold afterwards, by the names in `sync.md`.
//!
//! What happens is chosen from a seed; when exactly, by the machine. Everything goes through the public client and the agents'
//! command line and socket. Who kills nodes meanwhile is the caller's affair.

pub mod agent;
mod agreement;
mod connection;
mod effects;
pub mod faults;
mod history;
mod line;
mod owners;
pub mod plan;
pub mod plant;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, ensure};
use muster_client::{Client, names, proto};
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use agent::Agent;
use history::History;
use line::{Line, Tally};
use plan::Plan;
use plant::Changes;
use writer::Told;

/// Where the edges of tests are.
pub const NAMESPACE: &str = "plant1";

/// Edges with devices, each with an agent and a line to the cluster.
pub struct Field {
    plan: Plan,
    lines: Vec<Line>,
    agents: Vec<Agent>,
    tally: Arc<Tally>,
}

/// Applications and the person at the cluster, while they are at work.
pub struct AtWork {
    writers: Vec<JoinHandle<Vec<Told>>>,
    changing: JoinHandle<Changes>,
}

/// What they did.
pub struct Done {
    told: Vec<Vec<Told>>,
    /// At the cluster.
    pub changes: Changes,
}

/// What happened to agents.
#[derive(Debug, Clone, Copy, Default)]
pub struct Broken {
    /// Agents that were killed.
    pub kills: u64,
    /// Defects of the protocol that they had counted by then.
    defects: u64,
}

/// What a check looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checked {
    /// Reports that an application was answered.
    pub answered: u64,
    /// Operations that the cluster did or refused.
    pub operations: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Sessions of all edges.
    pub sessions: u64,
}

impl Field {
    /// Makes edges, devices and sites, starts the agents and waits until they are in step.
    ///
    /// # Errors
    /// When the cluster refuses, or an agent does not get in step.
    pub async fn build(cluster: &Cluster, plan: Plan, edges: usize) -> anyhow::Result<Self> {
        plant::build(&cluster.client()?, edges).await?;
        let tally = Arc::new(Tally::default());
        let (mut lines, mut agents) = (Vec::new(), Vec::new());
        for number in 0..edges {
            // Each prefers another node.
            let mut endpoints: Vec<_> = cluster.ids().into_iter().map(|id| cluster.endpoint(id)).collect();
            let first = number % endpoints.len();
            endpoints.rotate_left(first);
            let line = Line::to(&endpoints, &tally).await?;
            let mut agent = Agent::prepare(cluster, &plant::edge(number), &line.endpoints()).await?;
            agent.start().await?;
            lines.push(line);
            agents.push(agent);
        }
        agreement::reach(&cluster.client()?, &agents).await?;
        Ok(Self { plan, lines, agents, tally })
    }

    /// Lets applications and the person at the cluster begin.
    ///
    /// # Errors
    /// When an agent cannot be asked.
    pub fn begin(&self, client: Client, over: &Arc<AtomicBool>) -> anyhow::Result<AtWork> {
        let mut writers = Vec::new();
        for (number, agent) in self.agents.iter().enumerate() {
            let edge = plant::edge(number);
            let chance = self.plan.chance(&edge);
            writers.push(tokio::spawn(writer::write(agent.client()?, edge, chance, Arc::clone(over))));
        }
        let chance = self.plan.chance("plant");
        let changing = tokio::spawn(plant::change(client, self.agents.len(), chance, Arc::clone(over)));
        Ok(AtWork { writers, changing })
    }

    /// Cuts lines and kills agents until it is over, which it is after the cuts of the plan.
    ///
    /// # Errors
    /// When an agent does not come back, or the cuts hit nothing.
    pub async fn storm(&mut self, over: &AtomicBool) -> anyhow::Result<Broken> {
        let ((), broken) = tokio::try_join!(
            faults::cut_lines(self.plan, &self.lines, &self.tally, over),
            faults::kill_agents(self.plan, &mut self.agents, over),
        )?;
        Ok(broken)
    }

    /// No cut that is still to come does come.
    pub fn heal(&self) {
        self.lines.iter().for_each(Line::heal);
    }

    /// Cuts that hit a connection.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.tally.cuts()
    }

    /// Checks every promise about edges once nothing changes any more.
    ///
    /// # Errors
    /// Names the first that does not hold, and where.
    pub async fn check(&self, cluster: &Cluster, done: &Done, broken: Broken) -> anyhow::Result<Checked> {
        let client = cluster.client()?;
        let statuses = agreement::reach(&client, &self.agents).await?;
        let history = History::read(&client).await?;
        let mut checked = Checked::default();
        for (number, (agent, status)) in self.agents.iter().zip(&statuses).enumerate() {
            let edge = plant::edge(number);
            let uplink = history.uplinks.get(&edge).with_context(|| format!("{edge} never came"))?;
            checked.answered += effects::check(&edge, &done.told[number], uplink)?;
            agreement::check(cluster, (&edge, agent, status), (&history, uplink)).await?;
            ensure!(status["defects"] == 0, "muster_edge_repair_defects_total of {edge}: {status}");
            checked.operations += uplink.fates.len() as u64;
            checked.refused += uplink.refused();
            checked.sessions += uplink.epoch;
        }
        ensure!(broken.defects == 0, "muster_edge_repair_defects_total of killed agents: {}", broken.defects);
        ensure!(checked.answered > 0 && checked.operations > 0, "nothing was reported, so nothing was checked");
        Ok(checked)
    }
}

impl AtWork {
    /// Waits until all have ended, after it is over.
    ///
    /// # Errors
    /// When one panicked.
    pub async fn finish(self) -> anyhow::Result<Done> {
        let mut told = Vec::new();
        for writer in self.writers {
            told.push(writer.await?);
        }
        Ok(Done { told, changes: self.changing.await? })
    }
}

/// Sets desired properties at the cluster; returns the revision.
///
/// # Errors
/// When the cluster refuses.
pub async fn want(client: &Client, id: &str, desired: &str) -> anyhow::Result<u64> {
    let request = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, id),
        desired_json: Some(desired.to_owned()),
        ..Default::default()
    };
    Ok(client.twins().patch(request).await?.header.context("a header")?.revision)
}

/// The twin of a device, as the side that is asked holds it.
///
/// # Errors
/// When it does not hold it.
pub async fn twin(client: &Client, id: &str) -> anyhow::Result<proto::Twin> {
    let request = proto::GetTwinRequest { name: names::twin(NAMESPACE, id), omit_metadata: true, ..Default::default() };
    client.twins().get(request).await?.twin.context("a twin")
}

/// The newest revision.
///
/// # Errors
/// When the cluster does not answer.
pub async fn newest(client: &Client) -> anyhow::Result<u64> {
    let request = proto::GetNamespaceRequest { name: names::namespace(NAMESPACE), ..Default::default() };
    Ok(client.namespaces().get(request).await?.header.context("a header")?.revision)
}
