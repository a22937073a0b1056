//! Comparisons of a column with a value, or with several: section 3 of the language. Numbers and texts are compared 64 at a time
//! whatever else a chunk holds: its kinds say which of the answers count.

use std::cmp::Ordering;

use super::chunk::{Chunk, bits};
use super::compare_texts::compare_texts;
use super::condition::Condition;
use super::pieces::bits_of;
use super::stored::Column;
use super::{Cell, ColumnId, Kind, Leaf, Snapshot};
use crate::evaluate::number::{compare_int_double, whole};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

/// So few cells are compared one by one.
pub(super) const FEW: u32 = 4;

impl Snapshot {
    /// `column op value`; the value is a primitive.
    #[must_use]
    pub fn compare<'s>(&'s self, column: ColumnId, op: BinaryOp, value: &'s Value) -> Condition<'s> {
        let column = self.column(column);
        match leaf(value) {
            None => Condition::constant(None),
            Some(Leaf::String(wanted)) => compare_texts(column, op, wanted),
            Some(value @ (Leaf::Int(_) | Leaf::Float(_))) => {
                let numbers = Numbers::new(op, value);
                Condition::of_column(column, 1, move |chunk, word, open| numbers.ask(column, chunk, word, open))
            }
            Some(value) => of_kinds(column, op, value),
        }
    }

    /// `column IN values`; primitives.
    #[must_use]
    pub fn is_in<'s>(&'s self, column: ColumnId, values: &[&'s Value]) -> Condition<'s> {
        if values.len() > 8
            && let Some(condition) = self.is_in_texts(column, values)
        {
            return condition;
        }
        Condition::any(None, values.iter().map(|value| self.compare(column, BinaryOp::Equal, value)).collect())
    }

    /// The same for many texts, and nothing but texts on both sides.
    fn is_in_texts<'s>(&'s self, id: ColumnId, values: &[&'s Value]) -> Option<Condition<'s>> {
        let column = self.column(id);
        if column.present() != column.count(Kind::String) {
            return None;
        }
        let mut wanted = std::collections::HashSet::new();
        for value in values {
            let Value::String(text) = value else { return None };
            wanted.insert(text.as_str());
        }
        Some(self.strings(id, move |text| Some(wanted.contains(text))))
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

/// With a boolean or `null` only the kind of a cell matters.
fn of_kinds<'s>(column: &'s Column, op: BinaryOp, value: Leaf<'s>) -> Condition<'s> {
    let answers = Kind::ALL.map(|kind| {
        let cell = match kind {
            Kind::Absent => Leaf::Absent,
            Kind::Null => Leaf::Null,
            Kind::False => Leaf::Bool(false),
            Kind::True => Leaf::Bool(true),
            Kind::Int | Kind::Float => Leaf::Int(0),
            Kind::String | Kind::Array => Leaf::String(""),
            Kind::Object => Leaf::Object,
        };
        // An array is compared with nothing but null.
        compare(op, if kind == Kind::Array { Leaf::Object } else { cell }, value)
    });
    Condition::of_column(column, 1, move |chunk, word, _| {
        let of = |wanted: bool| chunk.word_of(word, |kind| answers[kind as usize] == Some(wanted));
        (of(true), of(false))
    })
}

/// What `null` in a cell is beside a number or a text.
pub(super) fn nulls(chunk: &Chunk, word: usize, op: BinaryOp) -> (u64, u64) {
    let nulls = || chunk.of_kind(word, Kind::Null);
    match op {
        BinaryOp::Equal => (0, nulls()),
        BinaryOp::NotEqual => (nulls(), 0),
        _ => (0, 0),
    }
}

/// Cells one by one.
pub(super) fn one_by_one(
    column: &Column,
    chunk: &Chunk,
    word: usize,
    open: u64,
    op: BinaryOp,
    value: Leaf<'_>,
) -> (u64, u64) {
    let (mut yes, mut no) = (0, 0);
    for bit in bits_of(open) {
        match compare(op, column.cell_in(chunk, 64 * word + bit), value) {
            Some(true) => yes |= 1 << bit,
            Some(false) => no |= 1 << bit,
            None => {}
        }
    }
    (yes, no)
}

/// A comparison with a number.
struct Numbers<'v> {
    op: BinaryOp,
    value: Leaf<'v>,
    /// The number as one that integers, or doubles, are compared with quickly; none when only exact comparison tells.
    int: Option<i64>,
    double: Option<f64>,
}

impl<'v> Numbers<'v> {
    fn new(op: BinaryOp, value: Leaf<'v>) -> Self {
        let (int, double) = match value {
            Leaf::Int(value) => (Some(value), exact(value)),
            Leaf::Float(value) => (whole(value), Some(value)),
            _ => (None, None),
        };
        Self { op, value, int, double }
    }

    #[inline]
    fn ask(&self, column: &Column, chunk: &Chunk, word: usize, open: u64) -> (u64, u64) {
        if open.count_ones() <= FEW {
            return one_by_one(column, chunk, word, open, self.op, self.value);
        }
        let (mut yes, mut no) = nulls(chunk, word, self.op);
        let mut room = None;
        let Some(wide) = chunk.wide.word(word, &mut room) else { return (yes, no) };
        let mut take = |cells: u64, found: Option<u64>| {
            let (found, missed) = match found {
                Some(found) => (found & cells, !found & cells),
                None => one_by_one(column, chunk, word, cells, self.op, self.value),
            };
            yes |= found;
            no |= missed;
        };
        let ints = chunk.of_kind(word, Kind::Int);
        if ints & open != 0 {
            take(ints, self.int.map(|value| compare_ints(self.op, wide, value)));
        }
        let doubles = chunk.of_kind(word, Kind::Float);
        if doubles & open != 0 {
            take(doubles, self.double.map(|value| compare_doubles(self.op, wide, value)));
        }
        (yes, no)
    }
}

/// An integer as a double that is the same number.
fn exact(value: i64) -> Option<f64> {
    (value.unsigned_abs() <= 1 << 53).then(|| crate::evaluate::number::to_double(value))
}

fn compare_ints(op: BinaryOp, wide: &[u64], value: i64) -> u64 {
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
fn compare_doubles(op: BinaryOp, wide: &[u64], value: f64) -> u64 {
    match op {
        BinaryOp::Equal => bits(wide, |bits| f64::from_bits(*bits) == value),
        BinaryOp::NotEqual => bits(wide, |bits| f64::from_bits(*bits) != value),
        BinaryOp::Less => bits(wide, |bits| f64::from_bits(*bits) < value),
        BinaryOp::LessOrEqual => bits(wide, |bits| f64::from_bits(*bits) <= value),
        BinaryOp::Greater => bits(wide, |bits| f64::from_bits(*bits) > value),
        _ => bits(wide, |bits| f64::from_bits(*bits) >= value),
    }
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

pub(super) fn holds(op: BinaryOp, order: Ordering) -> bool {
    match op {
        BinaryOp::Equal => order.is_eq(),
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessOrEqual => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}
