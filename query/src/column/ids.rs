//! Rows by id, shared by a table and its snapshots, and rows in the order of their ids.
//!
//! - A candidate row of the index is believed only when the snapshot's own cell says that it has the id: so one index serves
//!   snapshots of all ages.
//! - Ids of removed rows stay in the index for as long as a snapshot may ask for them.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;

use super::{Mask, Row};

/// Changes of rows that are remembered, to bring an order up to date instead of making it anew.
const CHANGES_MAX: usize = 50_000;

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    row: Row,
    /// How often the id came to this place and was not forgotten since.
    lives: u32,
}

/// The index.
#[derive(Debug, Default)]
pub(super) struct Ids {
    entries: RwLock<HashTable<Entry>>,
    hasher: DefaultHashBuilder,
    /// Locked for moments only: a writer waits for it.
    order: Mutex<Ordered>,
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

impl Ids {
    /// The row with an id, of all rows that have or had one with this hash; `is` says which is meant.
    pub(super) fn find(&self, id: &str, is: impl Fn(Row) -> bool) -> Option<Row> {
        let hash = self.hasher.hash_one(id);
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.iter_hash(hash).find(|entry| entry.hash == hash && is(entry.row)).map(|entry| entry.row)
    }

    pub(super) fn insert(&self, id: &str, row: Row) {
        let hash = self.hasher.hash_one(id);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        match entries.find_mut(hash, |entry| entry.hash == hash && entry.row == row) {
            Some(known) => known.lives += 1,
            None => drop(entries.insert_unique(hash, Entry { hash, row, lives: 1 }, |entry| entry.hash)),
        }
    }

    /// Forgets one life of an id in a place, which no snapshot asks for any more.
    pub(super) fn forget(&self, id: &str, row: Row) {
        let hash = self.hasher.hash_one(id);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let Ok(mut found) = entries.find_entry(hash, |entry| entry.hash == hash && entry.row == row) else { return };
        found.get_mut().lives -= 1;
        if found.get().lives == 0 {
            found.remove();
        }
    }

    /// Notes that a row came or went, which made this generation.
    pub(super) fn note_change(&self, generation: u64, row: Row) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
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
    pub(super) fn order<'i>(&self, generation: u64, live: &Mask, id: impl Fn(Row) -> &'i str) -> Arc<Vec<u32>> {
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
            Begun::Nothing => {
                let mut made: Vec<u32> = live.iter().map(|row| row.0).collect();
                made.sort_unstable_by(by_id);
                Arc::new(made)
            }
        };
        self.end(generation, &made);
        made
    }

    /// What there is to make an order from; changes are noted from now on.
    fn begin(&self, generation: u64) -> Begun {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if order.rows.is_some() && order.generation > generation {
            return;
        }
        order.changes.retain(|(of, _)| *of > generation);
        order.complete_after = order.complete_after.max(generation);
        (order.generation, order.is_noting) = (generation, true);
        order.rows = Some(Arc::clone(made));
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner).capacity();
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        17 * entries * 8 / 7 + order.rows.as_ref().map_or(0, |rows| 4 * rows.len()) + 16 * order.changes.len()
    }
}

enum Begun {
    /// The order itself.
    Known(Arc<Vec<u32>>),
    /// An earlier one, and rows that came or went since.
    Changed(Arc<Vec<u32>>, Vec<Row>),
    Nothing,
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
mod tests {
    use super::*;

    const NAMES: usize = 20_000;

    fn names() -> Vec<String> {
        (0..NAMES).map(|row| format!("{:05}", row * 7_919 % NAMES)).collect()
    }

    fn all() -> Mask {
        let mut live = Mask::none(NAMES);
        (0..NAMES).for_each(|row| live.insert(Row::at(row)));
        live
    }

    #[test]
    fn a_writer_does_not_wait_for_an_order_that_is_made() {
        let (ids, names, live) = (Ids::default(), names(), all());
        let looks = std::cell::Cell::new(0_usize);
        let id = |row: Row| {
            looks.set(looks.get() + 1);
            assert!(ids.order.try_lock().is_ok(), "free while ids are compared");
            names[row.index()].as_str()
        };
        let made = ids.order(1, &live, id);
        assert!(made.is_sorted_by_key(|row| &names[*row as usize]) && made.len() == NAMES);
        let at_first = looks.replace(0);
        let mut fewer = live.clone();
        fewer.remove(Row(77));
        ids.note_change(2, Row(77));
        let again = ids.order(2, &fewer, id);
        assert_eq!((again.len(), again.contains(&77)), (NAMES - 1, false));
        ids.note_change(3, Row(77));
        assert_eq!(ids.order(3, &live, id), made);
        assert!(looks.get() < 100 && at_first > NAMES, "{} ids were looked at, {at_first} at first", looks.get());
    }

    #[test]
    fn changes_while_an_order_is_made_are_in_the_next() {
        let (ids, names, live) = (Ids::default(), names(), all());
        let (was_noted, mut fewer) = (std::cell::Cell::new(false), all());
        ids.order(1, &live, |row| {
            if !was_noted.replace(true) {
                ids.note_change(2, Row(5));
            }
            names[row.index()].as_str()
        });
        fewer.remove(Row(5));
        let next = ids.order(2, &fewer, |row| names[row.index()].as_str());
        assert_eq!((next.len(), next.contains(&5)), (NAMES - 1, false));
        // Whoever still holds what was before gets that.
        assert_eq!(ids.order(1, &live, |row| names[row.index()].as_str()).len(), NAMES);
        assert_eq!(ids.order(2, &fewer, |row| names[row.index()].as_str()), next);
    }

    #[test]
    fn too_many_changes_are_no_reason_for_a_wrong_order() {
        let (ids, names, mut live) = (Ids::default(), names(), all());
        let mut generation = 1;
        let order = |generation, live: &Mask| {
            let made = ids.order(generation, live, |row| names[row.index()].as_str());
            assert!(made.is_sorted_by_key(|row| &names[*row as usize]));
            assert_eq!(made.len(), live.count());
            assert!(made.iter().all(|row| live.contains(Row(*row))));
        };
        order(generation, &live);
        for changes in [10, CHANGES_MAX + 10, 10, 1, 2 * CHANGES_MAX, 3] {
            for at in 0..changes {
                generation += 1;
                let row = Row::at((at * 31 + changes) % NAMES);
                if live.contains(row) {
                    live.remove(row)
                } else {
                    live.insert(row)
                }
                ids.note_change(generation, row);
            }
            order(generation, &live);
            order(generation, &live);
        }
    }
}
