//! Comparisons of a column with a value, with several, and with another column: section 3 of the language.

use std::cmp::Ordering;

use super::chunk::{Chunk, Kinds, bits};
use super::stored::Column;
use super::strings::beginning;
use super::{Cell, ColumnId, Kind, Leaf, Mask, Snapshot, Truth};
use crate::evaluate::number::compare_int_double;
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

impl Snapshot {
    /// `column op value`; the value is a primitive.
    #[must_use]
    pub fn compare(&self, column: ColumnId, op: BinaryOp, value: &Value) -> Truth {
        let Some(value) = leaf(value) else { return Truth::nothing(self.slots()) };
        match (op, value) {
            (BinaryOp::Equal, Leaf::Bool(value)) => return self.equals_bool(column, value),
            (BinaryOp::NotEqual, Leaf::Bool(value)) => return self.equals_bool(column, value).not(),
            _ => {}
        }
        let column = self.column(column);
        let texts = Texts::new(column, op, value);
        self.each_word(column, |chunk, word| by_chunk(column, chunk, word, op, value, &texts))
    }

    /// `column BETWEEN low AND high`; primitives.
    #[must_use]
    pub fn between(&self, column: ColumnId, low: &Value, high: &Value) -> Truth {
        self.compare(column, BinaryOp::GreaterOrEqual, low).and(&self.compare(column, BinaryOp::LessOrEqual, high))
    }

    /// `column IN values`; primitives.
    #[must_use]
    pub fn is_in(&self, column: ColumnId, values: &[Value]) -> Truth {
        let mut any: Option<Truth> = None;
        if values.len() > 8
            && let Some(truth) = self.is_in_texts(column, values)
        {
            return truth;
        }
        for value in values {
            let one = self.compare(column, BinaryOp::Equal, value);
            any = Some(match any {
                None => one,
                Some(any) => any.or(&one),
            });
        }
        any.unwrap_or_else(|| Truth::nothing(self.slots()))
    }

    /// The same for many texts, and nothing but texts on both sides.
    fn is_in_texts(&self, id: ColumnId, values: &[Value]) -> Option<Truth> {
        let column = self.column(id);
        if column.present() != column.count(Kind::String) {
            return None;
        }
        let mut wanted = std::collections::HashSet::new();
        for value in values {
            let Value::String(text) = value else { return None };
            wanted.insert(text.as_str());
        }
        Some(self.strings(id, &|text| Some(wanted.contains(text))))
    }

    /// Both words of each 64 rows of a column.
    pub(super) fn each_word(&self, column: &Column, word_of: impl Fn(&Chunk, usize) -> (u64, u64)) -> Truth {
        let mut truth = Truth::nothing(self.slots());
        let words = column.chunk_rows() / 64;
        let set = |mask: &mut Mask, at: usize, bits: u64| mask.set_word(at, bits & self.live().word(at));
        for (index, chunk) in column.chunks() {
            for word in 0..words {
                let (yes, no) = word_of(chunk, word);
                set(&mut truth.yes, index * words + word, yes);
                set(&mut truth.no, index * words + word, no);
            }
        }
        truth
    }
}

fn leaf(value: &Value) -> Option<Leaf<'_>> {
    Some(match value {
        Value::Null => Leaf::Null,
        Value::Bool(value) => Leaf::Bool(*value),
        Value::Int(value) => Leaf::Int(*value),
        Value::Float(value) => Leaf::Float(*value),
        Value::String(text) => Leaf::String(text),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// What a comparison with a text is for the texts of a column.
struct Texts {
    by_code: Option<ByCode>,
    beginning: u64,
}

/// What it is for each text of a dictionary.
enum ByCode {
    /// Equality: the code of the one text, if it is there.
    One(Option<u32>),
    /// Its opposite.
    Other(Option<u32>),
    Each(Vec<bool>),
}

impl Texts {
    fn new(column: &Column, op: BinaryOp, value: Leaf<'_>) -> Self {
        let Leaf::String(wanted) = value else { return Self { by_code: None, beginning: 0 } };
        let texts = &column.texts;
        let code = || texts.iter().zip(0..).find(|(text, _)| *text == wanted).map(|(_, code)| code);
        let by_code = texts.is_dictionary.then(|| match op {
            BinaryOp::Equal => ByCode::One(code()),
            BinaryOp::NotEqual => ByCode::Other(code()),
            _ => ByCode::Each(texts.iter().map(|text| holds(op, text.cmp(wanted))).collect()),
        });
        Self { by_code, beginning: beginning(wanted) }
    }
}

impl ByCode {
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

fn by_chunk(column: &Column, chunk: &Chunk, word: usize, op: BinaryOp, value: Leaf<'_>, texts: &Texts) -> (u64, u64) {
    let range = 64 * word..64 * word + 64;
    if let (Kinds::One(kind, present), Some(wide)) = (&chunk.kinds, &chunk.wide) {
        let (present, wide) = (present[word], &wide[range.clone()]);
        let yes = match (kind, value) {
            (Kind::Int, Leaf::Int(value)) => Some(ints(op, wide, value)),
            (Kind::Float, Leaf::Float(value)) => Some(floats(op, wide, value)),
            (Kind::Float, Leaf::Int(value)) => exact(value).map(|value| floats(op, wide, value)),
            (Kind::Int, Leaf::Float(value)) => crate::evaluate::number::whole(value).map(|value| ints(op, wide, value)),
            _ => None,
        };
        if let Some(yes) = yes {
            return (yes & present, !yes & present);
        }
    }
    if let (Kinds::One(Kind::String, present), Some(by_code), Some(codes)) =
        (&chunk.kinds, &texts.by_code, &chunk.codes)
    {
        let yes = by_code.bits(&codes[range]);
        return (yes & present[word], !yes & present[word]);
    }
    one_by_one(column, chunk, word, op, value, texts)
}

/// An integer as a double that is the same number.
fn exact(value: i64) -> Option<f64> {
    (value.unsigned_abs() <= 1 << 53).then(|| crate::evaluate::number::to_double(value))
}

fn ints(op: BinaryOp, wide: &[u64], value: i64) -> u64 {
    match op {
        BinaryOp::Equal => bits(wide, |bits| bits.cast_signed() == value),
        BinaryOp::NotEqual => bits(wide, |bits| bits.cast_signed() != value),
        BinaryOp::Less => bits(wide, |bits| bits.cast_signed() < value),
        BinaryOp::LessOrEqual => bits(wide, |bits| bits.cast_signed() <= value),
        BinaryOp::Greater => bits(wide, |bits| bits.cast_signed() > value),
        _ => bits(wide, |bits| bits.cast_signed() >= value),
    }
}

#[expect(clippy::float_cmp, reason = "equality of numbers is meant")]
fn floats(op: BinaryOp, wide: &[u64], value: f64) -> u64 {
    match op {
        BinaryOp::Equal => bits(wide, |bits| f64::from_bits(*bits) == value),
        BinaryOp::NotEqual => bits(wide, |bits| f64::from_bits(*bits) != value),
        BinaryOp::Less => bits(wide, |bits| f64::from_bits(*bits) < value),
        BinaryOp::LessOrEqual => bits(wide, |bits| f64::from_bits(*bits) <= value),
        BinaryOp::Greater => bits(wide, |bits| f64::from_bits(*bits) > value),
        _ => bits(wide, |bits| f64::from_bits(*bits) >= value),
    }
}

fn one_by_one(column: &Column, chunk: &Chunk, word: usize, op: BinaryOp, value: Leaf<'_>, texts: &Texts) -> (u64, u64) {
    let (mut yes, mut no) = (0, 0);
    let mut open = chunk.word_of(word, |kind| kind != Kind::Absent);
    while open != 0 {
        let bit = open.trailing_zeros() as usize;
        open &= open - 1;
        let at = 64 * word + bit;
        let beginning = (!column.texts.is_dictionary).then(|| chunk.wide(at));
        let one = match (chunk.kind(at), value, beginning) {
            // Mostly the first bytes tell, and the text need not be looked up.
            (Kind::String, Leaf::String(_), Some(begins)) if begins != texts.beginning => {
                Some(holds(op, begins.cmp(&texts.beginning)))
            }
            _ => compare(op, column.cell_in(chunk, at), value),
        };
        match one {
            Some(true) => yes |= 1 << bit,
            Some(false) => no |= 1 << bit,
            None => {}
        }
    }
    (yes, no)
}

/// Section 3 of the language.
pub(super) fn compare(op: BinaryOp, a: Cell<'_>, b: Cell<'_>) -> Option<bool> {
    let order = match (a, b) {
        (Leaf::Int(a), Leaf::Int(b)) => a.cmp(&b),
        (Leaf::Float(a), Leaf::Float(b)) => a.partial_cmp(&b)?,
        (Leaf::Int(a), Leaf::Float(b)) => compare_int_double(a, b),
        (Leaf::Float(a), Leaf::Int(b)) => compare_int_double(b, a).reverse(),
        (Leaf::String(a), Leaf::String(b)) => a.cmp(b),
        (Leaf::Bool(a), Leaf::Bool(b)) => a.cmp(&b),
        (Leaf::Absent, _) | (_, Leaf::Absent) => return None,
        (Leaf::Null, other) | (other, Leaf::Null) => {
            let same = other == Leaf::Null;
            return match op {
                BinaryOp::Equal => Some(same),
                BinaryOp::NotEqual => Some(!same),
                _ => None,
            };
        }
        _ => return None,
    };
    Some(holds(op, order))
}

fn holds(op: BinaryOp, order: Ordering) -> bool {
    match op {
        BinaryOp::Equal => order.is_eq(),
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessOrEqual => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}
