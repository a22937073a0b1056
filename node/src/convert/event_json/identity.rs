//! Devices, modules and how they authenticate, as JSON for the history. Keys have no way in here.

use std::collections::BTreeMap;

use muster_domain::device::{
    Authentication, DeviceDefinition, EndpointAuthentication, InboundEndpoint, OutboundEndpoint,
};
use muster_domain::module::ModuleDefinition;
use serde_json::Value;

use super::{device_status, document, list, object, text};

pub(crate) fn device(definition: &DeviceDefinition) -> Value {
    let attributes = &definition.attributes;
    object([
        ("status", device_status(definition.status)),
        ("status_reason", text(&definition.status_reason)),
        ("authentication", authentication(&definition.authentication)),
        ("iot_edge", definition.iot_edge.then_some(true).into()),
        ("device_scope", text(&definition.device_scope)),
        ("parent_scopes", list(&definition.parent_scopes, |scope| text(scope))),
        ("external_device_id", text(&definition.external_device_id)),
        ("manufacturer", text(&definition.manufacturer)),
        ("model", text(&definition.model)),
        ("operating_system", text(&definition.operating_system)),
        ("operating_system_version", text(&definition.operating_system_version)),
        ("attributes", if attributes.is_empty() { Value::Null } else { document(attributes) }),
        (
            "endpoints",
            object([
                ("inbound", named(&definition.endpoints.inbound, inbound)),
                ("outbound_assigned", named(&definition.endpoints.outbound_assigned, outbound)),
                ("outbound_unassigned", named(&definition.endpoints.outbound_unassigned, outbound)),
            ]),
        ),
        ("discovered_device_ref", text(&definition.discovered_device_ref)),
        ("uuid", text(&definition.uuid)),
        ("edge", text(&definition.edge)),
        ("site", text(&definition.site)),
    ])
}

pub(crate) fn module(definition: &ModuleDefinition) -> Value {
    object([
        ("managed_by", text(&definition.managed_by)),
        ("authentication", authentication(&definition.authentication)),
    ])
}

fn authentication(authentication: &Authentication) -> Value {
    match authentication {
        Authentication::Sas { .. } => object([("type", text("sas"))]),
        Authentication::SelfSigned { primary_thumbprint, secondary_thumbprint } => object([
            ("type", text("self_signed")),
            ("primary_thumbprint", text(primary_thumbprint)),
            ("secondary_thumbprint", text(secondary_thumbprint)),
        ]),
        Authentication::CertificateAuthority => object([("type", text("certificate_authority"))]),
        Authentication::None => object([("type", text("none"))]),
    }
}

pub(super) fn named<T>(endpoints: &BTreeMap<String, T>, render: impl Fn(&T) -> Value) -> Value {
    Value::Object(endpoints.iter().map(|(name, endpoint)| (name.clone(), render(endpoint))).collect())
}

fn inbound(endpoint: &InboundEndpoint) -> Value {
    object([
        ("address", text(&endpoint.address)),
        ("endpoint_type", text(&endpoint.endpoint_type)),
        ("version", text(&endpoint.version)),
        ("additional_configuration", text(&endpoint.additional_configuration)),
        ("authentication", endpoint_authentication(&endpoint.authentication)),
        ("trust_list", text(&endpoint.trust_list)),
    ])
}

/// Names of secrets, not secrets.
fn endpoint_authentication(authentication: &EndpointAuthentication) -> Value {
    match authentication {
        EndpointAuthentication::Anonymous => object([("method", text("anonymous"))]),
        EndpointAuthentication::Certificate { certificate_secret, key_secret, intermediates_secret } => object([
            ("method", text("certificate")),
            ("certificate_secret_name", text(certificate_secret)),
            ("key_secret_name", text(key_secret)),
            ("intermediate_certificates_secret_name", text(intermediates_secret)),
        ]),
        EndpointAuthentication::UsernamePassword { username_secret, password_secret } => object([
            ("method", text("username_password")),
            ("username_secret_name", text(username_secret)),
            ("password_secret_name", text(password_secret)),
        ]),
    }
}

pub(super) fn outbound(endpoint: &OutboundEndpoint) -> Value {
    object([("address", text(&endpoint.address)), ("endpoint_type", text(&endpoint.endpoint_type))])
}
