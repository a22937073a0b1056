//! A condition of a plan as one over rows: by columns where columns hold what is asked, and row by row where not.

use super::places::Place;
use super::rows::{Reading, RowRef};
use crate::column::{Condition, Kind, Mask};
use crate::evaluate::{evaluate, words};
use crate::plan::{Constant, Expr, Function, Path, Root};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

/// The condition `expr` over the rows that are in the columns; for many rows, or for a few of them.
pub(super) fn condition<'r>(reading: &'r Reading<'_>, expr: &'r Expr, for_many: bool) -> Condition<'r> {
    let sample = for_many.then(|| reading.snapshot());
    let all = |parts: &'r [Expr]| parts.iter().map(|part| condition(reading, part, for_many)).collect();
    match expr {
        Expr::Constant(constant) => Condition::constant(boolean(constant)),
        Expr::Not(inner) => condition(reading, inner, for_many).not(),
        Expr::And(parts) => Condition::all(sample, all(parts)),
        Expr::Or(parts) => Condition::any(sample, all(parts)),
        // A few rows are asked themselves.
        Expr::Match(index) if for_many => match reading.matches.condition(reading, *index) {
            Some(condition) => condition,
            None => by_columns(reading, expr).unwrap_or_else(|| one_by_one(reading, expr)),
        },
        _ => by_columns(reading, expr).unwrap_or_else(|| one_by_one(reading, expr)),
    }
}

fn boolean(constant: &Constant) -> Option<bool> {
    match &constant.0 {
        Some(Value::Bool(value)) => Some(*value),
        _ => None,
    }
}

fn one_by_one<'r>(reading: &'r Reading<'_>, expr: &'r Expr) -> Condition<'r> {
    Condition::of_rows(move |row| {
        reading.ask_one();
        evaluate(expr, &reading.source(RowRef::Column(row), None), &reading.context).truth()
    })
}

/// Whether a part of a condition is asked row by row.
pub(super) fn needs_rows(reading: &Reading<'_>, condition: &Expr) -> bool {
    match condition {
        Expr::Constant(_) => false,
        Expr::Not(inner) => needs_rows(reading, inner),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(|part| needs_rows(reading, part)),
        _ => shape(reading, condition).is_none(),
    }
}

/// A condition that columns answer.
pub(super) enum Shape<'e> {
    /// Undefined for every row.
    Nothing,
    /// The same for every row.
    Always(bool),
    /// One of these ids: found without looking at any other row.
    Id(Vec<&'e str>),
    Compare(Place, BinaryOp, &'e Value),
    Columns(Place, BinaryOp, Place),
    In(Place, &'e [Constant]),
    Boolean(Place),
    Begins(Place, &'e str),
    Text(Place, Box<dyn Fn(&str) -> bool + 'e>),
    Kinds(Place, fn(Kind) -> bool),
}

pub(super) fn shape<'e>(reading: &Reading<'_>, condition: &'e Expr) -> Option<Shape<'e>> {
    let column = |expr: &'e Expr| column_of(reading, expr);
    if let Some(ids) = ids(reading, condition) {
        return Some(Shape::Id(ids));
    }
    Some(match condition {
        Expr::Path(_) => Shape::Boolean(column(condition)?),
        Expr::Compare(op, a, b) => match (column(a), column(b)) {
            (Some(Place::Nowhere), _) | (_, Some(Place::Nowhere)) => Shape::Nothing,
            (Some(a), Some(b)) => Shape::Columns(a, *op, b),
            (Some(a), None) => Shape::Compare(a, *op, constant(b)?),
            (None, Some(b)) => Shape::Compare(b, turned(*op), constant(a)?),
            (None, None) => return None,
        },
        Expr::In(value, list) => Shape::In(column(value)?, list),
        Expr::Like(value, pattern) => Shape::Text(column(value)?, Box::new(move |text| pattern.matches(text))),
        Expr::Match(index) => {
            let (path, words) = reading.input.plan.matches.get(*index)?;
            let place = place_of(reading, path)?;
            // The plan lives as long as the condition, but is not borrowed from it.
            let words = words.clone();
            Shape::Text(place, Box::new(move |text| words::holds(&words, text)))
        }
        Expr::Call(function, arguments) => return call(reading, *function, arguments),
        _ => return None,
    })
}

/// Whether an expression is the id of the row.
pub(super) fn is_id(reading: &Reading<'_>, expr: &Expr) -> bool {
    let [id] = reading.input.from.collection.id else { return false };
    matches!(expr, Expr::Path(path) if path.root == Root::Row && path.names == [*id])
}

/// The ids that a row must have one of, where nothing else is asked.
pub(super) fn ids<'e>(reading: &Reading<'_>, condition: &'e Expr) -> Option<Vec<&'e str>> {
    let is_id = |expr: &Expr| is_id(reading, expr);
    let text = |value: &'e Value| match value {
        Value::String(text) => Some(text.as_str()),
        _ => None,
    };
    match condition {
        Expr::Compare(BinaryOp::Equal, a, b) if is_id(a) => Some(vec![text(constant(b)?)?]),
        Expr::Compare(BinaryOp::Equal, a, b) if is_id(b) => Some(vec![text(constant(a)?)?]),
        Expr::In(value, list) if is_id(value) => list.iter().map(|constant| text(constant.0.as_ref()?)).collect(),
        _ => None,
    }
}

fn call<'e>(reading: &Reading<'_>, function: Function, arguments: &'e [Expr]) -> Option<Shape<'e>> {
    let place = column_of(reading, arguments.first()?)?;
    let kinds: fn(Kind) -> bool = match function {
        Function::IsDefined => |kind| kind != Kind::Absent,
        Function::IsNull => |kind| kind == Kind::Null,
        Function::IsBool => |kind| matches!(kind, Kind::False | Kind::True),
        Function::IsNumber => |kind| matches!(kind, Kind::Int | Kind::Float),
        Function::IsString => |kind| kind == Kind::String,
        Function::IsArray => |kind| kind == Kind::Array,
        Function::IsObject => |kind| kind == Kind::Object,
        Function::IsPrimitive => |kind| !matches!(kind, Kind::Absent | Kind::Array | Kind::Object),
        _ => {
            let Some(Value::String(wanted)) = constant(arguments.get(1)?) else { return None };
            return Some(match function {
                Function::StartsWith => Shape::Begins(place, wanted),
                Function::EndsWith => Shape::Text(place, Box::new(move |text| text.ends_with(wanted.as_str()))),
                Function::Contains => Shape::Text(place, Box::new(move |text| text.contains(wanted.as_str()))),
                _ => return None,
            });
        }
    };
    Some(if place == Place::Nowhere { Shape::Always(kinds(Kind::Absent)) } else { Shape::Kinds(place, kinds) })
}

/// The column of an expression that is a path of the row, or that it is nowhere.
fn column_of(reading: &Reading<'_>, expr: &Expr) -> Option<Place> {
    let Expr::Path(path) = expr else { return None };
    place_of(reading, path)
}

fn place_of(reading: &Reading<'_>, path: &Path) -> Option<Place> {
    if path.root != Root::Row {
        return None;
    }
    Some(reading.places.of(path)).filter(|place| *place != Place::Document)
}

/// Primitive constants; others, and undefined, are left to evaluation.
fn constant(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Constant(Constant(Some(value))) if !matches!(value, Value::Array(_) | Value::Object(_)) => Some(value),
        _ => None,
    }
}

fn turned(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessOrEqual => BinaryOp::GreaterOrEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterOrEqual => BinaryOp::LessOrEqual,
        other => other,
    }
}

fn by_columns<'r>(reading: &'r Reading<'_>, condition: &'r Expr) -> Option<Condition<'r>> {
    let snapshot = reading.snapshot();
    Some(match shape(reading, condition)? {
        Shape::Always(value) => Condition::constant(Some(value)),
        Shape::Id(ids) => {
            let mut rows = Mask::none(snapshot.slots());
            ids.iter().filter_map(|id| snapshot.row(id)).for_each(|row| rows.insert(row));
            Condition::among(rows)
        }
        Shape::Compare(Place::Column(column), op, value) => snapshot.compare(column, op, value),
        Shape::Columns(Place::Column(a), op, Place::Column(b)) => snapshot.compare_columns(a, op, b),
        Shape::In(Place::Column(column), list) => snapshot.is_in(column, &primitives(list)?),
        Shape::Boolean(Place::Column(column)) => snapshot.truth(column),
        Shape::Begins(Place::Column(column), wanted) => snapshot.starts_with(column, wanted),
        Shape::Text(Place::Column(column), holds) => snapshot.strings(column, move |text| Some(holds(text))),
        Shape::Kinds(Place::Column(column), kinds) => snapshot.kinds(column, &kinds),
        _ => Condition::constant(None),
    })
}

/// The values of a list, unless one is undefined, an array or an object.
pub(super) fn primitives(list: &[Constant]) -> Option<Vec<&Value>> {
    let primitive = |constant: &'_ Constant| !matches!(constant.0, None | Some(Value::Array(_) | Value::Object(_)));
    if !list.iter().all(primitive) {
        return None;
    }
    Some(list.iter().filter_map(|constant| constant.0.as_ref()).collect())
}
