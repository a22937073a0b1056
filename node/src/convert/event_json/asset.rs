//! Assets as JSON for the history.

use muster_domain::asset::{
    ActionType, AssetDefinition, AssetEvent, AssetPart, AssetStatus, AssetStream, DataPoint, Dataset, Destination,
    EventGroup, ManagementAction, ManagementGroup, PartStatus, StatusError, Target,
};
use serde_json::{Map, Value};

use super::{document, list, members_of, object, text, time};

pub(crate) fn definition(definition: &AssetDefinition) -> Map<String, Value> {
    let AssetDefinition { device_ref, attributes, .. } = definition;
    members_of([
        (
            "device_ref",
            object([("device_name", text(&device_ref.device)), ("endpoint_name", text(&device_ref.endpoint))]),
        ),
        ("external_asset_id", text(&definition.external_asset_id)),
        ("display_name", text(&definition.display_name)),
        ("description", text(&definition.description)),
        ("manufacturer", text(&definition.manufacturer)),
        ("manufacturer_uri", text(&definition.manufacturer_uri)),
        ("model", text(&definition.model)),
        ("product_code", text(&definition.product_code)),
        ("serial_number", text(&definition.serial_number)),
        ("hardware_revision", text(&definition.hardware_revision)),
        ("software_revision", text(&definition.software_revision)),
        ("documentation_uri", text(&definition.documentation_uri)),
        ("asset_type_refs", list(&definition.asset_type_refs, |name| text(name))),
        ("attributes", if attributes.is_empty() { Value::Null } else { document(attributes) }),
        ("discovered_asset_refs", list(&definition.discovered_asset_refs, |name| text(name))),
        ("default_datasets_configuration", text(&definition.default_datasets_configuration)),
        ("default_events_configuration", text(&definition.default_events_configuration)),
        ("default_streams_configuration", text(&definition.default_streams_configuration)),
        ("default_management_groups_configuration", text(&definition.default_management_groups_configuration)),
        ("default_datasets_destinations", list(&definition.default_datasets_destinations, destination)),
        ("default_events_destinations", list(&definition.default_events_destinations, destination)),
        ("default_streams_destinations", list(&definition.default_streams_destinations, destination)),
        ("datasets", list(&definition.datasets, dataset)),
        ("event_groups", list(&definition.event_groups, event_group)),
        ("streams", list(&definition.streams, stream)),
        ("management_groups", list(&definition.management_groups, management_group)),
        ("edge", text(&definition.edge)),
        ("site", text(&definition.site)),
    ])
}

fn dataset(dataset: &Dataset) -> Value {
    object([
        ("name", text(&dataset.name)),
        ("data_source", text(&dataset.data_source)),
        ("dataset_configuration", text(&dataset.configuration)),
        ("destinations", list(&dataset.destinations, destination)),
        ("type_ref", text(&dataset.type_ref)),
        ("data_points", list(&dataset.data_points, data_point)),
    ])
}

fn data_point(point: &DataPoint) -> Value {
    object([
        ("name", text(&point.name)),
        ("data_source", text(&point.data_source)),
        ("data_point_configuration", text(&point.configuration)),
        ("type_ref", text(&point.type_ref)),
    ])
}

fn event_group(group: &EventGroup) -> Value {
    object([
        ("name", text(&group.name)),
        ("data_source", text(&group.data_source)),
        ("event_group_configuration", text(&group.configuration)),
        ("type_ref", text(&group.type_ref)),
        ("default_destinations", list(&group.default_destinations, destination)),
        ("events", list(&group.events, event)),
    ])
}

fn event(event: &AssetEvent) -> Value {
    object([
        ("name", text(&event.name)),
        ("data_source", text(&event.data_source)),
        ("event_configuration", text(&event.configuration)),
        ("destinations", list(&event.destinations, destination)),
        ("type_ref", text(&event.type_ref)),
    ])
}

fn stream(stream: &AssetStream) -> Value {
    object([
        ("name", text(&stream.name)),
        ("stream_configuration", text(&stream.configuration)),
        ("destinations", list(&stream.destinations, destination)),
        ("type_ref", text(&stream.type_ref)),
    ])
}

fn management_group(group: &ManagementGroup) -> Value {
    object([
        ("name", text(&group.name)),
        ("default_topic", text(&group.default_topic)),
        ("default_timeout_seconds", number(group.default_timeout_seconds.into())),
        ("actions", list(&group.actions, action)),
        ("data_source", text(&group.data_source)),
        ("management_group_configuration", text(&group.configuration)),
        ("type_ref", text(&group.type_ref)),
    ])
}

fn action(action: &ManagementAction) -> Value {
    let kind = match action.action_type {
        ActionType::Call => "call",
        ActionType::Read => "read",
        ActionType::Write => "write",
    };
    object([
        ("name", text(&action.name)),
        ("target_uri", text(&action.target_uri)),
        ("action_type", text(kind)),
        ("topic", text(&action.topic)),
        ("timeout_seconds", number(action.timeout_seconds.into())),
        ("action_configuration", text(&action.configuration)),
        ("type_ref", text(&action.type_ref)),
    ])
}

fn destination(destination: &Destination) -> Value {
    let mut members = match &destination.target {
        Target::Mqtt { topic, qos, retain } => members_of([
            ("target", text("mqtt")),
            ("topic", text(topic)),
            ("qos", (*qos).into()),
            ("retain", (*retain).into()),
        ]),
        Target::BrokerStateStore { key } => members_of([("target", text("broker_state_store")), ("key", text(key))]),
        Target::Storage { path } => members_of([("target", text("storage")), ("path", text(path))]),
    };
    members.extend(members_of([("ttl_seconds", number(destination.ttl_seconds))]));
    Value::Object(members)
}

pub(crate) fn status(status: &AssetStatus) -> Value {
    object([
        ("config_version", number(status.config_version)),
        (
            "config_last_transition_time",
            match status.config_last_transition_ms {
                0 => Value::Null,
                ms => time(ms),
            },
        ),
        ("config_error", status.config_error.as_ref().map_or(Value::Null, error)),
        ("parts", Value::Array(status.parts.iter().map(part).collect())),
    ])
}

fn part((part, status): (&AssetPart, &PartStatus)) -> Value {
    let (kind, group, name) = match part {
        AssetPart::Dataset(name) => ("dataset", "", name),
        AssetPart::Event(group, name) => ("event", group.as_str(), name),
        AssetPart::Stream(name) => ("stream", "", name),
        AssetPart::ManagementAction(group, name) => ("management_action", group.as_str(), name),
    };
    let schema = status.message_schema.as_ref().map_or(Value::Null, |schema| {
        object([
            ("schema_registry_namespace", text(&schema.schema_registry_namespace)),
            ("schema_name", text(&schema.schema_name)),
            ("schema_version", text(&schema.schema_version)),
        ])
    });
    object([
        ("kind", text(kind)),
        ("group", text(group)),
        ("name", text(name)),
        ("error", status.error.as_ref().map_or(Value::Null, error)),
        ("message_schema_reference", schema),
    ])
}

fn error(error: &StatusError) -> Value {
    let details = list(&error.details, |detail| {
        object([
            ("code", text(&detail.code)),
            ("correlation_id", text(&detail.correlation_id)),
            ("info", text(&detail.info)),
            ("message", text(&detail.message)),
        ])
    });
    object([("code", text(&error.code)), ("message", text(&error.message)), ("details", details)])
}

/// 0 stands for "not said" in all of these.
fn number(value: u64) -> Value {
    (value != 0).then_some(value).into()
}
