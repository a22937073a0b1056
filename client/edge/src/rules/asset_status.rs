//! Asset status: messages and the domain's type, as the cluster converts them. Whether a part exists is the domain's question.

use std::collections::BTreeMap;

use muster_domain::asset::{
    AssetPart, AssetStatus, MessageSchemaReference, PartStatus, StatusError, StatusErrorDetail,
};
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::AssetPartKind;

use super::twin::{millis, timestamp};

/// As a message; `update_time` is left to the caller, who knows the asset.
pub(super) fn to_proto(status: &AssetStatus) -> v1::AssetStatus {
    v1::AssetStatus {
        config_version: status.config_version,
        config_last_transition_time: Some(status.config_last_transition_ms).filter(|ms| *ms > 0).map(timestamp),
        config_error: status.config_error.as_ref().map(error_to_proto),
        parts: status.parts.iter().map(part_to_proto).collect(),
        update_time: None,
    }
}

/// From a message; `update_time` is not read.
///
/// # Errors
/// Names the field by its path in a request, such as `status.parts[2].kind`.
pub(super) fn from_proto(message: v1::AssetStatus) -> Result<AssetStatus, Rejection> {
    status_from_proto(message).map_err(|refusal| refusal.within("status"))
}

fn status_from_proto(message: v1::AssetStatus) -> Result<AssetStatus, Rejection> {
    let transition = message.config_last_transition_time;
    let mut parts = BTreeMap::new();
    for (at, message) in message.parts.into_iter().enumerate() {
        let within = |refusal: Rejection| refusal.within(&format!("parts[{at}]"));
        let (part, status) = part_from_proto(message).map_err(within)?;
        if parts.insert(part, status).is_some() {
            return Err(within(invalid("name", "the part is named twice")));
        }
    }
    Ok(AssetStatus {
        config_version: message.config_version,
        config_last_transition_ms: match transition {
            Some(moment) if moment.seconds < 0 || !(0..1_000_000_000).contains(&moment.nanos) => {
                let message = "config_last_transition_time must be a moment from 1970-01-01 on";
                return Err(invalid("config_last_transition_time", message));
            }
            Some(moment) => millis(&moment),
            None => 0,
        },
        config_error: message.config_error.map(error_from_proto),
        parts,
    })
}

fn part_to_proto((part, status): (&AssetPart, &PartStatus)) -> v1::AssetPartStatus {
    let (kind, group, name) = match part {
        AssetPart::Dataset(name) => (AssetPartKind::Dataset, "", name),
        AssetPart::Event(group, name) => (AssetPartKind::Event, group.as_str(), name),
        AssetPart::Stream(name) => (AssetPartKind::Stream, "", name),
        AssetPart::ManagementAction(group, name) => (AssetPartKind::ManagementAction, group.as_str(), name),
    };
    v1::AssetPartStatus {
        kind: kind.into(),
        group: group.to_owned(),
        name: name.clone(),
        error: status.error.as_ref().map(error_to_proto),
        message_schema_reference: status.message_schema.as_ref().map(|schema| v1::MessageSchemaReference {
            schema_registry_namespace: schema.schema_registry_namespace.clone(),
            schema_name: schema.schema_name.clone(),
            schema_version: schema.schema_version.clone(),
        }),
    }
}

fn part_from_proto(message: v1::AssetPartStatus) -> Result<(AssetPart, PartStatus), Rejection> {
    let kind = AssetPartKind::try_from(message.kind)
        .map_err(|_| invalid("kind", &format!("kind has the unknown value {}", message.kind)))?;
    let v1::AssetPartStatus { group, name, .. } = message;
    let grouped = matches!(kind, AssetPartKind::Event | AssetPartKind::ManagementAction);
    if !grouped && !group.is_empty() {
        return Err(invalid("group", "group is for events and management actions only"));
    }
    let part = match kind {
        AssetPartKind::Unspecified => return Err(invalid("kind", "kind must say which kind of part is meant")),
        AssetPartKind::Dataset => AssetPart::Dataset(name),
        AssetPartKind::Event => AssetPart::Event(group, name),
        AssetPartKind::Stream => AssetPart::Stream(name),
        AssetPartKind::ManagementAction => AssetPart::ManagementAction(group, name),
    };
    let status = PartStatus {
        error: message.error.map(error_from_proto),
        message_schema: message.message_schema_reference.map(|schema| MessageSchemaReference {
            schema_registry_namespace: schema.schema_registry_namespace,
            schema_name: schema.schema_name,
            schema_version: schema.schema_version,
        }),
    };
    Ok((part, status))
}

fn error_to_proto(error: &StatusError) -> v1::StatusError {
    let details = error.details.iter().map(|detail| v1::StatusErrorDetail {
        code: detail.code.clone(),
        correlation_id: detail.correlation_id.clone(),
        info: detail.info.clone(),
        message: detail.message.clone(),
    });
    v1::StatusError { code: error.code.clone(), message: error.message.clone(), details: details.collect() }
}

fn error_from_proto(message: v1::StatusError) -> StatusError {
    let details = message.details.into_iter().map(|detail| StatusErrorDetail {
        code: detail.code,
        correlation_id: detail.correlation_id,
        info: detail.info,
        message: detail.message,
    });
    StatusError { code: message.code, message: message.message, details: details.collect() }
}

fn invalid(field: &str, message: &str) -> Rejection {
    Rejection::new(Reason::InvalidField, field, message)
}
