//! Ways to the rows that a condition may be true for without looking at all of them: by their ids, or by orders of columns.
//!
//! A way gives candidates, among which are all rows that fulfil the condition; the condition itself is asked of each.

use std::fmt::Write as _;

use super::filter::{Shape, condition, primitives, shape};
use super::places::Place;
use super::rows::Reading;
use crate::column::{Class, ColumnId, Condition, Kind, Ordered, Row, Wanted};
use crate::plan::Expr;
use crate::syntax::ast::BinaryOp;

/// A way to candidates.
pub(super) enum Way<'e> {
    /// These rows.
    Rows(Vec<Row>),
    /// By the order of a column.
    Order(ByOrder<'e>),
    /// By several, one for each part of an `OR`.
    Any(Vec<Self>),
}

/// A way by the order of a column.
pub(super) struct ByOrder<'e> {
    column: ColumnId,
    order: Ordered,
    wanted: Vec<Wanted<'e>>,
    /// The parts of the condition for which the values are wanted.
    parts: Vec<&'e Expr>,
}

/// Rows that a way leads to; each in one of them.
pub(super) struct Candidates<'e> {
    /// Which fulfil some parts of the condition.
    pub(super) proven: Vec<Row>,
    pub(super) parts: Vec<&'e Expr>,
    pub(super) others: Vec<Row>,
}

impl<'e> Way<'e> {
    /// How many candidates it gives, at most.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Order(by) => by.order.count(&by.wanted),
            Self::Any(ways) => ways.iter().map(Self::count).sum(),
        }
    }

    /// The candidates.
    pub(super) fn candidates(self) -> Candidates<'e> {
        if let Self::Order(by) = self {
            let (proven, others) = by.order.rows(&by.wanted);
            return Candidates { proven, parts: by.parts, others };
        }
        let mut others = self.rows();
        others.sort_unstable();
        others.dedup();
        Candidates { proven: Vec::new(), parts: Vec::new(), others }
    }

    fn rows(&self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows.clone(),
            Self::Order(by) => {
                let (mut rows, others) = by.order.rows(&by.wanted);
                rows.extend(others);
                rows
            }
            Self::Any(ways) => ways.iter().flat_map(Self::rows).collect(),
        }
    }

    /// For people.
    pub(super) fn text(&self, reading: &Reading<'_>) -> String {
        match self {
            Self::Rows(rows) => format!("{} by id", rows.len()),
            Self::Order(by) => format!("{} by the order of {}", self.count(), reading.places.name(by.column)),
            Self::Any(ways) => {
                let mut text = String::new();
                for (index, way) in ways.iter().enumerate() {
                    let between = if index == 0 { "" } else { " and " };
                    write!(text, "{between}{}", way.text(reading)).expect("writing to a String cannot fail");
                }
                text
            }
        }
    }
}

/// The way with the fewest candidates, if these are few among all rows.
pub(super) fn selective<'e>(reading: &Reading<'_>, expr: &'e Expr) -> Option<Way<'e>> {
    let is_few = |way: &Way<'_>| matches!(way, Way::Rows(_)) || way.count() <= reading.snapshot().few_rows();
    way(reading, expr).filter(is_few)
}

/// As [`selective`]; tells columns whose order would help that it would, and they may be ordered now.
pub(super) fn found_or_made<'e>(reading: &Reading<'_>, expr: &'e Expr) -> Option<Way<'e>> {
    selective(reading, expr).or_else(|| if wish(reading, expr) { selective(reading, expr) } else { None })
}

fn way<'e>(reading: &Reading<'_>, expr: &'e Expr) -> Option<Way<'e>> {
    match expr {
        Expr::And(parts) => {
            let of_groups = groups(reading, parts)
                .into_iter()
                .filter_map(|group| by_order(reading, group.column, group.wanted, group.parts));
            let of_parts = parts.iter().filter_map(|part| match shape_of(reading, part) {
                Some(Shape::Compare(..)) => None,
                _ => way(reading, part),
            });
            of_groups.chain(of_parts).min_by_key(Way::count)
        }
        Expr::Or(parts) => parts.iter().map(|part| way(reading, part)).collect::<Option<_>>().map(Way::Any),
        _ => match shape_of(reading, expr)? {
            Shape::Id(ids) => Some(Way::Rows(ids.iter().filter_map(|id| reading.snapshot().row(id)).collect())),
            Shape::Nothing | Shape::Always(false) => Some(Way::Rows(Vec::new())),
            shape => {
                let (column, wanted) = wanted(shape)?;
                by_order(reading, column, wanted, vec![expr])
            }
        },
    }
}

/// The shape of what is neither logic nor a search for words.
fn shape_of<'e>(reading: &Reading<'_>, expr: &'e Expr) -> Option<Shape<'e>> {
    match expr {
        Expr::And(_) | Expr::Or(_) | Expr::Not(_) | Expr::Constant(_) | Expr::Match(_) => None,
        _ => shape(reading, expr),
    }
}

fn by_order<'e>(
    reading: &Reading<'_>,
    column: ColumnId,
    wanted: Vec<Wanted<'e>>,
    parts: Vec<&'e Expr>,
) -> Option<Way<'e>> {
    let order = reading.snapshot().ordered(column)?;
    Some(Way::Order(ByOrder { column, order, wanted, parts }))
}

/// The column and the values of it for which a condition may be true.
fn wanted(shape: Shape<'_>) -> Option<(ColumnId, Vec<Wanted<'_>>)> {
    Some(match shape {
        Shape::Compare(Place::Column(column), op, value) => (column, vec![Wanted::compared(op, value)?]),
        Shape::In(Place::Column(column), list) => {
            let values = primitives(list)?;
            let each = values.into_iter().map(|value| Wanted::compared(BinaryOp::Equal, value));
            (column, each.collect::<Option<_>>()?)
        }
        Shape::Boolean(Place::Column(column)) => (column, vec![Wanted::Classes(Class::True, Class::True)]),
        Shape::Begins(Place::Column(column), begins) => (column, vec![Wanted::beginning(begins)]),
        Shape::Kinds(Place::Column(column), kinds) if !kinds(Kind::Absent) => (column, classes(kinds)),
        _ => return None,
    })
}

fn classes(kinds: fn(Kind) -> bool) -> Vec<Wanted<'static>> {
    let classes = [
        (Class::Null, &[Kind::Null][..]),
        (Class::False, &[Kind::False]),
        (Class::True, &[Kind::True]),
        (Class::Number, &[Kind::Int, Kind::Float]),
        (Class::Text, &[Kind::String]),
        (Class::Other, &[Kind::Array, Kind::Object]),
    ];
    let wanted = classes.into_iter().filter(|(_, of)| of.iter().any(|kind| kinds(*kind)));
    wanted.map(|(class, _)| Wanted::Classes(class, class)).collect()
}

/// Parts of an `AND` about the same column.
struct Group<'e> {
    column: ColumnId,
    wanted: Vec<Wanted<'e>>,
    parts: Vec<&'e Expr>,
}

/// Comparisons of one column are one range.
fn groups<'e>(reading: &Reading<'_>, parts: &'e [Expr]) -> Vec<Group<'e>> {
    let mut groups: Vec<Group<'e>> = Vec::new();
    for part in parts {
        let Some(shape @ Shape::Compare(..)) = shape_of(reading, part) else { continue };
        let Some((column, wanted)) = wanted(shape) else { continue };
        let both = groups.iter_mut().filter(|group| group.column == column).find_map(|group| {
            let both = group.wanted[0].and(wanted[0])?;
            Some((group, both))
        });
        match both {
            Some((group, both)) => {
                group.wanted = vec![both];
                group.parts.push(part);
            }
            None => groups.push(Group { column, wanted, parts: vec![part] }),
        }
    }
    groups
}

/// Tells the column whose order would help most. Whether there is an order more now.
fn wish(reading: &Reading<'_>, expr: &Expr) -> bool {
    match expr {
        Expr::And(parts) => {
            let of_groups = groups(reading, parts).into_iter().map(|group| (group.column, group.parts));
            let of_parts = parts.iter().filter_map(|part| match shape_of(reading, part)? {
                Shape::Compare(..) => None,
                shape => Some((wanted(shape)?.0, vec![part])),
            });
            let of_share =
                of_groups.chain(of_parts).filter_map(|(column, parts)| Some((share(reading, column, &parts)?, column)));
            match of_share.min() {
                Some((_, column)) => reading.snapshot().wish_order(column),
                None => parts.iter().filter(|part| matches!(part, Expr::Or(_))).any(|part| wish(reading, part)),
            }
        }
        Expr::Or(parts) => parts.iter().filter(|part| wish(reading, part)).count() > 0,
        _ => {
            let column = shape_of(reading, expr).and_then(wanted).map(|(column, _)| column);
            column.is_some_and(|column| {
                share(reading, column, &[expr]).is_some() && reading.snapshot().wish_order(column)
            })
        }
    }
}

/// The share of rows that fulfil all parts, if it is small and there is no order of the column.
fn share(reading: &Reading<'_>, column: ColumnId, parts: &[&Expr]) -> Option<u32> {
    let snapshot = reading.snapshot();
    if !snapshot.may_be_ordered(column) {
        return None;
    }
    let conditions = parts.iter().map(|part| condition(reading, part, false)).collect();
    let share = Condition::all(None, conditions).share(snapshot);
    (share as usize * snapshot.len() <= 1_024 * snapshot.few_rows()).then_some(share)
}
