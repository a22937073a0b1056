//! Events as JSON: every kind, and what must never appear in it.

use std::collections::BTreeSet;

use muster_domain::asset::{AssetDefinition, AssetPart, AssetStatus, Dataset, Destination, PartStatus, Target};
use muster_domain::cluster::Cluster;
use muster_domain::cursor::Cursor;
use muster_domain::device::{Authentication, DeviceDefinition, DeviceStatus, Endpoints, InboundEndpoint, SealedKey};
use muster_domain::discovery::{AuthenticationMethod, DiscoveredDeviceDefinition, DiscoveredEndpoint, Report};
use muster_domain::edge::{EdgeDefinition, Refusal};
use muster_domain::module::ModuleDefinition;
use muster_domain::node::{Node, NodeState};
use muster_domain::saved_query::SavedQueryDefinition;
use muster_domain::site::SiteDefinition;
use muster_domain::{Limits, Reason};

use super::*;

/// Bytes that must not get out, and every way JSON might spell them.
const SECRET: &[u8] = b"sealed-secret";

fn sealed() -> Option<SealedKey> {
    Some(SealedKey(SECRET.to_vec()))
}

fn sas() -> Authentication {
    Authentication::Sas { primary: sealed(), secondary: sealed() }
}

fn device() -> Box<DeviceDefinition> {
    let endpoint = InboundEndpoint { address: "opc.tcp://10.0.0.1".to_owned(), ..InboundEndpoint::default() };
    Box::new(DeviceDefinition {
        status: DeviceStatus::Disabled,
        status_reason: String::new(),
        authentication: sas(),
        iot_edge: false,
        device_scope: String::new(),
        parent_scopes: Vec::new(),
        external_device_id: String::new(),
        manufacturer: "Contoso".to_owned(),
        model: String::new(),
        operating_system: String::new(),
        operating_system_version: String::new(),
        attributes: r#"{"hall":7}"#.to_owned(),
        endpoints: Endpoints { inbound: [("opc".to_owned(), endpoint)].into(), ..Endpoints::default() },
        discovered_device_ref: String::new(),
        uuid: "u".to_owned(),
        edge: String::new(),
        site: String::new(),
    })
}

fn asset() -> Box<AssetDefinition> {
    let target = Target::Mqtt { topic: "t".to_owned(), qos: Some(1), retain: None };
    let dataset = Dataset {
        name: "d".to_owned(),
        destinations: vec![Destination { target, ttl_seconds: 5 }],
        ..Dataset::default()
    };
    Box::new(AssetDefinition { datasets: vec![dataset], ..AssetDefinition::default() })
}

fn saved_query() -> SavedQueryDefinition {
    SavedQueryDefinition { text: "SELECT * FROM devices".to_owned(), description: "all".to_owned() }
}

fn discovered() -> Box<Report<DiscoveredDeviceDefinition>> {
    let endpoint = DiscoveredEndpoint {
        address: "opc.tcp://plc:4840".to_owned(),
        supported_methods: vec![AuthenticationMethod::Certificate],
        updated_ms: 1_800_000_000_123,
        ..DiscoveredEndpoint::default()
    };
    let definition = DiscoveredDeviceDefinition {
        model: "X1".to_owned(),
        inbound: [("opc".to_owned(), endpoint)].into(),
        ..DiscoveredDeviceDefinition::default()
    };
    Box::new(Report { discovery_id: "7".to_owned(), definition })
}

fn every_kind() -> Vec<EventKind> {
    let token = Token {
        hash: [0x5e; 32],
        description: "ci".to_owned(),
        role: Role::Viewer,
        namespace: None,
        device: None,
        edge: None,
        expires_ms: Some(1_800_000_000_123),
    };
    let cluster = Cluster {
        cluster_id: "c".to_owned(),
        page_key: [0x5e; 32],
        limits: Limits::default(),
        feature_level: 1,
        last_node_id: 0,
    };
    let node = Node {
        name: "n4".to_owned(),
        state: NodeState::Admitted,
        voter: true,
        replaces: 3,
        token_hash: [0x5e; 32],
        expires_ms: 1_800_000_000_123,
        nonce: [0x5e; 16],
        peer_address: String::new(),
        client_address: String::new(),
    };
    let module = ModuleDefinition { managed_by: "IotEdge".to_owned(), authentication: sas() };
    let refusal = Refusal { sequence: 8, reason: Reason::OutsideScope, message: "moved".to_owned() };
    let (tags, desired) = (Some(r#"{"a": null}"#.to_owned()), Some("{}".to_owned()));
    let status = AssetStatus {
        config_version: 3,
        parts: [(AssetPart::Event("g".to_owned(), "e".to_owned()), PartStatus::default())].into(),
        ..AssetStatus::default()
    };
    vec![
        EventKind::ClusterInitialized(cluster),
        EventKind::ClusterRestored { cluster_id: "d".to_owned(), page_key: [0x5e; 32] },
        EventKind::TokenCreated(token),
        EventKind::TokenRevoked,
        EventKind::CursorCreated(Cursor { description: "feeds".to_owned(), acknowledged: 4 }),
        EventKind::CursorAcknowledged(7),
        EventKind::CursorDeleted,
        EventKind::SavedQueryCreated(saved_query()),
        EventKind::SavedQueryUpdated(saved_query()),
        EventKind::SavedQueryDeleted,
        EventKind::SiteCreated(SiteDefinition::default()),
        EventKind::SiteUpdated(SiteDefinition::default()),
        EventKind::SiteDeleted,
        EventKind::EdgeCreated(EdgeDefinition::default()),
        EventKind::EdgeUpdated(EdgeDefinition::default()),
        EventKind::EdgeDeleted,
        EventKind::EdgeSessionOpened { incarnation: [0x1a; 16], epoch: 2, session: [0x5e; 16], node_id: 3 },
        EventKind::EdgeUplinkApplied { last_sequence: 9, refusals: vec![refusal] },
        EventKind::EdgeSessionEnded,
        EventKind::DiscoveredDeviceReported(discovered()),
        EventKind::DiscoveredAssetReported(Box::new(Report { discovery_id: "7".to_owned(), definition: *asset() })),
        EventKind::DiscoveredAccepted("plc".to_owned()),
        EventKind::DiscoveredDismissed,
        EventKind::DiscoveredDeleted,
        EventKind::DiscoveryCounted(3),
        EventKind::DiscoveryEnded,
        EventKind::NamespaceCreated(NamespaceDefinition::default()),
        EventKind::NamespaceUpdated(NamespaceDefinition::default()),
        EventKind::NamespaceDeleting,
        EventKind::NamespaceDeleted,
        EventKind::DeviceCreated(device()),
        EventKind::DeviceUpdated(device()),
        EventKind::DeviceStatusChanged { status: DeviceStatus::Enabled, reason: "back".to_owned() },
        EventKind::DeviceKeysRegenerated { primary: sealed(), secondary: None },
        EventKind::DeviceDeleted,
        EventKind::ModuleCreated(module.clone()),
        EventKind::ModuleUpdated(module),
        EventKind::ModuleKeysRegenerated { primary: None, secondary: sealed() },
        EventKind::ModuleDeleted,
        EventKind::TwinCreated,
        EventKind::TwinPatched { tags: tags.clone(), desired: None },
        EventKind::TwinReplaced { tags, desired: desired.clone(), reported: desired },
        EventKind::TwinReported(r#"{"t":21.5}"#.to_owned()),
        EventKind::TwinDeleted,
        EventKind::AssetCreated { definition: asset(), enabled: true, uuid: "u".to_owned() },
        EventKind::AssetUpdated { definition: asset(), enabled: false },
        EventKind::AssetStatusUpdated(Box::new(status)),
        EventKind::AssetDeleted,
        EventKind::NodeIdTaken(4),
        EventKind::FeatureLevelRaised(2),
        EventKind::NodeAdmitted(Box::new(node)),
        EventKind::NodeJoined {
            nonce: [0x5e; 16],
            peer_address: "n4.example:7421".to_owned(),
            client_address: "n4.example:7420".to_owned(),
        },
        EventKind::NodePromoted,
        EventKind::NodeRemoved { name: "n4".to_owned() },
        EventKind::RetentionUpdated { policy: Some(RetentionPolicy::default()), floor: 3 },
        EventKind::EventsCompacted { floor: 4 },
    ]
}

#[test]
fn every_kind_is_listed_once_and_renders_to_an_object() {
    let kinds = every_kind();
    let names: BTreeSet<&str> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(names, KINDS.into_iter().collect());
    assert_eq!(names.len(), KINDS.len());
    for kind in &kinds {
        assert!(value(kind).is_object(), "{}", kind.name());
    }
}

#[test]
fn no_event_shows_keys_or_hashes() {
    let spelled = [
        String::from_utf8(SECRET.to_vec()).expect("ASCII"),
        format!("{SECRET:?}").replace(' ', ""),
        SECRET.iter().map(|byte| format!("{byte:02x}")).collect(),
        "c2VhbGVk".to_owned(),
        "5e5e".to_owned(),
        "94,94".to_owned(),
    ];
    for kind in every_kind() {
        let json = render(&kind);
        for secret in &spelled {
            assert!(!json.contains(secret.as_str()), "{} shows {secret}: {json}", kind.name());
        }
        assert!(!json.contains("page_key") && !json.contains("hash"), "{json}");
    }
}

#[test]
fn documents_keep_their_nulls_and_their_emptiness() {
    let patch =
        EventKind::TwinPatched { tags: Some(r#"{"a":null,"b":{}}"#.to_owned()), desired: Some("{}".to_owned()) };
    assert_eq!(render(&patch), r#"{"desired":{},"tags":{"a":null,"b":{}}}"#);
}

#[test]
fn a_device_is_told_by_its_fields() {
    let json = value(&EventKind::DeviceCreated(device()));
    assert_eq!(json["status"], "disabled");
    assert_eq!(json["authentication"]["type"], "sas");
    assert_eq!(json["attributes"]["hall"], 7);
    assert_eq!(json["endpoints"]["inbound"]["opc"]["address"], "opc.tcp://10.0.0.1");
    assert_eq!(json.get("model"), None, "empty texts are left out");
}

#[test]
fn what_was_discovered_is_told_by_its_fields() {
    let json = value(&EventKind::DiscoveredDeviceReported(discovered()));
    assert_eq!((&json["discovery_id"], &json["model"]), (&"7".into(), &"X1".into()));
    assert_eq!(json["endpoints"]["inbound"]["opc"]["supported_authentication_methods"][0], "certificate");
    assert_eq!(json["endpoints"]["inbound"]["opc"]["last_update_time"], "2027-01-15T08:00:00.123Z");
    assert_eq!(json.get("manufacturer"), None, "empty texts are left out");
    assert_eq!(value(&EventKind::DiscoveredAccepted("plc".to_owned()))["resource"], "plc");
}

#[test]
fn an_asset_is_told_by_its_parts() {
    let json = value(&EventKind::AssetUpdated { definition: asset(), enabled: false });
    assert_eq!(json["enabled"], false);
    assert_eq!(json["datasets"][0]["destinations"][0]["qos"], 1);
    assert_eq!(json["datasets"][0]["destinations"][0]["ttl_seconds"], 5);
}
