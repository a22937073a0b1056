//! Sites, edges and their sessions, with the operations and events about them, and what was taught to name them later.

use muster_domain::asset::{AssetDefinition, AssetField};
use muster_domain::device::{Authentication, DeviceDefinition, DeviceField};
use muster_domain::edge::{Edge, EdgeDefinition, EdgeField, EdgeSession, Refusal, UplinkChange};
use muster_domain::policy::Role;
use muster_domain::site::{Site, SiteDefinition, SiteField};
use muster_domain::token::Token;
use muster_domain::{Body, EventKind, Key, Operation, Reason};

use super::assets::{asset_definition, asset_status};
use super::{NOW, device_definition, device_twin, some, text, token};

const INCARNATION: [u8; 16] = [0x1a; 16];
const SESSION: [u8; 16] = [0x5e; 16];

fn site_definition() -> SiteDefinition {
    SiteDefinition {
        display_name: text("Hall 4"),
        description: text("second floor"),
        parent: text("woerth"),
        edge: text("hall-4"),
        attributes: text(r#"{"floor":2}"#),
    }
}

fn edge_definition() -> EdgeDefinition {
    EdgeDefinition {
        enabled: true,
        display_name: text("Hall 4"),
        description: text("in the cabinet by the door"),
        attributes: text(r#"{"serial":"ax-7"}"#),
    }
}

fn refusals() -> Vec<Refusal> {
    let refusal = |sequence, reason, message| Refusal { sequence, reason, message: text(message) };
    vec![
        refusal(40, Reason::OutsideScope, "it was moved"),
        refusal(41, Reason::InvalidJson, "patch is not a JSON object"),
    ]
}

fn session() -> EdgeSession {
    EdgeSession {
        incarnation: INCARNATION,
        epoch: 7,
        session: SESSION,
        node_id: 3,
        opened_ms: NOW - 4,
        last_sequence: 42,
        refusals: refusals(),
        unused_since: 6,
        past_incarnations: vec![[0x0a; 16], [0x0b; 16]],
    }
}

pub(super) fn bodies() -> [Body; 3] {
    [
        Body::Site(Site { definition: site_definition(), version: 3 }),
        Body::Edge(Edge { definition: edge_definition(), version: 4 }),
        Body::EdgeSession(Box::new(session())),
    ]
}

pub(super) fn events() -> [(Key, EventKind); 9] {
    let site = || Key::Site(text("plant1"), text("hall-4"));
    let edge = || Key::Edge(text("plant1"), text("hall-4"));
    let session = || Key::EdgeSession(text("plant1"), text("hall-4"));
    [
        (site(), EventKind::SiteCreated(site_definition())),
        (site(), EventKind::SiteUpdated(site_definition())),
        (site(), EventKind::SiteDeleted),
        (edge(), EventKind::EdgeCreated(edge_definition())),
        (edge(), EventKind::EdgeUpdated(edge_definition())),
        (edge(), EventKind::EdgeDeleted),
        (session(), EventKind::EdgeSessionOpened { incarnation: INCARNATION, epoch: 7, session: SESSION, node_id: 3 }),
        (session(), EventKind::EdgeUplinkApplied { last_sequence: 42, refusals: refusals() }),
        (session(), EventKind::EdgeSessionEnded),
    ]
}

pub(super) fn operations() -> Vec<(&'static str, Operation)> {
    let (namespace, edge, etag) = (|| text("plant1"), || text("hall-4"), || some("41"));
    let changes = vec![
        UplinkChange::Report { key: device_twin(), patch: text(r#"{"temperature":21.5}"#) },
        UplinkChange::AssetStatus { asset: text("pump-7"), status: Box::new(asset_status()) },
    ];
    let message = text("report.name must be namespaces/{namespace}/devices/{device}[/modules/{module}]/twin");
    let refused = vec![UplinkChange::Refused { reason: Reason::InvalidField, message }];
    let mut operations = vec![
        ("", Operation::CreateSite { namespace: namespace(), site: text("hall-4"), definition: site_definition() }),
        (
            "",
            Operation::UpdateSite {
                namespace: namespace(),
                site: text("hall-4"),
                definition: site_definition(),
                fields: SiteField::ALL.map(|(field, _)| field).to_vec(),
                etag: etag(),
            },
        ),
        ("", Operation::DeleteSite { namespace: namespace(), site: text("hall-4"), etag: etag() }),
        ("", Operation::CreateEdge { namespace: namespace(), edge: edge(), definition: edge_definition() }),
        (
            "",
            Operation::UpdateEdge {
                namespace: namespace(),
                edge: edge(),
                definition: edge_definition(),
                fields: EdgeField::ALL.map(|(field, _)| field).to_vec(),
                etag: etag(),
            },
        ),
        ("", Operation::DeleteEdge { namespace: namespace(), edge: edge(), etag: etag() }),
        (
            "",
            Operation::OpenEdgeSession {
                namespace: namespace(),
                edge: edge(),
                incarnation: INCARNATION,
                known_epoch: 6,
                session: SESSION,
                sent_sequence: 40,
                node_id: 3,
            },
        ),
        ("", Operation::ApplyUplink { namespace: namespace(), edge: edge(), epoch: 7, first_sequence: 41, changes }),
        (
            "refused",
            Operation::ApplyUplink {
                namespace: namespace(),
                edge: edge(),
                epoch: 7,
                first_sequence: 43,
                changes: refused,
            },
        ),
    ];
    operations.extend(assignments());
    operations
}

/// Older operations that name an edge and a site.
fn assignments() -> [(&'static str, Operation); 5] {
    let (namespace, edge, site) = (|| text("plant1"), || text("hall-4"), || text("woerth"));
    let device =
        DeviceDefinition { edge: edge(), site: site(), ..device_definition(Authentication::CertificateAuthority) };
    let asset = AssetDefinition { edge: edge(), site: site(), ..asset_definition() };
    let token = Token { role: Role::Edge, device: None, edge: Some(edge()), ..token() };
    [
        ("edge", Operation::CreateToken { id: text("hall-4"), token }),
        (
            "assigned",
            Operation::CreateDevice {
                namespace: namespace(),
                device: text("pump7"),
                definition: Box::new(device.clone()),
            },
        ),
        (
            "assigned",
            Operation::UpdateDevice {
                namespace: namespace(),
                device: text("pump7"),
                definition: Box::new(device),
                fields: vec![DeviceField::Edge, DeviceField::Site],
                etag: None,
            },
        ),
        (
            "assigned",
            Operation::CreateAsset {
                namespace: namespace(),
                asset: text("pump-7"),
                definition: Box::new(asset.clone()),
                enabled: true,
                uuid: String::new(),
            },
        ),
        (
            "assigned",
            Operation::UpdateAsset {
                namespace: namespace(),
                asset: text("pump-7"),
                definition: Box::new(asset),
                enabled: None,
                fields: vec![AssetField::Edge, AssetField::Site],
                etag: None,
            },
        ),
    ]
}
