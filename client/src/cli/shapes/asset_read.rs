//! Reads what defines an asset, in Device Registry's shape and in its classic one, and a status report.
//!
//! Classic assets name an endpoint profile, one topic per dataset and a flat list of events. They become a device reference
//! to the endpoint of the same name as its device, an MQTT destination, and one event group named `default`.

use muster_client::proto;
use proto::destination::{Qos, Retain, Target};
use proto::management_action::ActionType;
use proto::{
    AssetDefinition, AssetEvent, AssetPartKind, AssetPartStatus, AssetStatus, AssetStream, DataPoint, Dataset,
    Destination, DeviceRef, EventGroup, ManagementAction, ManagementGroup, MessageSchemaReference, StatusError,
    StatusErrorDetail,
};

use super::fields::{Fields, ShapeError};

/// The event group that takes events which belong to none.
const DEFAULT_GROUP: &str = "default";

/// Members that both shapes share.
fn common(fields: &mut Fields) -> Result<AssetDefinition, ShapeError> {
    Ok(AssetDefinition {
        external_asset_id: fields.text("externalAssetId")?,
        display_name: fields.text("displayName")?,
        description: fields.text("description")?,
        manufacturer: fields.text("manufacturer")?,
        manufacturer_uri: fields.text("manufacturerUri")?,
        model: fields.text("model")?,
        product_code: fields.text("productCode")?,
        serial_number: fields.text("serialNumber")?,
        hardware_revision: fields.text("hardwareRevision")?,
        software_revision: fields.text("softwareRevision")?,
        documentation_uri: fields.text("documentationUri")?,
        edge: fields.text("edge")?,
        site: fields.text("site")?,
        attributes_json: fields.object_text("attributes")?,
        discovered_asset_refs: fields.texts("discoveredAssetRefs")?,
        default_datasets_configuration: fields.text("defaultDatasetsConfiguration")?,
        default_events_configuration: fields.text("defaultEventsConfiguration")?,
        ..Default::default()
    })
}

/// Reads a definition in today's shape.
pub(crate) fn definition_from_fields(
    fields: &mut Fields,
    unread: &mut Vec<String>,
) -> Result<AssetDefinition, ShapeError> {
    let mut reference = fields.object("deviceRef")?;
    let device_ref = DeviceRef {
        device_name: reference.required("deviceName")?,
        endpoint_name: reference.required("endpointName")?,
    };
    reference.finish(unread);
    let mut definition = AssetDefinition {
        device_ref: Some(device_ref),
        asset_type_refs: fields.texts("assetTypeRefs")?,
        default_streams_configuration: fields.text("defaultStreamsConfiguration")?,
        default_management_groups_configuration: fields.text("defaultManagementGroupsConfiguration")?,
        default_datasets_destinations: fields.objects("defaultDatasetsDestinations", unread, destination)?,
        default_events_destinations: fields.objects("defaultEventsDestinations", unread, destination)?,
        default_streams_destinations: fields.objects("defaultStreamsDestinations", unread, destination)?,
        datasets: fields.objects("datasets", unread, dataset)?,
        event_groups: fields.objects("eventGroups", unread, event_group)?,
        streams: fields.objects("streams", unread, stream)?,
        management_groups: fields.objects("managementGroups", unread, management_group)?,
        ..common(fields)?
    };
    // The preview had events outside of groups.
    let events = fields.objects("events", unread, event)?;
    if !events.is_empty() {
        definition.event_groups.push(EventGroup { name: DEFAULT_GROUP.to_owned(), events, ..Default::default() });
    }
    Ok(definition)
}

/// Reads a definition in the classic shape.
pub(crate) fn classic_from_fields(
    fields: &mut Fields,
    unread: &mut Vec<String>,
) -> Result<AssetDefinition, ShapeError> {
    let profile = fields.required("assetEndpointProfileRef")?;
    let topic = classic_topic(fields, "defaultTopic", unread)?;
    let mut definition = AssetDefinition {
        device_ref: Some(DeviceRef { device_name: profile.clone(), endpoint_name: profile }),
        default_datasets_destinations: topic.clone(),
        default_events_destinations: topic,
        datasets: fields.objects("datasets", unread, dataset)?,
        ..common(fields)?
    };
    let events = fields.objects("events", unread, event)?;
    if !events.is_empty() {
        definition.event_groups.push(EventGroup { name: DEFAULT_GROUP.to_owned(), events, ..Default::default() });
    }
    Ok(definition)
}

fn classic_topic(fields: &mut Fields, name: &str, unread: &mut Vec<String>) -> Result<Vec<Destination>, ShapeError> {
    let Some(value) = fields.value(name) else { return Ok(Vec::new()) };
    let mut topic = Fields::new(fields.at(name), value)?;
    let destination = Destination {
        target: Target::Mqtt.into(),
        topic: topic.required("path")?,
        retain: retain(&mut topic)?.into(),
        ..Default::default()
    };
    topic.finish(unread);
    Ok(vec![destination])
}

fn destination(fields: &mut Fields, unread: &mut Vec<String>) -> Result<Destination, ShapeError> {
    let target = match fields.required("target")?.as_str() {
        "Mqtt" => Target::Mqtt,
        "BrokerStateStore" => Target::BrokerStateStore,
        "Storage" => Target::Storage,
        other => return Err(one_of(fields.at("target"), other, "Mqtt, BrokerStateStore, Storage")),
    };
    let mut configuration = fields.object("configuration")?;
    let qos = match configuration.text("qos")?.as_str() {
        "" => Qos::Unspecified,
        "Qos0" => Qos::Qos0,
        "Qos1" => Qos::Qos1,
        other => return Err(one_of(configuration.at("qos"), other, "Qos0, Qos1")),
    };
    let destination = Destination {
        target: target.into(),
        topic: configuration.text("topic")?,
        qos: qos.into(),
        retain: retain(&mut configuration)?.into(),
        ttl_seconds: configuration.number("ttl")?,
        key: configuration.text("key")?,
        path: configuration.text("path")?,
    };
    configuration.finish(unread);
    Ok(destination)
}

fn retain(fields: &mut Fields) -> Result<Retain, ShapeError> {
    match fields.text("retain")?.as_str() {
        "" => Ok(Retain::Unspecified),
        "Keep" => Ok(Retain::Keep),
        "Never" => Ok(Retain::Never),
        other => Err(one_of(fields.at("retain"), other, "Keep, Never")),
    }
}

fn one_of(path: String, given: &str, choices: &str) -> ShapeError {
    ShapeError::new(path, format!("`{given}` is not one of {choices}"))
}

fn dataset(fields: &mut Fields, unread: &mut Vec<String>) -> Result<Dataset, ShapeError> {
    let mut destinations = fields.objects("destinations", unread, destination)?;
    destinations.extend(classic_topic(fields, "topic", unread)?);
    Ok(Dataset {
        name: fields.required("name")?,
        data_source: fields.text("dataSource")?,
        dataset_configuration: fields.text("datasetConfiguration")?,
        destinations,
        type_ref: fields.text("typeRef")?,
        data_points: fields.objects("dataPoints", unread, |point, _| {
            Ok(DataPoint {
                name: point.required("name")?,
                data_source: point.text("dataSource")?,
                data_point_configuration: point.text("dataPointConfiguration")?,
                type_ref: point.text("typeRef")?,
            })
        })?,
    })
}

fn event(fields: &mut Fields, unread: &mut Vec<String>) -> Result<AssetEvent, ShapeError> {
    let mut destinations = fields.objects("destinations", unread, destination)?;
    destinations.extend(classic_topic(fields, "topic", unread)?);
    // Classic and preview call the source of an event its notifier.
    let notifier = fields.text("eventNotifier")?;
    let data_source = fields.text("dataSource")?;
    Ok(AssetEvent {
        name: fields.required("name")?,
        data_source: if data_source.is_empty() { notifier } else { data_source },
        event_configuration: fields.text("eventConfiguration")?,
        destinations,
        type_ref: fields.text("typeRef")?,
    })
}

fn event_group(fields: &mut Fields, unread: &mut Vec<String>) -> Result<EventGroup, ShapeError> {
    Ok(EventGroup {
        name: fields.required("name")?,
        data_source: fields.text("dataSource")?,
        event_group_configuration: fields.text("eventGroupConfiguration")?,
        type_ref: fields.text("typeRef")?,
        default_destinations: fields.objects("defaultDestinations", unread, destination)?,
        events: fields.objects("events", unread, event)?,
    })
}

fn stream(fields: &mut Fields, unread: &mut Vec<String>) -> Result<AssetStream, ShapeError> {
    Ok(AssetStream {
        name: fields.required("name")?,
        stream_configuration: fields.text("streamConfiguration")?,
        destinations: fields.objects("destinations", unread, destination)?,
        type_ref: fields.text("typeRef")?,
    })
}

fn seconds(fields: &mut Fields, name: &str) -> Result<u32, ShapeError> {
    let path = fields.at(name);
    u32::try_from(fields.number(name)?).map_err(|_| ShapeError::new(path, "must be less than 2^32 seconds"))
}

fn management_group(fields: &mut Fields, unread: &mut Vec<String>) -> Result<ManagementGroup, ShapeError> {
    Ok(ManagementGroup {
        name: fields.required("name")?,
        default_topic: fields.text("defaultTopic")?,
        default_timeout_seconds: seconds(fields, "defaultTimeoutInSeconds")?,
        actions: fields.objects("actions", unread, |action, _| {
            let action_type = match action.text("actionType")?.as_str() {
                "" => ActionType::Unspecified,
                "Call" => ActionType::Call,
                "Read" => ActionType::Read,
                "Write" => ActionType::Write,
                other => return Err(one_of(action.at("actionType"), other, "Call, Read, Write")),
            };
            Ok(ManagementAction {
                name: action.required("name")?,
                target_uri: action.text("targetUri")?,
                action_type: action_type.into(),
                topic: action.text("topic")?,
                timeout_seconds: seconds(action, "timeoutInSeconds")?,
                action_configuration: action.text("actionConfiguration")?,
                type_ref: action.text("typeRef")?,
            })
        })?,
        data_source: fields.text("dataSource")?,
        management_group_configuration: fields.text("managementGroupConfiguration")?,
        type_ref: fields.text("typeRef")?,
    })
}

/// Reads a status report, in the shape that [`super::asset::status_to_json`] writes.
pub(crate) fn status_from_fields(fields: &mut Fields, unread: &mut Vec<String>) -> Result<AssetStatus, ShapeError> {
    let mut config = fields.object("config")?;
    let mut status = AssetStatus {
        config_version: config.number("version")?,
        config_last_transition_time: moment(&mut config, "lastTransitionTime")?,
        config_error: status_error(&mut config, unread)?,
        ..Default::default()
    };
    config.finish(unread);
    for (name, kind) in [("datasets", AssetPartKind::Dataset), ("streams", AssetPartKind::Stream)] {
        status.parts.extend(fields.objects(name, unread, |fields, unread| part(fields, unread, kind, ""))?);
    }
    for (name, list, kind) in [
        ("eventGroups", "events", AssetPartKind::Event),
        ("managementGroups", "actions", AssetPartKind::ManagementAction),
    ] {
        let groups = fields.objects(name, unread, |fields, unread| {
            let group = fields.required("name")?;
            fields.objects(list, unread, |fields, unread| part(fields, unread, kind, &group))
        })?;
        status.parts.extend(groups.into_iter().flatten());
    }
    Ok(status)
}

fn moment(fields: &mut Fields, name: &str) -> Result<Option<prost_types::Timestamp>, ShapeError> {
    let text = fields.text(name)?;
    if text.is_empty() {
        return Ok(None);
    }
    let path = fields.at(name);
    text.parse().map(Some).map_err(|_| ShapeError::new(path, format!("`{text}` is not an RFC 3339 time")))
}

fn part(
    fields: &mut Fields,
    unread: &mut Vec<String>,
    kind: AssetPartKind,
    group: &str,
) -> Result<AssetPartStatus, ShapeError> {
    let message_schema_reference = match fields.value("messageSchemaReference") {
        None => None,
        Some(value) => {
            let mut schema = Fields::new(fields.at("messageSchemaReference"), value)?;
            let reference = MessageSchemaReference {
                schema_registry_namespace: schema.text("schemaRegistryNamespace")?,
                schema_name: schema.text("schemaName")?,
                schema_version: schema.text("schemaVersion")?,
            };
            schema.finish(unread);
            Some(reference)
        }
    };
    Ok(AssetPartStatus {
        kind: kind.into(),
        group: group.to_owned(),
        name: fields.required("name")?,
        error: status_error(fields, unread)?,
        message_schema_reference,
    })
}

fn status_error(fields: &mut Fields, unread: &mut Vec<String>) -> Result<Option<StatusError>, ShapeError> {
    let Some(value) = fields.value("error") else { return Ok(None) };
    let mut error = Fields::new(fields.at("error"), value)?;
    let read = StatusError {
        code: error.text("code")?,
        message: error.text("message")?,
        details: error.objects("details", unread, |detail, _| {
            Ok(StatusErrorDetail {
                code: detail.text("code")?,
                correlation_id: detail.text("correlationId")?,
                info: detail.text("info")?,
                message: detail.text("message")?,
            })
        })?,
    };
    error.finish(unread);
    Ok(Some(read))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::asset::{definition_to_json, status_to_json};
    use super::*;

    fn read(value: Value) -> Result<AssetDefinition, ShapeError> {
        let mut fields = Fields::new("spec", value)?;
        let mut unread = Vec::new();
        let definition = definition_from_fields(&mut fields, &mut unread)?;
        fields.finish(&mut unread);
        assert_eq!(unread, Vec::<String>::new());
        Ok(definition)
    }

    #[test]
    fn a_definition_survives_both_ways() {
        let given = json!({
            "deviceRef": {"deviceName": "d", "endpointName": "e"}, "displayName": "n", "attributes": {"a": 1},
            "assetTypeRefs": ["t"], "defaultDatasetsDestinations": [{"target": "Storage", "configuration": {"path": "/p"}}],
            "datasets": [{"name": "ds", "dataSource": "s", "destinations":
                [{"target": "Mqtt", "configuration": {"topic": "t", "qos": "Qos1", "retain": "Keep", "ttl": 60}}],
                "dataPoints": [{"name": "p", "dataSource": "ns=1", "dataPointConfiguration": "{}"}]}],
            "eventGroups": [{"name": "g", "events": [{"name": "ev", "dataSource": "x"}]}],
            "streams": [{"name": "st", "streamConfiguration": "{}"}],
            "managementGroups": [{"name": "m", "defaultTimeoutInSeconds": 30, "actions":
                [{"name": "a", "targetUri": "u", "actionType": "Write", "timeoutInSeconds": 5}]}]
        });
        let definition = read(given.clone()).expect("is valid");
        assert_eq!(Value::Object(definition_to_json(&definition)), given);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_path() {
        let with =
            |datasets: Value| json!({"deviceRef": {"deviceName": "d", "endpointName": "e"}, "datasets": datasets});
        let error = read(with(json!([{"name": "x"}, {"destinations": []}]))).expect_err("has no name");
        assert_eq!(error.to_string(), "spec.datasets[1].name: is required");
        let error =
            read(with(json!([{"name": "x", "destinations": [{"target": "Kafka"}]}]))).expect_err("no such target");
        assert_eq!(
            error.to_string(),
            "spec.datasets[0].destinations[0].target: `Kafka` is not one of Mqtt, BrokerStateStore, Storage"
        );
        let error = read(json!({})).expect_err("has no device");
        assert_eq!(error.to_string(), "spec.deviceRef.deviceName: is required");
    }

    #[test]
    fn a_classic_asset_becomes_one_of_today() {
        let classic = json!({
            "assetEndpointProfileRef": "opc-1", "displayName": "n", "defaultTopic": {"path": "t/d", "retain": "Never"},
            "datasets": [{"name": "ds", "topic": {"path": "t/1", "retain": "Keep"}, "dataPoints": [{"name": "p", "dataSource": "ns=1"}]}],
            "events": [{"name": "ev", "eventNotifier": "ns=2"}]
        });
        let mut fields = Fields::new("spec", classic).expect("is an object");
        let definition = classic_from_fields(&mut fields, &mut Vec::new()).expect("is valid");
        let destination = |topic: &str, retain: &str| json!([{"target": "Mqtt", "configuration": {"topic": topic, "retain": retain}}]);
        assert_eq!(
            Value::Object(definition_to_json(&definition)),
            json!({
                "deviceRef": {"deviceName": "opc-1", "endpointName": "opc-1"}, "displayName": "n",
                "defaultDatasetsDestinations": destination("t/d", "Never"), "defaultEventsDestinations": destination("t/d", "Never"),
                "datasets": [{"name": "ds", "destinations": destination("t/1", "Keep"), "dataPoints": [{"name": "p", "dataSource": "ns=1"}]}],
                "eventGroups": [{"name": "default", "events": [{"name": "ev", "dataSource": "ns=2"}]}]
            })
        );
    }

    #[test]
    fn a_status_survives_both_ways() {
        let given = json!({
            "config": {"version": 3, "error": {"code": "C", "message": "m", "details": [{"code": "D", "info": "i"}]}},
            "datasets": [{"name": "ds", "messageSchemaReference": {"schemaName": "s", "schemaVersion": "1"}}],
            "eventGroups": [{"name": "g", "events": [{"name": "a"}, {"name": "b", "error": {"code": "E"}}]}],
            "managementGroups": [{"name": "m", "actions": [{"name": "x"}]}]
        });
        let mut fields = Fields::new("status", given.clone()).expect("is an object");
        let status = status_from_fields(&mut fields, &mut Vec::new()).expect("is valid");
        assert_eq!(status_to_json(&status), given);
    }
}
