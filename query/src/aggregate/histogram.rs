//! How many numbers are in each bucket of one width.

use crate::evaluate::{Datum, number, order};
use crate::value::Value;

use super::counted::{Counted, Ordered};

/// Counts by bucket; those that are empty are not there.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    width: Option<Value>,
    buckets: Counted<Ordered>,
}

impl Histogram {
    /// Of a width above 0; of any other one nothing is counted.
    pub(super) fn new(width: Option<&Value>) -> Self {
        Self { width: width.cloned(), buckets: Counted::default() }
    }

    fn bucket(&self, value: &Datum<'_>) -> Option<Ordered> {
        order::representative(number::bucket(value, &self.width.as_ref().into())).map(Ordered)
    }

    pub(super) fn add(&mut self, value: &Datum<'_>) {
        if let Some(bucket) = self.bucket(value) {
            self.buckets.add(bucket);
        }
    }

    pub(super) fn finish(&self) -> Value {
        let bucket = |(from, count): (&Ordered, u64)| {
            let count = super::accumulator::count(count);
            Value::object(vec![("from".to_owned(), from.0.clone()), ("count".to_owned(), count)])
        };
        Value::Array(self.buckets.iter().map(bucket).collect())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.buckets.memory_bytes()
    }
}
