//! Rows by id, shared by a table and its snapshots.
//!
//! - A candidate row of the index is believed only when the snapshot's own cell says that it has the id: so one index serves
//!   snapshots of all ages.
//! - Ids of removed rows stay in the index for as long as a snapshot may ask for them.

use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;

use super::Row;
use super::id_order::IdOrder;

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
    pub(super) order: IdOrder,
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

    pub(super) fn memory_bytes(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner).capacity();
        17 * entries * 8 / 7 + self.order.memory_bytes()
    }
}
