//! Proposes to compact when a policy is due. Every node runs it; only the leader does anything.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::retention::{self, Retention, RetentionPolicy};
use muster_domain::{Command, EventKind, Operation};
use tokio::time::sleep;

use super::due::{self, Log};
use super::sizes::Sizes;
use crate::authorize;
use crate::clock::Clock;
use crate::propose::Proposer;
use crate::raft::RaftNode;
use crate::read::{Reader, StoreError, View};
use crate::store::states::States;
use crate::store::{event_log, keys};
use crate::tasks::{self, StopSignal};

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The task's parts.
pub struct Keeper {
    /// Says who leads.
    pub raft: Arc<RaftNode>,
    /// Reads what is set.
    pub reader: Arc<Reader>,
    /// Holds the events.
    pub states: Arc<States>,
    /// Takes the command.
    pub proposer: Arc<Proposer>,
    /// Tells how old events are.
    pub clock: Arc<dyn Clock>,
}

impl Keeper {
    /// Starts the task.
    pub fn start(self, stop: StopSignal) {
        drop(tasks::spawn("retention", async move {
            let stopped = stop.stopped();
            tokio::pin!(stopped);
            let mut sizes = Sizes::default();
            loop {
                tokio::select! {
                    () = &mut stopped => return,
                    () = sleep(PAUSE) => sizes = self.turn(sizes).await,
                }
            }
        }));
    }

    async fn turn(&self, sizes: Sizes) -> Sizes {
        if !self.raft.is_leader() {
            return Sizes::default();
        }
        let (view, states, now_ms) = (self.reader.local(), Arc::clone(&self.states), self.clock.now_ms());
        let looked = tasks::blocking(move || look(&view, &states, sizes, now_ms)).await;
        let (operations, sizes) = match looked {
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot find out what may be compacted");
                return Sizes::default();
            }
            None => return Sizes::default(),
        };
        if !operations.is_empty() {
            self.compact(operations).await;
        }
        sizes
    }

    /// One command for all scopes, so that it takes one revision.
    async fn compact(&self, operations: Vec<Operation>) {
        let command = Command { operations, atomic: false };
        let command = authorize::by_node(self.raft.node_id(), command);
        match self.proposer.propose(command, "", [0; 16]).await {
            Ok(outcome) => {
                tracing::info!(revision = outcome.revision, "compacted events as the retention policy says");
                metrics::counter!("muster_retention_compactions_total").increment(1);
            }
            // Looked at again with the next turn.
            Err(error) => tracing::warn!(%error, "events were not compacted"),
        }
    }
}

/// The compactions that are due.
fn look(view: &View, states: &States, mut sizes: Sizes, now_ms: u64) -> Result<(Vec<Operation>, Sizes), StoreError> {
    let cluster = view.retention(None)?;
    let own = namespaces(states)?;
    let policies = || cluster.policy.iter().chain(own.iter().filter_map(|(_, own)| own.policy.as_ref()));
    let is_counted = if policies().any(|policy| policy.max_bytes.is_some()) {
        sizes.advance(&states.db(), view.revision())?
    } else {
        sizes = Sizes::default();
        false
    };
    let log = StoredLog { view, states, sizes: is_counted.then_some(&sizes) };
    let mut operations = Vec::new();
    let mut add = |namespace: Option<String>, policy: &RetentionPolicy, floor: u64| {
        let due = due::floor(policy, floor, now_ms, &log)?;
        operations.extend(due.map(|floor| Operation::CompactEvents { namespace, floor }));
        Ok::<_, StoreError>(())
    };
    if let Some(policy) = &cluster.policy {
        add(None, policy, cluster.floor)?;
    }
    for (namespace, own) in own {
        if let Some(policy) = &own.policy {
            add(Some(namespace), policy, retention::namespace_floor(cluster, own))?;
        }
    }
    operations.truncate(muster_domain::limits::OPERATIONS_MAX);
    Ok((operations, sizes))
}

fn namespaces(states: &States) -> Result<Vec<(String, Retention)>, StoreError> {
    let mut found = Vec::new();
    states.scan(&keys::namespace_retentions_prefix(), |key, record| {
        if let Some(namespace) = key.namespace() {
            found.push((namespace.to_owned(), retention::of(Some(record))));
        }
    })?;
    Ok(found)
}

struct StoredLog<'a> {
    view: &'a View,
    states: &'a States,
    sizes: Option<&'a Sizes>,
}

impl StoredLog<'_> {
    fn entry(&self, revision: u64) -> Result<crate::read::RevisionEntry, StoreError> {
        let db = self.states.db();
        event_log::entry(&db, revision)?.ok_or_else(|| event_log::missing(&db, revision))
    }
}

impl Log for StoredLog<'_> {
    type Error = StoreError;

    fn newest(&self) -> u64 {
        self.view.revision()
    }

    fn time_ms(&self, revision: u64) -> Result<u64, StoreError> {
        Ok(self.entry(revision)?.time_ms)
    }

    fn bytes_from(&self, revision: u64) -> Option<u64> {
        self.sizes.map(|sizes| sizes.from(revision))
    }

    fn oldest_within(&self, bytes: u64) -> Option<u64> {
        self.sizes.map(|sizes| sizes.oldest_within(bytes))
    }

    fn is_compaction(&self, revision: u64) -> Result<bool, StoreError> {
        let entry = self.entry(revision)?;
        Ok(entry.events.iter().all(|event| matches!(event.kind, EventKind::EventsCompacted { .. })))
    }
}
