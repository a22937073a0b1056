//! The indexes of a table: which columns are asked for words, and which of these may have an index.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Indexed, Limits};
use crate::column::{Column, ColumnId};

/// Rounds of making for which an index stays when another column would like its memory.
const ROUNDS_HELD: u64 = 64;

/// All columns of a table that were asked for words.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    columns: Mutex<BTreeMap<ColumnId, Arc<Indexed>>>,
    is_asked: AtomicBool,
    round: AtomicU64,
}

/// What to do with a column.
pub(crate) enum Turn {
    /// It may have an index, which is to be made or brought up to date.
    Make(ColumnId, Arc<Indexed>),
    /// It has none any more.
    End(ColumnId, Arc<Indexed>),
}

impl Indexes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ColumnId, Arc<Indexed>>> {
        self.columns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is of a column.
    pub(crate) fn get(&self, column: ColumnId) -> Option<Arc<Indexed>> {
        self.lock().get(&column).map(Arc::clone)
    }

    /// Tells that a column is asked for words.
    pub(crate) fn ask(&self, column: ColumnId) {
        let indexed = Arc::clone(self.lock().entry(column).or_default());
        indexed.ask(self.round.load(Ordering::Relaxed));
        self.is_asked.store(true, Ordering::Release);
    }

    /// Whether a column was asked for words since the last round.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Acquire)
    }

    /// Begins a round of making.
    pub(crate) fn turns<'t>(&self, limits: &Limits, column: impl Fn(ColumnId) -> &'t Column) -> Vec<Turn> {
        self.is_asked.store(false, Ordering::Release);
        let round = self.round.fetch_add(1, Ordering::Relaxed);
        let mut columns: Vec<(ColumnId, Arc<Indexed>)> =
            self.lock().iter().map(|(id, indexed)| (*id, Arc::clone(indexed))).collect();
        // Those that are in use and there first, so that two columns do not take turns in each other's memory; then by last use.
        columns.sort_by_key(|(_, indexed)| {
            let is_held = indexed.is_made() && indexed.asked_in() + ROUNDS_HELD >= round;
            (!is_held, std::cmp::Reverse(indexed.asked_in()))
        });
        let (mut turns, mut count, mut bytes) = (Vec::new(), 0, 0);
        for (id, indexed) in columns {
            let (asked, is_made, column) = (indexed.take_asked(), indexed.is_made(), column(id));
            let needed = if is_made { indexed.memory_bytes() } else { expected_bytes(column) };
            let is_allowed =
                column.texts() >= limits.texts_min && count < limits.indexes_max && bytes + needed <= limits.bytes_max;
            if !is_allowed {
                if indexed.is_noting() {
                    turns.push(Turn::End(id, indexed));
                }
                continue;
            }
            if is_made || asked {
                (count, bytes) = (count + 1, bytes + needed);
            }
            let is_due = indexed.waiting().is_none_or(|changes| changes >= limits.changes_min);
            if asked && is_due {
                turns.push(Turn::Make(id, indexed));
            }
        }
        turns
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.lock().values().map(|indexed| indexed.memory_bytes() + size_of::<Indexed>() + 64).sum()
    }
}

/// What the index of a column may take, at most about.
fn expected_bytes(column: &Column) -> usize {
    24 * column.texts() + 2 * column.text_bytes()
}
