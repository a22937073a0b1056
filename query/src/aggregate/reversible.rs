//! One aggregate that can also forget: for answers that are kept up to date while rows come, change and go.
//!
//! Counts and sums take a value back exactly. Minimum, maximum, percentile and distinct values keep every value with how
//! often it is there.

use crate::evaluate::{Datum, key, order};
use crate::plan::{Aggregate, Constant};
use crate::value::Value;

use super::accumulator::count;
use super::counted::{Counted, Ordered};
use super::histogram::Histogram;
use super::percentile::rank;
use super::sum::ExactSum;
use super::{counts, is_number, is_ordered};

/// One aggregate of one group of a live answer. Only what was added may be removed.
#[derive(Debug, Clone)]
pub struct Reversible(State);

#[derive(Debug, Clone)]
enum State {
    Rows(u64),
    Count(u64),
    Distinct(Counted<Box<[u8]>>),
    Sum(ExactSum),
    Average(ExactSum),
    Min(Counted<Ordered>),
    Max(Counted<Ordered>),
    Percentile(Counted<Ordered>, f64),
    Histogram(Histogram),
}

impl Reversible {
    /// Nothing added yet.
    #[must_use]
    pub fn new(aggregate: &Aggregate) -> Self {
        Self(match aggregate {
            Aggregate::Rows => State::Rows(0),
            Aggregate::Count(_) => State::Count(0),
            Aggregate::CountDistinct(_) => State::Distinct(Counted::default()),
            Aggregate::Sum(_) => State::Sum(ExactSum::default()),
            Aggregate::Average(_) => State::Average(ExactSum::default()),
            Aggregate::Min(_) => State::Min(Counted::default()),
            Aggregate::Max(_) => State::Max(Counted::default()),
            Aggregate::Percentile(_, percent) => State::Percentile(Counted::default(), *percent),
            Aggregate::Histogram(_, Constant(width)) => State::Histogram(Histogram::new(width.as_ref())),
        })
    }

    /// Adds the value of the aggregate's argument for one row; for `COUNT()` any value.
    pub fn add(&mut self, value: &Datum<'_>) {
        match &mut self.0 {
            State::Rows(rows) => *rows += 1,
            State::Count(rows) => *rows += u64::from(counts(value)),
            State::Distinct(values) if counts(value) => values.add(encoded(value), 1),
            State::Sum(sum) | State::Average(sum) => sum.add(value),
            State::Min(values) | State::Max(values) if is_ordered(value) => add_one(values, value),
            State::Percentile(values, _) if is_number(value) => add_one(values, value),
            State::Histogram(histogram) => histogram.add(value),
            State::Distinct(_) | State::Min(_) | State::Max(_) | State::Percentile(..) => {}
        }
    }

    /// Takes back a value that was added.
    pub fn remove(&mut self, value: &Datum<'_>) {
        match &mut self.0 {
            State::Rows(rows) => *rows = rows.saturating_sub(1),
            State::Count(rows) => *rows = rows.saturating_sub(u64::from(counts(value))),
            State::Distinct(values) => values.take(&encoded(value)),
            State::Sum(sum) | State::Average(sum) => sum.remove(value),
            State::Min(values) | State::Max(values) | State::Percentile(values, _) => {
                if let Some(value) = order::representative(value.as_borrowed()) {
                    values.take(&Ordered(value));
                }
            }
            State::Histogram(histogram) => histogram.remove(value),
        }
    }

    /// The result; `None` is undefined.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        match &self.0 {
            State::Rows(rows) | State::Count(rows) => Some(count(*rows)),
            State::Distinct(values) => Some(count(values.len())),
            State::Sum(sum) => sum.sum(),
            State::Average(sum) => sum.average(),
            State::Min(values) => values.first().map(|value| value.0.clone()),
            State::Max(values) => values.last().map(|value| value.0.clone()),
            State::Percentile(values, percent) => at_rank(values, *percent),
            State::Histogram(histogram) => Some(histogram.finish()),
        }
    }

    /// About how much memory it holds besides itself.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            State::Rows(_) | State::Count(_) => 0,
            State::Distinct(values) => values.memory_bytes(),
            State::Sum(sum) | State::Average(sum) => sum.memory_bytes(),
            State::Min(values) | State::Max(values) | State::Percentile(values, _) => values.memory_bytes(),
            State::Histogram(histogram) => histogram.memory_bytes(),
        }
    }
}

fn encoded(value: &Datum<'_>) -> Box<[u8]> {
    let mut bytes = Vec::new();
    key::encode(value, &mut bytes);
    bytes.into()
}

fn add_one(values: &mut Counted<Ordered>, value: &Datum<'_>) {
    if let Some(value) = order::representative(value.as_borrowed()) {
        values.add(Ordered(value), 1);
    }
}

fn at_rank(values: &Counted<Ordered>, percent: f64) -> Option<Value> {
    let mut left = rank(percent, values.total())?;
    for (value, count) in values.iter() {
        if left <= count {
            return Some(value.0.clone());
        }
        left -= count;
    }
    None
}
