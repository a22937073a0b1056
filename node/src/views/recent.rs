//! Which rows changed lately, for those who follow; whoever needs more compares whole answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Views;
use super::tables::{ChangedRow, Which};
use crate::apply::Position;

/// Changed rows that are remembered.
const ROWS_MAX: usize = 200_000;

/// Rows changed lately, by the revision their batch ended with; complete after `from`.
pub(super) struct Recent {
    batches: VecDeque<(u64, Vec<ChangedRow>)>,
    rows: usize,
    from: u64,
}

impl Recent {
    /// Nothing is remembered up to a revision.
    pub(super) fn after(revision: u64) -> Self {
        Self { batches: VecDeque::new(), rows: 0, from: revision }
    }

    pub(super) fn note(&mut self, revision: u64, rows: Vec<ChangedRow>) {
        self.rows += rows.len();
        self.batches.push_back((revision, rows));
        while self.rows > ROWS_MAX
            && let Some((revision, rows)) = self.batches.pop_front()
        {
            self.rows -= rows.len();
            self.from = revision;
        }
    }

    /// Ids of rows of a collection that changed after `revision`, each once.
    fn since(&self, namespace: &str, which: Which, revision: u64) -> Option<Vec<String>> {
        if revision < self.from {
            return None;
        }
        let first = self.batches.partition_point(|(of, _)| *of <= revision);
        let rows = self.batches.range(first..).flat_map(|(_, rows)| rows);
        let mut ids: Vec<String> =
            rows.filter(|row| row.which == which && *row.namespace == *namespace).map(|row| row.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        Some(ids)
    }
}

/// While it lives, the views remember which rows change.
pub struct Following(pub(super) Arc<Views>);

impl Following {
    /// Rows of a collection that changed after `revision`, each once, up to the position returned. `None` when not all of them
    /// are remembered.
    #[must_use]
    pub fn changed_since(&self, namespace: &str, which: Which, revision: u64) -> Option<(Position, Vec<String>)> {
        let inner = self.0.lock();
        Some((inner.position, inner.recent.since(namespace, which, revision)?))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Ordering::AcqRel);
    }
}
