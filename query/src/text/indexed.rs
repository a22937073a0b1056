//! The index of one column, as the column's writer, its queries and the maker of the index share it.
//!
//! - While changes are noted, every change of a text after `complete_after` is there, up to those that the index before the last one
//!   knew already: a snapshot of a version between is served as well as a later one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::index::Index;

/// The index of a column, and what changed in the column.
#[derive(Debug, Default)]
pub(crate) struct Indexed {
    /// Locked for moments only: a writer waits for it.
    state: Mutex<State>,
    is_asked: AtomicBool,
    /// When somebody asked last, in rounds of making.
    asked_in: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    index: Option<Arc<Index>>,
    /// There while changes are noted.
    changes: Option<Changes>,
}

/// Rows with the version of the column that their change made.
#[derive(Debug)]
struct Changes {
    rows: VecDeque<(u64, u32)>,
    complete_after: u64,
    /// Changes that are remembered. One more, and making the index anew is cheaper.
    max: usize,
}

impl Changes {
    /// Rows, upwards and each once, that changed between two versions; `None` when that is not known or they are too many.
    fn between(&self, a: u64, b: u64, max: usize) -> Option<Vec<u32>> {
        let (from, to) = (a.min(b), a.max(b));
        if from < self.complete_after {
            return None;
        }
        let first = self.rows.partition_point(|(version, _)| *version <= from);
        let last = self.rows.partition_point(|(version, _)| *version <= to);
        if last - first > max {
            return None;
        }
        let mut rows: Vec<u32> = self.rows.range(first..last).map(|(_, row)| *row).collect();
        rows.sort_unstable();
        rows.dedup();
        Some(rows)
    }
}

/// An index, and the rows, upwards and each once, of which it says nothing.
pub(crate) struct At {
    pub(super) index: Arc<Index>,
    pub(super) changed: Vec<u32>,
}

impl At {
    /// How many rows are looked at beside the index.
    pub(crate) fn looked_at(&self) -> usize {
        self.changed.len() + self.index.long.len()
    }
}

impl Indexed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a text changed, which made this version. False when changes are noted no more.
    pub(crate) fn note_change(&self, version: u64, row: u32) -> bool {
        let mut state = self.lock();
        let Some(changes) = &mut state.changes else { return false };
        changes.rows.push_back((version, row));
        let is_too_much = changes.rows.len() > changes.max;
        if is_too_much {
            *state = State::default();
        }
        !is_too_much
    }

    /// What answers for a version of the column.
    pub(crate) fn at(&self, version: u64) -> Option<At> {
        let state = self.lock();
        let (index, changes) = (state.index.as_ref()?, state.changes.as_ref()?);
        // Looking at more rows takes longer than looking at all of them in their order.
        let changed = changes.between(index.version, version, changes.max / 4)?;
        Some(At { index: Arc::clone(index), changed })
    }

    /// What the index of this version can be made from.
    pub(super) fn earlier(&self, version: u64) -> Option<At> {
        let state = self.lock();
        let index = state.index.as_ref().filter(|index| index.version <= version)?;
        let changed = state.changes.as_ref()?.between(index.version, version, usize::MAX)?;
        Some(At { index: Arc::clone(index), changed })
    }

    /// Tells that somebody asks, in this round.
    pub(super) fn ask(&self, round: u64) {
        self.is_asked.store(true, Ordering::Relaxed);
        self.asked_in.store(round, Ordering::Relaxed);
    }

    /// Whether somebody asked since the last time.
    pub(super) fn take_asked(&self) -> bool {
        self.is_asked.swap(false, Ordering::Relaxed)
    }

    pub(super) fn asked_in(&self) -> u64 {
        self.asked_in.load(Ordering::Relaxed)
    }

    pub(super) fn is_noting(&self) -> bool {
        self.lock().changes.is_some()
    }

    pub(super) fn is_made(&self) -> bool {
        self.lock().index.is_some()
    }

    /// How many changes came since the index was made; `None` when there is no index.
    pub(super) fn waiting(&self) -> Option<usize> {
        let state = self.lock();
        let (index, changes) = (state.index.as_ref()?, state.changes.as_ref()?);
        Some(changes.rows.len() - changes.rows.partition_point(|(version, _)| *version <= index.version))
    }

    /// Changes, so many at most, are noted from this version on.
    pub(crate) fn begin(&self, version: u64, max: usize) {
        let mut state = self.lock();
        if state.changes.is_none() {
            state.changes = Some(Changes { rows: VecDeque::new(), complete_after: version, max });
        }
    }

    /// Forgets the index; changes are noted no more.
    pub(crate) fn end(&self) {
        let ended = std::mem::take(&mut *self.lock());
        drop(ended);
    }

    /// Takes a later index, unless what changed since is not known.
    pub(super) fn publish(&self, index: Arc<Index>) {
        let mut state = self.lock();
        let State { index: last, changes: Some(changes) } = &mut *state else { return };
        let is_late = last.as_ref().is_some_and(|last| last.version > index.version);
        if is_late || changes.complete_after > index.version {
            return;
        }
        if let Some(last) = last.replace(index) {
            let known = changes.rows.partition_point(|(version, _)| *version <= last.version);
            changes.rows.drain(..known);
            changes.complete_after = changes.complete_after.max(last.version);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let state = self.lock();
        let changes = state.changes.as_ref().map_or(0, |changes| 16 * changes.rows.capacity());
        state.index.as_ref().map_or(0, |index| index.memory_bytes()) + changes
    }
}
