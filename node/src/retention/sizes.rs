//! How many bytes of events are stored from which revision on: counted by reading the log's lengths, once from its
//! beginning and then what comes in anew. Only a leader with a policy about bytes pays for it.

use std::collections::VecDeque;

use crate::store::error::StoreError;
use crate::store::event_log;

/// A mark is set after so many revisions or bytes; what is said is exact to that.
const MARK_REVISIONS: u64 = 256;
const MARK_BYTES: u64 = 64 << 10;
/// Revisions read in one go.
const READ_MAX: u64 = 200_000;

struct Mark {
    revision: u64,
    /// Bytes counted before it.
    before: u64,
}

/// The count so far.
#[derive(Default)]
pub(super) struct Sizes {
    marks: VecDeque<Mark>,
    next: u64,
    total: u64,
}

impl Sizes {
    /// Goes on counting up to `newest`; says whether it has come there.
    pub(super) fn advance(&mut self, db: &event_log::Db, newest: u64) -> Result<bool, StoreError> {
        let oldest = event_log::swept(db)?.revision;
        if self.next < oldest {
            *self = Self { next: oldest, ..Self::default() };
        }
        while self.marks.get(1).is_some_and(|mark| mark.revision <= oldest) {
            self.marks.pop_front();
        }
        let last = newest.min(self.next.saturating_add(READ_MAX - 1));
        let first = self.next;
        let counted = event_log::lengths(db, first, last, |revision, bytes| self.count(revision, bytes));
        match counted {
            // Swept away while it was read: it begins again with the next turn.
            Err(StoreError::Compacted { .. }) => {
                *self = Self::default();
                Ok(false)
            }
            counted => counted.map(|()| self.next > newest),
        }
    }

    fn count(&mut self, revision: u64, bytes: u64) {
        let is_due = self
            .marks
            .back()
            .is_none_or(|mark| revision - mark.revision >= MARK_REVISIONS || self.total - mark.before >= MARK_BYTES);
        if is_due {
            self.marks.push_back(Mark { revision, before: self.total });
        }
        self.total += bytes;
        self.next = revision + 1;
    }

    /// Bytes from about `revision` on; a few more than there are.
    pub(super) fn from(&self, revision: u64) -> u64 {
        let at = self.marks.partition_point(|mark| mark.revision <= revision);
        let before = at.checked_sub(1).and_then(|at| self.marks.get(at)).or(self.marks.front());
        before.map_or(0, |mark| self.total - mark.before)
    }

    /// The oldest mark from which on at most `bytes` are stored; the next revision when there is none.
    pub(super) fn oldest_within(&self, bytes: u64) -> u64 {
        let at = self.marks.partition_point(|mark| self.total - mark.before > bytes);
        self.marks.get(at).map_or(self.next, |mark| mark.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_about_how_much_is_where() {
        let mut sizes = Sizes::default();
        for revision in 10..10_010 {
            sizes.count(revision, if revision < 5_010 { 100 } else { 1_000 });
        }
        assert_eq!(sizes.total, 5_500_000);
        assert_eq!(sizes.from(10), 5_500_000);
        assert_eq!(sizes.from(1), 5_500_000, "what lies before the count is not counted");
        let exact = 1_000 * 5_000;
        assert!((exact..exact + MARK_BYTES).contains(&sizes.from(5_010)), "{}", sizes.from(5_010));
        let oldest = sizes.oldest_within(2_000_000);
        assert!((8_010..8_010 + MARK_REVISIONS).contains(&oldest), "{oldest}");
        assert_eq!(sizes.oldest_within(u64::MAX), 10);
        assert_eq!(sizes.oldest_within(0), 10_010);
    }
}
