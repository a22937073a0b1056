//! Sites, edges and the sessions of edges, and the events about them. Operations are in [`super::edge_operations`].

use muster_domain::edge::{Edge, EdgeDefinition, EdgeSession, Refusal};
use muster_domain::site::{Site, SiteDefinition};
use muster_domain::{EventKind, Reason};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::event::Kind as StoredEvent;
use prost::bytes::Bytes;

use super::CodecError;
use super::enums::StoredEnum;
use super::error::{fixed, required};

const SITE: &str = "a site";
const EDGE: &str = "an edge";
pub(super) const INCARNATION: &str = "the incarnation of an edge";
pub(super) const SESSION: &str = "the session of an edge";

pub(super) fn site_definition_to_stored(definition: &SiteDefinition) -> stored::SiteDefinition {
    let SiteDefinition { display_name, description, parent, edge, attributes } = definition.clone();
    stored::SiteDefinition { display_name, description, parent, edge, attributes_json: attributes }
}

fn site_definition_from_stored(definition: stored::SiteDefinition) -> SiteDefinition {
    let stored::SiteDefinition { display_name, description, parent, edge, attributes_json } = definition;
    SiteDefinition { display_name, description, parent, edge, attributes: attributes_json }
}

pub(super) fn required_site(definition: Option<stored::SiteDefinition>) -> Result<SiteDefinition, CodecError> {
    required(SITE, "definition", definition).map(site_definition_from_stored)
}

pub(super) fn site_to_stored(site: &Site) -> stored::Site {
    stored::Site { definition: Some(site_definition_to_stored(&site.definition)), version: site.version }
}

pub(super) fn site_from_stored(site: stored::Site) -> Result<Site, CodecError> {
    Ok(Site { definition: required_site(site.definition)?, version: site.version })
}

pub(super) fn edge_definition_to_stored(definition: &EdgeDefinition) -> stored::EdgeDefinition {
    let EdgeDefinition { enabled, display_name, description, attributes } = definition.clone();
    stored::EdgeDefinition { enabled, display_name, description, attributes_json: attributes }
}

fn edge_definition_from_stored(definition: stored::EdgeDefinition) -> EdgeDefinition {
    let stored::EdgeDefinition { enabled, display_name, description, attributes_json } = definition;
    EdgeDefinition { enabled, display_name, description, attributes: attributes_json }
}

pub(super) fn required_edge(definition: Option<stored::EdgeDefinition>) -> Result<EdgeDefinition, CodecError> {
    required(EDGE, "definition", definition).map(edge_definition_from_stored)
}

pub(super) fn edge_to_stored(edge: &Edge) -> stored::Edge {
    stored::Edge { definition: Some(edge_definition_to_stored(&edge.definition)), version: edge.version }
}

pub(super) fn edge_from_stored(edge: stored::Edge) -> Result<Edge, CodecError> {
    Ok(Edge { definition: required_edge(edge.definition)?, version: edge.version })
}

fn refusal_to_stored(refusal: &Refusal) -> stored::EdgeRefusal {
    let Refusal { sequence, reason, message } = refusal;
    stored::EdgeRefusal { sequence: *sequence, reason: reason.number(), message: message.clone() }
}

fn refusal_from_stored(refusal: stored::EdgeRefusal) -> Result<Refusal, CodecError> {
    let stored::EdgeRefusal { sequence, reason, message } = refusal;
    Ok(Refusal { sequence, reason: Reason::from_number(reason)?, message })
}

fn refusals_from_stored(refusals: Vec<stored::EdgeRefusal>) -> Result<Vec<Refusal>, CodecError> {
    refusals.into_iter().map(refusal_from_stored).collect()
}

pub(super) fn session_to_stored(session: &EdgeSession) -> stored::EdgeSession {
    stored::EdgeSession {
        incarnation: Bytes::copy_from_slice(&session.incarnation),
        epoch: session.epoch,
        session: Bytes::copy_from_slice(&session.session),
        node_id: session.node_id,
        opened_ms: session.opened_ms,
        last_sequence: session.last_sequence,
        refusals: session.refusals.iter().map(refusal_to_stored).collect(),
        unused_since: session.unused_since,
        past_incarnations: session.past_incarnations.iter().map(|past| Bytes::copy_from_slice(past)).collect(),
    }
}

pub(super) fn session_from_stored(session: stored::EdgeSession) -> Result<EdgeSession, CodecError> {
    let past = session.past_incarnations.iter().map(|past| fixed(INCARNATION, past));
    Ok(EdgeSession {
        incarnation: fixed(INCARNATION, &session.incarnation)?,
        epoch: session.epoch,
        session: fixed(SESSION, &session.session)?,
        node_id: session.node_id,
        opened_ms: session.opened_ms,
        last_sequence: session.last_sequence,
        refusals: refusals_from_stored(session.refusals)?,
        unused_since: session.unused_since,
        past_incarnations: past.collect::<Result<_, _>>()?,
    })
}

/// An event of this file; `None` for all others.
pub(super) fn event_to_stored(kind: &EventKind) -> Option<StoredEvent> {
    Some(match kind {
        EventKind::SiteCreated(definition) => StoredEvent::SiteCreated(site_definition_to_stored(definition)),
        EventKind::SiteUpdated(definition) => StoredEvent::SiteUpdated(site_definition_to_stored(definition)),
        EventKind::SiteDeleted => StoredEvent::SiteDeleted(stored::SiteDeleted {}),
        EventKind::EdgeCreated(definition) => StoredEvent::EdgeCreated(edge_definition_to_stored(definition)),
        EventKind::EdgeUpdated(definition) => StoredEvent::EdgeUpdated(edge_definition_to_stored(definition)),
        EventKind::EdgeDeleted => StoredEvent::EdgeDeleted(stored::EdgeDeleted {}),
        EventKind::EdgeSessionOpened { incarnation, epoch, session, node_id } => {
            StoredEvent::EdgeSessionOpened(stored::EdgeSessionOpened {
                incarnation: Bytes::copy_from_slice(incarnation),
                epoch: *epoch,
                session: Bytes::copy_from_slice(session),
                node_id: *node_id,
            })
        }
        EventKind::EdgeUplinkApplied { last_sequence, refusals } => {
            let refusals = refusals.iter().map(refusal_to_stored).collect();
            StoredEvent::EdgeUplinkApplied(stored::EdgeUplinkApplied { last_sequence: *last_sequence, refusals })
        }
        EventKind::EdgeSessionEnded => StoredEvent::EdgeSessionEnded(stored::EdgeSessionEnded {}),
        _ => return None,
    })
}

/// Reads an event of this file.
pub(super) fn event_from_stored(kind: StoredEvent) -> Result<EventKind, CodecError> {
    Ok(match kind {
        StoredEvent::SiteCreated(definition) => EventKind::SiteCreated(site_definition_from_stored(definition)),
        StoredEvent::SiteUpdated(definition) => EventKind::SiteUpdated(site_definition_from_stored(definition)),
        StoredEvent::SiteDeleted(stored::SiteDeleted {}) => EventKind::SiteDeleted,
        StoredEvent::EdgeCreated(definition) => EventKind::EdgeCreated(edge_definition_from_stored(definition)),
        StoredEvent::EdgeUpdated(definition) => EventKind::EdgeUpdated(edge_definition_from_stored(definition)),
        StoredEvent::EdgeDeleted(stored::EdgeDeleted {}) => EventKind::EdgeDeleted,
        StoredEvent::EdgeSessionOpened(opened) => EventKind::EdgeSessionOpened {
            incarnation: fixed(INCARNATION, &opened.incarnation)?,
            epoch: opened.epoch,
            session: fixed(SESSION, &opened.session)?,
            node_id: opened.node_id,
        },
        StoredEvent::EdgeUplinkApplied(stored::EdgeUplinkApplied { last_sequence, refusals }) => {
            EventKind::EdgeUplinkApplied { last_sequence, refusals: refusals_from_stored(refusals)? }
        }
        StoredEvent::EdgeSessionEnded(stored::EdgeSessionEnded {}) => EventKind::EdgeSessionEnded,
        _ => return Err(CodecError::UnknownKind { what: "an event of a site or an edge" }),
    })
}
