//! Values of a column one after the other, without asking each of them for its kind where a chunk holds numbers of one kind.

use super::chunk::{Chunk, Kinds};
use super::{Cell, ColumnId, Kind, Leaf, Mask, Row, Snapshot};

impl Snapshot {
    /// Calls `visit` with each of `rows` that has a value, and that value.
    pub fn for_each<'s>(&'s self, column: ColumnId, rows: &Mask, mut visit: impl FnMut(Row, Cell<'s>)) {
        let column = self.column(column);
        for (index, chunk) in column.chunks() {
            let first = index * column.chunk_rows();
            match (&chunk.kinds, &chunk.wide) {
                (Kinds::One(Kind::Int, _), Some(wide)) => {
                    each(chunk, first, column.chunk_rows(), rows, |row, at| {
                        visit(row, Leaf::Int(wide[at].cast_signed()));
                    });
                }
                (Kinds::One(Kind::Float, _), Some(wide)) => {
                    each(chunk, first, column.chunk_rows(), rows, |row, at| {
                        visit(row, Leaf::Float(f64::from_bits(wide[at])));
                    });
                }
                _ => each(chunk, first, column.chunk_rows(), rows, |row, at| visit(row, column.cell_in(chunk, at))),
            }
        }
    }
}

/// Rows of a chunk that have a value, and where in it.
#[inline]
fn each(chunk: &Chunk, first: usize, len: usize, rows: &Mask, mut visit: impl FnMut(Row, usize)) {
    for word in 0..len / 64 {
        let mut open = rows.word(first / 64 + word) & chunk.word_of(word, |kind| kind != Kind::Absent);
        if open == u64::MAX {
            for at in 64 * word..64 * word + 64 {
                visit(Row::at(first + at), at);
            }
            continue;
        }
        while open != 0 {
            let at = 64 * word + open.trailing_zeros() as usize;
            open &= open - 1;
            visit(Row::at(first + at), at);
        }
    }
}
