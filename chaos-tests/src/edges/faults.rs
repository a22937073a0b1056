//! What breaks: lines are cut, nodes and agents are killed. Never two nodes at once: a cluster without a quorum is for
//! `chaos`.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use rand::Rng;

use super::Broken;
use super::agent::Agent;
use super::line::{Cut, Line, Tally};
use super::plan::{Plan, pause};
use crate::cluster::Cluster;

/// Cuts lines until enough connections were hit, and says that it is over.
pub(crate) async fn cut_lines(plan: Plan, lines: &[Line], tally: &Tally, over: &AtomicBool) -> anyhow::Result<()> {
    let cutting = async {
        let mut chance = plan.chance("cuts");
        while tally.cuts() < plan.cuts && !over.load(Ordering::SeqCst) {
            pause(&mut chance, 0, plan.between_cuts_ms).await;
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
///
/// # Errors
/// When one does not come back.
pub async fn kill_nodes(plan: Plan, cluster: &mut Cluster, over: &AtomicBool) -> anyhow::Result<u64> {
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

/// Kills agents.
pub(crate) async fn kill_agents(plan: Plan, agents: &mut [Agent], over: &AtomicBool) -> anyhow::Result<Broken> {
    let mut chance = plan.chance("agents");
    let mut broken = Broken::default();
    while !over.load(Ordering::SeqCst) {
        pause(&mut chance, 300, 1_500).await;
        let number = chance.random_range(0..agents.len());
        let agent = &mut agents[number];
        broken.defects += agent.status().await?["defects"].as_u64().context("a number")?;
        agent.kill().await?;
        broken.kills += 1;
        pause(&mut chance, 0, 600).await;
        agent.start().await?;
    }
    Ok(broken)
}
