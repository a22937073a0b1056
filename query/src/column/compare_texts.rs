//! Comparisons of a column with a text. With a dictionary each different text is compared once; without one the first bytes of
//! each text mostly tell.

use super::chunk::{Chunk, bits};
use super::compare::{FEW, holds, nulls, one_by_one};
use super::condition::Condition;
use super::pieces::bits_of;
use super::stored::Column;
use super::strings::beginning;
use super::{Kind, Leaf};
use crate::syntax::ast::BinaryOp;

/// A comparison with a text.
pub(super) fn compare_texts<'s>(column: &'s Column, op: BinaryOp, wanted: &'s str) -> Condition<'s> {
    if column.texts.is_dictionary {
        let by_code = ByCode::new(column, op, wanted);
        return Condition::of_column(column, 1, move |chunk, word, open| {
            if open.count_ones() <= FEW {
                return by_code.few(chunk, word, open, op);
            }
            let (yes, no) = nulls(chunk, word, op);
            let mut room = None;
            let Some(codes) = chunk.codes.word(word, &mut room) else { return (yes, no) };
            let texts = chunk.of_kind(word, Kind::String);
            let found = by_code.bits(codes);
            (yes | found & texts, no | !found & texts)
        });
    }
    let begins = beginning(wanted);
    Condition::of_column(column, 2, move |chunk, word, open| {
        let (yes, no) = nulls(chunk, word, op);
        let texts = chunk.of_kind(word, Kind::String);
        let mut room = None;
        let Some(wide) = chunk.wide.word(word, &mut room) else { return (yes, no) };
        // Mostly the first bytes tell; where they are the same, the text decides.
        let same = bits(wide, |bits| *bits == begins) & texts;
        let before = match op {
            BinaryOp::Equal | BinaryOp::NotEqual => 0,
            _ => bits(wide, |bits| *bits < begins),
        };
        let found = match op {
            BinaryOp::Equal => 0,
            BinaryOp::NotEqual => u64::MAX,
            BinaryOp::Less | BinaryOp::LessOrEqual => before,
            _ => !before,
        };
        let sure = texts & !same;
        let (same_yes, same_no) = one_by_one(column, chunk, word, same & open, op, Leaf::String(wanted));
        (yes | found & sure | same_yes, no | !found & sure | same_no)
    })
}

/// What a comparison is for each text of a dictionary.
enum ByCode {
    /// Equality: the code of the one text, if it is there.
    One(Option<u32>),
    /// Its opposite.
    Other(Option<u32>),
    Each(Vec<bool>),
}

impl ByCode {
    fn new(column: &Column, op: BinaryOp, wanted: &str) -> Self {
        let texts = &column.texts;
        match op {
            BinaryOp::Equal => Self::One(texts.find(wanted)),
            BinaryOp::NotEqual => Self::Other(texts.find(wanted)),
            _ => Self::Each(texts.iter().map(|text| holds(op, text.cmp(wanted))).collect()),
        }
    }

    fn holds(&self, code: u32) -> bool {
        match self {
            Self::One(wanted) => *wanted == Some(code),
            Self::Other(wanted) => *wanted != Some(code),
            Self::Each(each) => each.get(code as usize).copied().unwrap_or(false),
        }
    }

    /// The same for some cells, one by one.
    fn few(&self, chunk: &Chunk, word: usize, open: u64, op: BinaryOp) -> (u64, u64) {
        let (mut yes, mut no) = (0, 0);
        for bit in bits_of(open) {
            let at = 64 * word + bit;
            let found = match chunk.kind(at) {
                Kind::String => self.holds(chunk.code(at)),
                Kind::Null if matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) => op == BinaryOp::NotEqual,
                _ => continue,
            };
            *(if found { &mut yes } else { &mut no }) |= 1 << bit;
        }
        (yes, no)
    }

    #[inline]
    fn bits(&self, codes: &[u32]) -> u64 {
        match self {
            Self::One(Some(wanted)) => bits(codes, |code| code == wanted),
            Self::One(None) => 0,
            Self::Other(Some(wanted)) => bits(codes, |code| code != wanted),
            Self::Other(None) => u64::MAX,
            Self::Each(each) => bits(codes, |code| each.get(*code as usize).copied().unwrap_or(false)),
        }
    }
}
