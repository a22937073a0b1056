//! Reads the whole log when it is opened: replays what is there, and tells a torn end from damage.
//!
//! ```text
//! 7.seg  [1043][1044][1045]............      8.seg  [1046][10×#?...........      9.seg  ................
//!                          └ the rest is unused            └ no whole frame          └ prepared, never used
//! ```
//!
//! The log ends where no whole frame with the next sequence follows. Was the frame there torn, or was it damaged? A
//! frame is written only after the one before it is durable, so:
//! - a whole frame anywhere behind it proves that it was durable: it is damaged, and the log is refused;
//! - without one it belongs to the last round, which was torn by a crash. It is written over. If it was durable after
//!   all, `HIGH_WATER` knows.
//!
//! Remains of a torn frame need not be cleared: they are the inside of a frame, where only chance, or somebody who
//! knows the salt, could put a frame. A crash while they are written over leaves a mixture that the checksum refuses.
//!
//! The last frame is written and synced once more: after a kill it may lie in the kernel's memory only, and after a
//! failed sync the kernel may believe that it is on the disk. Only then may the node build on it.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use muster_planted::{self as planted, Bug};

use super::error::{LogOpenError, damage};
use super::frame::{self, FORMAT, Frame, HEADER_BYTES, NoFrame};
use super::index::{Index, Order, Place};
use super::record::{self, Marks, Record};
use super::segment::{self, Access, DATA_START, Segment, SegmentError};
use super::spares::TEMPORARY;
use super::{Recovered, decode};
use crate::raft::types::LogId;
use crate::store::durable;

/// Everything that is known of a log once it was read.
pub(super) struct Found {
    pub index: Index,
    pub marks: Marks,
    pub order: Order,
    /// Where the next frame goes, and its sequence.
    pub segment: Arc<Segment>,
    pub offset: usize,
    pub sequence: u64,
    /// Segments behind that one, without frames.
    pub prepared: VecDeque<Arc<Segment>>,
    pub recovered: Recovered,
}

/// Reads the log in `dir`; makes its first segment when there is none.
pub(super) fn recover(dir: &Path, segment_bytes: usize) -> Result<Found, LogOpenError> {
    let files = |source| LogOpenError::Files { path: dir.to_owned(), source };
    remove_temporary(dir).map_err(files)?;
    let mut replay = replay(dir, Access::Write)?;
    if replay.segments.is_empty() {
        let path = dir.join(format!("first.{TEMPORARY}"));
        let first = segment::blank(&path, segment_bytes).and_then(|file| Segment::publish(dir, &path, file, 1));
        replay.segments.push_back(Arc::new(first.map_err(files)?));
    }
    // A name may be there and not be durable yet.
    durable::sync_dir(dir).map_err(files)?;
    replay.sync_last().map_err(files)?;
    replay.finish().map_err(|source| LogOpenError::Damaged { path: dir.to_owned(), source })
}

/// Reads the log in `dir` as [`recover`] does, and writes nothing; `None` when there is not even a first segment.
pub(super) fn inspect(dir: &Path) -> Result<Option<Found>, LogOpenError> {
    let replay = replay(dir, Access::Read)?;
    if replay.segments.is_empty() {
        return Ok(None);
    }
    replay.finish().map(Some).map_err(|source| LogOpenError::Damaged { path: dir.to_owned(), source })
}

fn replay(dir: &Path, access: Access) -> Result<Replay, LogOpenError> {
    let files = |source| LogOpenError::Files { path: dir.to_owned(), source };
    let damaged = |source| LogOpenError::Damaged { path: dir.to_owned(), source };
    let numbers = segment::list(dir).map_err(files)?;
    let mut replay = Replay::default();
    for (position, number) in numbers.iter().enumerate() {
        let expected = numbers[0] + position as u64;
        if *number != expected {
            return Err(damaged(damage(format!("{} is missing", segment::name(expected)))));
        }
        match Segment::open(dir, *number, access) {
            Ok((segment, bytes)) => replay.segment(segment, bytes).map_err(|stop| stop.into_error(dir))?,
            Err(SegmentError::Io(source)) => return Err(files(source)),
            Err(SegmentError::Newer(format)) => return Err(Stop::Newer(format).into_error(dir)),
            Err(SegmentError::Header) => {
                let what = format!("{}: its header is not what was written", segment::name(*number));
                return Err(damaged(damage(what)));
            }
        }
    }
    Ok(replay)
}

fn remove_temporary(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == TEMPORARY) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Why reading ends early.
enum Stop {
    Damaged(io::Error),
    Newer(u16),
}

impl Stop {
    fn into_error(self, dir: &Path) -> LogOpenError {
        let path = dir.to_owned();
        match self {
            Self::Damaged(source) => LogOpenError::Damaged { path, source },
            Self::Newer(found) => LogOpenError::Newer { path, found, known: FORMAT },
        }
    }
}

/// The last whole frame.
struct Last {
    segment: Arc<Segment>,
    offset: usize,
    frame: Frame,
}

#[derive(Default)]
struct Replay {
    segments: VecDeque<Arc<Segment>>,
    index: Index,
    order: Order,
    marks: Marks,
    last: Option<Last>,
    /// What is wrong where the log seems to end; `None` where there is just nothing.
    broken: Option<String>,
}

impl Replay {
    fn segment(&mut self, segment: Segment, bytes: Bytes) -> Result<(), Stop> {
        let segment = Arc::new(segment);
        self.segments.push_back(Arc::clone(&segment));
        let mut at = DATA_START;
        let mut here = false;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let frame = match frame::look(rest, segment.salt()) {
                Ok(frame) => frame,
                Err(NoFrame::Newer { format }) => return Err(Stop::Newer(format)),
                Err(none) => return self.no_frame(&segment, &bytes, at, here, none).map_err(Stop::Damaged),
            };
            self.follows(&segment, at, frame).map_err(Stop::Damaged)?;
            let payload = bytes.slice(at + HEADER_BYTES..at + HEADER_BYTES + frame.length);
            self.apply(&segment, at + HEADER_BYTES, &payload)
                .map_err(|error| Stop::Damaged(damage(format!("{}: {error}", place(&segment, at, frame.sequence)))))?;
            self.last = Some(Last { segment: Arc::clone(&segment), offset: at, frame });
            self.broken = None;
            here = true;
            at = frame::aligned(at + HEADER_BYTES + frame.length);
        }
    }

    /// Is it the frame that must come next?
    fn follows(&self, segment: &Segment, at: usize, frame: Frame) -> io::Result<()> {
        let expected = match &self.last {
            Some(last) => last.frame.sequence + 1,
            // The log begins with the first frame of segment 1, or of any other once that is gone.
            None if segment.number() == 1 => 1,
            None if self.segments.len() == 1 => frame.sequence,
            None => return Err(damage(format!("no frame before {}", place(segment, at, frame.sequence)))),
        };
        if frame.sequence == expected {
            return Ok(());
        }
        let what = self.broken.clone().unwrap_or_else(|| format!("frame {expected} is missing"));
        Err(damage(format!("{what}; what follows is there: {}", place(segment, at, frame.sequence))))
    }

    /// Nothing whole lies at `at`. Is that the end of what was written to the segment?
    fn no_frame(&mut self, segment: &Segment, bytes: &Bytes, at: usize, here: bool, none: NoFrame) -> io::Result<()> {
        let expected = self.last.as_ref().map_or(1, |last| last.frame.sequence + 1);
        let described = match none {
            NoFrame::Broken { sequence, length } => {
                let why = self.broken_entry(bytes, at, length);
                Some(format!("{} is broken: {why}", place(segment, at, sequence)))
            }
            NoFrame::Nothing | NoFrame::Newer { .. } => None,
        };
        let search_from = (at + frame::ALIGN).min(bytes.len());
        if let Some((distance, later)) = frame::search(&bytes[search_from..], segment.salt())
            && !planted::is(Bug::DamageTakenForEnd)
        {
            let what = described.unwrap_or_else(|| format!("{} is missing", place(segment, at, expected)));
            let later = place(segment, search_from + distance, later.sequence);
            return Err(damage(format!("{what}; what follows is there: {later}")));
        }
        // What is wrong in an earlier segment comes first, unless this one went on from there.
        if here || self.broken.is_none() {
            self.broken = described;
        }
        Ok(())
    }

    /// What in a broken frame is wrong, as far as it can be told.
    fn broken_entry(&self, bytes: &Bytes, at: usize, length: usize) -> String {
        let start = (at + HEADER_BYTES).min(bytes.len());
        let payload = bytes.slice(start..bytes.len().min(start + length));
        let mut order = self.order;
        for record in record::records(&payload) {
            match record {
                Ok((Record::Entry(log_id), _)) if order.append(log_id.index).is_ok() => {}
                Ok((Record::Truncate(from), _)) => order.truncate_from(from),
                Ok((Record::Purged(upto), _)) => order.purge_upto(upto.index),
                Ok((Record::Vote(_) | Record::Committed(_), _)) => {}
                Ok((Record::Entry(_), _)) => break,
                Err(error) => {
                    let entry = order.next().map_or_else(String::new, |next| format!("log entry {next}: "));
                    return format!("{entry}{error}");
                }
            }
        }
        "its checksum does not match".to_owned()
    }

    fn apply(&mut self, segment: &Segment, base: usize, payload: &Bytes) -> io::Result<()> {
        for record in record::records(payload) {
            let (record, body) = record?;
            match record {
                Record::Entry(log_id) => {
                    self.order.append(log_id.index)?;
                    self.index.append(log_id.index, Place::new(segment.number(), base + body.start, body.len())?);
                }
                Record::Vote(vote) => self.marks.vote = Some(vote),
                Record::Committed(committed) => self.marks.committed = Some(committed),
                Record::Purged(upto) => {
                    self.marks.purged = self.marks.purged.max(Some(upto));
                    self.order.purge_upto(upto.index);
                    self.index.purge_upto(upto.index);
                }
                Record::Truncate(from) => {
                    self.order.truncate_from(from);
                    self.index.truncate_from(from);
                }
            }
        }
        Ok(())
    }

    /// Makes sure that the last frame is on the disk: writes it again, so that the kernel has something to sync.
    fn sync_last(&self) -> io::Result<()> {
        let Some(Last { segment, offset, frame }) = &self.last else { return Ok(()) };
        let whole = segment.read(*offset, HEADER_BYTES + frame.length)?;
        segment.write_synced(&whole, *offset)
    }

    /// Checks the log as a whole.
    fn finish(mut self) -> io::Result<Found> {
        if let Some(broken) = &self.broken {
            tracing::warn!("the Raft log ends in a round that was not finished: {broken}");
        }
        let first = self.segments.front().map_or(0, |segment| segment.number());
        let (segment, offset, sequence) = match &self.last {
            Some(Last { segment, offset, frame }) => {
                let end = offset + HEADER_BYTES + frame.length;
                (Arc::clone(segment), frame::aligned(end), frame.sequence + 1)
            }
            None if first == 1 => (Arc::clone(&self.segments[0]), DATA_START, 1),
            None => return Err(damage(format!("{} is the oldest file and has no frame", segment::name(first)))),
        };
        let prepared =
            self.segments.split_off(usize::try_from(segment.number() - first).map_err(io::Error::other)? + 1);
        self.segments.into_iter().for_each(|segment| self.index.push_segment(segment));
        let last = match self.index.ends() {
            Some((first, last)) => {
                let start = self.marks.purged.map_or(0, |purged| purged.index + 1);
                if first != start {
                    return Err(damage(format!("the log starts at {first}, not at {start}")));
                }
                Some(entry_at(&self.index, last)?)
            }
            None => None,
        };
        let Marks { vote, purged, committed } = self.marks;
        let recovered = Recovered { vote, purged, committed, last: last.or(purged) };
        if self.order.next().is_none()
            && let Some(purged) = purged
        {
            self.order = Order::at(purged.index + 1);
        }
        let (index, marks, order) = (self.index, self.marks, self.order);
        Ok(Found { index, marks, order, segment, offset, sequence, prepared, recovered })
    }
}

fn entry_at(index: &Index, at: u64) -> io::Result<LogId> {
    let run = index.run(at, at + 1, 0).ok_or_else(|| damage(format!("log entry {at} has no place")))?;
    let sealed = run.segment.read(run.span.start, run.span.len())?;
    Ok(decode(at, sealed.into())?.log_id)
}

fn place(segment: &Segment, at: usize, sequence: u64) -> String {
    format!("frame {sequence} at byte {at} of {}", segment::name(segment.number()))
}
