//! The floors in force, as the applying thread needs them: which change is the first of its record above the floor.
//!
//! All of it can be read back from the retention records.

use std::collections::BTreeMap;

use muster_domain::retention::{self, Retention};
use muster_domain::{Key, Record};

use crate::store::error::StoreError;
use crate::store::keys;
use crate::store::states::States;

/// Retention of the cluster and of the namespaces that have a record of their own.
#[derive(Debug, Default)]
pub(super) struct Floors {
    cluster: Retention,
    namespaces: BTreeMap<String, Retention>,
}

impl Floors {
    pub(super) fn load(states: &States) -> Result<Self, StoreError> {
        let mut floors = Self::default();
        if let Some(record) = states.get(&Key::Retention)? {
            floors.note(&Key::Retention, &record);
        }
        states.scan(&keys::namespace_retentions_prefix(), |key, record| floors.note(key, record))?;
        Ok(floors)
    }

    /// Takes over what a change made of a record; of records that are no retention nothing.
    pub(super) fn note(&mut self, key: &Key, record: &Record) {
        match key {
            Key::Retention => self.cluster = retention::of(Some(record)),
            Key::NamespaceRetention(namespace) => {
                self.namespaces.insert(namespace.clone(), retention::of(Some(record)));
            }
            _ => {}
        }
    }

    /// Below it nobody may read events.
    pub(super) fn physical(&self) -> u64 {
        retention::physical_floor(self.cluster, self.namespaces.values().copied())
    }
}
