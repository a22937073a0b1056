//! The first rows by one column, as a superset that is cheap to find: rows are compared by a number that keeps their order
//! as far as 60 bits tell.

use std::collections::BinaryHeap;

use super::chunk::{Chunk, Kinds, bits};
use super::strings::beginning;
use super::{Cell, ColumnId, Kind, Leaf, Mask, Row, Snapshot};
use crate::evaluate::number::to_double;

impl Snapshot {
    /// Rows among which are the first `k` of `rows` in the order of section 11 of the language, all rows included that are
    /// equal to the last of them as far as that can be told cheaply. `None` when there would be too many.
    #[must_use]
    pub fn top(&self, column: ColumnId, rows: &Mask, k: usize, descending: bool) -> Option<Vec<Row>> {
        let turn = |key: u64| if descending { !key } else { key };
        let absent = turn(key(Leaf::Absent));
        let mut first = First::new(k);
        let mut without = rows.clone();
        let stored = self.column(column);
        let words = stored.chunk_rows() / 64;
        for (index, chunk) in stored.chunks() {
            for word in 0..words {
                let at_word = index * words + word;
                let present = chunk.present(word);
                let mut open = rows.word(at_word) & present;
                without.set_word(at_word, without.word(at_word) & !present);
                if let Some(keys) = keys_in(chunk, word) {
                    // Mostly few of them are early enough to be looked at.
                    open &= bits(&keys, |key| turn(*key) <= first.last);
                    while open != 0 {
                        let at = open.trailing_zeros() as usize;
                        open &= open - 1;
                        first.take(turn(keys[at]), Row::at(64 * at_word + at));
                    }
                    continue;
                }
                while open != 0 {
                    let at = 64 * word + open.trailing_zeros() as usize;
                    open &= open - 1;
                    first.take(turn(key(stored.cell_in(chunk, at))), Row::at(index * stored.chunk_rows() + at));
                }
            }
        }
        let mut found = first.rows(absent, &without);
        found.sort_unstable();
        Some(found)
    }
}

/// The rows with the smallest keys seen so far.
struct First {
    k: usize,
    /// The k smallest keys, the largest of them on top.
    keys: BinaryHeap<u64>,
    /// Rows whose key was among the smallest when they were seen.
    candidates: Vec<(u64, Row)>,
    last: u64,
}

impl First {
    fn new(k: usize) -> Self {
        Self { k, keys: BinaryHeap::with_capacity(k + 1), candidates: Vec::new(), last: u64::MAX }
    }

    #[inline]
    fn take(&mut self, key: u64, row: Row) {
        if key > self.last {
            return;
        }
        self.candidates.push((key, row));
        self.note(key);
    }

    fn note(&mut self, key: u64) {
        if self.keys.len() < self.k {
            self.keys.push(key);
        } else if key < self.last {
            self.keys.pop();
            self.keys.push(key);
        }
        if self.keys.len() == self.k {
            self.last = self.keys.peek().copied().unwrap_or(u64::MAX);
        }
    }

    /// All rows up to the last of the first, with those that have no value.
    fn rows(mut self, absent: u64, without: &Mask) -> Vec<Row> {
        for _ in 0..without.count().min(self.k) {
            self.note(absent);
        }
        let (keys, last) = (self.keys.len(), self.last);
        let is_first = |key: u64| keys < self.k || key <= last;
        let mut found: Vec<Row> =
            self.candidates.iter().filter(|(key, _)| is_first(*key)).map(|(_, row)| *row).collect();
        if is_first(absent) {
            found.extend(without.iter());
        }
        found
    }
}

/// The same as [`key`] for 64 cells, where a chunk holds numbers of one kind; of cells without one anything.
#[inline]
fn keys_in(chunk: &Chunk, word: usize) -> Option<[u64; 64]> {
    let Kinds::One(kind, _) = &chunk.kinds else { return None };
    let wide = &chunk.wide.each()?[64 * word..64 * word + 64];
    let mut keys = [0; 64];
    let pairs = keys.iter_mut().zip(wide);
    match kind {
        Kind::Int => pairs.for_each(|(key, bits)| *key = NUMBERS | double(to_double(bits.cast_signed())) >> 4),
        Kind::Float => pairs.for_each(|(key, bits)| *key = NUMBERS | double(f64::from_bits(*bits)) >> 4),
        _ => return None,
    }
    Some(keys)
}

const NUMBERS: u64 = 4 << 60;

/// A number in the order of values; equal for values that it cannot tell apart.
fn key(cell: Cell<'_>) -> u64 {
    let (class, within) = match cell {
        Leaf::Absent => (0, 0),
        Leaf::Null => (1, 0),
        Leaf::Bool(false) => (2, 0),
        Leaf::Bool(true) => (3, 0),
        // Rounding keeps the order, though not what is different.
        Leaf::Int(value) => (4, double(to_double(value))),
        Leaf::Float(value) => (4, double(value)),
        Leaf::String(text) => (5, beginning(text)),
        Leaf::Array(_) | Leaf::Object => (6, 0),
    };
    class << 60 | within >> 4
}

/// Doubles in their order; without a branch, so that the compiler does several at once.
#[inline]
pub(super) fn double(value: f64) -> u64 {
    // A zero without sign.
    let bits = (value + 0.0).to_bits();
    let sign = (bits.cast_signed() >> 63).cast_unsigned();
    bits ^ (sign | 1 << 63)
}
