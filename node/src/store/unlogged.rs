//! How the state gets to disk: past RocksDB's write-ahead log, and by flushes of all families at one moment.
//!
//! ```text
//! Raft log  [ ... | entries that led to what only lies in memory tables ]      synced before anybody is answered
//! state     [ what was flushed ]                                               one moment, all families
//! ```
//!
//! The Raft log is the state's write-ahead log: a second one, which is not synced, could only say the same or less. It
//! did worse: where the end of an older one of its files was lost and a newer file was there, a part from the middle
//! was missing (decision 0019). This file does not know what is written. Invariants:
//! - Every write to the state goes through [`write`]. One that did not would be durable without those before it.
//! - What is durable is the state after some write and all before it: flushes are atomic over the families.
//! - Whoever drops what could be replayed makes sure first, by [`get_flushed`] or [`flush`], that the state has it.

use rocksdb::{ColumnFamily, DB, FlushOptions, ReadOptions, ReadTier, WriteBatch, WriteOptions};

use super::columns;

/// Writes a batch atomically, into memory; a later flush makes it durable.
///
/// # Errors
/// When RocksDB refuses; the node must then end, because it can no longer follow its peers.
pub fn write(db: &DB, batch: WriteBatch) -> Result<(), rocksdb::Error> {
    #[cfg(test)]
    WRITES.set(WRITES.get() + 1);
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    db.write_opt(batch, &options)
}

#[cfg(test)]
thread_local! {
    /// Writes of this thread, for tests of what must be a single one.
    pub(crate) static WRITES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Makes everything written so far survive a power cut.
///
/// # Errors
/// When it fails; nothing may then be assumed about what is durable.
pub fn flush(db: &DB) -> Result<(), rocksdb::Error> {
    let families: Vec<&ColumnFamily> = columns::ALL.iter().filter_map(|name| db.cf_handle(name)).collect();
    db.flush_cfs_opt(&families.iter().collect::<Vec<_>>(), &FlushOptions::default())
}

/// What is durable under a key, whatever was written since.
///
/// # Errors
/// When it cannot be read.
pub fn get_flushed(db: &DB, family: &ColumnFamily, key: &[u8]) -> Result<Option<Vec<u8>>, rocksdb::Error> {
    let mut options = ReadOptions::default();
    options.set_read_tier(ReadTier::Persisted);
    db.get_cf_opt(family, key, &options)
}
