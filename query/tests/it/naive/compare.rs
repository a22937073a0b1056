//! How two values compare: sections 3, 4, 10 and 11.

use std::cmp::Ordering;

use muster_query::syntax::ast::BinaryOp;
use serde_json::Value as Json;

use super::numbers::compare_numbers;
use super::{V, aggregates};

/// Section 3.
pub(super) fn compare(op: BinaryOp, a: &V, b: &V) -> Option<bool> {
    let (a, b) = (a.as_ref()?, b.as_ref()?);
    let is_equality = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
    let order = match (a, b) {
        (Json::Null, _) | (_, Json::Null) if is_equality => {
            return Some((a.is_null() && b.is_null()) == (op == BinaryOp::Equal));
        }
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::Number(_), Json::Number(_)) => compare_numbers(a, b),
        (Json::String(a), Json::String(b)) => a.chars().cmp(b.chars()),
        _ => return None,
    };
    Some(match op {
        BinaryOp::Equal => order.is_eq(),
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessOrEqual => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        _ => order.is_ge(),
    })
}

/// Section 11: the order of all values.
pub(super) fn total(a: &V, b: &V) -> Ordering {
    let class = |value: &V| match value {
        None => 0,
        Some(Json::Null) => 1,
        Some(Json::Bool(false)) => 2,
        Some(Json::Bool(true)) => 3,
        Some(Json::Number(_)) => 4,
        Some(Json::String(_)) => 5,
        Some(Json::Array(_) | Json::Object(_)) => 6,
    };
    class(a).cmp(&class(b)).then_with(|| match (a, b) {
        (Some(a @ Json::Number(_)), Some(b @ Json::Number(_))) => compare_numbers(a, b),
        (Some(Json::String(a)), Some(Json::String(b))) => a.chars().cmp(b.chars()),
        (Some(a), Some(b)) if class(&Some(a.clone())) == 6 => text(a).cmp(&text(b)),
        _ => Ordering::Equal,
    })
}

/// JSON text in which the same number is written alike.
fn text(value: &Json) -> String {
    aggregates::representative(value.clone()).to_string()
}

/// Section 10: when two values are the same.
pub(super) fn same(a: &V, b: &V) -> bool {
    match (a, b) {
        (Some(Json::Array(a)), Some(Json::Array(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&Some(a.clone()), &Some(b.clone())))
        }
        (Some(Json::Object(a)), Some(Json::Object(b))) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((m, a), (n, b))| m == n && same(&Some(a.clone()), &Some(b.clone())))
        }
        (Some(Json::Array(_) | Json::Object(_)), _) | (_, Some(Json::Array(_) | Json::Object(_))) => false,
        _ => total(a, b).is_eq(),
    }
}

/// Section 4.
pub(super) fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}
