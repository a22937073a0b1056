//! A table as it was at one moment.

use std::sync::{Arc, PoisonError, RwLock};

use super::ids::Ids;
use super::row_ids::RowIds;
use super::stored::Column;
use super::table::Options;
use super::trie::{Node, Trie};
use super::{Cell, ColumnId, Kind, Mask, Row};

/// A table as it was at one moment; it does not change. Dropping the last copy may free much.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) options: Options,
    pub(super) columns: Arc<[Arc<Column>]>,
    pub(super) row_ids: RowIds,
    pub(super) live: Arc<Mask>,
    pub(super) rows: usize,
    pub(super) trie: Arc<RwLock<Trie>>,
    pub(super) ids: Arc<Ids>,
    pub(super) generation: u64,
    /// Tells the table that a snapshot is there.
    #[expect(dead_code, reason = "only its count is looked at")]
    pub(super) held: Arc<()>,
}

/// Where the values of a path are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// In a column.
    Column(ColumnId),
    /// No row has any.
    Nowhere,
    /// There were too many paths: only documents tell.
    Uncovered,
}

/// A column, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its path.
    pub path: Vec<String>,
    /// Rows that have a value there.
    pub rows: usize,
}

impl Snapshot {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many places for rows there are, free ones included.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.live.slots()
    }

    /// The places in use.
    #[must_use]
    pub fn live(&self) -> &Mask {
        &self.live
    }

    /// The id of a row; empty for a free place.
    #[must_use]
    pub fn id(&self, row: Row) -> &str {
        self.row_ids.get(row)
    }

    /// The row of an id.
    #[must_use]
    pub fn row(&self, id: &str) -> Option<Row> {
        self.ids.find(id, |row| self.live.contains(row) && self.row_ids.is(row, id))
    }

    /// Rows by the bytes of their ids, upwards.
    #[must_use]
    pub fn id_order(&self) -> Arc<Vec<u32>> {
        self.ids.order.rows(self.generation, &self.live, |row| self.id(row))
    }

    /// All columns with values, ordered by nothing.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnInfo> {
        let paths = self.trie.read().unwrap_or_else(PoisonError::into_inner).paths();
        let known = paths.into_iter().filter(|(_, column)| (column.0 as usize) < self.columns.len());
        known.map(|(path, column)| ColumnInfo { path, rows: self.column(column).present() }).collect()
    }

    /// Where the values of a path are.
    #[must_use]
    pub fn lookup(&self, path: &[String]) -> Lookup {
        let trie = self.trie.read().unwrap_or_else(PoisonError::into_inner);
        let mut node = Node(0);
        for name in path {
            match trie.find(node, name) {
                Some(found) => node = found,
                None if trie.is_full => return Lookup::Uncovered,
                None => return Lookup::Nowhere,
            }
        }
        // A column may be younger than this snapshot.
        match trie.column(node).filter(|column| (column.0 as usize) < self.columns.len()) {
            Some(column) if self.column(column).present() > 0 => Lookup::Column(column),
            _ => Lookup::Nowhere,
        }
    }

    /// The value of a row.
    #[must_use]
    pub fn cell(&self, column: ColumnId, row: Row) -> Cell<'_> {
        self.column(column).cell(row)
    }

    /// Whether some row has an object there.
    #[must_use]
    pub fn holds_objects(&self, column: ColumnId) -> bool {
        self.column(column).count(Kind::Object) > 0
    }

    pub(super) fn column(&self, column: ColumnId) -> &Column {
        &self.columns[column.0 as usize]
    }
}
