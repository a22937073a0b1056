//! Three nodes in one process, over real TCP on loopback.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::support::{TestNode, copy_dir, eventually, members, payloads, settings, start, succeeds, try_start};
use crate::raft::{ForwardError, NodeId, Outcomes, RaftSettings, ReadError, ReadPoint, Role, SubmitError};

pub(super) const WAIT: Duration = Duration::from_secs(20);

pub(super) struct Cluster {
    dir: TempDir,
    pub(super) addresses: BTreeMap<NodeId, String>,
    pub(super) nodes: BTreeMap<NodeId, TestNode>,
    tune: fn(&mut RaftSettings),
}

impl Cluster {
    pub(super) async fn new(count: u64, tune: fn(&mut RaftSettings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut listeners = Vec::new();
        for id in 1..=count {
            listeners.push((id, TcpListener::bind("127.0.0.1:0").await.unwrap()));
        }
        let addresses = listeners.iter().map(|(id, l)| (*id, l.local_addr().unwrap().to_string())).collect();
        let mut this = Self { dir, addresses, nodes: BTreeMap::new(), tune };
        for (id, listener) in listeners {
            let node = start(this.settings(id), listener).await;
            this.nodes.insert(id, node);
        }
        for node in this.nodes.values() {
            node.raft.join_founding(1).await.unwrap();
        }
        this.nodes[&1].raft.initialize(members(&this.addresses)).await.unwrap();
        this
    }

    pub(super) fn settings(&self, id: NodeId) -> RaftSettings {
        let mut settings = settings(id, self.dir.path());
        (self.tune)(&mut settings);
        settings
    }

    pub(super) async fn stop(&mut self, id: NodeId) {
        self.nodes.remove(&id).unwrap().stop().await;
    }

    pub(super) async fn restart(&mut self, id: NodeId) {
        // The old connections may linger for a moment after the listener is gone.
        let address = &self.addresses[&id];
        let listener = succeeds("its address is free again", || TcpListener::bind(address)).await;
        let node = start(self.settings(id), listener).await;
        self.nodes.insert(id, node);
    }

    /// A node that leads and is known as the leader by all running nodes.
    pub(super) async fn leader(&self) -> NodeId {
        let mut found = None;
        eventually("one leader is known to all", || {
            let members = self.nodes.values().filter(|node| node.raft.takes_part());
            let known: Vec<_> = members.map(|node| node.raft.leader().map(|leader| leader.0)).collect();
            found = known[0].filter(|id| known.iter().all(|other| *other == Some(*id)));
            found.is_some_and(|id| self.nodes.get(&id).is_some_and(|node| node.raft.is_leader()))
        })
        .await;
        found.unwrap()
    }

    /// Waits for a point to read at. A machine that stands still for a lease lets the leader lose its quorum, and it is asked again.
    pub(super) async fn read_barrier(&self, id: NodeId) -> ReadPoint {
        let raft = &self.nodes[&id].raft;
        succeeds("a read goes through", || raft.read_barrier()).await
    }

    /// Writes through whoever leads until it is acknowledged, and surely only once.
    pub(super) async fn write(&self, payload: &str) -> Outcomes {
        let deadline = crate::raft::now() + WAIT;
        loop {
            assert!(crate::raft::now() < deadline, "{payload} was never acknowledged");
            let leader = &self.nodes[&self.leader().await];
            match leader.submit(payload).await {
                Ok(outcomes) => return outcomes,
                // A new leader takes no payload before a majority has answered it.
                Err(SubmitError::NotLeader { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(SubmitError::Unknown) => {
                    let settled = self.nodes[&self.leader().await].raft.read_barrier().await.is_ok();
                    if settled && payloads(&leader.state).iter().any(|held| held == payload.as_bytes()) {
                        return Vec::new();
                    }
                }
                Err(error) => panic!("{payload}: {error}"),
            }
        }
    }

    pub(super) async fn all_hold(&self, expected: &[Vec<u8>]) {
        for (id, node) in &self.nodes {
            eventually(&format!("node {id} holds all {} payloads", expected.len()), || {
                payloads(&node.state) == expected
            })
            .await;
        }
    }

    pub(super) fn followers(&self, leader: NodeId) -> Vec<NodeId> {
        self.nodes.keys().copied().filter(|id| *id != leader).collect()
    }

    pub(super) async fn finish(mut self) {
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.stop(id).await;
        }
    }
}

pub(super) fn numbered(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    range.map(|number| format!("p{number}").into_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_elect_write_and_read_alike() {
    let cluster = Cluster::new(3, |_| {}).await;
    let leader = cluster.leader().await;
    for number in 0..20 {
        let outcome = cluster.write(&format!("p{number}")).await;
        assert_eq!(outcome[0][..], u64::from(number).to_be_bytes(), "outcomes belong to their payloads");
        // A linearizable read sees every acknowledged write, on every node.
        for (id, node) in &cluster.nodes {
            let point = cluster.read_barrier(*id).await;
            assert!(node.raft.applied_index() >= Some(point.index));
            assert_eq!(payloads(&node.state), numbered(0..number + 1), "on node {id}");
        }
    }
    let status = cluster.nodes[&leader].raft.status();
    assert_eq!(status.role, Role::Leader);
    assert_eq!(status.members.len(), 3);
    assert!(status.members.iter().all(|member| member.voter && !member.member.peer_addr.is_empty()));
    eventually("all logs match the leader's", || {
        let status = cluster.nodes[&leader].raft.status();
        status.members.iter().all(|member| member.lag_entries == Some(0))
    })
    .await;
    let follower = cluster.followers(leader)[0];
    let refused = cluster.nodes[&follower].submit("x").await;
    let Err(SubmitError::NotLeader { leader: Some((id, member)) }) = refused else { panic!("{refused:?}") };
    assert_eq!((id, member.client_addr), (leader, format!("client-{leader}")));
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_at_once_get_their_own_outcomes() {
    let cluster = Cluster::new(3, |_| {}).await;
    cluster.write("first").await;
    let leader = &cluster.nodes[&cluster.leader().await];
    let names: Vec<_> = (0..500).map(|number| format!("w{number}")).collect();
    let outcomes = futures::future::join_all(names.iter().map(|name| leader.submit(name))).await;
    for (name, outcome) in names.iter().zip(outcomes) {
        assert_eq!(outcome.unwrap()[1][..], *name.as_bytes());
    }
    let expected = payloads(&leader.state);
    assert_eq!(expected.len(), 501);
    cluster.all_hold(&expected).await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_leader_hands_over_and_comes_back_as_a_follower() {
    let mut cluster = Cluster::new(3, |_| {}).await;
    for number in 0..5 {
        cluster.write(&format!("p{number}")).await;
    }
    let old = cluster.leader().await;
    cluster.stop(old).await;
    let new = cluster.leader().await;
    assert_ne!(new, old);
    for number in 5..10 {
        cluster.write(&format!("p{number}")).await;
    }
    cluster.restart(old).await;
    cluster.nodes[&old].raft.wait_for_recovery(WAIT).await.unwrap();
    cluster.all_hold(&numbered(0..10)).await;
    cluster.read_barrier(old).await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_survives_when_all_stop() {
    let mut cluster = Cluster::new(3, |_| {}).await;
    for number in 0..8 {
        cluster.write(&format!("p{number}")).await;
    }
    for id in [1, 2, 3] {
        cluster.stop(id).await;
    }
    for id in [1, 2, 3] {
        cluster.restart(id).await;
    }
    cluster.write("p8").await;
    cluster.all_hold(&numbered(0..9)).await;
    let again = cluster.nodes[&1].raft.initialize(members(&cluster.addresses)).await;
    assert!(again.is_err(), "a cluster is made only once");
    assert!(cluster.nodes[&2].raft.is_initialized().await.unwrap());
    cluster.finish().await;
}

pub(super) fn short_log(settings: &mut RaftSettings) {
    settings.snapshot_logs_since_last = 20;
    settings.log_keep_entries = 5;
    settings.log_tail_entries = 4;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_away_longer_than_the_log_reaches_back_gets_a_snapshot() {
    let mut cluster = Cluster::new(3, short_log).await;
    cluster.write("p0").await;
    cluster.all_hold(&numbered(0..1)).await;
    let away = cluster.followers(cluster.leader().await)[0];
    cluster.stop(away).await;
    let mut number = 1;
    // Until the entries the follower would need are gone from both logs.
    loop {
        cluster.write(&format!("p{number}")).await;
        number += 1;
        let purged = |node: &TestNode| node.raft.status().purged_index.is_some_and(|purged| purged > 10);
        if number > 40 && cluster.nodes.values().all(purged) {
            break;
        }
        assert!(number < 2000, "nothing was purged");
    }
    cluster.restart(away).await;
    cluster.write(&format!("p{number}")).await;
    cluster.all_hold(&numbered(0..number + 1)).await;
    // The state is there a moment before the metrics tell of it.
    eventually("the status tells of the snapshot", || {
        let status = cluster.nodes[&away].raft.status();
        status.snapshot_index.is_some() && status.purged_index.is_some()
    })
    .await;
    // What came by snapshot is as durable as what came by log.
    cluster.stop(away).await;
    cluster.restart(away).await;
    cluster.all_hold(&numbered(0..number + 1)).await;
    assert_eq!(leftovers(&cluster.settings(away).data_dir.join("snapshots/incoming")), 0);
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_cut_short_is_finished_at_the_next_start() {
    let mut cluster = Cluster::new(3, short_log).await;
    cluster.write("p0").await;
    cluster.all_hold(&numbered(0..1)).await;
    let leader = cluster.leader().await;
    let away = cluster.followers(leader)[0];
    cluster.stop(away).await;
    for number in 1..60 {
        cluster.write(&format!("p{number}")).await;
    }
    eventually("a snapshot is there", || cluster.nodes[&leader].raft.status().snapshot_index > Some(30)).await;
    // What an installation leaves behind that is interrupted after the snapshot was kept: it, and the old state.
    let source = cluster.settings(leader).data_dir.join("snapshots");
    let target = cluster.settings(away).data_dir.join("snapshots");
    // Only the newest snapshot and `incoming`: nothing is being built or removed.
    eventually("the snapshots are at rest", || leftovers(&source) == 2).await;
    let names = std::fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().file_name());
    let newest = names.into_iter().find(|name| name != "incoming").unwrap();
    copy_dir(&source.join(&newest), &target.join(&newest));
    cluster.restart(away).await;
    let status = cluster.nodes[&away].raft.status();
    assert!(
        status.applied_index > Some(20),
        "the state is the snapshot's, before any word from the leader: {status:?}"
    );
    cluster.write("p60").await;
    cluster.all_hold(&numbered(0..61)).await;
    cluster.finish().await;
}

fn leftovers(dir: &Path) -> usize {
    std::fs::read_dir(dir).map_or(0, |entries| entries.count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_node_builds_snapshots_purges_and_restarts() {
    let mut cluster = Cluster::new(1, short_log).await;
    for number in 0..100 {
        cluster.write(&format!("p{number}")).await;
    }
    eventually("the log was purged", || cluster.nodes[&1].raft.status().purged_index > Some(20)).await;
    cluster.stop(1).await;
    cluster.restart(1).await;
    cluster.write("p100").await;
    cluster.all_hold(&numbered(0..101)).await;
    let snapshots: PathBuf = cluster.settings(1).data_dir.join("snapshots");
    eventually("only the newest snapshot is kept", || leftovers(&snapshots) == 2).await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_acknowledged_and_nothing_is_read() {
    let mut cluster = Cluster::new(3, |settings| settings.read_timeout = Duration::from_secs(3)).await;
    cluster.write("p0").await;
    let leader = cluster.leader().await;
    for follower in cluster.followers(leader) {
        cluster.stop(follower).await;
    }
    let alone = &cluster.nodes[&leader];
    let write = tokio::time::timeout(Duration::from_secs(3), alone.submit("lost")).await;
    assert!(!matches!(write, Ok(Ok(_))), "acknowledged by one of three: {write:?}");
    let read = alone.raft.read_barrier().await;
    assert!(matches!(read, Err(ReadError::NoQuorum | ReadError::NoLeader | ReadError::Timeout)), "{read:?}");
    assert_eq!(payloads(&alone.state), numbered(0..1));
    cluster.nodes.remove(&leader).unwrap().raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_forwarded_in_batches_and_their_fate_is_known() {
    let mut cluster = Cluster::new(2, |settings| settings.forward_in_flight_max = 64).await;
    cluster.leader().await;
    let pool = std::sync::Arc::clone(cluster.nodes[&1].raft.peers());
    let names: Vec<_> = (0..64).map(|number| format!("r{number}")).collect();
    let answers = futures::future::join_all(names.iter().map(|name| pool.forward(2, name.clone().into()))).await;
    for (name, answer) in names.iter().zip(answers) {
        assert_eq!(answer.unwrap()[..], *format!("1->2:{name}").as_bytes());
    }
    let refused = pool.forward(2, "no".into()).await;
    let Err(ForwardError::Rejected(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!((refused.code, &refused.details[..]), (9, &b"d"[..]));
    assert!(matches!(pool.forward(9, "x".into()).await, Err(ForwardError::NotSent(_))), "an unknown node");
    let answer = pool.call(2, "status", "q".into()).await.unwrap();
    assert_eq!(answer[..], *b"status 1->2:q");

    // Requests that are never answered fill the bound, and are lost with the node.
    let mut waiting: Vec<_> = (0..64).map(|_| Box::pin(pool.forward(2, "never".into()))).collect();
    for request in &mut waiting {
        assert!(futures::poll!(request).is_pending());
    }
    let answer = pool.forward(2, "x".into()).await;
    assert!(matches!(answer, Err(ForwardError::Busy)), "{answer:?}");
    cluster.stop(2).await;
    for answer in futures::future::join_all(waiting).await {
        // One that was still on its way into the stream was surely not sent.
        assert!(matches!(answer, Err(ForwardError::UnknownOutcome(_) | ForwardError::NotSent(_))), "{answer:?}");
    }
    let answer = pool.forward(2, "x".into()).await;
    assert!(matches!(answer, Err(ForwardError::NotSent(_))), "{answer:?}");
    cluster.restart(2).await;
    let deadline = crate::raft::now() + WAIT;
    while pool.forward(2, "x".into()).await.is_err() {
        assert!(crate::raft::now() < deadline, "the link never came back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_its_data_gives_no_vote() {
    let mut cluster = Cluster::new(3, |_| {}).await;
    cluster.write("p0").await;
    cluster.all_hold(&numbered(0..1)).await;
    for id in [1, 2, 3] {
        cluster.stop(id).await;
    }
    std::fs::remove_dir_all(cluster.settings(2).data_dir).unwrap();
    cluster.restart(2).await;
    cluster.restart(3).await;
    assert!(!cluster.nodes[&2].raft.takes_part() && cluster.nodes[&3].raft.takes_part());
    // Four times the longest election: with the vote of node 2 there would be a leader.
    let elected = cluster.nodes[&3].raft.wait_for_leader(Duration::from_secs(5)).await;
    assert_eq!(elected, None, "elected by a node that forgot its votes");
    assert!(!cluster.nodes[&2].raft.is_initialized().await.unwrap(), "nothing reached its log");
    // It runs on, and hears of no leader; the other two are a majority.
    let lost = cluster.nodes.remove(&2).unwrap();
    cluster.restart(1).await;
    cluster.write("p1").await;
    cluster.all_hold(&numbered(0..2)).await;
    assert_eq!(payloads(&lost.state), numbered(0..0));
    assert!(!lost.raft.is_initialized().await.unwrap(), "nothing reached its log, nor a vote");
    lost.stop().await;
    assert!(cluster.nodes[&1].raft.join_founding(1).await.is_err(), "a member with data joins no new cluster");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_without_its_log_is_refused() {
    let mut cluster = Cluster::new(1, |_| {}).await;
    cluster.write("p0").await;
    cluster.stop(1).await;
    let settings = cluster.settings(1);
    std::fs::remove_dir_all(settings.data_dir.join("raftlog")).unwrap();
    std::fs::remove_file(settings.data_dir.join("HIGH_WATER")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = try_start(settings, listener).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("a part of the data directory was deleted"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_bounded_in_bytes() {
    let cluster = Cluster::new(1, |settings| {
        settings.log_round_bytes = 10_000;
        settings.log_tail_entries = 4;
    })
    .await;
    let payload = "x".repeat(1000);
    for _ in 0..100 {
        cluster.write(&payload).await;
    }
    eventually("the log was purged long before its entries are many", || {
        cluster.nodes[&1].raft.status().purged_index.is_some_and(|purged| purged > 10)
    })
    .await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_way_to_a_peer_are_bounded_in_bytes() {
    let mut cluster = Cluster::new(2, |settings| settings.forward_in_flight_bytes = 4000).await;
    cluster.leader().await;
    let pool = std::sync::Arc::clone(cluster.nodes[&1].raft.peers());
    let larger = pool.forward(2, "x".repeat(9000).into()).await;
    assert!(larger.is_ok(), "one that is larger than the bound goes alone: {larger:?}");
    let never = format!("never{}", "x".repeat(1500));
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(pool.forward(2, never.clone().into()))).collect();
    for request in &mut waiting {
        assert!(futures::poll!(request).is_pending());
    }
    let answer = pool.forward(2, never.clone().into()).await;
    assert!(matches!(answer, Err(ForwardError::Busy)), "{answer:?}");
    assert!(pool.forward(2, "small".into()).await.is_ok(), "there is room for a small one");
    cluster.stop(2).await;
    for request in waiting {
        assert!(request.await.is_err());
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_is_refused() {
    let cluster = Cluster::new(1, |_| {}).await;
    let stranger_dir = tempfile::tempdir().unwrap();
    let mut stranger = settings(1, stranger_dir.path());
    stranger.cluster_id = "another".to_owned();
    stranger.node_id = 5;
    let pool = crate::raft::peers::PeerPool::new(&stranger, std::sync::Arc::new(crate::raft::PlainConnector)).unwrap();
    pool.set_members(&members(&cluster.addresses));
    let status = pool.call(1, "status", "q".into()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status}");
    // The right cluster, but the address of another node.
    stranger.cluster_id = "test-cluster".to_owned();
    let pool = crate::raft::peers::PeerPool::new(&stranger, std::sync::Arc::new(crate::raft::PlainConnector)).unwrap();
    pool.set_members(&members(&BTreeMap::from([(2, cluster.addresses[&1].clone())])));
    let status = pool.call(2, "status", "q".into()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status}");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_moves_on_request() {
    let mut cluster = Cluster::new(3, |_| {}).await;
    cluster.write("p0").await;
    let leader = cluster.leader().await;
    let heir = cluster.followers(leader)[0];
    assert!(cluster.nodes[&heir].raft.transfer_leader(leader).await.is_err(), "only the leader may");
    succeeds("the heir was heard", || cluster.nodes[&leader].raft.transfer_leader(heir)).await;
    eventually("the heir leads", || cluster.nodes[&heir].raft.is_leader()).await;
    cluster.write("p1").await;
    cluster.all_hold(&numbered(0..2)).await;
    cluster.stop(leader).await;
    eventually("the dead node is missed", || !cluster.nodes[&heir].raft.heard_lately(leader)).await;
    assert!(cluster.nodes[&heir].raft.transfer_leader(leader).await.is_err(), "nothing is handed to a dead node");
    cluster.write("p2").await;
    cluster.finish().await;
}
