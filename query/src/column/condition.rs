//! Conditions over rows, asked of up to 512 rows at a time: what one part leaves out, the next is not asked.
//!
//! Of three values only one is looked for: the rows for which a condition is true, or those for which it is false. `NOT` asks for
//! the other one; all parts of `AND` must be true, one part that is false makes it false, and `OR` is its mirror image.

use super::chunk::Chunk;
use super::pieces::{PIECE, bits_of};
use super::stored::Column;
use super::{Mask, Row, Snapshot};

/// Pieces that are asked to learn how many rows fulfil a condition.
const SAMPLED: usize = 16;

/// What is asked of the words from `first` on: keeps the bits of rows for which the answer is `wanted`.
type Ask<'s> = Box<dyn Fn(usize, bool, &mut [u64]) + 's>;

/// A condition over the rows of one snapshot.
pub struct Condition<'s>(Part<'s>);

enum Part<'s> {
    /// The same for every row; neither true nor false when `None`.
    Constant(Option<bool>),
    /// By columns; what a row costs, about, in comparisons of numbers.
    Words(u32, Ask<'s>),
    /// Of one row at a time.
    Rows(Box<dyn Fn(Row) -> Option<bool> + 's>),
    Not(Box<Condition<'s>>),
    All(Vec<Condition<'s>>),
    Any(Vec<Condition<'s>>),
}

impl<'s> Condition<'s> {
    /// The same for every row; neither true nor false when `None`.
    #[must_use]
    pub fn constant(value: Option<bool>) -> Self {
        Self(Part::Constant(value))
    }

    /// Asked row by row.
    pub fn of_rows(ask: impl Fn(Row) -> Option<bool> + 's) -> Self {
        Self(Part::Rows(Box::new(ask)))
    }

    /// True for these rows, false for all others.
    #[must_use]
    pub fn among(rows: Mask) -> Self {
        let keep = move |first: usize, wanted: bool, open: &mut [u64]| {
            for (word, open) in (first..).zip(open) {
                *open &= if wanted { rows.word(word) } else { !rows.word(word) };
            }
        };
        Self(Part::Words(1, Box::new(keep)))
    }

    /// True for these rows, false for all others of `those`, and neither for the rest.
    #[must_use]
    pub fn among_those(rows: &'s Mask, those: Mask) -> Self {
        let keep = move |first: usize, wanted: bool, open: &mut [u64]| {
            for (word, open) in (first..).zip(open) {
                *open &= if wanted { rows.word(word) } else { those.word(word) & !rows.word(word) };
            }
        };
        Self(Part::Words(1, Box::new(keep)))
    }

    /// By a column: `words_of` answers 64 cells, which are true and which false; of those that are not open anything.
    pub(super) fn of_column(
        column: &'s Column,
        cost: u32,
        words_of: impl Fn(&'s Chunk, usize, u64) -> (u64, u64) + 's,
    ) -> Self {
        let words = column.chunk_rows() / 64;
        let keep = move |first: usize, wanted: bool, open: &mut [u64]| {
            let Some(chunk) = column.chunk(first / words) else { return open.fill(0) };
            for (word, open) in (first % words..).zip(open) {
                if *open != 0 {
                    let (yes, no) = words_of(chunk, word, *open);
                    *open &= if wanted { yes } else { no };
                }
            }
        };
        Self(Part::Words(cost, Box::new(keep)))
    }

    /// By two columns, as [`Self::of_column`].
    pub(super) fn of_columns(
        a: &'s Column,
        b: &'s Column,
        cost: u32,
        words_of: impl Fn(&'s Chunk, &'s Chunk, usize, u64) -> (u64, u64) + 's,
    ) -> Self {
        let words = a.chunk_rows() / 64;
        let keep = move |first: usize, wanted: bool, open: &mut [u64]| {
            let chunk = |column: &'s Column| column.chunk(first / words);
            let (Some(left), Some(right)) = (chunk(a), chunk(b)) else { return open.fill(0) };
            for (word, open) in (first % words..).zip(open) {
                if *open != 0 {
                    let (yes, no) = words_of(left, right, word, *open);
                    *open &= if wanted { yes } else { no };
                }
            }
        };
        Self(Part::Words(cost, Box::new(keep)))
    }

    /// By a column, rows without a value included: whether 64 cells are what is wanted, and whether a cell without a value is.
    pub(super) fn of_all(column: &'s Column, absent: bool, word_of: impl Fn(&'s Chunk, usize) -> u64 + 's) -> Self {
        let words = column.chunk_rows() / 64;
        let keep = move |first: usize, wanted: bool, open: &mut [u64]| {
            let Some(chunk) = column.chunk(first / words) else {
                if wanted != absent {
                    open.fill(0);
                }
                return;
            };
            for (word, open) in (first % words..).zip(open) {
                let yes = word_of(chunk, word);
                *open &= if wanted { yes } else { !yes };
            }
        };
        Self(Part::Words(1, Box::new(keep)))
    }

    /// The opposite.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "logic of three values, beside all and any")]
    pub fn not(self) -> Self {
        Self(Part::Not(Box::new(self)))
    }

    /// `AND`, asked in the order that takes least, as far as a sample of rows tells.
    #[must_use]
    pub fn all(sample: Option<&Snapshot>, parts: Vec<Self>) -> Self {
        Self(Part::All(in_order(sample, parts, true)))
    }

    /// `OR`, asked in the order that takes least.
    #[must_use]
    pub fn any(sample: Option<&Snapshot>, parts: Vec<Self>) -> Self {
        Self(Part::Any(in_order(sample, parts, false)))
    }

    /// Keeps the bits of `open` for whose rows it is `wanted`; the words from `first` on, at most eight, all of one chunk.
    pub(super) fn keep(&self, first: usize, wanted: bool, open: &mut [u64]) {
        match (&self.0, wanted) {
            (Part::Constant(value), _) => {
                if *value != Some(wanted) {
                    open.fill(0);
                }
            }
            (Part::Words(_, ask), _) => ask(first, wanted, open),
            (Part::Rows(ask), _) => {
                for (word, open) in (first..).zip(open) {
                    for bit in bits_of(*open) {
                        if ask(Row::at(64 * word + bit)) != Some(wanted) {
                            *open &= !(1 << bit);
                        }
                    }
                }
            }
            (Part::Not(inner), _) => inner.keep(first, !wanted, open),
            (Part::All(parts), true) | (Part::Any(parts), false) => {
                for part in parts {
                    part.keep(first, wanted, open);
                    if open.iter().all(|word| *word == 0) {
                        return;
                    }
                }
            }
            (Part::All(parts), false) | (Part::Any(parts), true) => keep_any(parts, first, wanted, open),
        }
    }

    /// Whether a row is asked one by one somewhere in it.
    fn needs_rows(&self) -> bool {
        match &self.0 {
            Part::Constant(_) | Part::Words(..) => false,
            Part::Rows(_) => true,
            Part::Not(inner) => inner.needs_rows(),
            Part::All(parts) | Part::Any(parts) => parts.iter().any(Self::needs_rows),
        }
    }

    fn cost(&self) -> u32 {
        match &self.0 {
            Part::Constant(_) => 0,
            Part::Words(cost, _) => *cost,
            Part::Rows(_) => 1_000,
            Part::Not(inner) => inner.cost(),
            Part::All(parts) | Part::Any(parts) => parts.iter().map(Self::cost).sum(),
        }
    }

    /// The share of rows for which it is true, in 1,024ths, from a few of them. Of what is asked row by row half is assumed.
    #[must_use]
    pub fn share(&self, snapshot: &Snapshot) -> u32 {
        if self.needs_rows() {
            return 512;
        }
        let pieces = snapshot.pieces();
        let (mut all, mut kept) = (0, 0);
        for at in 0..SAMPLED.min(pieces) {
            let mut piece = snapshot.piece(at * pieces / SAMPLED.min(pieces), snapshot.live());
            all += piece.count();
            self.keep(piece.first, true, piece.words_mut());
            kept += piece.count();
        }
        kept * 1_024 / all.max(1)
    }
}

/// A row is kept when some part keeps it; what one keeps, the next is not asked.
fn keep_any(parts: &[Condition<'_>], first: usize, wanted: bool, open: &mut [u64]) {
    let mut left = [0; PIECE];
    let left = &mut left[..open.len()];
    left.copy_from_slice(open);
    open.fill(0);
    for part in parts {
        let mut these = [0; PIECE];
        let these = &mut these[..open.len()];
        these.copy_from_slice(left);
        part.keep(first, wanted, these);
        for ((open, left), these) in open.iter_mut().zip(left.iter_mut()).zip(these) {
            *open |= *these;
            *left &= !*these;
        }
        if left.iter().all(|word| *word == 0) {
            return;
        }
    }
}

/// First what is cheap for what it decides: false in `AND`, true in `OR`. What is asked row by row is last in any case.
fn in_order<'s>(sample: Option<&Snapshot>, mut parts: Vec<Condition<'s>>, is_and: bool) -> Vec<Condition<'s>> {
    let Some(snapshot) = sample else {
        parts.sort_by_key(Condition::needs_rows);
        return parts;
    };
    let mut ordered: Vec<(u32, Condition<'s>)> = parts
        .into_iter()
        .map(|part| {
            let share = part.share(snapshot);
            let decided = if is_and { 1_024 - share } else { share };
            (part.cost() * 1_024 / (decided + 1), part)
        })
        .collect();
    ordered.sort_by_key(|(rank, part)| (part.needs_rows(), *rank));
    ordered.into_iter().map(|(_, part)| part).collect()
}
