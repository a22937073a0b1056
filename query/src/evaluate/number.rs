//! Exact numbers: 64-bit integers and doubles side by side. A digit is never lost silently; what does not fit is undefined.

use std::cmp::Ordering;

use crate::syntax::ast::BinaryOp;

use super::Datum;

/// 2^63
const TWO_63: f64 = 9_223_372_036_854_775_808.0;

/// By value; of what is no number, equal.
#[must_use]
pub fn compare(left: &Datum<'_>, right: &Datum<'_>) -> Ordering {
    match (left, right) {
        (Datum::Int(a), Datum::Int(b)) => a.cmp(b),
        (Datum::Float(a), Datum::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Datum::Int(a), Datum::Float(b)) => compare_int_double(*a, *b),
        (Datum::Float(a), Datum::Int(b)) => compare_int_double(*b, *a).reverse(),
        _ => Ordering::Equal,
    }
}

/// Exact, also where doubles are farther apart than integers.
#[must_use]
pub fn compare_int_double(int: i64, double: f64) -> Ordering {
    if double >= TWO_63 {
        return Ordering::Less;
    }
    if double < -TWO_63 {
        return Ordering::Greater;
    }
    let floor = double.floor();
    match int.cmp(&to_int(floor)) {
        Ordering::Equal if double > floor => Ordering::Less,
        other => other,
    }
}

/// The integer that a double is, if it is one of 64 bits.
#[must_use]
pub fn whole(double: f64) -> Option<i64> {
    (double.fract() == 0.0 && (-TWO_63..TWO_63).contains(&double)).then(|| to_int(double))
}

/// The greatest double that is not above `int`, and what is missing to it: less than 1,024.
#[must_use]
pub fn floor_double(int: i64) -> (f64, u16) {
    let near = to_double(int);
    let down = if compare_int_double(int, near).is_lt() { near.next_down() } else { near };
    let rest = i128::from(int) - i128::from(to_int(down));
    (down, u16::try_from(rest).unwrap_or_default())
}

/// `a op b` of section 5; of what is no number undefined.
#[must_use]
pub fn arithmetic(op: BinaryOp, left: &Datum<'_>, right: &Datum<'_>) -> Datum<'static> {
    match (left, right) {
        (Datum::Int(a), Datum::Int(b)) => of_ints(op, *a, *b),
        (Datum::Int(a), Datum::Float(b)) => of_doubles(op, to_double(*a), *b),
        (Datum::Float(a), Datum::Int(b)) => of_doubles(op, *a, to_double(*b)),
        (Datum::Float(a), Datum::Float(b)) => of_doubles(op, *a, *b),
        _ => Datum::Undefined,
    }
}

fn of_ints(op: BinaryOp, a: i64, b: i64) -> Datum<'static> {
    let exact = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        // The least integer % -1 is 0, though the division does not fit.
        BinaryOp::Remainder if b == -1 => Some(0),
        BinaryOp::Remainder => a.checked_rem(b),
        BinaryOp::Divide => return divide(a, b),
        _ => None,
    };
    exact.map_or(Datum::Undefined, Datum::Int)
}

/// An integer when it comes out even and fits, else the double of the division of doubles.
fn divide(a: i64, b: i64) -> Datum<'static> {
    match (a.checked_rem(b), a.checked_div(b)) {
        (Some(0), Some(quotient)) => Datum::Int(quotient),
        (Some(_), _) => of_doubles(BinaryOp::Divide, to_double(a), to_double(b)),
        // By zero; or the least integer by -1, which comes out even and fits nowhere.
        _ => Datum::Undefined,
    }
}

fn of_doubles(op: BinaryOp, a: f64, b: f64) -> Datum<'static> {
    match op {
        BinaryOp::Add => Datum::finite(a + b),
        BinaryOp::Subtract => Datum::finite(a - b),
        BinaryOp::Multiply => Datum::finite(a * b),
        BinaryOp::Divide => Datum::finite(a / b),
        BinaryOp::Remainder => Datum::finite(a % b),
        _ => Datum::Undefined,
    }
}

/// `-a`
#[must_use]
pub fn negate(datum: &Datum<'_>) -> Datum<'static> {
    match datum {
        Datum::Int(value) => value.checked_neg().map_or(Datum::Undefined, Datum::Int),
        Datum::Float(value) => Datum::Float(-value),
        _ => Datum::Undefined,
    }
}

/// The greatest multiple of `width` that is not above `n`; undefined unless both are numbers and `width` is above 0.
#[must_use]
pub fn bucket(n: &Datum<'_>, width: &Datum<'_>) -> Datum<'static> {
    match (n, width) {
        (Datum::Int(n), Datum::Int(width)) if *width > 0 => {
            n.div_euclid(*width).checked_mul(*width).map_or(Datum::Undefined, Datum::Int)
        }
        _ => match (as_double(n), as_double(width)) {
            (Some(n), Some(width)) if width > 0.0 => Datum::finite((n / width).floor() * width),
            _ => Datum::Undefined,
        },
    }
}

/// A number as the nearest double.
#[must_use]
pub fn as_double(datum: &Datum<'_>) -> Option<f64> {
    match datum {
        Datum::Int(value) => Some(to_double(*value)),
        Datum::Float(value) => Some(*value),
        _ => None,
    }
}

/// The double nearest to an integer.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "to the nearest double is what is wanted")]
pub fn to_double(int: i64) -> f64 {
    int as f64
}

/// A whole double within the range as an integer; others are cut.
#[expect(clippy::cast_possible_truncation, reason = "callers give whole numbers within the range")]
pub(crate) fn to_int(double: f64) -> i64 {
    double as i64
}
