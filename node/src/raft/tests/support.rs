//! What the tests share: a state machine that counts, a fatal handler that remembers, nodes on loopback.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use rocksdb::WriteBatch;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

use crate::raft::{
    ApplyBatch, FatalHandler, ForwardHandler, ForwardRejected, Machine, Member, NodeId, Outcomes, PeerCallHandler,
    PlainConnector, RaftNode, RaftParts, RaftSettings, StartError,
};
use crate::store::columns;
use crate::store::state_db::{StateDb, StateOptions};

/// Remembers what would have ended the process.
#[derive(Default)]
pub(crate) struct Remember(pub Mutex<Vec<String>>);

impl FatalHandler for Remember {
    fn fatal(&self, what: &str, error: &(dyn Error + 'static)) {
        self.0.lock().unwrap().push(format!("{what}: {}", crate::raft::chain(error)));
    }
}

/// Stores each payload under the number of payloads before it; the outcome is that number and the payload.
pub(crate) struct Counting {
    state: Arc<StateDb>,
    count: Mutex<u64>,
    is_held: Mutex<bool>,
    released: Condvar,
}

const COUNT: &[u8] = b"count";

impl Counting {
    pub(super) fn new(state: &Arc<StateDb>) -> Arc<Self> {
        let count = Mutex::new(read_count(state));
        Arc::new(Self { state: Arc::clone(state), count, is_held: Mutex::new(false), released: Condvar::new() })
    }

    /// Nothing more is applied, or all that waits.
    pub(super) fn hold(&self, is_held: bool) {
        *self.is_held.lock().unwrap() = is_held;
        self.released.notify_all();
    }
}

fn read_count(state: &StateDb) -> u64 {
    let db = state.db();
    let value = db.get_cf(db.cf_handle(columns::META).unwrap(), COUNT).unwrap();
    value.map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()))
}

/// All payloads in the state, in order.
pub(super) fn payloads(state: &StateDb) -> Vec<Vec<u8>> {
    let db = state.db();
    let events = db.cf_handle(columns::EVENTS).unwrap();
    db.iterator_cf(events, rocksdb::IteratorMode::Start).map(|item| item.unwrap().1.to_vec()).collect()
}

impl Machine for Counting {
    fn apply(&self, batch: ApplyBatch) -> io::Result<Vec<Outcomes>> {
        drop(self.released.wait_while(self.is_held.lock().unwrap(), |is_held| *is_held).unwrap());
        let db = self.state.db();
        let (events, meta) = (db.cf_handle(columns::EVENTS).unwrap(), db.cf_handle(columns::META).unwrap());
        let mut write = WriteBatch::default();
        let mut count = self.count.lock().unwrap();
        let mut outcomes = Vec::new();
        for payload in &batch.payloads {
            write.put_cf(events, count.to_be_bytes(), payload);
            outcomes.push(vec![Bytes::copy_from_slice(&count.to_be_bytes()), payload.clone()]);
            *count += 1;
        }
        write.put_cf(meta, COUNT, count.to_be_bytes());
        for (key, value) in &batch.meta {
            write.put_cf(meta, key, value);
        }
        self.state.write(write).map_err(io::Error::other)?;
        Ok(outcomes)
    }

    fn reset(&self) -> io::Result<()> {
        *self.count.lock().unwrap() = read_count(&self.state);
        Ok(())
    }
}

/// Answers a forwarded request with the node's id and the request, refuses "no", and never answers what begins with
/// "never".
pub(super) struct Echo(pub NodeId);

impl ForwardHandler for Echo {
    fn handle(&self, from: NodeId, request: Bytes) -> BoxFuture<'static, Result<Bytes, ForwardRejected>> {
        let this = self.0;
        async move {
            match &request[..] {
                b"no" => Err(ForwardRejected { code: 9, message: "no".to_owned(), details: Bytes::from_static(b"d") }),
                request if request.starts_with(b"never") => std::future::pending().await,
                _ => Ok(format!("{from}->{this}:{}", String::from_utf8_lossy(&request)).into()),
            }
        }
        .boxed()
    }
}

impl PeerCallHandler for Echo {
    fn call(&self, from: NodeId, method: &str, request: Bytes) -> BoxFuture<'static, Result<Bytes, tonic::Status>> {
        let answer = format!("{method} {from}->{}:{}", self.0, String::from_utf8_lossy(&request));
        async move { Ok(answer.into()) }.boxed()
    }
}

/// A running node of a test.
pub(crate) struct TestNode {
    pub(crate) raft: Arc<RaftNode>,
    pub state: Arc<StateDb>,
    pub machine: Arc<Counting>,
    pub fatal: Arc<Remember>,
}

pub(crate) fn small_state() -> StateOptions {
    StateOptions { block_cache_bytes: 1 << 20, write_buffer_bytes: 1 << 20, ..StateOptions::default() }
}

/// Starts a node on an address that is already known to its peers.
pub(crate) async fn start(settings: RaftSettings, listener: TcpListener) -> TestNode {
    try_start(settings, listener).await.unwrap()
}

/// Opens a state store that may be just about to be closed by the node that had it before.
pub(super) async fn open_state(dir: &Path) -> Arc<StateDb> {
    let mut state = None;
    eventually("the state store is free", || match StateDb::open(dir, small_state()) {
        Ok(opened) => state.replace(opened).is_none(),
        Err(error) if crate::raft::chain(&error).contains("lock hold") => false,
        Err(error) => panic!("{}", crate::raft::chain(&error)),
    })
    .await;
    state.unwrap()
}

/// As [`start`], where that may be refused.
pub(super) async fn try_start(settings: RaftSettings, listener: TcpListener) -> Result<TestNode, StartError> {
    std::fs::create_dir_all(&settings.data_dir).unwrap();
    let state = open_state(&settings.data_dir).await;
    let fatal = Arc::new(Remember::default());
    let echo = Arc::new(Echo(settings.node_id));
    let machine = Counting::new(&state);
    let parts = RaftParts {
        state: Arc::clone(&state),
        machine: Arc::clone(&machine) as Arc<dyn Machine>,
        connector: Arc::new(PlainConnector),
        certified: |_| None,
        forward: Arc::clone(&echo) as Arc<dyn ForwardHandler>,
        calls: echo,
        fatal: Arc::clone(&fatal) as Arc<dyn FatalHandler>,
    };
    let raft = RaftNode::start(settings, parts, TcpListenerStream::new(listener)).await?;
    Ok(TestNode { raft, state, machine, fatal })
}

impl TestNode {
    /// Stops the node and returns when its databases can be opened again.
    pub(super) async fn stop(self) {
        let fatal = Arc::clone(&self.fatal);
        self.raft.shutdown().await;
        let weak = Arc::downgrade(&self.state);
        drop(self);
        eventually("the state store is closed", || weak.strong_count() == 0).await;
        assert_eq!(*fatal.0.lock().unwrap(), Vec::<String>::new(), "stopping must not be fatal");
    }

    pub(super) async fn submit(&self, payload: &str) -> Result<Outcomes, crate::raft::SubmitError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.raft.submit(payload.to_owned().into(), move |result| {
            sender.send(result).ok();
        });
        receiver.await.expect("the outcome is always reported")
    }
}

/// Tries until it succeeds.
pub(super) async fn succeeds<T, E: Error>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = crate::raft::now() + Duration::from_secs(30);
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(crate::raft::now() < deadline, "not within 30 s: {what}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Polls until a condition holds.
pub(super) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = crate::raft::now() + Duration::from_secs(30);
    while !condition() {
        assert!(crate::raft::now() < deadline, "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn settings(node_id: NodeId, dir: &Path) -> RaftSettings {
    let mut settings = RaftSettings::new("test-cluster", node_id, dir.join(format!("node-{node_id}")));
    std::fs::create_dir_all(&settings.data_dir).unwrap();
    // Generous, because many tests share two processors.
    settings.heartbeat_ms = 150;
    settings.election_timeout_min_ms = 600;
    settings.election_timeout_max_ms = 1000;
    settings.purge_batch_entries = 1;
    settings
}

pub(super) fn members(addresses: &BTreeMap<NodeId, String>) -> BTreeMap<NodeId, Member> {
    addresses
        .iter()
        .map(|(id, address)| {
            let member =
                Member { peer_addr: address.clone(), client_addr: format!("client-{id}"), name: format!("node {id}") };
            (*id, member)
        })
        .collect()
}

/// Copies the files of a directory into a new one.
pub(super) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
