//! How many numbers are in each bucket of one width.

use std::collections::BTreeMap;

use crate::evaluate::{Datum, number, order};
use crate::value::Value;

use super::ordered::Ordered;

/// What an entry of the map takes.
const ENTRY_BYTES: usize = 64;

/// Counts by bucket; those that are empty are not there.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    width: Option<Value>,
    buckets: BTreeMap<Ordered, u64>,
}

impl Histogram {
    /// Of a width above 0; of any other one nothing is counted.
    pub(super) fn new(width: Option<&Value>) -> Self {
        Self { width: width.cloned(), buckets: BTreeMap::new() }
    }

    fn bucket(&self, value: &Datum<'_>) -> Option<Ordered> {
        order::representative(number::bucket(value, &self.width.as_ref().into())).map(Ordered)
    }

    pub(super) fn add(&mut self, value: &Datum<'_>) {
        if let Some(bucket) = self.bucket(value) {
            *self.buckets.entry(bucket).or_default() += 1;
        }
    }

    /// Takes back a value that was added.
    pub(super) fn remove(&mut self, value: &Datum<'_>) {
        if let Some(bucket) = self.bucket(value) {
            super::ordered::take_one(&mut self.buckets, &bucket);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (bucket, count) in other.buckets {
            *self.buckets.entry(bucket).or_default() += count;
        }
    }

    pub(super) fn finish(&self) -> Value {
        let bucket = |(from, count): (&Ordered, &u64)| {
            let count = super::accumulator::count(*count);
            Value::object(vec![("from".to_owned(), from.0.clone()), ("count".to_owned(), count)])
        };
        Value::Array(self.buckets.iter().map(bucket).collect())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.buckets.len() * ENTRY_BYTES
    }
}
