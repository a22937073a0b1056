//! One round of changes on its way to the disk: collected into the bytes of one frame, then written and synced at once.
//!
//! This file does not know how files are made and kept. Invariants:
//! - Nothing of a batch can be read before all of it is durable.
//! - A batch whose entries are out of order is refused before anything is written.
//! - After a failed write or sync nothing is written any more.

use std::io;
use std::ops::Range;
use std::sync::{Arc, MutexGuard};

use bytes::{BufMut, BytesMut};

use super::LogDisk;
use super::frame::{self, HEADER_BYTES};
use super::index::{Index, Order, Place};
use super::record::{self, Marks};
use super::segment::{DATA_START, Segment};
use super::spares::Spares;
use crate::raft::types::{Entry, LogId, Vote};

/// Frames are padded with zeros to the end of a page: a page is written as a whole when it is first touched, so that
/// the kernel need not read it.
const PAGE: usize = 4096;
/// A frame is refused above this; rounds are bounded far below.
const FRAME_BYTES_MAX: usize = 1 << 30;
/// A buffer that a large round needed is not kept for the next one.
const BUFFER_KEPT_BYTES: usize = 1 << 20;

/// Where and what is written next. Only the writer touches it.
pub(super) struct End {
    pub segment: Arc<Segment>,
    /// Where in the segment the next frame begins.
    pub offset: usize,
    /// The sequence of the next frame.
    pub sequence: u64,
    pub marks: Marks,
    pub order: Order,
    pub spares: Spares,
    pub buffer: BytesMut,
    pub broken: bool,
}

/// Changes that become durable together.
pub(in crate::raft) struct LogBatch<'a> {
    disk: &'a LogDisk,
    end: MutexGuard<'a, End>,
    /// Room for the header of a frame, then the records.
    buffer: BytesMut,
    changes: Vec<Change>,
    marks: Marks,
    order: Order,
    refused: Option<io::Error>,
    bytes: usize,
}

/// What the index has to learn once the batch is durable.
enum Change {
    /// An entry, and where in the frame its bytes lie.
    Append(u64, Range<usize>),
    TruncateFrom(u64),
    PurgeUpto(u64),
}

impl<'a> LogBatch<'a> {
    pub(super) fn new(disk: &'a LogDisk) -> Self {
        let mut end = disk.end();
        let mut buffer = std::mem::take(&mut end.buffer);
        buffer.clear();
        buffer.put_bytes(0, HEADER_BYTES);
        let (marks, order) = (end.marks, end.order);
        Self { disk, end, buffer, changes: Vec::new(), marks, order, refused: None, bytes: 0 }
    }

    pub(in crate::raft) fn put(&mut self, entry: &Entry) {
        let index = entry.log_id.index;
        if let Err(error) = self.order.append(index) {
            self.refused.get_or_insert(error);
            return;
        }
        let place = record::write_entry(&mut self.buffer, entry);
        self.bytes += place.len();
        self.changes.push(Change::Append(index, place));
    }

    pub(in crate::raft) fn set_vote(&mut self, vote: &Vote) {
        record::write_vote(&mut self.buffer, vote);
        self.marks.vote = Some(*vote);
    }

    pub(in crate::raft) fn set_committed(&mut self, committed: &LogId) {
        record::write_committed(&mut self.buffer, committed);
        self.marks.committed = Some(*committed);
    }

    pub(in crate::raft) fn truncate_from(&mut self, index: u64) {
        record::write_truncate(&mut self.buffer, index);
        self.order.truncate_from(index);
        self.changes.push(Change::TruncateFrom(index));
    }

    pub(in crate::raft) fn purge_upto(&mut self, upto: &LogId) {
        record::write_purged(&mut self.buffer, upto);
        self.marks.purged = self.marks.purged.max(Some(*upto));
        self.order.purge_upto(upto.index);
        self.changes.push(Change::PurgeUpto(upto.index));
    }

    /// Bytes of entries put so far.
    pub(in crate::raft) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes everything and returns when it is durable.
    pub(in crate::raft) fn commit_synced(mut self) -> io::Result<()> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        if self.end.broken {
            return Err(io::Error::other("an earlier write to the Raft log has failed"));
        }
        if self.buffer.len() > HEADER_BYTES {
            self.end.broken = true;
            self.write()?;
            self.end.broken = false;
        }
        if self.buffer.capacity() <= BUFFER_KEPT_BYTES {
            self.end.buffer = self.buffer;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        if self.buffer.len() > FRAME_BYTES_MAX {
            return Err(io::Error::other(format!("a round of {} bytes for the Raft log", self.buffer.len())));
        }
        let end = &mut *self.end;
        let moved = end.offset > DATA_START && end.offset + self.buffer.len() > end.segment.capacity();
        let mut shift = 0;
        if moved {
            // The marks as they were before this round: what it changes follows.
            let mut framed = BytesMut::with_capacity(self.buffer.len() + PAGE);
            framed.put_bytes(0, HEADER_BYTES);
            end.marks.write(&mut framed);
            shift = framed.len() - HEADER_BYTES;
            framed.put_slice(&self.buffer[HEADER_BYTES..]);
            self.buffer = framed;
            end.segment = end.spares.take(end.segment.number() + 1)?;
            end.offset = DATA_START;
        }
        let offset = end.offset;
        let length = self.buffer.len();
        frame::seal(&mut self.buffer, end.segment.salt(), end.sequence);
        let page_end = (offset + length).next_multiple_of(PAGE);
        let padded = page_end.min(end.segment.capacity().max(offset + length));
        self.buffer.resize(padded - offset, 0);
        end.segment.write_synced(&self.buffer, offset)?;

        end.offset = frame::aligned(offset + length);
        end.sequence += 1;
        end.marks = self.marks;
        end.order = self.order;
        let released = publish(&mut self.disk.index(), &end.segment, moved, &self.changes, offset + shift)?;
        end.spares.retire(released)?;
        if end.offset > end.segment.capacity() / 2 {
            end.spares.prepare(end.segment.number() + 1)?;
        }
        Ok(())
    }
}

/// Shows readers what is durable now. `base` is where in the segment the frame would begin, were its records where the
/// changes say.
fn publish(
    index: &mut Index,
    segment: &Arc<Segment>,
    moved: bool,
    changes: &[Change],
    base: usize,
) -> io::Result<Vec<Arc<Segment>>> {
    if moved {
        index.push_segment(Arc::clone(segment));
    }
    for change in changes {
        match change {
            Change::Append(entry, bytes) => {
                let place = Place::new(segment.number(), base + bytes.start, bytes.len())?;
                index.append(*entry, place);
            }
            Change::TruncateFrom(from) => index.truncate_from(*from),
            Change::PurgeUpto(upto) => index.purge_upto(*upto),
        }
    }
    Ok(index.release())
}
