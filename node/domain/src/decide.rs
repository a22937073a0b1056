//! From an operation to its changes: one match, each arm a call into the noun's module.

use std::sync::Arc;

use muster_planted::{self as planted, Bug};

use crate::{At, Event, EventKind, Key, Limits, Operation, Record, Rejection, evolve};
use crate::{asset, cluster, cursor, device, discovery, edge, feature, import, module, namespace, node};
use crate::{retention, saved_query, site, token, twin};

/// What `decide` may read: the records as of now, earlier operations of the same batch included.
///
/// Reading cannot fail here. An implementation over a disk remembers its first fault, answers anything, and throws the
/// decision away afterwards.
pub trait States {
    /// The record of `key`; a deleted one is still there as [`crate::Body::Deleted`].
    fn get(&self, key: &Key) -> Option<Arc<Record>>;

    /// The modules of a device, living ones only, in the order of their ids.
    fn modules(&self, namespace: &str, device: &str) -> Vec<Key>;

    /// Up to `limit` assets that refer to a device, living ones only, in the order of their ids.
    fn assets_of(&self, namespace: &str, device: &str, limit: usize) -> Vec<Key>;

    /// Up to `limit` sites that are directly inside of a site, living ones only, in the order of their ids.
    fn sites_of(&self, namespace: &str, site: &str, limit: usize) -> Vec<Key>;

    /// Up to `limit` devices, then assets, that an edge discovered, living ones only, in the order of their ids.
    fn discovered_of(&self, namespace: &str, edge: &str, limit: usize) -> Vec<Key>;

    /// Up to `limit` living cursors, saved queries, discovered devices and assets, edges, sites, assets and devices of a
    /// namespace, in this order, each in the order of their ids; what an edge discovered comes before the edge.
    fn contents(&self, namespace: &str, limit: usize) -> Vec<Key>;
}

/// One event and the record it leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The fact.
    pub event: Event,
    /// The record after it.
    pub after: Arc<Record>,
    /// The revision of the record's change before this one; 0 when there was none.
    pub previous: u64,
}

impl Change {
    /// Evolves `before` by an event of `kind`.
    #[must_use]
    pub fn new(key: Key, kind: EventKind, before: Option<&Record>, at: At) -> Self {
        let after = Arc::new(evolve(before, &kind, at));
        let previous = before.map_or(0, |record| record.updated_revision);
        Self { event: Event { key, kind }, after, previous }
    }
}

/// Decides what follows from `operation`. Changes are in order; the same key may appear twice.
///
/// # Errors
/// The rejection, which is the caller's answer.
pub fn decide(states: &dyn States, operation: &Operation, at: At, limits: &Limits) -> Result<Vec<Change>, Rejection> {
    feature::check(states, operation)?;
    match operation {
        Operation::InitializeCluster { .. } | Operation::RaiseFeatureLevel { .. } => {
            cluster::decide(states, operation, at)
        }
        Operation::RestoreCluster { .. } => cluster::decide_restored(states, operation, at),
        Operation::AdmitNode { .. }
        | Operation::UseJoinToken { .. }
        | Operation::PromoteNode { .. }
        | Operation::RemoveNode { .. } => node::decide(states, operation, at),
        Operation::CreateToken { .. } | Operation::RevokeToken { .. } => token::decide(states, operation, at),
        Operation::CreateCursor { .. } | Operation::AcknowledgeCursor { .. } | Operation::DeleteCursor { .. } => {
            cursor::decide(states, operation, at)
        }
        Operation::CreateSavedQuery { .. }
        | Operation::UpdateSavedQuery { .. }
        | Operation::DeleteSavedQuery { .. } => saved_query::decide(states, operation, at),
        Operation::CreateSite { .. } | Operation::UpdateSite { .. } | Operation::DeleteSite { .. } => {
            site::decide(states, operation, at)
        }
        Operation::CreateEdge { .. }
        | Operation::UpdateEdge { .. }
        | Operation::DeleteEdge { .. }
        | Operation::OpenEdgeSession { .. }
        | Operation::ApplyUplink { .. } => edge::decide(states, operation, at, limits),
        Operation::ReportDiscoveredDevice { .. }
        | Operation::ReportDiscoveredAsset { .. }
        | Operation::AcceptDiscovered { .. }
        | Operation::DismissDiscovered { .. }
        | Operation::DeleteDiscovered { .. } => discovery::decide(states, operation, at),
        Operation::CreateNamespace { .. } | Operation::UpdateNamespace { .. } | Operation::DeleteNamespace { .. } => {
            namespace::decide(states, operation, at)
        }
        Operation::CreateDevice { .. }
        | Operation::UpdateDevice { .. }
        | Operation::SetDeviceStatus { .. }
        | Operation::DeleteDevice { .. } => device::decide(states, operation, at),
        Operation::RegenerateKeys { key: Key::Module(..), .. }
        | Operation::CreateModule { .. }
        | Operation::UpdateModule { .. }
        | Operation::DeleteModule { .. } => module::decide(states, operation, at),
        Operation::RegenerateKeys { .. } => device::decide(states, operation, at),
        Operation::PatchTwin { .. } | Operation::ReplaceTwin { .. } | Operation::ReportProperties { .. } => {
            twin::decide(states, operation, at, limits)
        }
        Operation::ImportDevice(line) => import::decide(states, line, at, limits),
        Operation::CreateAsset { .. }
        | Operation::UpdateAsset { .. }
        | Operation::DeleteAsset { .. }
        | Operation::UpdateAssetStatus { .. } => asset::decide(states, operation, at),
        Operation::SetRetention { .. } | Operation::CompactEvents { .. } => retention::decide(states, operation, at),
    }
}

/// The record of `key` if the resource exists.
pub(crate) fn living(states: &dyn States, key: &Key) -> Option<Arc<Record>> {
    states.get(key).filter(|record| record.is_alive())
}

/// Refuses an `etag` that is not the record's; `None`, empty and `*` match any.
pub(crate) fn check_etag(etag: Option<&str>, record: &Record) -> Result<(), Rejection> {
    match etag {
        None | Some("" | "*") => Ok(()),
        Some(given) if given == record.etag() || planted::is(Bug::EtagIgnored) => Ok(()),
        Some(given) => Err(Rejection::etag("etag", given, record.etag())),
    }
}
