//! Rows by id, shared by a table and its snapshots, and rows in the order of their ids.
//!
//! - A candidate row of the index is believed only when the snapshot's own cell says that it has the id: so one index serves
//!   snapshots of all ages.
//! - Ids of removed rows stay in the index for as long as a snapshot may ask for them.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;

use super::Row;

/// Changes of rows that are remembered, to bring an order up to date instead of making it anew.
const CHANGES_MAX: usize = 50_000;

/// Half of the hash is kept: it tells nearly all ids apart, and a million rows take half of the memory.
#[derive(Debug, Clone, Copy)]
struct Entry {
    half: u32,
    row: Row,
}

/// The half of a hash that is kept.
fn half(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The half over all bits again, as the table needs it.
fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The index.
#[derive(Debug, Default)]
pub(super) struct Ids {
    entries: RwLock<HashTable<Entry>>,
    hasher: DefaultHashBuilder,
    order: Mutex<Ordered>,
}

/// Rows by id, as of some generation.
#[derive(Debug, Default)]
struct Ordered {
    generation: u64,
    rows: Option<Arc<Vec<u32>>>,
    /// Rows that came or went, by the generation that they made; complete after `complete_after`.
    changes: Vec<(u64, Row)>,
    complete_after: u64,
}

impl Ids {
    /// The row with an id, of all rows that have or had one with this hash; `is` says which is meant.
    pub(super) fn find(&self, id: &str, is: impl Fn(Row) -> bool) -> Option<Row> {
        let half = half(self.hasher.hash_one(id));
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.iter_hash(spread(half)).find(|entry| entry.half == half && is(entry.row)).map(|entry| entry.row)
    }

    pub(super) fn insert(&self, id: &str, row: Row) {
        let half = half(self.hasher.hash_one(id));
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let is_there = entries.iter_hash(spread(half)).any(|entry| entry.half == half && entry.row == row);
        if !is_there {
            entries.insert_unique(spread(half), Entry { half, row }, |entry| spread(entry.half));
        }
    }

    /// Forgets an id that no snapshot asks for any more.
    pub(super) fn forget(&self, id: &str, row: Row) {
        let half = half(self.hasher.hash_one(id));
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Ok(found) = entries.find_entry(spread(half), |entry| entry.half == half && entry.row == row) {
            found.remove();
        }
    }

    /// Notes that a row came or went, which made this generation.
    pub(super) fn note_change(&self, generation: u64, row: Row) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if order.rows.is_none() {
            order.complete_after = generation;
            return;
        }
        order.changes.push((generation, row));
        if order.changes.len() > CHANGES_MAX {
            // Making the order anew is cheaper by now.
            *order = Ordered { complete_after: generation, ..Ordered::default() };
        }
    }

    /// Rows by id as of a generation. `rows` are all that live, `id` their ids.
    pub(super) fn order<'i>(
        &self,
        generation: u64,
        is_live: impl Fn(Row) -> bool,
        rows: impl Iterator<Item = Row>,
        id: impl Fn(Row) -> &'i str,
    ) -> Arc<Vec<u32>> {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = order.rows.as_ref().filter(|_| order.generation == generation) {
            return Arc::clone(known);
        }
        let by_id = |a: &u32, b: &u32| id(Row(*a)).cmp(id(Row(*b)));
        let known =
            order.rows.as_ref().filter(|_| order.complete_after <= order.generation && order.generation < generation);
        let Some(known) = known else {
            let mut made: Vec<u32> = rows.map(|row| row.0).collect();
            made.sort_unstable_by(by_id);
            let made = Arc::new(made);
            if generation >= order.generation {
                order.changes.retain(|(of, _)| *of > generation);
                (order.generation, order.complete_after) = (generation, order.complete_after.max(generation));
                order.rows = Some(Arc::clone(&made));
            }
            return made;
        };
        let changes = order.changes.iter().filter(|(of, _)| *of > order.generation && *of <= generation);
        let mut changed: Vec<u32> = changes.map(|(_, row)| row.0).collect();
        changed.sort_unstable();
        changed.dedup();
        let stayed = known.iter().copied().filter(|row| changed.binary_search(row).is_err());
        let mut came: Vec<u32> = changed.iter().copied().filter(|row| is_live(Row(*row))).collect();
        came.sort_unstable_by(by_id);
        let made = Arc::new(merged(stayed, came, by_id));
        order.changes.retain(|(of, _)| *of > generation);
        order.generation = generation;
        order.rows = Some(Arc::clone(&made));
        made
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner).capacity();
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        (size_of::<Entry>() + 1) * entries * 8 / 7
            + order.rows.as_ref().map_or(0, |rows| 4 * rows.len())
            + 16 * order.changes.len()
    }
}

/// Two ordered lists as one.
fn merged(a: impl Iterator<Item = u32>, b: Vec<u32>, order: impl Fn(&u32, &u32) -> std::cmp::Ordering) -> Vec<u32> {
    let (mut a, mut b) = (a.peekable(), b.into_iter().peekable());
    let mut out = Vec::new();
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(left), Some(right)) if order(left, right).is_le() => a.next(),
            (_, Some(_)) => b.next(),
            (_, None) => a.next(),
        };
        let Some(next) = next else { return out };
        out.push(next);
    }
}
