//! Aggregates over the rows of one group: add values, finish.
//!
//! It knows no rows and no groups: values arrive one by one. Invariants:
//!
//! - The result does not depend on the order of values.
//! - [`Accumulator::memory_bytes`] counts what grows, so that a caller can keep a budget.

mod accumulator;
mod counted;
mod distinct;
mod extreme;
mod histogram;
mod percentile;
mod sum;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use accumulator::Accumulator;
pub use sum::ExactSum;

use crate::evaluate::Datum;

/// Whether a value counts for `COUNT(x)`: it is defined and not null.
fn counts(value: &Datum<'_>) -> bool {
    !matches!(value, Datum::Undefined | Datum::Null)
}

/// Whether a value can be a minimum or maximum.
fn is_ordered(value: &Datum<'_>) -> bool {
    matches!(value, Datum::Bool(_) | Datum::Int(_) | Datum::Float(_) | Datum::Str(_))
}
