//! Members that leave: they say so and stop, for good; the leader hands over first; and leadership moves when asked.

use std::time::Duration;

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::workload::{prepare, wait_for_writes};
use muster_client::proto;

use super::{remove, wait_for_voters};

const REMOVED: i32 = 72;

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_node_says_so_and_stops_and_does_not_come_back() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let leader = cluster.leader().await?;
    remove(&cluster, leader).await?;
    assert_eq!(cluster.wait_for_exit(leader).await?.code(), Some(REMOVED), "the leader, once it handed over");
    let log = cluster.log_of(leader)?;
    assert!(log.contains(&format!("node {leader} was removed from the cluster")), "{log}");
    cluster.start_node(leader)?;
    assert_eq!(cluster.wait_for_exit(leader).await?.code(), Some(REMOVED), "started again, it says so again");

    let rest: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    wait_for_voters_of(&cluster, &rest).await?;
    // One that is down when it is removed learns of it when it comes back.
    let away = rest[1];
    let stays = rest[0];
    cluster.client_of(&rest)?.members().transfer_leadership(transfer(stays)).await?;
    remove_through(&cluster, stays, away).await?;
    assert_eq!(cluster.wait_for_exit(away).await?.code(), Some(REMOVED));
    prepare(&cluster.client_of(&[stays])?, 1).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_down_when_it_was_removed_learns_of_it_when_it_starts() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let leader = cluster.leader().await?;
    let away = cluster.ids().into_iter().find(|id| *id != leader).expect("three members");
    cluster.kill(&[away]).await?;
    remove_through(&cluster, leader, away).await?;
    cluster.start_node(away)?;
    assert_eq!(cluster.wait_for_exit(away).await?.code(), Some(REMOVED));
    let rest: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != away).collect();
    cluster.forget_node(away)?;
    wait_for_voters(&cluster, &rest).await
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_moves_to_whom_it_was_asked_to() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 1).await?;
    for _ in 0..2 {
        for id in cluster.ids() {
            // Who has just begun to lead has not heard everybody yet, and hands nothing to whom it has not heard.
            let leader = eventually("leadership moves", Duration::from_secs(20), async || {
                let answer = client.members().transfer_leadership(transfer(id)).await;
                answer.map(|answer| answer.leader_id).map_err(|error| error.to_string())
            })
            .await?;
            assert_eq!(leader, id);
        }
    }
    let before = cluster.leader().await?;
    let answer = client.members().transfer_leadership(transfer(0)).await?;
    assert_ne!(answer.leader_id, before, "somebody else, as nobody was named");
    wait_for_writes(&client, 0).await
}

fn transfer(node_id: u64) -> proto::TransferLeadershipRequest {
    proto::TransferLeadershipRequest { node_id }
}

async fn remove_through(cluster: &Cluster, through: u64, node_id: u64) -> anyhow::Result<()> {
    let request = proto::RemoveMemberRequest { node_id, ..Default::default() };
    cluster.client_of(&[through])?.members().remove(request).await?;
    Ok(())
}

async fn wait_for_voters_of(cluster: &Cluster, wanted: &[u64]) -> anyhow::Result<()> {
    wait_for_voters(cluster, wanted).await
}
