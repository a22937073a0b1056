//! Devices and how they authenticate, proto to domain and back.
//!
//! It checks only what the domain cannot see: that a key is base64, that what is given belongs to the chosen way of
//! authenticating, that an enumeration has a known value. The rest is `decide`'s.

use muster_domain::device::{Authentication, Device, DeviceDefinition, DeviceStatus};
use muster_domain::{Body, Key, Reason, Record, Rejection};
use muster_proto::v1;

use super::endpoints::{endpoints_from_proto, endpoints_to_proto};
use super::keys::{AbsentKeys, KeyMaker};
use super::{choice, optional_timestamp};

/// What a request says of the device `owner`. Neither a uuid nor an edge scope is made here.
///
/// # Errors
/// When its authentication contradicts itself, a key is malformed or an enumeration has an unknown value.
pub fn definition(
    device: v1::Device,
    owner: &Key,
    keys: KeyMaker<'_>,
    absent: AbsentKeys,
) -> Result<DeviceDefinition, Rejection> {
    Ok(DeviceDefinition {
        status: status("device.status", device.status)?,
        status_reason: device.status_reason,
        authentication: authentication(device.authentication, owner, keys, absent)
            .map_err(|refusal| refusal.within("device"))?,
        iot_edge: device.iot_edge,
        device_scope: device.device_scope,
        parent_scopes: device.parent_scopes,
        external_device_id: device.external_device_id,
        manufacturer: device.manufacturer,
        model: device.model,
        operating_system: device.operating_system,
        operating_system_version: device.operating_system_version,
        attributes: device.attributes_json,
        endpoints: endpoints_from_proto(device.endpoints.unwrap_or_default())?,
        discovered_device_ref: device.discovered_device_ref,
        uuid: device.uuid,
        edge: device.edge,
        site: device.site,
    })
}

/// The device of a record, without keys; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::Device> {
    let Body::Device(device) = &record.body else { return None };
    let Device { definition, status_updated_ms, version } = &**device;
    Some(v1::Device {
        name: key.to_string(),
        generation_id: record.created_revision.to_string(),
        etag: record.etag(),
        status: status_to_proto(definition.status).into(),
        status_reason: definition.status_reason.clone(),
        status_update_time: optional_timestamp(*status_updated_ms),
        authentication: Some(authentication_to_proto(&definition.authentication)),
        iot_edge: definition.iot_edge,
        device_scope: definition.device_scope.clone(),
        parent_scopes: definition.parent_scopes.clone(),
        external_device_id: definition.external_device_id.clone(),
        manufacturer: definition.manufacturer.clone(),
        model: definition.model.clone(),
        operating_system: definition.operating_system.clone(),
        operating_system_version: definition.operating_system_version.clone(),
        attributes_json: definition.attributes.clone(),
        endpoints: Some(endpoints_to_proto(&definition.endpoints)),
        discovered_device_ref: definition.discovered_device_ref.clone(),
        uuid: definition.uuid.clone(),
        edge: definition.edge.clone(),
        site: definition.site.clone(),
        version: *version,
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
    })
}

/// A status as requested; unspecified means enabled.
///
/// # Errors
/// When the value is unknown.
pub fn status(field: &str, status: i32) -> Result<DeviceStatus, Rejection> {
    Ok(match choice::<v1::DeviceStatus>(field, status)? {
        v1::DeviceStatus::Unspecified | v1::DeviceStatus::Enabled => DeviceStatus::Enabled,
        v1::DeviceStatus::Disabled => DeviceStatus::Disabled,
    })
}

fn status_to_proto(status: DeviceStatus) -> v1::DeviceStatus {
    match status {
        DeviceStatus::Enabled => v1::DeviceStatus::Enabled,
        DeviceStatus::Disabled => v1::DeviceStatus::Disabled,
    }
}

/// How `owner` authenticates, its keys sealed. Absent means symmetric keys.
///
/// # Errors
/// When keys or thumbprints are given that the type has no use for, or a key is malformed.
pub fn authentication(
    authentication: Option<v1::Authentication>,
    owner: &Key,
    keys: KeyMaker<'_>,
    absent: AbsentKeys,
) -> Result<Authentication, Rejection> {
    let given = authentication.unwrap_or_default();
    let kind = choice::<v1::AuthenticationType>("authentication.type", given.r#type)?;
    let key = given.symmetric_key.unwrap_or_default();
    let thumbprint = given.x509_thumbprint.unwrap_or_default();
    let is_sas = matches!(kind, v1::AuthenticationType::Unspecified | v1::AuthenticationType::Sas);
    let has_key = !key.primary_key.is_empty() || !key.secondary_key.is_empty();
    if has_key && !is_sas {
        return Err(out_of_place("authentication.symmetric_key", "SAS"));
    }
    let has_thumbprint = !thumbprint.primary_thumbprint.is_empty() || !thumbprint.secondary_thumbprint.is_empty();
    if has_thumbprint && kind != v1::AuthenticationType::SelfSigned {
        return Err(out_of_place("authentication.x509_thumbprint", "SELF_SIGNED"));
    }
    Ok(match kind {
        v1::AuthenticationType::Unspecified | v1::AuthenticationType::Sas => {
            let take = |which: &str, text: &str| {
                keys.take(owner, &format!("authentication.symmetric_key.{which}"), text, absent)
            };
            Authentication::Sas {
                primary: take("primary_key", &key.primary_key)?,
                secondary: take("secondary_key", &key.secondary_key)?,
            }
        }
        v1::AuthenticationType::SelfSigned => Authentication::SelfSigned {
            primary_thumbprint: thumbprint.primary_thumbprint.to_ascii_lowercase(),
            secondary_thumbprint: thumbprint.secondary_thumbprint.to_ascii_lowercase(),
        },
        v1::AuthenticationType::CertificateAuthority => Authentication::CertificateAuthority,
        v1::AuthenticationType::None => Authentication::None,
    })
}

fn out_of_place(field: &str, kind: &str) -> Rejection {
    Rejection::new(Reason::InvalidField, field, format!("{field} needs authentication.type {kind}"))
}

/// How a device or module authenticates, without keys.
#[must_use]
pub fn authentication_to_proto(authentication: &Authentication) -> v1::Authentication {
    let (kind, x509_thumbprint) = match authentication {
        Authentication::Sas { .. } => (v1::AuthenticationType::Sas, None),
        Authentication::SelfSigned { primary_thumbprint, secondary_thumbprint } => (
            v1::AuthenticationType::SelfSigned,
            Some(v1::X509Thumbprint {
                primary_thumbprint: primary_thumbprint.clone(),
                secondary_thumbprint: secondary_thumbprint.clone(),
            }),
        ),
        Authentication::CertificateAuthority => (v1::AuthenticationType::CertificateAuthority, None),
        Authentication::None => (v1::AuthenticationType::None, None),
    };
    v1::Authentication { r#type: kind.into(), symmetric_key: None, x509_thumbprint }
}
