//! The order of a column for one snapshot: what is looked up in it, and what is walked along it.

use std::sync::Arc;

use super::run::Run;
use super::wanted::Wanted;
use super::{Row, Runs};

/// The order of a column as a snapshot may use it.
pub(crate) struct Ordered {
    runs: Arc<Runs>,
    /// Rows that changed between the order and the snapshot. Upwards.
    tail: Vec<u32>,
}

impl Ordered {
    pub(super) fn new(runs: Arc<Runs>, tail: &[Row]) -> Self {
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
