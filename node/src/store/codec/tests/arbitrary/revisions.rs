//! Revisions with every kind of event.

use muster_domain::{Event, EventKind};
use proptest::array::uniform3;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::assets::{asset_definition, asset_status};
use super::identities::{device_definition, module_definition};
use super::settings::{cluster, cursor, namespace_definition, node, retention_policy, saved_query_definition, token};
use super::{key, number, sealed, text, variant};
use crate::store::codec::RevisionEntry;

fn event_kind() -> BoxedStrategy<EventKind> {
    let maybe = || option::of(text());
    let about_devices = prop_oneof![
        device_definition().prop_map(|definition| EventKind::DeviceCreated(Box::new(definition))),
        device_definition().prop_map(|definition| EventKind::DeviceUpdated(Box::new(definition))),
        (variant(), text()).prop_map(|(status, reason)| EventKind::DeviceStatusChanged { status, reason }),
        (sealed(), sealed()).prop_map(|(primary, secondary)| EventKind::DeviceKeysRegenerated { primary, secondary }),
        Just(EventKind::DeviceDeleted),
        module_definition().prop_map(EventKind::ModuleCreated),
        module_definition().prop_map(EventKind::ModuleUpdated),
        (sealed(), sealed()).prop_map(|(primary, secondary)| EventKind::ModuleKeysRegenerated { primary, secondary }),
        Just(EventKind::ModuleDeleted),
    ];
    let about_twins = prop_oneof![
        Just(EventKind::TwinCreated),
        (maybe(), maybe()).prop_map(|(tags, desired)| EventKind::TwinPatched { tags, desired }),
        (maybe(), maybe(), maybe()).prop_map(|(tags, desired, reported)| EventKind::TwinReplaced {
            tags,
            desired,
            reported
        }),
        text().prop_map(EventKind::TwinReported),
        Just(EventKind::TwinDeleted),
    ];
    let about_assets = prop_oneof![
        (asset_definition(), any::<bool>(), text()).prop_map(|(definition, enabled, uuid)| {
            EventKind::AssetCreated { definition: Box::new(definition), enabled, uuid }
        }),
        (asset_definition(), any::<bool>())
            .prop_map(|(definition, enabled)| EventKind::AssetUpdated { definition: Box::new(definition), enabled }),
        asset_status().prop_map(|status| EventKind::AssetStatusUpdated(Box::new(status))),
        Just(EventKind::AssetDeleted),
    ];
    let about_the_rest = prop_oneof![
        cluster().prop_map(EventKind::ClusterInitialized),
        (text(), any::<[u8; 32]>())
            .prop_map(|(cluster_id, page_key)| EventKind::ClusterRestored { cluster_id, page_key }),
        token().prop_map(EventKind::TokenCreated),
        Just(EventKind::TokenRevoked),
        cursor().prop_map(EventKind::CursorCreated),
        any::<u64>().prop_map(EventKind::CursorAcknowledged),
        Just(EventKind::CursorDeleted),
        saved_query_definition().prop_map(EventKind::SavedQueryCreated),
        saved_query_definition().prop_map(EventKind::SavedQueryUpdated),
        Just(EventKind::SavedQueryDeleted),
        namespace_definition().prop_map(EventKind::NamespaceCreated),
        namespace_definition().prop_map(EventKind::NamespaceUpdated),
        Just(EventKind::NamespaceDeleting),
        Just(EventKind::NamespaceDeleted),
        (retention_policy(), number()).prop_map(|(policy, floor)| EventKind::RetentionUpdated { policy, floor }),
        number().prop_map(|floor| EventKind::EventsCompacted { floor }),
    ];
    let about_nodes = prop_oneof![
        number().prop_map(EventKind::NodeIdTaken),
        any::<u32>().prop_map(EventKind::FeatureLevelRaised),
        node().prop_map(|node| EventKind::NodeAdmitted(Box::new(node))),
        node().prop_map(|node| EventKind::NodeJoined {
            nonce: node.nonce,
            peer_address: node.peer_address,
            client_address: node.client_address,
        }),
        Just(EventKind::NodePromoted),
        text().prop_map(|name| EventKind::NodeRemoved { name }),
    ];
    prop_oneof![
        about_devices,
        about_twins,
        about_assets,
        about_the_rest,
        about_nodes,
        super::edges::event_kind(),
        super::discovery::event_kind()
    ]
    .boxed()
}

/// Any revision.
pub(in crate::store::codec::tests) fn revision() -> BoxedStrategy<RevisionEntry> {
    let event = (key(), event_kind()).prop_map(|(key, kind)| Event { key, kind });
    (number(), number(), uniform3(text()), vec((event, number()), 0..4))
        .prop_map(|(revision, time_ms, [actor, origin, request_id], events)| {
            let (events, previous) = events.into_iter().unzip();
            RevisionEntry { revision, time_ms, actor, origin, request_id, events, previous }
        })
        .boxed()
}
