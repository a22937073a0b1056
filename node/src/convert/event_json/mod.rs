//! The content of an event as JSON, for the history. Member names are the proto's field names.
//!
//! - It never holds keys, sealed keys, token hashes or the key of page tokens: values are written field by field, so
//!   what is not named here does not get out.
//! - Empty texts, lists and objects are left out; documents of users are written as they are.

use muster_domain::device::DeviceStatus;
use muster_domain::policy::Role;
use muster_domain::retention::RetentionPolicy;
use muster_domain::token::Token;
use muster_domain::twin::render::write_time;
use muster_domain::{EventKind, namespace::NamespaceDefinition};
use serde_json::{Map, Value};

pub(crate) mod asset;
pub(crate) mod discovery;
pub(crate) mod edge;
pub(crate) mod identity;

/// Every kind of event by its stable name.
pub const KINDS: [&str; 56] = [
    "cluster.initialized",
    "cluster.restored",
    "token.created",
    "token.revoked",
    "cursor.created",
    "cursor.acknowledged",
    "cursor.deleted",
    "saved_query.created",
    "saved_query.updated",
    "saved_query.deleted",
    "site.created",
    "site.updated",
    "site.deleted",
    "edge.created",
    "edge.updated",
    "edge.deleted",
    "edge_session.opened",
    "edge_session.uplink_applied",
    "edge_session.ended",
    "discovered_device.reported",
    "discovered_asset.reported",
    "discovered.accepted",
    "discovered.dismissed",
    "discovered.deleted",
    "discovery.counted",
    "discovery.ended",
    "namespace.created",
    "namespace.updated",
    "namespace.deleting",
    "namespace.deleted",
    "device.created",
    "device.updated",
    "device.status_changed",
    "device.keys_regenerated",
    "device.deleted",
    "module.created",
    "module.updated",
    "module.keys_regenerated",
    "module.deleted",
    "twin.created",
    "twin.patched",
    "twin.replaced",
    "twin.reported",
    "twin.deleted",
    "asset.created",
    "asset.updated",
    "asset.status_updated",
    "asset.deleted",
    "cluster.node_id_taken",
    "cluster.feature_level_raised",
    "node.admitted",
    "node.joined",
    "node.promoted",
    "node.removed",
    "retention.updated",
    "events.compacted",
];

/// The content of an event as the text of a JSON object.
#[must_use]
pub fn render(kind: &EventKind) -> String {
    value(kind).to_string()
}

fn value(kind: &EventKind) -> Value {
    match kind {
        EventKind::ClusterInitialized(cluster) => object([
            ("cluster_id", text(&cluster.cluster_id)),
            ("feature_level", cluster.feature_level.into()),
            ("tags_bytes_max", cluster.limits.tags_bytes_max.into()),
            ("desired_bytes_max", cluster.limits.desired_bytes_max.into()),
            ("reported_bytes_max", cluster.limits.reported_bytes_max.into()),
            ("value_bytes_max", cluster.limits.value_bytes_max.into()),
            ("key_bytes_max", cluster.limits.key_bytes_max.into()),
            ("depth_max", cluster.limits.depth_max.into()),
        ]),
        EventKind::NodeIdTaken(id) => object([("node_id", (*id).into())]),
        EventKind::FeatureLevelRaised(level) => object([("feature_level", (*level).into())]),
        EventKind::NodeAdmitted(node) => object([
            ("name", text(&node.name)),
            ("voter", node.voter.into()),
            ("replaces", node.replaces.into()),
            ("expire_time", time(node.expires_ms)),
        ]),
        EventKind::NodeJoined { peer_address, client_address, .. } => {
            object([("peer_address", text(peer_address)), ("client_address", text(client_address))])
        }
        EventKind::NodeRemoved { name } => object([("name", text(name))]),
        EventKind::ClusterRestored { cluster_id, .. } => object([("cluster_id", text(cluster_id))]),
        EventKind::TokenCreated(token) => token_value(token),
        EventKind::CursorCreated(cursor) => {
            object([("description", text(&cursor.description)), ("acknowledged_revision", cursor.acknowledged.into())])
        }
        EventKind::SavedQueryCreated(definition) | EventKind::SavedQueryUpdated(definition) => {
            object([("text", text(&definition.text)), ("description", text(&definition.description))])
        }
        EventKind::SiteCreated(definition) | EventKind::SiteUpdated(definition) => edge::site(definition),
        EventKind::EdgeCreated(definition) | EventKind::EdgeUpdated(definition) => edge::edge(definition),
        EventKind::EdgeSessionOpened { incarnation, epoch, session: _, node_id } => {
            edge::opened(incarnation, *epoch, *node_id)
        }
        EventKind::EdgeUplinkApplied { last_sequence, refusals } => edge::applied(*last_sequence, refusals),
        EventKind::DiscoveredDeviceReported(report) => discovery::device(report),
        EventKind::DiscoveredAssetReported(report) => discovery::asset(report),
        EventKind::DiscoveredAccepted(resource) => object([("resource", text(resource))]),
        EventKind::DiscoveryCounted(things) => object([("things", (*things).into())]),
        EventKind::CursorAcknowledged(revision) => object([("acknowledged_revision", (*revision).into())]),
        EventKind::NamespaceCreated(definition) | EventKind::NamespaceUpdated(definition) => {
            namespace_value(definition)
        }
        EventKind::DeviceCreated(definition) | EventKind::DeviceUpdated(definition) => identity::device(definition),
        EventKind::DeviceStatusChanged { status, reason } => {
            object([("status", device_status(*status)), ("status_reason", text(reason))])
        }
        EventKind::DeviceKeysRegenerated { primary, secondary }
        | EventKind::ModuleKeysRegenerated { primary, secondary } => {
            object([("primary", primary.is_some().into()), ("secondary", secondary.is_some().into())])
        }
        EventKind::ModuleCreated(definition) | EventKind::ModuleUpdated(definition) => identity::module(definition),
        EventKind::TwinPatched { tags, desired } => sections([("tags", tags), ("desired", desired)]),
        EventKind::TwinReplaced { tags, desired, reported } => {
            sections([("tags", tags), ("desired", desired), ("reported", reported)])
        }
        EventKind::TwinReported(reported) => sections([("reported", &Some(reported.clone()))]),
        EventKind::AssetCreated { definition, enabled, uuid } => {
            let mut members = asset::definition(definition);
            members.insert("enabled".to_owned(), (*enabled).into());
            members.insert("uuid".to_owned(), text(uuid));
            Value::Object(members)
        }
        EventKind::AssetUpdated { definition, enabled } => {
            let mut members = asset::definition(definition);
            members.insert("enabled".to_owned(), (*enabled).into());
            Value::Object(members)
        }
        EventKind::AssetStatusUpdated(status) => asset::status(status),
        EventKind::RetentionUpdated { policy, floor } => retention_value(policy.as_ref(), *floor),
        EventKind::EventsCompacted { floor } => object([("floor", (*floor).into())]),
        EventKind::TokenRevoked
        | EventKind::CursorDeleted
        | EventKind::SavedQueryDeleted
        | EventKind::SiteDeleted
        | EventKind::EdgeDeleted
        | EventKind::EdgeSessionEnded
        | EventKind::DiscoveredDismissed
        | EventKind::DiscoveredDeleted
        | EventKind::DiscoveryEnded
        | EventKind::NamespaceDeleting
        | EventKind::NamespaceDeleted
        | EventKind::DeviceDeleted
        | EventKind::ModuleDeleted
        | EventKind::TwinCreated
        | EventKind::TwinDeleted
        | EventKind::NodePromoted
        | EventKind::AssetDeleted => Value::Object(Map::new()),
    }
}

fn token_value(token: &Token) -> Value {
    let role = match token.role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
        Role::Device => "device",
        Role::Edge => "edge",
    };
    object([
        ("description", text(&token.description)),
        ("role", text(role)),
        ("namespace", text(token.namespace.as_deref().unwrap_or_default())),
        ("device_id", text(token.device.as_deref().unwrap_or_default())),
        ("edge_id", text(token.edge.as_deref().unwrap_or_default())),
        ("expire_time", token.expires_ms.map_or(Value::Null, time)),
    ])
}

fn retention_value(policy: Option<&RetentionPolicy>, floor: u64) -> Value {
    let bound = |bound: Option<u64>| bound.map_or(Value::Null, Value::from);
    let policy = policy.map_or(Value::Null, |policy| {
        object([
            ("max_age_ms", bound(policy.max_age_ms)),
            ("max_bytes", bound(policy.max_bytes)),
            ("max_revisions", bound(policy.max_revisions)),
        ])
    });
    object([("policy", policy), ("floor", floor.into())])
}

fn namespace_value(definition: &NamespaceDefinition) -> Value {
    let labels = definition.labels.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    object([
        ("display_name", text(&definition.display_name)),
        ("description", text(&definition.description)),
        ("labels", Value::Object(labels)),
    ])
}

/// Documents as users sent them; nothing inside is left out.
fn sections<const N: usize>(sections: [(&str, &Option<String>); N]) -> Value {
    let given = sections.into_iter().filter_map(|(name, json)| Some((name.to_owned(), document(json.as_deref()?))));
    Value::Object(given.collect())
}

/// A user's JSON. It was checked when it was accepted; should it not parse here, it is shown as text.
fn document(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| text(json))
}

fn device_status(status: DeviceStatus) -> Value {
    text(match status {
        DeviceStatus::Enabled => "enabled",
        DeviceStatus::Disabled => "disabled",
    })
}

fn time(ms: u64) -> Value {
    let mut out = String::new();
    write_time(&mut out, ms);
    Value::String(out)
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn list<T>(items: &[T], render: impl Fn(&T) -> Value) -> Value {
    Value::Array(items.iter().map(render).collect())
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members_of(members))
}

fn members_of<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    let told = members.into_iter().filter(|(_, value)| !is_empty(value));
    told.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

#[cfg(test)]
mod tests;
