//! The newest entries of the log, in memory, in front of the log on disk.
//!
//! openraft reads an entry right after it handed it over, long before it is durable, and reads every entry at least
//! once for each follower and once to apply it; nearly all of these reads end here. This file knows no disk.
//!
//! - Entries are consecutive.
//! - An entry leaves only after it is durable on disk, so every entry can be read from one of the two places.
//! - What the writer reports as durable counts only if the log was not truncated since the entry was queued.

use std::collections::VecDeque;

use super::types::{Entry, entry_bytes};

/// Bounds of what is kept although it is already on disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct TailLimits {
    pub entries: usize,
    pub bytes: usize,
}

#[derive(Debug)]
pub(super) struct Tail {
    limits: TailLimits,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// All entries below this index are durable.
    durable_next: u64,
    /// Counts truncations.
    epoch: u64,
}

impl Tail {
    /// An empty tail behind a log whose next index is `next`.
    pub(super) fn new(limits: TailLimits, next: u64) -> Self {
        Self { limits, entries: VecDeque::new(), bytes: 0, durable_next: next, epoch: 0 }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The first index held here; entries below it are on disk.
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.log_id.index)
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += entry_bytes(&entry);
        self.entries.push_back(entry);
    }

    /// Removes the entries from `index` on.
    pub(super) fn truncate_from(&mut self, index: u64) {
        while let Some(entry) = self.entries.pop_back_if(|entry| entry.log_id.index >= index) {
            self.bytes -= entry_bytes(&entry);
        }
        self.durable_next = self.durable_next.min(index);
        self.epoch += 1;
    }

    /// Removes the entries up to and including `index`.
    pub(super) fn purge_upto(&mut self, index: u64) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.log_id.index <= index) {
            self.bytes -= entry_bytes(&entry);
        }
        self.durable_next = self.durable_next.max(index + 1);
    }

    /// Notes that entries below `next`, queued in `epoch`, are durable, and lets go of what exceeds the limits.
    pub(super) fn mark_durable(&mut self, epoch: u64, next: u64) {
        if epoch != self.epoch {
            return;
        }
        self.durable_next = self.durable_next.max(next);
        while self.entries.len() > self.limits.entries || self.bytes > self.limits.bytes {
            let durable_next = self.durable_next;
            let Some(entry) = self.entries.pop_front_if(|entry| entry.log_id.index < durable_next) else {
                return;
            };
            self.bytes -= entry_bytes(&entry);
        }
    }

    /// Copies entries of `start..end` into `out` until `budget` bytes are used up. At least one entry is copied when
    /// there is one and `out` is empty.
    pub(super) fn copy(&self, start: u64, end: u64, budget: &mut usize, out: &mut Vec<Entry>) {
        let Some(first) = self.first() else { return };
        let skip = usize::try_from(start.saturating_sub(first)).unwrap_or(usize::MAX);
        for entry in self.entries.iter().skip(skip).take_while(|entry| entry.log_id.index < end) {
            let size = entry_bytes(entry);
            if size > *budget && !out.is_empty() {
                *budget = 0;
                return;
            }
            *budget = budget.saturating_sub(size);
            out.push(entry.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tail, TailLimits};
    use crate::raft::types::{Entry, EntryPayload, Payload, entry_bytes, log_id};

    fn entry(term: u64, index: u64) -> Entry {
        Entry { log_id: log_id(term, index), payload: EntryPayload::Normal(Payload(vec![0; 100].into())) }
    }

    fn tail(entries: usize) -> Tail {
        let mut tail = Tail::new(TailLimits { entries, bytes: usize::MAX }, 0);
        (0..10).for_each(|index| tail.push(entry(1, index)));
        tail
    }

    fn read(tail: &Tail, start: u64, end: u64, mut budget: usize) -> Vec<u64> {
        let mut out = Vec::new();
        tail.copy(start, end, &mut budget, &mut out);
        out.iter().map(|entry| entry.log_id.index).collect()
    }

    #[test]
    fn only_durable_entries_leave() {
        let mut tail = tail(3);
        tail.mark_durable(0, 5);
        assert_eq!(tail.first(), Some(5), "five not yet durable entries stay although only three may");
        tail.mark_durable(0, 10);
        assert_eq!(tail.first(), Some(7));
    }

    #[test]
    fn a_report_from_before_a_truncation_does_not_count() {
        let mut tail = tail(0);
        tail.truncate_from(4);
        (4..8).for_each(|index| tail.push(entry(2, index)));
        tail.mark_durable(0, 10);
        assert_eq!(tail.first(), Some(0), "nothing of the new epoch is known to be durable");
        tail.mark_durable(1, 6);
        assert_eq!(tail.first(), Some(6));
    }

    #[test]
    fn a_budget_cuts_but_never_to_nothing() {
        let tail = tail(100);
        let size = entry_bytes(&entry(1, 0));
        assert_eq!(read(&tail, 2, 9, 1), [2]);
        assert_eq!(read(&tail, 2, 9, 3 * size), [2, 3, 4]);
        assert_eq!(read(&tail, 8, 99, usize::MAX), [8, 9]);
        assert!(read(&tail, 10, 99, usize::MAX).is_empty());
    }
}
