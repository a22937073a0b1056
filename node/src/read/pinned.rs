//! The state as of one revision, as the domain reads it: for rules that have to be asked about the past, or about a moment that
//! the store is beyond already.
//!
//! It knows no rule. Invariant: what is read is what lived at the revision; deleted resources are absent.

use std::cell::RefCell;
use std::sync::Arc;

use muster_domain::{Body, Key, Record, States};

use super::View;
use crate::store::columns;
use crate::store::error::StoreError;
use crate::store::keys::{self, Kind};
use crate::store::states::Scan;

/// See the module. Reads records, perhaps from the disk: not for threads that drive tasks.
pub struct Pinned<'v> {
    view: &'v View,
    revision: u64,
    fault: RefCell<Option<StoreError>>,
}

impl View {
    /// The state as of `revision`.
    #[must_use]
    pub fn pinned(&self, revision: u64) -> Pinned<'_> {
        Pinned { view: self, revision, fault: RefCell::new(None) }
    }
}

impl Pinned<'_> {
    /// As of when it is.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// To be asked at the end: whether all that was read could be read.
    ///
    /// # Errors
    /// The first fault.
    pub fn finish(&self) -> Result<(), StoreError> {
        self.fault.take().map_or(Ok(()), Err)
    }

    fn or_fault<T: Default>(&self, result: Result<T, StoreError>) -> T {
        result.unwrap_or_else(|error| {
            self.fault.borrow_mut().get_or_insert(error);
            T::default()
        })
    }

    /// Keys below `prefix` that lived at the revision, at most `limit`.
    fn living(&self, family: &str, prefix: &[u8], limit: usize, key_of: impl Fn(&[u8]) -> Option<Key>) -> Vec<Key> {
        let mut found = Vec::new();
        let scan = Scan { family, prefix, after: None };
        let scanned = scan.run(&self.view.states.db(), |stored_key, _| {
            found.extend(key_of(stored_key).filter(|key| self.get(key).is_some()));
            Ok(found.len() < limit)
        });
        self.or_fault(scanned);
        found
    }
}

impl States for Pinned<'_> {
    fn get(&self, key: &Key) -> Option<Arc<Record>> {
        self.or_fault(self.view.get_at(key, self.revision))
    }

    fn modules(&self, namespace: &str, device: &str) -> Vec<Key> {
        self.living(columns::STATES, &keys::modules_prefix(namespace, device), usize::MAX, keys::parse_state)
    }

    fn assets_of(&self, namespace: &str, device: &str, limit: usize) -> Vec<Key> {
        // What referred to the device at the revision and does so no more is not found; nobody asks for the past here.
        let prefix = keys::asset_by_device(namespace, device, "");
        let asset = |stored_key: &[u8]| Some(Key::Asset(namespace.to_owned(), keys::id_at_end(&prefix, stored_key)?));
        let mut assets = self.living(columns::SECONDARY, &prefix, limit, asset);
        assets.retain(|key| {
            self.get(key).is_some_and(
                |record| matches!(&record.body, Body::Asset(asset) if asset.definition.device_ref.device == device),
            )
        });
        assets
    }

    fn sites_of(&self, namespace: &str, site: &str, limit: usize) -> Vec<Key> {
        let prefix = keys::kind_prefix(Kind::Site, namespace);
        let mut sites = self.living(columns::STATES, &prefix, usize::MAX, keys::parse_state);
        sites.retain(|key| {
            self.get(key)
                .is_some_and(|record| matches!(&record.body, Body::Site(inside) if inside.definition.parent == site))
        });
        sites.truncate(limit);
        sites
    }

    fn discovered_of(&self, namespace: &str, edge: &str, limit: usize) -> Vec<Key> {
        let mut found = Vec::new();
        for kind in [Kind::DiscoveredDevice, Kind::DiscoveredAsset] {
            let prefix = keys::discovered_prefix(kind, namespace, edge);
            found.extend(self.living(columns::STATES, &prefix, limit - found.len(), keys::parse_state));
        }
        found
    }

    fn contents(&self, namespace: &str, limit: usize) -> Vec<Key> {
        let mut found = Vec::new();
        for kind in Kind::CONTENTS {
            let prefix = keys::kind_prefix(kind, namespace);
            found.extend(self.living(columns::STATES, &prefix, limit - found.len(), keys::parse_state));
        }
        found
    }
}
