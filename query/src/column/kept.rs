//! Something made from a snapshot that is kept beside a table, and the rows that changed since: so it serves snapshots of other ages,
//! and is brought up to date instead of being made anew.
//!
//! - The writer of a table waits for nobody who makes it: it only notes which rows changed.
//! - Every change after `complete_after` is noted; what lies farther apart has nothing to do with each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Row;

/// Changes of rows that are remembered.
pub(super) const CHANGES_MAX: usize = 50_000;
/// Changes that are remembered although what is kept has them, for snapshots from before.
const BEHIND: usize = 1_024;

/// What is kept, if anything.
#[derive(Debug)]
pub(super) struct Kept<T> {
    /// Locked for moments only: a writer waits for it.
    state: Mutex<State<T>>,
    /// Locked by who makes it, so that others need not make the same.
    making: Mutex<()>,
}

#[derive(Debug)]
struct State<T> {
    /// As of which generation, and what.
    made: Option<(u64, Arc<T>)>,
    /// Rows that changed, by the generation that they made; complete after `complete_after`.
    changes: Vec<(u64, Row)>,
    complete_after: u64,
    /// Whether changes are noted, because there is something, or it is being made.
    is_noting: bool,
    /// How often there were too many changes.
    overflows: u32,
}

/// What there is for a generation.
pub(super) enum Found<T> {
    /// As of that generation.
    Same(Arc<T>),
    /// As of another one, and rows that changed between the two, in the order of their changes.
    Other(Arc<T>, Vec<Row>),
    /// Nothing; whether something made as of that generation can be kept.
    Nothing { may_keep: bool },
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { state: Mutex::default(), making: Mutex::default() }
    }
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self { made: None, changes: Vec::new(), complete_after: 0, is_noting: false, overflows: 0 }
    }
}

impl<T> State<T> {
    fn forget(&mut self, complete_after: u64) {
        *self = Self { complete_after, overflows: self.overflows, ..Self::default() };
    }

    fn find(&self, generation: u64) -> Found<T> {
        let may_keep = self.complete_after <= generation;
        let Some((at, made)) = &self.made else { return Found::Nothing { may_keep } };
        let (from, to) = (generation.min(*at), generation.max(*at));
        if from == to {
            return Found::Same(Arc::clone(made));
        }
        if self.complete_after > from {
            return Found::Nothing { may_keep };
        }
        let until = |generation: u64| self.changes.partition_point(|(of, _)| *of <= generation);
        let between = &self.changes[until(from)..until(to)];
        Found::Other(Arc::clone(made), between.iter().map(|(_, row)| *row).collect())
    }
}

impl<T> Kept<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a row changed, which made this generation.
    #[inline]
    pub(super) fn note_change(&self, generation: u64, row: Row) {
        let mut state = self.state();
        if !state.is_noting {
            state.complete_after = generation;
            return;
        }
        state.changes.push((generation, row));
        if state.changes.len() > CHANGES_MAX {
            // Making it anew is cheaper by now.
            state.overflows += 1;
            state.forget(generation);
        }
    }

    /// Nothing is kept any more, and nothing from before this generation is of use.
    pub(super) fn forget_before(&self, generation: u64) {
        self.state().forget(generation);
    }

    /// Nothing is kept any more.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        let (made, noted) = (state.made.as_ref().map(|(at, _)| *at), state.changes.last().map(|(of, _)| *of));
        let last = [made, noted].into_iter().flatten().fold(state.complete_after, u64::max);
        state.forget(last);
    }

    /// What there is for a generation.
    pub(super) fn find(&self, generation: u64) -> Found<T> {
        self.state().find(generation)
    }

    /// The same for who is going to make something: changes are noted from now on.
    pub(super) fn begin(&self, generation: u64) -> Found<T> {
        let mut state = self.state();
        state.is_noting = true;
        state.find(generation)
    }

    /// Keeps what was made, unless a later one is there.
    pub(super) fn end(&self, generation: u64, made: &Arc<T>) {
        let mut state = self.state();
        if state.made.as_ref().is_some_and(|(at, _)| *at > generation) {
            return;
        }
        let past = state.changes.partition_point(|(of, _)| *of <= generation).saturating_sub(BEHIND);
        if past > 0 {
            state.complete_after = state.changes[past - 1].0;
            state.changes.drain(..past);
        }
        state.is_noting = true;
        state.made = Some((generation, Arc::clone(made)));
    }

    /// Waits until nobody else makes it.
    pub(super) fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without waiting; `None` when somebody does.
    pub(super) fn try_making(&self) -> Option<MutexGuard<'_, ()>> {
        self.making.try_lock().ok()
    }

    /// How often there were too many changes for what was kept.
    pub(super) fn overflows(&self) -> u32 {
        self.state().overflows
    }

    pub(super) fn memory_bytes(&self, of: impl Fn(&T) -> usize) -> usize {
        let state = self.state();
        state.made.as_ref().map_or(0, |(_, made)| of(made)) + 16 * state.changes.capacity()
    }

    #[cfg(test)]
    pub(super) fn is_free(&self) -> bool {
        self.state.try_lock().is_ok()
    }
}
