//! A record as of an earlier revision: the nearest image at or before it, folded forward over the changes since.
//!
//! ```text
//! history    image ........................ image ................ (the record as it is now)
//! events       |  <-- r1 <-- r2 <-- r3 <-- r4 |  <-- r5 <-- r6 <-- r7 |
//! ```
//!
//! Each event names the revision of its record's change before: the changes of a record are a chain that is walked
//! backwards. About one change in sixteen, and every deletion, leaves the whole record as an image in `history`, so that a
//! walk and a fold are short; which ones is a function of the revision, so replicas agree.
//!
//! Below the floor there are neither events nor images but one: that of the record's last change before (`sweep.rs`).

use std::sync::Arc;

use muster_domain::{At, Key, Record, evolve};
use muster_planted::{self as planted, Bug};
use rocksdb::{DB, Direction, IteratorMode, ReadOptions, WriteBatch};

use crate::store::codec::RevisionEntry;
use crate::store::error::{StoreError, rocks};
use crate::store::states::{decode, family};
use crate::store::{columns, event_log, keys};

/// Whether the change that made this record leaves an image.
pub(crate) fn leaves_image(record: &Record) -> bool {
    // Fibonacci hashing: a regular pattern of writes must not step over all images of one record.
    !record.is_alive() || record.updated_revision.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60 == 0
}

/// Puts the image of a record, stored as `stored`, into `batch`.
pub(crate) fn note(
    db: &DB,
    batch: &mut WriteBatch,
    state_key: &[u8],
    record: &Record,
    stored: &[u8],
) -> Result<(), StoreError> {
    batch.put_cf(family(db, columns::HISTORY)?, keys::history(state_key, record.updated_revision), stored);
    Ok(())
}

/// A record as of an earlier revision.
pub struct Past {
    /// `None` when it did not exist yet. A deleted one is here as such.
    pub record: Option<Arc<Record>>,
    /// Events read from the log to find it: what it cost.
    pub events_read: usize,
}

/// One change of a record: its entry in the log with nothing but the record's own events.
pub struct OwnChange {
    /// The entry; `events` and `previous` hold only what concerns the record.
    pub entry: RevisionEntry,
    /// For each event, its index among all events of the revision.
    pub indexes: Vec<u32>,
    /// Events of the whole revision, which were all read to find these.
    pub events_read: usize,
}

/// The record of `key` as of `revision`, when it is `current` now. `current` must have been read before `db` was taken:
/// `db` may then be newer, never older.
///
/// # Errors
/// [`StoreError::Compacted`] below the floor; when the store fails, a record is damaged or an event is missing.
pub fn record_at(db: &DB, key: &Key, current: &Arc<Record>, revision: u64) -> Result<Past, StoreError> {
    if current.updated_revision <= revision {
        return Ok(Past { record: Some(Arc::clone(current)), events_read: 0 });
    }
    let mut seen = 0;
    loop {
        match fold_from_image(db, key, current, revision) {
            // Events were removed meanwhile; what is needed from now on is an image.
            Err(StoreError::Compacted { floor }) if revision + 1 >= floor && floor > seen => seen = floor,
            Err(StoreError::Compacted { floor }) if revision + 1 >= floor => {
                return Err(StoreError::Inconsistent(format!("{key} cannot be told as of {revision}, floor {floor}")));
            }
            found => return found,
        }
    }
}

fn fold_from_image(db: &DB, key: &Key, current: &Record, revision: u64) -> Result<Past, StoreError> {
    let state_key = keys::state(key);
    let base = image_at_or_before(db, &state_key, revision)?;
    let from = image_after(db, &state_key, revision)?.unwrap_or(current.updated_revision);
    let base_revision = base.as_ref().map_or(0, |record| record.updated_revision);
    let walk = walk_back(db, key, from, base_revision + 1, revision)?;
    let mut record = base;
    for OwnChange { entry, .. } in walk.changes.iter().rev() {
        let at = At { revision: entry.revision, time_ms: entry.time_ms };
        for event in &entry.events {
            record = Some(evolve(record.as_ref(), &event.kind, at));
        }
    }
    Ok(Past { record: record.map(Arc::new), events_read: walk.events_read })
}

/// Calls `visit` with the changes from `first` to `last` of the record of `key`, which is `current` now, in order, until
/// it returns false. In memory is only what lies between two images: about sixteen changes.
///
/// # Errors
/// As [`record_at`], and what `visit` returns.
pub fn changes(
    db: &DB,
    key: &Key,
    current: &Record,
    first: u64,
    last: u64,
    mut visit: impl FnMut(OwnChange) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let state_key = keys::state(key);
    let mut first = first.max(1);
    while first <= last.min(current.updated_revision) {
        let until = image_after(db, &state_key, first - 1)?.unwrap_or(current.updated_revision);
        for change in walk_back(db, key, until, first, last)?.changes.into_iter().rev() {
            if !visit(change)? {
                return Ok(());
            }
        }
        first = until + 1;
    }
    Ok(())
}

struct Walk {
    /// Newest first.
    changes: Vec<OwnChange>,
    events_read: usize,
}

/// Walks the changes of the record of `key` from revision `from` back to `first`, and keeps those up to `last`.
fn walk_back(db: &DB, key: &Key, from: u64, first: u64, last: u64) -> Result<Walk, StoreError> {
    let mut walk = Walk { changes: Vec::new(), events_read: 0 };
    let mut revision = from;
    while revision >= first {
        let entry = event_log::entry(db, revision)?.ok_or_else(|| event_log::missing(db, revision))?;
        let change = only_own(entry, key);
        walk.events_read += change.events_read;
        // A record may change twice in one revision; the first of these changes points out of it.
        let before = change.entry.previous.iter().copied().min().filter(|previous| *previous < revision);
        if revision <= last {
            walk.changes.push(change);
        }
        revision =
            before.ok_or_else(|| StoreError::Inconsistent(format!("revision {revision} does not name {key}")))?;
    }
    Ok(walk)
}

fn only_own(mut entry: RevisionEntry, key: &Key) -> OwnChange {
    let events = std::mem::take(&mut entry.events);
    let events_read = events.len();
    let mut indexes = Vec::new();
    let mut previous = Vec::new();
    for ((index, event), before) in (0_u32..).zip(events).zip(std::mem::take(&mut entry.previous)) {
        if event.key == *key {
            entry.events.push(event);
            previous.push(before);
            indexes.push(index);
        }
    }
    entry.previous = previous;
    OwnChange { entry, indexes, events_read }
}

pub(super) fn image_at_or_before(db: &DB, state_key: &[u8], revision: u64) -> Result<Option<Record>, StoreError> {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(keys::history_prefix(state_key));
    let start = keys::history(state_key, revision + u64::from(planted::is(Bug::ImageTooNew)));
    let family = family(db, columns::HISTORY)?;
    match db.iterator_cf_opt(family, options, IteratorMode::From(&start, Direction::Reverse)).next() {
        Some(item) => {
            let (_, image) = item.map_err(rocks("read history"))?;
            decode(state_key, &image).map(Some)
        }
        None => Ok(None),
    }
}

/// The revision of the first image after `revision`.
fn image_after(db: &DB, state_key: &[u8], revision: u64) -> Result<Option<u64>, StoreError> {
    let prefix = keys::history_prefix(state_key);
    let mut options = ReadOptions::default();
    options.set_iterate_range(prefix.clone()..keys::after_prefix(&prefix).unwrap_or_default());
    let start = keys::history(state_key, revision.saturating_add(1));
    let family = family(db, columns::HISTORY)?;
    match db.iterator_cf_opt(family, options, IteratorMode::From(&start, Direction::Forward)).next() {
        Some(item) => Ok(keys::revision_at_end(&item.map_err(rocks("read history"))?.0)),
        None => Ok(None),
    }
}
