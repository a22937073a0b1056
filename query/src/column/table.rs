//! The writer's side of a table.

use std::sync::{Arc, PoisonError, RwLock};

use super::ids::Ids;
use super::removed::Removed;
use super::row_ids::RowIds;
use super::snapshot::Snapshot;
use super::stored::Stored;
use super::trie::{BEYOND, Node, Trie};
use super::{ColumnId, Leaf, Mask, Row};
use crate::value::Value;

/// Sizes of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Rows of a chunk, which is what a change copies at most; a multiple of 64.
    pub chunk_rows: usize,
    /// Columns at most; paths beyond have none.
    pub max_columns: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { chunk_rows: 512, max_columns: 10_000 }
    }
}

/// The documents of one collection.
#[derive(Debug)]
pub struct Table {
    pub(super) options: Options,
    pub(super) columns: Vec<Stored>,
    pub(super) row_ids: RowIds,
    pub(super) live: Arc<Mask>,
    pub(super) rows: usize,
    pub(super) slots: usize,
    pub(super) free: Vec<Row>,
    pub(super) trie: Arc<RwLock<Trie>>,
    pub(super) ids: Arc<Ids>,
    /// Rises whenever a row comes or goes.
    pub(super) generation: u64,
    /// Removed rows whose ids a snapshot may still ask for.
    pub(super) removed: Removed,
    last: Option<Snapshot>,
}

impl Table {
    /// The document itself.
    pub const ROOT: Node = Node(0);

    /// An empty one.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let options = Options { chunk_rows: options.chunk_rows.next_multiple_of(64).max(64), ..options };
        Self {
            options,
            columns: Vec::new(),
            row_ids: RowIds::default(),
            live: Arc::new(Mask::none(0)),
            rows: 0,
            slots: 0,
            free: Vec::new(),
            trie: Arc::new(RwLock::new(Trie::new(options.max_columns))),
            ids: Arc::default(),
            generation: 0,
            removed: Removed::default(),
            last: None,
        }
    }

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

    /// The row of an id.
    #[must_use]
    pub fn row(&self, id: &str) -> Option<Row> {
        self.ids.find(id, |row| self.live.contains(row) && self.row_ids.is(row, id))
    }

    /// The row of an id, made if there is none.
    pub fn insert(&mut self, id: &str) -> Row {
        if let Some(row) = self.row(id) {
            return row;
        }
        self.last = None;
        let row = self.free.pop().unwrap_or_else(|| {
            let row = Row::at(self.slots);
            self.slots += 1;
            row
        });
        let live = Arc::make_mut(&mut self.live);
        live.grow(self.slots);
        live.insert(row);
        self.row_ids.set(row, id);
        self.ids.insert(id, row);
        self.rows += 1;
        self.generation += 1;
        self.ids.order.note_change(self.generation, row);
        row
    }

    /// Removes the row of an id with all its values.
    pub fn remove(&mut self, id: &str) {
        let Some(row) = self.row(id) else { return };
        self.last = None;
        for column in &mut self.columns {
            column.set(row, Leaf::Absent);
        }
        Arc::make_mut(&mut self.live).remove(row);
        self.row_ids.set(row, "");
        self.free.push(row);
        self.rows -= 1;
        self.generation += 1;
        self.ids.order.note_change(self.generation, row);
        self.removed.note(id, row);
        for (id, row) in self.removed.take_unheld() {
            self.ids.forget(&id, row);
        }
    }

    /// The path of a member.
    pub fn child(&mut self, node: Node, name: &str) -> Node {
        let found = self.trie.read().unwrap_or_else(PoisonError::into_inner).find(node, name);
        found.unwrap_or_else(|| self.trie.write().unwrap_or_else(PoisonError::into_inner).add(node, name))
    }

    /// From now on paths that nobody had yet get no column, as if there were too many already.
    pub fn close_paths(&mut self) {
        self.trie.write().unwrap_or_else(PoisonError::into_inner).close();
    }

    /// Puts a value in, for an object only that it is there.
    pub fn set(&mut self, row: Row, node: Node, leaf: Leaf<'_>) {
        let column = self.trie.read().unwrap_or_else(PoisonError::into_inner).column(node);
        let column = match column {
            Some(column) => column,
            None if leaf == Leaf::Absent || node == BEYOND => return,
            None => self.add_column(node),
        };
        if self.columns[column.0 as usize].set(row, leaf) {
            self.last = None;
        }
    }

    fn add_column(&mut self, node: Node) -> ColumnId {
        let column = ColumnId(u32::try_from(self.columns.len()).unwrap_or(u32::MAX));
        self.columns.push(Stored::new(self.options.chunk_rows));
        self.trie.write().unwrap_or_else(PoisonError::into_inner).set_column(node, column);
        column
    }

    /// Makes every path below a node absent in a row; not the node itself.
    pub fn clear_below(&mut self, row: Row, node: Node) {
        let below = self.trie.read().unwrap_or_else(PoisonError::into_inner).columns_below(node);
        for column in below {
            if self.columns[column.0 as usize].set(row, Leaf::Absent) {
                self.last = None;
            }
        }
    }

    /// Puts a whole value in.
    pub fn put(&mut self, row: Row, node: Node, value: &Value) {
        self.clear_below(row, node);
        self.put_new(row, node, value);
    }

    fn put_new(&mut self, row: Row, node: Node, value: &Value) {
        match value {
            Value::Null => self.set(row, node, Leaf::Null),
            Value::Bool(value) => self.set(row, node, Leaf::Bool(*value)),
            Value::Int(value) => self.set(row, node, Leaf::Int(*value)),
            Value::Float(value) => self.set(row, node, Leaf::Float(*value)),
            Value::String(text) => self.set(row, node, Leaf::String(text)),
            Value::Array(_) => self.set(row, node, Leaf::Array(&value.to_text())),
            Value::Object(members) => {
                if node != Self::ROOT {
                    self.set(row, node, Leaf::Object);
                }
                for (name, value) in members {
                    let child = self.child(node, name);
                    self.put_new(row, child, value);
                }
            }
        }
    }

    /// Everything as it is now.
    pub fn snapshot(&mut self) -> Snapshot {
        if let Some(last) = &self.last {
            return last.clone();
        }
        let snapshot = Snapshot {
            options: self.options,
            columns: self.columns.iter().map(|column| Arc::clone(&column.shared)).collect(),
            row_ids: self.row_ids.clone(),
            live: Arc::clone(&self.live),
            rows: self.rows,
            trie: Arc::clone(&self.trie),
            ids: Arc::clone(&self.ids),
            generation: self.generation,
            held: self.removed.holder(),
        };
        self.last = Some(snapshot.clone());
        snapshot
    }
}
