//! Revisions and their events: what the event log holds and the chain hash covers.
//!
//! Events of twins are written directly; the rare ones go through prost.

use muster_domain::device::{DeviceStatus, SealedKey};
use muster_domain::retention::Retention;
use muster_domain::{Event, EventKind};
use muster_planted::{self as planted, Bug};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::event::Kind;
use prost::Message;
use prost::bytes::Bytes;
use prost::encoding::uint64;

use super::backwards::{self, Backwards};
use super::enums::StoredEnum;
use super::error::{fixed, required};
use super::identities::{
    device_definition_from_stored, device_definition_to_stored, module_definition_from_stored,
    module_definition_to_stored, optional_key_from_stored, optional_key_to_stored,
};
use super::settings::{
    asset_definition_from_stored, asset_status_from_stored, cluster_from_stored, cluster_to_stored, cursor_from_stored,
    cursor_to_stored, namespace_definition_from_stored, namespace_definition_to_stored,
    saved_query_definition_from_stored, saved_query_definition_to_stored, token_from_stored, token_to_stored,
};
use super::{CodecError, discovery, edges, keys, nodes, retention};
use crate::convert::asset::asset_definition_to_proto;
use crate::convert::asset_status::asset_status_to_proto;

/// An accepted command and what followed from it.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisionEntry {
    /// Its revision.
    pub revision: u64,
    /// When it took effect, milliseconds since the epoch.
    pub time_ms: u64,
    /// Who asked, as [`muster_domain::policy::Principal::actor`] says it.
    pub actor: String,
    /// The caller's `ip:port`.
    pub origin: String,
    /// The caller's name for the request; may be empty.
    pub request_id: String,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// For each event, the revision of its record's change before; 0 when there was none.
    pub previous: Vec<u64>,
}

/// The stored bytes of a revision.
#[must_use]
pub fn encode_revision(entry: &RevisionEntry) -> Vec<u8> {
    backwards::encode(|out| {
        let length = uint64::encoded_len_packed(7, &entry.previous);
        out.prost(length, |mut room| uint64::encode_packed(7, &entry.previous, &mut room));
        for event in entry.events.iter().rev() {
            let end = out.end();
            write_kind(out, &event.kind);
            keys::write(out, 1, &event.key);
            out.begin(6, end);
        }
        out.text_if(5, &entry.request_id);
        out.text_if(4, &entry.origin);
        out.text_if(3, &entry.actor);
        out.number_if(2, entry.time_ms);
        out.number_if(1, entry.revision);
    })
}

/// Reads the stored bytes of a revision.
///
/// # Errors
/// When the bytes are malformed, or hold an event of a kind that this version does not know.
pub fn decode_revision(bytes: &[u8]) -> Result<RevisionEntry, CodecError> {
    let mut entry = stored::Revision::decode(bytes).map_err(CodecError::decoding("a revision"))?;
    if planted::is(Bug::UnknownEventSkipped) {
        entry.events.retain(|event| event.kind.is_some());
        entry.previous_revisions.truncate(entry.events.len());
    }
    let events = entry.events.into_iter().map(event_from_stored).collect::<Result<Vec<_>, _>>()?;
    if entry.previous_revisions.len() != events.len() {
        return Err(CodecError::malformed("a revision", "not every event says what came before it"));
    }
    Ok(RevisionEntry {
        revision: entry.revision,
        time_ms: entry.time_ms,
        actor: entry.actor,
        origin: entry.origin,
        request_id: entry.request_id,
        events,
        previous: entry.previous_revisions,
    })
}

fn write_kind(out: &mut Backwards, kind: &EventKind) {
    match kind {
        EventKind::TwinPatched { tags, desired } => {
            let end = out.end();
            out.optional_text(2, desired.as_ref());
            out.optional_text(1, tags.as_ref());
            out.begin(19, end);
        }
        EventKind::TwinReported(reported) => {
            let end = out.end();
            out.text_if(1, reported);
            out.begin(21, end);
        }
        other => {
            let kind = kind_to_stored(other);
            out.prost(kind.encoded_len(), |mut room| kind.encode(&mut room));
        }
    }
}

pub(super) fn kind_to_stored(kind: &EventKind) -> Kind {
    let keys = |primary: &Option<SealedKey>, secondary: &Option<SealedKey>| stored::KeysRegenerated {
        primary: optional_key_to_stored(primary),
        secondary: optional_key_to_stored(secondary),
    };
    match kind {
        EventKind::NodeIdTaken(_)
        | EventKind::FeatureLevelRaised(_)
        | EventKind::NodeAdmitted(_)
        | EventKind::NodeJoined { .. }
        | EventKind::NodePromoted
        | EventKind::NodeRemoved { .. } => nodes::event_to_stored(kind).expect("all kinds of this arm are there"),
        EventKind::SiteCreated(_)
        | EventKind::SiteUpdated(_)
        | EventKind::SiteDeleted
        | EventKind::EdgeCreated(_)
        | EventKind::EdgeUpdated(_)
        | EventKind::EdgeDeleted
        | EventKind::EdgeSessionOpened { .. }
        | EventKind::EdgeUplinkApplied { .. }
        | EventKind::EdgeSessionEnded => edges::event_to_stored(kind).expect("all kinds of this arm are there"),
        EventKind::DiscoveredDeviceReported(_)
        | EventKind::DiscoveredAssetReported(_)
        | EventKind::DiscoveredAccepted(_)
        | EventKind::DiscoveredDismissed
        | EventKind::DiscoveredDeleted
        | EventKind::DiscoveryCounted(_)
        | EventKind::DiscoveryEnded => discovery::event_to_stored(kind).expect("all kinds of this arm are there"),
        EventKind::ClusterInitialized(cluster) => Kind::ClusterInitialized(cluster_to_stored(cluster)),
        EventKind::ClusterRestored { cluster_id, page_key } => Kind::ClusterRestored(stored::ClusterRestored {
            cluster_id: cluster_id.clone(),
            page_key: Bytes::copy_from_slice(page_key),
        }),
        EventKind::TokenCreated(token) => Kind::TokenCreated(token_to_stored(token)),
        EventKind::TokenRevoked => Kind::TokenRevoked(stored::TokenRevoked {}),
        EventKind::CursorCreated(cursor) => Kind::CursorCreated(cursor_to_stored(cursor)),
        EventKind::CursorAcknowledged(revision) => {
            Kind::CursorAcknowledged(stored::CursorAcknowledged { revision: *revision })
        }
        EventKind::CursorDeleted => Kind::CursorDeleted(stored::CursorDeleted {}),
        EventKind::SavedQueryCreated(definition) => {
            Kind::SavedQueryCreated(saved_query_definition_to_stored(definition))
        }
        EventKind::SavedQueryUpdated(definition) => {
            Kind::SavedQueryUpdated(saved_query_definition_to_stored(definition))
        }
        EventKind::SavedQueryDeleted => Kind::SavedQueryDeleted(stored::SavedQueryDeleted {}),
        EventKind::NamespaceCreated(definition) => Kind::NamespaceCreated(namespace_definition_to_stored(definition)),
        EventKind::NamespaceUpdated(definition) => Kind::NamespaceUpdated(namespace_definition_to_stored(definition)),
        EventKind::NamespaceDeleting => Kind::NamespaceDeleting(stored::NamespaceDeleting {}),
        EventKind::NamespaceDeleted => Kind::NamespaceDeleted(stored::NamespaceDeleted {}),
        EventKind::DeviceCreated(definition) => Kind::DeviceCreated(device_definition_to_stored(definition)),
        EventKind::DeviceUpdated(definition) => Kind::DeviceUpdated(device_definition_to_stored(definition)),
        EventKind::DeviceStatusChanged { status, reason } => {
            Kind::DeviceStatusChanged(stored::DeviceStatusChanged { status: status.number(), reason: reason.clone() })
        }
        EventKind::DeviceKeysRegenerated { primary, secondary } => {
            Kind::DeviceKeysRegenerated(keys(primary, secondary))
        }
        EventKind::DeviceDeleted => Kind::DeviceDeleted(stored::DeviceDeleted {}),
        EventKind::ModuleCreated(definition) => Kind::ModuleCreated(module_definition_to_stored(definition)),
        EventKind::ModuleUpdated(definition) => Kind::ModuleUpdated(module_definition_to_stored(definition)),
        EventKind::ModuleKeysRegenerated { primary, secondary } => {
            Kind::ModuleKeysRegenerated(keys(primary, secondary))
        }
        EventKind::ModuleDeleted => Kind::ModuleDeleted(stored::ModuleDeleted {}),
        EventKind::TwinCreated => Kind::TwinCreated(stored::TwinCreated {}),
        EventKind::TwinPatched { tags, desired } => {
            Kind::TwinPatched(stored::TwinPatched { tags_json: tags.clone(), desired_json: desired.clone() })
        }
        EventKind::TwinReplaced { tags, desired, reported } => Kind::TwinReplaced(stored::TwinReplaced {
            tags_json: tags.clone(),
            desired_json: desired.clone(),
            reported_json: reported.clone(),
        }),
        EventKind::TwinReported(reported) => {
            Kind::TwinReported(stored::TwinReported { reported_json: reported.clone() })
        }
        EventKind::TwinDeleted => Kind::TwinDeleted(stored::TwinDeleted {}),
        EventKind::AssetCreated { definition, enabled, uuid } => Kind::AssetCreated(stored::AssetCreated {
            definition: Some(asset_definition_to_proto(definition)),
            enabled: *enabled,
            uuid: uuid.clone(),
        }),
        EventKind::AssetUpdated { definition, enabled } => Kind::AssetUpdated(stored::AssetUpdated {
            definition: Some(asset_definition_to_proto(definition)),
            enabled: *enabled,
        }),
        EventKind::AssetStatusUpdated(status) => Kind::AssetStatusUpdated(asset_status_to_proto(status)),
        EventKind::AssetDeleted => Kind::AssetDeleted(stored::AssetDeleted {}),
        EventKind::RetentionUpdated { policy, floor } => {
            Kind::RetentionUpdated(retention::to_stored(Retention { policy: *policy, floor: *floor }))
        }
        EventKind::EventsCompacted { floor } => Kind::EventsCompacted(stored::EventsCompacted { floor: *floor }),
    }
}

fn event_from_stored(event: stored::Event) -> Result<Event, CodecError> {
    let key = keys::from_stored(required("an event", "key", event.key)?)?;
    let kind = kind_from_stored(event.kind.ok_or(CodecError::UnknownKind { what: "an event" })?)?;
    Ok(Event { key, kind })
}

fn kind_from_stored(kind: Kind) -> Result<EventKind, CodecError> {
    Ok(match kind {
        Kind::ClusterInitialized(cluster) => EventKind::ClusterInitialized(cluster_from_stored(cluster)?),
        Kind::ClusterRestored(stored::ClusterRestored { cluster_id, page_key }) => {
            EventKind::ClusterRestored { cluster_id, page_key: fixed("the key of page tokens", &page_key)? }
        }
        Kind::TokenCreated(token) => EventKind::TokenCreated(token_from_stored(token)?),
        Kind::TokenRevoked(stored::TokenRevoked {}) => EventKind::TokenRevoked,
        Kind::CursorCreated(cursor) => EventKind::CursorCreated(cursor_from_stored(cursor)),
        Kind::CursorAcknowledged(stored::CursorAcknowledged { revision }) => EventKind::CursorAcknowledged(revision),
        Kind::CursorDeleted(stored::CursorDeleted {}) => EventKind::CursorDeleted,
        Kind::SavedQueryCreated(definition) => {
            EventKind::SavedQueryCreated(saved_query_definition_from_stored(definition))
        }
        Kind::SavedQueryUpdated(definition) => {
            EventKind::SavedQueryUpdated(saved_query_definition_from_stored(definition))
        }
        Kind::SavedQueryDeleted(stored::SavedQueryDeleted {}) => EventKind::SavedQueryDeleted,
        Kind::NamespaceCreated(definition) => EventKind::NamespaceCreated(namespace_definition_from_stored(definition)),
        Kind::NamespaceUpdated(definition) => EventKind::NamespaceUpdated(namespace_definition_from_stored(definition)),
        Kind::NamespaceDeleting(stored::NamespaceDeleting {}) => EventKind::NamespaceDeleting,
        Kind::NamespaceDeleted(stored::NamespaceDeleted {}) => EventKind::NamespaceDeleted,
        Kind::DeviceCreated(definition) => {
            EventKind::DeviceCreated(Box::new(device_definition_from_stored(definition)?))
        }
        Kind::DeviceUpdated(definition) => {
            EventKind::DeviceUpdated(Box::new(device_definition_from_stored(definition)?))
        }
        Kind::DeviceStatusChanged(stored::DeviceStatusChanged { status, reason }) => {
            EventKind::DeviceStatusChanged { status: DeviceStatus::from_number(status)?, reason }
        }
        Kind::DeviceKeysRegenerated(keys) => EventKind::DeviceKeysRegenerated {
            primary: optional_key_from_stored(keys.primary),
            secondary: optional_key_from_stored(keys.secondary),
        },
        Kind::DeviceDeleted(stored::DeviceDeleted {}) => EventKind::DeviceDeleted,
        Kind::ModuleCreated(definition) => EventKind::ModuleCreated(module_definition_from_stored(definition)?),
        Kind::ModuleUpdated(definition) => EventKind::ModuleUpdated(module_definition_from_stored(definition)?),
        Kind::ModuleKeysRegenerated(keys) => EventKind::ModuleKeysRegenerated {
            primary: optional_key_from_stored(keys.primary),
            secondary: optional_key_from_stored(keys.secondary),
        },
        Kind::ModuleDeleted(stored::ModuleDeleted {}) => EventKind::ModuleDeleted,
        Kind::TwinCreated(stored::TwinCreated {}) => EventKind::TwinCreated,
        Kind::TwinPatched(stored::TwinPatched { tags_json, desired_json }) => {
            EventKind::TwinPatched { tags: tags_json, desired: desired_json }
        }
        Kind::TwinReplaced(stored::TwinReplaced { tags_json, desired_json, reported_json }) => {
            EventKind::TwinReplaced { tags: tags_json, desired: desired_json, reported: reported_json }
        }
        Kind::TwinReported(stored::TwinReported { reported_json }) => EventKind::TwinReported(reported_json),
        Kind::TwinDeleted(stored::TwinDeleted {}) => EventKind::TwinDeleted,
        Kind::AssetCreated(stored::AssetCreated { definition, enabled, uuid }) => EventKind::AssetCreated {
            definition: Box::new(asset_definition_from_stored("an event", definition)?),
            enabled,
            uuid,
        },
        Kind::AssetUpdated(stored::AssetUpdated { definition, enabled }) => EventKind::AssetUpdated {
            definition: Box::new(asset_definition_from_stored("an event", definition)?),
            enabled,
        },
        Kind::AssetStatusUpdated(status) => {
            EventKind::AssetStatusUpdated(Box::new(asset_status_from_stored("an event", status)?))
        }
        Kind::AssetDeleted(stored::AssetDeleted {}) => EventKind::AssetDeleted,
        Kind::SiteCreated(_)
        | Kind::SiteUpdated(_)
        | Kind::SiteDeleted(_)
        | Kind::EdgeCreated(_)
        | Kind::EdgeUpdated(_)
        | Kind::EdgeDeleted(_)
        | Kind::EdgeSessionOpened(_)
        | Kind::EdgeUplinkApplied(_)
        | Kind::EdgeSessionEnded(_) => edges::event_from_stored(kind)?,
        Kind::DiscoveredDeviceReported(_)
        | Kind::DiscoveredAssetReported(_)
        | Kind::DiscoveredAccepted(_)
        | Kind::DiscoveredDismissed(_)
        | Kind::DiscoveredDeleted(_)
        | Kind::DiscoveryCounted(_)
        | Kind::DiscoveryEnded(_) => discovery::event_from_stored(kind)?,
        Kind::NodeIdTaken(stored::NodeIdTaken { node_id }) => EventKind::NodeIdTaken(node_id),
        Kind::FeatureLevelRaised(stored::FeatureLevelRaised { level }) => EventKind::FeatureLevelRaised(level),
        Kind::NodeAdmitted(node) => EventKind::NodeAdmitted(Box::new(nodes::node_from_stored(node)?)),
        Kind::NodeJoined(joined) => nodes::node_joined(joined)?,
        Kind::NodePromoted(stored::NodePromoted {}) => EventKind::NodePromoted,
        Kind::NodeRemoved(stored::NodeRemoved { name }) => EventKind::NodeRemoved { name },
        Kind::RetentionUpdated(updated) => {
            let Retention { policy, floor } = retention::from_stored(&updated);
            EventKind::RetentionUpdated { policy, floor }
        }
        Kind::EventsCompacted(stored::EventsCompacted { floor }) => EventKind::EventsCompacted { floor },
    })
}
