//! An asset in Device Registry's shape: what the cloud defines and what the edge reports, written as JSON.

use muster_client::{names, proto};
use proto::destination::{Qos, Retain, Target};
use proto::management_action::ActionType;
use proto::{Asset, AssetDefinition, AssetPartKind, AssetPartStatus, AssetStatus, Destination, StatusError};
use serde_json::{Map, Value, json};

use super::{document, put, time};

pub(crate) use super::asset_read::{classic_from_fields, definition_from_fields, status_from_fields};

/// The definition's fields by their names in an update mask, but for `edge` and `site`: a file that says nothing of them leaves
/// the asset where it is.
pub(crate) const DEFINITION_MASK: [&str; 26] = [
    "definition.device_ref",
    "definition.external_asset_id",
    "definition.display_name",
    "definition.description",
    "definition.manufacturer",
    "definition.manufacturer_uri",
    "definition.model",
    "definition.product_code",
    "definition.serial_number",
    "definition.hardware_revision",
    "definition.software_revision",
    "definition.documentation_uri",
    "definition.asset_type_refs",
    "definition.attributes_json",
    "definition.discovered_asset_refs",
    "definition.default_datasets_configuration",
    "definition.default_events_configuration",
    "definition.default_streams_configuration",
    "definition.default_management_groups_configuration",
    "definition.default_datasets_destinations",
    "definition.default_events_destinations",
    "definition.default_streams_destinations",
    "definition.datasets",
    "definition.event_groups",
    "definition.streams",
    "definition.management_groups",
];

/// An asset as `muster asset get --output json` shows it.
pub(crate) fn to_json(asset: &Asset) -> Value {
    let mut object = Map::new();
    put(&mut object, "namespace", names::part(&asset.name, "namespaces").unwrap_or_default());
    put(&mut object, "assetName", names::last(&asset.name));
    put(&mut object, "etag", asset.etag.as_str());
    put(&mut object, "version", asset.version);
    put(&mut object, "uuid", asset.uuid.as_str());
    put(&mut object, "generationId", asset.generation_id.as_str());
    put(&mut object, "enabled", asset.enabled.unwrap_or(true));
    if let Some(definition) = &asset.definition {
        object.append(&mut definition_to_json(definition));
    }
    if let Some(status) = &asset.status {
        put(&mut object, "status", status_to_json(status));
    }
    put(&mut object, "lastTransitionTime", time(asset.last_transition_time.as_ref()));
    put(&mut object, "createTime", time(asset.create_time.as_ref()));
    put(&mut object, "updateTime", time(asset.update_time.as_ref()));
    Value::Object(object)
}

/// The definition's members; those that say nothing are left out.
pub(crate) fn definition_to_json(definition: &AssetDefinition) -> Map<String, Value> {
    let mut object = Map::new();
    if let Some(reference) = &definition.device_ref {
        object.insert(
            "deviceRef".to_owned(),
            json!({"deviceName": reference.device_name, "endpointName": reference.endpoint_name}),
        );
    }
    for (name, text) in [
        ("externalAssetId", &definition.external_asset_id),
        ("displayName", &definition.display_name),
        ("description", &definition.description),
        ("manufacturer", &definition.manufacturer),
        ("manufacturerUri", &definition.manufacturer_uri),
        ("model", &definition.model),
        ("productCode", &definition.product_code),
        ("serialNumber", &definition.serial_number),
        ("hardwareRevision", &definition.hardware_revision),
        ("softwareRevision", &definition.software_revision),
        ("documentationUri", &definition.documentation_uri),
        ("edge", &definition.edge),
        ("site", &definition.site),
        ("defaultDatasetsConfiguration", &definition.default_datasets_configuration),
        ("defaultEventsConfiguration", &definition.default_events_configuration),
        ("defaultStreamsConfiguration", &definition.default_streams_configuration),
        ("defaultManagementGroupsConfiguration", &definition.default_management_groups_configuration),
    ] {
        put(&mut object, name, text.as_str());
    }
    put(&mut object, "assetTypeRefs", definition.asset_type_refs.clone());
    put(&mut object, "discoveredAssetRefs", definition.discovered_asset_refs.clone());
    put(&mut object, "attributes", document(&definition.attributes_json));
    put(&mut object, "defaultDatasetsDestinations", destinations(&definition.default_datasets_destinations));
    put(&mut object, "defaultEventsDestinations", destinations(&definition.default_events_destinations));
    put(&mut object, "defaultStreamsDestinations", destinations(&definition.default_streams_destinations));
    put(&mut object, "datasets", definition.datasets.iter().map(dataset).collect::<Value>());
    put(&mut object, "eventGroups", definition.event_groups.iter().map(event_group).collect::<Value>());
    put(&mut object, "streams", definition.streams.iter().map(stream).collect::<Value>());
    put(&mut object, "managementGroups", definition.management_groups.iter().map(management_group).collect::<Value>());
    object
}

fn texts<'a>(members: impl IntoIterator<Item = (&'a str, &'a String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, text) in members {
        put(&mut object, name, text.as_str());
    }
    object
}

fn dataset(dataset: &proto::Dataset) -> Value {
    let mut object = texts([
        ("name", &dataset.name),
        ("dataSource", &dataset.data_source),
        ("datasetConfiguration", &dataset.dataset_configuration),
        ("typeRef", &dataset.type_ref),
    ]);
    put(&mut object, "destinations", destinations(&dataset.destinations));
    let point = |point: &proto::DataPoint| {
        Value::Object(texts([
            ("name", &point.name),
            ("dataSource", &point.data_source),
            ("dataPointConfiguration", &point.data_point_configuration),
            ("typeRef", &point.type_ref),
        ]))
    };
    put(&mut object, "dataPoints", dataset.data_points.iter().map(point).collect::<Value>());
    Value::Object(object)
}

fn event_group(group: &proto::EventGroup) -> Value {
    let mut object = texts([
        ("name", &group.name),
        ("dataSource", &group.data_source),
        ("eventGroupConfiguration", &group.event_group_configuration),
        ("typeRef", &group.type_ref),
    ]);
    put(&mut object, "defaultDestinations", destinations(&group.default_destinations));
    let event = |event: &proto::AssetEvent| {
        let mut object = texts([
            ("name", &event.name),
            ("dataSource", &event.data_source),
            ("eventConfiguration", &event.event_configuration),
            ("typeRef", &event.type_ref),
        ]);
        put(&mut object, "destinations", destinations(&event.destinations));
        Value::Object(object)
    };
    put(&mut object, "events", group.events.iter().map(event).collect::<Value>());
    Value::Object(object)
}

fn stream(stream: &proto::AssetStream) -> Value {
    let mut object = texts([
        ("name", &stream.name),
        ("streamConfiguration", &stream.stream_configuration),
        ("typeRef", &stream.type_ref),
    ]);
    put(&mut object, "destinations", destinations(&stream.destinations));
    Value::Object(object)
}

fn management_group(group: &proto::ManagementGroup) -> Value {
    let mut object = texts([
        ("name", &group.name),
        ("defaultTopic", &group.default_topic),
        ("dataSource", &group.data_source),
        ("managementGroupConfiguration", &group.management_group_configuration),
        ("typeRef", &group.type_ref),
    ]);
    if group.default_timeout_seconds != 0 {
        put(&mut object, "defaultTimeoutInSeconds", group.default_timeout_seconds);
    }
    let action = |action: &proto::ManagementAction| {
        let mut object = texts([
            ("name", &action.name),
            ("targetUri", &action.target_uri),
            ("topic", &action.topic),
            ("actionConfiguration", &action.action_configuration),
            ("typeRef", &action.type_ref),
        ]);
        let kind = match action.action_type() {
            ActionType::Unspecified => "",
            ActionType::Call => "Call",
            ActionType::Read => "Read",
            ActionType::Write => "Write",
        };
        put(&mut object, "actionType", kind);
        if action.timeout_seconds != 0 {
            put(&mut object, "timeoutInSeconds", action.timeout_seconds);
        }
        Value::Object(object)
    };
    put(&mut object, "actions", group.actions.iter().map(action).collect::<Value>());
    Value::Object(object)
}

fn destinations(destinations: &[Destination]) -> Value {
    let one = |destination: &Destination| {
        let mut configuration =
            texts([("topic", &destination.topic), ("key", &destination.key), ("path", &destination.path)]);
        let qos = match destination.qos() {
            Qos::Unspecified => "",
            Qos::Qos0 => "Qos0",
            Qos::Qos1 => "Qos1",
        };
        let retain = match destination.retain() {
            Retain::Unspecified => "",
            Retain::Keep => "Keep",
            Retain::Never => "Never",
        };
        put(&mut configuration, "qos", qos);
        put(&mut configuration, "retain", retain);
        if destination.ttl_seconds != 0 {
            put(&mut configuration, "ttl", destination.ttl_seconds);
        }
        let target = match destination.target() {
            Target::Unspecified => "",
            Target::Mqtt => "Mqtt",
            Target::BrokerStateStore => "BrokerStateStore",
            Target::Storage => "Storage",
        };
        json!({"target": target, "configuration": configuration})
    };
    destinations.iter().map(one).collect()
}

/// The status as Device Registry groups it: config, then a list per kind of part.
pub(crate) fn status_to_json(status: &AssetStatus) -> Value {
    let mut config = Map::new();
    if status.config_version != 0 {
        put(&mut config, "version", status.config_version);
    }
    put(&mut config, "lastTransitionTime", time(status.config_last_transition_time.as_ref()));
    put(&mut config, "error", status.config_error.as_ref().map_or(Value::Null, status_error));
    let mut object = Map::new();
    put(&mut object, "config", config);
    for (name, kind) in [("datasets", AssetPartKind::Dataset), ("streams", AssetPartKind::Stream)] {
        let parts = status.parts.iter().filter(|part| part.kind() == kind);
        put(&mut object, name, parts.map(part_status).collect::<Value>());
    }
    for (name, list, kind) in [
        ("eventGroups", "events", AssetPartKind::Event),
        ("managementGroups", "actions", AssetPartKind::ManagementAction),
    ] {
        let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
        for part in status.parts.iter().filter(|part| part.kind() == kind) {
            match groups.iter_mut().find(|(group, _)| *group == part.group) {
                Some((_, parts)) => parts.push(part_status(part)),
                None => groups.push((&part.group, vec![part_status(part)])),
            }
        }
        let groups = groups.into_iter().map(|(group, parts)| json!({"name": group, list: parts}));
        put(&mut object, name, groups.collect::<Value>());
    }
    put(&mut object, "updateTime", time(status.update_time.as_ref()));
    Value::Object(object)
}

fn part_status(part: &AssetPartStatus) -> Value {
    let mut object = texts([("name", &part.name)]);
    put(&mut object, "error", part.error.as_ref().map_or(Value::Null, status_error));
    if let Some(schema) = &part.message_schema_reference {
        let schema = texts([
            ("schemaRegistryNamespace", &schema.schema_registry_namespace),
            ("schemaName", &schema.schema_name),
            ("schemaVersion", &schema.schema_version),
        ]);
        put(&mut object, "messageSchemaReference", schema);
    }
    Value::Object(object)
}

fn status_error(error: &StatusError) -> Value {
    let mut object = texts([("code", &error.code), ("message", &error.message)]);
    let detail = |detail: &proto::StatusErrorDetail| {
        Value::Object(texts([
            ("code", &detail.code),
            ("correlationId", &detail.correlation_id),
            ("info", &detail.info),
            ("message", &detail.message),
        ]))
    };
    put(&mut object, "details", error.details.iter().map(detail).collect::<Value>());
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn the_mask_names_the_whole_definition_but_where_the_asset_is() {
        let files = prost_types::FileDescriptorSet::decode(muster_proto::FILE_DESCRIPTOR_SET).expect("decodes").file;
        let file = files.iter().find(|file| file.name() == "muster/v1/asset.proto").expect("is there");
        let message = file.message_type.iter().find(|message| message.name() == "AssetDefinition").expect("is there");
        let names = message.field.iter().map(|field| format!("definition.{}", field.name()));
        let expected: Vec<_> =
            names.filter(|name| !["definition.edge", "definition.site"].contains(&&**name)).collect();
        assert_eq!(DEFINITION_MASK.to_vec(), expected);
    }
}
