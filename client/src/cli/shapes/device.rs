//! A device: IoT Hub's identity members, and Device Registry's members in an object of their own, `deviceRegistry`.

use muster_client::{names, proto};
use proto::{Device, DeviceStatus};
use serde_json::{Map, Value, json};

use super::fields::{Fields, ShapeError};
use super::{authentication, document, endpoints, put, time};

/// Fields of a device that a Device Registry resource defines, by their names in an update mask.
pub(crate) const REGISTRY_MASK: [&str; 9] = [
    "status",
    "external_device_id",
    "manufacturer",
    "model",
    "operating_system",
    "operating_system_version",
    "attributes_json",
    "endpoints",
    "discovered_device_ref",
];

/// IoT Hub's name of a status.
pub(crate) fn status_name(status: DeviceStatus) -> &'static str {
    match status {
        DeviceStatus::Disabled => "disabled",
        DeviceStatus::Enabled | DeviceStatus::Unspecified => "enabled",
    }
}

/// The status of IoT Hub's name; empty is enabled.
pub(crate) fn status_of(name: &str) -> Option<DeviceStatus> {
    match name {
        "" | "enabled" => Some(DeviceStatus::Enabled),
        "disabled" => Some(DeviceStatus::Disabled),
        _ => None,
    }
}

/// A device as `muster device get --output json` shows it.
pub(crate) fn to_json(device: &Device) -> Value {
    let mut object = Map::new();
    put(&mut object, "namespace", names::part(&device.name, "namespaces").unwrap_or_default());
    put(&mut object, "deviceId", names::last(&device.name));
    put(&mut object, "generationId", device.generation_id.as_str());
    put(&mut object, "etag", device.etag.as_str());
    put(&mut object, "version", device.version);
    put(&mut object, "status", status_name(device.status()));
    put(&mut object, "statusReason", device.status_reason.as_str());
    put(&mut object, "statusUpdatedTime", time(device.status_update_time.as_ref()));
    put(&mut object, "authentication", authentication::to_json(device.authentication.as_ref()));
    put(&mut object, "capabilities", json!({"iotEdge": device.iot_edge}));
    put(&mut object, "deviceScope", device.device_scope.as_str());
    put(&mut object, "parentScopes", device.parent_scopes.clone());
    put(&mut object, "edge", device.edge.as_str());
    put(&mut object, "site", device.site.as_str());
    put(&mut object, "deviceRegistry", registry_to_json(device));
    put(&mut object, "createTime", time(device.create_time.as_ref()));
    put(&mut object, "updateTime", time(device.update_time.as_ref()));
    Value::Object(object)
}

/// Device Registry's members; those that say nothing are left out.
pub(crate) fn registry_to_json(device: &Device) -> Value {
    let mut object = Map::new();
    put(&mut object, "uuid", device.uuid.as_str());
    put(&mut object, "externalDeviceId", device.external_device_id.as_str());
    put(&mut object, "manufacturer", device.manufacturer.as_str());
    put(&mut object, "model", device.model.as_str());
    put(&mut object, "operatingSystem", device.operating_system.as_str());
    put(&mut object, "operatingSystemVersion", device.operating_system_version.as_str());
    put(&mut object, "discoveredDeviceRef", device.discovered_device_ref.as_str());
    put(&mut object, "attributes", document(&device.attributes_json));
    put(&mut object, "endpoints", endpoints::to_json(device.endpoints.as_ref()));
    Value::Object(object)
}

/// Reads Device Registry's members into `device`. `enabled` and what only the server makes are left to the caller.
pub(crate) fn registry_from_fields(
    fields: &mut Fields,
    device: &mut Device,
    unread: &mut Vec<String>,
) -> Result<(), ShapeError> {
    device.uuid = fields.text("uuid")?;
    device.external_device_id = fields.text("externalDeviceId")?;
    device.manufacturer = fields.text("manufacturer")?;
    device.model = fields.text("model")?;
    device.operating_system = fields.text("operatingSystem")?;
    device.operating_system_version = fields.text("operatingSystemVersion")?;
    device.discovered_device_ref = fields.text("discoveredDeviceRef")?;
    device.attributes_json = fields.object_text("attributes")?;
    device.endpoints = match fields.value("endpoints") {
        Some(value) => Some(endpoints::from_fields(Fields::new(fields.at("endpoints"), value)?, unread)?),
        None => None,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_members_survive_both_ways() {
        let given = json!({
            "uuid": "u-1", "externalDeviceId": "x", "manufacturer": "Contoso", "model": "P7", "operatingSystem": "Linux",
            "operatingSystemVersion": "6.1", "discoveredDeviceRef": "d", "attributes": {"a": 1, "b": [true]},
            "endpoints": {
                "inbound": {
                    "one": {"address": "opc.tcp://x", "endpointType": "Microsoft.OpcUa", "version": "1",
                            "additionalConfiguration": "{}", "trustSettings": {"trustList": "t"},
                            "authentication": {"method": "UsernamePassword", "usernamePasswordCredentials":
                                {"usernameSecretName": "u", "passwordSecretName": "p"}}},
                    "two": {"address": "y", "endpointType": "z", "authentication": {"method": "Certificate",
                            "x509Credentials": {"certificateSecretName": "c", "keySecretName": "k",
                                                "intermediateCertificatesSecretName": "i"}}},
                    "three": {"address": "y", "endpointType": "z", "authentication": {"method": "Anonymous"}}
                },
                "outbound": {"assigned": {"up": {"address": "mqtt://b", "endpointType": "t"}}, "unassigned": {"v": {"address": "w"}}}
            }
        });
        let mut fields = Fields::new("", given.clone()).expect("is an object");
        let (mut device, mut unread) = (Device::default(), Vec::new());
        registry_from_fields(&mut fields, &mut device, &mut unread).expect("is valid");
        fields.finish(&mut unread);
        assert_eq!(unread, Vec::<String>::new());
        assert_eq!(registry_to_json(&device), given);
    }

    #[test]
    fn an_endpoint_without_address_is_named() {
        let given = json!({"endpoints": {"inbound": {"one": {"endpointType": "t"}}}});
        let mut fields = Fields::new("spec", given).expect("is an object");
        let error =
            registry_from_fields(&mut fields, &mut Device::default(), &mut Vec::new()).expect_err("has no address");
        assert_eq!(error.to_string(), "spec.endpoints.inbound.one.address: is required");
    }
}
