//! Rows by value, for groups: a small number for each different value of a column.

use hashbrown::HashMap;

use super::chunk::Kinds;
use super::stored::Column;
use super::strings::Texts;
use super::{Cell, ColumnId, Kind, Leaf, Mask, Row, Snapshot};

/// Different values at most.
const DIFFERENT_MAX: usize = 65_536;

/// A code for each row, the same for rows with the same value.
#[derive(Debug, Clone)]
pub struct Codes {
    of_row: Vec<u16>,
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
        self.of_row.get(row.index()).map_or(0, |code| usize::from(*code))
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
                        counts[lane * values + usize::from(*code)] += 1;
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
    plain: [Option<u16>; 9],
    numbers: HashMap<(bool, u64), u16>,
    recent: Recent,
    arrays: HashMap<u32, u16>,
    /// By the text that all arrays with the same members have.
    same_arrays: HashMap<String, u16>,
}

impl Snapshot {
    /// A code for each row, when the column has few different values. Some codes may be those of no row.
    #[must_use]
    pub fn codes(&self, column: ColumnId) -> Option<Codes> {
        let column = self.column(column);
        if !column.texts.is_dictionary || column.texts.len() >= DIFFERENT_MAX {
            return None;
        }
        let mut coding = Coding::new(column);
        let mut of_row = vec![0; self.slots().next_multiple_of(column.chunk_rows())];
        for (index, chunk) in column.chunks() {
            let base = index * column.chunk_rows();
            let of_row = of_row.get_mut(base..base + column.chunk_rows())?;
            if let (Kinds::One(Kind::String, present), Some(texts)) = (&chunk.kinds, &chunk.codes) {
                for (word, present) in present.iter().enumerate() {
                    let range = 64 * word..64 * word + 64;
                    texts_of_word(&mut of_row[range.clone()], &texts[range], *present);
                }
                continue;
            }
            if let (Kinds::One(Kind::Int, present), Some(wide)) = (&chunk.kinds, &chunk.wide) {
                for (at, (place, bits)) in of_row.iter_mut().zip(wide).enumerate() {
                    if present.has(at) {
                        *place = coding.int(bits.cast_signed());
                    }
                }
                if coding.values.len() > DIFFERENT_MAX {
                    return None;
                }
                continue;
            }
            for (at, place) in of_row.iter_mut().enumerate() {
                *place = match chunk.kind(at) {
                    Kind::Absent => continue,
                    Kind::String => of_text(chunk.code(at)),
                    Kind::Array => coding.array(chunk.code(at)),
                    Kind::Int => coding.int(chunk.wide(at).cast_signed()),
                    Kind::Float => coding.float(f64::from_bits(chunk.wide(at))),
                    plain => coding.plain(plain),
                };
            }
            if coding.values.len() > DIFFERENT_MAX {
                return None;
            }
        }
        Some(Codes { of_row, values: coding.values, texts: column.texts.clone() })
    }
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
    fn new(column: &'c Column) -> Self {
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
