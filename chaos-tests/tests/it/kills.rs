//! Kill -9 of the leader, and of all nodes at once, while writers run through every node.

use std::time::Duration;

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::invariants::{acked_writes_survive, chains_agree};
use muster_chaos::workload::{Acked, Writers, prepare, wait_for_writes};
use muster_client::{Client, proto};
use nix::sys::signal::Signal;

/// Writers for each node.
const WRITERS_PER_NODE: usize = 4;

/// Clients that begin at different nodes, so that writes go through all of them.
fn clients_through_all_nodes(cluster: &Cluster) -> anyhow::Result<Vec<Client>> {
    let ids = cluster.ids();
    let mut clients = Vec::new();
    for first in 0..ids.len() {
        let mut order = ids.clone();
        order.rotate_left(first);
        for _ in 0..WRITERS_PER_NODE {
            clients.push(cluster.client_of(&order)?);
        }
    }
    Ok(clients)
}

async fn check_everything(cluster: &Cluster, acked: &[Acked]) -> anyhow::Result<()> {
    cluster.wait_until_whole().await?;
    let revision = chains_agree::check(cluster).await?;
    for id in cluster.ids() {
        acked_writes_survive::check(&cluster.client_of(&[id])?, acked, revision).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_resume_after_the_leader_is_killed_and_nothing_acknowledged_is_lost() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 3 * WRITERS_PER_NODE).await?;
    let writers = Writers::start(clients_through_all_nodes(&cluster)?);
    wait_for_writes(&client, 200).await?;

    let leader = cluster.leader().await?;
    cluster.kill(&[leader]).await?;
    wait_for_writes(&client, 200).await?;
    assert_ne!(cluster.leader().await?, leader, "a killed node cannot lead");

    cluster.start_node(leader)?;
    cluster.wait_until_whole().await?;
    wait_for_writes(&client, 100).await?;
    let acked = writers.finish().await?;
    assert!(acked.len() >= 400, "only {} writes were acknowledged", acked.len());
    check_everything(&cluster, &acked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_all_nodes_at_once_loses_nothing_acknowledged() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 3 * WRITERS_PER_NODE).await?;
    let writers = Writers::start(clients_through_all_nodes(&cluster)?);
    for _ in 0..2 {
        wait_for_writes(&client, 200).await?;
        cluster.kill(&[1, 2, 3]).await?;
        for id in 1..=3 {
            cluster.start_node(id)?;
        }
        cluster.wait_until_whole().await?;
    }
    wait_for_writes(&client, 100).await?;
    let acked = writers.finish().await?;
    assert!(acked.len() >= 400, "only {} writes were acknowledged", acked.len());
    check_everything(&cluster, &acked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_stop_ends_in_order_and_comes_back() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 3 * WRITERS_PER_NODE).await?;
    let writers = Writers::start(clients_through_all_nodes(&cluster)?);
    for id in cluster.ids() {
        wait_for_writes(&client, 50).await?;
        let status = cluster.end(id, Signal::SIGTERM).await?;
        assert!(status.success(), "node {id} ended with {status}");
        cluster.start_node(id)?;
        cluster.wait_until_whole().await?;
    }
    let acked = writers.finish().await?;
    check_everything(&cluster, &acked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_vanishes_silently_does_not_hold_up_the_reads_of_others() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let cluster = Cluster::start(Options::default()).await?;
    let leader = cluster.leader().await?;
    let follower = cluster.ids().into_iter().find(|id| *id != leader).expect("three members");
    let client = cluster.client_of(&[follower])?;
    // Stopped, it keeps its connections and answers nothing. A read that asked it waits for it, and others behind.
    cluster.signal(leader, Signal::SIGSTOP)?;
    // Less than a read waits for a leader that does not answer (5 s), more than an election takes.
    let read = eventually("a linearizable read at a follower", Duration::from_millis(4500), async || {
        let status = client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
        if status.can_write { Ok(()) } else { Err("no read goes through".to_owned()) }
    })
    .await;
    cluster.signal(leader, Signal::SIGCONT)?;
    read
}
