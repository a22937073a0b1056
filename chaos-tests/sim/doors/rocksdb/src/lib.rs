//! Stands in for the crate `rocksdb`, as far as the node calls it. A model, not RocksDB: families are ordered maps in memory, and
//! what is written goes into a log on the simulated disk first.
//!
//! ```text
//! <dir>/000001.sst   what a checkpoint held, written once          <dir>/000002.log   batches since then, not synced by writes
//! ```
//!
//! It keeps what the node relies on, and nothing else of RocksDB can be learned from it:
//! - A batch is applied as a whole. A crash loses a suffix of the batches that were not synced, never one from the middle.
//! - An iterator and a snapshot show the state of the moment they were made.
//! - A checkpoint is a whole copy of one moment, synced.

extern crate muster_sim_std as std;

pub mod checkpoint;
mod db;
mod iterator;
mod log;
mod options;

pub use db::{ColumnFamily, ColumnFamilyDescriptor, DB, DBPinnableSlice, WriteBatch};
pub use iterator::{DBIteratorWithThreadMode, Direction, IteratorMode, ReadOptions, Snapshot};
pub use options::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel, Options,
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
