//! Numbers, exact: every one as an integer times 2^-1074, of which all doubles and all integers are multiples.

use std::cmp::Ordering;

use muster_query::syntax::ast::BinaryOp;
use num_bigint::{BigInt, Sign};
use serde_json::{Value as Json, json};

use super::V;

const SCALE: u32 = 1_074;

/// A number times 2^1074.
pub(crate) fn exact(value: &Json) -> BigInt {
    match value.as_i64() {
        Some(value) => BigInt::from(value) << SCALE,
        None => exact_double(value.as_f64().expect("a number")),
    }
}

fn exact_double(value: f64) -> BigInt {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7FF) as u32, bits & ((1 << 52) - 1));
    let magnitude =
        if exponent == 0 { BigInt::from(fraction) } else { BigInt::from(fraction | 1 << 52) << (exponent - 1) };
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

/// The double nearest to `value * 2^-1074`, to the even one of two.
pub(crate) fn nearest(value: &BigInt) -> f64 {
    let magnitude = value.magnitude().clone();
    let bits = magnitude.bits();
    let shift = bits.saturating_sub(53);
    let mut mantissa = u64::try_from(&magnitude >> shift).expect("53 bits");
    let rest = &magnitude - (num_bigint::BigUint::from(mantissa) << shift);
    let half = num_bigint::BigUint::from(1_u8) << shift.saturating_sub(1);
    if shift > 0 && (rest > half || (rest == half && mantissa & 1 == 1)) {
        mantissa += 1;
    }
    #[allow(clippy::cast_precision_loss, reason = "at most 2^53")]
    let mut double = mantissa as f64;
    // In steps, so that no power overflows on the way; multiplying by a power of two is exact until the result is small, and small
    // results have no shift.
    let mut exponent = i64::try_from(shift).expect("small") - i64::from(SCALE);
    while exponent > 0 {
        let step = exponent.min(1_000);
        double *= 2_f64.powi(i32::try_from(step).expect("small"));
        exponent -= step;
    }
    while exponent < 0 {
        let step = exponent.max(-537);
        double *= 2_f64.powi(i32::try_from(step).expect("small"));
        exponent -= step;
    }
    if value.sign() == Sign::Minus { -double } else { double }
}

pub(crate) fn compare_numbers(a: &Json, b: &Json) -> Ordering {
    exact(a).cmp(&exact(b))
}

pub(crate) fn number(value: &Json) -> Option<f64> {
    // Not by way of `exact`, which has no zero with a sign.
    if value.as_i64().is_some() { Some(nearest(&exact(value))) } else { value.as_f64() }
}

/// A result in doubles; what is not finite is undefined.
pub(crate) fn double(value: f64) -> V {
    value.is_finite().then(|| json!(value))
}

pub(crate) fn arithmetic(op: BinaryOp, a: &V, b: &V) -> V {
    let (a, b) = (a.as_ref()?, b.as_ref()?);
    if let (Some(x), Some(y)) = (a.as_i64(), b.as_i64()) {
        let (x, y) = (i128::from(x), i128::from(y));
        let whole = match op {
            BinaryOp::Add => x + y,
            BinaryOp::Subtract => x - y,
            BinaryOp::Multiply => x * y,
            _ if y == 0 => return None,
            BinaryOp::Remainder => x % y,
            _ if x % y == 0 => x / y,
            _ => return double(number(a)? / number(b)?),
        };
        return i64::try_from(whole).ok().map(|whole| json!(whole));
    }
    let (x, y) = (number(a)?, number(b)?);
    double(match op {
        BinaryOp::Add => x + y,
        BinaryOp::Subtract => x - y,
        BinaryOp::Multiply => x * y,
        BinaryOp::Divide => x / y,
        _ => x % y,
    })
}

pub(crate) fn negate(value: &V) -> V {
    let value = value.as_ref()?;
    match value.as_i64() {
        Some(whole) => whole.checked_neg().map(|whole| json!(whole)),
        None => value.is_number().then(|| json!(-value.as_f64().unwrap_or_default())),
    }
}

/// A whole number of 64 bits, however it is held.
pub(crate) fn whole(value: &Json) -> Option<i64> {
    let exact = value.is_number().then(|| exact(value))?;
    let whole = &exact >> SCALE;
    (&whole << SCALE == exact).then(|| i64::try_from(whole).ok()).flatten()
}
