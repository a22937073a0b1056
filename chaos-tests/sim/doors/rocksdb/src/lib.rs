//! Stands in for the crate `rocksdb`, as far as the node calls it. A model, not RocksDB: families are ordered maps in memory, and
//! each flush adds what was written since the one before to a file on the simulated disk.
//!
//! ```text
//! <dir>/000001.sst   what a checkpoint held, written once          <dir>/000002.sst   a record for each flush since then, synced
//! ```
//!
//! It keeps what the node relies on, and nothing else of RocksDB can be learned from it:
//! - A batch is applied as a whole, and writes past the write-ahead log are durable with the next flush, of all families at once. It
//!   comes when it is asked for, or when a write buffer is full. Nothing else is modelled of a write-ahead log: the node has none.
//! - After a flush that failed nothing is written any more.
//! - An iterator and a snapshot show the state of the moment they were made.
//! - A checkpoint is a whole copy of one moment, synced.

extern crate muster_sim_std as std;

pub mod checkpoint;
mod db;
mod flushes;
mod iterator;
mod options;

pub use db::{ColumnFamily, ColumnFamilyDescriptor, DB, DBPinnableSlice, WriteBatch};
pub use iterator::{DBIteratorWithThreadMode, Direction, IteratorMode, ReadOptions, ReadTier, Snapshot};
pub use options::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, FlushOptions, InfoLogger,
    LogLevel, Options, WriteOptions,
};

use std::fmt;
use std::io;

/// As `rocksdb::Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    fn new(doing: &str, error: &io::Error) -> Self {
        Self(format!("IO error: {doing}: {error}"))
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
