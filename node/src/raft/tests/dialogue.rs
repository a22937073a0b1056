//! Kept streams to a peer that falls silent, goes away and comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use muster_proto::peer::v1 as wire;
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Response, Status, Streaming};

use super::cluster::Cluster;
use super::support::{members, settings};
use crate::raft::PlainConnector;
use crate::raft::dialogue::{Dialogue, Topic};
use crate::raft::peers::{Client, Peer, PeerPool};
use crate::raft::types::NodeId;

struct Indexes;

impl Topic for Indexes {
    type Question = wire::ReadIndexRequest;
    type Answer = wire::ReadIndexReply;

    async fn open(
        client: &mut Client,
        questions: ReceiverStream<wire::ReadIndexRequest>,
    ) -> Result<Response<Streaming<wire::ReadIndexReply>>, Status> {
        client.read_index(questions).await
    }

    fn number(question: &mut wire::ReadIndexRequest, id: u64) {
        question.id = id;
    }

    fn answers(answer: &wire::ReadIndexReply) -> u64 {
        answer.id
    }
}

/// Node `id` at `address`, as node 5 sees it.
fn peer(id: NodeId, address: &str) -> Arc<Peer> {
    let dir = tempfile::tempdir().unwrap();
    let pool = PeerPool::new(&settings(5, dir.path()), Arc::new(PlainConnector)).unwrap();
    pool.set_members(&members(&BTreeMap::from([(id, address.to_owned())])));
    pool.known(id).unwrap()
}

async fn ask(dialogue: &mut Dialogue<Indexes>, peer: &Peer, limit: Duration) -> Result<wire::ReadIndexReply, Status> {
    dialogue.ask(peer, limit, wire::ReadIndexRequest::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_peer_has_said_nothing_when_time_is_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = peer(2, &listener.local_addr().unwrap().to_string());
    let accepting = crate::tasks::spawn("silent", async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    let mut dialogue = Dialogue::default();
    for _ in 0..2 {
        let status = ask(&mut dialogue, &silent, Duration::from_millis(100)).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    }
    accepting.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_comes_back_is_asked_on_a_new_stream() {
    const LIMIT: Duration = Duration::from_secs(5);
    let mut cluster = Cluster::new(1, |_| {}).await;
    cluster.write("p0").await;
    let node = peer(1, &cluster.addresses[&1]);
    let mut dialogue = Dialogue::default();
    for id in 0..3 {
        let reply = ask(&mut dialogue, &node, LIMIT).await.unwrap();
        assert_eq!(reply.id, id);
        assert!(matches!(reply.result, Some(wire::read_index_reply::Result::LogId(_))), "{reply:?}");
    }
    cluster.stop(1).await;
    assert!(ask(&mut dialogue, &node, LIMIT).await.is_err(), "a node that is gone answers nothing");
    cluster.restart(1).await;
    let deadline = crate::raft::now() + LIMIT;
    while !ask(&mut dialogue, &node, LIMIT)
        .await
        .is_ok_and(|reply| matches!(reply.result, Some(wire::read_index_reply::Result::LogId(_))))
    {
        assert!(crate::raft::now() < deadline, "the node that came back is never heard");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.finish().await;
}
