//! An event as JSON.

use muster_client::proto::Event;
use serde_json::{Map, Value};

use super::{document, put, time};

/// An event as `muster history list --output json` shows it.
pub(crate) fn to_json(event: &Event) -> Value {
    let mut object = Map::new();
    put(&mut object, "revision", event.revision);
    put(&mut object, "index", event.index);
    put(&mut object, "time", time(event.time.as_ref()));
    put(&mut object, "kind", event.kind.as_str());
    put(&mut object, "resource", event.resource.as_str());
    put(&mut object, "actor", event.actor.as_str());
    put(&mut object, "origin", event.origin.as_str());
    put(&mut object, "requestId", event.request_id.as_str());
    put(&mut object, "data", document(&event.data_json));
    Value::Object(object)
}
