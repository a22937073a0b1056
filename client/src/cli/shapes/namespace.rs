//! A namespace as JSON.

use muster_client::names;
use muster_client::proto::Namespace;
use serde_json::{Map, Value};

use super::{put, time};

/// A namespace as `muster namespace get --output json` shows it.
pub(crate) fn to_json(namespace: &Namespace) -> Value {
    let mut object = Map::new();
    put(&mut object, "namespace", names::last(&namespace.name));
    put(&mut object, "etag", namespace.etag.as_str());
    put(&mut object, "displayName", namespace.display_name.as_str());
    put(&mut object, "description", namespace.description.as_str());
    let labels: Map<String, Value> =
        namespace.labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    put(&mut object, "labels", labels);
    if namespace.deleting {
        put(&mut object, "deleting", true);
    }
    put(&mut object, "createTime", time(namespace.create_time.as_ref()));
    put(&mut object, "updateTime", time(namespace.update_time.as_ref()));
    Value::Object(object)
}
