//! What edges discovered.

use muster_domain::asset::AssetDefinition;
use muster_domain::device::OutboundEndpoint;
use muster_domain::discovery::{
    Acceptance, AuthenticationMethod, Discovered, DiscoveredDeviceDefinition, DiscoveredEndpoint, DiscoveryCount,
    DiscoveryState, Report,
};
use muster_domain::edge::UplinkChange;
use muster_domain::{Body, EventKind, Operation};
use proptest::array::{uniform2, uniform3, uniform4, uniform6};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::assets::asset_definition;
use super::{key, number, text};

fn endpoint() -> BoxedStrategy<DiscoveredEndpoint> {
    let method = prop_oneof![
        Just(AuthenticationMethod::Anonymous),
        Just(AuthenticationMethod::Certificate),
        Just(AuthenticationMethod::UsernamePassword),
    ];
    (uniform4(text()), vec(method, 0..4), number())
        .prop_map(|([address, endpoint_type, version, additional_configuration], supported_methods, updated_ms)| {
            DiscoveredEndpoint {
                address,
                endpoint_type,
                version,
                additional_configuration,
                supported_methods,
                updated_ms,
            }
        })
        .boxed()
}

fn device_report() -> BoxedStrategy<Report<DiscoveredDeviceDefinition>> {
    let outbound = uniform2(text()).prop_map(|[address, endpoint_type]| OutboundEndpoint { address, endpoint_type });
    let endpoints = (btree_map(text(), endpoint(), 0..3), btree_map(text(), outbound, 0..3));
    (text(), uniform6(text()), endpoints)
        .prop_map(|(discovery_id, texts, (inbound, outbound))| {
            let [external_device_id, manufacturer, model, operating_system, operating_system_version, attributes] =
                texts;
            let definition = DiscoveredDeviceDefinition {
                external_device_id,
                manufacturer,
                model,
                operating_system,
                operating_system_version,
                attributes,
                inbound,
                outbound,
            };
            Report { discovery_id, definition }
        })
        .boxed()
}

fn asset_report() -> BoxedStrategy<Report<AssetDefinition>> {
    (text(), asset_definition()).prop_map(|(discovery_id, definition)| Report { discovery_id, definition }).boxed()
}

fn state() -> BoxedStrategy<DiscoveryState> {
    prop_oneof![
        Just(DiscoveryState::New),
        (text(), number(), number()).prop_map(|(resource, version, revision)| {
            DiscoveryState::Accepted(Acceptance { resource, version, revision })
        }),
        Just(DiscoveryState::Dismissed),
    ]
    .boxed()
}

pub(super) fn change() -> BoxedStrategy<UplinkChange> {
    prop_oneof![
        (text(), device_report())
            .prop_map(|(device, report)| UplinkChange::DiscoveredDevice { device, report: Box::new(report) }),
        (text(), asset_report())
            .prop_map(|(asset, report)| UplinkChange::DiscoveredAsset { asset, report: Box::new(report) }),
    ]
    .boxed()
}

pub(super) fn body() -> BoxedStrategy<Body> {
    prop_oneof![
        (device_report(), number(), number(), state()).prop_map(|(report, version, changed_ms, state)| {
            Body::DiscoveredDevice(Box::new(Discovered { report, version, changed_ms, state }))
        }),
        (asset_report(), number(), number(), state()).prop_map(|(report, version, changed_ms, state)| {
            Body::DiscoveredAsset(Box::new(Discovered { report, version, changed_ms, state }))
        }),
        number().prop_map(|things| Body::DiscoveryCount(DiscoveryCount { things })),
    ]
    .boxed()
}

pub(super) fn event_kind() -> BoxedStrategy<EventKind> {
    prop_oneof![
        device_report().prop_map(|report| EventKind::DiscoveredDeviceReported(Box::new(report))),
        asset_report().prop_map(|report| EventKind::DiscoveredAssetReported(Box::new(report))),
        text().prop_map(EventKind::DiscoveredAccepted),
        Just(EventKind::DiscoveredDismissed),
        Just(EventKind::DiscoveredDeleted),
        number().prop_map(EventKind::DiscoveryCounted),
        Just(EventKind::DiscoveryEnded),
    ]
    .boxed()
}

pub(super) fn operation() -> BoxedStrategy<Operation> {
    let etag = || option::of(text());
    prop_oneof![
        (uniform3(text()), device_report()).prop_map(|([namespace, edge, device], report)| {
            Operation::ReportDiscoveredDevice { namespace, edge, device, report: Box::new(report) }
        }),
        (uniform3(text()), asset_report()).prop_map(|([namespace, edge, asset], report)| {
            Operation::ReportDiscoveredAsset { namespace, edge, asset, report: Box::new(report) }
        }),
        (key(), uniform2(text()), etag()).prop_map(|(key, [resource, uuid], etag)| Operation::AcceptDiscovered {
            key,
            resource,
            uuid,
            etag
        }),
        (key(), etag()).prop_map(|(key, etag)| Operation::DismissDiscovered { key, etag }),
        (key(), etag()).prop_map(|(key, etag)| Operation::DeleteDiscovered { key, etag }),
    ]
    .boxed()
}
