//! Assets, with every part and every kind of destination.

use muster_domain::asset::{
    ActionType, AssetDefinition, AssetEvent, AssetPart, AssetStatus, AssetStream, DataPoint, Dataset, Destination,
    DeviceRef, EventGroup, ManagementAction, ManagementGroup, MessageSchemaReference, PartStatus, StatusError,
    StatusErrorDetail, Target,
};

use super::{NOW, text};

fn destinations() -> Vec<Destination> {
    let mqtt = |qos, retain| Target::Mqtt { topic: text("plant/pump7"), qos, retain };
    vec![
        Destination { target: mqtt(Some(0), Some(true)), ttl_seconds: 3_600 },
        Destination { target: mqtt(Some(1), Some(false)), ttl_seconds: 0 },
        Destination { target: mqtt(None, None), ttl_seconds: 0 },
        Destination { target: Target::BrokerStateStore { key: text("pump7") }, ttl_seconds: 1 },
        Destination { target: Target::Storage { path: text("/data/pump7") }, ttl_seconds: 2 },
    ]
}

fn datasets() -> Vec<Dataset> {
    let data_points = vec![DataPoint {
        name: text("temperature"),
        data_source: text("ns=2;s=T"),
        configuration: text("{\"samplingInterval\":500}"),
        type_ref: text("dtmi:t;1"),
    }];
    vec![Dataset {
        name: text("telemetry"),
        data_source: text("ns=2"),
        configuration: text("{\"publishingInterval\":1000}"),
        destinations: destinations(),
        type_ref: text("dtmi:d;1"),
        data_points,
    }]
}

fn event_groups() -> Vec<EventGroup> {
    let events = vec![AssetEvent {
        name: text("overheat"),
        data_source: text("ns=2;s=E"),
        configuration: text("{}"),
        destinations: destinations(),
        type_ref: text("dtmi:e;1"),
    }];
    vec![EventGroup {
        name: text("alarms"),
        data_source: text("ns=3"),
        configuration: text("{}"),
        type_ref: text("dtmi:g;1"),
        default_destinations: destinations(),
        events,
    }]
}

fn management_groups() -> Vec<ManagementGroup> {
    let action = |name: &str, action_type| ManagementAction {
        name: text(name),
        target_uri: text("http://pump7/do"),
        action_type,
        topic: text("plant/pump7/do"),
        timeout_seconds: 5,
        configuration: text("{}"),
        type_ref: text("dtmi:a;1"),
    };
    let actions =
        vec![action("call", ActionType::Call), action("read", ActionType::Read), action("write", ActionType::Write)];
    vec![ManagementGroup {
        name: text("control"),
        default_topic: text("plant/pump7"),
        default_timeout_seconds: 30,
        actions,
        data_source: text("ns=4"),
        configuration: text("{}"),
        type_ref: text("dtmi:m;1"),
    }]
}

pub(in crate::store::codec::tests) fn asset_definition() -> AssetDefinition {
    AssetDefinition {
        device_ref: DeviceRef { device: text("pump7"), endpoint: text("opc") },
        external_asset_id: text("EX-1"),
        display_name: text("Pump 7"),
        description: text("Cooling water"),
        manufacturer: text("ACME"),
        manufacturer_uri: text("https://acme.example"),
        model: text("P-7"),
        product_code: text("PC"),
        serial_number: text("SN"),
        hardware_revision: text("HW"),
        software_revision: text("SW"),
        documentation_uri: text("https://acme.example/p7"),
        asset_type_refs: vec![text("dtmi:pump;1"), text("dtmi:thing;2")],
        attributes: text("{\"line\":\"A\"}"),
        discovered_asset_refs: vec![text("found-1")],
        default_datasets_configuration: text("{\"d\":1}"),
        default_events_configuration: text("{\"e\":1}"),
        default_streams_configuration: text("{\"s\":1}"),
        default_management_groups_configuration: text("{\"m\":1}"),
        default_datasets_destinations: destinations(),
        default_events_destinations: destinations()[..1].to_vec(),
        default_streams_destinations: destinations()[1..2].to_vec(),
        datasets: datasets(),
        event_groups: event_groups(),
        streams: vec![AssetStream {
            name: text("camera"),
            configuration: text("{}"),
            destinations: destinations(),
            type_ref: text("dtmi:s;1"),
        }],
        management_groups: management_groups(),
        edge: String::new(),
        site: String::new(),
    }
}

pub(in crate::store::codec::tests) fn asset_status() -> AssetStatus {
    let details = vec![StatusErrorDetail {
        code: text("D1"),
        correlation_id: text("corr"),
        info: text("info"),
        message: text("detail"),
    }];
    let error = StatusError { code: text("E1"), message: text("no route"), details };
    let schema = MessageSchemaReference {
        schema_registry_namespace: text("schemas"),
        schema_name: text("telemetry"),
        schema_version: text("3"),
    };
    let failed = PartStatus { error: Some(error.clone()), message_schema: None };
    let working = PartStatus { error: None, message_schema: Some(schema) };
    AssetStatus {
        config_version: 4,
        config_last_transition_ms: NOW - 7,
        config_error: Some(error),
        parts: [
            (AssetPart::Dataset(text("telemetry")), working.clone()),
            (AssetPart::Event(text("alarms"), text("overheat")), failed.clone()),
            (AssetPart::Stream(text("camera")), PartStatus::default()),
            (AssetPart::ManagementAction(text("control"), text("call")), failed),
        ]
        .into(),
    }
}
