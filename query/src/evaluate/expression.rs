//! Walks an expression.

use crate::plan::{Constant, Expr, Path, PlaceAt, Root};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

use super::{Context, Datum, Source, functions, number, order, place};

/// Everything that an expression can refer to.
pub(super) struct Scope<'e, S: ?Sized> {
    source: &'e S,
    pub(super) context: &'e Context<'e>,
    variables: Option<&'e Variable<'e>>,
}

// Not derived: that would ask the source to be `Copy`.
impl<S: ?Sized> Clone for Scope<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: ?Sized> Copy for Scope<'_, S> {}

/// The element that an `ANY` or `ALL` is at, and those around it.
struct Variable<'e> {
    element: &'e Value,
    depth: usize,
    outer: Option<&'e Variable<'e>>,
}

/// The value of an expression for what `source` is at.
pub fn evaluate<'e, S: Source + ?Sized>(expr: &'e Expr, source: &'e S, context: &'e Context<'e>) -> Datum<'e> {
    value(expr, Scope { source, context, variables: None })
}

/// Whether a condition is true for what `source` is at.
pub fn holds<S: Source + ?Sized>(condition: &Expr, source: &S, context: &Context<'_>) -> bool {
    truth(condition, Scope { source, context, variables: None }) == Some(true)
}

pub(super) fn value<'e, S: Source + ?Sized>(expr: &'e Expr, scope: Scope<'e, S>) -> Datum<'e> {
    match expr {
        Expr::Constant(Constant(value)) => value.as_ref().into(),
        Expr::Path(path) => at(path, scope),
        Expr::Key(index) => scope.source.key(*index),
        Expr::Aggregate(index) => scope.source.aggregate(*index),
        Expr::Score => scope.source.score(),
        Expr::Arithmetic(op, left, right) => number::arithmetic(*op, &value(left, scope), &value(right, scope)),
        Expr::Negate(operand) => number::negate(&value(operand, scope)),
        Expr::Call(function, arguments) => functions::call(*function, arguments, scope),
        Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Compare(..)
        | Expr::In(..)
        | Expr::InArray(..)
        | Expr::Like(..)
        | Expr::Quantified { .. }
        | Expr::Match(_)
        | Expr::Near { .. }
        | Expr::Within { .. } => truth(expr, scope).into(),
    }
}

fn truth<S: Source + ?Sized>(expr: &Expr, scope: Scope<'_, S>) -> Option<bool> {
    match expr {
        Expr::Not(operand) => truth(operand, scope).map(|truth| !truth),
        Expr::And(parts) => all(parts, false, scope),
        Expr::Or(parts) => all(parts, true, scope),
        Expr::Compare(op, left, right) => order::condition(*op, &value(left, scope), &value(right, scope)),
        Expr::In(operand, constants) => {
            let operand = value(operand, scope);
            among(&operand, constants.iter().map(|Constant(constant)| constant.as_ref().into()))
        }
        Expr::InArray(operand, list) => {
            let list = value(list, scope);
            let operand = value(operand, scope);
            among(&operand, list.as_array()?.iter().map(Datum::from))
        }
        Expr::Like(operand, pattern) => value(operand, scope).as_text().map(|text| pattern.matches(text)),
        Expr::Quantified { all, list, condition } => quantified(*all, list, condition, scope),
        Expr::Match(index) => {
            let (path, words) = scope.context.matches.get(*index)?;
            scope.source.matches(*index, path, words)
        }
        Expr::Near { place, lat, lon, metres } => place::near(place_of(place, scope), (*lat, *lon), *metres),
        Expr::Within { place, corners } => place::within(place_of(place, scope), corners),
        _ => value(expr, scope).truth(),
    }
}

fn place_of<S: Source + ?Sized>(at: &PlaceAt, scope: Scope<'_, S>) -> Option<(f64, f64)> {
    match at {
        PlaceAt::Value(expr) => place::read(&value(expr, scope)),
        PlaceAt::Members(_, members) => place::of_members(|index| value(&members[index], scope)),
    }
}

/// `OR` when `decides` is true, `AND` when it is false: the first operand that decides is the answer.
fn all<S: Source + ?Sized>(parts: &[Expr], decides: bool, scope: Scope<'_, S>) -> Option<bool> {
    let mut result = Some(!decides);
    for part in parts {
        match truth(part, scope) {
            Some(truth) if truth == decides => return Some(decides),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

/// `operand = a OR operand = b …`; an empty list is false.
fn among<'v>(operand: &Datum<'_>, candidates: impl Iterator<Item = Datum<'v>>) -> Option<bool> {
    let mut result = Some(false);
    for candidate in candidates {
        match order::condition(BinaryOp::Equal, operand, &candidate) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

fn quantified<S: Source + ?Sized>(all: bool, list: &Expr, condition: &Expr, scope: Scope<'_, S>) -> Option<bool> {
    let list = value(list, scope);
    let depth = scope.variables.map_or(0, |variable| variable.depth + 1);
    let mut elements = list.as_array()?.iter();
    let holds = |element| {
        let variable = Variable { element, depth, outer: scope.variables };
        truth(condition, Scope { variables: Some(&variable), ..scope }) == Some(true)
    };
    Some(if all { elements.all(holds) } else { elements.any(holds) })
}

fn at<'e, S: Source + ?Sized>(path: &'e Path, scope: Scope<'e, S>) -> Datum<'e> {
    let Root::Variable(depth) = path.root else { return scope.source.at(path) };
    let mut variable = scope.variables;
    while let Some(inner) = variable {
        if inner.depth == depth {
            return inner.element.at(path.names.iter().map(String::as_str)).into();
        }
        variable = inner.outer;
    }
    Datum::Undefined
}
