//! `E5-convergence`: when nothing changes any more, each agent holds what the cluster says is in its scope, by items, by
//! hash, by content, and in the cluster's own words.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_client::{Client, names, proto};
use muster_domain::scope::{ScopeHash, item_hash};
use serde_json::Value;

use super::agent::Agent;
use super::history::{History, Uplink};
use super::{NAMESPACE, newest, twin};
use crate::cluster::Cluster;
use crate::eventually::eventually;

/// How long an agent may take to come back: it may have lost many links in a row by then.
const PATIENCE: Duration = Duration::from_secs(150);

/// Waits until all agents are in step with everything, and nothing waits anywhere; what they say then.
pub(crate) async fn reach(client: &Client, agents: &[Agent]) -> anyhow::Result<Vec<Value>> {
    // The first time their queues become empty, and what they report may change what others are to be in step with.
    in_step(agents, newest(client).await?).await?;
    in_step(agents, newest(client).await?).await
}

async fn in_step(agents: &[Agent], revision: u64) -> anyhow::Result<Vec<Value>> {
    let mut statuses = Vec::new();
    for agent in agents {
        let what = format!("E5-convergence: in step at {revision}");
        let waited = eventually(&what, PATIENCE, async || {
            let status = agent.status().await.map_err(|error| error.to_string())?;
            let is_there = status["link"] == "in-step"
                && status["queued_operations"] == 0
                && status["cursor"].as_u64().is_some_and(|cursor| cursor >= revision);
            if is_there { Ok(status) } else { Err(status.to_string()) }
        });
        statuses.push(waited.await.with_context(|| agent.log())?);
    }
    Ok(statuses)
}

/// Checks one agent.
pub(crate) async fn check(
    cluster: &Cluster,
    (edge, agent, status): (&str, &Agent, &Value),
    (history, uplink): (&History, &Uplink),
) -> anyhow::Result<()> {
    let client = cluster.client()?;
    let local = agent.client()?;
    let revision = newest(&client).await?;
    let mut sum = ScopeHash::default();
    for device in history.owners.held_by(edge) {
        for name in [names::device(NAMESPACE, device), names::twin(NAMESPACE, device)] {
            sum.add(&item_hash(&name, changed_at(&client, &name, revision).await?));
        }
        let (here, there) = (twin(&local, device).await?, twin(&client, device).await?);
        ensure!(
            (&here.desired, &here.reported, here.version) == (&there.desired, &there.reported, there.version),
            "E5-convergence: {edge} holds {here:?}, the cluster {there:?}"
        );
    }
    let hash = sum.to_bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    });
    ensure!(
        (status["items"].as_u64(), status["scope_hash"].as_str()) == (Some(sum.items()), Some(hash.as_str())),
        "E5-convergence: {} items with hash {hash} are in the scope of {edge}, its agent says {status}",
        sum.items()
    );
    let operations = Some(uplink.fates.len() as u64);
    ensure!(
        (status["acknowledged_sequence"].as_u64(), status["newest_sequence"].as_u64()) == (operations, operations),
        "E1-exactly-once: {operations:?} operations of {edge} were done, its agent says {status}"
    );
    ensure!(
        status["refused_operations"].as_u64() == Some(uplink.refused()),
        "E4-offline-durability: {} operations of {edge} were refused, its agent says {status}",
        uplink.refused()
    );
    told_by_the_cluster(cluster, edge, sum.items()).await
}

async fn changed_at(client: &Client, name: &str, revision: u64) -> anyhow::Result<u64> {
    let request = proto::GetAtRequest { name: name.to_owned(), revision, ..Default::default() };
    Ok(client.history().get_at(request).await?.changed_at)
}

/// The node that serves the edge says the same of it.
async fn told_by_the_cluster(cluster: &Cluster, edge: &str, items: u64) -> anyhow::Result<()> {
    let what = format!("E5-convergence: the cluster says of {edge} that it agrees");
    eventually(&what, Duration::from_secs(20), async || {
        let told = status_of(cluster, edge).await.map_err(|error| format!("{error:#}"))?;
        match &told.presence {
            Some(presence) if presence.agrees && presence.items == items && presence.queued_operations == 0 => Ok(()),
            _ => Err(format!("{items} items are in its scope: {told:?}")),
        }
    })
    .await
}

async fn status_of(cluster: &Cluster, edge: &str) -> anyhow::Result<proto::EdgeStatus> {
    let request = proto::GetEdgeStatusRequest { name: names::edge(NAMESPACE, edge), ..Default::default() };
    let on_record = cluster.client()?.edges().status(request.clone()).await?.status.context("a status")?;
    let node = on_record.session.context("a session")?.node_id;
    cluster.client_of(&[node])?.edges().status(request).await?.status.context("a status")
}
