//! Hands committed entries to the domain and its answers back to openraft. An adapter only: what a payload means is
//! known to [`Machine`].
//!
//! - Entries that are ready together are applied together, in log order, as one atomic write with their place in the log.
//! - Every responder is answered, also for blank entries and memberships.
//! - An error from below is fatal: a node that skipped an entry would answer differently from its peers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};
use tokio::sync::watch;

use super::fatal::FatalHandler;
use super::snapshot::{SnapshotData, SnapshotStore, applied_in};
use super::types::{
    Applied, Entry, EntryPayload, LogId, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, entry_bytes,
};
use super::{ApplyBatch, Machine, meta_keys, wire};
use crate::store::envelope::RecordType;
use crate::store::state_db::StateDb;

/// Most entries and bytes that become one write.
const BATCH_ENTRIES: usize = 64;
const BATCH_BYTES: usize = 4 << 20;

/// The state machine openraft drives.
pub(super) struct StateMachine {
    pub(super) state: Arc<StateDb>,
    pub(super) machine: Arc<dyn Machine>,
    pub(super) snapshots: Arc<SnapshotStore>,
    pub(super) fatal: Arc<dyn FatalHandler>,
    /// The index of the last applied entry, for those who wait for it.
    pub(super) applied: watch::Sender<Option<u64>>,
    /// Counts bytes of applied entries; whoever bounds the log by them starts it anew.
    pub(super) applied_bytes: Arc<AtomicU64>,
}

#[derive(Default)]
struct Batch {
    payloads: Vec<Bytes>,
    /// For each entry: does it have a payload, and who waits for it.
    answers: Vec<(bool, Option<ApplyResponder<TypeConfig>>)>,
    bytes: usize,
    last: Option<LogId>,
    membership: Option<StoredMembership>,
}

impl Batch {
    fn push(&mut self, entry: Entry, responder: Option<ApplyResponder<TypeConfig>>) {
        self.bytes += entry_bytes(&entry);
        self.last = Some(entry.log_id);
        let has_payload = match entry.payload {
            EntryPayload::Normal(payload) => {
                self.payloads.push(payload.0);
                true
            }
            EntryPayload::Membership(membership) => {
                self.membership = Some(StoredMembership::new(Some(entry.log_id), membership));
                false
            }
            EntryPayload::Blank => false,
        };
        self.answers.push((has_payload, responder));
    }

    fn is_full(&self) -> bool {
        self.answers.len() >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES
    }
}

impl StateMachine {
    fn apply_batch(&self, batch: Batch) -> io::Result<()> {
        let Some(last) = batch.last else { return Ok(()) };
        let start = super::now();
        let mut meta = vec![(meta_keys::APPLIED.to_vec(), wire::seal(RecordType::LogId, &wire::log_id_out(&last)))];
        if let Some(membership) = &batch.membership {
            let value = wire::seal(RecordType::Membership, &wire::stored_membership_out(membership));
            meta.push((meta_keys::MEMBERSHIP.to_vec(), value));
        }
        let payloads = batch.payloads.len();
        let outcomes = self.machine.apply(ApplyBatch { payloads: batch.payloads, log_index_last: last.index, meta })?;
        if outcomes.len() != payloads {
            return Err(io::Error::other(format!("{payloads} payloads gave {} outcomes", outcomes.len())));
        }
        metrics::histogram!("muster_apply_seconds").record(start.elapsed());
        self.applied_bytes.fetch_add(batch.bytes as u64, Ordering::Relaxed);
        self.applied.send_replace(Some(last.index));
        let mut outcomes = outcomes.into_iter();
        for (has_payload, responder) in batch.answers {
            let outcome = if has_payload { outcomes.next().unwrap_or_default() } else { Vec::new() };
            if let Some(responder) = responder {
                responder.send(Applied(outcome));
            }
        }
        Ok(())
    }

    async fn apply_all<S>(&self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin,
    {
        let mut batch = Batch::default();
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            batch.push(entry, responder);
            if batch.is_full() {
                self.apply_batch(std::mem::take(&mut batch))?;
                // A long catch-up must not keep a worker thread from everything else.
                tokio::task::yield_now().await;
            }
        }
        self.apply_batch(batch)
    }

    /// Replaces the state. Takes seconds when there is much of it, so it must not hold up an async thread.
    async fn install(&self, data: SnapshotData) -> io::Result<()> {
        let (snapshots, machine) = (Arc::clone(&self.snapshots), Arc::clone(&self.machine));
        let work = move || {
            snapshots.install(&data)?;
            machine.reset()
        };
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)??;
        let (applied, _) = applied_in(&self.state.db())?;
        self.applied.send_replace(applied.map(|applied| applied.index));
        Ok(())
    }

    fn or_fatal<T>(&self, what: &str, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.fatal.fatal(what, error);
        }
        result
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        applied_in(&self.state.db())
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let result = self.apply_all(entries).await;
        self.or_fatal("applying log entries", result)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder { snapshots: Arc::clone(&self.snapshots) }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: SnapshotData) -> Result<(), io::Error> {
        tracing::info!(%meta, "installing a snapshot");
        let result = self.install(data).await;
        self.or_fatal("installing a snapshot", result)
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.snapshots.current()
    }
}

/// Builds one snapshot, off the state machine's task.
pub(super) struct SnapshotBuilder {
    snapshots: Arc<SnapshotStore>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let snapshots = Arc::clone(&self.snapshots);
        tokio::task::spawn_blocking(move || snapshots.build()).await.map_err(io::Error::other)?
    }
}
