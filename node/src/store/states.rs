//! Records by key: twins that are not written yet, then a bounded cache of decoded records, then the `states` family.
//!
//! It does not know what a record means. Invariants:
//! - The cache is filled only with what was written, by the threads that write: a reader that missed never puts back what
//!   may be stale by then.
//! - The cache holds at most its budget; a record counts about its size in memory.

use std::sync::Arc;

use muster_domain::{Key, Record};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rocksdb::{ColumnFamily, DB, Direction, IteratorMode, ReadOptions};

use crate::store::dead_runs::DeadRuns;
use crate::store::error::{StoreError, rocks};
use crate::store::state_db::StateDb;
use crate::store::unwritten::{self, Unwritten};
use crate::store::{codec, columns, envelope, keys};

/// Envelope type of a record in `states` and of an image in `history`.
pub const RECORD_TYPE: u16 = 16;

#[derive(Clone)]
struct Cached {
    record: Arc<Record>,
    weight: u64,
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Box<[u8]>, Cached> for ByWeight {
    fn weight(&self, _key: &Box<[u8]>, cached: &Cached) -> u64 {
        cached.weight
    }
}

/// Records that were read or written lately.
pub(crate) struct RecordCache(Cache<Box<[u8]>, Cached, ByWeight>);

impl RecordCache {
    fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / 2_048).unwrap_or(usize::MAX).clamp(1_024, 4_000_000);
        Self(Cache::with_weighter(items, bytes, ByWeight))
    }

    fn get(&self, key: &[u8]) -> Option<Arc<Record>> {
        self.0.get(key).map(|cached| cached.record)
    }

    /// Remembers a record that lies in the family and takes about `bytes` of memory.
    pub(crate) fn remember(&self, key: &[u8], record: &Arc<Record>, bytes: usize) {
        self.0.insert(key.into(), Cached { record: Arc::clone(record), weight: bytes as u64 });
    }
}

/// All records of the node.
pub struct States {
    db: Arc<StateDb>,
    cache: Arc<RecordCache>,
    unwritten: Unwritten,
    dead_runs: DeadRuns,
}

impl States {
    /// Over `db`, with a cache of at most `cache_bytes`.
    #[must_use]
    pub fn new(db: Arc<StateDb>, cache_bytes: u64) -> Self {
        Self::with_limits(db, cache_bytes, unwritten::Limits::default())
    }

    /// The same, with other limits for twins that are not written yet.
    #[must_use]
    pub fn with_limits(db: Arc<StateDb>, cache_bytes: u64, limits: unwritten::Limits) -> Self {
        let cache = Arc::new(RecordCache::new(cache_bytes));
        let unwritten = Unwritten::start(Arc::clone(&cache), limits);
        Self { db, cache, unwritten, dead_runs: DeadRuns::default() }
    }

    /// The store below.
    #[must_use]
    pub fn db(&self) -> Arc<DB> {
        self.db.db()
    }

    /// Deleted records that a search may leave out: for the applying thread only.
    pub(crate) fn dead_runs(&self) -> &DeadRuns {
        &self.dead_runs
    }

    /// The record of `key`, deleted ones included.
    ///
    /// # Errors
    /// When the store fails or the record is damaged.
    pub fn get(&self, key: &Key) -> Result<Option<Arc<Record>>, StoreError> {
        self.get_encoded(&keys::state(key))
    }

    /// The record at an encoded key.
    ///
    /// # Errors
    /// As [`States::get`].
    pub fn get_encoded(&self, key: &[u8]) -> Result<Option<Arc<Record>>, StoreError> {
        match self.in_memory(key) {
            Some(record) => Ok(Some(record)),
            None => read_record(&self.db(), key),
        }
    }

    /// The same, and remembers what it found: for the applying thread only.
    ///
    /// # Errors
    /// As [`States::get`].
    pub(crate) fn get_for_apply(&self, key: &[u8]) -> Result<Option<Arc<Record>>, StoreError> {
        if let Some(record) = self.in_memory(key) {
            return Ok(Some(record));
        }
        let db = self.db();
        let Some((record, stored_bytes)) = read_sized_record(&db, key)? else { return Ok(None) };
        self.remember(key, &record, stored_bytes);
        Ok(Some(record))
    }

    fn in_memory(&self, key: &[u8]) -> Option<Arc<Record>> {
        let unwritten = if keys::is_twin(key) { self.unwritten.get(key) } else { None };
        unwritten.or_else(|| self.cache.get(key))
    }

    /// Calls `visit` with each record in the `states` family whose key begins with `prefix`. Not for twins, which may be
    /// elsewhere.
    ///
    /// # Errors
    /// When the store fails or a record is damaged.
    pub fn scan(&self, prefix: &[u8], mut visit: impl FnMut(&Key, &Record)) -> Result<(), StoreError> {
        let scan = Scan { family: columns::STATES, prefix, after: None };
        scan.run(&self.db(), |key, stored| {
            let record = decode(key, stored)?;
            if let Some(key) = keys::parse_state(key) {
                visit(&key, &record);
            }
            Ok(true)
        })
    }

    /// Remembers a record that was just written.
    pub(crate) fn remember(&self, key: &[u8], record: &Arc<Record>, stored_bytes: usize) {
        self.cache.remember(key, record, 4 * stored_bytes + 256);
    }

    /// The twins that are not written yet.
    pub(crate) fn unwritten(&self) -> &Unwritten {
        &self.unwritten
    }

    /// Writes all twins, so that a start has nothing to fold. Returns when they are written.
    ///
    /// # Errors
    /// When the store fails.
    pub fn write_twins(&self) -> Result<(), StoreError> {
        self.unwritten.write_all()
    }

    /// Forgets everything: the state below was replaced by one that is at `revision`.
    pub(crate) fn forget_all(&self, revision: u64) {
        // In this order: a reader that finds nothing unwritten must not meet what was remembered before that.
        self.cache.0.clear();
        self.unwritten.forget_all(revision);
        self.dead_runs.clear();
    }
}

/// The family called `name`.
pub(crate) fn family<'a>(db: &'a DB, name: &str) -> Result<&'a ColumnFamily, StoreError> {
    db.cf_handle(name).ok_or_else(|| StoreError::Inconsistent(format!("column family {name} is missing")))
}

/// Decodes a stored record found at `key`.
pub(crate) fn decode(key: &[u8], stored: &[u8]) -> Result<Record, StoreError> {
    let what = || keys::parse_state(key).map_or_else(|| format!("{key:02x?}"), |key| key.to_string());
    let body = envelope::open(RECORD_TYPE, stored).map_err(|source| StoreError::Damaged { what: what(), source })?;
    codec::decode_record(body).map_err(|source| StoreError::Undecodable { what: what(), source })
}

/// The stored form of a record.
pub(crate) fn seal(record: &Record) -> Vec<u8> {
    envelope::seal(RECORD_TYPE, &codec::encode_record(record))
}

pub(crate) fn read_record(db: &DB, key: &[u8]) -> Result<Option<Arc<Record>>, StoreError> {
    Ok(read_sized_record(db, key)?.map(|(record, _)| record))
}

fn read_sized_record(db: &DB, key: &[u8]) -> Result<Option<(Arc<Record>, usize)>, StoreError> {
    let states = family(db, columns::STATES)?;
    let stored = db.get_pinned_cf(states, key).map_err(rocks("read a record"))?;
    stored.map(|stored| Ok((Arc::new(decode(key, &stored)?), stored.len()))).transpose()
}

/// A scan over keys that begin with a prefix.
pub(crate) struct Scan<'a> {
    /// The family to scan.
    pub(crate) family: &'a str,
    /// Only keys that begin so.
    pub(crate) prefix: &'a [u8],
    /// Begin after this key; or at the prefix.
    pub(crate) after: Option<&'a [u8]>,
}

impl Scan<'_> {
    /// Calls `visit` with each key and value in order, until it returns false.
    pub(crate) fn run(
        &self,
        db: &DB,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_range(self.prefix.to_vec()..keys::after_prefix(self.prefix).unwrap_or_default());
        let start = self.after.unwrap_or(self.prefix);
        let family = family(db, self.family)?;
        for item in db.iterator_cf_opt(family, options, IteratorMode::From(start, Direction::Forward)) {
            let (key, value) = item.map_err(rocks("scan"))?;
            if self.after.is_some_and(|after| key.as_ref() == after) {
                continue;
            }
            if !visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::Body;
    use muster_domain::retention::Retention;

    use super::*;
    use crate::store::golden::golden;

    #[test]
    fn a_stored_record_is_that_of_earlier_versions() {
        let record = Record {
            created_revision: 1,
            created_ms: 2,
            updated_revision: 3,
            updated_ms: 4,
            body: Body::Retention(Retention { policy: None, floor: 5 }),
        };
        let stored = golden("state-record.bin", seal(&record));
        assert_eq!(decode(&keys::state(&Key::Retention), &stored).expect("whole"), record);
    }
}
