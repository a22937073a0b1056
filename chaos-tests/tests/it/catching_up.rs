//! A follower that was away longer than the log reaches back comes back by a snapshot, by itself.

use std::time::Duration;

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::invariants::{acked_writes_survive, chains_agree};
use muster_chaos::workload::{Writers, prepare, wait_for_writes};
use muster_client::proto;

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_the_log_left_behind_comes_back() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let settings = "[raft]\nsnapshot_entries = 100\nlog_keep_entries = 20\n".to_owned();
    let mut cluster = Cluster::start(Options { settings, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 4).await?;
    let leader = cluster.leader().await?;
    let away = cluster.ids().into_iter().find(|id| *id != leader).expect("three members");
    let left_at = cluster.status_of(away).await?;
    let left_at =
        left_at.members.iter().find(|member| member.node_id == away).map_or(0, |member| member.last_log_index);
    cluster.kill(&[away]).await?;

    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != away).collect();
    let writers = Writers::start((0..4).map(|_| cluster.client_of(&others)).collect::<anyhow::Result<_>>()?);
    wait_for_writes(&client, 300).await?;
    eventually("the log is purged beyond where the node left", Duration::from_secs(60), async || {
        let status = client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
        let purged = status.members.iter().filter(|member| member.reachable).map(|member| member.purged_index);
        match purged.min() {
            Some(purged) if purged > left_at + 1 => Ok(()),
            purged => Err(format!("purged to {purged:?}, the node left at {left_at}")),
        }
    })
    .await?;

    cluster.start_node(away)?;
    cluster.wait_until_whole().await?;
    wait_for_writes(&client, 50).await?;
    let acked = writers.finish().await?;
    let revision = chains_agree::check(&cluster).await?;
    let returned = cluster.client_of(&[away])?;
    acked_writes_survive::check(&returned, &acked, revision).await?;
    let status = cluster.status_of(away).await?;
    let own = status.members.iter().find(|member| member.node_id == away).cloned().unwrap_or_default();
    assert!(own.snapshot_index > left_at, "it came back by a snapshot: {own:?}");
    Ok(())
}
