//! RFC 7396 over nodes: what a patch does to a section. It checks nothing; see [`super::check`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Node, Touch, Value};
use crate::json::Json;

/// Merges `patch` into `members`; every node it names, and every node above one, is touched.
pub(super) fn merge(members: &mut BTreeMap<String, Node>, patch: BTreeMap<String, Json>, touch: Touch) {
    for (name, json) in patch {
        match (json, members.entry(name)) {
            (Json::Null, Entry::Occupied(entry)) => {
                entry.remove();
            }
            (Json::Null, Entry::Vacant(_)) => {}
            (Json::Object(inner), Entry::Occupied(mut entry)) => {
                let node = entry.get_mut();
                node.updated_ms = touch.time_ms;
                node.updated_version = touch.version;
                match &mut node.value {
                    Value::Object(members) => merge(members, inner, touch),
                    value => *value = Value::Object(nodes(inner, touch)),
                }
            }
            (json, Entry::Occupied(mut entry)) => {
                if let Some(value) = leaf_or_object(json, touch) {
                    entry.insert(Node::new(value, touch));
                }
            }
            (json, Entry::Vacant(entry)) => {
                if let Some(value) = leaf_or_object(json, touch) {
                    entry.insert(Node::new(value, touch));
                }
            }
        }
    }
}

/// `members` as new nodes; null members are left out.
pub(super) fn nodes(members: BTreeMap<String, Json>, touch: Touch) -> BTreeMap<String, Node> {
    members
        .into_iter()
        .filter_map(|(name, json)| Some((name, Node::new(leaf_or_object(json, touch)?, touch))))
        .collect()
}

fn leaf_or_object(json: Json, touch: Touch) -> Option<Value> {
    match json {
        Json::Null => None,
        Json::Bool(value) => Some(Value::Bool(value)),
        Json::Int(value) => Some(Value::Int(value)),
        Json::Float(value) => Some(Value::Float(value)),
        Json::String(value) => Some(Value::String(value)),
        Json::Array(items) => Some(Value::Array(items)),
        Json::Object(members) => Some(Value::Object(nodes(members, touch))),
    }
}
