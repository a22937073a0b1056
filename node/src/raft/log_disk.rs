//! The Raft log on disk: a small RocksDB of its own, tuned for synced appends, and the checks made when it is opened.
//!
//! ```text
//! data/raftlog/   family log:  index (8 bytes, big-endian) -> sealed stored.v1.RaftEntry
//!                 family meta: vote, purged, committed
//! data/HIGH_WATER how far the log was known to be durable, see store/high_water.rs
//! ```
//!
//! This file knows nothing of threads and of what is still in memory. Invariants:
//! - There is no prefix extractor and every scan has a lower bound: range tombstones of purged entries lie below it.
//! - An entry is only handed out when its checksum, its index and its neighbours are right.

use std::io;
use std::path::{Path, PathBuf};

use muster_proto::stored::v1::{RaftEntry, RaftLogId, RaftVote};
use rocksdb::{BlockBasedOptions, Cache, Options, ReadOptions, WriteBatch, WriteOptions};
use rocksdb::{ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, IteratorMode, LogLevel};

use super::types::{Entry, LogId, Vote, entry_bytes};
use super::wire;
use crate::store::envelope::RecordType;
use crate::store::high_water::Mark;

const LOG: &str = "log";
const META: &str = "meta";
const KEY_VOTE: &[u8] = b"vote";
const KEY_PURGED: &[u8] = b"purged";
const KEY_COMMITTED: &[u8] = b"committed";

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogOpenError {
    /// RocksDB refused.
    #[error("the Raft log's database at {path}")]
    Database {
        /// The database directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: rocksdb::Error,
    },
    /// A record is unreadable or out of place.
    #[error("the Raft log at {path} is damaged")]
    Damaged {
        /// The database directory.
        path: PathBuf,
        /// Which record and why.
        #[source]
        source: io::Error,
    },
    /// The high-water file could not be used.
    #[error("the high-water file {path}")]
    HighWater {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Entries or votes that were once durable are gone.
    #[error(
        "the Raft log at {path} lost data that was durable: it ends at {found}, but was known to reach {known}. A node \
         that forgot what it promised must not take part again: remove it from the cluster, delete its data directory, \
         and join it as a new member"
    )]
    LogLost {
        /// The database directory.
        path: PathBuf,
        /// Where the log and vote end now.
        found: String,
        /// How far they were known to reach.
        known: String,
    },
    /// The writer thread could not be started.
    #[error("no thread for the Raft log")]
    Thread(#[source] io::Error),
}

/// What the log says about itself when it is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recovered {
    pub vote: Option<Vote>,
    pub purged: Option<LogId>,
    pub committed: Option<LogId>,
    /// The last entry, or the purged one when none is left.
    pub last: Option<LogId>,
}

impl Recovered {
    /// Is at least as much here as was known to be durable?
    pub(super) fn reaches(&self, mark: Mark) -> bool {
        let found = self.last.map(|last| last.index);
        let known = mark.last.map(|(_, index)| index);
        let vote_term = self.vote.map_or(0, |vote| vote.leader_id.term);
        found >= known && vote_term >= mark.vote_term
    }
}

pub(super) struct LogDisk {
    db: DB,
    path: PathBuf,
    synced: WriteOptions,
}

impl LogDisk {
    pub(super) fn open(path: &Path) -> Result<Self, LogOpenError> {
        let families = [("default", false), (LOG, true), (META, false)]
            .map(|(name, large)| ColumnFamilyDescriptor::new(name, family_options(large)));
        let db = DB::open_cf_descriptors(&database_options(), path, families)
            .map_err(|source| LogOpenError::Database { path: path.to_owned(), source })?;
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Ok(Self { db, path: path.to_owned(), synced })
    }

    /// Reads the marks and checks the end of the log.
    pub(super) fn recover(&self) -> Result<Recovered, LogOpenError> {
        self.try_recover().map_err(|source| LogOpenError::Damaged { path: self.path.clone(), source })
    }

    fn try_recover(&self) -> io::Result<Recovered> {
        let vote = self.meta::<RaftVote>(KEY_VOTE, RecordType::Vote)?.map(wire::vote_in);
        let purged = self.meta::<RaftLogId>(KEY_PURGED, RecordType::LogId)?.map(wire::log_id_in);
        let committed = self.meta::<RaftLogId>(KEY_COMMITTED, RecordType::LogId)?.map(wire::log_id_in);
        let next = purged.map_or(0, |purged: LogId| purged.index + 1);
        let last = self.check_end(next)?;
        Ok(Recovered { vote, purged, committed, last: last.or(purged) })
    }

    /// Walks back from the last entry over the part that was written last, and checks that the log starts where the
    /// purged part ends.
    fn check_end(&self, start: u64) -> io::Result<Option<LogId>> {
        const ENTRIES: usize = 1024;
        const BYTES: usize = 64 << 20;
        let mut last: Option<LogId> = None;
        let mut newer: Option<u64> = None;
        let mut bytes = 0;
        for item in self.db.iterator_cf_opt(self.log(), bounds(start, None), IteratorMode::End).take(ENTRIES) {
            let (key, value) = item.map_err(io::Error::other)?;
            bytes += value.len();
            let entry = decode(&key, value)?;
            let index = entry.log_id.index;
            last.get_or_insert(entry.log_id);
            if newer.is_some_and(|newer| newer != index + 1) {
                return Err(damaged(format!("entries are missing after index {index}")));
            }
            newer = Some(index);
            if bytes > BYTES {
                break;
            }
        }
        if last.is_some() {
            let first = self.db.iterator_cf_opt(self.log(), bounds(start, None), IteratorMode::Start).next();
            let (key, _) =
                first.transpose().map_err(io::Error::other)?.ok_or_else(|| damaged("no first entry".into()))?;
            if index_of(&key)? != start {
                return Err(damaged(format!("the log starts at {}, not at {start}", index_of(&key)?)));
            }
        }
        Ok(last)
    }

    /// Appends entries of `start..end` to `out` until `budget` bytes are used up; at least one when there is one.
    /// Stops quietly where entries are missing: the caller knows what must be there.
    pub(super) fn read(&self, start: u64, end: u64, budget: &mut usize, out: &mut Vec<Entry>) -> io::Result<()> {
        let mut expected = None;
        for item in self.db.iterator_cf_opt(self.log(), bounds(start, Some(end)), IteratorMode::Start) {
            let (key, value) = item.map_err(io::Error::other)?;
            let entry = decode(&key, value)?;
            let index = entry.log_id.index;
            if expected.is_some_and(|expected| expected != index) {
                return Ok(());
            }
            expected = Some(index + 1);
            let size = entry_bytes(&entry);
            if size > *budget && !out.is_empty() {
                *budget = 0;
                return Ok(());
            }
            *budget = budget.saturating_sub(size);
            out.push(entry);
        }
        Ok(())
    }

    pub(super) fn batch(&self) -> LogBatch<'_> {
        LogBatch { disk: self, batch: WriteBatch::default(), bytes: 0 }
    }

    fn meta<M: prost::Message + Default>(&self, key: &[u8], kind: RecordType) -> io::Result<Option<M>> {
        let value = self.db.get_cf(self.family(META), key).map_err(io::Error::other)?;
        value.map(|value| wire::unseal(kind, value)).transpose()
    }

    fn log(&self) -> &ColumnFamily {
        self.family(LOG)
    }

    fn family(&self, name: &str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("all families are created at open")
    }
}

/// Changes that become durable together.
pub(super) struct LogBatch<'a> {
    disk: &'a LogDisk,
    batch: WriteBatch,
    bytes: usize,
}

impl LogBatch<'_> {
    pub(super) fn put(&mut self, entry: &Entry) {
        let value = wire::seal(RecordType::LogEntry, &wire::entry_out(entry));
        self.bytes += value.len();
        self.batch.put_cf(self.disk.log(), entry.log_id.index.to_be_bytes(), value);
    }

    pub(super) fn set_vote(&mut self, vote: &Vote) {
        let value = wire::seal(RecordType::Vote, &wire::vote_out(vote));
        self.batch.put_cf(self.disk.family(META), KEY_VOTE, value);
    }

    pub(super) fn set_committed(&mut self, committed: &LogId) {
        let value = wire::seal(RecordType::LogId, &wire::log_id_out(committed));
        self.batch.put_cf(self.disk.family(META), KEY_COMMITTED, value);
    }

    pub(super) fn truncate_from(&mut self, index: u64) {
        self.batch.delete_range_cf(self.disk.log(), index.to_be_bytes(), u64::MAX.to_be_bytes());
    }

    pub(super) fn purge_upto(&mut self, upto: &LogId) {
        let value = wire::seal(RecordType::LogId, &wire::log_id_out(upto));
        self.batch.put_cf(self.disk.family(META), KEY_PURGED, value);
        self.batch.delete_range_cf(self.disk.log(), 0u64.to_be_bytes(), (upto.index + 1).to_be_bytes());
    }

    /// Bytes of entries put so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes everything and returns when it is durable.
    pub(super) fn commit_synced(self) -> Result<(), rocksdb::Error> {
        self.disk.db.write_opt(self.batch, &self.disk.synced)
    }
}

fn bounds(start: u64, end: Option<u64>) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(start.to_be_bytes());
    if let Some(end) = end {
        options.set_iterate_upper_bound(end.to_be_bytes());
    }
    options.set_total_order_seek(true);
    options
}

fn index_of(key: &[u8]) -> io::Result<u64> {
    let bytes = key.try_into().map_err(|_| damaged(format!("a log key of {} bytes", key.len())))?;
    Ok(u64::from_be_bytes(bytes))
}

fn decode(key: &[u8], value: Box<[u8]>) -> io::Result<Entry> {
    let index = index_of(key)?;
    let entry: RaftEntry = wire::unseal(RecordType::LogEntry, value)
        .map_err(|error| io::Error::new(error.kind(), format!("log entry {index}: {error}")))?;
    let entry = wire::entry_in(entry)?;
    if entry.log_id.index != index {
        return Err(damaged(format!("entry {} lies at the place of entry {index}", entry.log_id.index)));
    }
    Ok(entry)
}

fn damaged(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(2);
    options.set_paranoid_checks(true);
    options.set_track_and_verify_wals_in_manifest(true);
    // A torn tail is normal after a crash. What it cannot tell from a loss, the high-water mark can.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_max_open_files(-1);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options
}

fn family_options(large: bool) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(8 << 20));
    table.set_format_version(5);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::None);
    // Purged entries should die in memory, without ever reaching a table.
    options.set_write_buffer_size(if large { 32 << 20 } else { 1 << 20 });
    options.set_max_write_buffer_number(3);
    options
}
