//! Edges, and how far they are, from and to proto.

use muster_domain::edge::{EdgeDefinition, EdgeSession};
use muster_domain::{Body, Key, Record};
use muster_proto::v1;

use super::optional_timestamp;
use crate::sync::Presence;
use crate::token::hex;

/// What a message asks for; unless it says otherwise the edge is enabled.
#[must_use]
pub fn definition(edge: v1::Edge) -> EdgeDefinition {
    EdgeDefinition {
        enabled: edge.enabled.unwrap_or(true),
        display_name: edge.display_name,
        description: edge.description,
        attributes: edge.attributes_json,
    }
}

/// The edge of a record; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::Edge> {
    let Body::Edge(edge) = &record.body else { return None };
    Some(v1::Edge {
        name: key.to_string(),
        enabled: Some(edge.definition.enabled),
        display_name: edge.definition.display_name.clone(),
        description: edge.definition.description.clone(),
        attributes_json: edge.definition.attributes.clone(),
        version: edge.version,
        etag: record.etag(),
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
    })
}

/// The node that answers, and what it knows of the link to the edge.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Its id.
    pub node_id: u64,
    /// What it is at.
    pub revision: u64,
    /// The edge, if it serves it.
    pub presence: Option<Presence>,
}

/// How far the edge `key` is: what the record of its session says, and what the witness knows beside it. A session with
/// another node is that node's to tell of, whatever this one still remembers.
#[must_use]
pub fn status(key: &Key, session: Option<&Record>, witness: Witness) -> v1::EdgeStatus {
    let name = key.to_string();
    let opened = session.and_then(|record| match &record.body {
        Body::EdgeSession(session) => Some(session),
        _ => None,
    });
    let Some(opened) = opened else {
        return v1::EdgeStatus { name, connection: v1::EdgeConnection::Never.into(), session: None, presence: None };
    };
    let serves = opened.node_id == witness.node_id;
    let presence = witness.presence.filter(|_| serves).map(|presence| presence_to_proto(presence, witness.revision));
    let connection = match (serves, &presence) {
        (false, _) => v1::EdgeConnection::Unknown,
        (true, Some(_)) => v1::EdgeConnection::Connected,
        (true, None) => v1::EdgeConnection::Disconnected,
    };
    v1::EdgeStatus { name, connection: connection.into(), session: Some(session_to_proto(opened)), presence }
}

fn session_to_proto(session: &EdgeSession) -> v1::EdgeSession {
    let refusals = session.refusals.iter().map(|refusal| v1::EdgeRefusal {
        sequence: refusal.sequence,
        reason: refusal.reason.code().to_owned(),
        message: refusal.message.clone(),
    });
    v1::EdgeSession {
        epoch: session.epoch,
        open_time: optional_timestamp(session.opened_ms),
        node_id: session.node_id,
        incarnation: hex(&session.incarnation),
        last_sequence: session.last_sequence,
        refusals: refusals.collect(),
    }
}

fn presence_to_proto(presence: Presence, revision: u64) -> v1::EdgePresence {
    v1::EdgePresence {
        connect_time: optional_timestamp(presence.connected_since_ms),
        cursor: presence.cursor,
        lag_revisions: revision.saturating_sub(presence.cursor),
        items: presence.items,
        agrees: presence.agrees,
        queued_operations: presence.queued_operations,
        dropped_operations: presence.dropped_operations,
        agent_version: presence.agent_version,
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::Reason;
    use muster_domain::edge::Refusal;

    use super::*;

    fn record() -> Record {
        let refusals =
            vec![Refusal { sequence: 8, reason: Reason::OutsideScope, message: "is not of this edge".to_owned() }];
        let session = EdgeSession {
            incarnation: [0xab; 16],
            epoch: 3,
            session: [1; 16],
            node_id: 2,
            opened_ms: 1_500,
            last_sequence: 9,
            refusals,
            ..EdgeSession::default()
        };
        let body = Body::EdgeSession(Box::new(session));
        Record { created_revision: 5, created_ms: 1_000, updated_revision: 7, updated_ms: 1_500, body }
    }

    fn seen_by(node_id: u64, presence: Option<Presence>) -> v1::EdgeStatus {
        let key = Key::Edge("plant1".to_owned(), "press".to_owned());
        status(&key, Some(&record()), Witness { node_id, revision: 40, presence })
    }

    #[test]
    fn only_the_node_of_the_newest_session_tells_of_the_link() {
        let presence = Presence { connected_since_ms: 1_600, cursor: 38, agrees: true, ..Presence::default() };
        let connected = seen_by(2, Some(presence.clone()));
        assert_eq!(connected.connection(), v1::EdgeConnection::Connected);
        let told = connected.presence.expect("it serves the edge");
        assert_eq!((told.cursor, told.lag_revisions, told.agrees), (38, 2, true));
        assert_eq!(seen_by(2, None).connection(), v1::EdgeConnection::Disconnected);
        // It remembers a session that is fenced by now.
        let elsewhere = seen_by(1, Some(presence));
        assert_eq!((elsewhere.connection(), elsewhere.presence), (v1::EdgeConnection::Unknown, None));
        let session = elsewhere.session.expect("what is on record is told by any node");
        assert_eq!((session.epoch, session.node_id, session.last_sequence), (3, 2, 9));
        assert_eq!(session.incarnation, "ab".repeat(16));
        assert_eq!((session.refusals[0].sequence, session.refusals[0].reason.as_str()), (8, "OUTSIDE_SCOPE"));
    }

    #[test]
    fn an_edge_without_a_session_never_connected() {
        let key = Key::Edge("plant1".to_owned(), "press".to_owned());
        let status = status(&key, None, Witness { node_id: 1, revision: 40, presence: None });
        assert_eq!((status.connection(), status.session), (v1::EdgeConnection::Never, None));
        assert_eq!(status.name, "namespaces/plant1/edges/press");
    }
}
