//! The texts of rows of which an index says nothing, cut into words: few allocations for many rows.

use std::ops::Range;

use crate::column::{Column, Leaf, Mask, Row};
use crate::evaluate::words::cut_lower;

/// Rows with the words of their texts now.
#[derive(Debug, Default)]
pub(super) struct Changed {
    rows: Vec<(u32, Range<usize>)>,
    /// Where each word ends in `bytes`; it begins where the one before ends.
    ends: Vec<usize>,
    bytes: String,
}

impl Changed {
    /// Of these rows of a column.
    pub(super) fn new(column: &Column, rows: &[u32]) -> Self {
        let (mut changed, mut word) = (Self::default(), String::new());
        for row in rows {
            let start = changed.ends.len();
            if let Leaf::String(text) = column.cell(Row(*row)) {
                let mut next = cut_lower(text);
                while next(&mut word) {
                    changed.bytes.push_str(&word);
                    changed.ends.push(changed.bytes.len());
                }
            }
            changed.rows.push((*row, start..changed.ends.len()));
        }
        changed
    }

    fn word(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// Makes a set of rows hold, of these rows, those with a wanted word.
    pub(super) fn correct(&self, rows: &mut Mask, is_wanted: impl Fn(&str) -> bool) {
        for (row, words) in &self.rows {
            if words.clone().any(|at| is_wanted(self.word(at))) {
                rows.insert(Row(*row));
            } else {
                rows.remove(Row(*row));
            }
        }
    }

    /// Words of all these texts.
    pub(super) fn total_words(&self) -> u64 {
        self.ends.len() as u64
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.rows.iter().map(|(row, _)| *row)
    }
}
