//! What edges discovered, as JSON for the history.

use muster_domain::asset::AssetDefinition;
use muster_domain::discovery::{AuthenticationMethod, DiscoveredDeviceDefinition, DiscoveredEndpoint, Report};
use serde_json::Value;

use super::identity::{named, outbound};
use super::{asset, document, list, object, text, time};

pub(crate) fn device(report: &Report<DiscoveredDeviceDefinition>) -> Value {
    let definition = &report.definition;
    let attributes = &definition.attributes;
    object([
        ("discovery_id", text(&report.discovery_id)),
        ("external_device_id", text(&definition.external_device_id)),
        ("manufacturer", text(&definition.manufacturer)),
        ("model", text(&definition.model)),
        ("operating_system", text(&definition.operating_system)),
        ("operating_system_version", text(&definition.operating_system_version)),
        ("attributes", if attributes.is_empty() { Value::Null } else { document(attributes) }),
        (
            "endpoints",
            object([
                ("inbound", named(&definition.inbound, inbound)),
                ("outbound_assigned", named(&definition.outbound, outbound)),
            ]),
        ),
    ])
}

pub(crate) fn asset(report: &Report<AssetDefinition>) -> Value {
    let mut members = asset::definition(&report.definition);
    if !report.discovery_id.is_empty() {
        members.insert("discovery_id".to_owned(), text(&report.discovery_id));
    }
    Value::Object(members)
}

fn inbound(endpoint: &DiscoveredEndpoint) -> Value {
    object([
        ("address", text(&endpoint.address)),
        ("endpoint_type", text(&endpoint.endpoint_type)),
        ("version", text(&endpoint.version)),
        ("additional_configuration", text(&endpoint.additional_configuration)),
        ("supported_authentication_methods", list(&endpoint.supported_methods, method)),
        ("last_update_time", time(endpoint.updated_ms)),
    ])
}

fn method(method: &AuthenticationMethod) -> Value {
    text(match method {
        AuthenticationMethod::Anonymous => "anonymous",
        AuthenticationMethod::Certificate => "certificate",
        AuthenticationMethod::UsernamePassword => "username_password",
    })
}
