//! What an edge discovered, as JSON.

use muster_client::names;
use muster_client::proto::endpoint_authentication::Method;
use muster_client::proto::{DiscoveredAsset, DiscoveredDevice, DiscoveredEndpoint, DiscoveryState, OutboundEndpoint};
use serde_json::{Map, Value};

use super::{asset, document, put, time};

/// The word for a state.
pub(crate) fn state(state: DiscoveryState) -> &'static str {
    match state {
        DiscoveryState::Unspecified => "",
        DiscoveryState::New => "new",
        DiscoveryState::Accepted => "accepted",
        DiscoveryState::Dismissed => "dismissed",
    }
}

/// A discovered device as `muster discovered get --output json` shows it.
pub(crate) fn device_to_json(device: &DiscoveredDevice) -> Value {
    let mut object = begun("device", &device.name, &device.etag, device.version, device.state());
    put(&mut object, "discoveryId", device.discovery_id.as_str());
    put_acceptance(&mut object, &device.accepted_as, device.accepted_version, device.changed_since_accepted);
    if let Some(definition) = &device.definition {
        for (name, text) in [
            ("externalDeviceId", &definition.external_device_id),
            ("manufacturer", &definition.manufacturer),
            ("model", &definition.model),
            ("operatingSystem", &definition.operating_system),
            ("operatingSystemVersion", &definition.operating_system_version),
        ] {
            put(&mut object, name, text.as_str());
        }
        put(&mut object, "attributes", document(&definition.attributes_json));
        let endpoints = definition.endpoints.clone().unwrap_or_default();
        let mut shown = Map::new();
        put(&mut shown, "inbound", endpoints.inbound.iter().map(named(inbound)).collect::<Map<_, _>>());
        put(
            &mut shown,
            "outboundAssigned",
            endpoints.outbound_assigned.iter().map(named(outbound)).collect::<Map<_, _>>(),
        );
        put(&mut object, "endpoints", shown);
    }
    put(&mut object, "createTime", time(device.create_time.as_ref()));
    put(&mut object, "updateTime", time(device.update_time.as_ref()));
    put(&mut object, "lastChangeTime", time(device.last_change_time.as_ref()));
    Value::Object(object)
}

/// A discovered asset as `muster discovered get --output json` shows it.
pub(crate) fn asset_to_json(found: &DiscoveredAsset) -> Value {
    let mut object = begun("asset", &found.name, &found.etag, found.version, found.state());
    put(&mut object, "discoveryId", found.discovery_id.as_str());
    put_acceptance(&mut object, &found.accepted_as, found.accepted_version, found.changed_since_accepted);
    if let Some(definition) = &found.definition {
        object.append(&mut asset::definition_to_json(definition));
    }
    put(&mut object, "createTime", time(found.create_time.as_ref()));
    put(&mut object, "updateTime", time(found.update_time.as_ref()));
    put(&mut object, "lastChangeTime", time(found.last_change_time.as_ref()));
    Value::Object(object)
}

fn begun(kind: &str, name: &str, etag: &str, version: u64, is: DiscoveryState) -> Map<String, Value> {
    let mut object = Map::new();
    put(&mut object, "kind", kind);
    put(&mut object, "namespace", names::part(name, "namespaces").unwrap_or_default());
    put(&mut object, "edge", names::part(name, "edges").unwrap_or_default());
    put(&mut object, "id", names::last(name));
    put(&mut object, "etag", etag);
    put(&mut object, "version", version);
    put(&mut object, "state", state(is));
    object
}

fn put_acceptance(object: &mut Map<String, Value>, accepted_as: &str, version: u64, has_changed: bool) {
    if accepted_as.is_empty() {
        return;
    }
    put(object, "acceptedAs", accepted_as);
    put(object, "acceptedVersion", version);
    put(object, "changedSinceAccepted", has_changed);
}

fn named<T>(show: fn(&T) -> Value) -> impl Fn((&String, &T)) -> (String, Value) {
    move |(name, endpoint)| (name.clone(), show(endpoint))
}

fn inbound(endpoint: &DiscoveredEndpoint) -> Value {
    let mut object = Map::new();
    put(&mut object, "address", endpoint.address.as_str());
    put(&mut object, "endpointType", endpoint.endpoint_type.as_str());
    put(&mut object, "version", endpoint.version.as_str());
    put(&mut object, "additionalConfiguration", endpoint.additional_configuration.as_str());
    let methods = endpoint.supported_authentication_methods().map(|method| match method {
        Method::Unspecified => "",
        Method::Anonymous => "Anonymous",
        Method::Certificate => "Certificate",
        Method::UsernamePassword => "UsernamePassword",
    });
    put(&mut object, "supportedAuthenticationMethods", methods.collect::<Value>());
    put(&mut object, "lastUpdatedOn", time(endpoint.last_update_time.as_ref()));
    Value::Object(object)
}

fn outbound(endpoint: &OutboundEndpoint) -> Value {
    let mut object = Map::new();
    put(&mut object, "address", endpoint.address.as_str());
    put(&mut object, "endpointType", endpoint.endpoint_type.as_str());
    Value::Object(object)
}
