//! The records as an operation of a batch sees them: with the effects of those before it in the same command.
//!
//! Twins, the status of assets and what was discovered change on the way: nothing that is listed while deciding about them,
//! so everything that lists resources is what it is below.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Change, Key, Record, States};

/// Records over those of another.
pub(super) struct Overlay<'a> {
    below: &'a dyn States,
    changed: BTreeMap<Key, Arc<Record>>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(below: &'a dyn States) -> Self {
        Self { below, changed: BTreeMap::new() }
    }

    /// Makes changes visible to what follows.
    pub(super) fn put(&mut self, changes: &[Change]) {
        self.changed.extend(changes.iter().map(|change| (change.event.key.clone(), Arc::clone(&change.after))));
    }
}

impl States for Overlay<'_> {
    fn get(&self, key: &Key) -> Option<Arc<Record>> {
        self.changed.get(key).cloned().or_else(|| self.below.get(key))
    }

    fn modules(&self, namespace: &str, device: &str) -> Vec<Key> {
        self.below.modules(namespace, device)
    }

    fn assets_of(&self, namespace: &str, device: &str, limit: usize) -> Vec<Key> {
        self.below.assets_of(namespace, device, limit)
    }

    fn sites_of(&self, namespace: &str, site: &str, limit: usize) -> Vec<Key> {
        self.below.sites_of(namespace, site, limit)
    }

    fn discovered_of(&self, namespace: &str, edge: &str, limit: usize) -> Vec<Key> {
        self.below.discovered_of(namespace, edge, limit)
    }

    fn contents(&self, namespace: &str, limit: usize) -> Vec<Key> {
        self.below.contents(namespace, limit)
    }
}
