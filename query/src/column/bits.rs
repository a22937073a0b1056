//! A bit for each cell of a chunk. Those of chunks of the usual size lie in the chunk itself: that is one place less to wait
//! for when a column is read, and one less to copy.

use std::ops::{Deref, DerefMut};

/// Words that lie in the chunk.
const FEW: usize = 8;

/// Bits, 64 to a word.
#[derive(Debug, Clone)]
pub(super) enum Bits {
    Few(usize, [u64; FEW]),
    Many(Box<[u64]>),
}

impl Bits {
    /// No bit of so many words.
    pub(super) fn none(words: usize) -> Self {
        if words <= FEW { Self::Few(words, [0; FEW]) } else { Self::Many(vec![0; words].into()) }
    }

    pub(super) fn of(words: &[u64]) -> Self {
        let mut bits = Self::none(words.len());
        bits.copy_from_slice(words);
        bits
    }

    #[inline]
    pub(super) fn has(&self, at: usize) -> bool {
        self[at / 64] >> (at % 64) & 1 == 1
    }

    pub(super) fn put(&mut self, at: usize, value: bool) {
        let word = &mut self[at / 64];
        *word = *word & !(1 << (at % 64)) | u64::from(value) << (at % 64);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.iter().all(|word| *word == 0)
    }

    /// Bytes that do not lie in the chunk.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Few(..) => 0,
            Self::Many(words) => 16 + 8 * words.len(),
        }
    }
}

impl Deref for Bits {
    type Target = [u64];

    #[inline]
    fn deref(&self) -> &[u64] {
        match self {
            Self::Few(len, words) => &words[..*len],
            Self::Many(words) => words,
        }
    }
}

impl DerefMut for Bits {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        match self {
            Self::Few(len, words) => &mut words[..*len],
            Self::Many(words) => words,
        }
    }
}
