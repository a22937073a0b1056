//! The records as the applying thread sees them: what is stored, with the changes of the open batch on top.
//!
//! - A change is visible to the next operation at once, and to nobody else until the batch is written.
//! - A command can be taken back as a whole ([`Overlay::begin`], [`Overlay::roll_back`]).
//! - Reading never fails here; the first fault is kept and must be asked for before anything is written.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use muster_domain::{Body, Change, Key, Record, States as DomainStates};
use muster_planted::{self as planted, Bug};

use crate::store::columns;
use crate::store::dead_runs::DeadRun;
use crate::store::error::StoreError;
use crate::store::keys::{self, Kind};
use crate::store::states::{Scan, States, decode};

/// Changed records by encoded key.
pub(crate) type Changed = BTreeMap<Vec<u8>, Arc<Record>>;

/// One open batch over the stored records.
pub(crate) struct Overlay<'a> {
    states: &'a States,
    changed: Changed,
    undo: Vec<(Vec<u8>, Option<Arc<Record>>)>,
    fault: RefCell<Option<StoreError>>,
    fills_cache: bool,
}

impl<'a> Overlay<'a> {
    /// For the applying thread: what it reads is remembered in the cache.
    pub(crate) fn for_apply(states: &'a States) -> Self {
        Self { states, changed: Changed::new(), undo: Vec::new(), fault: RefCell::new(None), fills_cache: true }
    }

    /// Beside the applying thread: it changes nothing, not even the cache.
    pub(crate) fn for_dry_run(states: &'a States) -> Self {
        Self { fills_cache: false, ..Self::for_apply(states) }
    }

    /// Marks the point that [`Overlay::roll_back`] returns to.
    pub(crate) fn begin(&mut self) {
        self.undo.clear();
    }

    /// Takes back everything since [`Overlay::begin`].
    pub(crate) fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(record) => self.changed.insert(key, record),
                None => self.changed.remove(&key),
            };
        }
    }

    /// Makes changes visible.
    pub(crate) fn put(&mut self, change: &Change) {
        let key = keys::state(&change.event.key);
        if self.fills_cache && change.after.is_alive() {
            self.states.dead_runs().revive(&key);
        }
        let before = self.changed.insert(key.clone(), Arc::clone(&change.after));
        self.undo.push((key, before));
    }

    /// All changed records, or the first fault.
    pub(crate) fn finish(self) -> Result<Changed, StoreError> {
        match self.fault.into_inner() {
            Some(fault) => Err(fault),
            None => Ok(self.changed),
        }
    }

    fn get_encoded(&self, key: &[u8]) -> Option<Arc<Record>> {
        if let Some(record) = self.changed.get(key) {
            return Some(Arc::clone(record));
        }
        let found = if self.fills_cache { self.states.get_for_apply(key) } else { self.states.get_encoded(key) };
        self.or_fault(found).flatten()
    }

    fn or_fault<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault.borrow_mut().get_or_insert(fault);
                None
            }
        }
    }

    /// Up to `limit` living records whose keys begin with `prefix`, in order.
    fn living(&self, prefix: &[u8], limit: usize) -> Vec<Key> {
        let mut found = Vec::new();
        let mut changed = self.changed.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded)).peekable();
        let mut take = |key: &[u8], record: &Record| {
            if record.is_alive() && found.len() < limit {
                found.extend(keys::parse_state(key));
            }
            found.len() < limit
        };
        let mut run = DeadRun::default();
        let after = if self.fills_cache { self.states.dead_runs().end(prefix) } else { None };
        let scan = Scan { family: columns::STATES, prefix, after: after.as_deref() };
        let result = scan.run(&self.states.db(), |key, stored| {
            while let Some((changed_key, record)) = changed.next_if(|(changed_key, _)| changed_key.as_slice() < key) {
                // What is changed here may live once it is written.
                run.end();
                if !take(changed_key, record) {
                    return Ok(false);
                }
            }
            if let Some((_, record)) = changed.next_if(|(changed_key, _)| changed_key.as_slice() == key) {
                run.end();
                return Ok(take(key, record));
            }
            let record = decode(key, stored)?;
            if record.is_alive() {
                run.end()
            } else {
                run.dead(key)
            }
            Ok(take(key, &record))
        });
        if self.fills_cache {
            self.states.dead_runs().note(prefix, run);
        }
        if self.or_fault(result).is_some() {
            for (key, record) in changed.take_while(|(key, _)| key.starts_with(prefix)) {
                if !take(key, record) {
                    break;
                }
            }
        }
        if planted::is(Bug::OrderOfAHash) {
            return found.into_iter().collect::<HashSet<_>>().into_iter().collect();
        }
        found
    }

    /// Up to `limit` living records of a kind that `refers` holds for, in the order of their ids. Those that are stored are
    /// found under `index`.
    fn indexed(
        &self,
        kind: Kind,
        namespace: &str,
        index: &[u8],
        limit: usize,
        key: impl Fn(String) -> Key,
        refers: impl Fn(&Body) -> bool,
    ) -> Vec<Key> {
        let in_namespace = keys::kind_prefix(kind, namespace);
        let changed = self.changed.range::<[u8], _>((Bound::Included(in_namespace.as_slice()), Bound::Unbounded));
        let changed: Vec<String> = changed
            .take_while(|(key, _)| key.starts_with(&in_namespace))
            .filter_map(|(key, _)| keys::id_at_end(&in_namespace, key))
            .collect();
        // Of the stored ones only those that are changed here can have gone elsewhere: as many more are enough.
        let enough = limit.saturating_add(changed.len());
        let mut ids = BTreeSet::new();
        let scan = Scan { family: columns::SECONDARY, prefix: index, after: None };
        let result = scan.run(&self.states.db(), |key, _| {
            ids.extend(keys::id_at_end(index, key));
            Ok(ids.len() < enough)
        });
        self.or_fault(result);
        ids.extend(changed);
        let found = |key: &Key| self.get(key).is_some_and(|record| refers(&record.body));
        ids.into_iter().map(key).filter(found).take(limit).collect()
    }
}

impl DomainStates for Overlay<'_> {
    fn get(&self, key: &Key) -> Option<Arc<Record>> {
        self.get_encoded(&keys::state(key))
    }

    fn modules(&self, namespace: &str, device: &str) -> Vec<Key> {
        self.living(&keys::modules_prefix(namespace, device), usize::MAX)
    }

    fn assets_of(&self, namespace: &str, device: &str, limit: usize) -> Vec<Key> {
        let index = keys::asset_by_device(namespace, device, "");
        self.indexed(
            Kind::Asset,
            namespace,
            &index,
            limit,
            |asset| Key::Asset(namespace.to_owned(), asset),
            |body| matches!(body, Body::Asset(asset) if asset.definition.device_ref.device == device),
        )
    }

    fn sites_of(&self, namespace: &str, parent: &str, limit: usize) -> Vec<Key> {
        let index = keys::site_by_parent(namespace, parent, "");
        self.indexed(
            Kind::Site,
            namespace,
            &index,
            limit,
            |site| Key::Site(namespace.to_owned(), site),
            |body| matches!(body, Body::Site(site) if site.definition.parent == parent),
        )
    }

    fn discovered_of(&self, namespace: &str, edge: &str, limit: usize) -> Vec<Key> {
        let mut found = self.living(&keys::discovered_prefix(Kind::DiscoveredDevice, namespace, edge), limit);
        let assets = keys::discovered_prefix(Kind::DiscoveredAsset, namespace, edge);
        if found.len() < limit {
            found.extend(self.living(&assets, limit - found.len()));
        }
        found
    }

    fn contents(&self, namespace: &str, limit: usize) -> Vec<Key> {
        let mut found = Vec::new();
        for kind in Kind::CONTENTS {
            let left = limit - found.len();
            if left > 0 {
                found.extend(self.living(&keys::kind_prefix(kind, namespace), left));
            }
        }
        found
    }
}
