//! The order of all values (section 11), what is the *same* (section 10), and comparison in conditions (section 3).

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::syntax::ast::BinaryOp;
use crate::value::Value;

use super::{Datum, number};

/// The total order: undefined, null, false, true, numbers, strings, arrays and objects by their JSON text. Inside of them
/// numbers that are the same are the same text ([`canonical_text`]), so that equal here means *same*.
#[must_use]
pub fn compare(left: &Datum<'_>, right: &Datum<'_>) -> Ordering {
    match (left, right) {
        (Datum::Int(a), Datum::Int(b)) => a.cmp(b),
        (Datum::Str(a), Datum::Str(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Datum::Bool(a), Datum::Bool(b)) => a.cmp(b),
        (Datum::Int(_) | Datum::Float(_), Datum::Int(_) | Datum::Float(_)) => number::compare(left, right),
        (Datum::Json(a), Datum::Json(b)) => canonical_text(a).cmp(&canonical_text(b)),
        _ => rank(left).cmp(&rank(right)),
    }
}

/// Whether two rows with these keys are in one group.
#[must_use]
pub fn same(left: &Datum<'_>, right: &Datum<'_>) -> bool {
    compare(left, right) == Ordering::Equal
}

fn rank(datum: &Datum<'_>) -> u8 {
    match datum {
        Datum::Undefined => 0,
        Datum::Null => 1,
        Datum::Bool(_) => 2,
        Datum::Int(_) | Datum::Float(_) => 3,
        Datum::Str(_) => 4,
        Datum::Json(_) => 5,
    }
}

/// A comparison of a condition; `None` is undefined.
#[must_use]
pub fn condition(op: BinaryOp, left: &Datum<'_>, right: &Datum<'_>) -> Option<bool> {
    let ordering = match (left, right) {
        (Datum::Undefined, _) | (_, Datum::Undefined) => return None,
        (Datum::Null, Datum::Null) => return equality(op, true),
        (Datum::Null, _) | (_, Datum::Null) => return equality(op, false),
        (Datum::Json(_), _) | (_, Datum::Json(_)) => return None,
        _ if rank(left) == rank(right) => compare(left, right),
        _ => return None,
    };
    Some(match op {
        BinaryOp::Equal => ordering.is_eq(),
        BinaryOp::NotEqual => ordering.is_ne(),
        BinaryOp::Less => ordering.is_lt(),
        BinaryOp::LessOrEqual => ordering.is_le(),
        BinaryOp::Greater => ordering.is_gt(),
        BinaryOp::GreaterOrEqual => ordering.is_ge(),
        _ => return None,
    })
}

fn equality(op: BinaryOp, equal: bool) -> Option<bool> {
    match op {
        BinaryOp::Equal => Some(equal),
        BinaryOp::NotEqual => Some(!equal),
        _ => None,
    }
}

/// The JSON text of an array or object in which a number is an integer whenever a 64-bit integer holds it.
#[must_use]
pub fn canonical_text(value: &Value) -> String {
    if has_whole_double(value) { canonical(value).to_text() } else { value.to_text() }
}

fn has_whole_double(value: &Value) -> bool {
    match value {
        Value::Float(value) => number::whole(*value).is_some(),
        Value::Array(items) => items.iter().any(has_whole_double),
        Value::Object(members) => members.iter().any(|(_, member)| has_whole_double(member)),
        _ => false,
    }
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Float(double) => number::whole(*double).map_or(Value::Float(*double), Value::Int),
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), canonical(member))).collect())
        }
        other => other.clone(),
    }
}

/// The value that stands for all that are the same: a group's key, a distinct value, a minimum. A number is an integer
/// when it is whole within ±2^53, inside of arrays and objects too.
#[must_use]
pub fn representative(datum: Datum<'_>) -> Option<Value> {
    match datum {
        Datum::Float(value) => Some(short(value)),
        Datum::Json(value) => Some(shortened(value)),
        other => other.into_value(),
    }
}

fn short(value: f64) -> Value {
    number::whole(value).filter(|whole| whole.unsigned_abs() <= 1 << 53).map_or(Value::Float(value), Value::Int)
}

fn shortened(value: Cow<'_, Value>) -> Value {
    if !has_whole_double(&value) {
        return value.into_owned();
    }
    match value.as_ref() {
        Value::Float(value) => short(*value),
        Value::Array(items) => Value::Array(items.iter().map(|item| shortened(Cow::Borrowed(item))).collect()),
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, member)| (name.clone(), shortened(Cow::Borrowed(member)))).collect(),
        ),
        other => other.clone(),
    }
}
