//! The entries just applied, for those who follow changes live: handed over instead of being read back from the log.
//!
//! It does not know who follows. Invariants:
//!
//! - An entry is put here only after it is written.
//! - Bounded: who does not take in time loses all that lies here, sees a gap in the revisions, and reads the log instead.
//! - Without followers it holds nothing and costs nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::store::codec::RevisionEntry;

/// Stored bytes that may wait here.
const BYTES_MAX: usize = 32 << 20;

/// An entry and its length in the log.
pub(super) type Recorded = (RevisionEntry, usize);

/// Where applied entries wait for those who follow.
#[derive(Debug, Default)]
pub struct Recent {
    wanted: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Recorded>,
    bytes: usize,
}

impl Recent {
    /// Whether anybody follows.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Begins or ends to keep entries.
    pub fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Release);
        if !wanted {
            drop(self.take());
        }
    }

    /// Everything put here since the last time, in the order of revisions.
    #[must_use = "what is taken is gone"]
    pub fn take(&self) -> Vec<(RevisionEntry, usize)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = 0;
        std::mem::take(&mut waiting.entries)
    }

    pub(super) fn put(&self, entries: Vec<Recorded>) {
        if entries.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes += entries.iter().map(|(_, bytes)| bytes).sum::<usize>();
        if waiting.bytes > BYTES_MAX {
            *waiting = Waiting::default();
            return;
        }
        waiting.entries.extend(entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(revision: u64) -> RevisionEntry {
        let nobody = String::new;
        let (actor, origin, request_id) = (nobody(), nobody(), nobody());
        RevisionEntry { revision, time_ms: 0, actor, origin, request_id, events: Vec::new(), previous: Vec::new() }
    }

    #[test]
    fn what_is_not_taken_in_time_is_dropped_as_a_whole() {
        let recent = Recent::default();
        recent.put(vec![(entry(1), 10), (entry(2), 10)]);
        assert_eq!(recent.take().len(), 2);
        recent.put(vec![(entry(3), BYTES_MAX)]);
        recent.put(vec![(entry(4), 1)]);
        recent.put(vec![(entry(5), 1)]);
        let left: Vec<_> = recent.take().into_iter().map(|(entry, _)| entry.revision).collect();
        assert_eq!(left, [5], "a gap, and nothing out of order");
    }
}
