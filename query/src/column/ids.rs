//! Rows by id, shared by a table and its snapshots.
//!
//! - A candidate row of the index is believed only when the snapshot's own cell says that it has the id: so one index serves
//!   snapshots of all ages.
//! - Ids of removed rows stay in the index for as long as a snapshot may ask for them. Each life of an id has an entry of its own:
//!   forgetting one never takes another's, though both have one place and one half of a hash.

use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;

use super::Row;
use super::id_order::IdOrder;

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
    pub(super) order: IdOrder,
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
        entries.insert_unique(spread(half), Entry { half, row }, |entry| spread(entry.half));
    }

    /// Forgets one life of an id, for which no snapshot asks any more.
    pub(super) fn forget(&self, id: &str, row: Row) {
        let half = half(self.hasher.hash_one(id));
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Ok(found) = entries.find_entry(spread(half), |entry| entry.half == half && entry.row == row) {
            found.remove();
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner).capacity();
        (size_of::<Entry>() + 1) * entries * 8 / 7 + self.order.memory_bytes()
    }

    /// How many lives of ids it knows.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_one_life_leaves_another_in_the_same_place() {
        let ids = Ids::default();
        // As two ids of one half look, of which one went and the other came.
        ids.insert("a", Row(3));
        ids.insert("a", Row(3));
        ids.forget("a", Row(3));
        assert_eq!(ids.find("a", |row| row == Row(3)), Some(Row(3)));
        ids.forget("a", Row(3));
        assert_eq!((ids.find("a", |_| true), ids.len()), (None, 0));
    }
}
