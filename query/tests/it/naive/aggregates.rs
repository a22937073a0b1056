//! Groups and aggregates: section 10.

use muster_query::syntax::ast::{Expr, ExprKind, Select};
use num_bigint::BigInt;
use serde_json::{Value as Json, json};

use super::numbers::{compare_numbers, exact, nearest};
use super::{Fleet, Made, Scope, V, elements, functions, is_number, keys, same, total};

const NAMES: [&str; 7] = ["COUNT", "SUM", "AVG", "MIN", "MAX", "PERCENTILE", "HISTOGRAM"];

pub(super) fn is_aggregate(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(super) fn is_inside(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call { name, arguments, .. } => {
            is_aggregate(&name.text.to_uppercase()) || arguments.iter().any(is_inside)
        }
        ExprKind::Not(inner) | ExprKind::Negate(inner) => is_inside(inner),
        ExprKind::Like { value, .. } => is_inside(value),
        ExprKind::Binary(_, a, b) | ExprKind::In(a, b) => is_inside(a) || is_inside(b),
        ExprKind::Between(a, b, c) => is_inside(a) || is_inside(b) || is_inside(c),
        ExprKind::Array(items) => items.iter().any(is_inside),
        ExprKind::Quantified { list, condition, .. } => is_inside(list) || is_inside(condition),
        _ => false,
    }
}

/// Numbers that are whole within ±2^53 as integers.
pub(super) fn representative(value: Json) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(double) if number.is_f64() && double.fract() == 0.0 && double.abs() <= 9_007_199_254_740_992.0 => {
                #[allow(clippy::cast_possible_truncation, reason = "whole and small")]
                let whole = double as i64;
                json!(whole)
            }
            _ => Json::Number(number),
        },
        Json::Array(items) => Json::Array(items.into_iter().map(representative).collect()),
        Json::Object(members) => {
            Json::Object(members.into_iter().map(|(name, value)| (name, representative(value))).collect())
        }
        other => other,
    }
}

pub(super) fn grouped(fleet: &Fleet, select: &Select, rows: &[(&String, &Json)]) -> Vec<Made> {
    let mut groups: Vec<(Vec<V>, Vec<&Json>)> = Vec::new();
    if select.group_by.is_empty() {
        groups.push((Vec::new(), Vec::new()));
    }
    for (_, row) in rows {
        let scope = Scope::of_row(fleet, row);
        let keys: Vec<V> = select.group_by.iter().map(|key| super::value(key, &scope)).collect();
        match groups.iter_mut().find(|(own, _)| own.iter().zip(&keys).all(|(a, b)| same(a, b))) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((keys, vec![row])),
        }
    }
    let (mut out, nothing) = (Vec::new(), Json::Null);
    for (own, rows) in &groups {
        let texts = select.group_by.iter().map(keys::plain);
        let keys: Vec<(String, V)> = texts.zip(own.iter().map(|key| key.clone().map(representative))).collect();
        // Everything else than aggregates is made of keys, which all rows of the group share.
        let first = rows.first().copied().unwrap_or(&nothing);
        let scope = Scope { group: Some(rows), keys: &keys, ..Scope::of_row(fleet, first) };
        let elements = elements(select, &scope);
        if select.having.as_ref().is_some_and(|having| super::value(having, &scope) != Some(json!(true))) {
            continue;
        }
        let scope = scope.ordering(select);
        let order = select.order_by.iter().map(|key| super::value(&key.expr, &scope)).collect();
        out.push(Made { id: String::new(), order, own: own.clone(), elements, row: None });
    }
    out
}

pub(super) fn value_of_rows(argument: &Expr, scope: &Scope<'_>) -> Vec<V> {
    let rows = scope.group.unwrap_or_default();
    let of = |row: &&Json| {
        super::value(argument, &Scope { row, group: None, keys: &[], variables: Vec::new(), ..scope.clone() })
    };
    rows.iter().map(of).collect()
}

pub(super) fn value_of(name: &str, distinct: bool, values: Vec<V>, argument: Option<V>) -> V {
    let defined = || values.iter().flatten().filter(|value| !value.is_null());
    let mut numbers: Vec<&Json> = values.iter().filter(|value| is_number(value)).flatten().collect();
    numbers.sort_by(|a, b| compare_numbers(a, b));
    let sum: BigInt = numbers.iter().map(|number| exact(number)).sum();
    match name {
        "COUNT" if distinct => {
            let mut different: Vec<V> = Vec::new();
            for value in defined() {
                if !different.iter().any(|other| same(other, &Some(value.clone()))) {
                    different.push(Some(value.clone()));
                }
            }
            Some(json!(different.len()))
        }
        "COUNT" => Some(json!(defined().count())),
        "SUM" => {
            if numbers.iter().all(|number| number.as_i64().is_some()) {
                let whole = &sum >> 1_074_u32;
                if let Ok(whole) = i64::try_from(&whole) {
                    return Some(json!(whole));
                }
            }
            super::numbers::double(nearest(&sum))
        }
        #[allow(clippy::cast_precision_loss, reason = "few rows")]
        "AVG" if !numbers.is_empty() => super::numbers::double(nearest(&sum) / numbers.len() as f64),
        "MIN" | "MAX" => {
            let mut primitives: Vec<V> =
                defined().filter(|value| !value.is_array() && !value.is_object()).cloned().map(Some).collect();
            primitives.sort_by(total);
            let found = if name == "MIN" { primitives.first() } else { primitives.last() };
            found.cloned().flatten().map(representative)
        }
        "PERCENTILE" if !numbers.is_empty() => {
            let percent = argument.flatten_number()?;
            let count = numbers.len();
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "few rows"
            )]
            let rank = ((percent / 100.0 * count as f64).ceil() as usize).clamp(1, count);
            Some(representative(numbers[rank - 1].clone()))
        }
        "HISTOGRAM" => {
            let width = argument.flatten()?;
            let mut buckets: Vec<(Json, u64)> = Vec::new();
            for number in numbers {
                let Some(from) = functions::bucket(number, &width).map(representative) else { continue };
                match buckets.iter_mut().find(|(own, _)| compare_numbers(own, &from).is_eq()) {
                    Some((_, count)) => *count += 1,
                    None => buckets.push((from, 1)),
                }
            }
            buckets.sort_by(|(a, _), (b, _)| compare_numbers(a, b));
            Some(Json::Array(
                buckets.into_iter().map(|(from, count)| json!({ "from": from, "count": count })).collect(),
            ))
        }
        _ => None,
    }
}

trait FlattenNumber {
    fn flatten_number(&self) -> Option<f64>;
}

impl FlattenNumber for Option<V> {
    fn flatten_number(&self) -> Option<f64> {
        self.as_ref()?.as_ref()?.as_f64()
    }
}

/// An aggregate over the rows of the group.
pub(super) fn value(name: &str, distinct: bool, arguments: &[Expr], scope: &Scope<'_>) -> V {
    let Some(first) = arguments.first() else {
        return Some(json!(scope.group.map_or(0, <[&Json]>::len)));
    };
    let argument = arguments.get(1).map(|argument| super::value(argument, scope));
    value_of(name, distinct, value_of_rows(first, scope), argument)
}
