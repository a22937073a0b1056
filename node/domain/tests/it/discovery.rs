//! What edges discover: reports are merged, operators accept and dismiss, and an edge's things go with it.

use std::collections::BTreeMap;

use muster_domain::asset::{AssetDefinition, DeviceRef};
use muster_domain::device::{Authentication, Device, EndpointAuthentication, OutboundEndpoint};
use muster_domain::discovery::{
    Acceptance, AuthenticationMethod, DiscoveredAsset, DiscoveredDevice, DiscoveredDeviceDefinition,
    DiscoveredEndpoint, DiscoveryState, Report,
};
use muster_domain::edge::{UplinkChange, edge_of};
use muster_domain::limits::DISCOVERED_MAX;
use muster_domain::policy::{Principal, Role, permit};
use muster_domain::{Body, Command, Key, Operation, Reason};

use crate::asset::{delete_asset, full_definition};
use crate::edge::{create_edge, delete_edge, edge_key, enable_edge};
use crate::edge_session::{open, session, uplink};
use crate::memory::{Memory, create_device, create_namespace, delete_device, device_key, reachable_device};

const HALL: &str = "hall";

/// The edges `hall` and `dock`.
fn with_edges() -> Memory {
    let mut memory = Memory::new();
    for edge in [HALL, "dock"] {
        memory.accept(create_edge(edge));
    }
    memory
}

fn found(address: &str) -> DiscoveredEndpoint {
    DiscoveredEndpoint {
        address: address.into(),
        endpoint_type: "Microsoft.OpcUa".into(),
        supported_methods: vec![AuthenticationMethod::UsernamePassword, AuthenticationMethod::Anonymous],
        ..DiscoveredEndpoint::default()
    }
}

fn plc(model: &str, endpoints: &[(&str, &str)]) -> DiscoveredDeviceDefinition {
    DiscoveredDeviceDefinition {
        manufacturer: "Contoso".into(),
        model: model.into(),
        inbound: endpoints.iter().map(|(name, address)| ((*name).into(), found(address))).collect(),
        ..DiscoveredDeviceDefinition::default()
    }
}

fn report_to(edge: &str, id: &str, mark: &str, definition: DiscoveredDeviceDefinition) -> Operation {
    let report = Box::new(Report { discovery_id: mark.into(), definition });
    Operation::ReportDiscoveredDevice { namespace: "plant".into(), edge: edge.into(), device: id.into(), report }
}

fn report(id: &str, mark: &str, definition: DiscoveredDeviceDefinition) -> Operation {
    report_to(HALL, id, mark, definition)
}

fn report_asset(id: &str, mark: &str, definition: AssetDefinition) -> Operation {
    let report = Box::new(Report { discovery_id: mark.into(), definition });
    Operation::ReportDiscoveredAsset { namespace: "plant".into(), edge: HALL.into(), asset: id.into(), report }
}

fn device_of(edge: &str, id: &str) -> Key {
    Key::DiscoveredDevice("plant".into(), edge.into(), id.into())
}

fn asset_key(id: &str) -> Key {
    Key::DiscoveredAsset("plant".into(), HALL.into(), id.into())
}

fn accept(key: Key, resource: &str) -> Operation {
    Operation::AcceptDiscovered { key, resource: resource.into(), uuid: "u".into(), etag: None }
}

fn dismiss(key: Key) -> Operation {
    Operation::DismissDiscovered { key, etag: None }
}

fn delete(key: Key) -> Operation {
    Operation::DeleteDiscovered { key, etag: None }
}

#[track_caller]
fn device(memory: &Memory, id: &str) -> DiscoveredDevice {
    match &memory.record(&device_of(HALL, id)).body {
        Body::DiscoveredDevice(device) => (**device).clone(),
        other => panic!("a discovered device, not {other:?}"),
    }
}

#[track_caller]
fn asset(memory: &Memory, id: &str) -> DiscoveredAsset {
    match &memory.record(&asset_key(id)).body {
        Body::DiscoveredAsset(asset) => (**asset).clone(),
        other => panic!("a discovered asset, not {other:?}"),
    }
}

#[track_caller]
fn real(memory: &Memory, id: &str) -> Device {
    match &memory.record(&device_key("plant", id)).body {
        Body::Device(device) => (**device).clone(),
        other => panic!("a device, not {other:?}"),
    }
}

fn things(memory: &Memory, edge: &str) -> u64 {
    match &memory.record(&Key::DiscoveryCount("plant".into(), edge.into())).body {
        Body::DiscoveryCount(count) => count.things,
        other => panic!("a count, not {other:?}"),
    }
}

#[test]
fn a_report_that_says_what_is_known_changes_nothing() {
    let mut memory = with_edges();
    let events = memory.accept(report("plc", "1", plc("X1", &[("opc", "opc.tcp://a")])));
    assert_eq!(
        events,
        [
            "namespaces/plant/edges/hall/discovery discovery.counted",
            "namespaces/plant/edges/hall/discoveredDevices/plc discovered_device.reported"
        ]
    );
    let revision = memory.revision;
    for _ in 0..1_000 {
        assert_eq!(memory.accept(report("plc", "1", plc("X1", &[("opc", "opc.tcp://a")]))), Vec::<String>::new());
    }
    let known = device(&memory, "plc");
    assert_eq!((known.version, memory.revision, things(&memory, HALL)), (1, revision, 1));
    let methods = [AuthenticationMethod::Anonymous, AuthenticationMethod::UsernamePassword];
    assert_eq!(known.report.definition.inbound["opc"].supported_methods, methods, "in one order");
    memory.accept(report("plc", "2", plc("X1", &[("opc", "opc.tcp://a")])));
    assert_eq!(device(&memory, "plc").version, 2, "another mark is another word");
    assert_eq!(things(&memory, HALL), 1);
}

#[test]
fn fields_left_out_are_removed_and_endpoints_merge() {
    let mut memory = with_edges();
    memory.accept(report("plc", "1", plc("X1", &[("opc", "opc.tcp://a")])));
    let first_ms = device(&memory, "plc").report.definition.inbound["opc"].updated_ms;
    let outbound = OutboundEndpoint { address: "mqtt://b".into(), endpoint_type: String::new() };
    let second = DiscoveredDeviceDefinition {
        manufacturer: String::new(),
        outbound: BTreeMap::from([("broker".into(), outbound.clone())]),
        ..plc("X2", &[("http", "http://a"), ("opc", "opc.tcp://a")])
    };
    memory.accept(report("plc", "1", second));
    let merged = device(&memory, "plc");
    let said = &merged.report.definition;
    assert_eq!((said.manufacturer.as_str(), said.model.as_str(), merged.version), ("", "X2", 2));
    assert_eq!(said.inbound.keys().collect::<Vec<_>>(), ["http", "opc"]);
    assert_eq!(said.outbound, BTreeMap::from([("broker".to_owned(), outbound)]));
    assert_eq!(said.inbound["opc"].updated_ms, first_ms, "it was reported as before");
    assert!(said.inbound["http"].updated_ms > first_ms);
    memory.accept(report("plc", "1", plc("X2", &[("opc", "opc.tcp://c")])));
    let said = device(&memory, "plc").report.definition;
    assert_eq!((said.inbound.len(), said.inbound["opc"].address.as_str()), (2, "opc.tcp://c"));
    assert!(said.inbound["opc"].updated_ms > first_ms);
    let more: Vec<(String, String)> = (0..63).map(|n| (format!("e{n}"), "a".to_owned())).collect();
    let more: Vec<(&str, &str)> = more.iter().map(|(name, address)| (name.as_str(), address.as_str())).collect();
    let field = "discovered_device.definition.endpoints.inbound";
    memory.refuse(report("plc", "1", plc("X2", &more)), Reason::TooMany, field);
    let mut parts = full_definition("plc");
    memory.accept(report_asset("oven", "1", parts.clone()));
    parts.datasets.clear();
    memory.accept(report_asset("oven", "1", parts));
    assert_eq!(asset(&memory, "oven").report.definition.datasets, Vec::new(), "an asset is replaced as a whole");
}

#[test]
fn what_breaks_a_rule_is_named() {
    let mut memory = with_edges();
    let definition = || plc("X1", &[("opc", "opc.tcp://a")]);
    for (operation, reason, field) in [
        (report("p c", "", definition()), Reason::InvalidId, "discovered_device_id"),
        (report("plc", &"x".repeat(129), definition()), Reason::TooLarge, "discovered_device.discovery_id"),
        (
            report("plc", "", plc("X1", &[("opc", "")])),
            Reason::InvalidField,
            "discovered_device.definition.endpoints.inbound.opc.address",
        ),
        (report("plc", "", plc(&"x".repeat(257), &[])), Reason::TooLarge, "discovered_device.definition.model"),
        (report_to("nowhere", "plc", "", definition()), Reason::ParentNotFound, "parent"),
        (report_asset("Oven", "", full_definition("plc")), Reason::InvalidId, "discovered_asset_id"),
        (
            report_asset("oven", "", AssetDefinition::default()),
            Reason::InvalidField,
            "discovered_asset.definition.device_ref.device_name",
        ),
        (
            report_asset("oven", "", AssetDefinition { site: "works".into(), ..full_definition("plc") }),
            Reason::InvalidField,
            "discovered_asset.definition.site",
        ),
        (accept(device_of(HALL, "plc"), ""), Reason::NotFound, "name"),
        (dismiss(device_key("plant", "plc")), Reason::InvalidField, "name"),
    ] {
        memory.refuse(operation, reason, field);
    }
    memory.accept(enable_edge(HALL, false));
    memory.refuse(report("plc", "", definition()), Reason::EdgeDisabled, "edge");
    assert_eq!(memory.records.keys().filter(|key| matches!(key, Key::DiscoveredDevice(..))).count(), 0);
}

#[test]
fn accepting_makes_the_real_device_that_points_back() {
    let mut memory = with_edges();
    memory.accept(report("plc", "1", plc("X1", &[("opc", "opc.tcp://a")])));
    memory.accept(create_device("plant", "taken", reachable_device()));
    memory.refuse(accept(device_of(HALL, "plc"), "taken"), Reason::AlreadyExists, "device_id");
    memory.refuse(accept(device_of(HALL, "plc"), "a b"), Reason::InvalidId, "device_id");
    let stale = Operation::AcceptDiscovered {
        key: device_of(HALL, "plc"),
        resource: String::new(),
        uuid: "u".into(),
        etag: Some("1".into()),
    };
    memory.refuse(stale, Reason::EtagMismatch, "etag");
    assert_eq!(device(&memory, "plc").state, DiscoveryState::New, "a refusal changes nothing");
    let events = memory.accept(accept(device_of(HALL, "plc"), ""));
    assert_eq!(
        events,
        [
            "namespaces/plant/devices/plc device.created",
            "namespaces/plant/devices/plc/twin twin.created",
            "namespaces/plant/edges/hall/discoveredDevices/plc discovered.accepted"
        ]
    );
    let made = real(&memory, "plc").definition;
    assert_eq!(made.discovered_device_ref, "namespaces/plant/edges/hall/discoveredDevices/plc");
    assert_eq!((made.edge.as_str(), made.model.as_str(), made.uuid.as_str()), (HALL, "X1", "u"));
    assert_eq!(made.authentication, Authentication::None);
    let endpoint = &made.endpoints.inbound["opc"];
    assert_eq!(
        (endpoint.address.as_str(), &endpoint.authentication),
        ("opc.tcp://a", &EndpointAuthentication::Anonymous)
    );
    let acceptance = Acceptance { resource: "plc".into(), version: 1, revision: memory.revision };
    assert_eq!(device(&memory, "plc").state, DiscoveryState::Accepted(acceptance.clone()));

    memory.refuse(accept(device_of(HALL, "plc"), "plc-2"), Reason::AlreadyAccepted, "name");
    memory.refuse(dismiss(device_of(HALL, "plc")), Reason::AlreadyAccepted, "name");
    memory.accept(report("plc", "2", plc("X2", &[])));
    let changed = device(&memory, "plc");
    assert_eq!(changed.state, DiscoveryState::Accepted(acceptance), "a change takes nothing back");
    assert!(changed.changed_since_accepted());
    assert_eq!(real(&memory, "plc").definition.model, "X1", "the real one is the operators'");

    // The real one is gone, and another one has its id: what was discovered may be accepted under another id.
    memory.accept(delete_device("plant", "plc"));
    memory.accept(create_device("plant", "plc", reachable_device()));
    memory.refuse(accept(device_of(HALL, "plc"), ""), Reason::AlreadyExists, "device_id");
    memory.accept(accept(device_of(HALL, "plc"), "plc-2"));
    assert_eq!(real(&memory, "plc-2").definition.model, "X2");
    assert!(!device(&memory, "plc").changed_since_accepted());
}

#[test]
fn an_asset_finds_the_device_under_the_id_that_it_was_accepted_with() {
    let mut memory = with_edges();
    memory.accept(report("plc", "1", plc("X1", &[("opc", "opc.tcp://a")])));
    memory.accept(report_asset("oven", "1", full_definition("plc")));
    let message = memory.refuse(accept(asset_key("oven"), ""), Reason::ParentNotFound, "name");
    assert!(message.contains("namespaces/plant/devices/plc does not exist"), "{message}");
    memory.accept(accept(device_of(HALL, "plc"), "press-plc"));
    assert_eq!(
        memory.accept(accept(asset_key("oven"), "")),
        [
            "namespaces/plant/assets/oven asset.created",
            "namespaces/plant/edges/hall/discoveredAssets/oven discovered.accepted"
        ]
    );
    let made = match &memory.record(&Key::Asset("plant".into(), "oven".into())).body {
        Body::Asset(asset) => (**asset).clone(),
        other => panic!("an asset, not {other:?}"),
    };
    let device_ref = DeviceRef { device: "press-plc".into(), endpoint: "opc".into() };
    assert_eq!(made.definition.device_ref, device_ref);
    assert_eq!(made.definition.discovered_asset_refs, ["namespaces/plant/edges/hall/discoveredAssets/oven"]);
    assert_eq!((made.definition.edge.as_str(), made.enabled), ("", true), "it goes with its device");
    assert_eq!(edge_of(&memory, &Key::Asset("plant".into(), "oven".into())).as_deref(), Some(HALL));
    memory.refuse(accept(asset_key("oven"), "oven-2"), Reason::AlreadyAccepted, "name");
    memory.accept(delete_asset("plant", "oven"));
    memory.accept(accept(asset_key("oven"), ""));

    // One behind a device that was always there, and is no edge's.
    memory.accept(create_device("plant", "old", reachable_device()));
    memory.accept(report_asset("kiln", "1", full_definition("old")));
    memory.accept(accept(asset_key("kiln"), ""));
    let kiln = Key::Asset("plant".into(), "kiln".into());
    assert_eq!(edge_of(&memory, &kiln).as_deref(), Some(HALL), "who found it holds it");
}

#[test]
fn what_was_dismissed_comes_back_with_another_mark_only() {
    let mut memory = with_edges();
    memory.accept(report("cam", "1", plc("C1", &[])));
    memory.accept(dismiss(device_of(HALL, "cam")));
    assert_eq!(memory.accept(dismiss(device_of(HALL, "cam"))), Vec::<String>::new(), "once is enough");
    memory.accept(report("cam", "1", plc("C2", &[])));
    let known = device(&memory, "cam");
    assert_eq!((known.state, known.version), (DiscoveryState::Dismissed, 2), "merged, and still not wanted");
    memory.accept(report("cam", "2", plc("C2", &[])));
    assert_eq!(device(&memory, "cam").state, DiscoveryState::New);
    memory.accept(dismiss(device_of(HALL, "cam")));
    memory.accept(accept(device_of(HALL, "cam"), ""));
    assert!(memory.is_alive(&device_key("plant", "cam")), "operators may think better of it");
    memory.accept(delete_device("plant", "cam"));
    memory.accept(dismiss(device_of(HALL, "cam")));
    memory.accept(delete(device_of(HALL, "cam")));
    assert!(!memory.is_alive(&device_of(HALL, "cam")));
    memory.accept(report("cam", "2", plc("C2", &[])));
    let anew = device(&memory, "cam");
    assert_eq!((anew.state, anew.version), (DiscoveryState::New, 4), "its version goes on");
}

#[test]
fn an_edge_has_so_many_discovered_things_and_no_more() {
    let mut memory = with_edges();
    for n in 0..DISCOVERED_MAX {
        memory.accept(report(&format!("d{n}"), "", DiscoveredDeviceDefinition::default()));
    }
    let full = memory.refuse(report("one-more", "", plc("X1", &[])), Reason::DiscoveryFull, "parent");
    assert!(full.contains("10000"), "{full}");
    memory.refuse(report_asset("oven", "", full_definition("d1")), Reason::DiscoveryFull, "parent");
    memory.accept(report("d1", "", plc("X1", &[])));
    memory.accept(report_to("dock", "one-more", "", plc("X1", &[])));
    memory.accept(delete(device_of(HALL, "d7")));
    memory.accept(report("one-more", "", plc("X1", &[])));
    memory.refuse(report("d7", "", plc("X1", &[])), Reason::DiscoveryFull, "parent");
    assert_eq!((things(&memory, HALL), things(&memory, "dock")), (DISCOVERED_MAX, 1));

    let ended = memory.accept(delete_edge(HALL));
    assert_eq!(ended.len() as u64, DISCOVERED_MAX + 2, "the edge, its things and their count in one change");
    assert!(memory.is_alive(&device_of("dock", "one-more")), "others keep theirs");
    memory.accept(create_edge(HALL));
    memory.accept(report("d1", "", plc("X1", &[])));
    assert_eq!(things(&memory, HALL), 1);
}

#[test]
fn a_namespace_goes_with_what_its_edges_discovered() {
    let mut memory = with_edges();
    for n in 0..1_200 {
        memory.accept(report(&format!("d{n}"), "", DiscoveredDeviceDefinition::default()));
    }
    memory.accept(report_asset("oven", "", full_definition("d1")));
    let step = |force| Operation::DeleteNamespace { namespace: "plant".into(), etag: None, force };
    let message = memory.refuse(step(false), Reason::NamespaceNotEmpty, "name");
    assert!(message.contains("discoveredDevices"), "{message}");
    let mut steps = 0;
    while memory.is_alive(&Key::Namespace("plant".into())) {
        memory.accept(step(true));
        if memory.is_alive(&edge_key(HALL)) {
            memory.refuse(report("new", "", plc("X1", &[])), Reason::NamespaceDeleting, "parent");
        }
        steps += 1;
    }
    assert_eq!(steps, 3);
    let left = memory.records.iter().filter(|(key, record)| key.namespace() == Some("plant") && record.is_alive());
    assert_eq!(left.map(|(key, _)| key.to_string()).collect::<Vec<_>>(), Vec::<String>::new());
    memory.accept(create_namespace("plant"));
}

#[test]
fn an_edge_sends_up_what_it_discovers_in_its_sessions() {
    let mut memory = with_edges();
    memory.accept(open(HALL, 1, 0, 1));
    let of_device = |id: &str, mark: &str| UplinkChange::DiscoveredDevice {
        device: id.into(),
        report: Box::new(Report { discovery_id: mark.into(), definition: plc("X1", &[("opc", "a")]) }),
    };
    let of_asset = UplinkChange::DiscoveredAsset {
        asset: "oven".into(),
        report: Box::new(Report { discovery_id: String::new(), definition: full_definition("plc") }),
    };
    let changes =
        vec![of_device("plc", "1"), of_device("plc", "1"), of_device("no good", "1"), of_asset, of_device("plc", "2")];
    let events = memory.accept(uplink(HALL, 1, 1, changes.clone()));
    let told: Vec<&str> = events.iter().filter_map(|event| event.split(' ').nth(1)).collect();
    assert_eq!(
        told,
        [
            "discovery.counted",
            "discovered_device.reported",
            "discovery.counted",
            "discovered_asset.reported",
            "discovered_device.reported",
            "edge_session.uplink_applied"
        ],
        "each over the effects of those before it"
    );
    let refusals = session(&memory, HALL).refusals;
    assert_eq!(refusals.len(), 1);
    assert_eq!((refusals[0].sequence, refusals[0].reason), (3, Reason::InvalidId));
    assert_eq!((things(&memory, HALL), device(&memory, "plc").version), (2, 2));
    assert_eq!(memory.accept(uplink(HALL, 1, 1, changes)), Vec::<String>::new(), "each has its effect once");
}

#[test]
fn an_edge_reports_below_itself_and_decides_nothing() {
    let hall = Principal::Edge { namespace: "plant".into(), edge: HALL.into(), token: None };
    let user = |role| Principal::User { name: "u".into(), role, namespace: None, token: None };
    let operations = [
        (report("plc", "", plc("X1", &[])), true),
        (report_asset("oven", "", full_definition("plc")), true),
        (report_to("dock", "plc", "", plc("X1", &[])), false),
        (accept(device_of(HALL, "plc"), ""), false),
        (dismiss(device_of(HALL, "plc")), false),
        (delete(asset_key("oven")), false),
    ];
    for (operation, is_own) in operations {
        let may = |principal: &Principal| permit(principal, &Command::single(operation.clone())).is_ok();
        assert_eq!(may(&hall), is_own, "{operation:?}");
        assert!(may(&user(Role::Operator)) && !may(&user(Role::Viewer)), "{operation:?}");
        let device = Principal::Device { namespace: "plant".into(), device: "plc".into(), token: None };
        assert!(!may(&device) && !may(&user(Role::Edge)), "{operation:?}");
        assert_eq!(Command::single(operation).feature_level(), 5);
    }
    let plain = uplink(HALL, 1, 1, vec![crate::edge_session::report("press", "{}")]);
    assert_eq!(Command::single(plain).feature_level(), 4, "other operations of an edge are older");
    let unread = UplinkChange::Refused { reason: Reason::InvalidField, message: "m".into() };
    let mixed = uplink(HALL, 1, 1, vec![crate::edge_session::report("press", "{}"), unread]);
    assert_eq!(Command::single(mixed).feature_level(), 5, "members of level 4 would stop at what could not be read");
}
