//! Which rows fulfil the condition: masks from columns where columns hold what is asked, and row by row, among the rows that
//! are still open, where not.

use super::places::Place;
use super::rows::{Reading, RowRef};
use super::{ROWS_BETWEEN, Stop};
use crate::column::{Kind, Mask, Row, Truth};
use crate::evaluate::{Datum, evaluate, holds, words};
use crate::plan::{Constant, Expr, Function, Path, Root};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

/// The rows that fulfil the condition.
pub(super) struct Matched {
    /// In the columns.
    pub(super) columns: Mask,
    /// Of the rows taken from documents.
    pub(super) sides: Vec<u32>,
}

impl Matched {
    pub(super) fn rows(&self) -> impl Iterator<Item = RowRef> + '_ {
        self.columns.iter().map(RowRef::Column).chain(self.sides.iter().map(|index| RowRef::Side(*index)))
    }

    pub(super) fn len(&self) -> usize {
        self.columns.count() + self.sides.len()
    }
}

/// Asks all rows.
pub(super) fn matching(reading: &Reading<'_>) -> Result<Matched, Stop> {
    let mut open = reading.snapshot().live().clone();
    for id in reading.input.from.changed {
        if let Some(row) = reading.snapshot().row(id) {
            open.remove(row);
        }
    }
    let Some(condition) = &reading.input.plan.filter else {
        let sides = (0..count(reading.sides.len())).collect();
        return Ok(Matched { columns: open, sides });
    };
    let mut columns = truth(reading, condition, &open)?.yes;
    columns.and(&open);
    let mut sides = Vec::new();
    for index in 0..count(reading.sides.len()) {
        reading.looked_at(1, 0)?;
        if holds(condition, &reading.source(RowRef::Side(index), None), &reading.context) {
            sides.push(index);
        }
    }
    Ok(Matched { columns, sides })
}

/// Whether one row fulfils the condition.
pub(super) fn fulfils(reading: &Reading<'_>, row: RowRef) -> bool {
    let condition = reading.input.plan.filter.as_ref();
    condition.is_none_or(|condition| holds(condition, &reading.source(row, None), &reading.context))
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// What the condition is for each row of `open`; for others it may say anything.
fn truth(reading: &Reading<'_>, condition: &Expr, open: &Mask) -> Result<Truth, Stop> {
    reading.looked_at(ROWS_BETWEEN, 0)?;
    Ok(match condition {
        Expr::Constant(constant) => same_everywhere(&constant.0, open),
        Expr::Not(inner) => truth(reading, inner, open)?.not(),
        Expr::And(parts) => both(reading, parts, open)?,
        // By De Morgan, which holds in three-valued logic too.
        Expr::Or(parts) => either(reading, parts, open)?,
        _ => match by_columns(reading, condition) {
            Some(truth) => truth,
            None => one_by_one(reading, condition, open)?,
        },
    })
}

fn same_everywhere(value: &Option<Value>, open: &Mask) -> Truth {
    let none = Mask::none(open.slots());
    match value {
        Some(Value::Bool(true)) => Truth { yes: open.clone(), no: none },
        Some(Value::Bool(false)) => Truth { yes: none, no: open.clone() },
        _ => Truth { yes: none.clone(), no: none },
    }
}

/// Parts that columns answer come first: they leave fewer rows for the others.
fn in_order<'e>(reading: &Reading<'_>, parts: &'e [Expr]) -> Vec<&'e Expr> {
    let mut parts: Vec<&Expr> = parts.iter().collect();
    parts.sort_by_key(|part| needs_rows(reading, part));
    parts
}

fn both(reading: &Reading<'_>, parts: &[Expr], open: &Mask) -> Result<Truth, Stop> {
    let mut open = open.clone();
    let mut all: Option<Truth> = None;
    for part in in_order(reading, parts) {
        let mut one = truth(reading, part, &open)?;
        one.yes.and(&open);
        one.no.and(&open);
        open.and_not(&one.no);
        all = Some(match all {
            None => one,
            Some(all) => all.and(&one),
        });
    }
    Ok(all.unwrap_or_else(|| same_everywhere(&Some(Value::Bool(true)), &open)))
}

fn either(reading: &Reading<'_>, parts: &[Expr], open: &Mask) -> Result<Truth, Stop> {
    let mut open = open.clone();
    let mut any: Option<Truth> = None;
    for part in in_order(reading, parts) {
        let mut one = truth(reading, part, &open)?;
        one.yes.and(&open);
        one.no.and(&open);
        open.and_not(&one.yes);
        any = Some(match any {
            None => one,
            Some(any) => any.or(&one),
        });
    }
    Ok(any.unwrap_or_else(|| same_everywhere(&Some(Value::Bool(false)), &open)))
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
enum Shape<'e> {
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

fn shape<'e>(reading: &Reading<'_>, condition: &'e Expr) -> Option<Shape<'e>> {
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

/// The ids that a row must have one of, where nothing else is asked.
fn ids<'e>(reading: &Reading<'_>, condition: &'e Expr) -> Option<Vec<&'e str>> {
    let [id] = reading.input.from.collection.id else { return None };
    let is_id = |expr: &Expr| matches!(expr, Expr::Path(path) if path.root == Root::Row && path.names == [*id]);
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

fn by_columns(reading: &Reading<'_>, condition: &Expr) -> Option<Truth> {
    if let Expr::Match(index) = condition
        && let Some(truth) = reading.matches.truth(reading, *index)
    {
        return Some(truth);
    }
    let snapshot = reading.snapshot();
    let nothing = || {
        let none = Mask::none(snapshot.live().slots());
        Truth { yes: none.clone(), no: none }
    };
    Some(match shape(reading, condition)? {
        Shape::Nothing => nothing(),
        Shape::Always(value) => same_everywhere(&Some(Value::Bool(value)), snapshot.live()),
        Shape::Id(ids) => {
            let mut truth = Truth { yes: Mask::none(snapshot.live().slots()), no: snapshot.live().clone() };
            for row in ids.iter().filter_map(|id| snapshot.row(id)) {
                truth.yes.insert(row);
                truth.no.remove(row);
            }
            truth
        }
        Shape::Compare(Place::Column(column), op, value) => snapshot.compare(column, op, value),
        Shape::Columns(Place::Column(a), op, Place::Column(b)) => snapshot.compare_columns(a, op, b),
        Shape::In(Place::Column(column), list) => {
            let mut values = Vec::with_capacity(list.len());
            for constant in list {
                values.push(constant.0.clone()?);
            }
            if values.iter().any(|value| matches!(value, Value::Array(_) | Value::Object(_))) {
                return None;
            }
            snapshot.is_in(column, &values)
        }
        Shape::Boolean(Place::Column(column)) => snapshot.truth(column),
        Shape::Begins(Place::Column(column), wanted) => snapshot.starts_with(column, wanted),
        Shape::Text(Place::Column(column), holds) => snapshot.strings(column, &|text| Some(holds(text))),
        Shape::Kinds(Place::Column(column), kinds) => snapshot.kinds(column, &kinds),
        _ => nothing(),
    })
}

fn one_by_one(reading: &Reading<'_>, condition: &Expr, open: &Mask) -> Result<Truth, Stop> {
    let none = Mask::none(open.slots());
    let mut truth = Truth { yes: none.clone(), no: none };
    let mut unasked = 0;
    for row in open.iter() {
        unasked += 1;
        if unasked == ROWS_BETWEEN {
            reading.looked_at(unasked, 0)?;
            unasked = 0;
        }
        set(&mut truth, row, evaluate(condition, &reading.source(RowRef::Column(row), None), &reading.context));
    }
    reading.looked_at(unasked, 0)?;
    Ok(truth)
}

fn set(truth: &mut Truth, row: Row, value: Datum<'_>) {
    match value.truth() {
        Some(true) => truth.yes.insert(row),
        Some(false) => truth.no.insert(row),
        None => {}
    }
}
