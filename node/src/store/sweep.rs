//! Removes events below the floor from this node's disk, and leaves behind what the past above it needs.
//!
//! ```text
//! events    [ swept away ...... | next step | .... waits ....  | kept ......... ]
//!                               ^ swept      ^ to               ^ physical floor
//! history   one image of each record that changed since, as it was at `swept - 1`
//! ```
//!
//! The floors themselves are replicated records; when a node sweeps is its own business, so nothing here has to be in
//! step with other nodes. It knows how events fold and nothing of what they mean. Invariants:
//!
//! - A record as of `swept - 1` or later can be told: a step folds its events and leaves each record, unless it has not
//!   changed since, as an image. A record that changes later for the first time leaves its image then
//!   (`apply/write.rs`), because the floor was there before the change.
//! - Images, events and the mark change in one batch. The mark keeps the chain hash before the oldest event, so that
//!   the chain can still be verified from there.
//! - Twins that were not written yet are folded from events after a crash (`replay.rs`): nothing behind their mark
//!   goes.

use std::collections::BTreeMap;

use muster_domain::{At, Key, Record, evolve};
use muster_planted::{self as planted, Bug};
use rocksdb::{DB, Direction, IteratorMode, ReadOptions, WriteBatch};

use crate::store::codec::RevisionEntry;
use crate::store::error::{StoreError, rocks};
use crate::store::event_log::{self, Swept};
use crate::store::states::{States, family, seal};
use crate::store::{columns, history, keys, replay, unlogged};

/// Events folded in one step: bounds memory, and how long one batch is.
const STEP_EVENTS: usize = 4_096;

/// Takes one step towards `to`, and says from which revision on events are left. Call it until it does not move.
///
/// # Errors
/// When the store fails or contradicts itself.
pub fn step(states: &States, to: u64) -> Result<u64, StoreError> {
    step_of(states, to, STEP_EVENTS)
}

/// The same for about so many events.
pub(crate) fn step_of(states: &States, to: u64, events: usize) -> Result<u64, StoreError> {
    let db = states.db();
    let swept = event_log::swept(&db)?;
    let to = to + u64::from(planted::is(Bug::FloorSwept));
    let to = to.min(replay::marked(&db)?.map_or(1, |written| written + 1));
    if to <= swept.revision {
        return Ok(swept.revision);
    }
    let mut folding =
        Folding { db: &db, from: swept.revision, next: swept.revision, left: events, records: BTreeMap::new() };
    event_log::visit(&db, swept.revision, to - 1, |entry| folding.fold(entry))?;
    let next = folding.next;
    let mut batch = WriteBatch::default();
    for (key, record) in std::mem::take(&mut folding.records) {
        leave_image(states, &db, &mut batch, &key, &record, next)?;
    }
    let chain_before = event_log::chain_hash(&db, next - 1)?
        .ok_or_else(|| StoreError::Inconsistent(format!("revision {} is missing in the event log", next - 1)))?;
    batch.delete_range_cf(family(&db, columns::EVENTS)?, keys::event(swept.revision), keys::event(next));
    event_log::put_swept(&db, &mut batch, &Swept { revision: next, chain_before })?;
    unlogged::write(&db, batch).map_err(rocks("remove events"))?;
    Ok(next)
}

/// Gives the disk back what lies below the mark. Whole files only; the rest goes when RocksDB compacts.
///
/// # Errors
/// When the store fails.
pub fn free(states: &States) -> Result<(), StoreError> {
    let db = states.db();
    // Files go at once, batches only with the next flush: the mark must not come back lower than the files say.
    unlogged::flush(&db).map_err(rocks("flush the mark of events"))?;
    let swept = event_log::swept(&db)?.revision;
    // Both ends are within the range.
    db.delete_file_in_range_cf(family(&db, columns::EVENTS)?, keys::event(0), keys::event(swept - 1))
        .map_err(rocks("remove files of events"))
}

struct Folding<'a> {
    db: &'a DB,
    from: u64,
    next: u64,
    left: usize,
    records: BTreeMap<Key, Record>,
}

impl Folding<'_> {
    fn fold(&mut self, entry: RevisionEntry) -> Result<bool, StoreError> {
        let at = At { revision: entry.revision, time_ms: entry.time_ms };
        self.left = self.left.saturating_sub(entry.events.len());
        for (event, previous) in entry.events.into_iter().zip(entry.previous) {
            let after = match self.records.get(&event.key) {
                Some(before) => evolve(Some(before), &event.kind, at),
                None => evolve(self.before(&event.key, previous)?.as_ref(), &event.kind, at),
            };
            self.records.insert(event.key, after);
        }
        self.next = entry.revision + 1;
        Ok(self.left > 0)
    }

    /// The record as it was when the last step ended.
    fn before(&self, key: &Key, previous: u64) -> Result<Option<Record>, StoreError> {
        if previous == 0 {
            return Ok(None);
        }
        let image = history::image_at_or_before(self.db, &keys::state(key), self.from - 1)?;
        match image {
            Some(image) if image.updated_revision == previous => Ok(Some(image)),
            _ => Err(StoreError::Inconsistent(format!("{key} has no image of revision {previous}"))),
        }
    }
}

/// Keeps of the images below `next` the one that tells how the record was then, and makes it unless nobody will ask.
fn leave_image(
    states: &States,
    db: &DB,
    batch: &mut WriteBatch,
    key: &Key,
    record: &Record,
    next: u64,
) -> Result<(), StoreError> {
    let state_key = keys::state(key);
    let newest = keys::history(&state_key, record.updated_revision);
    let history_family = family(db, columns::HISTORY)?;
    let mut options = ReadOptions::default();
    let prefix = keys::history_prefix(&state_key);
    options.set_iterate_range(prefix.clone()..keys::history(&state_key, next));
    for item in db.iterator_cf_opt(history_family, options, IteratorMode::From(&prefix, Direction::Forward)) {
        let (image, _) = item.map_err(rocks("read history"))?;
        if *image != *newest {
            batch.delete_cf(history_family, image);
        }
    }
    // Not yet changed again: whoever changes it leaves the image. Read after the floor was set, so that no change is
    // between the two.
    let changed_since = states.get(key)?.is_some_and(|current| current.updated_revision >= next);
    if changed_since {
        history::note(db, batch, &state_key, record, &seal(record))?;
    }
    Ok(())
}
