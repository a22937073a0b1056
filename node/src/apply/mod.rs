//! From committed Raft entries to records, events and outcomes: the one place where state changes.
//!
//! ```text
//! payloads ─ decode ─▶ per command: seen before? ─▶ policy ─▶ decide ─▶ overlay
//!                                                        │
//!    one WriteBatch: events, states but twins, history, dedup, secondary, position, Raft's meta
//!                                                        │
//!               twins to those not written yet, cache, views, then publish the new position
//! ```
//!
//! It knows no network, no clock and no chance: time and ids are in the log. Invariants:
//!
//! - Same payloads, same bytes in the store, on every replica.
//! - A rejection is an outcome like any other. A storage fault, or a command that cannot be understood, is returned as
//!   an error, nothing is written, and the node stops.
//! - Nobody hears of a revision before it is written: readers, watchers and callers follow [`Applier::positions`].

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use muster_domain::{Body, Key, Limits, Record};
use muster_planted::{self as planted, Bug};
use tokio::sync::watch;

use crate::outcome::Outcome;
use crate::raft::{ApplyBatch, Machine, Outcomes};
use crate::request::Request;
use crate::store::codec;
use crate::store::error::StoreError;
use crate::store::event_log::ChainHash;
use crate::store::keys;
use crate::store::overlay::Overlay;
use crate::store::replay;
use crate::store::states::States;
use crate::tasks;
use crate::views::{Changed, CheckpointFile, Views, Which};

mod command;
mod dedup;
mod floors;
mod position;
mod recent;
mod write;

use dedup::Dedup;
use floors::Floors;
pub use position::Position;
pub use recent::Recent;
use write::Writing;

/// The state machine of a node.
pub struct Applier {
    states: Arc<States>,
    memory: Mutex<Memory>,
    positions: watch::Sender<Position>,
    recent: Arc<Recent>,
    views: Arc<Views>,
    makes_views_beside: bool,
    /// The limits in force, for those who must not wait for the applying thread.
    limits: Mutex<Limits>,
    floor: AtomicU64,
}

/// What the applying thread remembers between batches; all of it can be read back from the store.
struct Memory {
    position: Position,
    limits: Limits,
    dedup: Dedup,
    floors: Floors,
}

impl Memory {
    fn load(states: &States) -> Result<Self, StoreError> {
        states.unwritten().settle();
        let db = states.db();
        let position = Position::load(&db)?;
        position.check(&db)?;
        let folded = replay::catch_up(&db, position.revision)?;
        if folded > 0 {
            tracing::info!(revisions = folded, "twins were folded up to the position");
        }
        states.forget_all(position.revision);
        let limits = match states.get(&Key::Cluster)?.as_deref().map(|record| &record.body) {
            Some(Body::Cluster(cluster)) => cluster.limits,
            _ => Limits::default(),
        };
        let dedup = if planted::is(Bug::RequestsNotReloaded) { Dedup::default() } else { Dedup::load(&db)? };
        Ok(Self { position, limits, dedup, floors: Floors::load(states)? })
    }
}

impl Applier {
    /// Over the stored state, from where it was left, with the help of a checkpoint of the views if there is one.
    ///
    /// # Errors
    /// When the store fails or is damaged.
    pub fn open(states: Arc<States>, checkpoint: Option<CheckpointFile>) -> Result<Arc<Self>, StoreError> {
        let memory = Memory::load(&states)?;
        let views = Arc::new(Views::build(&states, memory.position, checkpoint)?);
        Ok(Self::with(states, memory, views, false))
    }

    /// The same, and makes the views beside what follows: a fleet of millions takes seconds. A store that fails
    /// meanwhile ends the process.
    ///
    /// # Errors
    /// As [`Applier::open`].
    pub fn open_and_make_views_beside(
        states: Arc<States>,
        checkpoint: CheckpointFile,
    ) -> Result<Arc<Self>, StoreError> {
        let memory = Memory::load(&states)?;
        let views = Views::build_beside(&states, memory.position, Some(checkpoint), end_on_fault);
        Ok(Self::with(states, memory, views, true))
    }

    fn with(states: Arc<States>, memory: Memory, views: Arc<Views>, makes_views_beside: bool) -> Arc<Self> {
        let (positions, _) = watch::channel(memory.position);
        let limits = Mutex::new(memory.limits);
        let floor = AtomicU64::new(memory.floors.physical());
        let recent = Arc::default();
        let memory = Mutex::new(memory);
        Arc::new(Self { states, memory, positions, recent, views, makes_views_beside, limits, floor })
    }

    /// The newest position, and a way to wait for a later one.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<Position> {
        self.positions.subscribe()
    }

    /// The entries just applied; there when [`Applier::positions`] names their revision.
    #[must_use]
    pub fn recent(&self) -> Arc<Recent> {
        Arc::clone(&self.recent)
    }

    /// What queries are asked of; up to date with every position made known.
    #[must_use]
    pub fn views(&self) -> Arc<Views> {
        Arc::clone(&self.views)
    }

    /// The revision below which nobody may read events, all changes before it set being visible in the states.
    #[must_use]
    pub fn physical_floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// What would follow from a request now; nothing changes.
    ///
    /// # Errors
    /// When the store fails.
    pub fn dry_run(&self, request: &Request, time_ms: u64) -> Result<Outcome, StoreError> {
        // Not from `memory`: the applying thread holds it while it waits for the disk.
        let position = *self.positions.borrow();
        let limits = *self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        // Beside the applying thread, not in its way: so it must not fill the cache.
        let mut overlay = Overlay::for_dry_run(&self.states);
        let time_ms = time_ms.max(position.time_ms);
        let decided = command::decide(&mut overlay, request, position.next(time_ms), &limits, 0);
        overlay.finish()?;
        Ok(Outcome { revision: position.revision, results: decided.results })
    }

    /// Lets everybody know what is applied.
    fn publish(&self, memory: &Memory) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = memory.limits;
        self.floor.store(memory.floors.physical(), Ordering::Release);
        self.positions.send_replace(memory.position);
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // A panic while applying ends the process (see `telemetry`), so nobody meets a poisoned lock.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the changed records those that views are made of, with what was there before.
    fn viewed(&self, changed: &BTreeMap<Vec<u8>, Arc<Record>>) -> Result<Vec<Changed>, StoreError> {
        let of_views = changed.iter().filter_map(|(encoded, after)| {
            let key = keys::parse_state(encoded).filter(|key| Which::row_of(key).is_some())?;
            if planted::is(Bug::TornView) && key.is_twin() {
                return None;
            }
            Some((encoded, key, after))
        });
        of_views
            .map(|(encoded, key, after)| {
                let before = self.states.get_for_apply(encoded)?.filter(|record| record.is_alive());
                Ok(Changed { key, before, after: Arc::clone(after) })
            })
            .collect()
    }

    fn apply_batch(&self, batch: &ApplyBatch) -> Result<Vec<Outcomes>, StoreError> {
        let mut memory = self.lock();
        let db = self.states.db();
        let mut overlay = Overlay::for_apply(&self.states);
        let mut writing = Writing::new(&db, self.recent.is_wanted());
        let mut outcomes = Vec::with_capacity(batch.payloads.len());
        for payload in &batch.payloads {
            outcomes.push(apply_payload(&mut memory, &mut overlay, &mut writing, payload)?);
        }
        let changed = overlay.finish()?;
        metrics::counter!("muster_apply_commands_total", "verdict" => "accepted").increment(writing.accepted);
        metrics::counter!("muster_apply_commands_total", "verdict" => "rejected").increment(writing.rejected);
        let viewed = self.viewed(&changed)?;
        let finished = writing.finish(&self.states, changed, &memory.position, &batch.meta)?;
        self.states.unwritten().put(&db, finished.twins, memory.position.revision)?;
        for (key, record, stored_bytes) in finished.written {
            self.states.remember(&key, &record, stored_bytes);
        }
        self.recent.put(finished.entries);
        self.views.apply(viewed, memory.position);
        self.publish(&memory);
        Ok(outcomes)
    }
}

fn end_on_fault(error: StoreError) {
    tasks::die(tasks::EXIT_STORAGE, &format!("the views cannot be made: {error}"));
}

fn apply_payload(
    memory: &mut Memory,
    overlay: &mut Overlay<'_>,
    writing: &mut Writing<'_>,
    payload: &Bytes,
) -> Result<Outcomes, StoreError> {
    let undecodable = |source| StoreError::Undecodable {
        what: "a command in the log; this node may be too old for it".to_owned(),
        source,
    };
    memory.position.entries += 1;
    let mut outcomes = Outcomes::new();
    for (time_ms, bytes) in codec::decode_batch(payload.clone()).map_err(undecodable)? {
        let request = codec::decode_request(&bytes).map_err(undecodable)?;
        outcomes.push(apply_request(memory, overlay, writing, &request, time_ms)?);
    }
    Ok(outcomes)
}

fn apply_request(
    memory: &mut Memory,
    overlay: &mut Overlay<'_>,
    writing: &mut Writing<'_>,
    request: &Request,
    time_ms: u64,
) -> Result<Bytes, StoreError> {
    let time_ms = if planted::is(Bug::ClockInApply) { planted::own_clock_ms() } else { time_ms };
    memory.position.time_ms = memory.position.time_ms.max(time_ms);
    let time_ms = memory.position.time_ms;
    let identity = dedup::RequestIdentity::of(request);
    if let Some(identity) = &identity
        && let Some(first) = memory.dedup.first_outcome(writing.db, &writing.rows, identity)?
    {
        metrics::counter!("muster_apply_duplicate_requests_total").increment(1);
        return Ok(dedup::answer_again(first, request));
    }
    let at = memory.position.next(time_ms);
    let mut decided = command::decide(overlay, request, at, &memory.limits, memory.floors.physical());
    let mut revision = memory.position.revision;
    if !decided.events.is_empty() {
        revision = at.revision;
        let chain = writing.append(&memory.position.chain, request, at, &mut decided)?;
        memory.position.revision = revision;
        memory.position.chain = chain;
        if let Some(limits) = decided.limits {
            memory.limits = limits;
        }
        for (key, record) in &decided.retentions {
            memory.floors.note(key, record);
        }
    }
    let accepted = decided.results.iter().any(crate::outcome::OperationResult::is_accepted);
    let outcome = Outcome { revision: if accepted { revision } else { 0 }, results: decided.results };
    let encoded = codec::encode_outcome(&outcome);
    if let Some(identity) = identity {
        for bucket in memory.dedup.remember(&mut writing.rows, &mut memory.position, &identity, &encoded) {
            writing.forget_requests(bucket)?;
        }
    }
    *(if accepted { &mut writing.accepted } else { &mut writing.rejected }) += 1;
    Ok(encoded)
}

impl Machine for Applier {
    fn apply(&self, batch: ApplyBatch) -> io::Result<Vec<Outcomes>> {
        Ok(self.apply_batch(&batch)?)
    }

    fn reset(&self) -> io::Result<()> {
        let mut memory = self.lock();
        *memory = Memory::load(&self.states)?;
        if self.makes_views_beside {
            self.views.rebuild_beside(&self.states, memory.position, end_on_fault);
        } else {
            self.views.rebuild(&self.states, memory.position)?;
        }
        self.publish(&memory);
        Ok(())
    }
}

/// The chain before the first revision.
pub const CHAIN_START: ChainHash = [0; 32];
