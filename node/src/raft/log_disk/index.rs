//! Where each entry lies, in memory, and which segments are still needed.
//!
//! This file reads and writes nothing. Invariants:
//! - Entries are consecutive, and later ones never lie in an earlier segment.
//! - A segment is let go only from the front, and only when no entry in it and in those before it is live.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::error::damage;
use super::segment::Segment;
use muster_planted::{self as planted, Bug};

/// Where the sealed bytes of an entry lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the segment.
    pub segment: u64,
    /// Bytes from the beginning of the segment.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
}

impl Place {
    pub(super) fn new(segment: u64, offset: usize, length: usize) -> io::Result<Self> {
        let small = |bytes| u32::try_from(bytes).map_err(io::Error::other);
        Ok(Self { segment, offset: small(offset)?, length: small(length)? })
    }
}

/// The index the next entry must have. Where what is left of a log begins, it may be any: what was before is gone, and
/// the marks there do not tell how far it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order(Option<u64>);

impl Order {
    /// Entry `next` comes next.
    pub(super) fn at(next: u64) -> Self {
        Self(Some(next))
    }

    pub(super) fn append(&mut self, index: u64) -> io::Result<()> {
        if let Some(next) = self.0.filter(|next| *next != index && !planted::is(Bug::GapInLog)) {
            return Err(damage(format!("log entry {index} where entry {next} belongs")));
        }
        self.0 = Some(index + 1);
        Ok(())
    }

    pub(super) fn truncate_from(&mut self, index: u64) {
        self.0 = self.0.map(|next| next.min(index));
    }

    pub(super) fn purge_upto(&mut self, index: u64) {
        self.0 = self.0.map(|next| next.max(index + 1));
    }

    /// The index the next entry must have, if that is known.
    pub(super) fn next(self) -> Option<u64> {
        self.0
    }
}

/// A run of entries that lie behind each other in one segment.
pub(super) struct Run {
    pub segment: Arc<Segment>,
    /// Bytes of the segment that hold them.
    pub span: Range<usize>,
    pub places: Vec<Place>,
}

#[derive(Default)]
pub(super) struct Index {
    /// The index of the first place.
    first: u64,
    places: VecDeque<Place>,
    /// With consecutive numbers. The last is the one that is written.
    segments: VecDeque<Arc<Segment>>,
}

impl Index {
    /// Adds the segment that is written from now on.
    pub(super) fn push_segment(&mut self, segment: Arc<Segment>) {
        self.segments.push_back(segment);
    }

    /// Adds an entry; its place in the order was checked before.
    pub(super) fn append(&mut self, index: u64, place: Place) {
        if self.places.is_empty() {
            self.first = index;
        }
        self.places.push_back(place);
    }

    pub(super) fn truncate_from(&mut self, index: u64) {
        let keep = index.saturating_sub(self.first);
        self.places.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    pub(super) fn purge_upto(&mut self, index: u64) {
        while !self.places.is_empty() && self.first <= index {
            self.places.pop_front();
            self.first += 1;
        }
    }

    /// Takes out the segments at the front that nobody needs any more.
    pub(super) fn release(&mut self) -> Vec<Arc<Segment>> {
        let needed = self.places.front().map_or(u64::MAX, |place| place.segment);
        let last = self.segments.back().map_or(0, |segment| segment.number());
        let mut free = Vec::new();
        while let Some(segment) = self.segments.pop_front_if(|segment| segment.number() < needed.min(last)) {
            free.push(segment);
        }
        free
    }

    /// The indexes of the first and last entry.
    pub(super) fn ends(&self) -> Option<(u64, u64)> {
        (!self.places.is_empty()).then(|| (self.first, self.first + self.places.len() as u64 - 1))
    }

    /// The entries from `start` on, up to `end`, that lie in one segment and within `bytes`; at least one, and `None`
    /// when entry `start` is not here.
    pub(super) fn run(&self, start: u64, end: u64, bytes: usize) -> Option<Run> {
        let skip = usize::try_from(start.checked_sub(self.first)?).ok()?;
        let most = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let head = *self.places.get(skip)?;
        let from = head.offset as usize;
        let mut places = vec![head];
        let mut to = from + head.length as usize;
        for place in self.places.range(skip + 1..).take(most.saturating_sub(1)) {
            let place_end = place.offset as usize + place.length as usize;
            if place.segment != head.segment || place_end - from > bytes {
                break;
            }
            places.push(*place);
            to = place_end;
        }
        let segment = head.segment.checked_sub(self.segments.front()?.number())?;
        let segment = Arc::clone(self.segments.get(usize::try_from(segment).ok()?)?);
        Some(Run { segment, span: from..to, places })
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, Order, Place};

    const fn place(segment: u64, offset: u32) -> Place {
        Place { segment, offset, length: 10 }
    }

    #[test]
    fn entries_are_consecutive() {
        let mut order = Order::default();
        order.purge_upto(3);
        order.append(7).unwrap();
        assert!(order.append(9).is_err());
        order.append(8).unwrap();
        order.truncate_from(5);
        order.append(5).unwrap();
        order.purge_upto(20);
        order.purge_upto(3);
        assert!(order.append(20).is_err());
        order.append(21).unwrap();
        assert_eq!(order.next(), Some(22));
    }

    #[test]
    fn both_ends_can_be_cut() {
        let mut index = Index::default();
        (5..15).for_each(|entry| index.append(entry, place(1, 0)));
        index.truncate_from(12);
        index.purge_upto(6);
        assert_eq!(index.ends(), Some((7, 11)));
        index.truncate_from(3);
        assert_eq!(index.ends(), None);
        index.append(3, place(1, 0));
        assert_eq!(index.ends(), Some((3, 3)));
        index.purge_upto(50);
        assert_eq!(index.ends(), None);
        assert!(index.run(3, 9, 100).is_none());
    }
}
