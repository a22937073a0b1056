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

use std::sync::Arc;

use muster_domain::{At, Key, Record, evolve};
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

/// The record of `key` as of `revision`, when it is `current` now; `None` when it did not exist yet. A deleted one is
/// returned as such.
///
/// # Errors
/// When the store fails, a record is damaged or an event is missing.
pub fn record_at(
    db: &DB,
    key: &Key,
    current: &Arc<Record>,
    revision: u64,
) -> Result<Option<Arc<Record>>, StoreError> {
    if current.updated_revision <= revision {
        return Ok(Some(Arc::clone(current)));
    }
    let state_key = keys::state(key);
    let base = image_at_or_before(db, &state_key, revision)?;
    let from = images_after(db, &state_key, revision, 1)?.first().copied().unwrap_or(current.updated_revision);
    let base_revision = base.as_ref().map_or(0, |record| record.updated_revision);
    let changes = walk_back(db, key, from, base_revision + 1)?;
    let mut record = base;
    for entry in changes.iter().rev().filter(|entry| entry.revision <= revision) {
        let at = At { revision: entry.revision, time_ms: entry.time_ms };
        for event in entry.events.iter().filter(|event| event.key == *key) {
            record = Some(evolve(record.as_ref(), &event.kind, at));
        }
    }
    Ok(record.map(Arc::new))
}

/// The changes from `first` to `last` of the record of `key`, which is `current` now, in order, about `limit` at most
/// (the last walk may go a little beyond).
///
/// # Errors
/// As [`record_at`].
pub fn changes(
    db: &DB,
    key: &Key,
    current: &Record,
    first: u64,
    last: u64,
    limit: usize,
) -> Result<Vec<RevisionEntry>, StoreError> {
    let mut found: Vec<RevisionEntry> = Vec::new();
    let mut first = first.max(1);
    while found.len() < limit && first <= last.min(current.updated_revision) {
        let next = images_after(db, &keys::state(key), first - 1, 1)?.first().copied();
        let until = next.unwrap_or(current.updated_revision);
        let mut walked = walk_back(db, key, until, first)?;
        walked.reverse();
        found.extend(walked.into_iter().filter(|entry| entry.revision <= last));
        first = until + 1;
    }
    Ok(found)
}

/// The entries that changed the record of `key`, from revision `from` back to `first`, newest first.
fn walk_back(db: &DB, key: &Key, from: u64, first: u64) -> Result<Vec<RevisionEntry>, StoreError> {
    let mut walked = Vec::new();
    let mut revision = from;
    while revision >= first {
        let entry = event_log::entry(db, revision)?
            .ok_or_else(|| StoreError::Inconsistent(format!("revision {revision} of {key} is missing")))?;
        let own = entry.events.iter().zip(&entry.previous).filter(|(event, _)| event.key == *key);
        // A record may change twice in one revision; the first of these changes points out of it.
        let before = own.map(|(_, previous)| *previous).min().filter(|previous| *previous < revision);
        walked.push(entry);
        match before {
            Some(before) => revision = before,
            None => return Err(StoreError::Inconsistent(format!("revision {revision} does not name {key}"))),
        }
    }
    Ok(walked)
}

fn image_at_or_before(db: &DB, state_key: &[u8], revision: u64) -> Result<Option<Record>, StoreError> {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(keys::history_prefix(state_key));
    let start = keys::history(state_key, revision);
    let family = family(db, columns::HISTORY)?;
    match db.iterator_cf_opt(family, options, IteratorMode::From(&start, Direction::Reverse)).next() {
        Some(item) => {
            let (_, image) = item.map_err(rocks("read history"))?;
            decode(state_key, &image).map(Some)
        }
        None => Ok(None),
    }
}

/// The revisions of the first `limit` images after `revision`.
fn images_after(db: &DB, state_key: &[u8], revision: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
    let prefix = keys::history_prefix(state_key);
    let mut options = ReadOptions::default();
    options.set_iterate_range(prefix.clone()..keys::after_prefix(&prefix).unwrap_or_default());
    let start = keys::history(state_key, revision.saturating_add(1));
    let family = family(db, columns::HISTORY)?;
    let mut images = Vec::new();
    for item in db.iterator_cf_opt(family, options, IteratorMode::From(&start, Direction::Forward)).take(limit) {
        let (key, _) = item.map_err(rocks("read history"))?;
        images.extend(keys::revision_at_end(&key));
    }
    Ok(images)
}
