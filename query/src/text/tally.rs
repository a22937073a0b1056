//! How often each row has each term, and how many words its text has: what its rank is made from, without its text.

use crate::rank::{Statistics, score_counts};

/// Bytes of a tally.
const BYTES_MAX: usize = 128 << 20;

/// Counts by row; rows without any term are all zeros.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    terms: Vec<Vec<u32>>,
    /// Only of rows with a term.
    lengths: Vec<u32>,
}

impl Tally {
    /// For so many rows and terms; none when that takes too much.
    pub(super) fn new(slots: usize, terms: usize) -> Option<Self> {
        let bytes = slots.saturating_mul(size_of::<u32>() * (terms + 1));
        (bytes <= BYTES_MAX).then(|| Self { terms: Vec::with_capacity(terms), lengths: vec![0; slots] })
    }

    /// Begins the next term.
    pub(super) fn begin(&mut self) {
        self.terms.push(vec![0; self.lengths.len()]);
    }

    /// A row has the term so often more.
    #[inline]
    pub(super) fn add(&mut self, row: u32, times: u32, length: u32) {
        let row = row as usize;
        if let (Some(counts), Some(of)) = (self.terms.last_mut(), self.lengths.get_mut(row)) {
            counts[row] += times;
            *of = length;
        }
    }

    /// A row has the term so often.
    pub(super) fn set(&mut self, row: u32, times: u32, length: u32) {
        let row = row as usize;
        if let (Some(counts), Some(of)) = (self.terms.last_mut(), self.lengths.get_mut(row)) {
            counts[row] = times;
            *of = length;
        }
    }

    /// The rank of a row.
    pub(crate) fn score(&self, row: usize, statistics: &Statistics) -> f64 {
        let counts = self.terms.iter().map(|counts| u64::from(counts[row]));
        score_counts(counts, u64::from(self.lengths[row]), statistics)
    }

    /// Bytes of memory that it takes at most.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<u32>() * self.lengths.len() * (self.terms.len() + 1)
    }
}
