//! Values that are keys of sorted maps.

use std::cmp::Ordering;

use crate::evaluate::{Datum, order};
use crate::value::Value;

/// A value in the total order; what is the same is one key.
#[derive(Debug, Clone)]
pub(super) struct Ordered(pub(super) Value);

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        order::compare(&Datum::from(&self.0), &Datum::from(&other.0))
    }
}
impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Ordered {}

/// What a number, text or boolean takes besides itself.
pub(super) fn held_bytes(value: &Value) -> usize {
    if let Value::String(text) = value { text.capacity() } else { 0 }
}

/// Takes one away from a counted value, which is gone when none is left.
pub(super) fn take_one<K: Ord>(counted: &mut std::collections::BTreeMap<K, u64>, key: &K) {
    if let Some(count) = counted.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counted.remove(key);
        }
    }
}
