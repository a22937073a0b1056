//! Groups by columns: where the only key is a column with few values, or there is none, and every argument is a column.

use super::{Grouped, Groups};
use crate::aggregate::Accumulator;
use crate::column::{Cell, ColumnId};
use crate::evaluate::{key, order};
use crate::execute::matched::{Matched, Rows};
use crate::execute::places::Place;
use crate::execute::rows::Reading;
use crate::execute::seen::datum;
use crate::execute::{ROWS_BETWEEN, Stop};
use crate::plan::{Expr, Root};

/// Fewer rows are grouped one by one: columns are read as a whole.
const ROWS_BY_COLUMNS: usize = 2_048;

/// Fills the groups from columns, if that is possible.
pub(super) fn by_columns(
    reading: &Reading<'_>,
    grouped: &Grouped<'_>,
    matched: &Matched,
    groups: &mut Groups,
) -> Result<bool, Stop> {
    let is_counted = grouped.keys.is_empty() && grouped.aggregates.iter().all(|of| of.argument().is_none());
    if matches!(&matched.columns, Rows::Few(rows) if rows.len() < ROWS_BY_COLUMNS) && !is_counted {
        return Ok(false);
    }
    let mut arguments = Vec::new();
    for aggregate in grouped.aggregates {
        let argument = match aggregate.argument() {
            None => None,
            Some(argument) => match place(reading, argument) {
                Some(place) => Some(place),
                None => return Ok(false),
            },
        };
        arguments.push(argument);
    }
    let Some(of_row) = groups_of_rows(reading, grouped, matched, groups)? else { return Ok(false) };
    let mut columns: Vec<(ColumnId, Vec<usize>)> = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        match argument {
            None => of_row.each_count(|group, rows| groups.accumulators[group][index].add_rows(rows)),
            // Undefined adds nothing to any aggregate with an argument.
            Some(Place::Nowhere | Place::Document) => {}
            // One pass over a column for all aggregates of it.
            Some(Place::Column(column)) => match columns.iter_mut().find(|(known, _)| known == column) {
                Some((_, indexes)) => indexes.push(index),
                None => columns.push((*column, vec![index])),
            },
        }
    }
    for (column, indexes) in columns {
        reading.looked_at(ROWS_BETWEEN, 0)?;
        add_column(reading, matched, &of_row, column, &indexes, groups);
    }
    Ok(true)
}

fn place(reading: &Reading<'_>, argument: &Expr) -> Option<Place> {
    let Expr::Path(path) = argument else { return None };
    if path.root != Root::Row {
        return None;
    }
    let place = reading.places.of(path);
    match place {
        Place::Document => None,
        // An object counts, but what it is only its document tells.
        Place::Column(column) if reading.snapshot().holds_objects(column) => None,
        _ => Some(place),
    }
}

/// To which group each row belongs.
enum OfRow {
    /// All to the first.
    One(u64),
    /// By a code for each row; and how many rows each code has.
    Codes { codes: crate::column::Codes, group_of: Vec<usize>, counts: Vec<u64> },
}

impl OfRow {
    fn each_count(&self, mut add: impl FnMut(usize, u64)) {
        match self {
            Self::One(rows) => add(0, *rows),
            Self::Codes { group_of, counts, .. } => {
                for (group, rows) in group_of.iter().zip(counts).filter(|(_, rows)| **rows > 0) {
                    add(*group, *rows);
                }
            }
        }
    }
}

fn groups_of_rows(
    reading: &Reading<'_>,
    grouped: &Grouped<'_>,
    matched: &Matched,
    groups: &mut Groups,
) -> Result<Option<OfRow>, Stop> {
    let [key] = grouped.keys else {
        let one = grouped.keys.is_empty().then(|| OfRow::One(matched.columns.count() as u64));
        return Ok(one);
    };
    let Some(Place::Column(column)) = place(reading, key) else { return Ok(None) };
    let Some(codes) = reading.snapshot().codes(column) else { return Ok(None) };
    let counts = codes.counts(&matched.columns.mask(reading.snapshot().slots()));
    let mut group_of = vec![0; counts.len()];
    let mut encoded = Vec::new();
    for (code, rows) in counts.iter().enumerate() {
        if *rows > 0 {
            let Some(value) = datum(codes.cell(code)) else { return Ok(None) };
            encoded.clear();
            key::encode(&value, &mut encoded);
            let value = || vec![order::representative(value.as_borrowed())];
            group_of[code] = groups.of(&encoded, grouped.aggregates, value)?;
        }
    }
    Ok(Some(OfRow::Codes { codes, group_of, counts }))
}

/// Numbers that wait to be added together, which is cheaper than one by one.
#[derive(Default)]
struct Waiting {
    doubles: Vec<f64>,
    ints: Vec<i64>,
}

const WAITING_MAX: usize = 128;

impl Waiting {
    fn add(&mut self, accumulators: &mut [Accumulator], indexes: &[usize]) {
        for index in indexes {
            accumulators[*index].add_doubles(&self.doubles);
            accumulators[*index].add_ints(&self.ints);
        }
        self.doubles.clear();
        self.ints.clear();
    }
}

/// Adds the values of a column to all aggregates of it.
fn add_column(
    reading: &Reading<'_>,
    matched: &Matched,
    of_row: &OfRow,
    column: ColumnId,
    indexes: &[usize],
    groups: &mut Groups,
) {
    let mut waiting: Vec<Waiting> = std::iter::repeat_with(Waiting::default).take(groups.keys.len()).collect();
    let rows = matched.columns.mask(reading.snapshot().slots());
    reading.snapshot().for_each(column, &rows, |row, cell| {
        let group = match of_row {
            OfRow::One(_) => 0,
            OfRow::Codes { codes, group_of, .. } => group_of[codes.code(row)],
        };
        let (own, accumulators) = (&mut waiting[group], &mut groups.accumulators[group]);
        match cell {
            Cell::Int(value) => own.ints.push(value),
            Cell::Float(value) => own.doubles.push(value),
            other => {
                if let Some(value) = datum(other) {
                    indexes.iter().for_each(|index| accumulators[*index].add(&value));
                }
            }
        }
        if own.ints.len() + own.doubles.len() == WAITING_MAX {
            own.add(accumulators, indexes);
        }
    });
    for (own, accumulators) in waiting.iter_mut().zip(&mut groups.accumulators) {
        own.add(accumulators, indexes);
    }
}
