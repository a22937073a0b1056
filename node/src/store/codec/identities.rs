//! Devices and modules: definitions, authentication and sealed keys. It knows no key material; keys arrive sealed.

use muster_domain::device::{Authentication, Device, DeviceDefinition, DeviceStatus, Endpoints, SealedKey};
use muster_domain::module::{Module, ModuleDefinition};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::authentication::{CertificateAuthority, Kind, NoAuthentication, Sas, SelfSigned};
use prost::bytes::Bytes;

use super::CodecError;
use super::enums::StoredEnum;
use super::error::required;
use crate::convert::endpoints::{endpoints_from_proto, endpoints_to_proto};

pub(super) fn key_to_stored(key: &SealedKey) -> Bytes {
    Bytes::copy_from_slice(&key.0)
}

pub(super) fn optional_key_to_stored(key: &Option<SealedKey>) -> Option<Bytes> {
    key.as_ref().map(key_to_stored)
}

pub(super) fn optional_key_from_stored(key: Option<Bytes>) -> Option<SealedKey> {
    key.map(|key| SealedKey(key.into()))
}

fn authentication_to_stored(authentication: &Authentication) -> stored::Authentication {
    let kind = match authentication {
        Authentication::Sas { primary, secondary } => {
            Kind::Sas(Sas { primary: optional_key_to_stored(primary), secondary: optional_key_to_stored(secondary) })
        }
        Authentication::SelfSigned { primary_thumbprint, secondary_thumbprint } => Kind::SelfSigned(SelfSigned {
            primary_thumbprint: primary_thumbprint.clone(),
            secondary_thumbprint: secondary_thumbprint.clone(),
        }),
        Authentication::CertificateAuthority => Kind::CertificateAuthority(CertificateAuthority {}),
        Authentication::None => Kind::None(NoAuthentication {}),
    };
    stored::Authentication { kind: Some(kind) }
}

fn authentication_from_stored(authentication: stored::Authentication) -> Result<Authentication, CodecError> {
    let kind = authentication.kind.ok_or(CodecError::UnknownKind { what: "the authentication of a device" })?;
    Ok(match kind {
        Kind::Sas(Sas { primary, secondary }) => Authentication::Sas {
            primary: optional_key_from_stored(primary),
            secondary: optional_key_from_stored(secondary),
        },
        Kind::SelfSigned(SelfSigned { primary_thumbprint, secondary_thumbprint }) => {
            Authentication::SelfSigned { primary_thumbprint, secondary_thumbprint }
        }
        Kind::CertificateAuthority(CertificateAuthority {}) => Authentication::CertificateAuthority,
        Kind::None(NoAuthentication {}) => Authentication::None,
    })
}

pub(super) fn device_definition_to_stored(definition: &DeviceDefinition) -> stored::DeviceDefinition {
    let DeviceDefinition {
        status,
        status_reason,
        authentication,
        iot_edge,
        device_scope,
        parent_scopes,
        external_device_id,
        manufacturer,
        model,
        operating_system,
        operating_system_version,
        attributes,
        endpoints,
        discovered_device_ref,
        uuid,
        edge,
        site,
    } = definition;
    stored::DeviceDefinition {
        status: status.number(),
        status_reason: status_reason.clone(),
        authentication: Some(authentication_to_stored(authentication)),
        iot_edge: *iot_edge,
        device_scope: device_scope.clone(),
        parent_scopes: parent_scopes.clone(),
        external_device_id: external_device_id.clone(),
        manufacturer: manufacturer.clone(),
        model: model.clone(),
        operating_system: operating_system.clone(),
        operating_system_version: operating_system_version.clone(),
        attributes_json: attributes.clone(),
        endpoints: (*endpoints != Endpoints::default()).then(|| endpoints_to_proto(endpoints)),
        discovered_device_ref: discovered_device_ref.clone(),
        uuid: uuid.clone(),
        edge: edge.clone(),
        site: site.clone(),
    }
}

pub(super) fn device_definition_from_stored(
    definition: stored::DeviceDefinition,
) -> Result<DeviceDefinition, CodecError> {
    let what = "the definition of a device";
    let authentication = required(what, "authentication", definition.authentication)?;
    let endpoints = endpoints_from_proto(definition.endpoints.unwrap_or_default());
    Ok(DeviceDefinition {
        status: DeviceStatus::from_number(definition.status)?,
        status_reason: definition.status_reason,
        authentication: authentication_from_stored(authentication)?,
        iot_edge: definition.iot_edge,
        device_scope: definition.device_scope,
        parent_scopes: definition.parent_scopes,
        external_device_id: definition.external_device_id,
        manufacturer: definition.manufacturer,
        model: definition.model,
        operating_system: definition.operating_system,
        operating_system_version: definition.operating_system_version,
        attributes: definition.attributes_json,
        endpoints: endpoints.map_err(CodecError::invalid(what))?,
        discovered_device_ref: definition.discovered_device_ref,
        uuid: definition.uuid,
        edge: definition.edge,
        site: definition.site,
    })
}

pub(super) fn device_to_stored(device: &Device) -> stored::Device {
    stored::Device {
        definition: Some(device_definition_to_stored(&device.definition)),
        status_updated_ms: device.status_updated_ms,
        version: device.version,
    }
}

pub(super) fn device_from_stored(device: stored::Device) -> Result<Device, CodecError> {
    Ok(Device {
        definition: device_definition_from_stored(required("a device", "definition", device.definition)?)?,
        status_updated_ms: device.status_updated_ms,
        version: device.version,
    })
}

pub(super) fn module_definition_to_stored(definition: &ModuleDefinition) -> stored::ModuleDefinition {
    stored::ModuleDefinition {
        managed_by: definition.managed_by.clone(),
        authentication: Some(authentication_to_stored(&definition.authentication)),
    }
}

pub(super) fn module_definition_from_stored(
    definition: stored::ModuleDefinition,
) -> Result<ModuleDefinition, CodecError> {
    let authentication = required("the definition of a module", "authentication", definition.authentication)?;
    Ok(ModuleDefinition {
        managed_by: definition.managed_by,
        authentication: authentication_from_stored(authentication)?,
    })
}

pub(super) fn module_to_stored(module: &Module) -> stored::Module {
    stored::Module { definition: Some(module_definition_to_stored(&module.definition)), version: module.version }
}

pub(super) fn module_from_stored(module: stored::Module) -> Result<Module, CodecError> {
    let definition = required("a module", "definition", module.definition)?;
    Ok(Module { definition: module_definition_from_stored(definition)?, version: module.version })
}
