//! Asset definitions, from messages to the domain's type, as the cluster converts them. What a definition may say is the
//! domain's question.

use muster_domain::asset::{
    ActionType, AssetDefinition, AssetEvent, AssetStream, DataPoint, Dataset, Destination, DeviceRef, EventGroup,
    ManagementAction, ManagementGroup, Target,
};
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::destination::{Qos, Retain, Target as TargetKind};
use muster_proto::v1::management_action::ActionType as ActionKind;

/// From a message.
///
/// # Errors
/// Names the field below the definition, such as `datasets[3].destinations[0].target`.
pub(super) fn from_proto(message: v1::AssetDefinition) -> Result<AssetDefinition, Rejection> {
    let v1::DeviceRef { device_name, endpoint_name } = message.device_ref.unwrap_or_default();
    Ok(AssetDefinition {
        device_ref: DeviceRef { device: device_name, endpoint: endpoint_name },
        external_asset_id: message.external_asset_id,
        display_name: message.display_name,
        description: message.description,
        manufacturer: message.manufacturer,
        manufacturer_uri: message.manufacturer_uri,
        model: message.model,
        product_code: message.product_code,
        serial_number: message.serial_number,
        hardware_revision: message.hardware_revision,
        software_revision: message.software_revision,
        documentation_uri: message.documentation_uri,
        asset_type_refs: message.asset_type_refs,
        attributes: message.attributes_json,
        discovered_asset_refs: message.discovered_asset_refs,
        default_datasets_configuration: message.default_datasets_configuration,
        default_events_configuration: message.default_events_configuration,
        default_streams_configuration: message.default_streams_configuration,
        default_management_groups_configuration: message.default_management_groups_configuration,
        default_datasets_destinations: each(
            "default_datasets_destinations",
            message.default_datasets_destinations,
            destination,
        )?,
        default_events_destinations: each(
            "default_events_destinations",
            message.default_events_destinations,
            destination,
        )?,
        default_streams_destinations: each(
            "default_streams_destinations",
            message.default_streams_destinations,
            destination,
        )?,
        datasets: each("datasets", message.datasets, dataset)?,
        event_groups: each("event_groups", message.event_groups, event_group)?,
        streams: each("streams", message.streams, stream)?,
        management_groups: each("management_groups", message.management_groups, management_group)?,
        edge: message.edge,
        site: message.site,
    })
}

fn destination(message: v1::Destination) -> Result<Destination, Rejection> {
    let kind = TargetKind::try_from(message.target).map_err(|_| unknown("target", message.target))?;
    let qos = match Qos::try_from(message.qos).map_err(|_| unknown("qos", message.qos))? {
        Qos::Unspecified => None,
        Qos::Qos0 => Some(0),
        Qos::Qos1 => Some(1),
    };
    let retain = match Retain::try_from(message.retain).map_err(|_| unknown("retain", message.retain))? {
        Retain::Unspecified => None,
        Retain::Keep => Some(true),
        Retain::Never => Some(false),
    };
    for (field, only, is_given) in [
        ("topic", TargetKind::Mqtt, !message.topic.is_empty()),
        ("qos", TargetKind::Mqtt, qos.is_some()),
        ("retain", TargetKind::Mqtt, retain.is_some()),
        ("key", TargetKind::BrokerStateStore, !message.key.is_empty()),
        ("path", TargetKind::Storage, !message.path.is_empty()),
    ] {
        if is_given && kind != only {
            let message = format!("{field} is for the target {} only", only.as_str_name());
            return Err(Rejection::new(Reason::InvalidField, field, message));
        }
    }
    let target = match kind {
        TargetKind::Unspecified => {
            let rule = "target must be MQTT, BROKER_STATE_STORE or STORAGE";
            return Err(Rejection::new(Reason::InvalidField, "target", rule));
        }
        TargetKind::Mqtt => Target::Mqtt { topic: message.topic, qos, retain },
        TargetKind::BrokerStateStore => Target::BrokerStateStore { key: message.key },
        TargetKind::Storage => Target::Storage { path: message.path },
    };
    Ok(Destination { target, ttl_seconds: message.ttl_seconds })
}

fn dataset(message: v1::Dataset) -> Result<Dataset, Rejection> {
    let data_points = message.data_points.into_iter().map(|point| DataPoint {
        name: point.name,
        data_source: point.data_source,
        configuration: point.data_point_configuration,
        type_ref: point.type_ref,
    });
    Ok(Dataset {
        name: message.name,
        data_source: message.data_source,
        configuration: message.dataset_configuration,
        destinations: each("destinations", message.destinations, destination)?,
        type_ref: message.type_ref,
        data_points: data_points.collect(),
    })
}

fn event_group(message: v1::EventGroup) -> Result<EventGroup, Rejection> {
    let event = |event: v1::AssetEvent| {
        Ok(AssetEvent {
            name: event.name,
            data_source: event.data_source,
            configuration: event.event_configuration,
            destinations: each("destinations", event.destinations, destination)?,
            type_ref: event.type_ref,
        })
    };
    Ok(EventGroup {
        name: message.name,
        data_source: message.data_source,
        configuration: message.event_group_configuration,
        type_ref: message.type_ref,
        default_destinations: each("default_destinations", message.default_destinations, destination)?,
        events: each("events", message.events, event)?,
    })
}

fn stream(message: v1::AssetStream) -> Result<AssetStream, Rejection> {
    Ok(AssetStream {
        name: message.name,
        configuration: message.stream_configuration,
        destinations: each("destinations", message.destinations, destination)?,
        type_ref: message.type_ref,
    })
}

fn management_group(message: v1::ManagementGroup) -> Result<ManagementGroup, Rejection> {
    Ok(ManagementGroup {
        name: message.name,
        default_topic: message.default_topic,
        default_timeout_seconds: message.default_timeout_seconds,
        actions: each("actions", message.actions, action)?,
        data_source: message.data_source,
        configuration: message.management_group_configuration,
        type_ref: message.type_ref,
    })
}

fn action(message: v1::ManagementAction) -> Result<ManagementAction, Rejection> {
    let kind = ActionKind::try_from(message.action_type).map_err(|_| unknown("action_type", message.action_type))?;
    Ok(ManagementAction {
        name: message.name,
        target_uri: message.target_uri,
        action_type: match kind {
            ActionKind::Unspecified | ActionKind::Call => ActionType::Call,
            ActionKind::Read => ActionType::Read,
            ActionKind::Write => ActionType::Write,
        },
        topic: message.topic,
        timeout_seconds: message.timeout_seconds,
        configuration: message.action_configuration,
        type_ref: message.type_ref,
    })
}

/// Converts the elements of a list; a refusal names the element.
pub(super) fn each<From, To>(
    name: &str,
    items: Vec<From>,
    convert: impl Fn(From) -> Result<To, Rejection>,
) -> Result<Vec<To>, Rejection> {
    let items = items.into_iter().enumerate();
    items.map(|(at, item)| convert(item).map_err(|refusal| refusal.within(&format!("{name}[{at}]")))).collect()
}

pub(super) fn unknown(field: &str, number: i32) -> Rejection {
    Rejection::new(Reason::InvalidField, field, format!("{field} has the unknown value {number}"))
}
