//! One aggregate that only grows.

use crate::evaluate::Datum;
use crate::plan::{Aggregate, Constant};
use crate::value::Value;

use super::distinct::Distinct;
use super::extreme::Extreme;
use super::histogram::Histogram;
use super::percentile::Numbers;
use super::sum::ExactSum;

/// One aggregate of one group.
#[derive(Debug, Clone)]
pub struct Accumulator(State);

#[derive(Debug, Clone)]
enum State {
    Rows(u64),
    Count(u64),
    Distinct(Distinct),
    Sum(ExactSum),
    Average(ExactSum),
    Extreme(Extreme),
    Percentile(Numbers, f64),
    Histogram(Histogram),
}

impl Accumulator {
    /// Nothing added yet.
    #[must_use]
    pub fn new(aggregate: &Aggregate) -> Self {
        Self(match aggregate {
            Aggregate::Rows => State::Rows(0),
            Aggregate::Count(_) => State::Count(0),
            Aggregate::CountDistinct(_) => State::Distinct(Distinct::default()),
            Aggregate::Sum(_) => State::Sum(ExactSum::default()),
            Aggregate::Average(_) => State::Average(ExactSum::default()),
            Aggregate::Min(_) => State::Extreme(Extreme::least()),
            Aggregate::Max(_) => State::Extreme(Extreme::greatest()),
            Aggregate::Percentile(_, percent) => State::Percentile(Numbers::default(), *percent),
            Aggregate::Histogram(_, Constant(width)) => State::Histogram(Histogram::new(width.as_ref())),
        })
    }

    /// Adds the value of the aggregate's argument for one row; for `COUNT()` any value.
    pub fn add(&mut self, value: &Datum<'_>) {
        match &mut self.0 {
            State::Rows(rows) => *rows += 1,
            State::Count(rows) => *rows += u64::from(super::counts(value)),
            State::Distinct(distinct) => distinct.add(value),
            State::Sum(sum) | State::Average(sum) => sum.add(value),
            State::Extreme(extreme) => extreme.add(value),
            State::Percentile(numbers, _) => numbers.add(value),
            State::Histogram(histogram) => histogram.add(value),
        }
    }

    /// Adds rows to `COUNT()`, or rows whose value is defined and not null to `COUNT(x)`; others need the values.
    pub fn add_rows(&mut self, rows: u64) {
        if let State::Rows(counted) | State::Count(counted) = &mut self.0 {
            *counted += rows;
        }
    }

    /// As [`Accumulator::add`] for each of these finite doubles, in one go.
    pub fn add_doubles(&mut self, values: &[f64]) {
        match &mut self.0 {
            State::Rows(rows) | State::Count(rows) => *rows += values.len() as u64,
            State::Sum(sum) | State::Average(sum) => sum.add_doubles(values),
            State::Extreme(extreme) => extreme.add_doubles(values),
            State::Percentile(numbers, _) => numbers.add_doubles(values),
            State::Distinct(_) | State::Histogram(_) => values.iter().for_each(|value| self.add(&Datum::Float(*value))),
        }
    }

    /// As [`Accumulator::add`] for each of these integers, in one go.
    pub fn add_ints(&mut self, values: &[i64]) {
        match &mut self.0 {
            State::Rows(rows) | State::Count(rows) => *rows += values.len() as u64,
            State::Sum(sum) | State::Average(sum) => sum.add_ints(values),
            State::Extreme(extreme) => extreme.add_ints(values),
            State::Percentile(..) | State::Distinct(_) | State::Histogram(_) => {
                values.iter().for_each(|value| self.add(&Datum::Int(*value)));
            }
        }
    }

    /// The result; `None` is undefined.
    #[must_use]
    pub fn finish(self) -> Option<Value> {
        match self.0 {
            State::Rows(rows) | State::Count(rows) => Some(count(rows)),
            State::Distinct(distinct) => Some(count(distinct.len())),
            State::Sum(sum) => sum.sum(),
            State::Average(sum) => sum.average(),
            State::Extreme(extreme) => extreme.finish(),
            State::Percentile(numbers, percent) => numbers.percentile(percent),
            State::Histogram(histogram) => Some(histogram.finish()),
        }
    }

    /// About how much memory it holds besides itself.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            State::Rows(_) | State::Count(_) => 0,
            State::Distinct(distinct) => distinct.memory_bytes(),
            State::Sum(sum) | State::Average(sum) => sum.memory_bytes(),
            State::Extreme(extreme) => extreme.memory_bytes(),
            State::Percentile(numbers, _) => numbers.memory_bytes(),
            State::Histogram(histogram) => histogram.memory_bytes(),
        }
    }
}

/// A count as a value.
pub(super) fn count(rows: u64) -> Value {
    Value::Int(i64::try_from(rows).unwrap_or(i64::MAX))
}
