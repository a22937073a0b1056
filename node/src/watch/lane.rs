//! A window of the newest entries that concern one scope, and those who wait for the next.
//!
//! It does not know what an entry holds. Invariant: every entry of the scope with a revision from `start` on, up to the
//! head that the feed announced last, lies in the window.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use muster_domain::Key;
use muster_planted::{self as planted, Bug};
use tokio::sync::watch;

use super::published::Published;

/// Which lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LaneKey {
    All,
    Namespace(String),
    Resource(Key),
}

/// How much a lane keeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneLimits {
    entries: usize,
    /// Stored bytes.
    bytes: usize,
}

impl LaneLimits {
    pub(super) fn of(key: &LaneKey) -> Self {
        match key {
            LaneKey::All => Self { entries: 65_536, bytes: 32 << 20 },
            LaneKey::Namespace(_) => Self { entries: 16_384, bytes: 4 << 20 },
            // There may be one for each device.
            LaneKey::Resource(_) => Self { entries: 16, bytes: 32 << 10 },
        }
    }
}

/// See the module.
pub(super) struct Lane {
    limits: LaneLimits,
    window: Mutex<Window>,
    changed: watch::Sender<u64>,
    followers: AtomicUsize,
}

struct Window {
    start: u64,
    /// Something was added since the last announcement.
    is_news: bool,
    entries: VecDeque<Arc<Published>>,
    bytes: usize,
}

impl Window {
    fn new(start: u64) -> Self {
        Self { start, is_news: false, entries: VecDeque::new(), bytes: 0 }
    }
}

/// What a lane has from a revision on.
pub(super) enum Since {
    /// Entries in order; perhaps not all that there are.
    Entries(Vec<Arc<Published>>),
    /// Nothing yet.
    Nothing,
    /// The window begins later: the log has it.
    Behind,
}

impl Lane {
    /// A lane that is complete from `start` on.
    pub(super) fn new(start: u64, limits: LaneLimits) -> Self {
        let window = Mutex::new(Window::new(start));
        Self { limits, window, changed: watch::Sender::new(0), followers: AtomicUsize::new(0) }
    }

    pub(super) fn join(&self) {
        self.followers.fetch_add(1, Ordering::Relaxed);
    }

    /// Those who are left.
    pub(super) fn leave(&self) -> usize {
        self.followers.fetch_sub(1, Ordering::Relaxed) - 1
    }

    /// Hears of new entries.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Entries from revision `next` on: at most `entries_max` of them, and not much more than `bytes_max` bytes.
    pub(super) fn since(&self, next: u64, entries_max: usize, bytes_max: usize) -> Since {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if next < window.start {
            return Since::Behind;
        }
        let first = window.entries.partition_point(|entry| entry.revision() < next);
        let mut bytes = 0;
        let wanted = window.entries.range(first..).take(entries_max).take_while(|entry| {
            let fits = bytes == 0 || bytes + entry.stored_bytes() <= bytes_max;
            bytes += entry.stored_bytes();
            fits
        });
        let entries: Vec<_> = wanted.cloned().collect();
        if entries.is_empty() { Since::Nothing } else { Since::Entries(entries) }
    }

    /// Adds an entry; one that is there already is not added again. True for the first one since an announcement.
    pub(super) fn push(&self, entry: &Arc<Published>) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.entries.back().is_some_and(|last| last.revision() >= entry.revision()) {
            return false;
        }
        if planted::is(Bug::DroppedWhenFull) && window.entries.len() == self.limits.entries {
            return false;
        }
        window.bytes += entry.stored_bytes();
        window.entries.push_back(Arc::clone(entry));
        while window.entries.len() > self.limits.entries || window.bytes > self.limits.bytes {
            if planted::is(Bug::WindowUnbounded) {
                break;
            }
            let Some(oldest) = window.entries.pop_front() else { break };
            window.bytes -= oldest.stored_bytes();
            window.start = oldest.revision() + 1;
        }
        !std::mem::replace(&mut window.is_news, true)
    }

    /// Entries up to `head` did not come this way: they are in the log only.
    pub(super) fn skip_to(&self, head: u64) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        *window = Window::new(head + 1);
    }

    /// Wakes those who wait.
    pub(super) fn announce(&self, head: u64) {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).is_news = false;
        self.changed.send_replace(head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revisions(since: Since) -> Option<Vec<u64>> {
        match since {
            Since::Entries(entries) => Some(entries.iter().map(|entry| entry.revision()).collect()),
            Since::Nothing => Some(Vec::new()),
            Since::Behind => None,
        }
    }

    #[test]
    fn a_window_says_when_it_begins_too_late() {
        let lane = Lane::new(5, LaneLimits { entries: 3, bytes: 1_000 });
        assert_eq!(revisions(lane.since(4, 10, 1_000)), None);
        assert_eq!(revisions(lane.since(5, 10, 1_000)), Some(vec![]));
        for revision in [5, 7, 8, 8] {
            lane.push(&Arc::new(Published::empty(revision, 10)));
        }
        assert_eq!(revisions(lane.since(5, 10, 1_000)), Some(vec![5, 7, 8]));
        assert_eq!(revisions(lane.since(6, 1, 1_000)), Some(vec![7]));
        lane.push(&Arc::new(Published::empty(9, 10)));
        assert_eq!(revisions(lane.since(5, 10, 1_000)), None, "5 fell out");
        assert_eq!(revisions(lane.since(6, 10, 1_000)), Some(vec![7, 8, 9]), "6 was never there");
        assert_eq!(revisions(lane.since(6, 10, 25)), Some(vec![7, 8]), "bytes are bounded");
        lane.skip_to(20);
        assert_eq!(revisions(lane.since(10, 10, 1_000)), None);
        assert_eq!(revisions(lane.since(21, 10, 1_000)), Some(vec![]));
    }

    #[test]
    fn one_entry_larger_than_all_bounds_is_read_from_the_log() {
        let lane = Lane::new(1, LaneLimits { entries: 3, bytes: 100 });
        lane.push(&Arc::new(Published::empty(1, 1_000)));
        assert_eq!(revisions(lane.since(1, 10, 100)), None);
        assert_eq!(revisions(lane.since(2, 10, 100)), Some(vec![]));
    }
}
