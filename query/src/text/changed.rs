//! The texts of rows of which an index says nothing, cut into words: few allocations for many rows.

use std::ops::Range;

use super::segment::Wanted;
use crate::column::{Column, Leaf, Row};
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

    /// Calls `visit` with each of these rows, how often it has a wanted word, and of how many words in all.
    pub(super) fn each(&self, wanted: Wanted<'_>, visit: &mut impl FnMut(u32, u32, u32)) {
        for (row, words) in &self.rows {
            let times = words.clone().filter(|at| wanted.is(self.word(*at))).count();
            visit(*row, count(times), count(words.len()));
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

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
