//! Any resource to proto.

use muster_domain::{Body, Key, Record};
use muster_proto::v1;
use muster_proto::v1::resource::Resource;

use super::twin::Parts;

/// The resource of a record, twins with these parts; `None` for what is no resource, or is deleted.
#[must_use]
pub fn to_proto(key: &Key, record: &Record, parts: Parts) -> Option<v1::Resource> {
    let resource = match &record.body {
        Body::Namespace(_) => super::namespace::to_proto(key, record).map(Resource::Namespace),
        Body::Device(_) => super::device::to_proto(key, record).map(Resource::Device),
        Body::Module(_) => super::module::to_proto(key, record).map(Resource::Module),
        Body::Twin(_) => super::twin::to_proto(key, record, parts).map(Resource::Twin),
        Body::Asset(_) => super::asset_resource::to_proto(key, record).map(Resource::Asset),
        Body::SavedQuery(_) => super::saved_query::to_proto(key, record).map(Resource::SavedQuery),
        Body::Edge(_) => super::edge::to_proto(key, record).map(Resource::Edge),
        Body::Site(_) => super::site::to_proto(key, record).map(Resource::Site),
        Body::DiscoveredDevice(_) => super::discovery::device_to_proto(key, record).map(Resource::DiscoveredDevice),
        Body::DiscoveredAsset(_) => super::discovery::asset_to_proto(key, record).map(Resource::DiscoveredAsset),
        _ => None,
    };
    resource.map(|resource| v1::Resource { resource: Some(resource) })
}
