//! How many different values: each once, as its key.

use std::collections::HashSet;

use crate::evaluate::{Datum, key};

/// What an entry takes besides the bytes of its key.
const ENTRY_BYTES: usize = 32;

/// Different values.
#[derive(Debug, Clone, Default)]
pub(super) struct Distinct {
    keys: HashSet<Box<[u8]>>,
    /// Kept, so that a value that is there already allocates nothing.
    scratch: Vec<u8>,
    key_bytes: usize,
}

impl Distinct {
    pub(super) fn add(&mut self, value: &Datum<'_>) {
        if !super::counts(value) {
            return;
        }
        self.scratch.clear();
        key::encode(value, &mut self.scratch);
        if !self.keys.contains(self.scratch.as_slice()) {
            self.key_bytes += self.scratch.len();
            self.keys.insert(self.scratch.as_slice().into());
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.keys.len() as u64
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.key_bytes + self.keys.capacity() * ENTRY_BYTES + self.scratch.capacity()
    }
}
