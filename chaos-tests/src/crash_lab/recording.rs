//! What the preloaded `crash-shim` wrote down, read back: operations on files, in the order in which they took place.
//!
//! The format is told in `crash-shim/src/recording.rs`. A position is a place in the file; an operation belongs to a
//! crash at a position when its record ends there or before. A record that is cut off is the end of the recording.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, bail};

const HEADER_BYTES: usize = 40;

/// The whole recording of one node.
#[derive(Debug)]
pub struct Recording {
    bytes: Vec<u8>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Op<'a> {
    /// Where its record begins.
    pub begin: u64,
    /// Where its record ends.
    pub end: u64,
    /// What it did.
    pub what: What<'a>,
}

/// What an operation did. Paths are absolute; descriptors are those of the process.
#[derive(Debug, Clone)]
pub enum What<'a> {
    /// A process began.
    Begin,
    /// A path was opened.
    Open {
        /// Where.
        path: &'a str,
        /// As what.
        descriptor: u64,
        /// `O_…`.
        flags: i32,
        /// It was made just now.
        is_new: bool,
    },
    /// A descriptor was closed.
    Close(u64),
    /// Bytes were written: descriptor, offset, where in the recording they lie.
    Write(u64, u64, Range<usize>),
    /// A size was set: descriptor, bytes.
    Size(u64, u64),
    /// Room was given, and the size raised where it was smaller: descriptor, offset and length together.
    AtLeast(u64, u64),
    /// A name became another.
    Rename(&'a str, &'a str),
    /// A name of a file went.
    Unlink(&'a str),
    /// A folder went.
    Rmdir(&'a str),
    /// A folder came.
    Mkdir(&'a str),
    /// A file got a second name.
    Link(&'a str, &'a str),
    /// A sync began: descriptor, its number.
    SyncBegin(u64, u64),
    /// It returned, whether well.
    SyncEnd(u64, bool),
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { bytes: fs::read(path).with_context(|| path.display().to_string())? })
    }

    #[cfg(test)]
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Bytes at a place that an operation named.
    #[must_use]
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// The operation whose record begins at `begin`; `None` at the end.
    ///
    /// # Errors
    /// When there is something else.
    pub fn op(&self, begin: u64) -> anyhow::Result<Option<Op<'_>>> {
        let at = usize::try_from(begin)?;
        let Some(header) = self.bytes.get(at..at + HEADER_BYTES) else { return Ok(None) };
        let long =
            |place: usize| header[place..place + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let short =
            |place: usize| header[place..place + 4].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (a, b, c) = (long(4), long(12), long(20));
        let path = at + HEADER_BYTES..at + HEADER_BYTES + short(28);
        let second = path.end..path.end + short(32);
        let data = second.end..second.end + short(36);
        if data.end > self.bytes.len() {
            return Ok(None);
        }
        let (path, second) = (std::str::from_utf8(&self.bytes[path])?, std::str::from_utf8(&self.bytes[second])?);
        let end = data.end as u64;
        let what = match short(0) {
            1 => What::Begin,
            2 => What::Open { path, descriptor: a, flags: i32::try_from(b)?, is_new: c == 1 },
            3 => What::Close(a),
            4 => What::Write(a, b, data),
            5 => What::Size(a, b),
            6 => What::AtLeast(a, b + c),
            7 => What::Rename(path, second),
            8 => What::Unlink(path),
            9 => What::Rmdir(path),
            10 => What::Mkdir(path),
            11 => What::Link(path, second),
            12 => What::SyncBegin(a, c),
            13 => What::SyncEnd(c, b == 1),
            other => bail!("a record of kind {other} at {begin}"),
        };
        Ok(Some(Op { begin, end, what }))
    }

    /// Where each operation ends, and just before and after which positions a sync returned.
    ///
    /// # Errors
    /// As [`Self::op`].
    pub fn positions(&self) -> anyhow::Result<Positions> {
        let mut found = Positions::default();
        let mut at = 0;
        while let Some(op) = self.op(at)? {
            at = op.end;
            match op.what {
                What::SyncEnd(..) => {
                    found.syncs += 1;
                    found.boundaries.extend([op.begin, op.end]);
                }
                What::Open { is_new: false, .. } | What::Close(_) | What::Begin | What::SyncBegin(..) => {}
                _ => found.changes.push(op.end),
            }
        }
        Ok(found)
    }
}

/// Positions at which a crash is of interest.
#[derive(Debug, Default, Clone)]
pub struct Positions {
    /// Syncs that returned.
    pub syncs: usize,
    /// Just before a sync returned, and just after it.
    pub boundaries: Vec<u64>,
    /// After each change.
    pub changes: Vec<u64>,
}
