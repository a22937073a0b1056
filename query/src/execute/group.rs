//! Groups and their aggregates.
//!
//! By columns where the only key is a column with few values and every argument is a column; row by row otherwise. Both ways
//! fill the same groups, and rows from documents join them.

use std::collections::HashMap;

use super::matched::{Matched, Rows};
use super::order::canonical;
use super::places::Place;
use super::project::object;
use super::rows::{Reading, RowRef, datum};
use super::{Cost, GROUPS_MAX, ROWS_BETWEEN, Stop};
use crate::aggregate::Accumulator;
use crate::column::{Cell, ColumnId};
use crate::evaluate::{Datum, GroupRow, evaluate, holds, key, order};
use crate::plan::{Aggregate, Element, Expr, Order, Output, Root};
use crate::value::Value;

/// Rows between two looks at how much memory the groups take: it costs a walk over all of them.
const ROWS_BETWEEN_MEASURES: usize = 1 << 16;

/// Fewer rows are grouped one by one: columns are read as a whole.
const ROWS_BY_COLUMNS: usize = 2_048;

/// The parts of a grouped plan.
struct Grouped<'p> {
    keys: &'p [Expr],
    aggregates: &'p [Aggregate],
    elements: &'p [Element],
    having: Option<&'p Expr>,
}

#[derive(Default)]
struct Groups {
    by_key: HashMap<Vec<u8>, usize>,
    keys: Vec<Vec<Option<Value>>>,
    accumulators: Vec<Vec<Accumulator>>,
}

impl Groups {
    /// The group of a key, made if there is none.
    fn of(
        &mut self,
        encoded: &[u8],
        aggregates: &[Aggregate],
        values: impl FnOnce() -> Vec<Option<Value>>,
    ) -> Result<usize, Stop> {
        if let Some(index) = self.by_key.get(encoded) {
            return Ok(*index);
        }
        let index = self.keys.len();
        if index == GROUPS_MAX {
            return Err(Stop::Budget(format!("the answer has more than {GROUPS_MAX} groups")));
        }
        self.by_key.insert(encoded.to_vec(), index);
        self.keys.push(values());
        self.accumulators.push(aggregates.iter().map(Accumulator::new).collect());
        Ok(index)
    }

    fn memory_bytes(&self) -> usize {
        let inner: usize = self.accumulators.iter().flatten().map(Accumulator::memory_bytes).sum();
        let each = 160 + self.accumulators.first().map_or(0, |all| all.len() * size_of::<Accumulator>());
        inner + self.keys.len() * each
    }
}

/// The rows of a grouped plan's answer, in their order.
pub(super) fn groups(reading: &Reading<'_>, matched: &Matched, cost: &mut Cost) -> Result<Vec<Value>, Stop> {
    let Output::Groups { keys, aggregates, elements, having } = &reading.input.plan.output else {
        return Ok(Vec::new());
    };
    let grouped = Grouped { keys, aggregates, elements, having: having.as_ref() };
    let mut groups = Groups::default();
    if grouped.keys.is_empty() {
        groups.of(&[], aggregates, Vec::new)?;
    }
    if !by_columns(reading, &grouped, matched, &mut groups)? {
        row_by_row(reading, &grouped, matched.columns.iter().map(RowRef::Column), &mut groups)?;
    }
    row_by_row(reading, &grouped, matched.sides.iter().map(|index| RowRef::Side(*index)), &mut groups)?;
    cost.memory_bytes = groups.memory_bytes();
    reading.looked_at(0, cost.memory_bytes)?;
    Ok(finished(reading, &grouped, groups))
}

fn row_by_row(
    reading: &Reading<'_>,
    grouped: &Grouped<'_>,
    rows: impl Iterator<Item = RowRef>,
    groups: &mut Groups,
) -> Result<(), Stop> {
    let mut encoded = Vec::new();
    for (index, row) in rows.enumerate() {
        if index % ROWS_BETWEEN == ROWS_BETWEEN - 1 {
            let measured = index % ROWS_BETWEEN_MEASURES == ROWS_BETWEEN_MEASURES - 1;
            reading.looked_at(ROWS_BETWEEN, if measured { groups.memory_bytes() } else { 0 })?;
        }
        let source = reading.source(row, None);
        let keys: Vec<Datum<'_>> = grouped.keys.iter().map(|key| evaluate(key, &source, &reading.context)).collect();
        encoded.clear();
        keys.iter().for_each(|value| key::encode(value, &mut encoded));
        let group = groups.of(&encoded, grouped.aggregates, || {
            keys.iter().map(|value| order::representative(value.as_borrowed())).collect()
        })?;
        for (aggregate, accumulator) in grouped.aggregates.iter().zip(&mut groups.accumulators[group]) {
            match aggregate.argument() {
                Some(argument) => accumulator.add(&evaluate(argument, &source, &reading.context)),
                None => accumulator.add_rows(1),
            }
        }
    }
    Ok(())
}

/// Fills the groups from columns, if that is possible.
fn by_columns(
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

fn finished(reading: &Reading<'_>, grouped: &Grouped<'_>, groups: Groups) -> Vec<Value> {
    let mut rows = Vec::new();
    for (keys, accumulators) in groups.keys.into_iter().zip(groups.accumulators) {
        let aggregates: Vec<Option<Value>> = accumulators.into_iter().map(Accumulator::finish).collect();
        let source = GroupRow { keys: &keys, aggregates: &aggregates };
        if grouped.having.is_some_and(|having| !holds(having, &source, &reading.context)) {
            continue;
        }
        let mut place = Vec::new();
        for Order { expr, descending } in &reading.input.plan.order {
            let value = evaluate(expr, &source, &reading.context);
            if *descending { key::encode_descending(&value, &mut place) } else { key::encode(&value, &mut place) }
        }
        if reading.input.plan.distinct {
            // What orders distinct rows is made of their elements, so equal rows have one key.
            let elements = grouped.elements.iter();
            elements.for_each(|element| key::encode(&evaluate(&element.expr, &source, &reading.context), &mut place));
        } else {
            keys.iter().for_each(|value| key::encode_value(value.as_ref(), &mut place));
        }
        let row = object(grouped.elements, &source, &reading.context);
        rows.push((place, if reading.input.plan.distinct { canonical(row) } else { row }));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.dedup_by(|a, b| a.0 == b.0);
    rows.truncate(reading.input.plan.top.map_or(usize::MAX, |top| top as usize));
    rows.into_iter().map(|(_, row)| row).collect()
}
