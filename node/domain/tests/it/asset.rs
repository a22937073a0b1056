//! Assets: definition, references, status by part and versions.

use std::collections::BTreeMap;

use muster_domain::asset::{
    Asset, AssetDefinition, AssetEvent, AssetField, AssetPart, AssetStatus, AssetStream, DataPoint, Dataset,
    Destination, DeviceRef, EventGroup, ManagementAction, ManagementGroup, PartStatus, StatusError, StatusErrorDetail,
    Target,
};
use muster_domain::{Body, Key, Operation, Reason, limits};

use crate::memory::{Memory, STEP_MS, create_device, device_definition, reachable_device};

pub(crate) fn asset_definition(device: &str) -> AssetDefinition {
    AssetDefinition {
        device_ref: DeviceRef { device: device.into(), endpoint: "opc".into() },
        ..AssetDefinition::default()
    }
}

/// One part of each kind.
pub(crate) fn full_definition(device: &str) -> AssetDefinition {
    AssetDefinition {
        datasets: vec![dataset("heat")],
        event_groups: vec![EventGroup {
            name: "alarms".into(),
            events: vec![AssetEvent { name: "hot".into(), ..AssetEvent::default() }],
            ..EventGroup::default()
        }],
        streams: vec![AssetStream { name: "video".into(), ..AssetStream::default() }],
        management_groups: vec![ManagementGroup {
            name: "control".into(),
            actions: vec![ManagementAction {
                name: "stop".into(),
                target_uri: "ns=2;s=Stop".into(),
                ..ManagementAction::default()
            }],
            ..ManagementGroup::default()
        }],
        ..asset_definition(device)
    }
}

fn dataset(name: &str) -> Dataset {
    let point = DataPoint { name: "temperature".into(), data_source: "ns=2;s=T".into(), ..DataPoint::default() };
    Dataset { name: name.into(), data_points: vec![point], ..Dataset::default() }
}

pub(crate) fn create_asset(namespace: &str, asset: &str, definition: AssetDefinition) -> Operation {
    Operation::CreateAsset {
        namespace: namespace.into(),
        asset: asset.into(),
        definition: Box::new(definition),
        enabled: true,
        uuid: "uuid-a".into(),
    }
}

pub(crate) fn delete_asset(namespace: &str, asset: &str) -> Operation {
    Operation::DeleteAsset { namespace: namespace.into(), asset: asset.into(), etag: None }
}

pub(crate) fn update_asset(definition: AssetDefinition, enabled: Option<bool>, fields: &[AssetField]) -> Operation {
    Operation::UpdateAsset {
        namespace: "plant".into(),
        asset: "oven".into(),
        definition: Box::new(definition),
        enabled,
        fields: fields.to_vec(),
        etag: None,
    }
}

fn update_status(status: AssetStatus) -> Operation {
    Operation::UpdateAssetStatus { namespace: "plant".into(), asset: "oven".into(), status: Box::new(status) }
}

fn all_fields() -> Vec<AssetField> {
    AssetField::ALL.iter().map(|(field, _)| *field).collect()
}

fn key() -> Key {
    Key::Asset("plant".into(), "oven".into())
}

fn asset(memory: &Memory) -> Asset {
    match &memory.record(&key()).body {
        Body::Asset(asset) => (**asset).clone(),
        other => panic!("not an asset: {other:?}"),
    }
}

fn with_oven(definition: AssetDefinition) -> Memory {
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", reachable_device()));
    memory.accept(create_asset("plant", "oven", definition));
    memory
}

#[test]
fn an_asset_refers_to_a_device_and_one_of_its_endpoints() {
    let mut memory = Memory::new();
    let create = |definition| create_asset("plant", "oven", definition);
    let (device_field, endpoint_field) =
        ("asset.definition.device_ref.device_name", "asset.definition.device_ref.endpoint_name");
    memory.refuse(create(asset_definition("press")), Reason::ParentNotFound, device_field);
    memory.accept(create_device("plant", "press", device_definition()));
    memory.refuse(create(asset_definition("press")), Reason::ParentNotFound, endpoint_field);
    memory.refuse(create(AssetDefinition::default()), Reason::InvalidField, device_field);
    let no_endpoint = DeviceRef { device: "press".into(), endpoint: String::new() };
    let definition = AssetDefinition { device_ref: no_endpoint, ..AssetDefinition::default() };
    memory.refuse(create(definition), Reason::InvalidField, endpoint_field);
    memory.accept(create_device("plant", "oven-1", reachable_device()));
    memory.accept(create(asset_definition("oven-1")));
    memory.refuse(
        update_asset(asset_definition("nothing"), None, &[AssetField::DeviceRef]),
        Reason::ParentNotFound,
        device_field,
    );
    let mut other = create_asset("nowhere", "oven", asset_definition("press"));
    memory.refuse(other.clone(), Reason::ParentNotFound, "parent");
    if let Operation::CreateAsset { namespace, .. } = &mut other {
        *namespace = "depot".into();
    }
    memory.refuse(other, Reason::ParentNotFound, device_field);
}

#[test]
fn an_id_follows_device_registry() {
    let mut memory = with_oven(asset_definition("press"));
    for bad in ["", "ab", "Oven", "oven_1", "-oven", "oven-", "o ven", &"x".repeat(64)] {
        memory.refuse(create_asset("plant", bad, asset_definition("press")), Reason::InvalidId, "asset_id");
    }
    memory.refuse(create_asset("plant", "oven", asset_definition("press")), Reason::AlreadyExists, "asset_id");
}

fn to_store() -> Destination {
    Destination { target: Target::BrokerStateStore { key: "k".into() }, ttl_seconds: 0 }
}

fn to_mqtt(topic: &str, qos: Option<u8>) -> Destination {
    Destination { target: Target::Mqtt { topic: topic.into(), qos, retain: None }, ttl_seconds: 0 }
}

fn to_storage(path: &str) -> Destination {
    Destination { target: Target::Storage { path: path.into() }, ttl_seconds: 0 }
}

/// Definitions that break one rule, with the refusal they get (below `asset.definition`).
fn bad_definitions() -> Vec<(AssetDefinition, Reason, &'static str)> {
    let long = |chars: usize| "x".repeat(chars);
    let plain = || asset_definition("press");
    let full = |spoil: fn(&mut AssetDefinition)| {
        let mut definition = full_definition("press");
        spoil(&mut definition);
        definition
    };
    let invalid = Reason::InvalidField;
    vec![
        (AssetDefinition { display_name: long(257), ..plain() }, Reason::TooLarge, "display_name"),
        (AssetDefinition { description: long(1_025), ..plain() }, Reason::TooLarge, "description"),
        (AssetDefinition { manufacturer_uri: long(513), ..plain() }, Reason::TooLarge, "manufacturer_uri"),
        (AssetDefinition { documentation_uri: long(513), ..plain() }, Reason::TooLarge, "documentation_uri"),
        (AssetDefinition { serial_number: long(257), ..plain() }, Reason::TooLarge, "serial_number"),
        (AssetDefinition { attributes: "1".into(), ..plain() }, Reason::InvalidJson, "attributes_json"),
        (AssetDefinition { attributes: "{".into(), ..plain() }, Reason::InvalidJson, "attributes_json"),
        (
            AssetDefinition { attributes: format!(r#"{{"a":"{}"}}"#, long(8 * 1024)), ..plain() },
            Reason::TooLarge,
            "attributes_json",
        ),
        (
            AssetDefinition { default_datasets_configuration: long(8 * 1024 + 1), ..plain() },
            Reason::TooLarge,
            "default_datasets_configuration",
        ),
        (
            AssetDefinition { asset_type_refs: vec!["a".into(), String::new()], ..plain() },
            invalid,
            "asset_type_refs[1]",
        ),
        (
            AssetDefinition { default_events_destinations: vec![to_mqtt("t", None), to_store()], ..plain() },
            invalid,
            "default_events_destinations[1].target",
        ),
        (
            AssetDefinition { default_streams_destinations: vec![to_store()], ..plain() },
            invalid,
            "default_streams_destinations[0].target",
        ),
        (
            AssetDefinition { default_datasets_destinations: vec![to_mqtt("", None)], ..plain() },
            invalid,
            "default_datasets_destinations[0].topic",
        ),
        (
            AssetDefinition { default_datasets_destinations: vec![to_mqtt("t", Some(2))], ..plain() },
            invalid,
            "default_datasets_destinations[0].qos",
        ),
        (
            AssetDefinition { default_datasets_destinations: vec![to_storage("")], ..plain() },
            invalid,
            "default_datasets_destinations[0].path",
        ),
        (
            AssetDefinition { default_datasets_destinations: vec![to_mqtt(&long(513), None)], ..plain() },
            Reason::TooLarge,
            "default_datasets_destinations[0].topic",
        ),
        (full(|d| d.datasets.push(dataset(""))), invalid, "datasets[1].name"),
        (full(|d| d.datasets.push(dataset("heat"))), invalid, "datasets[1].name"),
        (full(|d| d.datasets[0].data_points[0].name.clear()), invalid, "datasets[0].data_points[0].name"),
        (full(|d| d.datasets[0].data_points[0].data_source.clear()), invalid, "datasets[0].data_points[0].data_source"),
        (
            full(|d| {
                let twice = d.datasets[0].data_points[0].clone();
                d.datasets[0].data_points.push(twice);
            }),
            invalid,
            "datasets[0].data_points[1].name",
        ),
        (full(|d| d.event_groups[0].name.clear()), invalid, "event_groups[0].name"),
        (full(|d| d.event_groups[0].events[0].name.clear()), invalid, "event_groups[0].events[0].name"),
        (
            full(|d| d.event_groups[0].events[0].destinations.push(to_store())),
            invalid,
            "event_groups[0].events[0].destinations[0].target",
        ),
        (
            full(|d| d.event_groups[0].default_destinations.push(to_store())),
            invalid,
            "event_groups[0].default_destinations[0].target",
        ),
        (full(|d| d.streams[0].destinations.push(to_store())), invalid, "streams[0].destinations[0].target"),
        (full(|d| d.streams.push(d.streams[0].clone())), invalid, "streams[1].name"),
        (full(|d| d.management_groups.push(d.management_groups[0].clone())), invalid, "management_groups[1].name"),
        (
            full(|d| d.management_groups[0].actions[0].target_uri.clear()),
            invalid,
            "management_groups[0].actions[0].target_uri",
        ),
        (
            AssetDefinition {
                datasets: (0..=limits::ASSET_PARTS_MAX).map(|n| dataset(&format!("d{n}"))).collect(),
                ..plain()
            },
            Reason::TooMany,
            "datasets",
        ),
        (
            AssetDefinition {
                datasets: (0..65)
                    .map(|n| Dataset { configuration: "x".repeat(8 * 1024), ..dataset(&format!("d{n}")) })
                    .collect(),
                ..plain()
            },
            Reason::TooLarge,
            "",
        ),
    ]
}

#[test]
fn bad_fields_are_refused_by_name_on_create_and_update() {
    for (definition, reason, field) in bad_definitions() {
        let field = if field.is_empty() { "asset.definition".into() } else { format!("asset.definition.{field}") };
        let mut memory = with_oven(asset_definition("press"));
        memory.refuse(create_asset("plant", "other", definition.clone()), reason, &field);
        memory.refuse(update_asset(definition, None, &all_fields()), reason, &field);
    }
}

#[test]
fn good_destinations_are_accepted() {
    let mut definition = full_definition("press");
    definition.default_datasets_destinations = vec![to_store()];
    definition.default_events_destinations = vec![to_mqtt("a/b", Some(1)), to_storage("p")];
    definition.datasets[0].destinations = vec![to_store(), to_mqtt("t", Some(0)), to_storage("p")];
    definition.event_groups[0].events[0].destinations = vec![to_storage("p")];
    definition.attributes = r#"{"nested": {"a": [1.5, null]}}"#.into();
    let memory = with_oven(definition.clone());
    definition.attributes = r#"{"nested":{"a":[1.5,null]}}"#.into();
    assert_eq!(asset(&memory).definition, definition);
}

#[test]
fn the_version_rises_with_each_change_of_definition_or_enabled() {
    let mut memory = with_oven(full_definition("press"));
    assert_eq!((asset(&memory).version, asset(&memory).enabled), (1, true));
    let renamed = AssetDefinition { display_name: "Oven".into(), ..full_definition("press") };
    memory.accept(update_asset(renamed.clone(), None, &[AssetField::DisplayName]));
    assert_eq!((asset(&memory).version, asset(&memory).last_transition_ms), (2, memory.revision * STEP_MS));
    memory.accept(update_asset(AssetDefinition::default(), Some(false), &[]));
    assert_eq!((asset(&memory).version, asset(&memory).enabled), (3, false));
    let transition = asset(&memory).last_transition_ms;
    memory.accept(update_asset(renamed.clone(), Some(false), &all_fields()));
    assert_eq!((asset(&memory).version, asset(&memory).last_transition_ms), (3, transition), "nothing changed");
    assert_eq!(asset(&memory).definition, renamed);
    memory.accept(update_status(AssetStatus { config_version: 3, ..AssetStatus::default() }));
    assert_eq!(asset(&memory).version, 3, "a status is not a definition");
    memory.accept(delete_asset("plant", "oven"));
    memory.refuse(delete_asset("plant", "oven"), Reason::NotFound, "name");
    memory.accept(create_asset("plant", "oven", asset_definition("press")));
    assert_eq!(asset(&memory).version, 4, "the counter goes on over lives");
}

#[test]
fn a_stale_etag_is_refused_with_the_current_one() {
    let mut memory = with_oven(asset_definition("press"));
    let etag = Some(memory.record(&key()).etag());
    memory.accept(update_asset(AssetDefinition::default(), Some(false), &[]));
    let mut update = update_asset(AssetDefinition::default(), Some(true), &[]);
    if let Operation::UpdateAsset { etag: expected, .. } = &mut update {
        expected.clone_from(&etag);
    }
    let delete = Operation::DeleteAsset { namespace: "plant".into(), asset: "oven".into(), etag };
    for operation in [update, delete] {
        let refusal = memory.carry_out(&operation).expect_err("stale");
        assert_eq!(refusal.reason, Reason::EtagMismatch);
        assert_eq!(refusal.current, memory.record(&key()).etag());
    }
}

fn failed(code: &str) -> PartStatus {
    PartStatus { error: Some(StatusError { code: code.into(), ..StatusError::default() }), message_schema: None }
}

fn parts<const N: usize>(parts: [(AssetPart, PartStatus); N]) -> AssetStatus {
    AssetStatus { parts: BTreeMap::from(parts), ..AssetStatus::default() }
}

#[test]
fn a_status_merges_by_part() {
    let mut memory = with_oven(full_definition("press"));
    let heat = || AssetPart::Dataset("heat".into());
    let hot = || AssetPart::Event("alarms".into(), "hot".into());
    let stop = || AssetPart::ManagementAction("control".into(), "stop".into());
    let video = || AssetPart::Stream("video".into());
    memory.accept(update_status(parts([(heat(), failed("A")), (hot(), failed("B"))])));
    memory.accept(update_status(parts([
        (heat(), PartStatus::default()),
        (stop(), failed("C")),
        (video(), failed("D")),
    ])));
    let config = AssetStatus {
        config_version: 1,
        config_last_transition_ms: 5,
        config_error: Some(StatusError { message: "no".into(), ..StatusError::default() }),
        parts: BTreeMap::new(),
    };
    memory.accept(update_status(config.clone()));
    let after = asset(&memory);
    let merged = BTreeMap::from([
        (heat(), PartStatus::default()),
        (hot(), failed("B")),
        (video(), failed("D")),
        (stop(), failed("C")),
    ]);
    assert_eq!(after.status, AssetStatus { parts: merged, ..config });
    assert_eq!(after.status_updated_ms, memory.revision * STEP_MS);

    let without_events = AssetDefinition { event_groups: Vec::new(), ..full_definition("press") };
    memory.accept(update_asset(without_events, None, &[AssetField::EventGroups]));
    assert!(!asset(&memory).status.parts.contains_key(&hot()), "its part is gone");
    assert_eq!(asset(&memory).status.parts.len(), 3);
}

#[test]
fn a_bad_status_is_refused() {
    let mut memory = with_oven(full_definition("press"));
    let error = |error: StatusError| {
        parts([(AssetPart::Dataset("heat".into()), PartStatus { error: Some(error), message_schema: None })])
    };
    let details = |count, text: String| StatusError {
        details: vec![StatusErrorDetail { info: text, ..StatusErrorDetail::default() }; count],
        ..StatusError::default()
    };
    let long = |chars: usize| "x".repeat(chars);
    let missing = |part| parts([(part, PartStatus::default())]);
    let invalid = Reason::InvalidField;
    for (status, reason, field) in [
        (missing(AssetPart::Dataset("cold".into())), invalid, "status.parts.datasets.cold"),
        (missing(AssetPart::Event("alarms".into(), "x".into())), invalid, "status.parts.events.alarms.x"),
        (missing(AssetPart::Event("x".into(), "hot".into())), invalid, "status.parts.events.x.hot"),
        (missing(AssetPart::Stream("heat".into())), invalid, "status.parts.streams.heat"),
        (
            missing(AssetPart::ManagementAction("control".into(), "go".into())),
            invalid,
            "status.parts.management_actions.control.go",
        ),
        (AssetStatus { config_version: 2, ..AssetStatus::default() }, invalid, "status.config_version"),
        (
            AssetStatus { config_error: Some(StatusError::default()), ..AssetStatus::default() },
            invalid,
            "status.config_version",
        ),
        (
            error(StatusError { code: long(129), ..StatusError::default() }),
            Reason::TooLarge,
            "status.parts.datasets.heat.error.code",
        ),
        (
            error(StatusError { message: long(1_025), ..StatusError::default() }),
            Reason::TooLarge,
            "status.parts.datasets.heat.error.message",
        ),
        (error(details(17, String::new())), Reason::TooMany, "status.parts.datasets.heat.error.details"),
        (error(details(1, long(1_025))), Reason::TooLarge, "status.parts.datasets.heat.error.details[0].info"),
    ] {
        memory.refuse(update_status(status), reason, field);
    }
    let other =
        Operation::UpdateAssetStatus { namespace: "plant".into(), asset: "nothing".into(), status: Box::default() };
    memory.refuse(other, Reason::NotFound, "name");
}

#[test]
fn a_status_is_bounded_as_a_whole() {
    let datasets = (0..100).map(|n| dataset(&format!("d{n}"))).collect();
    let mut memory = with_oven(AssetDefinition { datasets, ..asset_definition("press") });
    let details = vec![StatusErrorDetail { info: "x".repeat(1_024), ..StatusErrorDetail::default() }; 16];
    let error = StatusError { details, ..StatusError::default() };
    let status = PartStatus { error: Some(error), message_schema: None };
    for n in 0..31 {
        memory.accept(update_status(parts([(AssetPart::Dataset(format!("d{n}")), status.clone())])));
    }
    memory.refuse(update_status(parts([(AssetPart::Dataset("d99".into()), status)])), Reason::TooLarge, "status");
}
