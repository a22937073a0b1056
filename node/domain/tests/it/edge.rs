//! Edges, and whose scope a resource is in.

use muster_domain::asset::{AssetDefinition, AssetField};
use muster_domain::device::{DeviceDefinition, DeviceField};
use muster_domain::edge::{EdgeDefinition, EdgeField, edge_of};
use muster_domain::site::{SiteDefinition, SiteField};
use muster_domain::{Body, Key, Operation, Reason};

use crate::asset::{asset_definition, create_asset, update_asset};
use crate::memory::{Memory, create_device, device_definition, device_key, reachable_device, twin_key};
use crate::module::create_module;
use crate::site::{create_site, delete_site, update_site};

pub(crate) fn edge_key(edge: &str) -> Key {
    Key::Edge("plant".into(), edge.into())
}

pub(crate) fn session_key(edge: &str) -> Key {
    Key::EdgeSession("plant".into(), edge.into())
}

pub(crate) fn create_edge(edge: &str) -> Operation {
    let definition = EdgeDefinition { enabled: true, ..EdgeDefinition::default() };
    Operation::CreateEdge { namespace: "plant".into(), edge: edge.into(), definition }
}

pub(crate) fn enable_edge(edge: &str, enabled: bool) -> Operation {
    let definition = EdgeDefinition { enabled, ..EdgeDefinition::default() };
    update_edge(edge, definition, &[EdgeField::Enabled])
}

pub(crate) fn update_edge(edge: &str, definition: EdgeDefinition, fields: &[EdgeField]) -> Operation {
    let (namespace, edge, fields) = ("plant".into(), edge.into(), fields.to_vec());
    Operation::UpdateEdge { namespace, edge, definition, fields, etag: None }
}

pub(crate) fn delete_edge(edge: &str) -> Operation {
    Operation::DeleteEdge { namespace: "plant".into(), edge: edge.into(), etag: None }
}

/// Gives a device to an edge, to a site, or to neither.
pub(crate) fn assign(device: &str, edge: &str, site: &str) -> Operation {
    let definition = DeviceDefinition { edge: edge.into(), site: site.into(), ..device_definition() };
    Operation::UpdateDevice {
        namespace: "plant".into(),
        device: device.into(),
        definition: Box::new(definition),
        fields: vec![DeviceField::Edge, DeviceField::Site],
        etag: None,
    }
}

fn assign_asset(edge: &str, site: &str) -> Operation {
    let definition = AssetDefinition { edge: edge.into(), site: site.into(), ..AssetDefinition::default() };
    update_asset(definition, None, &[AssetField::Edge, AssetField::Site])
}

/// The edges `hall` and `dock`, and the device `press` with the asset `oven`.
fn with_edges() -> Memory {
    let mut memory = Memory::new();
    for edge in ["hall", "dock"] {
        memory.accept(create_edge(edge));
    }
    memory.accept(create_device("plant", "press", reachable_device()));
    memory.accept(create_module("plant", "press", "vision"));
    memory.accept(create_asset("plant", "oven", asset_definition("press")));
    memory
}

#[test]
fn an_edge_is_created_updated_and_deleted() {
    let mut memory = Memory::new();
    assert_eq!(memory.accept(create_edge("hall")), ["namespaces/plant/edges/hall edge.created"]);
    memory.refuse(create_edge("hall"), Reason::AlreadyExists, "edge_id");
    memory.refuse(create_edge("Hall"), Reason::InvalidId, "edge_id");
    let new = EdgeDefinition {
        enabled: false,
        display_name: "Hall".into(),
        description: "not told".into(),
        attributes: r#"{ "b":1, "a":2 }"#.into(),
    };
    memory.accept(update_edge("hall", new, &[EdgeField::DisplayName, EdgeField::Attributes]));
    let Body::Edge(edge) = &memory.record(&edge_key("hall")).body else { panic!("an edge") };
    let expected = EdgeDefinition {
        enabled: true,
        display_name: "Hall".into(),
        description: String::new(),
        attributes: r#"{"a":2,"b":1}"#.into(),
    };
    assert_eq!((edge.definition.clone(), edge.version), (expected, 2));
    assert_eq!(memory.accept(delete_edge("hall")), ["namespaces/plant/edges/hall edge.deleted"]);
    memory.refuse(delete_edge("hall"), Reason::NotFound, "name");
    memory.accept(create_edge("hall"));
    assert_eq!(memory.record(&edge_key("hall")).version(), 3, "the version goes on");
}

#[test]
fn an_edge_keeps_its_rules() {
    let mut memory = with_edges();
    let plain = EdgeDefinition::default;
    for (bad, reason, field) in [
        (EdgeDefinition { display_name: "x".repeat(257), ..plain() }, Reason::TooLarge, "edge.display_name"),
        (EdgeDefinition { description: "x".repeat(1_025), ..plain() }, Reason::TooLarge, "edge.description"),
        (EdgeDefinition { attributes: "[]".into(), ..plain() }, Reason::InvalidJson, "edge.attributes_json"),
    ] {
        let all = EdgeField::ALL.map(|(field, _)| field);
        memory.refuse(update_edge("hall", bad.clone(), &all), reason, field);
        let create = Operation::CreateEdge { namespace: "plant".into(), edge: "new".into(), definition: bad };
        memory.refuse(create, reason, field);
    }
    let create = Operation::CreateEdge { namespace: "nowhere".into(), edge: "new".into(), definition: plain() };
    memory.refuse(create, Reason::ParentNotFound, "parent");
    let mut stale = delete_edge("hall");
    if let Operation::DeleteEdge { etag, .. } = &mut stale {
        *etag = Some("0".into());
    }
    memory.refuse(stale, Reason::EtagMismatch, "etag");
}

#[test]
fn what_a_device_and_an_asset_name_must_exist() {
    let mut memory = with_edges();
    memory.refuse(assign("press", "gone", ""), Reason::ParentNotFound, "device.edge");
    memory.refuse(assign("press", "", "gone"), Reason::ParentNotFound, "device.site");
    memory.refuse(assign_asset("gone", ""), Reason::ParentNotFound, "asset.definition.edge");
    memory.refuse(assign_asset("", "gone"), Reason::ParentNotFound, "asset.definition.site");
    let definition = DeviceDefinition { edge: "gone".into(), ..device_definition() };
    memory.refuse(create_device("plant", "drill", definition), Reason::ParentNotFound, "device.edge");
    let definition = AssetDefinition { site: "gone".into(), ..asset_definition("press") };
    memory.refuse(create_asset("plant", "kiln", definition), Reason::ParentNotFound, "asset.definition.site");
    // The edge of another namespace is not one of this.
    let definition = EdgeDefinition::default();
    memory.accept(Operation::CreateEdge { namespace: "depot".into(), edge: "far".into(), definition });
    memory.refuse(assign("press", "far", ""), Reason::ParentNotFound, "device.edge");
}

#[test]
fn what_names_an_edge_that_is_gone_may_be_written_back() {
    let mut memory = with_edges();
    memory.accept(assign("press", "hall", ""));
    memory.accept(delete_edge("hall"));
    memory.accept(assign("press", "hall", ""));
    assert_eq!(edge_of(&memory, &device_key("plant", "press")).as_deref(), Some("hall"), "nothing moves by itself");
}

#[test]
fn a_resource_goes_with_its_own_edge_then_its_site_then_its_device() {
    let mut memory = with_edges();
    let asset = Key::Asset("plant".into(), "oven".into());
    let module = Key::Module("plant".into(), "press".into(), "vision".into());
    let devices = [device_key("plant", "press"), twin_key("plant", "press"), module.twin().expect("has one"), module];
    let scope = |memory: &Memory, device: Option<&str>, of_asset: Option<&str>| {
        for key in &devices {
            assert_eq!(edge_of(memory, key).as_deref(), device, "{key}");
        }
        assert_eq!(edge_of(memory, &asset).as_deref(), of_asset, "the asset");
    };
    scope(&memory, None, None);
    memory.accept(create_site("works", "", "dock"));
    memory.accept(create_site("floor", "works", ""));
    memory.accept(create_site("yard", "", ""));
    memory.accept(assign("press", "", "floor"));
    scope(&memory, Some("dock"), Some("dock"));
    memory.accept(update_site(
        "floor",
        SiteDefinition { edge: "hall".into(), ..SiteDefinition::default() },
        &[SiteField::Edge],
    ));
    scope(&memory, Some("hall"), Some("hall"));
    memory.accept(assign_asset("", "works"));
    scope(&memory, Some("hall"), Some("dock"));
    memory.accept(assign("press", "dock", "floor"));
    memory.accept(assign_asset("hall", "works"));
    scope(&memory, Some("dock"), Some("hall"));
    memory.accept(assign_asset("", "yard"));
    scope(&memory, Some("dock"), Some("dock"));
    memory.accept(assign("press", "", "yard"));
    scope(&memory, None, None);
    memory.accept(assign("press", "", "floor"));
    memory.accept(delete_site("floor"));
    scope(&memory, None, None);
    assert_eq!(edge_of(&memory, &device_key("plant", "gone")), None);
    for other in [Key::Namespace("plant".into()), edge_key("hall"), session_key("hall"), Key::Cluster] {
        assert_eq!(edge_of(&memory, &other), None, "{other}");
    }
}
