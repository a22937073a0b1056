//! Rows by pieces: up to 512 of one chunk, of which a condition is asked together.

use super::condition::Condition;
use super::{Mask, Row, Snapshot};

/// Words of a piece at most; pieces lie within a chunk.
pub(super) const PIECE: usize = 8;

/// The bits of a word, upwards.
pub(super) fn bits_of(word: u64) -> impl Iterator<Item = usize> {
    let mut left = word;
    std::iter::from_fn(move || {
        let bit = left.trailing_zeros() as usize;
        (left != 0).then(|| {
            left &= left - 1;
            bit
        })
    })
}

/// Some words of one chunk.
pub(super) struct Piece {
    pub(super) first: usize,
    len: usize,
    open: [u64; PIECE],
}

impl Piece {
    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.open[..self.len]
    }

    pub(super) fn count(&self) -> u32 {
        self.open[..self.len].iter().map(|word| word.count_ones()).sum()
    }
}

impl Snapshot {
    fn words_of_piece(&self) -> usize {
        // A divisor of the words of a chunk, so that no piece lies in two.
        let words = self.options.chunk_rows / 64;
        (1..=PIECE).rev().find(|len| words.is_multiple_of(*len)).unwrap_or(1)
    }

    pub(super) fn pieces(&self) -> usize {
        self.slots().div_ceil(64).div_ceil(self.words_of_piece())
    }

    pub(super) fn piece(&self, at: usize, rows: &Mask) -> Piece {
        let len = self.words_of_piece();
        let mut open = [0; PIECE];
        open[..len].iter_mut().zip(at * len..).for_each(|(open, word)| *open = rows.word(word));
        Piece { first: at * len, len, open }
    }

    /// Rows of `within` for which a condition is `wanted`. `between` is asked after each piece, and may end it.
    ///
    /// # Errors
    /// That of `between`.
    pub fn rows_where<E>(
        &self,
        condition: &Condition<'_>,
        wanted: bool,
        within: &Mask,
        mut between: impl FnMut() -> Result<(), E>,
    ) -> Result<Mask, E> {
        let mut found = Mask::none(self.slots());
        for at in 0..self.pieces() {
            let mut piece = self.piece(at, within);
            if piece.count() == 0 {
                continue;
            }
            condition.keep(piece.first, wanted, &mut piece.open[..piece.len]);
            for (word, open) in (piece.first..).zip(&piece.open[..piece.len]) {
                found.set_word(word, *open);
            }
            between()?;
        }
        Ok(found)
    }

    /// Those of `rows`, which are in order, for which a condition is true.
    #[must_use]
    pub fn rows_among(&self, condition: &Condition<'_>, rows: &[Row]) -> Vec<Row> {
        let (mut found, len) = (Vec::new(), self.words_of_piece());
        for of_piece in rows.chunk_by(|a, b| a.index() / (64 * len) == b.index() / (64 * len)) {
            let first = of_piece[0].index() / (64 * len) * len;
            let mut open = [0; PIECE];
            of_piece.iter().for_each(|row| open[row.index() / 64 - first] |= 1 << (row.index() % 64));
            for (word, open) in (first..).zip(&mut open[..len]) {
                *open &= self.live().word(word);
            }
            condition.keep(first, true, &mut open[..len]);
            for (word, open) in (first..).zip(open) {
                found.extend(bits_of(open).map(|bit| Row::at(64 * word + bit)));
            }
        }
        found
    }

    /// Whether a condition is true for a row.
    #[must_use]
    pub fn holds(&self, condition: &Condition<'_>, row: Row) -> bool {
        let mut open = [1 << (row.index() % 64)];
        condition.keep(row.index() / 64, true, &mut open);
        open[0] != 0
    }
}
