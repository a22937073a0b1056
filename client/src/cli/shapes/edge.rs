//! An edge, and how far it is, as JSON.

use muster_client::names;
use muster_client::proto::{Edge, EdgeConnection, EdgePresence, EdgeRefusal, EdgeSession, EdgeStatus};
use serde_json::{Map, Value};

use super::{document, put, time};

/// An edge as `muster edge get --output json` shows it.
pub(crate) fn to_json(edge: &Edge) -> Value {
    let mut object = Map::new();
    put(&mut object, "namespace", names::part(&edge.name, "namespaces").unwrap_or_default());
    put(&mut object, "edge", names::last(&edge.name));
    put(&mut object, "etag", edge.etag.as_str());
    put(&mut object, "version", edge.version);
    put(&mut object, "enabled", edge.enabled.unwrap_or(true));
    put(&mut object, "displayName", edge.display_name.as_str());
    put(&mut object, "description", edge.description.as_str());
    put(&mut object, "attributes", document(&edge.attributes_json));
    put(&mut object, "createTime", time(edge.create_time.as_ref()));
    put(&mut object, "updateTime", time(edge.update_time.as_ref()));
    Value::Object(object)
}

/// The word for what is known of the link.
pub(crate) fn connection(status: &EdgeStatus) -> &'static str {
    match status.connection() {
        EdgeConnection::Unspecified => "",
        EdgeConnection::Never => "never",
        EdgeConnection::Connected => "connected",
        EdgeConnection::Disconnected => "disconnected",
        EdgeConnection::Unknown => "unknown",
    }
}

/// How far an edge is, as `muster edge status --output json` shows it.
pub(crate) fn status_to_json(status: &EdgeStatus) -> Value {
    let mut object = Map::new();
    put(&mut object, "edge", names::last(&status.name));
    put(&mut object, "connection", connection(status));
    put(&mut object, "session", status.session.as_ref().map_or(Value::Null, session));
    put(&mut object, "presence", status.presence.as_ref().map_or(Value::Null, presence));
    Value::Object(object)
}

fn session(session: &EdgeSession) -> Value {
    let mut object = Map::new();
    put(&mut object, "epoch", session.epoch);
    put(&mut object, "openTime", time(session.open_time.as_ref()));
    put(&mut object, "nodeId", session.node_id);
    put(&mut object, "incarnation", session.incarnation.as_str());
    put(&mut object, "lastSequence", session.last_sequence);
    put(&mut object, "refusals", session.refusals.iter().map(refusal).collect::<Value>());
    Value::Object(object)
}

fn refusal(refusal: &EdgeRefusal) -> Value {
    let mut object = Map::new();
    put(&mut object, "sequence", refusal.sequence);
    put(&mut object, "reason", refusal.reason.as_str());
    put(&mut object, "message", refusal.message.as_str());
    Value::Object(object)
}

fn presence(presence: &EdgePresence) -> Value {
    let mut object = Map::new();
    put(&mut object, "connectTime", time(presence.connect_time.as_ref()));
    put(&mut object, "cursor", presence.cursor);
    put(&mut object, "lagRevisions", presence.lag_revisions);
    put(&mut object, "items", presence.items);
    put(&mut object, "agrees", presence.agrees);
    put(&mut object, "queuedOperations", presence.queued_operations);
    put(&mut object, "droppedOperations", presence.dropped_operations);
    put(&mut object, "agentVersion", presence.agent_version.as_str());
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_says_what_is_known_and_no_more() {
        let never = EdgeStatus {
            name: names::edge("plant1", "press"),
            connection: EdgeConnection::Never.into(),
            ..Default::default()
        };
        assert_eq!(status_to_json(&never), json!({"edge": "press", "connection": "never"}));
        let refusals = vec![EdgeRefusal {
            sequence: 7,
            reason: "OUTSIDE_SCOPE".to_owned(),
            message: "is not of this edge".to_owned(),
        }];
        let elsewhere = EdgeStatus {
            connection: EdgeConnection::Unknown.into(),
            session: Some(EdgeSession { epoch: 3, node_id: 2, last_sequence: 9, refusals, ..Default::default() }),
            ..never
        };
        let refusal = json!({"sequence": 7, "reason": "OUTSIDE_SCOPE", "message": "is not of this edge"});
        let session = json!({"epoch": 3, "nodeId": 2, "lastSequence": 9, "refusals": [refusal]});
        assert_eq!(status_to_json(&elsewhere), json!({"edge": "press", "connection": "unknown", "session": session}));
    }
}
