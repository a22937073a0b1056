//! What edges discovered, from and to messages.
//!
//! - Errors name the field by its path in a request, such as
//!   `discovered_device.definition.endpoints.inbound["opc"].supported_authentication_methods[1]`.

use std::collections::BTreeMap;

use muster_domain::asset::AssetDefinition;
use muster_domain::device::OutboundEndpoint;
use muster_domain::discovery::{
    AuthenticationMethod, Discovered, DiscoveredDeviceDefinition, DiscoveredEndpoint, DiscoveryState, Report,
};
use muster_domain::{Body, Key, Record, Rejection};
use muster_proto::v1;
use muster_proto::v1::endpoint_authentication::Method;

use super::asset::{asset_definition_to_proto, definition_from_proto};
use super::{choice, each, invalid, millis, optional_timestamp, unknown};

/// What a message says of a device.
///
/// # Errors
/// When a value is none.
pub fn device_report(message: v1::DiscoveredDevice) -> Result<Report<DiscoveredDeviceDefinition>, Rejection> {
    let definition = device_from_proto(message.definition.unwrap_or_default());
    let definition = definition.map_err(|refusal| refusal.within("discovered_device.definition"))?;
    Ok(Report { discovery_id: message.discovery_id, definition })
}

/// What a message says of an asset.
///
/// # Errors
/// When a value is none.
pub fn asset_report(message: v1::DiscoveredAsset) -> Result<Report<AssetDefinition>, Rejection> {
    let definition = definition_from_proto(message.definition.unwrap_or_default());
    let definition = definition.map_err(|refusal| refusal.within("discovered_asset.definition"))?;
    Ok(Report { discovery_id: message.discovery_id, definition })
}

/// The state that a list asks for; `None` for all.
///
/// # Errors
/// When it is none.
pub fn wanted_state(state: i32) -> Result<Option<v1::DiscoveryState>, Rejection> {
    let state = choice("state", state)?;
    Ok(Some(state).filter(|state| *state != v1::DiscoveryState::Unspecified))
}

/// The state of a record, as a message says it; `None` when it is of another kind.
#[must_use]
pub fn state_of(record: &Record) -> Option<v1::DiscoveryState> {
    match &record.body {
        Body::DiscoveredDevice(device) => Some(state(&device.state)),
        Body::DiscoveredAsset(asset) => Some(state(&asset.state)),
        _ => None,
    }
}

/// The discovered device of a record; `None` when the record is of another kind.
#[must_use]
pub fn device_to_proto(key: &Key, record: &Record) -> Option<v1::DiscoveredDevice> {
    let Body::DiscoveredDevice(device) = &record.body else { return None };
    let (accepted_as, accepted_version) = acceptance(key, device);
    Some(v1::DiscoveredDevice {
        name: key.to_string(),
        definition: Some(device_definition_to_proto(&device.report.definition)),
        discovery_id: device.report.discovery_id.clone(),
        version: device.version,
        state: state(&device.state).into(),
        accepted_as,
        accepted_version,
        changed_since_accepted: device.changed_since_accepted(),
        etag: record.etag(),
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
        last_change_time: optional_timestamp(device.changed_ms),
    })
}

/// The discovered asset of a record; `None` when the record is of another kind.
#[must_use]
pub fn asset_to_proto(key: &Key, record: &Record) -> Option<v1::DiscoveredAsset> {
    let Body::DiscoveredAsset(asset) = &record.body else { return None };
    let (accepted_as, accepted_version) = acceptance(key, asset);
    Some(v1::DiscoveredAsset {
        name: key.to_string(),
        definition: Some(asset_definition_to_proto(&asset.report.definition)),
        discovery_id: asset.report.discovery_id.clone(),
        version: asset.version,
        state: state(&asset.state).into(),
        accepted_as,
        accepted_version,
        changed_since_accepted: asset.changed_since_accepted(),
        etag: record.etag(),
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
        last_change_time: optional_timestamp(asset.changed_ms),
    })
}

fn state(state: &DiscoveryState) -> v1::DiscoveryState {
    match state {
        DiscoveryState::New => v1::DiscoveryState::New,
        DiscoveryState::Accepted(_) => v1::DiscoveryState::Accepted,
        DiscoveryState::Dismissed => v1::DiscoveryState::Dismissed,
    }
}

/// Name of the real resource and the version that was accepted.
fn acceptance<D>(key: &Key, thing: &Discovered<D>) -> (String, u64) {
    let DiscoveryState::Accepted(acceptance) = &thing.state else { return Default::default() };
    let (namespace, id) = (key.namespace().unwrap_or_default().to_owned(), acceptance.resource.clone());
    let real = match key {
        Key::DiscoveredAsset(..) => Key::Asset(namespace, id),
        _ => Key::Device(namespace, id),
    };
    (real.to_string(), acceptance.version)
}

/// As a message.
#[must_use]
pub fn device_definition_to_proto(definition: &DiscoveredDeviceDefinition) -> v1::DiscoveredDeviceDefinition {
    let inbound = definition.inbound.iter().map(|(name, endpoint)| (name.clone(), endpoint_to_proto(endpoint)));
    let outbound = definition.outbound.iter().map(|(name, endpoint)| {
        let (address, endpoint_type) = (endpoint.address.clone(), endpoint.endpoint_type.clone());
        (name.clone(), v1::OutboundEndpoint { address, endpoint_type })
    });
    let endpoints = v1::DiscoveredEndpoints { inbound: inbound.collect(), outbound_assigned: outbound.collect() };
    v1::DiscoveredDeviceDefinition {
        external_device_id: definition.external_device_id.clone(),
        manufacturer: definition.manufacturer.clone(),
        model: definition.model.clone(),
        operating_system: definition.operating_system.clone(),
        operating_system_version: definition.operating_system_version.clone(),
        attributes_json: definition.attributes.clone(),
        endpoints: Some(endpoints),
    }
}

/// From a message.
///
/// # Errors
/// When a value is none.
pub fn device_from_proto(message: v1::DiscoveredDeviceDefinition) -> Result<DiscoveredDeviceDefinition, Rejection> {
    let v1::DiscoveredEndpoints { inbound, outbound_assigned } = message.endpoints.unwrap_or_default();
    let mut endpoints = BTreeMap::new();
    for (name, endpoint) in inbound {
        let within = |refusal: Rejection| refusal.within(&format!("endpoints.inbound[{name:?}]"));
        let endpoint = endpoint_from_proto(endpoint).map_err(within)?;
        endpoints.insert(name, endpoint);
    }
    let outbound = outbound_assigned.into_iter().map(|(name, endpoint)| {
        let v1::OutboundEndpoint { address, endpoint_type } = endpoint;
        (name, OutboundEndpoint { address, endpoint_type })
    });
    Ok(DiscoveredDeviceDefinition {
        external_device_id: message.external_device_id,
        manufacturer: message.manufacturer,
        model: message.model,
        operating_system: message.operating_system,
        operating_system_version: message.operating_system_version,
        attributes: message.attributes_json,
        inbound: endpoints,
        outbound: outbound.collect(),
    })
}

fn endpoint_to_proto(endpoint: &DiscoveredEndpoint) -> v1::DiscoveredEndpoint {
    let methods = endpoint.supported_methods.iter().map(|method| {
        i32::from(match method {
            AuthenticationMethod::Anonymous => Method::Anonymous,
            AuthenticationMethod::Certificate => Method::Certificate,
            AuthenticationMethod::UsernamePassword => Method::UsernamePassword,
        })
    });
    v1::DiscoveredEndpoint {
        address: endpoint.address.clone(),
        endpoint_type: endpoint.endpoint_type.clone(),
        version: endpoint.version.clone(),
        additional_configuration: endpoint.additional_configuration.clone(),
        supported_authentication_methods: methods.collect(),
        last_update_time: optional_timestamp(endpoint.updated_ms),
    }
}

fn endpoint_from_proto(message: v1::DiscoveredEndpoint) -> Result<DiscoveredEndpoint, Rejection> {
    let updated = message.last_update_time.map(|moment| millis("last_update_time", &moment)).transpose()?;
    let supported_methods = each(METHODS, message.supported_authentication_methods, method_from_proto)?;
    Ok(DiscoveredEndpoint {
        address: message.address,
        endpoint_type: message.endpoint_type,
        version: message.version,
        additional_configuration: message.additional_configuration,
        supported_methods,
        updated_ms: updated.unwrap_or(0),
    })
}

const METHODS: &str = "supported_authentication_methods";

fn method_from_proto(number: i32) -> Result<AuthenticationMethod, Rejection> {
    match Method::try_from(number) {
        Ok(Method::Anonymous) => Ok(AuthenticationMethod::Anonymous),
        Ok(Method::Certificate) => Ok(AuthenticationMethod::Certificate),
        Ok(Method::UsernamePassword) => Ok(AuthenticationMethod::UsernamePassword),
        Ok(Method::Unspecified) => Err(invalid("", "a method of authentication must be said")),
        Err(_) => Err(unknown("", number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_path() {
        let endpoint = |methods: &[i32]| v1::DiscoveredEndpoint {
            supported_authentication_methods: methods.to_vec(),
            ..v1::DiscoveredEndpoint::default()
        };
        let read = |methods: &[i32]| {
            let endpoints = v1::DiscoveredEndpoints {
                inbound: BTreeMap::from([("opc".to_owned(), endpoint(methods))]),
                ..v1::DiscoveredEndpoints::default()
            };
            let definition = v1::DiscoveredDeviceDefinition {
                endpoints: Some(endpoints),
                ..v1::DiscoveredDeviceDefinition::default()
            };
            device_report(v1::DiscoveredDevice { definition: Some(definition), ..v1::DiscoveredDevice::default() })
        };
        assert!(read(&[1, 3, 2]).is_ok());
        for methods in [[1, 0], [1, 9]] {
            let refusal = read(&methods).expect_err("no method");
            let expected =
                "discovered_device.definition.endpoints.inbound[\"opc\"].supported_authentication_methods[1]";
            assert_eq!(refusal.field, expected, "{methods:?}");
        }
        assert_eq!(wanted_state(0), Ok(None));
        assert_eq!(wanted_state(2), Ok(Some(v1::DiscoveryState::Accepted)));
        assert_eq!(wanted_state(7).map_err(|refusal| refusal.field), Err("state".to_owned()));
    }
}
