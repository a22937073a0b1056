//! Sites, edges and their sessions.

use muster_domain::edge::{Edge, EdgeDefinition, EdgeField, EdgeSession, Refusal, UplinkChange};
use muster_domain::site::{Site, SiteDefinition, SiteField};
use muster_domain::{Body, EventKind, Operation};
use proptest::array::{uniform2, uniform3, uniform5};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::assets::asset_status;
use super::{key, number, text, variant};

fn site_definition() -> BoxedStrategy<SiteDefinition> {
    uniform5(text())
        .prop_map(|[display_name, description, parent, edge, attributes]| SiteDefinition {
            display_name,
            description,
            parent,
            edge,
            attributes,
        })
        .boxed()
}

fn edge_definition() -> BoxedStrategy<EdgeDefinition> {
    (any::<bool>(), uniform3(text()))
        .prop_map(|(enabled, [display_name, description, attributes])| EdgeDefinition {
            enabled,
            display_name,
            description,
            attributes,
        })
        .boxed()
}

fn refusals() -> BoxedStrategy<Vec<Refusal>> {
    let refusal =
        (number(), variant(), text()).prop_map(|(sequence, reason, message)| Refusal { sequence, reason, message });
    vec(refusal, 0..4).boxed()
}

fn session() -> BoxedStrategy<EdgeSession> {
    let past = vec(any::<[u8; 16]>(), 0..3);
    (any::<[u8; 16]>(), any::<[u8; 16]>(), uniform5(number()), refusals(), past)
        .prop_map(|(incarnation, session, numbers, refusals, past_incarnations)| {
            let [epoch, node_id, opened_ms, last_sequence, unused_since] = numbers;
            EdgeSession {
                incarnation,
                epoch,
                session,
                node_id,
                opened_ms,
                last_sequence,
                refusals,
                unused_since,
                past_incarnations,
            }
        })
        .boxed()
}

fn change() -> BoxedStrategy<UplinkChange> {
    prop_oneof![
        (key(), text()).prop_map(|(key, patch)| UplinkChange::Report { key, patch }),
        (text(), asset_status())
            .prop_map(|(asset, status)| UplinkChange::AssetStatus { asset, status: Box::new(status) }),
        (variant(), text()).prop_map(|(reason, message)| UplinkChange::Refused { reason, message }),
        super::discovery::change(),
    ]
    .boxed()
}

pub(super) fn body() -> BoxedStrategy<Body> {
    prop_oneof![
        (site_definition(), number()).prop_map(|(definition, version)| Body::Site(Site { definition, version })),
        (edge_definition(), number()).prop_map(|(definition, version)| Body::Edge(Edge { definition, version })),
        session().prop_map(|session| Body::EdgeSession(Box::new(session))),
    ]
    .boxed()
}

pub(super) fn event_kind() -> BoxedStrategy<EventKind> {
    prop_oneof![
        site_definition().prop_map(EventKind::SiteCreated),
        site_definition().prop_map(EventKind::SiteUpdated),
        Just(EventKind::SiteDeleted),
        edge_definition().prop_map(EventKind::EdgeCreated),
        edge_definition().prop_map(EventKind::EdgeUpdated),
        Just(EventKind::EdgeDeleted),
        session().prop_map(|EdgeSession { incarnation, epoch, session, node_id, .. }| {
            EventKind::EdgeSessionOpened { incarnation, epoch, session, node_id }
        }),
        (number(), refusals())
            .prop_map(|(last_sequence, refusals)| EventKind::EdgeUplinkApplied { last_sequence, refusals }),
        Just(EventKind::EdgeSessionEnded),
    ]
    .boxed()
}

pub(super) fn operation() -> BoxedStrategy<Operation> {
    let etag = || option::of(text());
    prop_oneof![
        (uniform2(text()), site_definition()).prop_map(|([namespace, site], definition)| Operation::CreateSite {
            namespace,
            site,
            definition
        }),
        (uniform2(text()), site_definition(), vec(variant::<SiteField>(), 0..4), etag()).prop_map(
            |([namespace, site], definition, fields, etag)| Operation::UpdateSite {
                namespace,
                site,
                definition,
                fields,
                etag,
            }
        ),
        (uniform2(text()), etag()).prop_map(|([namespace, site], etag)| Operation::DeleteSite {
            namespace,
            site,
            etag
        }),
        (uniform2(text()), edge_definition()).prop_map(|([namespace, edge], definition)| Operation::CreateEdge {
            namespace,
            edge,
            definition
        }),
        (uniform2(text()), edge_definition(), vec(variant::<EdgeField>(), 0..4), etag()).prop_map(
            |([namespace, edge], definition, fields, etag)| Operation::UpdateEdge {
                namespace,
                edge,
                definition,
                fields,
                etag,
            }
        ),
        (uniform2(text()), etag()).prop_map(|([namespace, edge], etag)| Operation::DeleteEdge {
            namespace,
            edge,
            etag
        }),
        (uniform2(text()), session()).prop_map(|([namespace, edge], session)| Operation::OpenEdgeSession {
            namespace,
            edge,
            incarnation: session.incarnation,
            known_epoch: session.epoch,
            session: session.session,
            sent_sequence: session.last_sequence,
            node_id: session.node_id,
        }),
        (uniform2(text()), uniform2(number()), vec(change(), 0..4)).prop_map(
            |([namespace, edge], [epoch, first_sequence], changes)| Operation::ApplyUplink {
                namespace,
                edge,
                epoch,
                first_sequence,
                changes,
            }
        ),
    ]
    .boxed()
}
