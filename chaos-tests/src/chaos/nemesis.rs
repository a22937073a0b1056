//! Carries out a plan: finds the node that a step is for, breaks it, waits, mends it, and notes the times.
//!
//! - Each step mends what it broke, so that when a lane ends nothing of it is left, but for a node that did not come up yet.
//! - A node that ends by itself must have a reason: a failed sync demands it and a disk without space may, with the exit code for
//!   storage (R5 fail-stop); nothing else may cause it.

mod processes;
mod surroundings;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_client::{Client, proto};

use super::plan::Who;
use crate::history::Recorder;

pub(super) use processes::Processes;
pub(super) use surroundings::Surroundings;

/// Exit code of a node whose disk failed.
pub(super) const EXIT_STORAGE: i32 = 70;
/// How often nodes are asked who leads.
const INTERVAL: Duration = Duration::from_millis(40);

/// A fault as it took place.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Kind, with its measure.
    pub what: String,
    /// Kind alone.
    pub kind: &'static str,
    /// The node, 0 for several.
    pub node: u64,
    /// Nanoseconds since the run began.
    pub from_ns: u64,
    /// Nanoseconds since the run began.
    pub to_ns: u64,
}

/// What both lanes share.
pub(super) struct Scene {
    pub recorder: Recorder,
    happened: Mutex<Vec<Happened>>,
    leader: AtomicU64,
    over: AtomicBool,
}

impl Scene {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self { recorder, happened: Mutex::default(), leader: AtomicU64::new(0), over: AtomicBool::new(false) }
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn note(&self, happened: Happened) {
        self.happened.lock().unwrap_or_else(PoisonError::into_inner).push(happened);
    }

    /// By the time at which they began.
    pub(super) fn happened(&self) -> Vec<Happened> {
        let mut all = self.happened.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort_by_key(|happened| happened.from_ns);
        all
    }

    /// The node that leads, as far as is known; 0 before anybody was asked.
    fn leader(&self) -> u64 {
        self.leader.load(Ordering::Acquire)
    }

    /// The node that a step is for.
    fn find(&self, who: Who, ids: &[u64]) -> u64 {
        let leader = self.leader();
        match who {
            Who::Leader if ids.contains(&leader) => leader,
            Who::Leader => ids[0],
            Who::Follower(draw) => {
                let others: Vec<u64> = ids.iter().copied().filter(|id| *id != leader).collect();
                others[usize::from(draw) % others.len()]
            }
        }
    }

    /// Asks all nodes again and again who leads; believes the highest term.
    pub(super) async fn observe(&self, nodes: BTreeMap<u64, Client>) {
        while !self.is_over() {
            let mut newest = (0, 0);
            let answers = nodes.values().map(async |client| client.cluster().status(proto::GetStatusRequest {}).await);
            for answer in futures::future::join_all(answers).await.into_iter().flatten() {
                let term = answer.header.map(|header| header.raft_term).unwrap_or_default();
                newest = newest.max((term, answer.leader_id));
            }
            if newest.1 != 0 {
                self.leader.store(newest.1, Ordering::Release);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
