//! The parts of asset definitions: destinations, datasets, event groups, streams, management groups. It knows no asset.
//! Which targets a part may have is the domain's question.

use muster_domain::asset::{
    ActionType, AssetEvent, AssetStream, DataPoint, Dataset, Destination, EventGroup, ManagementAction,
    ManagementGroup, Target,
};
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::destination::{Qos, Retain, Target as TargetKind};
use muster_proto::v1::management_action::ActionType as ActionKind;

use super::{each, unknown};

pub(super) fn destinations_to_proto(destinations: Vec<Destination>) -> Vec<v1::Destination> {
    destinations.into_iter().map(destination_to_proto).collect()
}

fn destination_to_proto(destination: Destination) -> v1::Destination {
    let mut message = v1::Destination { ttl_seconds: destination.ttl_seconds, ..Default::default() };
    match destination.target {
        Target::Mqtt { topic, qos, retain } => {
            message.set_target(TargetKind::Mqtt);
            message.topic = topic;
            message.set_qos(match qos {
                None => Qos::Unspecified,
                Some(0) => Qos::Qos0,
                Some(_) => Qos::Qos1,
            });
            message.set_retain(match retain {
                None => Retain::Unspecified,
                Some(true) => Retain::Keep,
                Some(false) => Retain::Never,
            });
        }
        Target::BrokerStateStore { key } => {
            message.set_target(TargetKind::BrokerStateStore);
            message.key = key;
        }
        Target::Storage { path } => {
            message.set_target(TargetKind::Storage);
            message.path = path;
        }
    }
    message
}

pub(super) fn destination_from_proto(message: v1::Destination) -> Result<Destination, Rejection> {
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
    // A setting of another kind of target would be dropped in silence: say so instead.
    let foreign = |field: &str, only: &str, given: bool| match given {
        false => Ok(()),
        true => Err(Rejection::new(Reason::InvalidField, field, format!("{field} is for the target {only} only"))),
    };
    if kind != TargetKind::Mqtt {
        foreign("topic", "MQTT", !message.topic.is_empty())?;
        foreign("qos", "MQTT", qos.is_some())?;
        foreign("retain", "MQTT", retain.is_some())?;
    }
    if kind != TargetKind::BrokerStateStore {
        foreign("key", "BROKER_STATE_STORE", !message.key.is_empty())?;
    }
    if kind != TargetKind::Storage {
        foreign("path", "STORAGE", !message.path.is_empty())?;
    }
    let target = match kind {
        TargetKind::Mqtt => Target::Mqtt { topic: message.topic, qos, retain },
        TargetKind::BrokerStateStore => Target::BrokerStateStore { key: message.key },
        TargetKind::Storage => Target::Storage { path: message.path },
        TargetKind::Unspecified => {
            let rule = "target must be MQTT, BROKER_STATE_STORE or STORAGE";
            return Err(Rejection::new(Reason::InvalidField, "target", rule));
        }
    };
    Ok(Destination { target, ttl_seconds: message.ttl_seconds })
}

pub(super) fn dataset_to_proto(dataset: Dataset) -> v1::Dataset {
    let Dataset { name, data_source, configuration, destinations, type_ref, data_points } = dataset;
    let data_points = data_points.into_iter().map(|point| v1::DataPoint {
        name: point.name,
        data_source: point.data_source,
        data_point_configuration: point.configuration,
        type_ref: point.type_ref,
    });
    v1::Dataset {
        name,
        data_source,
        dataset_configuration: configuration,
        destinations: destinations_to_proto(destinations),
        type_ref,
        data_points: data_points.collect(),
    }
}

pub(super) fn dataset_from_proto(message: v1::Dataset) -> Result<Dataset, Rejection> {
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
        destinations: each("destinations", message.destinations, destination_from_proto)?,
        type_ref: message.type_ref,
        data_points: data_points.collect(),
    })
}

pub(super) fn event_group_to_proto(group: EventGroup) -> v1::EventGroup {
    let EventGroup { name, data_source, configuration, type_ref, default_destinations, events } = group;
    let events = events.into_iter().map(|event| v1::AssetEvent {
        name: event.name,
        data_source: event.data_source,
        event_configuration: event.configuration,
        destinations: destinations_to_proto(event.destinations),
        type_ref: event.type_ref,
    });
    v1::EventGroup {
        name,
        data_source,
        event_group_configuration: configuration,
        type_ref,
        default_destinations: destinations_to_proto(default_destinations),
        events: events.collect(),
    }
}

pub(super) fn event_group_from_proto(message: v1::EventGroup) -> Result<EventGroup, Rejection> {
    let event = |event: v1::AssetEvent| {
        Ok(AssetEvent {
            name: event.name,
            data_source: event.data_source,
            configuration: event.event_configuration,
            destinations: each("destinations", event.destinations, destination_from_proto)?,
            type_ref: event.type_ref,
        })
    };
    Ok(EventGroup {
        name: message.name,
        data_source: message.data_source,
        configuration: message.event_group_configuration,
        type_ref: message.type_ref,
        default_destinations: each("default_destinations", message.default_destinations, destination_from_proto)?,
        events: each("events", message.events, event)?,
    })
}

pub(super) fn stream_to_proto(stream: AssetStream) -> v1::AssetStream {
    v1::AssetStream {
        name: stream.name,
        stream_configuration: stream.configuration,
        destinations: destinations_to_proto(stream.destinations),
        type_ref: stream.type_ref,
    }
}

pub(super) fn stream_from_proto(message: v1::AssetStream) -> Result<AssetStream, Rejection> {
    Ok(AssetStream {
        name: message.name,
        configuration: message.stream_configuration,
        destinations: each("destinations", message.destinations, destination_from_proto)?,
        type_ref: message.type_ref,
    })
}

pub(super) fn management_group_to_proto(group: ManagementGroup) -> v1::ManagementGroup {
    let ManagementGroup { name, default_topic, default_timeout_seconds, actions, data_source, configuration, type_ref } =
        group;
    let actions = actions.into_iter().map(|action| {
        let kind = match action.action_type {
            ActionType::Call => ActionKind::Call,
            ActionType::Read => ActionKind::Read,
            ActionType::Write => ActionKind::Write,
        };
        v1::ManagementAction {
            name: action.name,
            target_uri: action.target_uri,
            action_type: kind.into(),
            topic: action.topic,
            timeout_seconds: action.timeout_seconds,
            action_configuration: action.configuration,
            type_ref: action.type_ref,
        }
    });
    v1::ManagementGroup {
        name,
        default_topic,
        default_timeout_seconds,
        actions: actions.collect(),
        data_source,
        management_group_configuration: configuration,
        type_ref,
    }
}

pub(super) fn management_group_from_proto(message: v1::ManagementGroup) -> Result<ManagementGroup, Rejection> {
    Ok(ManagementGroup {
        name: message.name,
        default_topic: message.default_topic,
        default_timeout_seconds: message.default_timeout_seconds,
        actions: each("actions", message.actions, action_from_proto)?,
        data_source: message.data_source,
        configuration: message.management_group_configuration,
        type_ref: message.type_ref,
    })
}

fn action_from_proto(message: v1::ManagementAction) -> Result<ManagementAction, Rejection> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_another_target_are_refused() {
        let mut message = v1::Destination { path: "/x".into(), retain: 1, ..Default::default() };
        message.set_target(TargetKind::Storage);
        assert_eq!(destination_from_proto(message).expect_err("retain").field, "retain");
    }
}
