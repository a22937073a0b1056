//! `HistoryService`: events in revision order, and resources as of a revision. It knows no storage of either.

use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::{Body, Key, Reason, Record, Rejection};
use muster_proto::v1;
use muster_proto::v1::get_at_response::Resource;
use muster_proto::v1::history_service_server::HistoryService;
use muster_query::Position;
use tonic::{Request, Response, Status};

use super::fields::{self, Shape, echo, nearest};
use super::pages::{Asked, Page};
use super::read::Read;
use super::status::{Failure, Transport};
use crate::convert;
use crate::convert::event_json::KINDS;
use crate::convert::twin::Parts;
use crate::node::Services;
use crate::read::{EventFilter, EventPage, EventScope, RevisionEntry, View};

/// More kinds than this in a filter are a mistake: there are fewer kinds than that.
const KINDS_MAX: usize = 100;

/// History.
pub(crate) struct HistoryApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl HistoryService for HistoryApi {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(list(&read, request).await?))
    }

    async fn get_at(&self, request: Request<v1::GetAtRequest>) -> Result<Response<v1::GetAtResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(get_at(&read, request).await?))
    }
}

async fn list(read: &Read, request: v1::ListEventsRequest) -> Result<v1::ListEventsResponse, Failure> {
    let scope = scope(&request.resource)?;
    allow(read, &scope)?;
    check_kinds(&request.kinds)?;
    let (from, to) = (request.from_revision, request.to_revision);
    if to != 0 && from > to {
        let message = format!("from_revision {from} must not be after to_revision {to}");
        return Err(Rejection::new(Reason::InvalidField, "from_revision", message).into());
    }
    let kinds = request.kinds.join(" ");
    let filters = &[request.resource.as_str(), &kinds, &request.actor, &from.to_string(), &to.to_string()];
    let asked = Asked {
        rpc: "ListEvents",
        filters,
        page_size: request.page_size,
        page_token: &request.page_token,
        read: request.read,
    };
    let page = Page::open(read, asked).await?;
    let floor = floor_of(&page.view, &scope)?;
    let (first, skip) = match page.position {
        Some(Position::AtEvent { revision, index }) => (revision, index),
        _ if from == 0 => (floor, 0),
        _ => (from, 0),
    };
    check_floor("from_revision", first, floor)?;
    if to != 0 {
        check_floor("to_revision", to, floor)?;
    }
    // Revisions after the first page's belong to the next list, not to a later page of this one.
    let last = if to == 0 { page.revision } else { to.min(page.revision) };
    let actor = (!request.actor.is_empty()).then_some(request.actor);
    let filter = EventFilter { kinds: request.kinds, actor, ..EventFilter::of(scope) };
    let found = if first > last {
        EventPage::default()
    } else {
        page.view.events(filter, first, last, skip, page.size).await?
    };
    let next = found.next.map(|(revision, index)| Position::AtEvent { revision, index });
    let next_page_token = page.next_token(next)?;
    let events = found.entries.iter().flat_map(|(entry, indexes)| events(entry, indexes)).collect();
    Ok(v1::ListEventsResponse { header: read.header(page.revision), events, next_page_token })
}

pub(super) fn scope(resource: &str) -> Result<EventScope, Rejection> {
    if resource.is_empty() {
        return Ok(EventScope::All);
    }
    Ok(match fields::name("resource", resource, Shape::Resource)? {
        Key::Namespace(namespace) => EventScope::Namespace(namespace),
        key => EventScope::Resource(key),
    })
}

/// Refuses a scope that the caller may not see all of.
pub(super) fn allow(read: &Read, scope: &EventScope) -> Result<(), Failure> {
    match scope {
        EventScope::All => read.allow(ReadScope::AllNamespaces),
        EventScope::Namespace(namespace) => read.allow(ReadScope::Namespace(namespace)),
        EventScope::Resource(key) => read.allow(ReadScope::Namespace(key.namespace().unwrap_or_default())),
        EventScope::Prefix(_) => read.allow(scope.namespace().map_or(ReadScope::AllNamespaces, ReadScope::Namespace)),
    }
}

/// Refuses kinds that no event has: they would filter out everything.
pub(super) fn check_kinds(kinds: &[String]) -> Result<(), Rejection> {
    if kinds.len() > KINDS_MAX {
        let message = format!("kinds must hold at most {KINDS_MAX} elements, holds {}", kinds.len());
        return Err(Rejection::new(Reason::TooMany, "kinds", message));
    }
    let is_family =
        |family: &str| KINDS.iter().any(|kind| kind.split_once('.').is_some_and(|(noun, _)| noun == family));
    for (at, kind) in kinds.iter().enumerate() {
        let known = match kind.strip_suffix(".*") {
            Some(family) => is_family(family),
            None => KINDS.contains(&kind.as_str()),
        };
        if !known {
            let field = format!("kinds[{at}]");
            let mut message = format!("{field} is the unknown kind `{}`", echo(kind));
            if let Some(nearest) = nearest(kind, KINDS.into_iter()) {
                message.push_str(&format!("; did you mean `{nearest}`?"));
            }
            return Err(Rejection::new(Reason::InvalidField, field, message));
        }
    }
    Ok(())
}

fn events<'a>(entry: &'a RevisionEntry, indexes: &'a [u32]) -> impl Iterator<Item = v1::Event> + 'a {
    entry.events.iter().zip(indexes).map(|(event, index)| convert::event::to_proto(entry, event, *index))
}

async fn get_at(read: &Read, request: v1::GetAtRequest) -> Result<v1::GetAtResponse, Failure> {
    let key = fields::name("name", &request.name, Shape::Resource)?;
    let revision = request.revision;
    if revision == 0 {
        let message = "revision is required: 1 to the newest";
        return Err(Rejection::new(Reason::InvalidField, "revision", message).into());
    }
    read.allow(ReadScope::Namespace(key.namespace().unwrap_or_default()))?;
    let view = read.view(request.read).await?;
    check_past(&view, revision)?;
    check_floor("revision", revision, floor_of(&view, &EventScope::Resource(key.clone()))?)?;
    let record = view.look_back(&key, revision).await?.ok_or_else(|| {
        Rejection::new(Reason::NotFound, "name", format!("{key} did not exist at revision {revision}"))
    })?;
    let resource = Some(show(&key, &record).ok_or_else(|| Rejection::not_found(&key))?);
    Ok(v1::GetAtResponse { header: read.header(view.revision()), changed_at: record.updated_revision, resource })
}

/// The oldest revision whose events may be read by who looks so wide.
fn floor_of(view: &View, scope: &EventScope) -> Result<u64, Failure> {
    Ok(view.event_floor_in(scope)?)
}

/// Refuses a revision below the floor: what was there may be gone.
pub(crate) fn check_floor(field: &str, revision: u64, floor: u64) -> Result<(), Failure> {
    if revision >= floor { Ok(()) } else { Err(Failure::Compacted { field: field.to_owned(), revision, floor }) }
}

/// Refuses a revision that is still to come.
pub(crate) fn check_past(view: &View, revision: u64) -> Result<(), Failure> {
    if revision <= view.revision() {
        return Ok(());
    }
    let message = format!("revision {revision} lies in the future: the newest is {}", view.revision());
    Err(Failure::Other(Transport::RevisionInFuture, message))
}

fn show(key: &Key, record: &Record) -> Option<Resource> {
    match &record.body {
        Body::Namespace(_) => convert::namespace::to_proto(key, record).map(Resource::Namespace),
        Body::Device(_) => convert::device::to_proto(key, record).map(Resource::Device),
        Body::Module(_) => convert::module::to_proto(key, record).map(Resource::Module),
        Body::Twin(_) => convert::twin::to_proto(key, record, Parts::ALL).map(Resource::Twin),
        Body::Asset(_) => convert::asset_resource::to_proto(key, record).map(Resource::Asset),
        Body::SavedQuery(_) => convert::saved_query::to_proto(key, record).map(Resource::SavedQuery),
        Body::Edge(_) => convert::edge::to_proto(key, record).map(Resource::Edge),
        Body::Site(_) => convert::site::to_proto(key, record).map(Resource::Site),
        Body::DiscoveredDevice(_) => convert::discovery::device_to_proto(key, record).map(Resource::DiscoveredDevice),
        Body::DiscoveredAsset(_) => convert::discovery::asset_to_proto(key, record).map(Resource::DiscoveredAsset),
        Body::Cluster(_)
        | Body::Token(_)
        | Body::Cursor(_)
        | Body::Node(_)
        | Body::Retention(_)
        | Body::EdgeSession(_)
        | Body::DiscoveryCount(_)
        | Body::Deleted(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(kinds: &[&str]) -> Result<(), Rejection> {
        check_kinds(&kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn kinds_are_known_ones_or_families() {
        assert_eq!(kinds(&["twin.*", "device.created"]), Ok(()));
        for bad in ["twin", "twin.", "*", "twins.*", "device.create", "", "twin.*.*"] {
            let refusal = kinds(&["twin.patched", bad]).expect_err(bad);
            assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidField, "kinds[1]"), "{bad}");
        }
        let refusal = kinds(&["device.create"]).expect_err("unknown");
        assert!(refusal.message.contains("device.created"), "{}", refusal.message);
    }

    #[test]
    fn the_resource_says_how_wide_to_look() {
        assert_eq!(scope(""), Ok(EventScope::All));
        assert_eq!(scope("namespaces/plant1"), Ok(EventScope::Namespace("plant1".to_owned())));
        let twin = Key::DeviceTwin("plant1".to_owned(), "pump7".to_owned());
        assert_eq!(scope("namespaces/plant1/devices/pump7/twin"), Ok(EventScope::Resource(twin)));
        for bad in ["cluster", "tokens/abc", "plant1", "namespaces/P"] {
            assert_eq!(scope(bad).map_err(|refusal| refusal.field), Err("resource".to_owned()), "{bad}");
        }
    }
}
