//! Values in their order with how often each is there.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::evaluate::{Datum, order};
use crate::value::Value;

/// What an entry takes besides what its key holds.
const ENTRY_BYTES: usize = 64;

/// A key that knows its memory.
pub(super) trait Key: Ord {
    /// Bytes that it holds besides itself.
    fn held_bytes(&self) -> usize;
}

/// Values with their counts. How many there are and what they take is known at any time.
#[derive(Debug, Clone)]
pub(super) struct Counted<K> {
    counts: BTreeMap<K, u64>,
    held_bytes: usize,
}

impl<K> Default for Counted<K> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), held_bytes: 0 }
    }
}

impl<K: Key> Counted<K> {
    pub(super) fn add(&mut self, key: K) {
        let held_bytes = key.held_bytes();
        let count = self.counts.entry(key).or_default();
        if *count == 0 {
            self.held_bytes += held_bytes;
        }
        *count += 1;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(key, count)| (key, *count))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.held_bytes + self.counts.len() * ENTRY_BYTES
    }
}

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

impl Key for Ordered {
    fn held_bytes(&self) -> usize {
        held_bytes(&self.0)
    }
}

/// What a number, text or boolean takes besides itself.
pub(super) fn held_bytes(value: &Value) -> usize {
    if let Value::String(text) = value { text.len() } else { 0 }
}
