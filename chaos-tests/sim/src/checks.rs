//! What must hold at the end of a run. Each promise has a file of its own in `../../src/invariants/`; here they are asked.

use std::sync::Arc;
use std::time::Duration;

use muster_sim_node::read::Consistency;
use muster_sim_std::baton;
use tokio::time::{Instant, sleep, timeout};

use crate::edges::{self, Edges};
use crate::history::Op;
use crate::history::facts::Facts;
use crate::invariants::edge_reports_count_once::{self, Effect, Report, Told};
use crate::invariants::evidence::Evidence;
use crate::invariants::{of_histories, one_leader_per_term, same_revision_same_state};
use crate::watching::Seen;
use crate::world::World;
use crate::{clients, world};

/// How long healing may take in simulated time, once nothing is done to the cluster any more.
const HEALING_MAX: Duration = Duration::from_secs(60);

/// How many things each check looked at.
pub type Looked = Vec<(&'static str, u64)>;

/// Waits until the cluster is well: every node that can run does, answers and takes writes, and all hold the same. Returns how long
/// that took.
///
/// # Errors
/// Says what was still missing.
pub async fn healed(world: &Arc<World>) -> Result<Duration, String> {
    let begin = Instant::now();
    loop {
        let missing = match is_well(world).await {
            Ok(()) => return Ok(begin.elapsed()),
            Err(missing) => missing,
        };
        if begin.elapsed() > HEALING_MAX {
            return Err(format!("{missing} {} s after the last fault", begin.elapsed().as_secs()));
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn is_well(world: &Arc<World>) -> Result<(), String> {
    let able = world.able();
    for id in &able {
        let running = world.running(*id).ok_or_else(|| format!("node {id} does not run"))?;
        let read = timeout(world::CALL_MAX, running.node.reader.view(Consistency::Linearizable)).await;
        match read {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(format!("node {id} does not answer: {error}")),
            Err(_) => return Err(format!("node {id} does not answer")),
        }
    }
    Ok(())
}

/// Whether all nodes that can run hold the same records at the same revision. For a cluster that nobody writes to any more.
///
/// # Errors
/// Says what differs.
pub async fn agree(world: &Arc<World>) -> Result<u64, String> {
    let begin = Instant::now();
    loop {
        let mut found = Vec::new();
        for id in world.able() {
            let running = world.running(id).ok_or_else(|| format!("node {id} does not run"))?;
            found.push((id, running.node.digest().map_err(|error| format!("node {id}: {error:#}"))?));
        }
        let first = found.first().map(|(_, digest)| digest.clone()).ok_or("no node is left")?;
        if found.iter().all(|(_, digest)| *digest == first) {
            return Ok(first.0);
        }
        let is_even = found.iter().all(|(_, digest)| digest.0 == first.0);
        if is_even || begin.elapsed() > HEALING_MAX {
            return Err(format!("replicas_agree: nodes hold different records: {found:?}"));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until every edge has an agent that answers.
///
/// # Errors
/// Says which has not.
pub async fn edges_run(edges: &Edges) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        let missing = edges.ids().into_iter().find(|edge| edges.agent(*edge).is_none());
        match missing {
            None => return Ok(()),
            Some(edge) if begin.elapsed() > HEALING_MAX => return Err(format!("heals: edge {edge} does not run")),
            Some(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Waits until edges have nothing left to say and hold what is theirs, then looks whether each report counts once.
///
/// # Errors
/// Says what was still missing, or what counts otherwise.
pub async fn edges_settle(edges: &Edges, world: &World) -> Result<u64, String> {
    edges.settled(HEALING_MAX).await.map_err(|missing| format!("edges_converge: {missing}"))?;
    let all = world.all_running();
    let (_, running) = all.first().ok_or("no node is left")?;
    // What another node answered may not be applied at this one yet.
    let read = timeout(HEALING_MAX, running.node.reader.view(Consistency::Linearizable)).await;
    read.map_err(|_| "heals: no answer to a read")?.map_err(|error| format!("heals: {error}"))?;
    let events = running.node.events().map_err(|error| format!("{error:#}"))?;
    let effects = events.iter().filter_map(|(revision, index, event)| {
        Some(Effect { revision: *revision, index: *index, value: edges::reported(&event.kind)? })
    });
    let reports = edges.reports().into_iter().map(|report| Report {
        edge: report.edge,
        value: report.value,
        told: match report.told {
            edges::Told::Taken => Told::Taken,
            edges::Told::Refused => Told::Refused,
            edges::Told::Unknown => Told::Unknown,
        },
    });
    let (reports, effects): (Vec<_>, Vec<_>) = (reports.collect(), effects.collect());
    edge_reports_count_once::check(&reports, &effects).map_err(|error| format!("edge_reports_count_once: {error:#}"))
}

/// The log as the first node that can run has it.
///
/// # Errors
/// When no node runs.
pub fn facts(world: &World) -> anyhow::Result<Facts> {
    let all = world.all_running();
    let (_, running) = all.first().ok_or_else(|| anyhow::anyhow!("no node is left"))?;
    let events = running.node.events()?;
    Ok(Facts::new(events.iter().map(|(revision, index, event)| clients::fact(*revision, *index, event)).collect()))
}

/// Asks all checks of the history; what does not hold is added to `wrongs`.
pub fn of_history(ops: Vec<Op>, facts: Facts, wrongs: &mut Vec<String>) -> Looked {
    let evidence = Evidence { ops, facts };
    of_histories::CHECKS.into_iter().map(|(name, check)| (name, judged(name, check(&evidence), wrongs))).collect()
}

/// The same of what was seen of the nodes.
pub fn of_nodes(seen: &Seen, wrongs: &mut Vec<String>) -> Looked {
    let leaders = one_leader_per_term::check(seen.leads.iter().copied());
    let places = same_revision_same_state::check(&seen.places);
    vec![
        ("one_leader_per_term", judged("one_leader_per_term", leaders, wrongs)),
        ("same_revision_same_state", judged("same_revision_same_state", places, wrongs)),
    ]
}

fn judged(name: &str, result: anyhow::Result<u64>, wrongs: &mut Vec<String>) -> u64 {
    result.unwrap_or_else(|error| {
        wrongs.push(format!("{name}: {error:#}"));
        0
    })
}

/// Simulated time since the run began.
#[must_use]
pub fn simulated() -> Duration {
    Duration::from_nanos(baton::now_ns())
}
