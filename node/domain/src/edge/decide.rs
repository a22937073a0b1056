//! From an operation on an edge to its changes. Sessions and what is sent up in them have files of their own.

use std::sync::Arc;

use super::{Edge, EdgeDefinition, EdgeField, key, open, session_key, uplink};
use crate::decide::{check_etag, living};
use crate::{At, Body, Change, EventKind, Key, Limits, Operation, Reason, Record, Rejection, States};
use crate::{discovery, ids, namespace};

/// Decides operations on edges.
pub(crate) fn decide(
    states: &dyn States,
    operation: &Operation,
    at: At,
    limits: &Limits,
) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::CreateEdge { namespace, edge, definition } => create(states, namespace, edge, definition, at),
        Operation::UpdateEdge { namespace, edge, definition, fields, etag } => {
            update(states, &key(namespace, edge), definition, fields, etag.as_deref(), at)
        }
        Operation::DeleteEdge { namespace, edge, etag } => {
            let record = found(states, &key(namespace, edge), etag.as_deref())?;
            let mut changes = deletion(states, namespace, edge, &record, at);
            changes.extend(discovery::end_of_edge(states, namespace, edge, at));
            Ok(changes)
        }
        Operation::OpenEdgeSession { namespace, edge, incarnation, known_epoch, session, sent_sequence, node_id } => {
            check_enabled(states, namespace, edge)?;
            let (known_epoch, sent_sequence) = (*known_epoch, *sent_sequence);
            let hello = open::Hello { incarnation, known_epoch, session, sent_sequence };
            open::decide(states, session_key(namespace, edge), &hello, *node_id, at)
        }
        Operation::ApplyUplink { namespace, edge, epoch, first_sequence, changes } => {
            check_enabled(states, namespace, edge)?;
            let from = uplink::From { namespace, edge, epoch: *epoch };
            uplink::decide(states, from, *first_sequence, changes, at, limits)
        }
        _ => Ok(Vec::new()),
    }
}

/// The end of an edge and of its session, in this order; what it discovered is left to the caller. The session's epoch stays, so that an edge of the same id never
/// goes back.
pub(crate) fn deletion(states: &dyn States, namespace: &str, edge: &str, record: &Record, at: At) -> Vec<Change> {
    let mut changes = vec![Change::new(key(namespace, edge), EventKind::EdgeDeleted, Some(record), at)];
    let session = session_key(namespace, edge);
    if let Some(record) = living(states, &session) {
        changes.push(Change::new(session, EventKind::EdgeSessionEnded, Some(&record), at));
    }
    changes
}

/// Refuses the id of an edge that does not exist; none is fine.
pub(crate) fn check_exists(states: &dyn States, namespace: &str, edge: &str, field: &str) -> Result<(), Rejection> {
    let key = key(namespace, edge);
    if edge.is_empty() || living(states, &key).is_some() {
        return Ok(());
    }
    Err(Rejection::new(Reason::ParentNotFound, field, format!("{key} does not exist")))
}

fn found(states: &dyn States, key: &Key, etag: Option<&str>) -> Result<Arc<Record>, Rejection> {
    let record = living(states, key).ok_or_else(|| Rejection::not_found(key))?;
    check_etag(etag, &record)?;
    Ok(record)
}

fn edge<'a>(record: &'a Record, key: &Key) -> Result<&'a Edge, Rejection> {
    match &record.body {
        Body::Edge(edge) => Ok(edge),
        _ => Err(Rejection::not_found(key)),
    }
}

/// An edge that does not exist or is disabled neither opens a session nor sends anything.
pub(crate) fn check_enabled(states: &dyn States, namespace: &str, id: &str) -> Result<(), Rejection> {
    let key = key(namespace, id);
    let record = found(states, &key, None)?;
    if edge(&record, &key)?.definition.enabled {
        return Ok(());
    }
    Err(Rejection::new(Reason::EdgeDisabled, "edge", format!("{key} is disabled; enable it first")))
}

fn create(
    states: &dyn States,
    namespace: &str,
    id: &str,
    definition: &EdgeDefinition,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    ids::check_edge("edge_id", id)?;
    namespace::check_open(states, namespace)?;
    let key = key(namespace, id);
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("edge_id", key));
    }
    let definition = definition.clone().checked()?;
    Ok(vec![Change::new(key, EventKind::EdgeCreated(definition), before.as_deref(), at)])
}

fn update(
    states: &dyn States,
    key: &Key,
    new: &EdgeDefinition,
    fields: &[EdgeField],
    etag: Option<&str>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    let record = found(states, key, etag)?;
    let definition = edge(&record, key)?.definition.merged(new, fields).checked()?;
    Ok(vec![Change::new(key.clone(), EventKind::EdgeUpdated(definition), Some(&record), at)])
}
