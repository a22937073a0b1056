//! From a record and an event to the next record: one match, each arm a call into the noun's module.

use muster_planted::{self as planted, Bug};

use crate::asset::Asset;
use crate::device::Device;
use crate::discovery::DiscoveryCount;
use crate::edge::{Edge, EdgeSession};
use crate::module::Module;
use crate::saved_query::SavedQuery;
use crate::site::Site;
use crate::twin::Twin;
use crate::{At, Body, EventKind, Record, Tombstone, discovery, retention};

/// The record after `event`. Total: an event that does not fit the record leaves the body as it was, so that replaying
/// damaged history cannot panic; the chain hash is what detects damage.
#[must_use]
pub fn evolve(before: Option<&Record>, event: &EventKind, at: At) -> Record {
    let body = evolve_body(before, event, at);
    let begins = before.is_none_or(|record| !record.is_alive());
    let (created_revision, created_ms) = match before {
        Some(record) if !begins => (record.created_revision, record.created_ms),
        _ => (at.revision, at.time_ms),
    };
    Record { created_revision, created_ms, updated_revision: at.revision, updated_ms: at.time_ms, body }
}

fn evolve_body(before: Option<&Record>, event: &EventKind, at: At) -> Body {
    let body = before.map(|record| &record.body);
    let is_kept = |record: &&Record| record.is_alive() || !planted::is(Bug::VersionsRestart);
    let version = before.filter(is_kept).map_or(0, Record::version);
    match (event, body) {
        (EventKind::ClusterInitialized(cluster), _) => Body::Cluster(cluster.clone()),
        (
            EventKind::NodeIdTaken(_) | EventKind::FeatureLevelRaised(_) | EventKind::ClusterRestored { .. },
            Some(Body::Cluster(cluster)),
        ) => Body::Cluster(cluster.evolve(event)),
        (EventKind::TokenCreated(token), _) => Body::Token(token.clone()),
        (EventKind::CursorCreated(cursor), _) => Body::Cursor(cursor.clone()),
        (EventKind::CursorAcknowledged(_), Some(Body::Cursor(cursor))) => Body::Cursor(cursor.evolve(event)),
        (EventKind::SavedQueryCreated(definition), _)
        | (EventKind::SavedQueryUpdated(definition), Some(Body::SavedQuery(_))) => {
            Body::SavedQuery(SavedQuery { definition: definition.clone(), version: version + 1 })
        }
        (EventKind::SiteCreated(definition), _) | (EventKind::SiteUpdated(definition), Some(Body::Site(_))) => {
            Body::Site(Site { definition: definition.clone(), version: version + 1 })
        }
        (EventKind::EdgeCreated(definition), _) | (EventKind::EdgeUpdated(definition), Some(Body::Edge(_))) => {
            Body::Edge(Edge { definition: definition.clone(), version: version + 1 })
        }
        (
            EventKind::EdgeSessionOpened { .. } | EventKind::EdgeUplinkApplied { .. },
            Some(Body::EdgeSession(session)),
        ) => Body::EdgeSession(Box::new(EdgeSession::evolve(Some(session), event, at))),
        (EventKind::EdgeSessionOpened { .. }, _) => Body::EdgeSession(Box::new(EdgeSession::evolve(None, event, at))),
        (
            EventKind::DiscoveredDeviceReported(_)
            | EventKind::DiscoveredAssetReported(_)
            | EventKind::DiscoveredAccepted(_)
            | EventKind::DiscoveredDismissed,
            body,
        ) => match discovery::evolve(body, event, version, at) {
            Some(body) => body,
            None => body.cloned().unwrap_or(Body::Deleted(Tombstone::default())),
        },
        (EventKind::DiscoveryCounted(things), _) => Body::DiscoveryCount(DiscoveryCount { things: *things }),
        (EventKind::NamespaceCreated(definition), _) => {
            Body::Namespace(crate::namespace::Namespace { definition: definition.clone(), deleting: false })
        }
        (EventKind::NamespaceUpdated(definition), Some(Body::Namespace(namespace))) => {
            let mut namespace = namespace.clone();
            namespace.definition = definition.clone();
            Body::Namespace(namespace)
        }
        (EventKind::NamespaceDeleting, Some(Body::Namespace(namespace))) => {
            let mut namespace = namespace.clone();
            namespace.deleting = true;
            Body::Namespace(namespace)
        }
        (EventKind::DeviceCreated(definition), _) => {
            Body::Device(Box::new(Device::created((**definition).clone(), version + 1, at)))
        }
        (
            EventKind::DeviceUpdated(_)
            | EventKind::DeviceStatusChanged { .. }
            | EventKind::DeviceKeysRegenerated { .. },
            Some(Body::Device(device)),
        ) => Body::Device(Box::new(device.evolve(event, at))),
        (EventKind::ModuleCreated(definition), _) => {
            Body::Module(Module { definition: definition.clone(), version: version + 1 })
        }
        (EventKind::ModuleUpdated(_) | EventKind::ModuleKeysRegenerated { .. }, Some(Body::Module(module))) => {
            Body::Module(module.evolve(event))
        }
        (EventKind::TwinCreated, _) => Body::Twin(Twin::created(body, at)),
        (
            EventKind::TwinPatched { .. } | EventKind::TwinReplaced { .. } | EventKind::TwinReported(_),
            Some(Body::Twin(twin)),
        ) => Body::Twin(twin.evolve(event, at)),
        (EventKind::AssetCreated { definition, enabled, uuid }, _) => {
            Body::Asset(Box::new(Asset::created((**definition).clone(), *enabled, uuid.clone(), version + 1, at)))
        }
        (EventKind::AssetUpdated { .. } | EventKind::AssetStatusUpdated(_), Some(Body::Asset(asset))) => {
            Body::Asset(Box::new(asset.evolve(event, at)))
        }
        (
            EventKind::TokenRevoked
            | EventKind::CursorDeleted
            | EventKind::SavedQueryDeleted
            | EventKind::SiteDeleted
            | EventKind::EdgeDeleted
            | EventKind::EdgeSessionEnded
            | EventKind::DiscoveredDeleted
            | EventKind::DiscoveryEnded
            | EventKind::NamespaceDeleted
            | EventKind::DeviceDeleted
            | EventKind::ModuleDeleted
            | EventKind::AssetDeleted,
            _,
        ) => Body::Deleted(Tombstone { version, ..Tombstone::default() }),
        (
            EventKind::NodeAdmitted(_)
            | EventKind::NodeJoined { .. }
            | EventKind::NodePromoted
            | EventKind::NodeRemoved { .. },
            _,
        ) => match crate::node::evolve(body, event) {
            Some(node) => Body::Node(Box::new(node)),
            None => body.cloned().unwrap_or(Body::Deleted(Tombstone::default())),
        },
        (EventKind::TwinDeleted, _) => Body::Deleted(Twin::tombstone(body)),
        (EventKind::RetentionUpdated { .. } | EventKind::EventsCompacted { .. }, _) => {
            Body::Retention(retention::evolve(body, event).unwrap_or_default())
        }
        (
            EventKind::CursorAcknowledged(_)
            | EventKind::ClusterRestored { .. }
            | EventKind::SavedQueryUpdated(_)
            | EventKind::SiteUpdated(_)
            | EventKind::EdgeUpdated(_)
            | EventKind::EdgeUplinkApplied { .. }
            | EventKind::NamespaceUpdated(_)
            | EventKind::NamespaceDeleting
            | EventKind::DeviceUpdated(_)
            | EventKind::DeviceStatusChanged { .. }
            | EventKind::DeviceKeysRegenerated { .. }
            | EventKind::ModuleUpdated(_)
            | EventKind::ModuleKeysRegenerated { .. }
            | EventKind::TwinPatched { .. }
            | EventKind::TwinReplaced { .. }
            | EventKind::TwinReported(_)
            | EventKind::AssetUpdated { .. }
            | EventKind::AssetStatusUpdated(_)
            | EventKind::NodeIdTaken(_)
            | EventKind::FeatureLevelRaised(_),
            _,
        ) => body.cloned().unwrap_or(Body::Deleted(Tombstone::default())),
    }
}
