//! The id of each row. They lie by row, not by code as texts of columns do: finding a row by its id reads the id of a candidate,
//! and each place less to look at there is a wait for memory less.

use std::sync::Arc;

use super::Row;

/// Rows of a part: what a new row copies at most, beside pointers.
const PART: usize = 64;

#[derive(Debug, Clone)]
struct Part {
    /// Where the id of each row ends; it begins where the one before ends.
    ends: [u32; PART],
    bytes: Box<[u8]>,
}

/// Ids by row, as a snapshot holds them.
#[derive(Debug, Clone, Default)]
pub(super) struct RowIds {
    parts: Arc<Vec<Arc<Part>>>,
    bytes: usize,
}

impl Part {
    fn get(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.bytes[start..self.ends[at] as usize]
    }

    fn set(&mut self, at: usize, id: &[u8]) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.get(at).len() + id.len());
        let mut ends = [0; PART];
        for (other, end) in ends.iter_mut().enumerate() {
            bytes.extend_from_slice(if other == at { id } else { self.get(other) });
            *end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        }
        (self.bytes, self.ends) = (bytes.into(), ends);
    }
}

impl RowIds {
    /// The id of a row; empty for a free place.
    #[inline]
    pub(super) fn get(&self, row: Row) -> &str {
        std::str::from_utf8(self.bytes_of(row)).unwrap_or_default()
    }

    /// Whether a row has this id.
    #[inline]
    pub(super) fn is(&self, row: Row, id: &str) -> bool {
        self.bytes_of(row) == id.as_bytes()
    }

    #[inline]
    fn bytes_of(&self, row: Row) -> &[u8] {
        let part = self.parts.get(row.index() / PART);
        part.map_or(&[], |part| part.get(row.index() % PART))
    }

    /// Gives a row an id; an empty one takes it away.
    pub(super) fn set(&mut self, row: Row, id: &str) {
        self.bytes = self.bytes - self.bytes_of(row).len() + id.len();
        let parts = Arc::make_mut(&mut self.parts);
        let (part, at) = (row.index() / PART, row.index() % PART);
        if parts.len() <= part {
            let empty = Part { ends: [0; PART], bytes: Box::default() };
            parts.resize_with(part + 1, || Arc::new(empty.clone()));
        }
        Arc::make_mut(&mut parts[part]).set(at, id.as_bytes());
    }

    pub(super) fn memory_bytes(&self) -> usize {
        // With what the allocator keeps beside two blocks of a part.
        self.bytes + self.parts.len() * (size_of::<Part>() + 8 + 16 + 32)
    }
}
