//! JSON shapes of the outside world, to and from the API's types: IoT Hub's identities and twins, Device Registry's devices
//! and assets. Pure: no calls, no files.

pub(crate) mod asset;
mod asset_read;
pub(crate) mod authentication;
pub(crate) mod device;
pub(crate) mod discovered;
pub(crate) mod edge;
pub(crate) mod endpoints;
pub(crate) mod fields;
pub(crate) mod history;
pub(crate) mod module;
pub(crate) mod namespace;
pub(crate) mod saved_query;
pub(crate) mod site;
pub(crate) mod twin;

use muster_client::proto;
use prost_types::Timestamp;
use serde_json::{Map, Value};

/// Adds `value` under `name` unless it says nothing: null, empty text, empty list or object.
pub(crate) fn put(object: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    let value = value.into();
    let empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if !empty {
        object.insert(name.to_owned(), value);
    }
}

/// A moment as RFC 3339 text in UTC; null when absent.
pub(crate) fn time(moment: Option<&Timestamp>) -> Value {
    moment.map_or(Value::Null, |moment| Value::String(moment.to_string()))
}

/// A document the server sent as text. The server writes valid JSON; other text is shown as it is rather than lost.
pub(crate) fn document(text: &str) -> Value {
    if text.is_empty() {
        return Value::Object(Map::new());
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A resource as watches tell it.
pub(crate) fn any(resource: &proto::Resource) -> Value {
    use proto::resource::Resource;
    match &resource.resource {
        Some(Resource::Namespace(namespace)) => namespace::to_json(namespace),
        Some(Resource::Device(device)) => device::to_json(device),
        Some(Resource::Module(module)) => module::to_json(module),
        Some(Resource::Twin(twin)) => twin::to_json(twin),
        Some(Resource::Asset(asset)) => asset::to_json(asset),
        Some(Resource::SavedQuery(query)) => saved_query::to_json(query),
        Some(Resource::Edge(edge)) => edge::to_json(edge),
        Some(Resource::DiscoveredDevice(device)) => discovered::device_to_json(device),
        Some(Resource::DiscoveredAsset(asset)) => discovered::asset_to_json(asset),
        Some(Resource::Site(site)) => site::to_json(site),
        None => Value::Null,
    }
}

/// A resource of any kind.
pub(crate) fn resource(resource: &proto::get_at_response::Resource) -> Value {
    use proto::get_at_response::Resource;
    match resource {
        Resource::Namespace(namespace) => namespace::to_json(namespace),
        Resource::Device(device) => device::to_json(device),
        Resource::Module(module) => module::to_json(module),
        Resource::Twin(twin) => twin::to_json(twin),
        Resource::Asset(asset) => asset::to_json(asset),
        Resource::SavedQuery(query) => saved_query::to_json(query),
        Resource::Edge(edge) => edge::to_json(edge),
        Resource::DiscoveredDevice(device) => discovered::device_to_json(device),
        Resource::DiscoveredAsset(asset) => discovered::asset_to_json(asset),
        Resource::Site(site) => site::to_json(site),
    }
}
