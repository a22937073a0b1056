//! What the edge discovered, as the rules see it: what waits for the cluster, over nothing. The edge holds no discovered
//! things, so what it knows of one is what it has said and the cluster has not answered yet.
//!
//! - What the cluster's feature level does not know is refused here: it could never be read there.
//! - A report of what waits already is no operation of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::cluster::Cluster;
use muster_domain::device::OutboundEndpoint;
use muster_domain::discovery::{AuthenticationMethod, DiscoveredDeviceDefinition, DiscoveredEndpoint, Report};
use muster_domain::edge::{Edge, EdgeDefinition};
use muster_domain::feature::DISCOVERY_LEVEL;
use muster_domain::namespace::{Namespace, NamespaceDefinition};
use muster_domain::{Body, Key, Limits, Operation, Reason, Record, Rejection, Tombstone};
use muster_proto::v1;
use muster_proto::v1::endpoint_authentication::Method;
use muster_proto::v1::resource::Resource;
use muster_proto::v1::sync_operation::Operation as Queued;

use super::asset_definition::{self, each, unknown};
use super::{View, record};

impl View {
    /// The view of a discovered thing that nothing waits for, in a cluster of this feature level.
    #[must_use]
    pub fn of_discovered(key: Key, feature_level: u32) -> Self {
        let record = Arc::new(record(0, Body::Deleted(Tombstone::default())));
        Self { key, record, device: None, shown: Arc::default(), feature_level }
    }

    /// Whether it is about something discovered.
    #[must_use]
    pub fn is_discovered(&self) -> bool {
        matches!(self.key, Key::DiscoveredDevice(..) | Key::DiscoveredAsset(..))
    }

    /// Whether `with`, which an operation led to from here, says what is said already.
    #[must_use]
    pub fn says_nothing_new(&self, with: &Self) -> bool {
        self.is_discovered() && Arc::ptr_eq(&self.record, &with.record)
    }

    /// What a report of something discovered is to the domain; `None` for all other operations.
    pub(super) fn reported(&self, operation: &Queued) -> Option<Result<Operation, Rejection>> {
        match (operation, self.key.clone()) {
            (Queued::DiscoveredDevice(said), Key::DiscoveredDevice(namespace, edge, device)) => {
                let report = device_report(said.discovered_device.clone().unwrap_or_default());
                Some(report.map(|report| {
                    let report = Box::new(report);
                    Operation::ReportDiscoveredDevice { namespace, edge, device, report }
                }))
            }
            (Queued::DiscoveredAsset(said), Key::DiscoveredAsset(namespace, edge, asset)) => {
                let report = asset_report(said.discovered_asset.clone().unwrap_or_default());
                Some(report.map(|report| {
                    let report = Box::new(report);
                    Operation::ReportDiscoveredAsset { namespace, edge, asset, report }
                }))
            }
            _ => None,
        }
    }

    /// A level of 0 was never said: there is no cluster to upgrade yet.
    pub(super) fn not_welcomed(&self, refusal: Rejection) -> Rejection {
        if refusal.reason != Reason::FeatureLevelTooLow || self.feature_level > 0 {
            return refusal;
        }
        let message = format!(
            "no cluster that knows discovery (feature level {DISCOVERY_LEVEL}) has welcomed this edge yet; it takes reports of \
             what was discovered from then on"
        );
        Rejection { message, ..refusal }
    }

    /// What is shown after a report: what it says, with the endpoints that wait already. What the cluster knows of the thing
    /// (its version, its state) is not known here.
    pub(super) fn shown_with(&self, operation: &v1::SyncOperation) -> Arc<v1::Resource> {
        let name = self.key.to_string();
        let resource = match &operation.operation {
            Some(Queued::DiscoveredDevice(said)) => {
                let said = said.discovered_device.clone().unwrap_or_default();
                let mut definition = said.definition.unwrap_or_default();
                if let Some(Resource::DiscoveredDevice(before)) = &self.shown.resource {
                    keep_endpoints(&mut definition, before);
                }
                let (definition, discovery_id) = (Some(definition), said.discovery_id);
                Resource::DiscoveredDevice(v1::DiscoveredDevice {
                    name,
                    definition,
                    discovery_id,
                    ..v1::DiscoveredDevice::default()
                })
            }
            Some(Queued::DiscoveredAsset(said)) => {
                let said = said.discovered_asset.clone().unwrap_or_default();
                let (definition, discovery_id) = (said.definition, said.discovery_id);
                Resource::DiscoveredAsset(v1::DiscoveredAsset {
                    name,
                    definition,
                    discovery_id,
                    ..v1::DiscoveredAsset::default()
                })
            }
            _ => return Arc::clone(&self.shown),
        };
        Arc::new(v1::Resource { resource: Some(resource) })
    }

    /// What surrounds a discovered thing: the edge itself, which is enabled as far as it knows, and a cluster of the level
    /// that it was told of.
    pub(super) fn around(&self, key: &Key) -> Option<Arc<Record>> {
        let body = match key {
            Key::Cluster => Body::Cluster(Cluster {
                cluster_id: String::new(),
                page_key: [0; 32],
                limits: Limits::default(),
                feature_level: self.feature_level,
                last_node_id: 0,
            }),
            Key::Namespace(_) => {
                Body::Namespace(Namespace { definition: NamespaceDefinition::default(), deleting: false })
            }
            Key::Edge(..) => {
                let definition = EdgeDefinition { enabled: true, ..EdgeDefinition::default() };
                Body::Edge(Edge { definition, version: 1 })
            }
            _ => return None,
        };
        self.is_discovered().then(|| Arc::new(record(1, body)))
    }
}

fn keep_endpoints(definition: &mut v1::DiscoveredDeviceDefinition, before: &v1::DiscoveredDevice) {
    let Some(known) = before.definition.as_ref().and_then(|definition| definition.endpoints.clone()) else { return };
    let endpoints = definition.endpoints.get_or_insert_default();
    for (name, endpoint) in known.inbound {
        endpoints.inbound.entry(name).or_insert(endpoint);
    }
    for (name, endpoint) in known.outbound_assigned {
        endpoints.outbound_assigned.entry(name).or_insert(endpoint);
    }
}

fn device_report(message: v1::DiscoveredDevice) -> Result<Report<DiscoveredDeviceDefinition>, Rejection> {
    let definition = device(message.definition.unwrap_or_default());
    let definition = definition.map_err(|refusal| refusal.within("discovered_device.definition"))?;
    Ok(Report { discovery_id: message.discovery_id, definition })
}

fn asset_report(message: v1::DiscoveredAsset) -> Result<Report<muster_domain::asset::AssetDefinition>, Rejection> {
    let definition = asset_definition::from_proto(message.definition.unwrap_or_default());
    let definition = definition.map_err(|refusal| refusal.within("discovered_asset.definition"))?;
    Ok(Report { discovery_id: message.discovery_id, definition })
}

fn device(message: v1::DiscoveredDeviceDefinition) -> Result<DiscoveredDeviceDefinition, Rejection> {
    let v1::DiscoveredEndpoints { inbound, outbound_assigned } = message.endpoints.unwrap_or_default();
    let mut endpoints = BTreeMap::new();
    for (name, message) in inbound {
        let within = |refusal: Rejection| refusal.within(&format!("endpoints.inbound[{name:?}]"));
        let endpoint = endpoint(message).map_err(within)?;
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

fn endpoint(message: v1::DiscoveredEndpoint) -> Result<DiscoveredEndpoint, Rejection> {
    let methods = message.supported_authentication_methods;
    Ok(DiscoveredEndpoint {
        address: message.address,
        endpoint_type: message.endpoint_type,
        version: message.version,
        additional_configuration: message.additional_configuration,
        supported_methods: each("supported_authentication_methods", methods, method)?,
        updated_ms: 0,
    })
}

fn method(number: i32) -> Result<AuthenticationMethod, Rejection> {
    match Method::try_from(number) {
        Ok(Method::Anonymous) => Ok(AuthenticationMethod::Anonymous),
        Ok(Method::Certificate) => Ok(AuthenticationMethod::Certificate),
        Ok(Method::UsernamePassword) => Ok(AuthenticationMethod::UsernamePassword),
        Ok(Method::Unspecified) => {
            Err(Rejection::new(Reason::InvalidField, "", "a method of authentication must be said"))
        }
        Err(_) => Err(unknown("", number)),
    }
}
