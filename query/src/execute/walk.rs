//! The first rows by a column, along the order of that column: it ends when there are enough.

use super::access;
use super::filter::{condition, is_id};
use super::places::Place;
use super::rows::{Reading, RowRef};
use crate::column::{ColumnId, Row};
use crate::plan::{Expr, Order, Output, Root};

/// So many rows are worth it.
const TOP_MAX: usize = 1_000;

/// The column that orders the rows first.
pub(super) struct Leading {
    pub(super) column: ColumnId,
    pub(super) descending: bool,
    /// Whether nothing but the id decides among equal values.
    is_all: bool,
}

impl Leading {
    pub(super) fn of(reading: &Reading<'_>) -> Option<Self> {
        let (Order { expr: Expr::Path(path), descending }, rest) = reading.input.plan.order.split_first()? else {
            return None;
        };
        let Place::Column(column) = reading.places.of(path) else { return None };
        let is_all = match rest {
            [] => true,
            [Order { expr, descending: false }, ..] => is_id(reading, expr),
            _ => false,
        };
        (path.root == Root::Row).then_some(Self { column, descending: *descending, is_all })
    }
}

/// Rows among which are the first ones of the answer. `None` when there is no order of the column, or it takes too long that way.
pub(super) fn candidates(reading: &Reading<'_>) -> Option<Vec<RowRef>> {
    let (leading, top) = asked(reading)?;
    let snapshot = reading.snapshot();
    let filter = reading.input.plan.filter.as_ref();
    let condition = filter.map(|filter| condition(reading, filter, true));
    let share = condition.as_ref().map_or(1_024, |condition| condition.share(snapshot)) as usize;
    let most = snapshot.few_rows();
    let expected = (top * 1_024).checked_div(share)?;
    if expected > most
        || filter.is_some_and(|filter| access::selective(reading, filter).is_some_and(|way| way.count() < expected))
    {
        return None;
    }
    // Whoever has no value comes first.
    let is_complete = leading.descending || snapshot.is_complete(leading.column);
    let order = snapshot.ordered(leading.column).or_else(|| {
        if is_complete && snapshot.wish_order(leading.column) { snapshot.ordered(leading.column) } else { None }
    });
    let changed = reading.changed_rows();
    let keep = |row: Row| {
        snapshot.live().contains(row)
            && changed.binary_search(&row).is_err()
            && condition.as_ref().is_none_or(|condition| snapshot.holds(condition, row))
    };
    let rows = order.filter(|_| is_complete)?.first(top, leading.descending, leading.is_all, most, keep)?;
    let sides = super::matched::all_sides(reading).filter(|row| super::matched::fulfils(reading, *row));
    Some(rows.into_iter().map(RowRef::Column).chain(sides).collect())
}

/// The column and how many rows, where only the first rows by a column are asked for.
fn asked(reading: &Reading<'_>) -> Option<(Leading, usize)> {
    let plan = reading.input.plan;
    let top = plan.top? as usize;
    if plan.distinct || matches!(plan.output, Output::Groups { .. }) || top == 0 || top > TOP_MAX {
        return None;
    }
    Leading::of(reading).map(|leading| (leading, top))
}

/// For people: by which order the first rows are looked for, if there is one.
pub(super) fn text(reading: &Reading<'_>) -> Option<String> {
    let (leading, _) = asked(reading)?;
    reading.snapshot().ordered(leading.column)?;
    let way = if leading.descending { "downwards" } else { "upwards" };
    Some(format!("{way} along the order of {}, as far as there are enough", reading.places.name(leading.column)))
}
