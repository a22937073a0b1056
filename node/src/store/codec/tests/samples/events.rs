//! One event of each kind.

use muster_domain::{Event, EventKind, Key};

use super::*;

/// Every kind of event.
pub(in crate::store::codec::tests) fn events() -> Vec<Event> {
    let namespace = || Key::Namespace(text("plant1"));
    let device = || Key::Device(text("plant1"), text("pump7"));
    let module = || Key::Module(text("plant1"), text("pump7"), text("opc"));
    let asset = || Key::Asset(text("plant1"), text("pump-7"));
    let token_key = || Key::Token(text("ci"));
    let query_key = || Key::SavedQuery(text("plant1"), text("low-battery"));
    let cursor_key = || Key::Cursor(text("plant1"), text("warehouse"));
    let older = [
        (Key::Cluster, EventKind::ClusterInitialized(cluster())),
        (Key::Cluster, EventKind::ClusterRestored { cluster_id: text("c-8a4b"), page_key: [9; 32] }),
        (token_key(), EventKind::TokenCreated(token())),
        (token_key(), EventKind::TokenRevoked),
        (cursor_key(), EventKind::CursorCreated(cursor())),
        (cursor_key(), EventKind::CursorAcknowledged(4_700)),
        (cursor_key(), EventKind::CursorDeleted),
        (query_key(), EventKind::SavedQueryCreated(saved_query_definition())),
        (query_key(), EventKind::SavedQueryUpdated(saved_query_definition())),
        (query_key(), EventKind::SavedQueryDeleted),
        (namespace(), EventKind::NamespaceCreated(namespace_definition())),
        (namespace(), EventKind::NamespaceUpdated(namespace_definition())),
        (namespace(), EventKind::NamespaceDeleting),
        (namespace(), EventKind::NamespaceDeleted),
        (device(), EventKind::DeviceCreated(Box::new(device_definition(sas())))),
        (device(), EventKind::DeviceUpdated(Box::new(device_definition(self_signed())))),
        (device(), EventKind::DeviceStatusChanged { status: DeviceStatus::Enabled, reason: text("found again") }),
        (device(), EventKind::DeviceKeysRegenerated { primary: Some(sealed(5)), secondary: None }),
        (device(), EventKind::DeviceDeleted),
        (module(), EventKind::ModuleCreated(module_definition())),
        (module(), EventKind::ModuleUpdated(module_definition())),
        (module(), EventKind::ModuleKeysRegenerated { primary: None, secondary: Some(sealed(6)) }),
        (module(), EventKind::ModuleDeleted),
        (device_twin(), EventKind::TwinCreated),
        (device_twin(), EventKind::TwinPatched { tags: some(r#"{"site":null}"#), desired: some(r#"{"speed":5}"#) }),
        (
            module_twin(),
            EventKind::TwinReplaced { tags: some("{}"), desired: some("{\"a\":1}"), reported: some("{\"b\":2}") },
        ),
        (device_twin(), EventKind::TwinReported(text(r#"{"temperature":21.5}"#))),
        (module_twin(), EventKind::TwinDeleted),
        (
            asset(),
            EventKind::AssetCreated {
                definition: Box::new(asset_definition()),
                enabled: true,
                uuid: text("22222222-2222-3333-4444-555555555555"),
            },
        ),
        (asset(), EventKind::AssetUpdated { definition: Box::new(asset_definition()), enabled: true }),
        (asset(), EventKind::AssetStatusUpdated(Box::new(asset_status()))),
        (asset(), EventKind::AssetDeleted),
        (Key::Cluster, EventKind::NodeIdTaken(6)),
        (Key::Cluster, EventKind::FeatureLevelRaised(2)),
        (Key::Node(6), EventKind::NodeAdmitted(Box::new(node()))),
        (
            Key::Node(6),
            EventKind::NodeJoined {
                nonce: [0x17; 16],
                peer_address: text("n6.example:7421"),
                client_address: text("n6.example:7420"),
            },
        ),
        (Key::Node(6), EventKind::NodePromoted),
        (Key::Node(6), EventKind::NodeRemoved { name: text("n6") }),
        (
            Key::NamespaceRetention(text("plant1")),
            EventKind::RetentionUpdated { policy: Some(retention_policy()), floor: 3_999 },
        ),
        (Key::Retention, EventKind::EventsCompacted { floor: 4_000 }),
    ];
    older.into_iter().chain(edges::events()).chain(discovery::events()).map(|(key, kind)| Event { key, kind }).collect()
}
