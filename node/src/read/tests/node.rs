//! A node's state without its network: commands are applied as Raft would hand them over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_domain::cluster::Cluster;
use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::policy::{Principal, Role};
use muster_domain::{At, Command, EventKind, Key, Operation, evolve};
use tempfile::TempDir;

use crate::apply::Applier;
use crate::outcome::Outcome;
use crate::raft::{ApplyBatch, Machine};
use crate::read::View;
use crate::read::scans::Scans;
use crate::request::Request;
use crate::store::codec::{decode_outcome, encode_batch, encode_request};
use crate::store::state_db::{StateDb, StateOptions};
use crate::store::states::{States, family, seal};
use crate::store::unwritten::Limits;
use crate::store::{columns, keys, sweep};
use crate::views::{CheckpointFile, Views};

pub(super) const START_MS: u64 = 1_795_000_000_000;

pub(crate) struct Node {
    dir: TempDir,
    open: Option<(Arc<States>, Arc<Applier>)>,
    log_index: u64,
}

impl Node {
    pub(crate) fn new() -> Self {
        let mut node = Self { dir: tempfile::tempdir().unwrap(), open: None, log_index: 0 };
        node.reopen();
        node.found();
        node
    }

    /// The cluster's settings, as if they had been there before the first revision: revisions count the test's commands.
    fn found(&mut self) {
        let cluster = Cluster {
            cluster_id: "c".to_owned(),
            page_key: [0; 32],
            limits: muster_domain::Limits::default(),
            feature_level: FEATURE_LEVEL,
            last_node_id: 0,
        };
        let record = evolve(None, &EventKind::ClusterInitialized(cluster), At { revision: 0, time_ms: 0 });
        let db = self.parts().0.db();
        db.put_cf(family(&db, columns::STATES).unwrap(), keys::state(&Key::Cluster), seal(&record)).unwrap();
        drop(db);
        self.reopen();
    }

    /// As after a kill: twins that were not written yet are lost from memory. Few are kept there, so that writing them
    /// goes on all the time.
    pub(super) fn reopen(&mut self) {
        self.open = None;
        let options =
            StateOptions { block_cache_bytes: 8 << 20, write_buffer_bytes: 4 << 20, ..StateOptions::default() };
        let limits = Limits { twins: 4, bytes: 1 << 20, changes: 9 };
        let states = States::with_limits(StateDb::open(self.dir.path(), options).unwrap(), 1 << 20, limits);
        let states = Arc::new(states);
        let applier = Applier::open(Arc::clone(&states), Some(self.checkpoint())).unwrap();
        self.open = Some((states, applier));
    }

    /// Where the checkpoint of its views is.
    pub(super) fn checkpoint(&self) -> CheckpointFile {
        CheckpointFile::below(self.dir.path())
    }

    /// What applies, with its positions and what it has just applied.
    pub(crate) fn applier(&self) -> Arc<Applier> {
        Arc::clone(&self.parts().1)
    }

    pub(crate) fn states(&self) -> Arc<States> {
        Arc::clone(&self.parts().0)
    }

    fn parts(&self) -> &(Arc<States>, Arc<Applier>) {
        self.open.as_ref().expect("it is open")
    }

    /// Forgets what it remembers of the store, as after a snapshot was installed.
    pub(super) fn forget(&self) {
        self.parts().1.reset().unwrap();
    }

    /// Writes some twins as they are now, without saying so: as a kill leaves them in the middle of writing.
    pub(super) fn write_some_twins(&self, keys: impl IntoIterator<Item = Key>) {
        let states = &self.parts().0;
        states.unwritten().settle();
        let db = states.db();
        for key in keys {
            if let Some(record) = states.get(&key).unwrap() {
                db.put_cf(family(&db, columns::STATES).unwrap(), keys::state(&key), seal(&record)).unwrap();
            }
        }
    }

    /// As before an orderly stop.
    pub(super) fn write_twins(&self) {
        self.parts().0.write_twins().unwrap();
    }

    /// Sweeps events below the floor, in at most `steps` of about so many events.
    pub(super) fn sweep(&self, events: usize, steps: usize) {
        let mut reached = 0;
        for _ in 0..steps {
            let next = sweep::step_of(&self.parts().0, self.physical_floor(), events).unwrap();
            if next <= reached {
                break;
            }
            reached = next;
        }
        sweep::free(&self.parts().0).unwrap();
    }

    pub(super) fn physical_floor(&self) -> u64 {
        self.parts().1.physical_floor()
    }

    /// Applies payloads of requests as one batch; returns the outcomes.
    pub(super) fn apply(&mut self, payloads: &[Vec<(u64, Bytes)>]) -> Vec<Outcome> {
        self.log_index += payloads.len() as u64;
        let payloads =
            payloads.iter().map(|requests| encode_batch(requests.iter().map(|(ms, bytes)| (*ms, bytes)))).collect();
        let batch = ApplyBatch { payloads, log_index_last: self.log_index, meta: Vec::new() };
        let outcomes = self.parts().1.apply(batch).unwrap();
        outcomes.iter().flatten().map(|outcome| decode_outcome(outcome).unwrap()).collect()
    }

    /// Applies one command as a batch of its own.
    pub(crate) fn run(&mut self, operations: Vec<Operation>) -> Outcome {
        self.apply(&[vec![request(START_MS, operations)]]).remove(0)
    }

    pub(super) fn views(&self) -> Arc<Views> {
        self.parts().1.views()
    }

    pub(crate) fn view(&self) -> View {
        let (states, applier) = self.parts();
        let position = *applier.positions().borrow();
        View { states: Arc::clone(states), position, scans: Scans::new(Duration::from_secs(30)) }
    }
}

/// A device with nothing special to it.
pub(crate) fn create_device(namespace: &str, device: &str) -> Operation {
    Operation::CreateDevice {
        namespace: namespace.to_owned(),
        device: device.to_owned(),
        definition: Box::new(super::random::device_definition()),
    }
}

/// A time and a request of operations that are accepted or refused each for itself.
pub(super) fn request(time_ms: u64, operations: Vec<Operation>) -> (u64, Bytes) {
    let request = Request {
        principal: Principal::User { name: "t".to_owned(), role: Role::Admin, namespace: None, token: None },
        origin: "127.0.0.1:1".to_owned(),
        request_id: String::new(),
        body_hash: [0; 16],
        command: Command { operations, atomic: false },
    };
    (time_ms, encode_request(&request))
}
