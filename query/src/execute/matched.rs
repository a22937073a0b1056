//! The rows that fulfil a plan's condition.

use super::access::{self, Candidates};
use super::filter::condition;
use super::rows::{Reading, RowRef};
use super::{ROWS_BETWEEN, Stop};
use crate::column::{Condition, Mask, Row};
use crate::evaluate::holds;
use crate::plan::Expr;
use std::borrow::Cow;

/// Pieces of columns between two looks at the time.
const PIECES_BETWEEN: usize = 64;
/// So few candidates are not worth taking the condition apart.
const EACH_MAX: usize = 8;

/// The rows that fulfil the condition.
pub(super) struct Matched {
    /// In the columns.
    pub(super) columns: Rows,
    /// Of the rows taken from documents.
    pub(super) sides: Vec<u32>,
}

/// Rows in the columns.
pub(super) enum Rows {
    /// In no order.
    Few(Vec<Row>),
    Many(Mask),
}

impl Rows {
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Few(rows) => rows.len(),
            Self::Many(mask) => mask.count(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        let (few, many) = match self {
            Self::Few(rows) => (Some(rows), None),
            Self::Many(mask) => (None, Some(mask)),
        };
        few.into_iter().flatten().copied().chain(many.into_iter().flat_map(Mask::iter))
    }

    /// As a mask of so many places.
    pub(super) fn mask(&self, slots: usize) -> Cow<'_, Mask> {
        match self {
            Self::Few(rows) => {
                let mut mask = Mask::none(slots);
                rows.iter().for_each(|row| mask.insert(*row));
                Cow::Owned(mask)
            }
            Self::Many(mask) => Cow::Borrowed(mask),
        }
    }
}

impl Matched {
    /// All rows of the collection.
    pub(super) fn all(reading: &Reading<'_>) -> Self {
        let mut columns = reading.snapshot().live().clone();
        reading.changed_rows().iter().for_each(|row| columns.remove(*row));
        Self { columns: Rows::Many(columns), sides: (0..count(reading.sides.len())).collect() }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = RowRef> + '_ {
        self.columns.iter().map(RowRef::Column).chain(self.sides.iter().map(|index| RowRef::Side(*index)))
    }

    pub(super) fn len(&self) -> usize {
        self.columns.count() + self.sides.len()
    }
}

/// Asks all rows.
pub(super) fn matching(reading: &Reading<'_>) -> Result<Matched, Stop> {
    let Some(filter) = &reading.input.plan.filter else { return Ok(Matched::all(reading)) };
    reading.looked_at(ROWS_BETWEEN, 0)?;
    if let Some(way) = access::found_or_made(reading, filter) {
        let columns = Rows::Few(few(reading, filter, way.candidates()));
        reading.tell_asked(0)?;
        return Ok(Matched { columns, sides: sides(reading)? });
    }
    let open = Matched::all(reading);
    let condition = condition(reading, filter, true);
    let mut pieces = 0;
    let columns = reading.snapshot().rows_where(&condition, true, &open.columns.mask(0), || {
        pieces += 1;
        reading.tell_asked(if pieces % PIECES_BETWEEN == 0 { 0 } else { ROWS_BETWEEN })
    })?;
    reading.tell_asked(0)?;
    Ok(Matched { columns: Rows::Many(columns), sides: sides(reading)? })
}

/// Those of some candidates that fulfil the condition.
fn few(reading: &Reading<'_>, filter: &Expr, mut candidates: Candidates<'_>) -> Vec<Row> {
    let changed = reading.changed_rows();
    candidates.proven.retain(|row| changed.binary_search(row).is_err());
    candidates.others.retain(|row| changed.binary_search(row).is_err());
    let is_open = |part: &&Expr| !candidates.parts.iter().any(|proven| std::ptr::eq(*proven, *part));
    let rest: Vec<&Expr> = match filter {
        Expr::And(parts) => parts.iter().filter(is_open).collect(),
        other => Some(other).into_iter().filter(is_open).collect(),
    };
    let mut found = among(reading, &rest, candidates.proven);
    found.extend(among(reading, &[filter], candidates.others));
    found
}

/// Those of some rows that fulfil all parts.
fn among(reading: &Reading<'_>, parts: &[&Expr], mut rows: Vec<Row>) -> Vec<Row> {
    if parts.is_empty() {
        return rows;
    }
    if rows.len() <= EACH_MAX {
        let fulfils = |row: Row, part: &Expr| holds(part, &reading.source(RowRef::Column(row), None), &reading.context);
        rows.retain(|row| reading.snapshot().live().contains(*row) && parts.iter().all(|part| fulfils(*row, part)));
        return rows;
    }
    rows.sort_unstable();
    let conditions = parts.iter().map(|part| condition(reading, part, false)).collect();
    reading.snapshot().rows_among(&Condition::all(None, conditions), &rows)
}

/// Rows taken from documents, whether they fulfil the condition or not.
pub(super) fn all_sides(reading: &Reading<'_>) -> impl Iterator<Item = RowRef> + use<> {
    (0..count(reading.sides.len())).map(RowRef::Side)
}

/// Those of the rows taken from documents that fulfil the condition.
fn sides(reading: &Reading<'_>) -> Result<Vec<u32>, Stop> {
    let mut sides = Vec::new();
    for index in 0..count(reading.sides.len()) {
        reading.looked_at(1, 0)?;
        if fulfils(reading, RowRef::Side(index)) {
            sides.push(index);
        }
    }
    Ok(sides)
}

/// Whether one row fulfils the condition.
pub(super) fn fulfils(reading: &Reading<'_>, row: RowRef) -> bool {
    let condition = reading.input.plan.filter.as_ref();
    condition.is_none_or(|condition| holds(condition, &reading.source(row, None), &reading.context))
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
