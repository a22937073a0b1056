//! Which texts of a column hold a word: an index of words for each column that `MATCH` asks for, made beside the writer and
//! exact for every snapshot it serves.
//!
//! ```text
//! query ── Snapshot::find_words ──▶ Indexed: index as of one version of the column, and which rows changed since or before
//! writer ─ notes changed rows ─────▶    ▲
//! driver ─ Table::word_work ─▶ Work::run ┘ (on a thread of its own: cuts changed texts, publishes the next index)
//! ```
//!
//! It knows texts and rows, no plan and no thread. Invariants:
//!
//! - Rows whose text is not the same in the index as in the snapshot are all known, and their texts are cut anew; for all others
//!   the index says what the text says, because both are cut by `evaluate::words`. Where this cannot be had (no index yet, too
//!   many changes, a snapshot from before it) there is no answer, and the caller looks at every text.
//! - The writer waits for nobody who makes an index: it only notes which rows changed.
//! - Numbers and memory of indexes are bounded by [`Limits`].

mod changed;
mod index;
mod indexed;
mod indexes;
#[cfg(test)]
mod laws;
mod make;
mod search;
mod segment;
mod tally;
#[cfg(test)]
mod tests;
mod tokenizer;
mod work;

pub(crate) use indexed::{At, Indexed};
pub(crate) use indexes::{Indexes, Turn};
pub(crate) use search::{Found, search};
pub(crate) use tally::Tally;
pub use work::{Made, Work};

/// What indexes of words may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A column with fewer texts has no index: looking at all of them is quick.
    pub texts_min: usize,
    /// Fewer changed rows are left to queries.
    pub changes_min: usize,
    /// Indexes of a table.
    pub indexes_max: usize,
    /// Bytes that all indexes of a table take.
    pub bytes_max: usize,
    /// Changes that are remembered between two makings; one more, and the index is dropped. A query looks at a quarter of it itself.
    pub changes_max: usize,
    /// Texts that are cut at once, which bounds what making takes.
    pub segment_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            texts_min: 8_192,
            changes_min: 256,
            indexes_max: 8,
            bytes_max: 256 << 20,
            changes_max: 1 << 18,
            segment_max: 1 << 18,
        }
    }
}

/// An index that cannot be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an index of words: {0}")]
pub struct Fault(String);

impl From<tantivy::TantivyError> for Fault {
    fn from(error: tantivy::TantivyError) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}
