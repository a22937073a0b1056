//! Conditions on texts. With a dictionary each different text is asked once.

use super::chunk::{Chunk, Kinds, bits};
use super::stored::Column;
use super::strings::beginning;
use super::{ColumnId, Kind, Leaf, Snapshot, Truth};

impl Snapshot {
    /// What `holds` says of each text; what is no text is neither true nor false.
    #[must_use]
    pub fn strings(&self, column: ColumnId, holds: &dyn Fn(&str) -> Option<bool>) -> Truth {
        let column = self.column(column);
        if column.texts.is_dictionary {
            let by_code: Vec<Option<bool>> = column.texts.iter().map(holds).collect();
            return self.each_word(column, |chunk, word| by_codes(chunk, word, &by_code));
        }
        self.each_word(column, |chunk, word| texts(chunk, word, |at| holds(column.texts.get(chunk.code(at)))))
    }

    /// Whether each text begins so.
    #[must_use]
    pub fn starts_with(&self, id: ColumnId, wanted: &str) -> Truth {
        let column = self.column(id);
        if column.texts.is_dictionary || wanted.is_empty() {
            return self.strings(id, &|text| Some(text.starts_with(wanted)));
        }
        let first = Beginning::new(wanted);
        self.each_word(column, |chunk, word| first.ask(column, chunk, word, wanted))
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
        let is_text = chunk.word_of(word, |kind| kind == Kind::String);
        let Some(wide) = &chunk.wide else { return texts(chunk, word, |_| None) };
        let begins = bits(&wide[64 * word..64 * word + 64], |bits| bits & self.mask == self.wanted) & is_text;
        let mut yes = begins;
        // Shorter texts than eight bytes are filled up with zeros, which a text may hold too: the text itself decides.
        if !self.is_all || wanted.contains('\0') {
            let mut open = begins;
            while open != 0 {
                let bit = open.trailing_zeros() as usize;
                open &= open - 1;
                let begins = matches!(column.cell_in(chunk, 64 * word + bit), Leaf::String(t) if t.starts_with(wanted));
                if !begins {
                    yes &= !(1 << bit);
                }
            }
        }
        (yes, is_text & !yes)
    }
}

/// By what is known of each text of a dictionary.
fn by_codes(chunk: &Chunk, word: usize, by_code: &[Option<bool>]) -> (u64, u64) {
    let Some(codes) = &chunk.codes else { return (0, 0) };
    let is_text = chunk.word_of(word, |kind| kind == Kind::String);
    let of = |wanted: bool| {
        let codes = &codes[64 * word..64 * word + 64];
        bits(codes, |code| by_code.get(*code as usize).copied().flatten() == Some(wanted)) & is_text
    };
    (of(true), of(false))
}

fn texts(chunk: &Chunk, word: usize, holds: impl Fn(usize) -> Option<bool>) -> (u64, u64) {
    let (mut yes, mut no) = (0, 0);
    let mut open = match &chunk.kinds {
        Kinds::One(kind, _) if *kind != Kind::String => 0,
        _ => chunk.word_of(word, |kind| kind == Kind::String),
    };
    while open != 0 {
        let bit = open.trailing_zeros() as usize;
        open &= open - 1;
        match holds(64 * word + bit) {
            Some(true) => yes |= 1 << bit,
            Some(false) => no |= 1 << bit,
            None => {}
        }
    }
    (yes, no)
}
