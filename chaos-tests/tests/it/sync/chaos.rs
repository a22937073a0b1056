//! Twenty edges, three nodes, and everything that can happen between them: lines that are cut anywhere, go silent or slow,
//! nodes and agents that are killed, applications that repeat themselves, devices that are given to other edges. Then
//! nothing more happens, and the invariants of `sync.md` are asked for by their names.
//!
//! What happens is chosen from a seed; when exactly, by the machine. `MUSTER_SYNC_CHAOS_SEED` repeats the choices of a run, and
//! `MUSTER_SYNC_CHAOS_CUTS` says how long it goes on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::invariants::chains_agree;

use super::agent::Agent;

mod agreement;
mod connection;
mod effects;
mod faults;
mod history;
mod line;
mod owners;
mod plan;
mod plant;
mod writer;

use history::History;
use line::{Line, Tally};
use plan::Plan;
use writer::Told;

/// Bytes of a node's log for each kill, and from the beginning: while a node is down its leader says so, and does not fill a disk.
const LOG_MAX: usize = 4 << 20;

/// What there is before anything breaks.
struct Stage {
    cluster: Cluster,
    lines: Vec<Line>,
    agents: Vec<Agent>,
    tally: Arc<Tally>,
}

async fn stage() -> anyhow::Result<Stage> {
    let settings = super::SETTINGS.to_owned();
    let cluster = Cluster::start(Options { nodes: 3, settings, ..Options::default() }).await?;
    plant::build(&cluster.client()?).await?;
    let tally = Arc::new(Tally::default());
    let (mut lines, mut agents) = (Vec::new(), Vec::new());
    for number in 0..plant::EDGES {
        // Each prefers another node.
        let mut endpoints: Vec<_> = cluster.ids().into_iter().map(|id| cluster.endpoint(id)).collect();
        endpoints.rotate_left(number % 3);
        let line = Line::to(&endpoints, &tally).await?;
        let mut agent = Agent::prepare(&cluster, &plant::edge(number), &line.endpoints()).await?;
        agent.start().await?;
        lines.push(line);
        agents.push(agent);
    }
    agreement::reach(&cluster.client()?, &agents).await?;
    Ok(Stage { cluster, lines, agents, tally })
}

/// What happened.
struct Outcome {
    told: Vec<Vec<Told>>,
    changes: u64,
    node_kills: u64,
    agent_kills: u64,
    defects: u64,
}

/// Breaks everything that the plan wants broken, while applications report and things change.
async fn storm(plan: Plan, stage: &mut Stage) -> anyhow::Result<Outcome> {
    let over = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for (number, agent) in stage.agents.iter().enumerate() {
        let edge = plant::edge(number);
        let chance = plan.chance(&edge);
        writers.push(tokio::spawn(writer::write(agent.client()?, edge, chance, Arc::clone(&over))));
    }
    let changing = tokio::spawn(plant::change(stage.cluster.client()?, plan.chance("plant"), Arc::clone(&over)));
    let ((), node_kills, (agent_kills, defects)) = tokio::try_join!(
        faults::cut_lines(plan, &stage.lines, &stage.tally, &over),
        faults::kill_nodes(plan, &mut stage.cluster, &over),
        faults::kill_agents(plan, &mut stage.agents, &over),
    )?;
    stage.lines.iter().for_each(Line::heal);
    let mut told = Vec::new();
    for writer in writers {
        told.push(writer.await?);
    }
    let changes = changing.await?.context("the person at the cluster")?;
    Ok(Outcome { told, changes, node_kills, agent_kills, defects })
}

/// Checks every promise; says what was checked.
async fn check(stage: &Stage, outcome: &Outcome) -> anyhow::Result<String> {
    let client = stage.cluster.client()?;
    let statuses = agreement::reach(&client, &stage.agents).await?;
    let log_max = LOG_MAX * (1 + usize::try_from(outcome.node_kills)?);
    for node in stage.cluster.ids() {
        let bytes = stage.cluster.log_of(node)?.len();
        ensure!(bytes <= log_max, "the log of node {node} has {bytes} bytes after {} kills", outcome.node_kills);
    }
    let history = History::read(&client).await?;
    let (mut answered, mut operations, mut refused, mut sessions) = (0, 0, 0, 0);
    for (number, (agent, status)) in stage.agents.iter().zip(&statuses).enumerate() {
        let edge = plant::edge(number);
        let uplink = history.uplinks.get(&edge).with_context(|| format!("{edge} never came"))?;
        answered += effects::check(&edge, &outcome.told[number], uplink)?;
        agreement::check(&stage.cluster, (&edge, agent, status), (&history, uplink)).await?;
        ensure!(status["defects"] == 0, "muster_edge_repair_defects_total of {edge}: {status}");
        operations += uplink.fates.len() as u64;
        refused += uplink.refused();
        sessions += uplink.epoch;
    }
    ensure!(outcome.defects == 0, "muster_edge_repair_defects_total of killed agents: {}", outcome.defects);
    ensure!(answered > 0 && operations > 0, "nothing was reported, so nothing was checked");
    chains_agree::check(&stage.cluster).await?;
    Ok(format!(
        "{answered} answered reports, {operations} operations ({refused} refused), {sessions} sessions, {} changes",
        outcome.changes
    ))
}

async fn run(plan: Plan) -> anyhow::Result<String> {
    let started = Instant::now();
    let mut stage = stage().await?;
    let (staged, from) = (started.elapsed(), Instant::now());
    let outcome = storm(plan, &mut stage).await?;
    let (stormed, from) = (from.elapsed(), Instant::now());
    let checked = check(&stage, &outcome).await?;
    let seconds = |time: Duration| time.as_secs();
    Ok(format!(
        "{:?}, {} nodes and {} agents killed; {checked}; {} s to begin, {} s of faults, {} s until all was checked",
        stage.tally,
        outcome.node_kills,
        outcome.agent_kills,
        seconds(staged),
        seconds(stormed),
        seconds(from.elapsed()),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_each_answered_report_has_one_effect_and_both_sides_agree() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plan = Plan::read()?;
    let again = format!("MUSTER_SYNC_CHAOS_SEED={} MUSTER_SYNC_CHAOS_CUTS={}", plan.seed, plan.cuts);
    let told = run(plan).await.with_context(|| format!("again with: {again}"))?;
    #[allow(clippy::print_stderr, reason = "a long run says what it has done")]
    {
        eprintln!("{again}: {told}");
    }
    Ok(())
}
