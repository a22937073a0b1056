//! The documents of one collection as columns in memory: one column for each path that leads to a value.
//!
//! ```text
//! writer ── Table ── set(row, path, leaf) ──▶ chunks, copied when a snapshot holds them
//!                 └─ snapshot() ──▶ Snapshot: everything as it was, for as long as it is held
//! ```
//!
//! It knows no query text and no devices. Invariants:
//!
//! - A snapshot never changes, and taking one costs a handful of counters, not a copy.
//! - What a column says of a row is exact: it equals the document, types of numbers included. Only the contents of objects
//!   are elsewhere (in the columns of their members, and in the document).
//! - Memory is bounded by the number of columns; paths beyond it have none, and the table says so. Orders of columns by value are
//!   few.

mod bits;
mod by_text;
mod cells;
mod checkpoint;
mod chunk;
mod codes;
mod coding;
mod compare;
mod compare_texts;
mod condition;
mod id_order;
mod ids;
mod kept;
#[cfg(test)]
mod kernel_laws;
mod kinds;
#[cfg(test)]
mod laws;
mod mask;
mod memory;
mod pairs;
mod pieces;
mod removed;
mod row_ids;
mod snapshot;
mod stored;
mod strings;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod top;
mod trie;
mod value_order;
mod visit;
mod words;

pub use checkpoint::CheckpointError;
pub use codes::Codes;
pub use condition::Condition;
pub use mask::Mask;
pub use memory::Memory;
pub use snapshot::{ColumnInfo, Lookup, Snapshot};
pub(crate) use stored::Column;
pub use table::{Options, Table};
pub use trie::Node;
pub use value_order::OrderOptions;
pub(crate) use value_order::{Class, Ordered, Wanted};

/// A place for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(pub u32);

impl Row {
    /// The row at an index.
    #[must_use]
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub(crate) u32);

/// A value to put into a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Leaf<'a> {
    /// Nothing.
    Absent,
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number held as an integer.
    Int(i64),
    /// A number held as a double.
    Float(f64),
    /// Text.
    String(&'a str),
    /// An array, as its JSON text.
    Array(&'a str),
    /// An object; its members are in columns of their own.
    Object,
}

/// A value in a column.
pub type Cell<'a> = Leaf<'a>;

/// What kind of value a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Nothing.
    Absent,
    /// `null`
    Null,
    /// `false`
    False,
    /// `true`
    True,
    /// A number held as an integer.
    Int,
    /// A number held as a double.
    Float,
    /// Text.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// All kinds, by their number.
    pub(crate) const ALL: [Self; 9] = [
        Self::Absent,
        Self::Null,
        Self::False,
        Self::True,
        Self::Int,
        Self::Float,
        Self::String,
        Self::Array,
        Self::Object,
    ];

    pub(crate) fn of(leaf: &Leaf<'_>) -> Self {
        match leaf {
            Leaf::Absent => Self::Absent,
            Leaf::Null => Self::Null,
            Leaf::Bool(false) => Self::False,
            Leaf::Bool(true) => Self::True,
            Leaf::Int(_) => Self::Int,
            Leaf::Float(_) => Self::Float,
            Leaf::String(_) => Self::String,
            Leaf::Array(_) => Self::Array,
            Leaf::Object => Self::Object,
        }
    }
}
