//! Devices: identity after IoT Hub's registry (`status`, authentication, edge scope) and description after Azure Device
//! Registry (manufacturer to endpoints). It knows no key material: keys arrive sealed.

use std::collections::BTreeMap;

use crate::{At, EventKind};

mod authentication;
mod check;
mod decide;
mod scope;

pub(crate) use decide::{created, decide, deleted, deletion, revised};

/// A symmetric key as the node sealed it; opaque here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey(pub Vec<u8>);

/// Whether a device may connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceStatus {
    /// It may.
    #[default]
    Enabled,
    /// Refused on every device-facing call.
    Disabled,
}

/// How a device or module proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Symmetric keys.
    Sas {
        /// Primary key.
        primary: Option<SealedKey>,
        /// Secondary key.
        secondary: Option<SealedKey>,
    },
    /// A certificate known by its thumbprint: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.
    SelfSigned {
        /// Primary thumbprint.
        primary_thumbprint: String,
        /// Secondary thumbprint; may be empty.
        secondary_thumbprint: String,
    },
    /// A certificate of a trusted authority.
    CertificateAuthority,
    /// None.
    None,
}

/// How a connector reaches a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InboundEndpoint {
    /// Required, at most 512 characters.
    pub address: String,
    /// Required, at most 128 characters.
    pub endpoint_type: String,
    /// At most 128 characters.
    pub version: String,
    /// Free text; at most 8 KiB.
    pub additional_configuration: String,
    /// How the connector authenticates; secrets by name only.
    pub authentication: EndpointAuthentication,
    /// Name of a trust list.
    pub trust_list: String,
}

/// How a connector authenticates to a device. Names of secrets have at most 256 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EndpointAuthentication {
    /// It does not.
    #[default]
    Anonymous,
    /// With a certificate.
    Certificate {
        /// Required.
        certificate_secret: String,
        /// May be empty.
        key_secret: String,
        /// May be empty.
        intermediates_secret: String,
    },
    /// With user name and password.
    UsernamePassword {
        /// Required.
        username_secret: String,
        /// Required.
        password_secret: String,
    },
}

/// Where a device sends to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboundEndpoint {
    /// Required, at most 512 characters.
    pub address: String,
    /// At most 128 characters.
    pub endpoint_type: String,
}

/// All endpoints of a device, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Towards the device.
    pub inbound: BTreeMap<String, InboundEndpoint>,
    /// From the device, assigned.
    pub outbound_assigned: BTreeMap<String, OutboundEndpoint>,
    /// From the device, not assigned yet.
    pub outbound_unassigned: BTreeMap<String, OutboundEndpoint>,
}

/// What the back end says of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceDefinition {
    /// May it connect?
    pub status: DeviceStatus,
    /// Why; at most 128 characters.
    pub status_reason: String,
    /// How it authenticates.
    pub authentication: Authentication,
    /// IoT Hub's `capabilities.iotEdge`.
    pub iot_edge: bool,
    /// Made by the node for edge devices; for others the scope of their edge device.
    pub device_scope: String,
    /// Edge devices only, at most one.
    pub parent_scopes: Vec<String>,
    /// At most 256 characters, as the texts below.
    pub external_device_id: String,
    /// Who made it.
    pub manufacturer: String,
    /// Model name.
    pub model: String,
    /// Operating system.
    pub operating_system: String,
    /// Its version.
    pub operating_system_version: String,
    /// JSON object as text; at most 8 KiB. Empty means `{}`.
    pub attributes: String,
    /// Ways to it and from it.
    pub endpoints: Endpoints,
    /// Name of the discovered device it was made from.
    pub discovered_device_ref: String,
    /// Made by the node when the caller gave none; never changes.
    pub uuid: String,
    /// The edge that holds it, by its id in the same namespace; empty: that of its site.
    pub edge: String,
    /// Where it is: a site, by its id in the same namespace; may be empty.
    pub site: String,
}

/// A field of [`DeviceDefinition`] that an update may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceField {
    /// `status`
    Status,
    /// `status_reason`
    StatusReason,
    /// `authentication`
    Authentication,
    /// `iot_edge`
    IotEdge,
    /// `device_scope`
    DeviceScope,
    /// `parent_scopes`
    ParentScopes,
    /// `external_device_id`
    ExternalDeviceId,
    /// `manufacturer`
    Manufacturer,
    /// `model`
    Model,
    /// `operating_system`
    OperatingSystem,
    /// `operating_system_version`
    OperatingSystemVersion,
    /// `attributes_json`
    Attributes,
    /// `endpoints`
    Endpoints,
    /// `discovered_device_ref`
    DiscoveredDeviceRef,
    /// `edge`
    Edge,
    /// `site`
    Site,
}

impl DeviceField {
    /// All of them, with their names in an update mask.
    pub const ALL: [(Self, &'static str); 16] = [
        (Self::Status, "status"),
        (Self::StatusReason, "status_reason"),
        (Self::Authentication, "authentication"),
        (Self::IotEdge, "iot_edge"),
        (Self::DeviceScope, "device_scope"),
        (Self::ParentScopes, "parent_scopes"),
        (Self::ExternalDeviceId, "external_device_id"),
        (Self::Manufacturer, "manufacturer"),
        (Self::Model, "model"),
        (Self::OperatingSystem, "operating_system"),
        (Self::OperatingSystemVersion, "operating_system_version"),
        (Self::Attributes, "attributes_json"),
        (Self::Endpoints, "endpoints"),
        (Self::DiscoveredDeviceRef, "discovered_device_ref"),
        (Self::Edge, "edge"),
        (Self::Site, "site"),
    ];
}

/// A device.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// What the back end says of it.
    pub definition: DeviceDefinition,
    /// When `status` last changed, milliseconds since the epoch.
    pub status_updated_ms: u64,
    /// 1 at creation (or where an earlier life left off), +1 with each change.
    pub version: u64,
}

impl Device {
    /// A device at the start of a life.
    #[must_use]
    pub fn created(definition: DeviceDefinition, version: u64, at: At) -> Self {
        Self { definition, status_updated_ms: at.time_ms, version }
    }

    /// The device after `event`; an event of another kind leaves it as it is.
    #[must_use]
    pub(crate) fn evolve(&self, event: &EventKind, at: At) -> Self {
        let mut after = self.clone();
        match event {
            EventKind::DeviceUpdated(definition) => after.definition = (**definition).clone(),
            EventKind::DeviceStatusChanged { status, reason } => {
                after.definition.status = *status;
                after.definition.status_reason.clone_from(reason);
            }
            EventKind::DeviceKeysRegenerated { primary, secondary } => {
                after.definition.authentication.take_keys(primary.as_ref(), secondary.as_ref());
            }
            _ => return after,
        }
        if after.definition.status != self.definition.status {
            after.status_updated_ms = at.time_ms;
        }
        after.version += 1;
        after
    }
}
