//! Values of a column one after the other, without asking each of them for its kind where a chunk holds numbers of one kind.

use super::chunk::{Chunk, Kinds};
use super::stored::Column;
use super::{Cell, ColumnId, Kind, Leaf, Mask, Row, Snapshot};

impl Snapshot {
    /// Calls `visit` with each of `rows` that has a value, and that value.
    pub fn for_each<'s>(&'s self, column: ColumnId, rows: &Mask, mut visit: impl FnMut(Row, Cell<'s>)) {
        let column = self.column(column);
        let words = column.chunk_rows() / 64;
        for (index, chunk) in column.chunks() {
            let cells = Cells::new(column, chunk);
            for word in 0..words {
                let mut open = rows.word(index * words + word) & chunk.present(word);
                let first = Row::at(index * column.chunk_rows() + 64 * word);
                // One place that calls: then what is called becomes a part of this loop.
                while open != 0 {
                    let bit = open.trailing_zeros();
                    open &= open - 1;
                    visit(Row(first.0 + bit), cells.at(64 * word + bit as usize));
                }
            }
        }
    }
}

/// Where the cells of a chunk are.
enum Cells<'s, 'c> {
    Ints(&'c [u64]),
    Doubles(&'c [u64]),
    Any(&'s Column, &'c Chunk),
}

impl<'s, 'c> Cells<'s, 'c> {
    fn new(column: &'s Column, chunk: &'c Chunk) -> Self {
        match (&chunk.kinds, chunk.wide.each()) {
            (Kinds::One(Kind::Int, _), Some(wide)) => Self::Ints(wide),
            (Kinds::One(Kind::Float, _), Some(wide)) => Self::Doubles(wide),
            _ => Self::Any(column, chunk),
        }
    }

    #[inline]
    fn at(&self, at: usize) -> Cell<'s> {
        match self {
            Self::Ints(wide) => Leaf::Int(wide[at].cast_signed()),
            Self::Doubles(wide) => Leaf::Float(f64::from_bits(wide[at])),
            Self::Any(column, chunk) => column.cell_in(chunk, at),
        }
    }
}
