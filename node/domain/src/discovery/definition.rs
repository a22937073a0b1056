//! The shape of a discovered device: a device's description without authentication, and how two words of an edge merge.
//!
//! - Fields that a report leaves out are removed, and endpoints merge into the map: a scanner sees one endpoint at a time.

use std::collections::BTreeMap;

use crate::At;
use crate::device::{Endpoints, InboundEndpoint, OutboundEndpoint};

/// A way in which an endpoint says that it can be authenticated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthenticationMethod {
    /// Not at all.
    Anonymous,
    /// With a certificate.
    Certificate,
    /// With user name and password.
    UsernamePassword,
}

/// An endpoint as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiscoveredEndpoint {
    /// Required, at most 512 characters.
    pub address: String,
    /// Required, at most 128 characters.
    pub endpoint_type: String,
    /// At most 128 characters.
    pub version: String,
    /// Free text; at most 8 KiB.
    pub additional_configuration: String,
    /// What it takes; each once, in this order.
    pub supported_methods: Vec<AuthenticationMethod>,
    /// When it was last reported otherwise, milliseconds since the epoch; set by `decide`.
    pub updated_ms: u64,
}

/// What an edge says of a device. Texts of at most 256 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiscoveredDeviceDefinition {
    /// Its id in another system.
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
    /// Ways to it, at most 64.
    pub inbound: BTreeMap<String, DiscoveredEndpoint>,
    /// Where it sends to, at most 64.
    pub outbound: BTreeMap<String, OutboundEndpoint>,
}

impl DiscoveredDeviceDefinition {
    /// This word on top of an earlier one.
    pub(super) fn over(mut self, before: Option<&Self>, at: At) -> Self {
        for (name, endpoint) in &mut self.inbound {
            endpoint.updated_ms = at.time_ms;
            if let Some(known) = before.and_then(|before| before.inbound.get(name))
                && (DiscoveredEndpoint { updated_ms: known.updated_ms, ..endpoint.clone() }) == *known
            {
                endpoint.updated_ms = known.updated_ms;
            }
        }
        if let Some(before) = before {
            for (name, endpoint) in &before.inbound {
                self.inbound.entry(name.clone()).or_insert_with(|| endpoint.clone());
            }
            for (name, endpoint) in &before.outbound {
                self.outbound.entry(name.clone()).or_insert_with(|| endpoint.clone());
            }
        }
        self
    }

    /// The endpoints of a device that is made from it. How to authenticate to them is for operators to say.
    pub(super) fn endpoints(&self) -> Endpoints {
        let inbound = self.inbound.iter().map(|(name, found)| {
            let endpoint = InboundEndpoint {
                address: found.address.clone(),
                endpoint_type: found.endpoint_type.clone(),
                version: found.version.clone(),
                additional_configuration: found.additional_configuration.clone(),
                ..InboundEndpoint::default()
            };
            (name.clone(), endpoint)
        });
        Endpoints {
            inbound: inbound.collect(),
            outbound_assigned: self.outbound.clone(),
            outbound_unassigned: BTreeMap::new(),
        }
    }
}
