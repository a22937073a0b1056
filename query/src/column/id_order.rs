//! Rows in the order of their ids, made when somebody asks and brought up to date when somebody asks again.
//!
//! - The writer of a table waits for nobody who makes an order: it only notes which rows came and went.
//! - Every change after `complete_after` is noted; an order that is older is of no use for a later one.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Mask, Row};

/// Changes of rows that are remembered, to bring an order up to date instead of making it anew.
const CHANGES_MAX: usize = 50_000;

/// The latest order that was asked for.
#[derive(Debug, Default)]
pub(super) struct IdOrder {
    /// Locked for moments only: a writer waits for it.
    state: Mutex<Ordered>,
    /// Locked by who makes an order, so that others wait for it instead of making the same.
    making: Mutex<()>,
}

/// Rows by id, as of some generation.
#[derive(Debug, Default)]
struct Ordered {
    generation: u64,
    rows: Option<Arc<Vec<u32>>>,
    /// Rows that came or went, by the generation that they made; complete after `complete_after`.
    changes: Vec<(u64, Row)>,
    complete_after: u64,
    /// Whether changes are noted, because there is an order, or one is being made.
    is_noting: bool,
}

impl IdOrder {
    /// Notes that a row came or went, which made this generation.
    pub(super) fn note_change(&self, generation: u64, row: Row) {
        let mut order = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !order.is_noting {
            order.complete_after = generation;
            return;
        }
        order.changes.push((generation, row));
        if order.changes.len() > CHANGES_MAX {
            // Making the order anew is cheaper by now.
            *order = Ordered { complete_after: generation, ..Ordered::default() };
        }
    }

    /// Rows by id as of a generation. `live` are all rows, `id` their ids.
    pub(super) fn rows<'i>(&self, generation: u64, live: &Mask, id: impl Fn(Row) -> &'i str) -> Arc<Vec<u32>> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let by_id = |a: &u32, b: &u32| id(Row(*a)).cmp(id(Row(*b)));
        let made = match self.begin(generation) {
            Begun::Known(known) => return known,
            Begun::Changed(known, changed) => {
                let mut came: Vec<u32> = changed.iter().filter(|row| live.contains(**row)).map(|row| row.0).collect();
                came.sort_unstable_by(by_id);
                came.dedup();
                Arc::new(merged(&known, &changed, live.slots(), &came, by_id))
            }
            Begun::Nothing => Arc::new(sorted(live, id)),
        };
        self.end(generation, &made);
        made
    }

    /// What there is to make an order from; changes are noted from now on.
    fn begin(&self, generation: u64) -> Begun {
        let mut order = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        order.is_noting = true;
        let Some(known) = &order.rows else { return Begun::Nothing };
        if order.generation == generation {
            return Begun::Known(Arc::clone(known));
        }
        if order.complete_after > order.generation || order.generation > generation {
            return Begun::Nothing;
        }
        let changes = order.changes.iter().filter(|(of, _)| *of > order.generation && *of <= generation);
        Begun::Changed(Arc::clone(known), changes.map(|(_, row)| *row).collect())
    }

    /// Keeps what was made, unless a later one is there.
    fn end(&self, generation: u64, made: &Arc<Vec<u32>>) {
        let mut order = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if order.rows.is_some() && order.generation > generation {
            return;
        }
        order.changes.retain(|(of, _)| *of > generation);
        order.complete_after = order.complete_after.max(generation);
        (order.generation, order.is_noting) = (generation, true);
        order.rows = Some(Arc::clone(made));
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let order = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        order.rows.as_ref().map_or(0, |rows| 4 * rows.len()) + 16 * order.changes.capacity()
    }
}

enum Begun {
    /// The order itself.
    Known(Arc<Vec<u32>>),
    /// An earlier one, and rows that came or went since.
    Changed(Arc<Vec<u32>>, Vec<Row>),
    Nothing,
}

/// All rows by their ids. Ids are mostly alike at first, so they are compared by eight bytes after what all have in common, and
/// looked up only when these are equal.
fn sorted<'i>(live: &Mask, id: impl Fn(Row) -> &'i str) -> Vec<u32> {
    let mut ids: Vec<(u64, &str, u32)> = live.iter().map(|row| (0, id(row), row.0)).collect();
    let first = ids.first().map_or(&[][..], |(_, id, _)| id.as_bytes());
    let common = ids.iter().fold(first.len(), |common, (_, id, _)| {
        let alike = first[..common].iter().zip(id.as_bytes()).take_while(|(a, b)| a == b);
        alike.count()
    });
    for (key, id, _) in &mut ids {
        *key = beginning(id.as_bytes().get(common..).unwrap_or_default());
    }
    ids.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    ids.into_iter().map(|(_, _, row)| row).collect()
}

/// The first eight bytes as a number; the order of texts with different ones is theirs.
fn beginning(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(eight)
}

/// `known` without what changed, and with what came in its place. Whole runs are copied: few ids are looked at.
fn merged(
    known: &[u32],
    changed: &[Row],
    slots: usize,
    came: &[u32],
    order: impl Fn(&u32, &u32) -> std::cmp::Ordering,
) -> Vec<u32> {
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
