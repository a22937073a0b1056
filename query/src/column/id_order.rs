//! Rows in the order of their ids, made when somebody asks and brought up to date when somebody asks again.

use std::sync::Arc;

use super::kept::{Found, Kept};
use super::{Mask, Row, by_text};

/// The latest order that was asked for.
#[derive(Debug, Default)]
pub(super) struct IdOrder {
    kept: Kept<Vec<u32>>,
}

impl IdOrder {
    /// Notes that a row came or went, which made this generation.
    pub(super) fn note_change(&self, generation: u64, row: Row) {
        self.kept.note_change(generation, row);
    }

    /// Rows by id as of a generation. `live` are all rows, `id` their ids.
    pub(super) fn rows<'i>(&self, generation: u64, live: &Mask, id: impl Fn(Row) -> &'i str) -> Arc<Vec<u32>> {
        let _making = self.kept.making();
        let by_id = |a: &u32, b: &u32| id(Row(*a)).cmp(id(Row(*b)));
        let made = match self.kept.begin(generation) {
            Found::Same(known) => return known,
            Found::Other(known, changed) => {
                let mut came: Vec<u32> = changed.iter().filter(|row| live.contains(**row)).map(|row| row.0).collect();
                came.sort_unstable_by(by_id);
                came.dedup();
                Arc::new(merged(&known, &changed, &came, by_id))
            }
            Found::Nothing { .. } => Arc::new(by_text::sorted(live.iter().map(|row| (id(row), row.0)))),
        };
        self.kept.end(generation, &made);
        made
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.kept.memory_bytes(|rows| 4 * rows.len())
    }
}

/// `known` without what changed, and with what came in its place. Whole runs are copied: few ids are looked at.
fn merged(known: &[u32], changed: &[Row], came: &[u32], order: impl Fn(&u32, &u32) -> std::cmp::Ordering) -> Vec<u32> {
    let slots = changed.iter().map(|row| row.index() + 1).max().unwrap_or(0);
    let mut is_changed = Mask::none(slots);
    changed.iter().for_each(|row| is_changed.insert(*row));
    let stayed: Vec<u32> = known.iter().copied().filter(|row| !is_changed.contains(Row(*row))).collect();
    let mut out = Vec::with_capacity(stayed.len() + came.len());
    let mut from = 0;
    for row in came {
        let to = from + stayed[from..].partition_point(|other| order(other, row).is_lt());
        out.extend_from_slice(&stayed[from..to]);
        out.push(*row);
        from = to;
    }
    out.extend_from_slice(&stayed[from..]);
    out
}

#[cfg(test)]
mod tests;
