//! Who may change and read what: every role against every kind of operation and read.

use muster_domain::cluster::Cluster;
use muster_domain::device::DeviceStatus;
use muster_domain::import::{ImportIdentity, ImportLine, ImportMode};
use muster_domain::policy::{Principal, ReadScope, Role, may_read, permit, token_still_valid};
use muster_domain::token::Token;
use muster_domain::{Command, Key, Limits, Operation, Reason};

use crate::asset::{asset_definition, create_asset, delete_asset};
use crate::edge::{create_edge, delete_edge, enable_edge};
use crate::edge_session::{open, uplink};
use crate::memory::{Memory, create_device, create_namespace, delete_device, device_definition, device_key, twin_key};
use crate::module::create_module;
use crate::site::{create_site, delete_site};
use crate::token::{create, token};

fn user(role: Role, namespace: Option<&str>) -> Principal {
    Principal::User { name: "alice".into(), role, namespace: namespace.map(str::to_owned), token: None }
}

fn press() -> Principal {
    Principal::Device { namespace: "plant".into(), device: "press".into(), token: None }
}

fn hall() -> Principal {
    Principal::Edge { namespace: "plant".into(), edge: "hall".into(), token: None }
}

fn initialize() -> Operation {
    let cluster = Cluster {
        cluster_id: "c".into(),
        page_key: [0; 32],
        limits: Limits::default(),
        feature_level: 1,
        last_node_id: 0,
    };
    Operation::InitializeCluster { cluster, token: None }
}

fn report(key: Key, from_device: bool) -> Operation {
    Operation::ReportProperties { key, reported: "{}".into(), expected_version: 0, from_device }
}

fn patch(key: Key) -> Operation {
    Operation::PatchTwin { key, tags: None, desired: Some("{}".into()), etag: None }
}

fn module_twin() -> Key {
    Key::ModuleTwin("plant".into(), "press".into(), "vision".into())
}

fn namespaces() -> Vec<Operation> {
    let (namespace, etag) = (|| "plant".to_owned(), || None);
    vec![
        create_namespace("plant"),
        Operation::UpdateNamespace {
            namespace: namespace(),
            definition: Default::default(),
            fields: Vec::new(),
            etag: etag(),
        },
        Operation::DeleteNamespace { namespace: namespace(), etag: etag(), force: true },
    ]
}

fn within() -> Vec<Operation> {
    let line = ImportLine {
        mode: ImportMode::Delete,
        namespace: "plant".into(),
        device: "press".into(),
        identity: ImportIdentity::Device(Box::new(device_definition())),
        etag: String::new(),
        twin_etag: String::new(),
        tags: None,
        desired: None,
        reported: None,
    };
    vec![
        create_device("plant", "press", device_definition()),
        delete_device("plant", "press"),
        Operation::SetDeviceStatus {
            namespace: "plant".into(),
            device: "press".into(),
            status: DeviceStatus::Disabled,
            reason: String::new(),
            etag: None,
        },
        Operation::RegenerateKeys { key: device_key("plant", "press"), primary: None, secondary: None, etag: None },
        create_module("plant", "press", "vision"),
        create_asset("plant", "oven", asset_definition("press")),
        delete_asset("plant", "oven"),
        Operation::UpdateAssetStatus { namespace: "plant".into(), asset: "oven".into(), status: Box::default() },
        patch(twin_key("plant", "press")),
        patch(module_twin()),
        Operation::ReplaceTwin { key: module_twin(), tags: None, desired: None, etag: None },
        report(twin_key("plant", "press"), false),
        Operation::ImportDevice(Box::new(line)),
        create_site("works", "", ""),
        delete_site("works"),
        create_edge("hall"),
        enable_edge("hall", false),
        delete_edge("hall"),
    ]
}

fn cluster() -> Vec<Operation> {
    let revoke = Operation::RevokeToken { id: "ci".into() };
    vec![initialize(), create("ci", token(Role::Viewer, None, None)), revoke]
}

fn may(principal: &Principal, operation: &Operation) -> bool {
    match permit(principal, &Command::single(operation.clone())) {
        Ok(()) => true,
        Err(refusal) => {
            assert_eq!(refusal.reason, Reason::PermissionDenied);
            assert!(refusal.message.contains(&principal.actor()), "{refusal}");
            false
        }
    }
}

#[test]
fn roles_change_what_they_may() {
    for (principal, in_cluster, on_namespaces, in_namespace) in [
        (user(Role::Viewer, None), false, false, false),
        (user(Role::Viewer, Some("plant")), false, false, false),
        (user(Role::Device, None), false, false, false),
        (user(Role::Edge, None), false, false, false),
        (hall(), false, false, false),
        (user(Role::Operator, None), false, true, true),
        (user(Role::Operator, Some("plant")), false, false, true),
        (user(Role::Operator, Some("depot")), false, false, false),
        (user(Role::Admin, None), true, true, true),
        (user(Role::Admin, Some("plant")), false, false, true),
        (press(), false, false, false),
    ] {
        for (operations, allowed) in [(cluster(), in_cluster), (namespaces(), on_namespaces), (within(), in_namespace)]
        {
            for operation in operations {
                assert_eq!(may(&principal, &operation), allowed, "{principal:?} {operation:?}");
            }
        }
    }
}

#[test]
fn a_node_initializes_the_cluster_and_nothing_else() {
    let node = Principal::Node(1);
    assert!(may(&node, &initialize()));
    for operation in namespaces().into_iter().chain(within()).chain(cluster().into_iter().skip(1)) {
        assert!(!may(&node, &operation), "{operation:?}");
    }
}

#[test]
fn a_device_reports_for_itself_and_its_modules() {
    assert!(may(&press(), &report(twin_key("plant", "press"), true)));
    assert!(may(&press(), &report(module_twin(), true)));
    for denied in [
        report(twin_key("plant", "press"), false),
        report(twin_key("plant", "other"), true),
        report(twin_key("depot", "press"), true),
        report(device_key("plant", "press"), true),
        patch(twin_key("plant", "press")),
    ] {
        assert!(!may(&press(), &denied), "{denied:?}");
    }
}

#[test]
fn an_edge_opens_its_own_sessions_and_sends_in_them() {
    for edge in ["hall", "dock"] {
        for operation in [open(edge, 1, 0, 1), uplink(edge, 1, 1, Vec::new())] {
            assert_eq!(may(&hall(), &operation), edge == "hall", "{operation:?}");
            let elsewhere = Principal::Edge { namespace: "depot".into(), edge: "hall".into(), token: None };
            assert!(!may(&elsewhere, &operation), "{operation:?}");
            for denied in [press(), user(Role::Viewer, None), user(Role::Operator, Some("depot")), Principal::Node(1)] {
                assert!(!may(&denied, &operation), "{denied:?} {operation:?}");
            }
        }
    }
    assert!(!may(&hall(), &report(twin_key("plant", "press"), false)));
    assert_eq!(hall().actor(), "edge:plant/hall");
}

#[test]
fn a_command_is_permitted_as_a_whole() {
    let operations =
        vec![create_device("plant", "a", device_definition()), create_device("depot", "a", device_definition())];
    let command = Command { operations, atomic: false };
    let refusal = permit(&user(Role::Operator, Some("plant")), &command).expect_err("one is elsewhere");
    assert_eq!(refusal.reason, Reason::PermissionDenied);
    assert_eq!(permit(&user(Role::Operator, None), &command), Ok(()));
}

#[test]
fn roles_read_what_they_may() {
    let twin = |section_tags| ReadScope::Twin { namespace: "plant", device: "press", section_tags };
    let scopes = [
        ReadScope::Cluster,
        ReadScope::AllNamespaces,
        ReadScope::Namespace("plant"),
        ReadScope::Device { namespace: "plant", device: "press" },
        twin(true),
        twin(false),
        ReadScope::Keys { namespace: "plant" },
        ReadScope::Tokens,
        ReadScope::EdgeScope { namespace: "plant", edge: "hall" },
    ];
    let other = |namespace: &str, device: &str| Principal::Device {
        namespace: namespace.into(),
        device: device.into(),
        token: None,
    };
    for (principal, allowed) in [
        (user(Role::Viewer, None), "CANDTt..E"),
        (user(Role::Viewer, Some("plant")), "C.NDTt..E"),
        (user(Role::Viewer, Some("depot")), "C........"),
        (user(Role::Operator, None), "CANDTtK.E"),
        (user(Role::Operator, Some("plant")), "C.NDTtK.E"),
        (user(Role::Operator, Some("depot")), "C........"),
        (user(Role::Admin, None), "CANDTtKSE"),
        (user(Role::Device, None), "........."),
        (press(), ".....t..."),
        (other("plant", "drill"), "........."),
        (other("depot", "press"), "........."),
        (user(Role::Edge, None), "........."),
        (hall(), "........E"),
        (Principal::Edge { namespace: "plant".into(), edge: "dock".into(), token: None }, "........."),
        (Principal::Edge { namespace: "depot".into(), edge: "hall".into(), token: None }, "........."),
        (Principal::Node(1), "........."),
    ] {
        for (scope, letter) in scopes.into_iter().zip(allowed.chars()) {
            assert_eq!(may_read(&principal, scope).is_ok(), letter != '.', "{principal:?} {scope:?}");
        }
    }
}

#[test]
fn a_token_counts_as_long_as_it_says_the_same() {
    let mut memory = Memory::new();
    let expires_ms = memory.at().time_ms + 10;
    memory.accept(create("ci", Token { expires_ms: Some(expires_ms), ..token(Role::Operator, Some("plant"), None) }));
    memory.accept(create("press", token(Role::Device, Some("plant"), Some("press"))));
    let ci = memory.record(&Key::Token("ci".into()));
    let device = memory.record(&Key::Token("press".into()));
    let bearer = |role, namespace: Option<&str>| Principal::User {
        name: "ci".into(),
        role,
        namespace: namespace.map(str::to_owned),
        token: Some("ci".into()),
    };
    let device_bearer =
        |id: &str| Principal::Device { namespace: "plant".into(), device: id.into(), token: Some("press".into()) };
    let operator = bearer(Role::Operator, Some("plant"));
    let valid = |record, principal: &Principal, at_ms| token_still_valid(record, principal, at_ms).is_ok();
    assert!(valid(Some(&ci), &operator, expires_ms - 1));
    assert!(!valid(Some(&ci), &operator, expires_ms), "expired");
    assert!(!valid(None, &operator, 0), "unknown");
    assert!(!valid(Some(&ci), &bearer(Role::Admin, Some("plant")), 0), "another role");
    assert!(!valid(Some(&ci), &bearer(Role::Operator, None), 0), "another scope");
    assert!(valid(Some(&device), &device_bearer("press"), u64::MAX));
    assert!(!valid(Some(&device), &device_bearer("drill"), 0), "another device");
    assert!(valid(None, &user(Role::Viewer, None), 0), "a certificate has no token");
    let of_edge = Token { edge: Some("hall".into()), ..token(Role::Edge, Some("plant"), None) };
    memory.accept(create("hall", of_edge));
    let edge = memory.record(&Key::Token("hall".into()));
    let edge_bearer =
        |id: &str| Principal::Edge { namespace: "plant".into(), edge: id.into(), token: Some("hall".into()) };
    assert!(valid(Some(&edge), &edge_bearer("hall"), u64::MAX));
    assert!(!valid(Some(&edge), &edge_bearer("dock"), 0), "another edge");
    assert!(!valid(Some(&edge), &device_bearer("hall"), 0), "not a device");

    memory.accept(Operation::RevokeToken { id: "ci".into() });
    let revoked = memory.get_any(&Key::Token("ci".into()));
    let refusal = token_still_valid(Some(&revoked), &operator, 0).expect_err("revoked");
    assert_eq!(refusal.reason, Reason::PermissionDenied);
}
