//! Routing against the domain: after each step every scope holds what `edge_of` says, resource by resource.

use muster_domain::asset::{AssetDefinition, AssetField, DeviceRef};
use muster_domain::device::{Authentication, DeviceDefinition, DeviceField, DeviceStatus, Endpoints, InboundEndpoint};
use muster_domain::edge::{EdgeDefinition, edge_of};
use muster_domain::module::ModuleDefinition;
use muster_domain::namespace::NamespaceDefinition;
use muster_domain::site::{SiteDefinition, SiteField};
use muster_domain::{Operation, States};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::read::tests::node::Node;
use crate::read::{EventFilter, EventScope};

const EDGES: [&str; 2] = ["left", "right"];
const SITES: [&str; 3] = ["works", "floor", "yard"];
const DEVICES: [&str; 3] = ["d1", "d10", "d2"];
const ASSETS: [&str; 3] = ["oven", "press", "pump"];

fn own() -> String {
    "plant".to_owned()
}

/// Random operations on few resources.
struct Chance(StdRng);

impl Chance {
    fn of(&mut self, ids: &[&str]) -> String {
        ids[self.0.random_range(0..ids.len())].to_owned()
    }

    fn perhaps(&mut self, ids: &[&str]) -> String {
        if self.0.random_range(0..3) == 0 { self.of(ids) } else { String::new() }
    }

    fn device(&mut self) -> Box<DeviceDefinition> {
        let endpoint = InboundEndpoint {
            address: "opc.tcp://10.0.0.7:4840".to_owned(),
            endpoint_type: "Microsoft.OpcUa".to_owned(),
            ..InboundEndpoint::default()
        };
        Box::new(DeviceDefinition {
            status: DeviceStatus::Enabled,
            status_reason: String::new(),
            authentication: Authentication::None,
            iot_edge: false,
            device_scope: String::new(),
            parent_scopes: Vec::new(),
            external_device_id: String::new(),
            manufacturer: String::new(),
            model: String::new(),
            operating_system: String::new(),
            operating_system_version: String::new(),
            attributes: String::new(),
            endpoints: Endpoints { inbound: [("opc".to_owned(), endpoint)].into(), ..Endpoints::default() },
            discovered_device_ref: String::new(),
            uuid: "11111111-2222-3333-4444-555555555555".to_owned(),
            edge: self.perhaps(&EDGES),
            site: self.perhaps(&SITES),
        })
    }

    fn asset(&mut self) -> Box<AssetDefinition> {
        let device_ref = DeviceRef { device: self.of(&DEVICES), endpoint: "opc".to_owned() };
        let (edge, site) = (self.perhaps(&EDGES), self.perhaps(&SITES));
        Box::new(AssetDefinition { device_ref, edge, site, ..AssetDefinition::default() })
    }

    fn site(&mut self) -> SiteDefinition {
        SiteDefinition { parent: self.perhaps(&SITES), edge: self.perhaps(&EDGES), ..SiteDefinition::default() }
    }

    fn operation(&mut self) -> Operation {
        let (namespace, device, asset, site) = (own(), self.of(&DEVICES), self.of(&ASSETS), self.of(&SITES));
        match self.0.random_range(0..20) {
            0..=2 => Operation::CreateDevice { namespace, device, definition: self.device() },
            3..=5 => {
                let fields = vec![DeviceField::Edge, DeviceField::Site];
                Operation::UpdateDevice { namespace, device, definition: self.device(), fields, etag: None }
            }
            6 => Operation::DeleteDevice { namespace, device, etag: None },
            7 => {
                let definition = ModuleDefinition { managed_by: String::new(), authentication: Authentication::None };
                Operation::CreateModule { namespace, device, module: self.of(&["m1", "m2"]), definition }
            }
            8 => Operation::DeleteModule { namespace, device, module: self.of(&["m1", "m2"]), etag: None },
            9..=10 => {
                let definition = self.asset();
                Operation::CreateAsset { namespace, asset, definition, enabled: true, uuid: String::new() }
            }
            11..=12 => {
                let fields = vec![AssetField::DeviceRef, AssetField::Edge, AssetField::Site];
                let definition = self.asset();
                Operation::UpdateAsset { namespace, asset, definition, enabled: None, fields, etag: None }
            }
            13 => Operation::DeleteAsset { namespace, asset, etag: None },
            14 => Operation::CreateSite { namespace, site, definition: self.site() },
            15..=16 => {
                let fields = vec![SiteField::Parent, SiteField::Edge];
                Operation::UpdateSite { namespace, site, definition: self.site(), fields, etag: None }
            }
            17 => Operation::DeleteSite { namespace, site, etag: None },
            _ => {
                let key = Key::DeviceTwin(namespace, device);
                let desired = Some(format!(r#"{{"v":{}}}"#, self.0.random_range(0..1_000)));
                Operation::PatchTwin { key, tags: None, desired, etag: None }
            }
        }
    }
}

/// Every key that may be in a scope.
fn keys() -> Vec<Key> {
    let mut keys: Vec<Key> = ASSETS.map(|asset| Key::Asset(own(), asset.to_owned())).to_vec();
    for device in DEVICES.map(str::to_owned) {
        let mut parts = vec![Key::Device(own(), device.clone())];
        parts.extend(["m1", "m2"].map(|module| Key::Module(own(), device.clone(), module.to_owned())));
        keys.extend(parts.iter().filter_map(Key::twin));
        keys.extend(parts);
    }
    keys
}

fn truth(view: &View, edge: &str) -> BTreeMap<Name, u64> {
    let states = view.pinned(view.revision());
    let held = keys().into_iter().filter(|key| edge_of(&states, key).as_deref() == Some(edge));
    let living = held.filter_map(|key| Some((Name::from(key.to_string()), states.get(&key)?.updated_revision)));
    living.collect()
}

fn held(shared: &Shared) -> BTreeMap<Name, u64> {
    shared.read(|scope| scope.items())
}

fn found(view: &View) -> Routing {
    let mut routing = Routing::new(view.revision());
    let states = view.pinned(view.revision());
    for key in keys().iter().filter(|key| matches!(key, Key::Device(..) | Key::Asset(..))) {
        routing.put(&states, key);
    }
    routing
}

#[tokio::test]
async fn after_each_step_a_scope_is_what_the_domain_says() {
    for seed in 0..12 {
        let mut chance = Chance(StdRng::seed_from_u64(seed));
        let mut node = Node::new();
        let definition = NamespaceDefinition::default();
        let mut first = vec![Operation::CreateNamespace { namespace: own(), definition }];
        first.extend(EDGES.map(|edge| {
            let definition = EdgeDefinition { enabled: true, ..EdgeDefinition::default() };
            Operation::CreateEdge { namespace: own(), edge: edge.to_owned(), definition }
        }));
        node.run(first);
        let mut routing = found(&node.view());
        let mut scopes: Vec<(Arc<str>, Arc<Shared>)> = Vec::new();
        let mut items = 0;
        for step in 0..80 {
            let from = node.view().revision() + 1;
            for _ in 0..chance.0.random_range(1..4) {
                let operations = (0..chance.0.random_range(1..5)).map(|_| chance.operation()).collect();
                node.run(operations);
            }
            let view = node.view();
            let filter = EventFilter::of(EventScope::Namespace(own()));
            let page = view.events(filter, from, view.revision(), 0, usize::MAX).await.expect("events");
            let entries = page.entries.into_iter().map(|(entry, _)| entry).collect();
            let tailing = Tailing::of(entries, view.revision());
            if step % 17 == 11 {
                routing.replace(&view, found(&view)).expect("the store reads");
            } else if routing.is_concerned(&tailing) {
                routing.step(&view, &tailing).expect("the store reads");
            } else {
                routing = routing.at(view.revision());
            }
            if step % 20 == 3 {
                let mut join =
                    |edge: &str| (Arc::from(edge), routing.join(&view, &Arc::from(edge)).expect("the store reads"));
                scopes = EDGES.map(&mut join).into();
            }
            for (edge, shared) in &scopes {
                let expected = truth(&view, edge);
                assert_eq!(held(shared), expected, "{edge}, step {step}, seed {seed}");
                items += expected.len();
            }
        }
        assert!(items > 100, "the scopes hold something: {items}");
    }
}
