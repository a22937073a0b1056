//! Groups and their aggregates.
//!
//! By columns where the only key is a column with few values and every argument is a column; row by row otherwise. Both ways
//! fill the same groups, and rows from documents join them.

mod columns;

use std::collections::HashMap;

use super::matched::Matched;
use super::order::{canonical, order_key_of};
use super::project::object;
use super::rows::{Reading, RowRef};
use super::{Cost, GROUPS_MAX, ROWS_BETWEEN, Stop};
use crate::aggregate::Accumulator;
use crate::evaluate::{Datum, GroupRow, evaluate, holds, key, order};
use crate::plan::{Aggregate, Element, Expr, Output};
use crate::value::Value;

/// Rows between two looks at how much memory the groups take: it costs a walk over all of them.
const ROWS_BETWEEN_MEASURES: usize = 1 << 16;

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
    if !columns::by_columns(reading, &grouped, matched, &mut groups)? {
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

fn finished(reading: &Reading<'_>, grouped: &Grouped<'_>, groups: Groups) -> Vec<Value> {
    let mut rows = Vec::new();
    for (keys, accumulators) in groups.keys.into_iter().zip(groups.accumulators) {
        let aggregates: Vec<Option<Value>> = accumulators.into_iter().map(Accumulator::finish).collect();
        let source = GroupRow { keys: &keys, aggregates: &aggregates };
        if grouped.having.is_some_and(|having| !holds(having, &source, &reading.context)) {
            continue;
        }
        let mut place = order_key_of(reading, &source);
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
