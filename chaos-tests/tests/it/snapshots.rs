//! Nodes that end at each step of building, sending, receiving and installing a snapshot: they start again, and hold what
//! the others hold.

use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::invariants::{acked_writes_survive, chains_agree, replicas_agree};
use muster_chaos::workload::{Writers, prepare, wait_for_writes};
use muster_client::{Client, proto};
use muster_node::failpoint::Point;

const WRITERS: usize = 4;

/// While a snapshot is built.
const BUILDING: [Point; 4] = [Point::BuildCopied, Point::BuildDescribed, Point::PublishComplete, Point::PublishNamed];
/// While one arrives and is installed.
const ARRIVING: [Point; 12] = [
    Point::ReceiveBegun,
    Point::ReceiveChunk,
    Point::ReceiveFile,
    Point::ReceiveComplete,
    Point::InstallLinked,
    Point::PublishComplete,
    Point::PublishNamed,
    Point::InstallKept,
    Point::StateLinked,
    Point::StateOpened,
    Point::StatePointed,
    Point::InstallDone,
];

fn settings() -> String {
    "[raft]\nsnapshot_entries = 100\nlog_keep_entries = 20\n".to_owned()
}

/// Waits until the log no longer reaches back to where a node left.
async fn purged_beyond(client: &Client, left_at: u64) -> anyhow::Result<()> {
    eventually("the log is purged", Duration::from_secs(60), async || {
        let status = client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
        let purged = status.members.iter().filter(|member| member.reachable).map(|member| member.purged_index).min();
        match purged {
            Some(purged) if purged > left_at + 1 => Ok(()),
            purged => Err(format!("purged to {purged:?}, the node left at {left_at}")),
        }
    })
    .await
}

/// Kills a node, and lets the others go on until their log no longer reaches back to it.
async fn leave_behind(cluster: &mut Cluster, there: &Client, away: u64) -> anyhow::Result<()> {
    cluster.kill(&[away]).await?;
    // Read afterwards: the node may have got entries up to the moment it ended.
    let status = there.cluster().status(proto::GetStatusRequest {}).await?;
    let left_at = status.members.iter().map(|member| member.last_log_index).max().unwrap_or_default();
    wait_for_writes(there, 150).await?;
    purged_beyond(there, left_at).await
}

async fn ends_at_its_point(cluster: &mut Cluster, id: u64, point: Point) -> anyhow::Result<()> {
    let ended = cluster.wait_for_exit(id).await;
    let log = cluster.log_of(id)?;
    ended.with_context(|| {
        let lines: Vec<&str> = log.lines().collect();
        format!("at {}; its log ends so:\n{}", point.name(), lines[lines.len().saturating_sub(25)..].join("\n"))
    })?;
    let named = format!("point=\"{}\"", point.name());
    ensure!(log.contains(&named), "node {id} ended without coming by {}", point.name());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_while_it_builds_a_snapshot_starts_again() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { settings: settings(), ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, WRITERS).await?;
    let writers = Writers::start((0..WRITERS).map(|_| cluster.client()).collect::<anyhow::Result<_>>()?);
    for (point, id) in BUILDING.into_iter().zip([1, 2, 3, 1]) {
        cluster.kill(&[id]).await?;
        cluster.start_armed(id, Some(point.name()))?;
        ends_at_its_point(&mut cluster, id, point).await?;
        cluster.start_node(id)?;
        cluster.wait_until_whole().await?;
    }
    let acked = writers.finish().await?;
    let revision = chains_agree::check(&cluster).await?;
    for id in cluster.ids() {
        acked_writes_survive::check(&cluster.client_of(&[id])?, &acked, revision).await?;
    }
    replicas_agree::check(&client).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_while_a_snapshot_arrives_starts_again() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { settings: settings(), ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, WRITERS).await?;
    let leader = cluster.leader().await?;
    let away = cluster.ids().into_iter().find(|id| *id != leader).expect("three members");
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != away).collect();
    let writers = Writers::start((0..WRITERS).map(|_| cluster.client_of(&others)).collect::<anyhow::Result<_>>()?);
    let there = cluster.client_of(&others)?;
    for point in ARRIVING {
        leave_behind(&mut cluster, &there, away).await?;
        cluster.start_armed(away, Some(point.name()))?;
        ends_at_its_point(&mut cluster, away, point).await?;
        cluster.start_node(away)?;
        cluster.wait_until_whole().await?;
    }
    // The sending side: whoever leads ends while it sends, and another goes on.
    leave_behind(&mut cluster, &there, away).await?;
    for id in &others {
        cluster.kill(&[*id]).await?;
        cluster.start_armed(*id, Some(Point::SendChunk.name()))?;
        wait_for_writes(&there, 1).await?;
    }
    cluster.start_node(away)?;
    let sender = eventually("a sender ends", Duration::from_secs(60), async || {
        let ended = others.iter().find(|id| cluster.log_of(**id).is_ok_and(|log| log.contains("snapshot.send.chunk")));
        ended.copied().ok_or_else(|| "nobody sends".to_owned())
    })
    .await?;
    cluster.wait_for_exit(sender).await?;
    cluster.start_node(sender)?;
    // The other one is armed too, and may lead now.
    let other = others.iter().copied().find(|id| *id != sender).expect("two others");
    cluster.kill(&[other]).await?;
    cluster.start_node(other)?;
    cluster.wait_until_whole().await?;
    wait_for_writes(&there, 20).await?;

    let acked = writers.finish().await?;
    let revision = chains_agree::check(&cluster).await?;
    for id in cluster.ids() {
        acked_writes_survive::check(&cluster.client_of(&[id])?, &acked, revision).await?;
    }
    replicas_agree::check(&client).await.map(drop)
}
