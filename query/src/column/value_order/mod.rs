//! Rows of a column in the order of its values, for questions that want few of them. Made when such questions come again and again,
//! from the snapshot of who asks, and corrected by the rows that changed since.
//!
//! ```text
//! base: all rows as of some moment    later: rows that changed after it    tail: rows that changed between later and the snapshot
//! ```
//!
//! - A row counts in the tail if it is there, else in `later` if it changed after `base`, else in `base`. Of rows of the tail nothing is
//!   known: whoever asks looks at the cell. So are those that were found by a number that its key does not tell exactly.
//! - A writer never waits, and neither does a question: while an order is made, others do without.
//! - Their number is bounded by a [`Shelf`]; the one that was not used for the longest time is given up.

#[cfg(test)]
mod laws;
mod run;
mod shelf;
mod wanted;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::kept::{Found, Kept};
use super::{ColumnId, Mask, Row, Snapshot, by_text};
use run::Run;

pub(crate) use run::Class;
pub(super) use shelf::Shelf;
pub(crate) use wanted::Wanted;

/// When columns are ordered by their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderOptions {
    /// Rows of a table that is worth it.
    pub rows: usize,
    /// Selective questions about a column after which it is ordered.
    pub questions: u32,
    /// Orders of a table at most.
    pub most: usize,
    /// Rows that changed after which an order is brought up to date.
    pub changes: usize,
    /// Of so many rows one at most is looked for by an order; else all are looked at, which is cheaper for each.
    pub one_in: usize,
}

impl Default for OrderOptions {
    fn default() -> Self {
        Self { rows: 20_000, questions: 3, most: 8, changes: 1_024, one_in: 64 }
    }
}

/// The order of one column, if there is one.
#[derive(Debug, Default)]
pub(super) struct ValueOrder {
    kept: Kept<Runs>,
    /// Questions that would have liked to have it.
    wishes: AtomicU32,
    /// When it was used last, by the clock of the shelf.
    used: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Runs {
    base: Arc<Run>,
    later: Run,
    /// Rows that changed after `base`; they count in `later` only.
    changed: Mask,
}

impl ValueOrder {
    /// Notes that a row changed, which made this version of the column.
    #[inline]
    pub(super) fn note_change(&self, version: u64, row: Row) {
        self.kept.note_change(version, row);
    }

    /// The texts of the column got other codes.
    pub(super) fn forget_before(&self, version: u64) {
        self.kept.forget_before(version);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.kept.memory_bytes(|runs| runs.base.memory_bytes() + runs.later.memory_bytes() + runs.changed.slots() / 8)
    }
}

/// The order of a column as a snapshot may use it.
pub(crate) struct Ordered {
    runs: Arc<Runs>,
    /// Rows that changed between the order and the snapshot. Upwards.
    tail: Vec<u32>,
}

impl Ordered {
    fn new(runs: Arc<Runs>, tail: &[Row]) -> Self {
        let mut tail: Vec<u32> = tail.iter().map(|row| row.0).collect();
        tail.sort_unstable();
        tail.dedup();
        Self { runs, tail }
    }

    /// How many candidates there are.
    pub(crate) fn count(&self, wanted: &[Wanted<'_>]) -> usize {
        let of = |run: &Run| wanted.iter().map(|wanted| run.rows_in(wanted).len()).sum::<usize>();
        of(&self.runs.base) + of(&self.runs.later) + self.tail.len()
    }

    /// Rows whose value is wanted, and rows of which that is not known; all others have no wanted value. Each is in one of them,
    /// once.
    pub(crate) fn rows(&self, wanted: &[Wanted<'_>]) -> (Vec<Row>, Vec<Row>) {
        let (base, later) = (&*self.runs.base, &self.runs.later);
        let mut rows: Vec<Row> = Vec::new();
        for wanted in wanted {
            let stayed =
                base.rows_in(wanted).iter().map(|row| Row(*row)).filter(|row| !self.runs.changed.contains(*row));
            rows.extend(stayed);
            rows.extend(later.rows_in(wanted).iter().map(|row| Row(*row)));
        }
        if !self.tail.is_empty() {
            rows.retain(|row| !self.is_in_tail(*row));
        }
        if wanted.len() > 1 {
            rows.sort_unstable();
            rows.dedup();
        }
        let tail = self.tail.iter().map(|row| Row(*row));
        if wanted.iter().all(|wanted| base.proves(wanted) && later.proves(wanted)) {
            return (rows, tail.collect());
        }
        rows.extend(tail);
        (Vec::new(), rows)
    }

    fn is_in_tail(&self, row: Row) -> bool {
        self.tail.binary_search(&row.0).is_ok()
    }

    /// Rows that have a value and for which `keep` holds, among which are the first `k` by value; among equal ones the first by id, or
    /// all. `None` when more than `most`
    /// would have to be looked at, or when there are not `k` of them.
    pub(crate) fn first(
        &self,
        k: usize,
        descending: bool,
        by_id: bool,
        most: usize,
        mut keep: impl FnMut(Row) -> bool,
    ) -> Option<Vec<Row>> {
        let mut found: Vec<Row> = self.tail.iter().map(|row| Row(*row)).filter(|row| keep(*row)).collect();
        let (mut looked_at, mut of_runs) = (0, 0);
        for (run, is_base) in [(&*self.runs.base, true), (&self.runs.later, false)] {
            let mut kept = 0;
            for at in 0..run.keys() {
                let key = if descending { run.keys() - 1 - at } else { at };
                if kept >= k {
                    break;
                }
                for row in run.rows_of(key).iter().map(|row| Row(*row)) {
                    looked_at += 1;
                    if looked_at > most {
                        return None;
                    }
                    if is_base && self.runs.changed.contains(row) || self.is_in_tail(row) || !keep(row) {
                        continue;
                    }
                    found.push(row);
                    kept += 1;
                    if kept >= k && by_id && run.is_exact(key) {
                        break;
                    }
                }
            }
            of_runs += kept;
        }
        (of_runs >= k).then_some(found)
    }
}

impl Snapshot {
    /// The order of a column, if there is one that is of use to this snapshot.
    pub(crate) fn ordered(&self, id: ColumnId) -> Option<Ordered> {
        let column = self.column(id);
        let (runs, tail) = match column.order.kept.find(column.version) {
            Found::Same(runs) => (runs, Vec::new()),
            Found::Other(runs, tail) => (runs, tail),
            Found::Nothing { .. } => return None,
        };
        column.order.used.store(self.shelf.now(), Ordering::Relaxed);
        if tail.len() > self.options.orders.changes
            && let Some(runs) = self.brought_up_to_date(id)
        {
            return Some(Ordered::new(runs, &[]));
        }
        Some(Ordered::new(runs, &tail))
    }

    /// Whether a column has no order, but may get one.
    pub(crate) fn may_be_ordered(&self, id: ColumnId) -> bool {
        let column = self.column(id);
        self.rows >= self.options.orders.rows && matches!(column.order.kept.find(column.version), Found::Nothing { .. })
    }

    /// How many rows are few enough to be looked for by an order.
    pub(crate) fn few_rows(&self) -> usize {
        self.rows / self.options.orders.one_in.max(1)
    }

    /// Whether all rows have a value.
    pub(crate) fn is_complete(&self, id: ColumnId) -> bool {
        self.column(id).present() == self.rows
    }

    /// A selective question about a column came, which an order would have helped. Whether there is one now.
    pub(crate) fn wish_order(&self, id: ColumnId) -> bool {
        let (column, options) = (self.column(id), self.options.orders);
        if self.rows < options.rows {
            return false;
        }
        // Columns that change too much between questions have to be asked about ever more often.
        let enough = options.questions << column.order.kept.overflows().min(10);
        if column.order.wishes.fetch_add(1, Ordering::Relaxed) + 1 < enough {
            return false;
        }
        let Some(_making) = column.order.kept.try_making() else { return false };
        match column.order.kept.begin(column.version) {
            Found::Nothing { may_keep: true } => {}
            // What would be made now could not be kept, but changes are noted from now on.
            Found::Nothing { may_keep: false } => return false,
            Found::Same(_) | Found::Other(..) => return true,
        }
        let rows = self.id_order();
        let base = Arc::new(Run::new(column, rows.iter().map(|row| Row(*row))));
        let runs = Runs { base, later: Run::new(column, std::iter::empty()), changed: Mask::none(0) };
        column.order.kept.end(column.version, &Arc::new(runs));
        column.order.wishes.store(0, Ordering::Relaxed);
        column.order.used.store(self.shelf.now(), Ordering::Relaxed);
        self.shelf.put(&column.order, options.most);
        true
    }

    /// The order as of this snapshot, unless somebody else makes one or it is an earlier one.
    fn brought_up_to_date(&self, id: ColumnId) -> Option<Arc<Runs>> {
        let order = &self.column(id).order;
        let _making = order.kept.try_making()?;
        let version = self.column(id).version;
        let (runs, tail) = match order.kept.begin(version) {
            Found::Same(runs) => return Some(runs),
            Found::Other(runs, tail) => (runs, tail),
            Found::Nothing { .. } => return None,
        };
        let made = Arc::new(self.with_tail(id, &runs, &tail));
        order.kept.end(version, &made);
        Some(made)
    }

    fn with_tail(&self, id: ColumnId, runs: &Runs, tail: &[Row]) -> Runs {
        let slots = tail.iter().map(|row| row.index() + 1).max().unwrap_or(0);
        let mut of_tail = Mask::none(slots.max(self.slots()));
        tail.iter().for_each(|row| of_tail.insert(*row));
        let lives = of_tail.iter().filter(|row| self.live().contains(*row));
        let by_id = by_text::sorted(lives.map(|row| (self.id(row), row.0)));
        let came = Run::new(self.column(id), by_id.iter().map(|row| Row(*row)));
        let id_of = |row: u32| self.id(Row(row));
        let later = runs.later.merged(&came, |row| of_tail.contains(Row(row)), id_of);
        let mut changed = of_tail;
        // An earlier snapshot has no place for rows that came later.
        changed.grow(runs.changed.slots().max(self.slots()));
        changed.or(&runs.changed);
        // Few beside all rows, or not worth copying all.
        let few = (runs.base.len() / 16).max(4 * self.options.orders.changes);
        if changed.count() <= few {
            return Runs { base: Arc::clone(&runs.base), later, changed };
        }
        let base = runs.base.merged(&later, |row| changed.contains(Row(row)), id_of);
        Runs { base: Arc::new(base), later: Run::new(self.column(id), std::iter::empty()), changed: Mask::none(0) }
    }
}
