//! All records as of one revision, in the order of their keys: for hashes that replicas can compare.
//!
//! ```text
//! RocksDB snapshot:  states ──┐
//!                    events behind the twins' mark, folded ──┴─▶ record, if it is newer: as it was (history.rs) ─▶ visit
//! ```
//!
//! Everything is read from one snapshot of the store, so that writes may go on. It does not know who compares.
//! - A record counts as it is encoded by this version, not as it is stored: what an older version wrote counts alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::{At, Record, evolve};
use rocksdb::{DB, Direction, IteratorMode, Snapshot};

use super::codec;
use super::error::{StoreError, rocks};
use super::event_log::{self, ChainHash};
use super::states::{decode, family};
use super::{columns, history, keys, replay};

/// What one node holds at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Chain hash at the revision.
    pub chain: ChainHash,
    /// Over all records.
    pub state: [u8; 32],
    /// How many, deleted ones included.
    pub records: u64,
    /// For each kind of record in each namespace: what its keys begin with, and the hash over them.
    pub ranges: Vec<(Vec<u8>, [u8; 32])>,
}

/// Hashes everything as of `revision`, which the store has reached.
///
/// # Errors
/// When the store fails, or no longer has what is needed.
pub fn digest(db: &DB, revision: u64) -> Result<Digest, StoreError> {
    let gone = || StoreError::Inconsistent(format!("the chain hash at revision {revision} is not there"));
    let chain = event_log::chain_hash(db, revision)?.ok_or_else(gone)?;
    let mut all = blake3::Hasher::new();
    let mut ranges: Vec<(Vec<u8>, blake3::Hasher)> = Vec::new();
    let mut records = 0;
    visit(db, revision, &[], |key, record| {
        let prefix = keys::range_of(key);
        if ranges.last().is_none_or(|(last, _)| last.as_slice() != prefix) {
            ranges.push((prefix.to_vec(), blake3::Hasher::new()));
        }
        let encoded = codec::encode_record(record);
        for part in [key, &encoded] {
            let length = (part.len() as u64).to_be_bytes();
            all.update(&length).update(part);
            if let Some((_, range)) = ranges.last_mut() {
                range.update(&length).update(part);
            }
        }
        records += 1;
        Ok(true)
    })?;
    let ranges = ranges.into_iter().map(|(prefix, hasher)| (prefix, *hasher.finalize().as_bytes())).collect();
    Ok(Digest { chain, state: *all.finalize().as_bytes(), records, ranges })
}

/// A record's hash, cut to 16 bytes, with the revision of its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHash {
    /// Its key in `states`.
    pub key: Vec<u8>,
    /// The hash.
    pub hash: [u8; 16],
    /// Of its last change.
    pub revision: u64,
}

/// Up to `limit` records from `from` on, as of `revision`.
///
/// # Errors
/// As [`digest`].
pub fn record_hashes(db: &DB, revision: u64, from: &[u8], limit: usize) -> Result<Vec<RecordHash>, StoreError> {
    let mut found = Vec::new();
    visit(db, revision, from, |key, record| {
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(&codec::encode_record(record)).as_bytes()[..16]);
        found.push(RecordHash { key: key.to_vec(), hash, revision: record.updated_revision });
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// Calls `visit` with each record that existed at `revision`, deleted ones included, until it returns false.
fn visit(
    db: &DB,
    revision: u64,
    from: &[u8],
    mut visit: impl FnMut(&[u8], &Record) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let snapshot = db.snapshot();
    let mut twins = unwritten(db, &snapshot, revision)?;
    let mut behind = twins.split_off(from).into_iter().peekable();
    let states = family(db, columns::STATES)?;
    for item in snapshot.iterator_cf(states, IteratorMode::From(from, Direction::Forward)) {
        let (key, value) = item.map_err(rocks("read the records"))?;
        while let Some((early, record)) = behind.next_if(|(behind, _)| behind.as_slice() < &*key) {
            if !visit(&early, &record)? {
                return Ok(());
            }
        }
        let record = match behind.next_if(|(behind, _)| behind.as_slice() == &*key) {
            Some((_, record)) => Some(record),
            None => as_of(db, &key, decode(&key, &value)?, revision)?,
        };
        if let Some(record) = record
            && !visit(&key, &record)?
        {
            return Ok(());
        }
    }
    for (key, record) in behind {
        if !visit(&key, &record)? {
            return Ok(());
        }
    }
    Ok(())
}

fn as_of(db: &DB, key: &[u8], record: Record, revision: u64) -> Result<Option<Arc<Record>>, StoreError> {
    let record = Arc::new(record);
    if record.updated_revision <= revision {
        return Ok(Some(record));
    }
    let key = keys::parse_state(key).ok_or_else(|| StoreError::Inconsistent(format!("the key {key:02x?}")))?;
    Ok(history::record_at(db, &key, &record, revision)?.record)
}

/// Twins whose last change up to `revision` is in the event log only.
fn unwritten(db: &DB, snapshot: &Snapshot<'_>, revision: u64) -> Result<BTreeMap<Vec<u8>, Arc<Record>>, StoreError> {
    let mark = snapshot.get_cf(family(db, columns::META)?, keys::TWINS_WRITTEN);
    let mark = mark.map_err(rocks("read the mark of twins"))?;
    let Some(mark) = mark.map(|stored| replay::decode_mark(&stored)).transpose()? else { return Ok(BTreeMap::new()) };
    let states = family(db, columns::STATES)?;
    // By key: what is stored, the revision of that, and whether an event went beyond it.
    let mut folding: BTreeMap<Vec<u8>, (Option<Record>, u64, bool)> = BTreeMap::new();
    event_log::visit(db, mark + 1, revision, |entry| {
        let at = At { revision: entry.revision, time_ms: entry.time_ms };
        for event in entry.events.iter().filter(|event| event.key.is_twin()) {
            let key = keys::state(&event.key);
            if !folding.contains_key(&key) {
                let stored = snapshot.get_cf(states, &key).map_err(rocks("read a record"))?;
                let record = stored.map(|stored| decode(&key, &stored)).transpose()?;
                let found = record.as_ref().map_or(0, |record| record.updated_revision);
                folding.insert(key.clone(), (record, found, false));
            }
            if let Some((record, found, changed)) = folding.get_mut(&key)
                && at.revision > *found
            {
                *record = Some(evolve(record.as_ref(), &event.kind, at));
                *changed = true;
            }
        }
        Ok(true)
    })?;
    let changed = folding.into_iter().filter(|(_, (_, _, changed))| *changed);
    Ok(changed.filter_map(|(key, (record, _, _))| Some((key, Arc::new(record?)))).collect())
}

#[cfg(test)]
mod tests;
