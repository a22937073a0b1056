//! What edges discovered, with the operations and events about it.

use std::collections::BTreeMap;

use muster_domain::asset::AssetDefinition;
use muster_domain::device::OutboundEndpoint;
use muster_domain::discovery::{
    Acceptance, AuthenticationMethod, Discovered, DiscoveredDeviceDefinition, DiscoveredEndpoint, DiscoveryCount,
    DiscoveryState, Report,
};
use muster_domain::edge::UplinkChange;
use muster_domain::{Body, EventKind, Key, Operation};

use super::assets::asset_definition;
use super::{NOW, some, text};

fn device_report() -> Report<DiscoveredDeviceDefinition> {
    let endpoint = DiscoveredEndpoint {
        address: text("opc.tcp://10.1.4.7:4840"),
        endpoint_type: text("Microsoft.OpcUa"),
        version: text("1.05"),
        additional_configuration: text(r#"{"securityMode":"none"}"#),
        supported_methods: vec![
            AuthenticationMethod::Anonymous,
            AuthenticationMethod::Certificate,
            AuthenticationMethod::UsernamePassword,
        ],
        updated_ms: NOW - 9,
    };
    let broker = OutboundEndpoint { address: text("mqtts://broker:8883"), endpoint_type: text("Microsoft.Mqtt") };
    let definition = DiscoveredDeviceDefinition {
        external_device_id: text("plc-0817"),
        manufacturer: text("Contoso"),
        model: text("P7"),
        operating_system: text("VxWorks"),
        operating_system_version: text("7"),
        attributes: text(r#"{"line":4}"#),
        inbound: BTreeMap::from([(text("opc"), endpoint)]),
        outbound: BTreeMap::from([(text("broker"), broker)]),
    };
    Report { discovery_id: text("scan-12"), definition }
}

fn asset_report() -> Report<AssetDefinition> {
    Report { discovery_id: text("scan-12"), definition: asset_definition() }
}

fn device_key() -> Key {
    Key::DiscoveredDevice(text("plant1"), text("hall-4"), text("plc-7"))
}

fn asset_key() -> Key {
    Key::DiscoveredAsset(text("plant1"), text("hall-4"), text("oven-3"))
}

pub(super) fn bodies() -> [Body; 3] {
    let acceptance = Acceptance { resource: text("press-plc"), version: 2, revision: 4_711 };
    [
        Body::DiscoveredDevice(Box::new(Discovered {
            report: device_report(),
            version: 3,
            changed_ms: NOW - 2,
            state: DiscoveryState::Accepted(acceptance),
        })),
        Body::DiscoveredAsset(Box::new(Discovered {
            report: asset_report(),
            version: 4,
            changed_ms: NOW - 3,
            state: DiscoveryState::Dismissed,
        })),
        Body::DiscoveryCount(DiscoveryCount { things: 17 }),
    ]
}

pub(super) fn events() -> [(Key, EventKind); 7] {
    let count = || Key::DiscoveryCount(text("plant1"), text("hall-4"));
    [
        (device_key(), EventKind::DiscoveredDeviceReported(Box::new(device_report()))),
        (asset_key(), EventKind::DiscoveredAssetReported(Box::new(asset_report()))),
        (device_key(), EventKind::DiscoveredAccepted(text("press-plc"))),
        (asset_key(), EventKind::DiscoveredDismissed),
        (asset_key(), EventKind::DiscoveredDeleted),
        (count(), EventKind::DiscoveryCounted(17)),
        (count(), EventKind::DiscoveryEnded),
    ]
}

pub(super) fn operations() -> [(&'static str, Operation); 6] {
    let (namespace, edge, etag) = (|| text("plant1"), || text("hall-4"), || some("41"));
    let changes = vec![
        UplinkChange::DiscoveredDevice { device: text("plc-7"), report: Box::new(device_report()) },
        UplinkChange::DiscoveredAsset { asset: text("oven-3"), report: Box::new(asset_report()) },
    ];
    [
        (
            "",
            Operation::ReportDiscoveredDevice {
                namespace: namespace(),
                edge: edge(),
                device: text("plc-7"),
                report: Box::new(device_report()),
            },
        ),
        (
            "",
            Operation::ReportDiscoveredAsset {
                namespace: namespace(),
                edge: edge(),
                asset: text("oven-3"),
                report: Box::new(asset_report()),
            },
        ),
        (
            "",
            Operation::AcceptDiscovered {
                key: device_key(),
                resource: text("press-plc"),
                uuid: text("22222222-2222-3333-4444-555555555555"),
                etag: etag(),
            },
        ),
        ("", Operation::DismissDiscovered { key: asset_key(), etag: etag() }),
        ("", Operation::DeleteDiscovered { key: asset_key(), etag: etag() }),
        (
            "discovery",
            Operation::ApplyUplink { namespace: namespace(), edge: edge(), epoch: 7, first_sequence: 43, changes },
        ),
    ]
}
