//! Rows by value, for groups: a small number for each different value of a column.

use super::coding::Coding;
use super::strings::Texts;
use super::{Cell, ColumnId, Kind, Leaf, Mask, Row, Snapshot};

/// Different values at most.
const DIFFERENT_MAX: usize = 65_536;

/// A code for each row, the same for rows with the same value.
#[derive(Debug, Clone)]
pub struct Codes {
    of_row: Vec<u16>,
    values: Vec<Representative>,
    texts: Texts,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Representative {
    Plain(Kind),
    Int(i64),
    Float(f64),
    String(u32),
    Array(u32),
}

impl Codes {
    /// The code of a row.
    #[must_use]
    pub fn code(&self, row: Row) -> usize {
        self.of_row.get(row.index()).map_or(0, |code| usize::from(*code))
    }

    /// The value of a code.
    #[must_use]
    pub fn cell(&self, code: usize) -> Cell<'_> {
        match self.values.get(code) {
            None | Some(Representative::Plain(Kind::Absent)) => Leaf::Absent,
            Some(Representative::Plain(Kind::Null)) => Leaf::Null,
            Some(Representative::Plain(Kind::False)) => Leaf::Bool(false),
            Some(Representative::Plain(Kind::True)) => Leaf::Bool(true),
            Some(Representative::Plain(_)) => Leaf::Object,
            Some(Representative::Int(value)) => Leaf::Int(*value),
            Some(Representative::Float(value)) => Leaf::Float(*value),
            Some(Representative::String(code)) => Leaf::String(self.texts.get(*code)),
            Some(Representative::Array(code)) => Leaf::Array(self.texts.get(*code)),
        }
    }

    /// How many of `rows` have each code.
    #[must_use]
    pub fn counts(&self, rows: &Mask) -> Vec<u64> {
        // Four counters each, so that rows of one value do not wait for each other.
        let values = self.values.len();
        let mut counts = vec![0_u64; 4 * values];
        for word in 0..rows.slots().div_ceil(64) {
            let mut open = rows.word(word);
            if open == u64::MAX && self.of_row.len() >= 64 * word + 64 {
                for four in self.of_row[64 * word..64 * word + 64].as_chunks::<4>().0 {
                    for (lane, code) in four.iter().enumerate() {
                        counts[lane * values + usize::from(*code)] += 1;
                    }
                }
                continue;
            }
            while open != 0 {
                let row = Row::at(64 * word + open.trailing_zeros() as usize);
                open &= open - 1;
                counts[self.code(row)] += 1;
            }
        }
        (0..values).map(|code| (0..4).map(|lane| counts[lane * values + code]).sum()).collect()
    }
}

impl Snapshot {
    /// A code for each row, when the column has few different values. Some codes may be those of no row.
    #[must_use]
    pub fn codes(&self, column: ColumnId) -> Option<Codes> {
        let column = self.column(column);
        if !column.texts.is_dictionary || column.texts.len() >= DIFFERENT_MAX {
            return None;
        }
        let mut coding = Coding::new(column);
        let mut of_row = vec![0; self.slots().next_multiple_of(column.chunk_rows())];
        for (index, chunk) in column.chunks() {
            let base = index * column.chunk_rows();
            coding.chunk(chunk, of_row.get_mut(base..base + column.chunk_rows())?);
            if coding.values.len() > DIFFERENT_MAX {
                return None;
            }
        }
        Some(Codes { of_row, values: coding.values, texts: column.texts.clone() })
    }
}
