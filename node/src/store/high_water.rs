//! A small synced file that says how far the Raft log was known to be durable, so that *loss* is noticed, not only
//! damage: a log that opens cleanly but ends too early would make this node forget what it promised to its peers.
//!
//! Two slots are written in turn, each in a disk block of its own, so that a torn write leaves the older one. This
//! file does not know RocksDB or openraft.
//!
//! - The mark runs behind the log (it is written off the critical path) and never ahead of it.
//! - It is lowered *before* the log is shortened on purpose.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use muster_proto::stored::v1::{RaftHighWater, RaftLogId};
use prost::Message;

use super::durable;
use super::envelope::{self, EnvelopeError, RecordType};

const SLOT_BYTES: usize = 4096;
/// The sequence of the first mark, which lies in the second slot.
const FIRST: u64 = 1;

/// How far log and vote were known to be durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Term and index of the last durable entry.
    pub last: Option<(u64, u64)>,
    /// Term of the last durable vote.
    pub vote_term: u64,
}

/// What is wrong where there is a log and no mark: it is made before the first entry or vote.
#[must_use]
pub fn missing() -> io::Error {
    let what = "it is gone, and the Raft log is not empty: put it back, or replace the member under a new id";
    io::Error::new(io::ErrorKind::NotFound, what)
}

/// The open file.
#[derive(Debug)]
pub struct HighWater {
    file: File,
    sequence: u64,
    mark: Mark,
}

impl HighWater {
    /// Opens the file, or creates it with an empty mark.
    ///
    /// # Errors
    /// When the file cannot be read or written, or when both slots are damaged.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !fs::exists(path)? {
            // Whole or not at all: a crash in between must not leave a file that looks damaged.
            let mut blank = vec![0; SLOT_BYTES];
            blank.extend(sealed(FIRST, Mark::default()));
            durable::replace_file(path, &blank)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let record = newest(&file, path)?;
        Ok(Self { file, sequence: record.sequence, mark: mark_in(&record) })
    }

    /// The mark last written, without a file that could be written; the empty mark when there is no file.
    ///
    /// # Errors
    /// When the file cannot be read, or when both slots are damaged.
    pub fn read(path: &Path) -> io::Result<Mark> {
        match File::open(path) {
            Ok(file) => Ok(mark_in(&newest(&file, path)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Mark::default()),
            Err(error) => Err(error),
        }
    }

    /// The mark last written.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Writes and syncs a new mark; one that is already there costs nothing.
    ///
    /// # Errors
    /// When the write or the sync fails.
    pub fn write(&mut self, mark: Mark) -> io::Result<()> {
        if mark == self.mark {
            return Ok(());
        }
        let sequence = self.sequence + 1;
        self.file.write_all_at(&sealed(sequence, mark), (sequence % 2) * SLOT_BYTES as u64)?;
        self.file.sync_data()?;
        self.sequence = sequence;
        self.mark = mark;
        Ok(())
    }
}

/// What lies in a slot.
fn sealed(sequence: u64, mark: Mark) -> Vec<u8> {
    let last = mark.last.map(|(term, index)| RaftLogId { term, index });
    let record = RaftHighWater { sequence, last, vote_term: mark.vote_term };
    let mut slot = envelope::seal(RecordType::HighWater, &record.encode_to_vec());
    slot.resize(SLOT_BYTES, 0);
    slot
}

/// A slot's record; `None` when it was never written or is torn.
fn newest(file: &File, path: &Path) -> io::Result<RaftHighWater> {
    let whole = [0, 1].into_iter().filter_map(|slot| read_slot(file, slot).transpose());
    let whole = whole.collect::<Result<Vec<_>, _>>()?;
    whole.into_iter().max_by_key(|record| record.sequence).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("both slots of {} are damaged", path.display()))
    })
}

fn mark_in(record: &RaftHighWater) -> Mark {
    let last = record.last.as_ref().map(|last| (last.term, last.index));
    Mark { last, vote_term: record.vote_term }
}

fn read_slot(file: &File, slot: u64) -> io::Result<Option<RaftHighWater>> {
    let mut bytes = vec![0; SLOT_BYTES];
    let mut filled = 0;
    while filled < SLOT_BYTES {
        match file.read_at(&mut bytes[filled..], slot * SLOT_BYTES as u64 + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    match envelope::open(RecordType::HighWater, &bytes[..filled]) {
        Ok(body) => Ok(RaftHighWater::decode(body).ok()),
        Err(error @ EnvelopeError::Format { .. }) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::{HighWater, Mark, SLOT_BYTES};

    const fn mark(term: u64, index: u64) -> Mark {
        Mark { last: Some((term, index)), vote_term: term }
    }

    #[test]
    fn the_last_mark_survives_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HIGH_WATER");
        assert_eq!(HighWater::read(&path).unwrap(), Mark::default());
        assert!(!path.exists(), "reading makes no file");
        assert_eq!(HighWater::open(&path).unwrap().mark(), Mark::default());
        let mut file = HighWater::open(&path).unwrap();
        for index in 1..6 {
            file.write(mark(2, index)).unwrap();
        }
        assert_eq!(HighWater::read(&path).unwrap(), mark(2, 5));
        assert_eq!(HighWater::open(&path).unwrap().mark(), mark(2, 5));
    }

    #[test]
    fn the_file_is_that_of_earlier_versions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HIGH_WATER");
        let mut file = HighWater::open(&path).unwrap();
        file.write(mark(3, 4_711)).unwrap();
        file.write(mark(4, 4_712)).unwrap();
        let stored = crate::store::golden::golden("high-water.bin", std::fs::read(&path).unwrap());
        std::fs::write(&path, stored).unwrap();
        assert_eq!(HighWater::open(&path).unwrap().mark(), mark(4, 4_712));
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HIGH_WATER");
        let mut file = HighWater::open(&path).unwrap();
        file.write(mark(1, 1)).unwrap();
        file.write(mark(1, 2)).unwrap();
        file.file.write_all_at(&[0xEE; 20], (file.sequence % 2) * SLOT_BYTES as u64).unwrap();
        assert_eq!(HighWater::open(&path).unwrap().mark(), mark(1, 1));
    }

    #[test]
    fn two_damaged_slots_are_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HIGH_WATER");
        drop(HighWater::open(&path).unwrap());
        std::fs::write(&path, [0xEE; 2 * SLOT_BYTES]).unwrap();
        assert!(HighWater::open(&path).is_err());
    }
}
