//! Asset status. It knows no definition: whether a part exists is the domain's question.

use std::collections::BTreeMap;

use muster_domain::Rejection;
use muster_domain::asset::{
    AssetPart, AssetStatus, MessageSchemaReference, PartStatus, StatusError, StatusErrorDetail,
};
use muster_proto::v1;
use muster_proto::v1::AssetPartKind;

use super::{invalid, millis, optional_timestamp, unknown};

/// As a message; `update_time` is left to the caller, who knows the asset.
#[must_use]
pub fn asset_status_to_proto(status: &AssetStatus) -> v1::AssetStatus {
    v1::AssetStatus {
        config_version: status.config_version,
        config_last_transition_time: optional_timestamp(status.config_last_transition_ms),
        config_error: status.config_error.as_ref().map(error_to_proto),
        parts: status.parts.iter().map(part_to_proto).collect(),
        update_time: None,
    }
}

/// From a message; `update_time` is not read.
///
/// # Errors
/// Names the field by its path in a request, such as `status.parts[2].kind`.
pub fn asset_status_from_proto(message: v1::AssetStatus) -> Result<AssetStatus, Rejection> {
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
            Some(moment) => millis("config_last_transition_time", &moment)?,
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
    let kind = AssetPartKind::try_from(message.kind).map_err(|_| unknown("kind", message.kind))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_path() {
        let part = |kind: AssetPartKind, group: &str| v1::AssetPartStatus {
            kind: kind.into(),
            group: group.into(),
            name: "a".into(),
            ..Default::default()
        };
        let dataset = || part(AssetPartKind::Dataset, "");
        for (second, field) in [
            (part(AssetPartKind::Unspecified, ""), "status.parts[1].kind"),
            (v1::AssetPartStatus { kind: 77, ..dataset() }, "status.parts[1].kind"),
            (part(AssetPartKind::Stream, "g"), "status.parts[1].group"),
            (dataset(), "status.parts[1].name"),
        ] {
            let message = v1::AssetStatus { parts: vec![dataset(), second], ..Default::default() };
            assert_eq!(asset_status_from_proto(message).expect_err(field).field, field);
        }
    }
}
