//! Gives out codes: a number for each different value of a column, in the order in which chunks show them.

use hashbrown::HashMap;

use super::Kind;
use super::chunk::{Chunk, Kinds};
use super::codes::Representative;
use super::stored::Column;

/// What each value was given so far.
pub(super) struct Coding<'c> {
    column: &'c Column,
    pub(super) values: Vec<Representative>,
    plain: [Option<u16>; 9],
    numbers: HashMap<(bool, u64), u16>,
    recent: Recent,
    arrays: HashMap<u32, u16>,
    /// By the text that all arrays with the same members have.
    same_arrays: HashMap<String, u16>,
}

/// The code of a text of the dictionary: they follow that of rows without a value.
#[inline]
fn of_text(text: u32) -> u16 {
    // A dictionary of more texts has no codes.
    u16::try_from(text + 1).unwrap_or(u16::MAX)
}

#[inline]
fn texts_of_word(of_row: &mut [u16], texts: &[u32], present: u64) {
    if present == u64::MAX {
        for (place, text) in of_row.iter_mut().zip(texts) {
            #[expect(clippy::cast_possible_truncation, reason = "a dictionary of more texts has no codes")]
            {
                *place = (*text as u16).wrapping_add(1);
            }
        }
        return;
    }
    for (at, (place, text)) in of_row.iter_mut().zip(texts).enumerate() {
        if present >> at & 1 == 1 {
            *place = of_text(*text);
        }
    }
}

/// Codes of integers that were met lately, by their lowest bits: mostly these are asked for again.
struct Recent(Vec<Option<(i64, u16)>>);

impl Recent {
    const LEN: usize = 1_024;

    fn place(&mut self, value: i64) -> &mut Option<(i64, u16)> {
        let low = usize::try_from(value.rem_euclid(1_024)).unwrap_or(0);
        &mut self.0[low]
    }
}

impl<'c> Coding<'c> {
    pub(super) fn new(column: &'c Column) -> Self {
        // Free places and rows without a value have the first code, texts the next.
        let mut values = vec![Representative::Plain(Kind::Absent)];
        values.extend((0..).take(column.texts.len()).map(Representative::String));
        let mut plain = [None; 9];
        plain[Kind::Absent as usize] = Some(0);
        let recent = Recent(vec![None; Recent::LEN]);
        Self {
            column,
            values,
            plain,
            numbers: HashMap::new(),
            recent,
            arrays: HashMap::new(),
            same_arrays: HashMap::new(),
        }
    }

    /// Codes of the rows of a chunk; those of rows without a value stay as they are.
    pub(super) fn chunk(&mut self, chunk: &Chunk, of_row: &mut [u16]) {
        match (&chunk.kinds, chunk.wide.each(), chunk.codes.each()) {
            (Kinds::One(Kind::String, present), _, Some(texts)) => {
                for (word, present) in present.iter().enumerate() {
                    let range = 64 * word..64 * word + 64;
                    texts_of_word(&mut of_row[range.clone()], &texts[range], *present);
                }
            }
            (Kinds::One(Kind::Int, present), Some(wide), _) => {
                for (at, (place, bits)) in of_row.iter_mut().zip(wide).enumerate() {
                    if present.has(at) {
                        *place = self.int(bits.cast_signed());
                    }
                }
            }
            _ => self.mixed(chunk, of_row),
        }
    }

    fn mixed(&mut self, chunk: &Chunk, of_row: &mut [u16]) {
        for (at, place) in of_row.iter_mut().enumerate() {
            *place = match chunk.kind(at) {
                Kind::Absent => continue,
                Kind::String => of_text(chunk.code(at)),
                Kind::Array => self.array(chunk.code(at)),
                Kind::Int => self.int(chunk.wide(at).cast_signed()),
                Kind::Float => self.float(f64::from_bits(chunk.wide(at))),
                plain => self.plain(plain),
            };
        }
    }

    fn add(&mut self, value: Representative) -> u16 {
        self.values.push(value);
        u16::try_from(self.values.len() - 1).unwrap_or(u16::MAX)
    }

    fn plain(&mut self, kind: Kind) -> u16 {
        if let Some(code) = self.plain[kind as usize] {
            return code;
        }
        let code = self.add(Representative::Plain(kind));
        self.plain[kind as usize] = Some(code);
        code
    }

    /// Arrays are the same when their members are, numbers by value: their text may differ.
    fn array(&mut self, text: u32) -> u16 {
        if let Some(code) = self.arrays.get(&text) {
            return *code;
        }
        let json: serde_json::Value = serde_json::from_str(self.column.texts.get(text)).unwrap_or_default();
        let canonical = crate::evaluate::order::canonical_text(&crate::Value::from(&json));
        let same = self.same_arrays.get(&canonical).copied();
        let code = same.unwrap_or_else(|| {
            let code = self.add(Representative::Array(text));
            self.same_arrays.insert(canonical, code);
            code
        });
        self.arrays.insert(text, code);
        code
    }

    fn int(&mut self, value: i64) -> u16 {
        if let Some((_, code)) = self.recent.place(value).filter(|(known, _)| *known == value) {
            return code;
        }
        let known = self.numbers.get(&(true, value.cast_unsigned())).copied();
        let code = known.unwrap_or_else(|| {
            let code = self.add(Representative::Int(value));
            self.numbers.insert((true, value.cast_unsigned()), code);
            code
        });
        *self.recent.place(value) = Some((value, code));
        code
    }

    /// A double that is a whole number is the same as that integer.
    fn float(&mut self, value: f64) -> u16 {
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
