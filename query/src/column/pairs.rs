//! Comparisons of two columns row by row. Texts of two dictionaries are compared by numbers that stand for them.

use hashbrown::HashMap;

use super::chunk::{Chunk, Kinds, bits};
use super::compare::compare;
use super::condition::Condition;
use super::pieces::bits_of;
use super::stored::Column;
use super::{ColumnId, Kind, Snapshot};
use crate::syntax::ast::BinaryOp;

impl Snapshot {
    /// `a op b` for two columns.
    #[must_use]
    pub fn compare_columns(&self, a: ColumnId, op: BinaryOp, b: ColumnId) -> Condition<'_> {
        let pair = Pair::new(self.column(a), op, self.column(b));
        Condition::of_columns(pair.a, pair.b, 3, move |left, right, word, open| pair.word(left, right, word, open))
    }
}

struct Pair<'c> {
    a: &'c Column,
    op: BinaryOp,
    b: &'c Column,
    /// For each text of both dictionaries a number; the numbers compare as the texts do. Those of the second may be its codes.
    numbers: Option<(Vec<u32>, Option<Vec<u32>>)>,
}

impl<'c> Pair<'c> {
    fn new(a: &'c Column, op: BinaryOp, b: &'c Column) -> Self {
        let has_dictionaries = a.texts.is_dictionary && b.texts.is_dictionary;
        let numbers = has_dictionaries.then(|| match op {
            BinaryOp::Equal | BinaryOp::NotEqual => same_numbers(a, b),
            _ => ordered_numbers(a, b),
        });
        Self { a, op, b, numbers }
    }

    fn word(&self, left: &Chunk, right: &Chunk, word: usize, open: u64) -> (u64, u64) {
        let range = 64 * word..64 * word + 64;
        if let (Kinds::One(kind, in_a), Kinds::One(other, in_b)) = (&left.kinds, &right.kinds)
            && kind == other
        {
            let both = in_a[word] & in_b[word];
            let (wide_a, wide_b) = (left.wide.each(), right.wide.each());
            let numbers = (wide_a, wide_b, left.codes.each(), right.codes.each(), &self.numbers);
            let yes = match (kind, numbers) {
                (Kind::Int, (Some(a), Some(b), ..)) => {
                    pairwise(self.op, &a[range.clone()], &b[range], |bits| bits.cast_signed())
                }
                (Kind::Float, (Some(a), Some(b), ..)) => {
                    pairwise(self.op, &a[range.clone()], &b[range], f64::from_bits)
                }
                (Kind::String, (_, _, Some(a), Some(b), Some((of_a, of_b)))) => {
                    let (a, b) = (translated(of_a, &a[range.clone()]), &b[range]);
                    match of_b {
                        Some(of_b) => pairwise(self.op, &a, &translated(of_b, b), |number| number),
                        None => pairwise(self.op, &a, b, |number| number),
                    }
                }
                _ => return self.one_by_one(left, right, word, open),
            };
            return (yes & both, !yes & both);
        }
        self.one_by_one(left, right, word, open)
    }

    fn one_by_one(&self, left: &Chunk, right: &Chunk, word: usize, open: u64) -> (u64, u64) {
        let present = |chunk: &Chunk| chunk.present(word);
        let (mut yes, mut no) = (0, 0);
        for bit in bits_of(open & present(left) & present(right)) {
            let at = 64 * word + bit;
            match compare(self.op, self.a.cell_in(left, at), self.b.cell_in(right, at)) {
                Some(true) => yes |= 1 << bit,
                Some(false) => no |= 1 << bit,
                None => {}
            }
        }
        (yes, no)
    }
}

/// The numbers of 64 codes.
#[inline]
fn translated(of: &[u32], codes: &[u32]) -> [u32; 64] {
    let mut out = [0; 64];
    for (number, code) in out.iter_mut().zip(codes) {
        // Cells without a text have any code.
        *number = of.get(*code as usize).copied().unwrap_or(0);
    }
    out
}

/// A bit for each of 64 pairs.
#[inline]
fn pairwise<T: Copy, V: PartialOrd>(op: BinaryOp, a: &[T], b: &[T], value: impl Fn(T) -> V + Copy) -> u64 {
    match op {
        BinaryOp::Equal => pair_bits(a, b, |a, b| value(a) == value(b)),
        BinaryOp::NotEqual => pair_bits(a, b, |a, b| value(a) != value(b)),
        BinaryOp::Less => pair_bits(a, b, |a, b| value(a) < value(b)),
        BinaryOp::LessOrEqual => pair_bits(a, b, |a, b| value(a) <= value(b)),
        BinaryOp::Greater => pair_bits(a, b, |a, b| value(a) > value(b)),
        _ => pair_bits(a, b, |a, b| value(a) >= value(b)),
    }
}

#[inline]
fn pair_bits<T: Copy>(a: &[T], b: &[T], holds: impl Fn(T, T) -> bool) -> u64 {
    let mut bytes = [false; 64];
    for (byte, (a, b)) in bytes.iter_mut().zip(a.iter().zip(b)) {
        *byte = holds(*a, *b);
    }
    bits(&bytes, |byte| *byte)
}

/// Numbers that are equal where texts are: codes of the second, and one that none has.
fn same_numbers(a: &Column, b: &Column) -> (Vec<u32>, Option<Vec<u32>>) {
    let second: HashMap<&str, u32> = b.texts.iter().zip(0..).collect();
    let first = a.texts.iter().map(|text| second.get(text).copied().unwrap_or(u32::MAX)).collect();
    (first, None)
}

/// Numbers in the order of the texts of both.
fn ordered_numbers(a: &Column, b: &Column) -> (Vec<u32>, Option<Vec<u32>>) {
    let mut texts: Vec<&str> = a.texts.iter().chain(b.texts.iter()).collect();
    texts.sort_unstable();
    texts.dedup();
    let numbers: HashMap<&str, u32> = texts.into_iter().zip(0..).collect();
    let of = |column: &Column| column.texts.iter().map(|text| numbers.get(text).copied().unwrap_or(0)).collect();
    (of(a), Some(of(b)))
}
