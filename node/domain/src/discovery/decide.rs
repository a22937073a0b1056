//! From an operation on a discovered thing to its changes. Reports and acceptance have files of their own.

use std::sync::Arc;

use super::{DiscoveryState, accept, count, report_asset, report_device};
use crate::decide::{check_etag, living};
use crate::limits::DISCOVERED_MAX;
use crate::{At, Body, Change, EventKind, Key, Operation, Reason, Record, Rejection, States};

/// Decides operations on discovered things.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::ReportDiscoveredDevice { namespace, edge, device, report } => {
            report_device(states, (namespace, edge), device, report, at)
        }
        Operation::ReportDiscoveredAsset { namespace, edge, asset, report } => {
            report_asset(states, (namespace, edge), asset, report, at)
        }
        Operation::AcceptDiscovered { key, resource, uuid, etag } => {
            accept::decide(states, &Found::new(states, key, etag.as_deref())?, resource, uuid, at)
        }
        Operation::DismissDiscovered { key, etag } => dismiss(states, &Found::new(states, key, etag.as_deref())?, at),
        Operation::DeleteDiscovered { key, etag } => {
            let found = Found::new(states, key, etag.as_deref())?;
            let count = count::removed(states, &found.namespace, &found.edge, at);
            Ok(vec![count, deletion(found.key, &found.record, at)])
        }
        _ => Ok(Vec::new()),
    }
}

/// A discovered thing that exists and has the etag that was asked for.
pub(super) struct Found {
    pub(super) key: Key,
    pub(super) namespace: String,
    pub(super) edge: String,
    /// Its own.
    pub(super) id: String,
    pub(super) record: Arc<Record>,
}

impl Found {
    fn new(states: &dyn States, key: &Key, etag: Option<&str>) -> Result<Self, Rejection> {
        let (Key::DiscoveredDevice(namespace, edge, id) | Key::DiscoveredAsset(namespace, edge, id)) = key else {
            let message = format!("{key} is no discovered device and no discovered asset");
            return Err(Rejection::new(Reason::InvalidField, "name", message));
        };
        let Some(record) = living(states, key) else { return Err(Rejection::not_found(key)) };
        check_etag(etag, &record)?;
        let (namespace, edge, id) = (namespace.clone(), edge.clone(), id.clone());
        Ok(Self { key: key.clone(), namespace, edge, id, record })
    }

    pub(super) fn state(&self) -> &DiscoveryState {
        match &self.record.body {
            Body::DiscoveredDevice(device) => &device.state,
            Body::DiscoveredAsset(asset) => &asset.state,
            _ => &DiscoveryState::New,
        }
    }

    pub(super) fn change(&self, kind: EventKind, at: At) -> Change {
        Change::new(self.key.clone(), kind, Some(&self.record), at)
    }

    /// Refuses what cannot be as long as the resource that was made from it lives.
    pub(super) fn check_not_in_use(&self, states: &dyn States, verb: &str) -> Result<(), Rejection> {
        match accept::real(states, &self.key, self.state()) {
            Some(real) => {
                let message = format!("{} was accepted as {real}: delete that first, then {verb}", self.key);
                Err(Rejection::new(Reason::AlreadyAccepted, "name", message))
            }
            None => Ok(()),
        }
    }
}

fn dismiss(states: &dyn States, found: &Found, at: At) -> Result<Vec<Change>, Rejection> {
    if *found.state() == DiscoveryState::Dismissed {
        return Ok(Vec::new());
    }
    found.check_not_in_use(states, "dismiss it")?;
    Ok(vec![found.change(EventKind::DiscoveredDismissed, at)])
}

/// The end of a discovered thing, the count aside.
pub(crate) fn deletion(key: Key, record: &Record, at: At) -> Change {
    Change::new(key, EventKind::DiscoveredDeleted, Some(record), at)
}

/// The end of everything that an edge discovered.
pub(crate) fn end_of_edge(states: &dyn States, namespace: &str, edge: &str, at: At) -> Vec<Change> {
    let most = usize::try_from(DISCOVERED_MAX).unwrap_or(usize::MAX);
    let things = states.discovered_of(namespace, edge, most);
    let ends = things.into_iter().filter_map(|key| {
        let record = living(states, &key)?;
        Some(deletion(key, &record, at))
    });
    ends.chain(ending_of_count(states, namespace, edge, at)).collect()
}

/// The end of the count of an edge that goes.
pub(crate) fn ending_of_count(states: &dyn States, namespace: &str, edge: &str, at: At) -> Option<Change> {
    let key = count_key(namespace, edge);
    let record = living(states, &key)?;
    Some(Change::new(key, EventKind::DiscoveryEnded, Some(&record), at))
}

pub(super) fn device_key(namespace: &str, edge: &str, device: &str) -> Key {
    Key::DiscoveredDevice(namespace.to_owned(), edge.to_owned(), device.to_owned())
}

pub(super) fn asset_key(namespace: &str, edge: &str, asset: &str) -> Key {
    Key::DiscoveredAsset(namespace.to_owned(), edge.to_owned(), asset.to_owned())
}

pub(super) fn count_key(namespace: &str, edge: &str) -> Key {
    Key::DiscoveryCount(namespace.to_owned(), edge.to_owned())
}
