//! What breaks: lines are cut, nodes and agents are killed. Never two nodes at once: a cluster without a quorum is another
//! test's.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use muster_chaos::cluster::Cluster;
use rand::Rng;

use super::line::{Cut, Line, Tally};
use super::plan::{Plan, pause};
use crate::sync::agent::Agent;

/// Cuts lines until enough connections were hit, and says that it is over.
pub(super) async fn cut_lines(plan: Plan, lines: &[Line], tally: &Tally, over: &AtomicBool) -> anyhow::Result<()> {
    let cutting = async {
        let mut chance = plan.chance("cuts");
        while tally.cuts() < plan.cuts {
            pause(&mut chance, 0, plan.between_cuts_ms()).await;
            let first = chance.random_range(0..lines.len());
            let cut = Cut::choose(&mut chance);
            let delay_ms = if chance.random_bool(0.3) { chance.random_range(1..80) } else { 0 };
            // A cut needs a connection that is in use: the next line that has one.
            let (before, after) = lines.split_at(first);
            if let Some(line) = after.iter().chain(before).find(|line| line.is_alive()) {
                line.delay(delay_ms);
                line.cut(cut);
            }
        }
    };
    let ended = tokio::time::timeout(plan.limit(), cutting).await;
    over.store(true, Ordering::SeqCst);
    ended.with_context(|| format!("{} of {} cuts hit a connection within {:?}", tally.cuts(), plan.cuts, plan.limit()))
}

/// Kills nodes, one at a time; how often.
pub(super) async fn kill_nodes(plan: Plan, cluster: &mut Cluster, over: &AtomicBool) -> anyhow::Result<u64> {
    let mut chance = plan.chance("nodes");
    let (ids, mut kills) = (cluster.ids(), 0);
    while !over.load(Ordering::SeqCst) {
        pause(&mut chance, 1_000, 4_000).await;
        let id = ids[chance.random_range(0..ids.len())];
        cluster.kill(&[id]).await?;
        kills += 1;
        pause(&mut chance, 0, 1_500).await;
        cluster.start_node(id)?;
        cluster.wait_until_whole().await?;
    }
    Ok(kills)
}

/// Kills agents; how often, and the defects that they had counted by then.
pub(super) async fn kill_agents(plan: Plan, agents: &mut [Agent], over: &AtomicBool) -> anyhow::Result<(u64, u64)> {
    let mut chance = plan.chance("agents");
    let (mut kills, mut defects) = (0, 0);
    while !over.load(Ordering::SeqCst) {
        pause(&mut chance, 300, 1_500).await;
        let number = chance.random_range(0..agents.len());
        let agent = &mut agents[number];
        defects += agent.status().await?["defects"].as_u64().context("a number")?;
        agent.kill().await?;
        kills += 1;
        pause(&mut chance, 0, 600).await;
        agent.start().await?;
    }
    Ok((kills, defects))
}
