//! RFC 7396 over nodes: what a patch does to a section. It checks nothing; see [`super::check`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Members, Node, Touch, Value};
use crate::json::Json;

/// Merges `patch` into `members`; every node it names, and every node above one, is touched.
pub(super) fn merge(members: &mut Members, patch: BTreeMap<String, Json>, touch: Touch) {
    for (name, json) in patch {
        match (json, members.get_mut(name.as_str())) {
            (Json::Null, _) => {
                members.remove(name.as_str());
            }
            (Json::Object(inner), Some(node)) => {
                node.updated_ms = touch.time_ms;
                node.updated_version = touch.version;
                match &mut node.value {
                    Value::Object(members) => merge(members, inner, touch),
                    value => *value = Value::Object(nodes(inner, touch)),
                }
            }
            (json, Some(node)) => {
                if let Some(value) = leaf_or_object(json, touch) {
                    *node = Node::new(value, touch);
                }
            }
            (json, None) => {
                if let Some(value) = leaf_or_object(json, touch) {
                    members.insert(Arc::from(name), Node::new(value, touch));
                }
            }
        }
    }
}

/// `members` as new nodes; null members are left out.
pub(super) fn nodes(members: BTreeMap<String, Json>, touch: Touch) -> Members {
    members
        .into_iter()
        .filter_map(|(name, json)| Some((Arc::from(name), Node::new(leaf_or_object(json, touch)?, touch))))
        .collect()
}

fn leaf_or_object(json: Json, touch: Touch) -> Option<Value> {
    match json {
        Json::Null => None,
        Json::Bool(value) => Some(Value::Bool(value)),
        Json::Int(value) => Some(Value::Int(value)),
        Json::Float(value) => Some(Value::Float(value)),
        Json::String(value) => Some(Value::String(value.into())),
        Json::Array(items) => Some(Value::Array(items)),
        Json::Object(members) => Some(Value::Object(nodes(members, touch))),
    }
}
