//! Assets: definitions and status.

use muster_domain::asset::{
    ActionType, AssetDefinition, AssetEvent, AssetPart, AssetStatus, AssetStream, DataPoint, Dataset, Destination,
    DeviceRef, EventGroup, ManagementAction, ManagementGroup, MessageSchemaReference, PartStatus, StatusError,
    StatusErrorDetail, Target,
};
use proptest::array::{uniform3, uniform4, uniform7, uniform16};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{number, text};

fn destinations() -> BoxedStrategy<Vec<Destination>> {
    let target = prop_oneof![
        (text(), option::of(0..2_u8), option::of(any::<bool>())).prop_map(|(topic, qos, retain)| Target::Mqtt {
            topic,
            qos,
            retain
        }),
        text().prop_map(|key| Target::BrokerStateStore { key }),
        text().prop_map(|path| Target::Storage { path }),
    ];
    vec((target, number()).prop_map(|(target, ttl_seconds)| Destination { target, ttl_seconds }), 0..3).boxed()
}

fn datasets() -> BoxedStrategy<Vec<Dataset>> {
    let point = uniform4(text()).prop_map(|[name, data_source, configuration, type_ref]| DataPoint {
        name,
        data_source,
        configuration,
        type_ref,
    });
    let dataset = (uniform4(text()), destinations(), vec(point, 0..3)).prop_map(
        |([name, data_source, configuration, type_ref], destinations, data_points)| Dataset {
            name,
            data_source,
            configuration,
            destinations,
            type_ref,
            data_points,
        },
    );
    vec(dataset, 0..3).boxed()
}

fn event_groups() -> BoxedStrategy<Vec<EventGroup>> {
    let event =
        (uniform4(text()), destinations()).prop_map(|([name, data_source, configuration, type_ref], destinations)| {
            AssetEvent { name, data_source, configuration, destinations, type_ref }
        });
    let group = (uniform4(text()), destinations(), vec(event, 0..3)).prop_map(
        |([name, data_source, configuration, type_ref], default_destinations, events)| EventGroup {
            name,
            data_source,
            configuration,
            type_ref,
            default_destinations,
            events,
        },
    );
    vec(group, 0..3).boxed()
}

fn streams() -> BoxedStrategy<Vec<AssetStream>> {
    let stream = (uniform3(text()), destinations()).prop_map(|([name, configuration, type_ref], destinations)| {
        AssetStream { name, configuration, destinations, type_ref }
    });
    vec(stream, 0..3).boxed()
}

fn management_groups() -> BoxedStrategy<Vec<ManagementGroup>> {
    let kind = select(vec![ActionType::Call, ActionType::Read, ActionType::Write]);
    let action = (uniform7(text()), kind, any::<u32>()).prop_map(|(texts, action_type, timeout_seconds)| {
        let [name, target_uri, topic, configuration, type_ref, ..] = texts;
        ManagementAction { name, target_uri, action_type, topic, timeout_seconds, configuration, type_ref }
    });
    let group =
        (uniform7(text()), any::<u32>(), vec(action, 0..3)).prop_map(|(texts, default_timeout_seconds, actions)| {
            let [name, default_topic, data_source, configuration, type_ref, ..] = texts;
            ManagementGroup {
                name,
                default_topic,
                default_timeout_seconds,
                actions,
                data_source,
                configuration,
                type_ref,
            }
        });
    vec(group, 0..3).boxed()
}

pub(super) fn asset_definition() -> BoxedStrategy<AssetDefinition> {
    let lists = (vec(text(), 0..3), vec(text(), 0..3));
    let defaults = uniform3(destinations());
    let parts = (datasets(), event_groups(), streams(), management_groups());
    (uniform4(text()), uniform16(text()), lists, defaults, parts)
        .prop_map(|([device, endpoint, edge, site], texts, lists, defaults, parts)| {
            let [
                external_asset_id,
                display_name,
                description,
                manufacturer,
                manufacturer_uri,
                model,
                product_code,
                serial_number,
                hardware_revision,
                software_revision,
                documentation_uri,
                attributes,
                default_datasets_configuration,
                default_events_configuration,
                default_streams_configuration,
                default_management_groups_configuration,
            ] = texts;
            let (asset_type_refs, discovered_asset_refs) = lists;
            let [default_datasets_destinations, default_events_destinations, default_streams_destinations] = defaults;
            let (datasets, event_groups, streams, management_groups) = parts;
            AssetDefinition {
                device_ref: DeviceRef { device, endpoint },
                external_asset_id,
                display_name,
                description,
                manufacturer,
                manufacturer_uri,
                model,
                product_code,
                serial_number,
                hardware_revision,
                software_revision,
                documentation_uri,
                asset_type_refs,
                attributes,
                discovered_asset_refs,
                default_datasets_configuration,
                default_events_configuration,
                default_streams_configuration,
                default_management_groups_configuration,
                default_datasets_destinations,
                default_events_destinations,
                default_streams_destinations,
                datasets,
                event_groups,
                streams,
                management_groups,
                edge,
                site,
            }
        })
        .boxed()
}

fn status_error() -> BoxedStrategy<Option<StatusError>> {
    let detail = uniform4(text()).prop_map(|[code, correlation_id, info, message]| StatusErrorDetail {
        code,
        correlation_id,
        info,
        message,
    });
    let error =
        (text(), text(), vec(detail, 0..3)).prop_map(|(code, message, details)| StatusError { code, message, details });
    option::of(error).boxed()
}

pub(super) fn asset_status() -> BoxedStrategy<AssetStatus> {
    let part = prop_oneof![
        text().prop_map(AssetPart::Dataset),
        (text(), text()).prop_map(|(group, name)| AssetPart::Event(group, name)),
        text().prop_map(AssetPart::Stream),
        (text(), text()).prop_map(|(group, name)| AssetPart::ManagementAction(group, name)),
    ];
    let schema = uniform3(text()).prop_map(|[schema_registry_namespace, schema_name, schema_version]| {
        MessageSchemaReference { schema_registry_namespace, schema_name, schema_version }
    });
    let status =
        (status_error(), option::of(schema)).prop_map(|(error, message_schema)| PartStatus { error, message_schema });
    (number(), number(), status_error(), btree_map(part, status, 0..4))
        .prop_map(|(config_version, config_last_transition_ms, config_error, parts)| AssetStatus {
            config_version,
            config_last_transition_ms,
            config_error,
            parts,
        })
        .boxed()
}
