//! The least or greatest of booleans, numbers and strings.

use std::cmp::Ordering;

use crate::evaluate::{Datum, order};
use crate::value::Value;

use super::counted::held_bytes;
use super::is_ordered;

/// A minimum or maximum.
#[derive(Debug, Clone)]
pub(super) struct Extreme {
    /// How a value compares to the one held when it takes its place.
    wanted: Ordering,
    held: Option<Value>,
}

impl Extreme {
    pub(super) fn least() -> Self {
        Self { wanted: Ordering::Less, held: None }
    }

    pub(super) fn greatest() -> Self {
        Self { wanted: Ordering::Greater, held: None }
    }

    pub(super) fn add(&mut self, value: &Datum<'_>) {
        if is_ordered(value) && self.is_better(value) {
            self.held = value.clone().into_value();
        }
    }

    fn is_better(&self, value: &Datum<'_>) -> bool {
        let Some(held) = &self.held else { return true };
        let compared = order::compare(value, &held.into());
        // Of two numbers that are the same the integer stays, whichever came first.
        compared == self.wanted || (compared.is_eq() && matches!(value, Datum::Int(_)))
    }

    pub(super) fn add_doubles(&mut self, values: &[f64]) {
        let best = values.iter().copied().reduce(|a, b| if b.partial_cmp(&a) == Some(self.wanted) { b } else { a });
        if let Some(best) = best {
            self.add(&Datum::Float(best));
        }
    }

    pub(super) fn add_ints(&mut self, values: &[i64]) {
        let best = values.iter().copied().reduce(|a, b| if b.cmp(&a) == self.wanted { b } else { a });
        if let Some(best) = best {
            self.add(&Datum::Int(best));
        }
    }

    pub(super) fn finish(self) -> Option<Value> {
        order::representative(self.held.as_ref().into())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, held_bytes)
    }
}
