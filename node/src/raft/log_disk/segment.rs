//! One file of the log: written zeros first, then frames over them.
//!
//! ```text
//! data/raftlog/<number, 20 digits>.seg
//!
//! block 0 (4096 bytes)   magic(8) format(2) reserved(2) salt(8) crc32c(4), all big-endian, then zeros
//! from 4096 on           frames, see frame.rs; behind the last one zeros or what an older life of the file left
//! ```
//!
//! Overwriting blocks that were written before leaves the file system nothing to journal, so that a sync costs one
//! write to the disk. This file does not know what frames say. Invariants:
//! - A file gets its final name only when its header is durable, and the name is durable before the first frame.
//! - The header is never written again as long as the file has that name.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use muster_planted::{self as planted, Bug};

use super::frame::FORMAT;
use crate::ids_source::{IdsSource, OsIds};
use crate::store::durable;

/// Where frames begin.
pub(super) const DATA_START: usize = 4096;

const MAGIC: [u8; 8] = *b"MUSTERLG";
const HEADER_BYTES: usize = 24;
const SUM_AT: usize = HEADER_BYTES - 4;
const ENDING: &str = ".seg";
const DIGITS: usize = 20;

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    number: u64,
    salt: u64,
    capacity: usize,
    file: File,
}

/// What a segment is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// And to read.
    Write,
}

/// Why a file is no segment.
pub(super) enum SegmentError {
    Io(io::Error),
    /// The header is not what was written.
    Header,
    /// The header is whole and of another format.
    Newer(u16),
}

impl Segment {
    /// Gives a file at `path`, all of whose blocks were written before, its header and its final name, durably.
    pub(super) fn publish(dir: &Path, path: &Path, file: File, number: u64) -> io::Result<Self> {
        let mut salt = [0; 8];
        OsIds.fill(&mut salt);
        let mut block = [0; DATA_START];
        block[..8].copy_from_slice(&MAGIC);
        block[8..10].copy_from_slice(&FORMAT.to_be_bytes());
        block[12..SUM_AT].copy_from_slice(&salt);
        let sum = crc32c::crc32c(&block[..SUM_AT]);
        block[SUM_AT..HEADER_BYTES].copy_from_slice(&sum.to_be_bytes());
        file.write_all_at(&block, 0)?;
        file.sync_all()?;
        fs::rename(path, dir.join(name(number)))?;
        durable::sync_dir(dir)?;
        let capacity = size(&file)?;
        Ok(Self { number, salt: u64::from_be_bytes(salt), capacity, file })
    }

    /// Opens a segment and reads all of it.
    pub(super) fn open(dir: &Path, number: u64, access: Access) -> Result<(Self, Bytes), SegmentError> {
        let path = dir.join(name(number));
        let writes = access == Access::Write;
        let file = OpenOptions::new().read(true).write(writes).open(&path).map_err(SegmentError::Io)?;
        let bytes = fs::read(&path).map_err(SegmentError::Io)?;
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(SegmentError::Header)?;
        let (body, sum) = header.split_at(SUM_AT);
        if body[..8] != MAGIC || crc32c::crc32c(body).to_be_bytes() != sum {
            return Err(SegmentError::Header);
        }
        match u16::from_be_bytes([body[8], body[9]]) {
            FORMAT => {}
            format => return Err(SegmentError::Newer(format)),
        }
        let salt = body[12..].iter().fold(0, |salt, byte| salt << 8 | u64::from(*byte));
        Ok((Self { number, salt, capacity: bytes.len(), file }, bytes.into()))
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Tells frames of this life of the file from anything else.
    pub(super) fn salt(&self) -> u64 {
        self.salt
    }

    /// Bytes that were there when it was opened. Writing beyond them is allowed, and slower.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn read(&self, offset: usize, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset as u64)?;
        Ok(bytes)
    }

    /// Writes and returns when it is durable. After an error the file must not be written any more: the kernel may
    /// have dropped what it could not write, and a second sync would not tell.
    pub(super) fn write_synced(&self, bytes: &[u8], offset: usize) -> io::Result<()> {
        self.file.write_all_at(bytes, offset as u64)?;
        if planted::is(Bug::SyncSkipped) {
            return Ok(());
        }
        let synced = self.file.sync_data();
        if synced.is_err() && planted::is(Bug::SyncErrorRetried) { self.file.sync_data() } else { synced }
    }

    /// The file, when all of its blocks, and only those of a segment of `bytes` bytes, were written before.
    pub(super) fn into_file(self, bytes: usize) -> Option<File> {
        (size(&self.file).ok()? == bytes).then_some(self.file)
    }
}

/// A new file of zeros. Written, not only allocated: the first write into a block that is only allocated has to be
/// journalled.
pub(super) fn blank(path: &Path, bytes: usize) -> io::Result<File> {
    const CHUNK: usize = 1 << 20;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    let zeros = vec![0; CHUNK.min(bytes)];
    for offset in (0..bytes).step_by(CHUNK) {
        file.write_all_at(&zeros[..CHUNK.min(bytes - offset)], offset as u64)?;
        // In portions, so that the log's own syncs do not wait behind one large write.
        file.sync_data()?;
    }
    file.sync_all()?;
    Ok(file)
}

/// The numbers of all segments in a directory, in order.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        numbers.extend(entry?.file_name().to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn name(number: u64) -> String {
    format!("{number:0DIGITS$}{ENDING}")
}

pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(name(number))
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(ENDING).filter(|digits| digits.len() == DIGITS)?.parse().ok()
}

fn size(file: &File) -> io::Result<usize> {
    usize::try_from(file.metadata()?.len()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::{Access, DATA_START, Segment, SegmentError, blank, list, name};

    #[test]
    fn a_published_segment_opens_and_a_second_life_has_another_salt() {
        let dir = tempfile::tempdir().unwrap();
        let temporary = dir.path().join("new.tmp");
        let first = Segment::publish(dir.path(), &temporary, blank(&temporary, 9000).unwrap(), 7).unwrap();
        assert_eq!(list(dir.path()).unwrap(), [7]);
        let (opened, bytes) = Segment::open(dir.path(), 7, Access::Read).ok().unwrap();
        assert_eq!((opened.salt(), opened.capacity(), bytes.len()), (first.salt(), 9000, 9000));
        let (salt, file) = (first.salt(), first.into_file(9000).unwrap());
        let second = Segment::publish(dir.path(), &dir.path().join(name(7)), file, 8).unwrap();
        assert_ne!(second.salt(), salt);
        assert_eq!(list(dir.path()).unwrap(), [8]);
        second.write_synced(&[1; 100], 9000).unwrap();
        assert!(second.into_file(9000).is_none(), "it has grown");
    }

    #[test]
    fn every_flipped_bit_in_the_header_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let temporary = dir.path().join("new.tmp");
        let segment = Segment::publish(dir.path(), &temporary, blank(&temporary, DATA_START).unwrap(), 1).unwrap();
        for bit in 0..24 * 8 {
            let mut byte = [0];
            segment.file.read_exact_at(&mut byte, bit / 8).unwrap();
            segment.file.write_all_at(&[byte[0] ^ 1 << (bit % 8)], bit / 8).unwrap();
            assert!(matches!(Segment::open(dir.path(), 1, Access::Read), Err(SegmentError::Header)), "bit {bit}");
            segment.file.write_all_at(&byte, bit / 8).unwrap();
        }
        assert!(Segment::open(dir.path(), 1, Access::Read).is_ok());
    }
}
