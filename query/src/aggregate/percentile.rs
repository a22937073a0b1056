//! Exact percentiles: all numbers are kept.

use std::cmp::Ordering;

use crate::evaluate::{Datum, number, order};
use crate::value::Value;

/// Up to here every integer is a double.
const EXACT: u64 = 1 << 53;

/// Numbers to be ranked.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    doubles: Vec<f64>,
    /// Those that no double may hold.
    integers: Vec<i64>,
}

impl Numbers {
    pub(super) fn add(&mut self, value: &Datum<'_>) {
        match value {
            Datum::Int(value) if value.unsigned_abs() > EXACT => self.integers.push(*value),
            Datum::Int(value) => self.doubles.push(number::to_double(*value)),
            Datum::Float(value) => self.doubles.push(*value),
            _ => {}
        }
    }

    pub(super) fn add_doubles(&mut self, values: &[f64]) {
        self.doubles.extend_from_slice(values);
    }

    /// The number at a rank of [`rank`].
    pub(super) fn percentile(mut self, percent: f64) -> Option<Value> {
        let at = rank(percent, (self.doubles.len() + self.integers.len()) as u64)?;
        let at = usize::try_from(at - 1).ok()?;
        if self.integers.is_empty() {
            let (_, found, _) = self.doubles.select_nth_unstable_by(at, f64::total_cmp);
            return order::representative(Datum::Float(*found));
        }
        let doubles = self.doubles.into_iter().map(Datum::Float);
        let mut all: Vec<Datum<'_>> = self.integers.into_iter().map(Datum::Int).chain(doubles).collect();
        let (_, found, _) =
            all.select_nth_unstable_by(at, |a, b| number::compare(a, b).then_with(|| integer_first(a, b)));
        order::representative(found.as_borrowed())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.doubles.capacity() + self.integers.capacity()) * size_of::<f64>()
    }
}

/// So that it does not depend on the order which of two that are the same is found.
fn integer_first(a: &Datum<'_>, b: &Datum<'_>) -> Ordering {
    matches!(a, Datum::Float(_)).cmp(&matches!(b, Datum::Float(_)))
}

/// Which one of `count` values in order, from 1: `ceil(percent / 100 * count)`, at least 1. `percent` is taken as the decimal
/// number that it is written as: 7 percent of 100 are 7, and 99.9 of 1,000 are 999, which doubles do not say.
pub(super) fn rank(percent: f64, count: u64) -> Option<u64> {
    if count == 0 {
        return None;
    }
    let (numerator, places) = decimal(percent);
    let rank = (numerator * u128::from(count)).div_ceil(100 * 10_u128.pow(places));
    Some(u64::try_from(rank).unwrap_or(u64::MAX).clamp(1, count))
}

/// A number from 0 to 100 as digits and how many of them stand behind the point; at most 15.
fn decimal(value: f64) -> (u128, u32) {
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = &fraction[..fraction.len().min(15)];
    let places = u32::try_from(fraction.len()).unwrap_or_default();
    (format!("{whole}{fraction}").parse().unwrap_or_default(), places)
}
