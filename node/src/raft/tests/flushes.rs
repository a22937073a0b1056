//! A state that is older than the log: what was not flushed is replayed, and what cannot be replayed is refused.

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;

use super::cluster::{Cluster, numbered, short_log};
use super::support::{copy_dir, eventually, open_state, payloads, small_state, try_start};
use crate::store::state_db::StateDb;

/// What the log no longer has must be in the state: a state that is older, or gone, would miss a part from the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_beginning_only_a_lost_state_had_is_refused() {
    let mut cluster = Cluster::new(1, short_log).await;
    for number in 0..100 {
        cluster.write(&format!("p{number}")).await;
    }
    eventually("the log was purged", || cluster.nodes[&1].raft.status().purged_index > Some(20)).await;
    cluster.stop(1).await;
    let data = cluster.settings(1).data_dir;
    remove(&data, "state").await;
    // From the snapshot it is made anew.
    cluster.restart(1).await;
    cluster.all_hold(&numbered(0..100)).await;
    cluster.stop(1).await;
    remove(&data, "state").await;
    remove(&data, "snapshots").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = try_start(cluster.settings(1), listener).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("the state and its snapshots are empty"), "{error}");
}

/// Takes a part of the data of a stopped node away, once nobody has the state open any more and would write it again.
async fn remove(data: &Path, part: &str) {
    if data.join("state").exists() {
        drop(open_state(data).await);
    }
    std::fs::remove_dir_all(data.join(part)).unwrap();
}

/// A node that was killed has in its state what was flushed last; the log tells the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_flushed_is_replayed() {
    let cluster = Cluster::new(1, |_| {}).await;
    for number in 0..10 {
        cluster.write(&format!("p{number}")).await;
    }
    cluster.nodes[&1].state.flush().unwrap();
    for number in 10..20 {
        cluster.write(&format!("p{number}")).await;
    }
    // The folder as a crash leaves it: copied while the node runs.
    let (data, folder) = (cluster.settings(1).data_dir, tempfile::tempdir().unwrap());
    let copy = folder.path().join("copy");
    copy_dir(&data, &copy);
    let crashed = StateDb::open(&copy, small_state()).unwrap();
    assert_eq!(payloads(&crashed), numbered(0..10), "all that was flushed, and nothing else");
    drop(crashed);
    let mut settings = cluster.settings(1);
    cluster.finish().await;
    settings.data_dir = copy;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = try_start(settings, listener).await.unwrap();
    node.raft.wait_for_recovery(Duration::from_secs(10)).await.unwrap();
    eventually("all is replayed", || payloads(&node.state) == numbered(0..20)).await;
    node.stop().await;
}
