//! The Raft log on disk: preallocated files that are overwritten frame by frame, one write and one sync a round.
//!
//! ```text
//! data/raftlog/00000000000000000007.seg   segments with consecutive numbers, see segment.rs
//!              00000000000000000008.seg     └ frames with consecutive sequences, one a round, see frame.rs
//!              spare-3.tmp                      └ records: entries, vote, marks, truncations, see record.rs
//!              LOCK                       held while the log is open
//! data/HIGH_WATER                         how far the log was known to be durable, see store/high_water.rs
//! ```
//!
//! | file | responsibility |
//! | --- | --- |
//! | `batch.rs` | collects one round, writes it, then shows it to readers |
//! | `index.rs` | where each entry lies; which segments are needed |
//! | `spares.rs` | makes, reuses and removes files on a thread of its own |
//! | `recover.rs` | reads everything at open, tells a torn end from damage |
//! | `inspect.rs` | reads everything and writes nothing, for a check of a stopped node |
//! | `segment.rs`, `frame.rs`, `record.rs` | the bytes |
//!
//! Nothing here knows of what is still in memory. Invariants:
//! - A frame is written only after the one before it is durable, so a whole frame behind a broken one proves damage.
//! - A segment's first frame begins with vote, committed and purged, so no segment needs an earlier one for them.
//! - An entry is only handed out when its checksum, its index and its neighbours are right.

mod batch;
mod error;
mod frame;
#[cfg(test)]
mod golden;
mod index;
mod inspect;
mod record;
mod recover;
mod segment;
mod spares;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use muster_proto::stored::v1::RaftEntry;

pub use error::LogOpenError;

use self::batch::End;
pub(super) use self::batch::LogBatch;
use self::error::damage;
use self::index::Index;
pub(super) use self::inspect::inspect;
use self::spares::Spares;
use super::fatal::FatalHandler;
use super::types::{Entry, LogId, Vote, entry_bytes};
use super::wire;
use crate::store::durable;
use crate::store::envelope::RecordType;
use crate::store::high_water::Mark;

/// Bytes of a segment, unless a test says otherwise: filled by a busy node in a second, and made in some milliseconds.
pub(super) const SEGMENT_BYTES: usize = 16 << 20;

/// Those of this process: tests ask for small ones by `MUSTER_LOG_SEGMENT_BYTES`, so that much happens to files in a
/// short time. Only in builds with debug assertions; a release never looks.
pub(super) fn segment_bytes() -> usize {
    const SMALLEST: usize = 16 << 10;
    let asked = cfg!(debug_assertions).then(|| std::env::var("MUSTER_LOG_SEGMENT_BYTES").ok()).flatten();
    asked.and_then(|bytes| bytes.parse().ok()).map_or(SEGMENT_BYTES, |bytes: usize| bytes.max(SMALLEST))
}

/// Most bytes read at once, unless one entry is larger. Entries share the memory of their read, so it is kept as long
/// as any of them.
const READ_BYTES: usize = 256 << 10;

/// What the log says about itself when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    index: Mutex<Index>,
    end: Mutex<End>,
    /// Dropped last: the directory is free when everything else has ended.
    _lock: File,
}

impl LogDisk {
    /// Opens or creates a log, and reads and checks all of it. New segments have `segment_bytes` bytes; `fatal` is told when one
    /// cannot be made.
    pub(super) fn open(
        dir: &Path,
        segment_bytes: usize,
        fatal: Arc<dyn FatalHandler>,
    ) -> Result<(Self, Recovered), LogOpenError> {
        let files = |source| LogOpenError::Files { path: dir.to_owned(), source };
        let lock = lock(dir)?;
        let found = recover::recover(dir, segment_bytes)?;
        let mut index = found.index;
        let mut spares = Spares::start(dir, segment_bytes, found.prepared, fatal).map_err(LogOpenError::Thread)?;
        spares.retire(index.release()).map_err(files)?;
        let end = End {
            segment: found.segment,
            offset: found.offset,
            sequence: found.sequence,
            marks: found.marks,
            order: found.order,
            spares,
            buffer: BytesMut::new(),
            broken: false,
        };
        let disk = Self { index: Mutex::new(index), end: Mutex::new(end), _lock: lock };
        Ok((disk, found.recovered))
    }

    /// Appends entries of `start..end` to `out` until `budget` bytes are used up; at least one when there is one.
    /// Stops quietly where entries are missing: the caller knows what must be there.
    pub(super) fn read(&self, start: u64, end: u64, budget: &mut usize, out: &mut Vec<Entry>) -> io::Result<()> {
        let mut next = start;
        while next < end {
            // Read outside the lock. A segment let go meanwhile stays as it is as long as the run holds it.
            let Some(run) = self.index().run(next, end, READ_BYTES.min(*budget)) else { return Ok(()) };
            let bytes = Bytes::from(run.segment.read(run.span.start, run.span.len())?);
            for place in run.places {
                let from = place.offset as usize - run.span.start;
                let entry = decode(next, bytes.slice(from..from + place.length as usize))?;
                let size = entry_bytes(&entry);
                if size > *budget && !out.is_empty() {
                    *budget = 0;
                    return Ok(());
                }
                *budget = budget.saturating_sub(size);
                out.push(entry);
                next += 1;
            }
        }
        Ok(())
    }

    pub(super) fn batch(&self) -> LogBatch<'_> {
        LogBatch::new(self)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates the directory if need be, and makes sure that nobody else writes in it.
fn lock(dir: &Path) -> Result<File, LogOpenError> {
    let files = |source| LogOpenError::Files { path: dir.to_owned(), source };
    if !std::fs::exists(dir).map_err(files)? {
        std::fs::create_dir_all(dir).map_err(files)?;
        durable::sync_dir(dir.parent().unwrap_or(dir)).map_err(files)?;
    }
    if std::fs::exists(dir.join("CURRENT")).map_err(files)? {
        return Err(LogOpenError::RocksDb { path: dir.to_owned() });
    }
    let file = File::create(dir.join("LOCK")).map_err(files)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogOpenError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(files(source)),
    }
}

fn decode(index: u64, sealed: Bytes) -> io::Result<Entry> {
    let entry: RaftEntry = wire::unseal(RecordType::LogEntry, sealed)
        .map_err(|error| io::Error::new(error.kind(), format!("log entry {index}: {error}")))?;
    let entry = wire::entry_in(entry)?;
    if entry.log_id.index != index {
        return Err(damage(format!("entry {} lies at the place of entry {index}", entry.log_id.index)));
    }
    Ok(entry)
}
