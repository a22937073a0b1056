//! One value for every variant of operation, event and body, with no field left at its default where that can be
//! helped. The golden files are these values' bytes: a sample that changes needs a new golden file, so add samples
//! rather than change them.

mod assets;
mod discovery;
mod edges;
mod events;
mod saved_queries;

pub(super) use events::events;

use std::sync::Arc;

use muster_domain::asset::{Asset, AssetField};
use muster_domain::cluster::Cluster;
use muster_domain::cursor::Cursor;
use muster_domain::device::{
    Authentication, Device, DeviceDefinition, DeviceField, DeviceStatus, EndpointAuthentication, Endpoints,
    InboundEndpoint, OutboundEndpoint, SealedKey,
};
use muster_domain::import::{ImportIdentity, ImportLine, ImportMode};
use muster_domain::module::{Module, ModuleDefinition, ModuleField};
use muster_domain::namespace::{Namespace, NamespaceDefinition, NamespaceField};
use muster_domain::node::{Node, NodeState};
use muster_domain::policy::{Principal, Role};
use muster_domain::retention::{Retention, RetentionPolicy};
use muster_domain::saved_query::SavedQuery;
use muster_domain::token::Token;
use muster_domain::twin::{Builder, Document, Section, Touch, Twin};
use muster_domain::{Body, Command, Event, Key, Limits, Operation, Record, Tombstone};

use self::assets::{asset_definition, asset_status};
use self::saved_queries::saved_query_definition;
use crate::request::Request;
use crate::store::codec::RevisionEntry;

pub(super) const NOW: u64 = 1_795_000_000_123;

pub(super) fn text(text: &str) -> String {
    text.to_owned()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn sealed(byte: u8) -> SealedKey {
    SealedKey(vec![byte; 48])
}

pub(super) fn cluster() -> Cluster {
    let limits = Limits {
        tags_bytes_max: 1,
        desired_bytes_max: 20,
        reported_bytes_max: 300,
        value_bytes_max: 4_000,
        key_bytes_max: 50_000,
        depth_max: 12,
    };
    Cluster { cluster_id: text("c-7f3a"), page_key: [7; 32], limits, feature_level: 2, last_node_id: 0 }
}

pub(super) fn node() -> Node {
    Node {
        name: text("n6"),
        state: NodeState::Joined,
        voter: true,
        replaces: 3,
        token_hash: [0xcd; 32],
        expires_ms: NOW + 2,
        nonce: [0x17; 16],
        peer_address: text("n6.example:7421"),
        client_address: text("n6.example:7420"),
    }
}

pub(super) fn cursor() -> Cursor {
    Cursor { description: text("feeds the warehouse"), acknowledged: 4_711 }
}

pub(super) fn token() -> Token {
    Token {
        hash: [0xab; 32],
        description: text("pump 7 of plant 1"),
        role: Role::Device,
        namespace: some("plant1"),
        device: some("pump7"),
        edge: None,
        expires_ms: Some(NOW + 1),
    }
}

fn retention_policy() -> RetentionPolicy {
    RetentionPolicy { max_age_ms: Some(2_592_000_000), max_bytes: Some(10 << 30), max_revisions: Some(1_000_000) }
}

fn namespace_definition() -> NamespaceDefinition {
    let labels = [(text("env"), text("prod")), (text("team"), String::new())].into();
    NamespaceDefinition { display_name: text("Plant 1"), description: text("Wörth"), labels }
}

pub(super) fn endpoints() -> Endpoints {
    let inbound = |authentication| InboundEndpoint {
        address: text("opc.tcp://10.0.0.7:4840"),
        endpoint_type: text("Microsoft.OpcUa"),
        version: text("1.05"),
        additional_configuration: text("{}"),
        authentication,
        trust_list: text("plant-trust"),
    };
    let outbound = OutboundEndpoint { address: text("mqtts://broker:8883"), endpoint_type: text("Mqtt") };
    let certificate = EndpointAuthentication::Certificate {
        certificate_secret: text("cert"),
        key_secret: text("key"),
        intermediates_secret: text("chain"),
    };
    let password =
        EndpointAuthentication::UsernamePassword { username_secret: text("user"), password_secret: text("password") };
    Endpoints {
        inbound: [
            (text("anonymous"), inbound(EndpointAuthentication::Anonymous)),
            (text("certificate"), inbound(certificate)),
            (text("password"), inbound(password)),
        ]
        .into(),
        outbound_assigned: [(text("a"), outbound.clone())].into(),
        outbound_unassigned: [(text("u"), outbound)].into(),
    }
}

pub(super) fn device_definition(authentication: Authentication) -> DeviceDefinition {
    DeviceDefinition {
        status: DeviceStatus::Disabled,
        status_reason: text("stolen"),
        authentication,
        iot_edge: true,
        device_scope: text("ms-azure-iot-edge://pump7-1"),
        parent_scopes: vec![text("ms-azure-iot-edge://gateway-2")],
        external_device_id: text("SN-0042"),
        manufacturer: text("ACME"),
        model: text("P-7"),
        operating_system: text("Linux"),
        operating_system_version: text("6.1"),
        attributes: text(r#"{"floor":3}"#),
        endpoints: endpoints(),
        discovered_device_ref: text("found-9"),
        uuid: text("11111111-2222-3333-4444-555555555555"),
        edge: String::new(),
        site: String::new(),
    }
}

pub(super) fn sas() -> Authentication {
    Authentication::Sas { primary: Some(sealed(1)), secondary: Some(sealed(2)) }
}

fn self_signed() -> Authentication {
    Authentication::SelfSigned { primary_thumbprint: "A1".repeat(20), secondary_thumbprint: "B2".repeat(32) }
}

fn device() -> Device {
    Device { definition: device_definition(self_signed()), status_updated_ms: NOW - 5, version: 9 }
}

fn module_definition() -> ModuleDefinition {
    ModuleDefinition { managed_by: text("IotEdge"), authentication: Authentication::CertificateAuthority }
}

/// A twin with every kind of value; some nodes were touched with what they lie in, some were not.
pub(super) fn twin() -> Twin {
    let touch = |ms: u64, version: u64| Touch { time_ms: NOW + ms, version };
    let plain = Touch::default();
    let mut tags = Builder::default();
    tags.bool("active", touch(0, 3), true);
    tags.open_object("limits", touch(0, 3));
    tags.int("max", touch(0, 3), -(1 << 52));
    tags.float("min", touch(1, 2), -0.25);
    tags.open_object("empty", touch(0, 3));
    tags.close().expect("no name");
    tags.close().expect("three names");
    tags.open_array("list", touch(2, 3));
    tags.null("", plain);
    tags.bool("", plain, true);
    tags.int("", plain, -5);
    tags.float("", plain, 0.5);
    tags.string("", plain, "x");
    tags.open_array("", plain);
    tags.int("", plain, 1);
    tags.open_array("", plain);
    tags.close().expect("no name");
    tags.close().expect("no name");
    tags.open_object("", plain);
    tags.open_object("b", plain);
    tags.close().expect("no name");
    tags.null("c", plain);
    tags.close().expect("two names");
    tags.close().expect("no name");
    tags.string("name", touch(0, 1), "Pümp 7");
    tags.bool("off", touch(3, 2), false);
    tags.int("zero", touch(0, 3), 0);
    let mut desired = Builder::default();
    desired.string("site", touch(0, 3), "");
    let section = |version, updated_ms, updated_version, document| {
        Arc::new(Section { version, updated_ms, updated_version, document })
    };
    Twin {
        version: 300,
        tags: section(3, NOW, 3, tags.finish().expect("six names")),
        desired: section(4, NOW, 3, desired.finish().expect("one name")),
        reported: section(2, NOW - 1, 2, Document::default()),
    }
}

fn device_twin() -> Key {
    Key::DeviceTwin(text("plant1"), text("pump7"))
}

fn module_twin() -> Key {
    Key::ModuleTwin(text("plant1"), text("pump7"), text("opc"))
}

fn import_line(identity: ImportIdentity) -> Operation {
    Operation::ImportDevice(Box::new(ImportLine {
        mode: ImportMode::CreateOrUpdateIfMatchEtag,
        namespace: text("plant1"),
        device: text("pump7"),
        identity,
        etag: text("17"),
        twin_etag: text("*"),
        tags: some(r#"{"site":"A"}"#),
        desired: some("{}"),
        reported: some(r#"{"t":1}"#),
    }))
}

/// Every operation; the first text tells samples of the same one apart.
#[allow(clippy::too_many_lines, reason = "one entry for each operation")]
pub(super) fn operations() -> Vec<(&'static str, Operation)> {
    let (namespace, device, module, asset) = (text("plant1"), text("pump7"), text("opc"), text("pump-7"));
    let etag = some("41");
    let mut operations = vec![
        ("", Operation::InitializeCluster { cluster: cluster(), token: Some((text("first"), token())) }),
        (
            "",
            Operation::RestoreCluster {
                cluster_id: text("c-8a4b"),
                page_key: [9; 32],
                token: Some((text("first"), token())),
            },
        ),
        ("", Operation::CreateToken { id: text("ci"), token: token() }),
        ("", Operation::RevokeToken { id: text("ci") }),
        (
            "",
            Operation::CreateCursor {
                namespace: text("plant1"),
                cursor: text("warehouse"),
                description: text("feeds the warehouse"),
                acknowledged: Some(4_700),
            },
        ),
        ("", Operation::AcknowledgeCursor { namespace: text("plant1"), cursor: text("warehouse"), revision: 4_711 }),
        ("", Operation::DeleteCursor { namespace: text("plant1"), cursor: text("warehouse"), etag: some("4711") }),
        ("", Operation::CreateNamespace { namespace: namespace.clone(), definition: namespace_definition() }),
        (
            "",
            Operation::UpdateNamespace {
                namespace: namespace.clone(),
                definition: namespace_definition(),
                fields: NamespaceField::ALL.map(|(field, _)| field).to_vec(),
                etag: etag.clone(),
            },
        ),
        ("", Operation::DeleteNamespace { namespace: namespace.clone(), etag: etag.clone(), force: true }),
        (
            "",
            Operation::CreateDevice {
                namespace: namespace.clone(),
                device: device.clone(),
                definition: Box::new(device_definition(sas())),
            },
        ),
        (
            "",
            Operation::UpdateDevice {
                namespace: namespace.clone(),
                device: device.clone(),
                definition: Box::new(device_definition(Authentication::None)),
                // Those that came later are in a sample of their own.
                fields: DeviceField::ALL[..14].iter().map(|(field, _)| *field).collect(),
                etag: etag.clone(),
            },
        ),
        (
            "",
            Operation::SetDeviceStatus {
                namespace: namespace.clone(),
                device: device.clone(),
                status: DeviceStatus::Disabled,
                reason: text("stolen"),
                etag: etag.clone(),
            },
        ),
        ("", Operation::DeleteDevice { namespace: namespace.clone(), device: device.clone(), etag: etag.clone() }),
        (
            "",
            Operation::RegenerateKeys {
                key: Key::Module(namespace.clone(), device.clone(), module.clone()),
                primary: Some(sealed(3)),
                secondary: Some(sealed(4)),
                etag: etag.clone(),
            },
        ),
        (
            "",
            Operation::CreateModule {
                namespace: namespace.clone(),
                device: device.clone(),
                module: module.clone(),
                definition: module_definition(),
            },
        ),
        (
            "",
            Operation::UpdateModule {
                namespace: namespace.clone(),
                device: device.clone(),
                module: module.clone(),
                definition: ModuleDefinition { managed_by: String::new(), authentication: self_signed() },
                fields: ModuleField::ALL.map(|(field, _)| field).to_vec(),
                etag: etag.clone(),
            },
        ),
        (
            "",
            Operation::DeleteModule {
                namespace: namespace.clone(),
                device: device.clone(),
                module,
                etag: etag.clone(),
            },
        ),
        (
            "",
            Operation::PatchTwin {
                key: device_twin(),
                tags: some(r#"{"site":null}"#),
                desired: some(r#"{"speed":5}"#),
                etag: etag.clone(),
            },
        ),
        ("empty", Operation::PatchTwin { key: module_twin(), tags: None, desired: some(""), etag: None }),
        (
            "",
            Operation::ReplaceTwin {
                key: module_twin(),
                tags: some("{}"),
                desired: some(r#"{"speed":5}"#),
                etag: etag.clone(),
            },
        ),
        (
            "",
            Operation::ReportProperties {
                key: device_twin(),
                reported: text(r#"{"temperature":21.5}"#),
                expected_version: 12,
                from_device: true,
            },
        ),
        ("", import_line(ImportIdentity::Device(Box::new(device_definition(sas()))))),
        ("module", import_line(ImportIdentity::Module { module: text("opc"), definition: module_definition() })),
        (
            "",
            Operation::CreateAsset {
                namespace: namespace.clone(),
                asset: asset.clone(),
                definition: Box::new(asset_definition()),
                enabled: true,
                uuid: text("22222222-2222-3333-4444-555555555555"),
            },
        ),
        (
            "",
            Operation::UpdateAsset {
                namespace: namespace.clone(),
                asset: asset.clone(),
                definition: Box::new(asset_definition()),
                enabled: Some(false),
                fields: vec![AssetField::DeviceRef, AssetField::Datasets, AssetField::ManagementGroups],
                etag: etag.clone(),
            },
        ),
        ("", Operation::DeleteAsset { namespace: namespace.clone(), asset: asset.clone(), etag }),
        ("", Operation::AdmitNode { node: Box::new(node()), members_max: 5 }),
        (
            "",
            Operation::UseJoinToken {
                node_id: 6,
                token_hash: [0xcd; 32],
                nonce: [0x17; 16],
                peer_address: text("n6.example:7421"),
                client_address: text("n6.example:7420"),
            },
        ),
        ("", Operation::PromoteNode { node_id: 6 }),
        ("", Operation::RemoveNode { node_id: 6, name: text("n6") }),
        ("", Operation::RaiseFeatureLevel { level: 2 }),
        ("", Operation::UpdateAssetStatus { namespace: namespace.clone(), asset, status: Box::new(asset_status()) }),
        (
            "",
            Operation::SetRetention {
                namespace: Some(namespace.clone()),
                policy: Some(retention_policy()),
                etag: some("41"),
            },
        ),
        ("cluster", Operation::SetRetention { namespace: None, policy: None, etag: None }),
        ("", Operation::CompactEvents { namespace: Some(namespace), floor: 4_000 }),
        ("cluster", Operation::CompactEvents { namespace: None, floor: 4_001 }),
    ];
    operations.extend(saved_queries::operations());
    operations.extend(edges::operations());
    operations.extend(discovery::operations());
    operations
}

pub(super) fn principals() -> Vec<(&'static str, Principal)> {
    vec![
        ("node", Principal::Node(0)),
        (
            "user",
            Principal::User { name: text("alice"), role: Role::Operator, namespace: some("plant1"), token: some("ci") },
        ),
        ("edge", Principal::Edge { namespace: text("plant1"), edge: text("hall-4"), token: some("hall-4") }),
        ("device", Principal::Device { namespace: text("plant1"), device: text("pump7"), token: some("t-pump7") }),
    ]
}

pub(super) fn request(operation: Operation) -> Request {
    Request {
        principal: Principal::User { name: text("bob"), role: Role::Admin, namespace: None, token: None },
        origin: text("10.1.2.3:45678"),
        request_id: text("0b7c9e1a-6f"),
        body_hash: *b"0123456789abcdef",
        command: Command::single(operation),
    }
}

pub(super) fn revision(events: Vec<Event>) -> RevisionEntry {
    RevisionEntry {
        revision: 4_711,
        time_ms: NOW,
        actor: text("user:bob"),
        origin: text("10.1.2.3:45678"),
        request_id: text("0b7c9e1a-6f"),
        previous: events.iter().map(|_| 4_000).collect(),
        events,
    }
}

pub(super) fn record(body: Body) -> Record {
    Record { created_revision: 300, created_ms: NOW - 60_000, updated_revision: 4_711, updated_ms: NOW, body }
}

/// Every kind of body.
pub(super) fn bodies() -> Vec<Body> {
    let tombstone = Tombstone { version: 5, tags_version: 6, desired_version: 7, reported_version: 8 };
    let mut bodies = vec![
        Body::Cluster(cluster()),
        Body::Token(token()),
        Body::Cursor(cursor()),
        Body::Namespace(Namespace { definition: namespace_definition(), deleting: true }),
        Body::Device(Box::new(device())),
        Body::Module(Module { definition: module_definition(), version: 3 }),
        Body::Twin(twin()),
        Body::Asset(Box::new(Asset {
            definition: asset_definition(),
            enabled: true,
            uuid: text("22222222-2222-3333-4444-555555555555"),
            version: 4,
            last_transition_ms: NOW - 3,
            status: asset_status(),
            status_updated_ms: NOW - 2,
        })),
        Body::Node(Box::new(node())),
        Body::SavedQuery(SavedQuery { definition: saved_query_definition(), version: 3 }),
        Body::Deleted(tombstone),
        Body::Retention(Retention { policy: Some(retention_policy()), floor: 4_000 }),
    ];
    bodies.extend(edges::bodies());
    bodies.extend(discovery::bodies());
    bodies
}
