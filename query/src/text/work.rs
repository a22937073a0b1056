//! Making the index of a column, for a thread that may take its time.

use std::sync::Arc;

use super::make::{Earlier, make};
use super::{Fault, Indexed};
use crate::column::Column;

/// An index that is to be made or brought up to date. It holds the column as it was, nothing else of the table.
#[must_use = "an index is made by running it"]
pub struct Work {
    column: Arc<Column>,
    indexed: Arc<Indexed>,
    segment_max: usize,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Texts of the column.
    pub texts: usize,
    /// Rows that changed since the index before; `None` when there was none.
    pub changed: Option<usize>,
    /// Bytes of memory that the index takes.
    pub memory_bytes: usize,
}

impl Work {
    pub(crate) fn new(column: Arc<Column>, indexed: Arc<Indexed>, segment_max: usize) -> Self {
        Self { column, indexed, segment_max: segment_max.max(1) }
    }

    /// Does it. Queries use the index from then on.
    ///
    /// # Errors
    /// When the index cannot be made; queries go on without it or with the last one.
    pub fn run(self) -> Result<Made, Fault> {
        let at = self.indexed.earlier(self.column.version());
        let earlier = at.as_ref().map(|at| Earlier { index: &at.index, changed: &at.changed });
        let index = make(&self.column, earlier.as_ref(), self.segment_max)?;
        let (texts, memory_bytes) = (index.texts() + index.long.len(), index.memory_bytes());
        self.indexed.publish(Arc::new(index));
        Ok(Made { texts, changed: at.map(|at| at.changed.len()), memory_bytes })
    }
}
