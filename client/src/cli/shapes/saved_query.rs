//! A saved query as JSON.

use muster_client::names;
use muster_client::proto::SavedQuery;
use serde_json::{Map, Value};

use super::{put, time};

/// A saved query as `muster query saved get --output json` shows it.
pub(crate) fn to_json(query: &SavedQuery) -> Value {
    let mut object = Map::new();
    put(&mut object, "query", names::last(&query.name));
    put(&mut object, "etag", query.etag.as_str());
    put(&mut object, "version", query.version);
    put(&mut object, "text", query.text.as_str());
    put(&mut object, "description", query.description.as_str());
    put(&mut object, "createTime", time(query.create_time.as_ref()));
    put(&mut object, "updateTime", time(query.update_time.as_ref()));
    Value::Object(object)
}
