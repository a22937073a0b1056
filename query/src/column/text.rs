//! Conditions on texts. With a dictionary each different text is asked once.

use super::chunk::{Chunk, bits};
use super::condition::Condition;
use super::pieces::bits_of;
use super::stored::Column;
use super::strings::beginning;
use super::{ColumnId, Kind, Leaf, Snapshot};

/// What asking a text costs, beside comparing a number.
const OF_TEXT: u32 = 100;

impl Snapshot {
    /// What `holds` says of each text; what is no text is neither true nor false.
    #[must_use]
    pub fn strings<'s>(&'s self, column: ColumnId, holds: impl Fn(&str) -> Option<bool> + 's) -> Condition<'s> {
        let column = self.column(column);
        if column.texts.is_dictionary {
            let by_code: Vec<Option<bool>> = column.texts.iter().map(holds).collect();
            if let Some(all) = by_code.iter().copied().collect::<Option<Vec<bool>>>() {
                return Condition::of_column(column, 2, move |chunk, word, _| by_answers(chunk, word, &all));
            }
            return Condition::of_column(column, 4, move |chunk, word, _| by_codes(chunk, word, &by_code));
        }
        Condition::of_column(column, OF_TEXT, move |chunk, word, open| {
            let texts = chunk.of_kind(word, Kind::String) & open;
            let (mut yes, mut no) = (0, 0);
            for bit in bits_of(texts) {
                match holds(column.texts.get(chunk.code(64 * word + bit))) {
                    Some(true) => yes |= 1 << bit,
                    Some(false) => no |= 1 << bit,
                    None => {}
                }
            }
            (yes, no)
        })
    }

    /// Whether each text begins so.
    #[must_use]
    pub fn starts_with<'s>(&'s self, id: ColumnId, wanted: &'s str) -> Condition<'s> {
        let column = self.column(id);
        if column.texts.is_dictionary || wanted.is_empty() {
            return self.strings(id, move |text| Some(text.starts_with(wanted)));
        }
        let first = Beginning::new(wanted);
        Condition::of_column(column, 1, move |chunk, word, _| first.ask(column, chunk, word, wanted))
    }
}

/// The first bytes of what is wanted, and which of eight bytes they are.
struct Beginning {
    wanted: u64,
    mask: u64,
    is_all: bool,
}

impl Beginning {
    fn new(wanted: &str) -> Self {
        let bytes = wanted.len().min(8);
        let mask = u64::MAX << (8 * (8 - bytes));
        Self { wanted: beginning(wanted), mask, is_all: wanted.len() <= 8 }
    }

    fn ask(&self, column: &Column, chunk: &Chunk, word: usize, wanted: &str) -> (u64, u64) {
        let is_text = chunk.of_kind(word, Kind::String);
        let mut room = None;
        let Some(wide) = chunk.wide.word(word, &mut room) else { return (0, 0) };
        let begins = bits(wide, |bits| bits & self.mask == self.wanted) & is_text;
        let mut yes = begins;
        // Shorter texts than eight bytes are filled up with zeros, which a text may hold too: the text itself decides.
        if !self.is_all || wanted.contains('\0') {
            for bit in bits_of(begins) {
                let begins = matches!(column.cell_in(chunk, 64 * word + bit), Leaf::String(t) if t.starts_with(wanted));
                if !begins {
                    yes &= !(1 << bit);
                }
            }
        }
        (yes, is_text & !yes)
    }
}

/// By an answer for each text of a dictionary.
fn by_answers(chunk: &Chunk, word: usize, answers: &[bool]) -> (u64, u64) {
    let mut room = None;
    let Some(codes) = chunk.codes.word(word, &mut room) else { return (0, 0) };
    let is_text = chunk.of_kind(word, Kind::String);
    // Cells without a text have any code.
    let yes = bits(codes, |code| answers.get(*code as usize).copied().unwrap_or(false));
    (yes & is_text, !yes & is_text)
}

/// By what is known of each text of a dictionary.
fn by_codes(chunk: &Chunk, word: usize, by_code: &[Option<bool>]) -> (u64, u64) {
    let mut room = None;
    let Some(codes) = chunk.codes.word(word, &mut room) else { return (0, 0) };
    let is_text = chunk.of_kind(word, Kind::String);
    let of =
        |wanted: bool| bits(codes, |code| by_code.get(*code as usize).copied().flatten() == Some(wanted)) & is_text;
    (of(true), of(false))
}
