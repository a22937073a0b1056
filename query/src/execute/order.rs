//! Rows in the order of the answer, and distinct ones.

use std::collections::BTreeMap;

use super::matched::{Matched, Rows};
use super::rank::{Ranks, first_by_rank};
use super::rows::{Reading, RowRef};
use super::walk::Leading;
use super::{Cost, ROWS_BETWEEN, Stop, project};
use crate::evaluate::order::representative;
use crate::evaluate::{Datum, Source, evaluate, key};
use crate::plan::{Order, Output};
use crate::value::Value;

/// `TOP` up to this is found without ordering everything.
const TOP_BY_COLUMN_MAX: usize = 10_000;

/// The matched rows in their order, cut at `TOP`.
pub(super) fn ordered(
    reading: &Reading<'_>,
    matched: &Matched,
    ranks: Option<&Ranks>,
    cost: &mut Cost,
) -> Result<Vec<RowRef>, Stop> {
    let plan = reading.input.plan;
    let top = plan.top.map_or(usize::MAX, |top| top as usize);
    if plan.order.is_empty() {
        return by_id(reading, matched, top, cost);
    }
    if let Some(candidates) = by_column(reading, matched, top) {
        return by_keys(reading, candidates.into_iter(), top, ranks, cost);
    }
    if let Some(ranks) = ranks
        && let Some(candidates) = first_by_rank(reading, ranks, matched, top)?
    {
        return by_keys(reading, candidates.into_iter(), top, Some(ranks), cost);
    }
    by_keys(reading, matched.rows(), top, ranks, cost)
}

fn by_id(reading: &Reading<'_>, matched: &Matched, top: usize, cost: &mut Cost) -> Result<Vec<RowRef>, Stop> {
    let (count, all) = (matched.len(), reading.snapshot().len());
    let mut rows: Vec<RowRef>;
    if let (Rows::Many(columns), true) = (&matched.columns, matched.sides.is_empty() && count > all / 16) {
        // Many of all: walk all ids in their order, which are ordered once for many queries.
        let order = reading.snapshot().id_order();
        let in_order = order.iter().map(|row| crate::column::Row(*row)).filter(|row| columns.contains(*row));
        rows = in_order.take(top).map(RowRef::Column).collect();
    } else {
        rows = matched.rows().collect();
        rows.sort_unstable_by(|a, b| reading.id(*a).cmp(reading.id(*b)));
        rows.truncate(top);
    }
    cost.memory_bytes = rows.capacity() * size_of::<RowRef>();
    reading.looked_at(rows.len(), cost.memory_bytes)?;
    Ok(rows)
}

/// For a few rows by one column: a superset of the first `top` rows. `None` when that way is not open.
fn by_column(reading: &Reading<'_>, matched: &Matched, top: usize) -> Option<Vec<RowRef>> {
    let leading = Leading::of(reading).filter(|_| top <= TOP_BY_COLUMN_MAX)?;
    if matches!(&matched.columns, Rows::Few(rows) if rows.len() <= 2 * top + ROWS_BETWEEN) {
        return None;
    }
    let rows = reading.snapshot().top(
        leading.column,
        &matched.columns.mask(reading.snapshot().slots()),
        top,
        leading.descending,
    )?;
    let sides = matched.sides.iter().map(|index| RowRef::Side(*index));
    Some(rows.into_iter().map(RowRef::Column).chain(sides).collect())
}

struct Keyed {
    key: Vec<u8>,
    row: RowRef,
}

/// The first of some candidates, among which are the first of all.
pub(super) fn first_of(
    reading: &Reading<'_>,
    candidates: Vec<RowRef>,
    ranks: Option<&Ranks>,
    cost: &mut Cost,
) -> Result<Vec<RowRef>, Stop> {
    let top = reading.input.plan.top.map_or(usize::MAX, |top| top as usize);
    by_keys(reading, candidates.into_iter(), top, ranks, cost)
}

fn by_keys(
    reading: &Reading<'_>,
    rows: impl Iterator<Item = RowRef>,
    top: usize,
    ranks: Option<&Ranks>,
    cost: &mut Cost,
) -> Result<Vec<RowRef>, Stop> {
    let order = |a: &Keyed, b: &Keyed| a.key.cmp(&b.key).then_with(|| reading.id(a.row).cmp(reading.id(b.row)));
    let keep = top.saturating_mul(2).saturating_add(ROWS_BETWEEN);
    let (mut found, mut bytes, mut unasked) = (Vec::new(), 0, 0);
    for row in rows {
        let key = order_key(reading, row, ranks);
        bytes += key.capacity() + size_of::<Keyed>();
        found.push(Keyed { key, row });
        unasked += 1;
        if unasked == ROWS_BETWEEN {
            reading.looked_at(unasked, bytes)?;
            unasked = 0;
        }
        if found.len() >= keep {
            found.sort_unstable_by(order);
            found.truncate(top);
            bytes = found.iter().map(|keyed| keyed.key.capacity() + size_of::<Keyed>()).sum();
        }
        cost.memory_bytes = cost.memory_bytes.max(bytes);
    }
    reading.looked_at(unasked, bytes)?;
    found.sort_unstable_by(order);
    found.truncate(top);
    Ok(found.into_iter().map(|keyed| keyed.row).collect())
}

/// What a row is ordered by, but its id.
fn order_key(reading: &Reading<'_>, row: RowRef, ranks: Option<&Ranks>) -> Vec<u8> {
    let score = ranks.map(|ranks| ranks.score(reading, row));
    let source = reading.source(row, score);
    order_key_of(reading, &source)
}

/// The same of anything that the order can be asked of.
pub(super) fn order_key_of(reading: &Reading<'_>, source: &impl Source) -> Vec<u8> {
    let mut out = Vec::new();
    for Order { expr, descending } in &reading.input.plan.order {
        let value = evaluate(expr, source, &reading.context);
        if *descending { key::encode_descending(&value, &mut out) } else { key::encode(&value, &mut out) }
    }
    out
}

/// Rows of the answer that are not the same, in their order, cut at `TOP`.
pub(super) fn distinct(
    reading: &Reading<'_>,
    matched: &Matched,
    ranks: Option<&Ranks>,
    cost: &mut Cost,
) -> Result<Vec<Value>, Stop> {
    let top = reading.input.plan.top.map_or(usize::MAX, |top| top as usize);
    let mut found = BTreeMap::new();
    let (mut bytes, mut unasked) = (0, 0);
    for row in matched.rows() {
        unasked += 1;
        if unasked == ROWS_BETWEEN {
            reading.looked_at(unasked, bytes)?;
            unasked = 0;
        }
        // What orders the rows is made of what is selected, so equal rows have one key.
        let mut key = order_key(reading, row, ranks);
        let score = ranks.map(|ranks| ranks.score(reading, row));
        element_keys(reading, row, score, &mut key);
        if found.contains_key(&key) {
            continue;
        }
        if let Some(value) = project::one(reading, row, ranks) {
            bytes += key.capacity() + value.memory_bytes() + 64;
            // A document stays as it is.
            let is_document = matches!(reading.input.plan.output, Output::Documents);
            found.insert(key, if is_document { value } else { canonical(value) });
        }
        if found.len() > top {
            found.pop_last();
        }
        cost.memory_bytes = cost.memory_bytes.max(bytes);
    }
    reading.looked_at(unasked, bytes)?;
    Ok(found.into_values().collect())
}

fn element_keys(reading: &Reading<'_>, row: RowRef, score: Option<f64>, out: &mut Vec<u8>) {
    let source = reading.source(row, score);
    match &reading.input.plan.output {
        Output::Rows(elements) | Output::Groups { elements, .. } => {
            for element in elements {
                key::encode(&evaluate(&element.expr, &source, &reading.context), out);
            }
        }
        Output::Documents => key::encode_value(reading.document(row).as_ref(), out),
    }
}

/// Members that stand for many rows are written alike whichever of these was met first.
pub(super) fn canonical(row: Value) -> Value {
    match row {
        Value::Object(members) => {
            let alike = |(name, value): (String, Value)| Some((name, representative(Datum::from(&value))?));
            Value::Object(members.into_iter().filter_map(alike).collect())
        }
        other => other,
    }
}
