//! Rows by value, for groups: a small number for each different value of a column.

use std::collections::HashMap;

use super::chunk::Kinds;
use super::stored::Column;
use super::strings::Texts;
use super::{Cell, ColumnId, Kind, Leaf, Mask, Row, Snapshot};

/// Different values at most.
const DIFFERENT_MAX: usize = 65_536;

/// A code for each row, the same for rows with the same value.
#[derive(Debug, Clone)]
pub struct Codes {
    of_row: Vec<u32>,
    values: Vec<Representative>,
    texts: Texts,
}

#[derive(Debug, Clone, Copy)]
enum Representative {
    Plain(Kind),
    Int(i64),
    Float(f64),
    String(u32),
    Array(u32),
}

impl Codes {
    /// The code of a row.
    #[must_use]
    pub fn code(&self, row: Row) -> usize {
        self.of_row.get(row.index()).map_or(0, |code| *code as usize)
    }

    /// The value of a code.
    #[must_use]
    pub fn cell(&self, code: usize) -> Cell<'_> {
        match self.values.get(code) {
            None | Some(Representative::Plain(Kind::Absent)) => Leaf::Absent,
            Some(Representative::Plain(Kind::Null)) => Leaf::Null,
            Some(Representative::Plain(Kind::False)) => Leaf::Bool(false),
            Some(Representative::Plain(Kind::True)) => Leaf::Bool(true),
            Some(Representative::Plain(_)) => Leaf::Object,
            Some(Representative::Int(value)) => Leaf::Int(*value),
            Some(Representative::Float(value)) => Leaf::Float(*value),
            Some(Representative::String(code)) => Leaf::String(self.texts.get(*code)),
            Some(Representative::Array(code)) => Leaf::Array(self.texts.get(*code)),
        }
    }

    /// How many of `rows` have each code.
    #[must_use]
    pub fn counts(&self, rows: &Mask) -> Vec<u64> {
        // Four counters each, so that rows of one value do not wait for each other.
        let values = self.values.len();
        let mut counts = vec![0_u64; 4 * values];
        for word in 0..rows.slots().div_ceil(64) {
            let mut open = rows.word(word);
            if open == u64::MAX && self.of_row.len() >= 64 * word + 64 {
                for four in self.of_row[64 * word..64 * word + 64].as_chunks::<4>().0 {
                    for (lane, code) in four.iter().enumerate() {
                        counts[lane * values + *code as usize] += 1;
                    }
                }
                continue;
            }
            while open != 0 {
                let row = Row::at(64 * word + open.trailing_zeros() as usize);
                open &= open - 1;
                counts[self.code(row)] += 1;
            }
        }
        (0..values).map(|code| (0..4).map(|lane| counts[lane * values + code]).sum()).collect()
    }
}

struct Coding<'c> {
    column: &'c Column,
    values: Vec<Representative>,
    plain: [Option<u32>; 9],
    numbers: HashMap<(bool, u64), u32>,
    strings: Vec<u32>,
    arrays: HashMap<u32, u32>,
}

impl Snapshot {
    /// A code for each row, when the column has few different values.
    #[must_use]
    pub fn codes(&self, column: ColumnId) -> Option<Codes> {
        let column = self.column(column);
        if !column.texts.is_dictionary || column.texts.len() > DIFFERENT_MAX {
            return None;
        }
        let strings = vec![u32::MAX; column.texts.len()];
        let (numbers, arrays) = (HashMap::new(), HashMap::new());
        let mut coding = Coding { column, values: Vec::new(), plain: [None; 9], numbers, strings, arrays };
        // Free places and rows without a value have the first code.
        coding.plain(Kind::Absent);
        let mut of_row = vec![0; self.slots().next_multiple_of(column.chunk_rows())];
        for (index, chunk) in column.chunks() {
            let base = index * column.chunk_rows();
            if let (Kinds::One(Kind::String, present), Some(texts)) = (&chunk.kinds, &chunk.codes)
                && present.iter().all(|word| *word == u64::MAX)
            {
                for (place, text) in of_row[base..].iter_mut().zip(texts) {
                    *place = coding.string(*text);
                }
                continue;
            }
            for at in 0..column.chunk_rows() {
                let code = match chunk.kind(at) {
                    Kind::Absent => continue,
                    Kind::String => coding.string(chunk.code(at)),
                    Kind::Array => coding.array(chunk.code(at)),
                    Kind::Int => coding.int(chunk.wide(at).cast_signed()),
                    Kind::Float => coding.float(f64::from_bits(chunk.wide(at))),
                    plain => coding.plain(plain),
                };
                if let Some(place) = of_row.get_mut(base + at) {
                    *place = code;
                }
            }
            if coding.values.len() > DIFFERENT_MAX {
                return None;
            }
        }
        Some(Codes { of_row, values: coding.values, texts: column.texts.clone() })
    }
}

impl Coding<'_> {
    fn add(&mut self, value: Representative) -> u32 {
        self.values.push(value);
        u32::try_from(self.values.len() - 1).unwrap_or(u32::MAX)
    }

    fn plain(&mut self, kind: Kind) -> u32 {
        if let Some(code) = self.plain[kind as usize] {
            return code;
        }
        let code = self.add(Representative::Plain(kind));
        self.plain[kind as usize] = Some(code);
        code
    }

    fn string(&mut self, text: u32) -> u32 {
        let known = self.strings[text as usize];
        if known != u32::MAX {
            return known;
        }
        let code = self.add(Representative::String(text));
        self.strings[text as usize] = code;
        code
    }

    /// Arrays are the same when their members are, numbers by value: their text may differ.
    fn array(&mut self, text: u32) -> u32 {
        if let Some(code) = self.arrays.get(&text) {
            return *code;
        }
        let canonical = |code: u32| {
            let json: serde_json::Value = serde_json::from_str(self.column.texts.get(code)).unwrap_or_default();
            crate::evaluate::order::canonical_text(&crate::Value::from(&json))
        };
        let own = canonical(text);
        let same = self.arrays.iter().find(|(other, _)| canonical(**other) == own).map(|(_, code)| *code);
        let code = same.unwrap_or_else(|| self.add(Representative::Array(text)));
        self.arrays.insert(text, code);
        code
    }

    fn int(&mut self, value: i64) -> u32 {
        if let Some(code) = self.numbers.get(&(true, value.cast_unsigned())) {
            return *code;
        }
        let code = self.add(Representative::Int(value));
        self.numbers.insert((true, value.cast_unsigned()), code);
        code
    }

    /// A double that is a whole number is the same as that integer.
    fn float(&mut self, value: f64) -> u32 {
        if let Some(whole) = crate::evaluate::number::whole(value) {
            return self.int(whole);
        }
        if let Some(code) = self.numbers.get(&(false, value.to_bits())) {
            return *code;
        }
        let code = self.add(Representative::Float(value));
        self.numbers.insert((false, value.to_bits()), code);
        code
    }
}
