//! The first rows by one column, as a superset that is cheap to find: rows are compared by a number that keeps their order
//! as far as 60 bits tell.

use std::collections::BinaryHeap;

use super::strings::beginning;
use super::{Cell, ColumnId, Leaf, Mask, Row, Snapshot};
use crate::evaluate::number::to_double;

impl Snapshot {
    /// Rows among which are the first `k` of `rows` in the order of section 11 of the language, all rows included that are
    /// equal to the last of them as far as that can be told cheaply. `None` when there would be too many.
    #[must_use]
    pub fn top(&self, column: ColumnId, rows: &Mask, k: usize, descending: bool) -> Option<Vec<Row>> {
        let turn = |key: u64| if descending { !key } else { key };
        let absent = turn(key(Leaf::Absent));
        // The k smallest keys, the largest of them on top.
        let mut first: BinaryHeap<u64> = BinaryHeap::with_capacity(k + 1);
        let mut take = |key: u64| {
            if first.len() < k {
                first.push(key);
            } else if first.peek().is_some_and(|last| key < *last) {
                first.pop();
                first.push(key);
            }
        };
        let mut present = Mask::none(rows.slots());
        self.for_each(column, rows, |row, cell| {
            present.insert(row);
            take(turn(key(cell)));
        });
        let mut without = rows.clone();
        without.and_not(&present);
        for _ in 0..without.count().min(k) {
            take(absent);
        }
        let last = *first.peek()?;
        let mut found = Vec::new();
        self.for_each(column, rows, |row, cell| {
            if turn(key(cell)) <= last {
                found.push(row);
            }
        });
        if absent <= last {
            found.extend(without.iter());
        }
        (found.len() <= 64 * k + 4_096).then_some(found)
    }
}

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

fn double(value: f64) -> u64 {
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}
