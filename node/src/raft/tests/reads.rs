//! Reads at a node that has just become the leader and has not applied yet what the leader before it acknowledged.

use std::time::Duration;

use tokio::time::timeout;

use super::cluster::{Cluster, numbered};
use super::support::{eventually, payloads, succeeds};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_leader_reads_nothing_before_it_holds_what_was_acknowledged() {
    let cluster = Cluster::new(3, |_| {}).await;
    cluster.write("p0").await;
    cluster.all_hold(&numbered(0..1)).await;
    let leader = cluster.leader().await;
    let heir = cluster.followers(leader)[0];
    let (leader, successor) = (&cluster.nodes[&leader].raft, &cluster.nodes[&heir]);
    // Its log takes what comes, so it may be elected; its state stays behind.
    successor.machine.hold(true);
    cluster.write("p1").await;
    succeeds("the heir was heard", || leader.transfer_leader(heir)).await;
    eventually("the heir leads", || successor.raft.is_leader()).await;
    let early = timeout(Duration::from_secs(4), successor.raft.read_barrier()).await;
    // Before anything is asserted: a thread of the runtime waits for it.
    successor.machine.hold(false);
    assert!(!matches!(early, Ok(Ok(_))), "read without p1, which was acknowledged: {early:?}");
    cluster.read_barrier(heir).await;
    assert_eq!(payloads(&successor.state), numbered(0..2));
    cluster.finish().await;
}
