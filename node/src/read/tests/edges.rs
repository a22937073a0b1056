//! Random operations on sites and edges, and of edges. They hit seldom, because nobody here knows which epoch is the newest.

use muster_domain::asset::AssetStatus;
use muster_domain::device::{DeviceDefinition, DeviceField};
use muster_domain::edge::{EdgeDefinition, UplinkChange};
use muster_domain::namespace::NamespaceDefinition;
use muster_domain::site::{SiteDefinition, SiteField};
use muster_domain::{Key, Operation};

use super::node::Node;
use super::random::{ASSETS, DEVICES, NAMESPACES, Numbers, device_definition};
use crate::outcome::OperationResult;

pub(super) const SITES: [&str; 3] = ["works", "floor", "yard"];
pub(super) const EDGES: [&str; 1] = ["hall"];

/// Every key that these operations can touch.
pub(super) fn keys() -> impl Iterator<Item = Key> {
    NAMESPACES.into_iter().map(str::to_owned).flat_map(|namespace| {
        let mut keys: Vec<_> = SITES.map(|site| Key::Site(namespace.clone(), site.to_owned())).into();
        for edge in EDGES.map(str::to_owned) {
            keys.push(Key::Edge(namespace.clone(), edge.clone()));
            keys.push(Key::EdgeSession(namespace.clone(), edge));
        }
        keys
    })
}

impl Numbers {
    fn some_of(&mut self, ids: &[&str]) -> String {
        if self.below(3) == 0 { String::new() } else { self.of(ids) }
    }

    pub(super) fn around_edges(&mut self) -> Operation {
        let (namespace, edge, site) = (self.of(&NAMESPACES), self.of(&EDGES), self.of(&SITES));
        match self.below(20) {
            0..=2 => {
                let definition = EdgeDefinition { enabled: true, ..EdgeDefinition::default() };
                Operation::CreateEdge { namespace, edge, definition }
            }
            3 => Operation::DeleteEdge { namespace, edge, etag: None },
            4..=5 => Operation::CreateSite { namespace, site, definition: self.site_definition() },
            6 => Operation::UpdateSite {
                namespace,
                site,
                definition: self.site_definition(),
                fields: vec![SiteField::Parent, SiteField::Edge],
                etag: None,
            },
            7 => Operation::DeleteSite { namespace, site, etag: None },
            8..=9 => Operation::UpdateDevice {
                namespace,
                device: self.of(&DEVICES),
                definition: Box::new(DeviceDefinition {
                    edge: self.some_of(&EDGES),
                    site: self.some_of(&SITES),
                    ..device_definition()
                }),
                fields: vec![DeviceField::Edge, DeviceField::Site],
                etag: None,
            },
            10..=11 => Operation::OpenEdgeSession {
                namespace,
                edge,
                incarnation: [u8::try_from(self.below(250)).expect("small"); 16],
                known_epoch: 0,
                session: [1; 16],
                sent_sequence: 0,
                node_id: 1,
            },
            _ => Operation::ApplyUplink {
                namespace,
                edge,
                epoch: 1 + self.below(6) as u64,
                first_sequence: 1 + self.below(3) as u64,
                changes: (0..1 + self.below(12)).map(|_| self.change()).collect(),
            },
        }
    }

    fn site_definition(&mut self) -> SiteDefinition {
        SiteDefinition {
            parent: self.some_of(&SITES),
            edge: self.some_of(&EDGES),
            display_name: format!("name {}", self.below(100)),
            ..SiteDefinition::default()
        }
    }

    fn change(&mut self) -> UplinkChange {
        if self.below(4) == 0 {
            let status = AssetStatus { config_version: 1, ..AssetStatus::default() };
            return UplinkChange::AssetStatus { asset: self.of(&ASSETS), status: Box::new(status) };
        }
        UplinkChange::Report { key: self.twin(), patch: self.patch() }
    }
}

/// Whether each operation of a command is accepted.
fn run(node: &mut Node, operations: Vec<Operation>) -> Vec<bool> {
    node.run(operations).results.iter().map(OperationResult::is_accepted).collect()
}

#[test]
fn sites_inside_of_a_site_are_found_in_the_store_and_in_the_open_batch() {
    let mut node = Node::new();
    let namespace = || "plant".to_owned();
    let definition = |parent: &str| SiteDefinition { parent: parent.to_owned(), ..SiteDefinition::default() };
    let create = |site: &str, parent: &str| Operation::CreateSite {
        namespace: namespace(),
        site: site.to_owned(),
        definition: definition(parent),
    };
    let put = |site: &str, parent: &str| Operation::UpdateSite {
        namespace: namespace(),
        site: site.to_owned(),
        definition: definition(parent),
        fields: vec![SiteField::Parent],
        etag: None,
    };
    let delete = |site: &str| Operation::DeleteSite { namespace: namespace(), site: site.to_owned(), etag: None };
    let plant = Operation::CreateNamespace { namespace: namespace(), definition: NamespaceDefinition::default() };
    let first = vec![plant, create("works", ""), create("floor", "works"), delete("works")];
    assert_eq!(run(&mut node, first), [true, true, true, false]);
    assert_eq!(run(&mut node, vec![delete("works")]), [false], "found in the store");
    let moved = vec![create("yard", ""), put("floor", "yard"), delete("works"), delete("yard")];
    assert_eq!(run(&mut node, moved), [true, true, true, false]);
    node.reopen();
    assert_eq!(run(&mut node, vec![delete("yard"), put("yard", "floor")]), [false, false]);
    assert_eq!(run(&mut node, vec![delete("floor"), delete("yard")]), [true, true]);
    assert_eq!(run(&mut node, vec![create("works", ""), delete("works")]), [true, true], "floor is gone");
}
