//! Aggregates over the rows of one group: add values, merge what was added elsewhere, finish.
//!
//! It knows no rows and no groups: values arrive one by one. Invariants:
//!
//! - The result does not depend on the order of values, nor on how they were spread over what is merged.
//! - [`Accumulator::memory_bytes`] counts what grows, so that a caller can keep a budget.

use crate::evaluate::Datum;
use crate::plan;
use crate::value::Value;


/// One aggregate of one group.
#[derive(Debug, Clone)]
pub struct Accumulator {
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Rows(u64),
}

impl Accumulator {
    /// Nothing added yet.
    #[must_use]
    pub fn new(_aggregate: &plan::Aggregate) -> Self {
        Self { state: State::Rows(0) }
    }

    /// Adds the value of the aggregate's argument for one row; for `COUNT()` anything.
    pub fn add(&mut self, _value: &Datum<'_>) {}

    /// Adds `rows` rows to `COUNT()`; nothing to others.
    pub fn add_rows(&mut self, _rows: u64) {}

    /// Adds numbers; as [`Accumulator::add`] for each of them, but in one go.
    pub fn add_doubles(&mut self, _values: &[f64]) {}

    /// Adds numbers; as [`Accumulator::add`] for each of them, but in one go.
    pub fn add_ints(&mut self, _values: &[i64]) {}

    /// Adds what another accumulator of the same aggregate was given.
    pub fn merge(&mut self, _other: Self) {}

    /// The result; `None` is undefined.
    #[must_use]
    pub fn finish(self) -> Option<Value> {
        let State::Rows(_) = self.state;
        None
    }

    /// About how much memory it holds besides itself.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        0
    }
}
