//! What a table costs, by part. It counts what the table holds, not what only snapshots do.

use std::sync::PoisonError;

use super::Table;

/// Bytes of memory, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Cells of all columns.
    pub chunks: usize,
    /// Texts of all columns, and their indexes.
    pub texts: usize,
    /// Ids, the index of rows by id, and their order.
    pub ids: usize,
    /// Names of paths.
    pub paths: usize,
}

impl Memory {
    /// All parts.
    #[must_use]
    pub fn total(&self) -> usize {
        self.chunks + self.texts + self.ids + self.paths
    }
}

impl Table {
    /// What its parts take.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let trie = self.trie.read().unwrap_or_else(PoisonError::into_inner);
        Memory {
            chunks: self.columns.iter().map(|column| column.shared.chunk_bytes()).sum(),
            texts: self.columns.iter().map(|column| column.text_bytes()).sum(),
            ids: self.row_ids.memory_bytes()
                + self.ids.memory_bytes()
                + self.removed.memory_bytes()
                + self.slots / 8
                + 4 * self.free.capacity(),
            paths: trie.memory_bytes(),
        }
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.memory().total()
    }
}
