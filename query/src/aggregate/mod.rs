//! Aggregates over the rows of one group: add values, merge what was added elsewhere, finish.
//!
//! It knows no rows and no groups: values arrive one by one. Invariants:
//!
//! - The result does not depend on the order of values, nor on how they were spread over what is merged.
//! - [`Accumulator::memory_bytes`] counts what grows, so that a caller can keep a budget.
//! - [`Reversible`] gives the same results, and forgets values as if they had never been added.

mod accumulator;
mod counted;
mod distinct;
mod extreme;
mod histogram;
mod percentile;
mod reversible;
mod sum;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use accumulator::Accumulator;
pub use reversible::Reversible;
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

fn is_number(value: &Datum<'_>) -> bool {
    matches!(value, Datum::Int(_) | Datum::Float(_))
}
