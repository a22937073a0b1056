//! Sets of rows as bits.

use super::Row;

/// A set of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    words: Vec<u64>,
    slots: usize,
}

impl Mask {
    /// No row of so many.
    #[must_use]
    pub fn none(slots: usize) -> Self {
        Self { words: vec![0; slots.div_ceil(64)], slots }
    }

    /// How many rows there could be.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Whether a row is in it.
    #[must_use]
    pub fn contains(&self, row: Row) -> bool {
        let at = row.0 as usize;
        self.words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Puts a row in.
    pub fn insert(&mut self, row: Row) {
        let at = row.0 as usize;
        if let Some(word) = self.words.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, row: Row) {
        let at = row.0 as usize;
        if let Some(word) = self.words.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    /// Keeps what is in both.
    pub fn and(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    /// Takes in what is in the other.
    pub fn or(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Takes out what is in the other.
    pub fn and_not(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// How many rows are in it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Its rows, upwards.
    pub fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    Row::at(index * 64 + bit)
                })
            })
        })
    }

    /// Bits of rows `64 * index` and on.
    #[must_use]
    pub fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// Sets bits of rows `64 * index` and on.
    pub fn set_word(&mut self, index: usize, bits: u64) {
        if let Some(word) = self.words.get_mut(index) {
            *word = bits;
        }
    }

    /// The same with room for more rows.
    pub(super) fn grow(&mut self, slots: usize) {
        self.words.resize(slots.div_ceil(64), 0);
        self.slots = slots;
    }
}
