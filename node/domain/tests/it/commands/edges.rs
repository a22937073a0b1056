//! Random operations on sites and edges, of edges, and on whose scope something is in.

use muster_domain::Operation;
use muster_domain::asset::{AssetDefinition, AssetField};
use muster_domain::device::{DeviceDefinition, DeviceField};
use muster_domain::edge::{EdgeDefinition, EdgeField, UplinkChange};
use muster_domain::site::{SiteDefinition, SiteField};
use proptest::prelude::*;

use super::{asset, asset_status, device, discovery, document, etag, id, namespace, subset, twin_keys};
use crate::memory::device_definition;

fn edge() -> BoxedStrategy<String> {
    id(&["hall", "hall", "dock"])
}

fn site() -> BoxedStrategy<String> {
    id(&["works", "floor", "yard"])
}

/// A reference: mostly none.
fn maybe(ids: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop_oneof![Just(String::new()), ids].boxed()
}

fn site_definition() -> BoxedStrategy<SiteDefinition> {
    (maybe(site()), maybe(edge()), document())
        .prop_map(|(parent, edge, attributes)| SiteDefinition { parent, edge, attributes, ..SiteDefinition::default() })
        .boxed()
}

fn on_sites() -> BoxedStrategy<Operation> {
    let fields = subset(SiteField::ALL.map(|(field, _)| field).to_vec());
    prop_oneof![
        3 => (namespace(), site(), site_definition())
            .prop_map(|(namespace, site, definition)| Operation::CreateSite { namespace, site, definition }),
        2 => (namespace(), site(), site_definition(), fields, etag()).prop_map(
            |(namespace, site, definition, fields, etag)| Operation::UpdateSite {
                namespace,
                site,
                definition,
                fields,
                etag,
            }
        ),
        1 => (namespace(), site(), etag())
            .prop_map(|(namespace, site, etag)| Operation::DeleteSite { namespace, site, etag }),
    ]
    .boxed()
}

fn on_edges() -> BoxedStrategy<Operation> {
    let definition = || {
        (prop::bool::weighted(0.8), document()).prop_map(|(enabled, attributes)| EdgeDefinition {
            enabled,
            attributes,
            ..EdgeDefinition::default()
        })
    };
    let fields = subset(EdgeField::ALL.map(|(field, _)| field).to_vec());
    prop_oneof![
        3 => (namespace(), edge(), definition())
            .prop_map(|(namespace, edge, definition)| Operation::CreateEdge { namespace, edge, definition }),
        1 => (namespace(), edge(), definition(), fields, etag()).prop_map(
            |(namespace, edge, definition, fields, etag)| Operation::UpdateEdge {
                namespace,
                edge,
                definition,
                fields,
                etag,
            }
        ),
        1 => (namespace(), edge(), etag())
            .prop_map(|(namespace, edge, etag)| Operation::DeleteEdge { namespace, edge, etag }),
    ]
    .boxed()
}

fn change() -> BoxedStrategy<UplinkChange> {
    prop_oneof![
        2 => (twin_keys(), document()).prop_map(|(key, patch)| UplinkChange::Report { key, patch }),
        1 => (asset(), asset_status())
            .prop_map(|(asset, status)| UplinkChange::AssetStatus { asset, status: Box::new(status) }),
        1 => discovery::change(),
    ]
    .boxed()
}

fn of_edges() -> BoxedStrategy<Operation> {
    prop_oneof![
        (namespace(), edge(), 1u8..3, prop_oneof![2 => Just(0), 1 => 1u64..4], 0u8..4, 0u64..8).prop_map(
            |(namespace, edge, incarnation, known_epoch, session, sent_sequence)| Operation::OpenEdgeSession {
                namespace,
                edge,
                incarnation: [incarnation; 16],
                known_epoch,
                session: [session; 16],
                sent_sequence,
                node_id: 1,
            }
        ),
        (namespace(), edge(), 0u64..4, 0u64..4, prop::collection::vec(change(), 0..5)).prop_map(
            |(namespace, edge, epoch, first_sequence, changes)| Operation::ApplyUplink {
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

/// Gives devices and assets to edges and sites, and takes them away.
fn assignments() -> BoxedStrategy<Operation> {
    prop_oneof![
        (namespace(), device(), maybe(edge()), maybe(site())).prop_map(|(namespace, device, edge, site)| {
            Operation::UpdateDevice {
                namespace,
                device,
                definition: Box::new(DeviceDefinition { edge, site, ..device_definition() }),
                fields: vec![DeviceField::Edge, DeviceField::Site],
                etag: None,
            }
        }),
        (namespace(), asset(), maybe(edge()), maybe(site())).prop_map(|(namespace, asset, edge, site)| {
            Operation::UpdateAsset {
                namespace,
                asset,
                definition: Box::new(AssetDefinition { edge, site, ..AssetDefinition::default() }),
                enabled: None,
                fields: vec![AssetField::Edge, AssetField::Site],
                etag: None,
            }
        }),
    ]
    .boxed()
}

pub(super) fn around_edges() -> BoxedStrategy<Operation> {
    prop_oneof![2 => on_sites(), 2 => on_edges(), 5 => of_edges(), 2 => assignments()].boxed()
}
