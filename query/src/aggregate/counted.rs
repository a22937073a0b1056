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
    total: u64,
    held_bytes: usize,
}

impl<K> Default for Counted<K> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), total: 0, held_bytes: 0 }
    }
}

impl<K: Key> Counted<K> {
    pub(super) fn add(&mut self, key: K, times: u64) {
        let held_bytes = key.held_bytes();
        let count = self.counts.entry(key).or_default();
        if *count == 0 {
            self.held_bytes += held_bytes;
        }
        *count += times;
        self.total += times;
    }

    /// Takes one away; one that is not there changes nothing.
    pub(super) fn take(&mut self, key: &K) {
        let Some(count) = self.counts.get_mut(key) else { return };
        *count -= 1;
        self.total -= 1;
        if *count == 0
            && let Some((key, _)) = self.counts.remove_entry(key)
        {
            self.held_bytes -= key.held_bytes();
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (key, count) in other.counts {
            self.add(key, count);
        }
    }

    /// Of all values, the same ones counted each time.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Of different values.
    pub(super) fn len(&self) -> u64 {
        self.counts.len() as u64
    }

    pub(super) fn first(&self) -> Option<&K> {
        self.counts.first_key_value().map(|(key, _)| key)
    }

    pub(super) fn last(&self) -> Option<&K> {
        self.counts.last_key_value().map(|(key, _)| key)
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

impl Key for Box<[u8]> {
    fn held_bytes(&self) -> usize {
        self.len()
    }
}

/// What a number, text or boolean takes besides itself.
pub(super) fn held_bytes(value: &Value) -> usize {
    if let Value::String(text) = value { text.len() } else { 0 }
}
