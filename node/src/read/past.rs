//! What lies between two revisions, and which revision a moment belongs to.

use std::collections::BTreeSet;

use muster_domain::Key;

use super::View;
use crate::store::error::StoreError;
use crate::store::event_log;

impl View {
    /// Keys of a namespace that changed after revision `from`, up to `to`; `None` when there are more than `most`.
    ///
    /// # Errors
    /// When the store fails, or events in between are no longer kept.
    pub fn changed_keys(
        &self,
        namespace: &str,
        from: u64,
        to: u64,
        most: usize,
    ) -> Result<Option<BTreeSet<Key>>, StoreError> {
        let mut keys = BTreeSet::new();
        event_log::visit(&self.states.db(), from + 1, to, |entry| {
            let own = entry.events.into_iter().map(|event| event.key);
            keys.extend(own.filter(|key| key.namespace() == Some(namespace)));
            Ok(keys.len() <= most)
        })?;
        Ok((keys.len() <= most).then_some(keys))
    }

    /// The last revision from `floor` on that is not later than `time_ms`; `None` when `floor` itself is later.
    ///
    /// # Errors
    /// When the store fails.
    pub fn revision_at(&self, time_ms: u64, floor: u64) -> Result<Option<u64>, StoreError> {
        let db = self.states.db();
        let is_later = |revision| {
            let entry = event_log::entry(&db, revision)?.ok_or_else(|| event_log::missing(&db, revision))?;
            Ok::<_, StoreError>(entry.time_ms > time_ms)
        };
        // Times never decrease from one revision to the next.
        let (mut low, mut high) = (floor.max(1), self.revision() + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_later(middle)? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low.checked_sub(1).filter(|found| *found >= floor.max(1)))
    }
}
