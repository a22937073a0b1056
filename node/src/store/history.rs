//! A record as of an earlier revision: the nearest image at or before it, folded forward over the events since.
//!
//! Every change of a record leaves a key in `history`; about one in sixteen, and every deletion, leaves the whole record
//! as an image, so that a fold is short. Which ones is a function of the revision: replicas agree.

use std::sync::Arc;

use muster_domain::{At, Key, Record, evolve};
use rocksdb::{DB, Direction, IteratorMode, ReadOptions, WriteBatch};

use crate::store::error::{StoreError, rocks};
use crate::store::states::{decode, family};
use crate::store::{columns, event_log, keys};

/// Whether the change at `revision` leaves an image.
fn leaves_image(revision: u64, record: &Record) -> bool {
    // Fibonacci hashing: a regular pattern of writes must not step over all images of one record.
    !record.is_alive() || revision.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60 == 0
}

/// Notes in `batch` that the record at `state_key` changed into `record`, whose stored form `seal` makes.
pub(crate) fn note(
    db: &DB,
    batch: &mut WriteBatch,
    state_key: &[u8],
    record: &Record,
    seal: impl FnOnce() -> Vec<u8>,
) -> Result<(), StoreError> {
    let revision = record.updated_revision;
    let image = if leaves_image(revision, record) { seal() } else { Vec::new() };
    batch.put_cf(family(db, columns::HISTORY)?, keys::history(state_key, revision), image);
    Ok(())
}

/// The record of `key` as of `revision`; `None` when it did not exist yet. A deleted one is returned as such.
///
/// # Errors
/// When the store fails, a record is damaged or an event is missing.
pub fn record_at(db: &DB, key: &Key, revision: u64) -> Result<Option<Arc<Record>>, StoreError> {
    let (image, changes) = steps(db, &keys::state(key), revision)?;
    let mut record = image;
    for change in changes.into_iter().rev() {
        let entry = event_log::entry(db, change)?
            .ok_or_else(|| StoreError::Inconsistent(format!("revision {change} of {key} is missing")))?;
        let at = At { revision: change, time_ms: entry.time_ms };
        for event in entry.events.iter().filter(|event| event.key == *key) {
            record = Some(evolve(record.as_ref(), &event.kind, at));
        }
    }
    Ok(record.map(Arc::new))
}

/// The nearest image at or before `revision`, and the revisions after it up to `revision`, newest first.
fn steps(db: &DB, state_key: &[u8], revision: u64) -> Result<(Option<Record>, Vec<u64>), StoreError> {
    let prefix = keys::history_prefix(state_key);
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(prefix.clone());
    let start = keys::history(state_key, revision);
    let mut changes = Vec::new();
    let family = family(db, columns::HISTORY)?;
    for item in db.iterator_cf_opt(family, options, IteratorMode::From(&start, Direction::Reverse)) {
        let (key, image) = item.map_err(rocks("read history"))?;
        let Some(rest) = key.strip_prefix(prefix.as_slice()) else { break };
        let Some(changed_at) = keys::revision_at_end(rest) else { break };
        if !image.is_empty() {
            return Ok((Some(decode(state_key, &image)?), changes));
        }
        changes.push(changed_at);
    }
    Ok((None, changes))
}

/// The revisions from `first` to `last` that changed the record of `key`, in order, at most `limit`.
///
/// # Errors
/// When the store fails.
pub fn changes(db: &DB, key: &Key, first: u64, last: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
    let state_key = keys::state(key);
    let prefix = keys::history_prefix(&state_key);
    let mut options = ReadOptions::default();
    options.set_iterate_range(prefix.clone()..keys::after_prefix(&prefix).unwrap_or_default());
    let start = keys::history(&state_key, first);
    let mut changes = Vec::new();
    let family = family(db, columns::HISTORY)?;
    for item in db.iterator_cf_opt(family, options, IteratorMode::From(&start, Direction::Forward)) {
        let (key, _) = item.map_err(rocks("read history"))?;
        match keys::revision_at_end(&key) {
            Some(revision) if revision <= last && changes.len() < limit => changes.push(revision),
            _ => break,
        }
    }
    Ok(changes)
}
