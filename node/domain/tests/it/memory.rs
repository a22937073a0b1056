//! States in a map, with the laws of the core checked at every change. It knows no node: one operation is one command
//! unless a test says otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::cluster::Cluster;
use muster_domain::device::{Authentication, DeviceDefinition, DeviceStatus, Endpoints, InboundEndpoint, SealedKey};
use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::namespace::NamespaceDefinition;
use muster_domain::{
    At, Body, Change, Event, EventKind, Key, Limits, Operation, Reason, Record, Rejection, States, decide, evolve,
};

/// Milliseconds between two commands.
pub(crate) const STEP_MS: u64 = 1_000;

/// A registry in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) records: BTreeMap<Key, Arc<Record>>,
    pub(crate) events: Vec<(At, Event)>,
    pub(crate) revision: u64,
}

impl States for Memory {
    fn get(&self, key: &Key) -> Option<Arc<Record>> {
        self.records.get(key).cloned()
    }

    fn modules(&self, namespace: &str, device: &str) -> Vec<Key> {
        self.living(usize::MAX, |key, _| {
            matches!(key, Key::Module(..)) && key.namespace() == Some(namespace) && key.device() == Some(device)
        })
    }

    fn assets_of(&self, namespace: &str, device: &str, limit: usize) -> Vec<Key> {
        self.living(limit, |key, record| match &record.body {
            Body::Asset(asset) => key.namespace() == Some(namespace) && asset.definition.device_ref.device == device,
            _ => false,
        })
    }

    fn sites_of(&self, namespace: &str, site: &str, limit: usize) -> Vec<Key> {
        self.living(limit, |key, record| match &record.body {
            Body::Site(inside) => key.namespace() == Some(namespace) && inside.definition.parent == site,
            _ => false,
        })
    }

    fn discovered_of(&self, namespace: &str, edge: &str, limit: usize) -> Vec<Key> {
        self.living(limit, |key, _| match key {
            Key::DiscoveredDevice(ns, of, _) | Key::DiscoveredAsset(ns, of, _) => ns == namespace && of == edge,
            _ => false,
        })
    }

    fn contents(&self, namespace: &str, limit: usize) -> Vec<Key> {
        let in_namespace = |key: &Key| key.namespace() == Some(namespace);
        let mut keys = self.living(limit, |key, _| matches!(key, Key::Cursor(..)) && in_namespace(key));
        keys.extend(self.living(limit - keys.len(), |key, _| matches!(key, Key::SavedQuery(..)) && in_namespace(key)));
        let is_discovered = |key: &Key| matches!(key, Key::DiscoveredDevice(..) | Key::DiscoveredAsset(..));
        keys.extend(self.living(limit - keys.len(), |key, _| is_discovered(key) && in_namespace(key)));
        keys.extend(self.living(limit - keys.len(), |key, _| matches!(key, Key::Edge(..)) && in_namespace(key)));
        keys.extend(self.living(limit - keys.len(), |key, _| matches!(key, Key::Site(..)) && in_namespace(key)));
        keys.extend(self.living(limit - keys.len(), |key, _| matches!(key, Key::Asset(..)) && in_namespace(key)));
        keys.extend(self.living(limit - keys.len(), |key, _| matches!(key, Key::Device(..)) && in_namespace(key)));
        keys
    }
}

impl Memory {
    /// Holds the namespaces `plant` and `depot`, in a cluster of the newest feature level that was there before the first
    /// revision.
    pub(crate) fn new() -> Self {
        let mut memory = Self::default();
        let cluster = Cluster {
            cluster_id: "c".into(),
            page_key: [0; 32],
            limits: Limits::default(),
            feature_level: FEATURE_LEVEL,
            last_node_id: 0,
        };
        let (at, kind) = (At { revision: 0, time_ms: 0 }, EventKind::ClusterInitialized(cluster));
        memory.records.insert(Key::Cluster, Arc::new(evolve(None, &kind, at)));
        memory.events.push((at, Event { key: Key::Cluster, kind }));
        for namespace in ["plant", "depot"] {
            memory.accept(create_namespace(namespace));
        }
        memory
    }

    fn living(&self, limit: usize, wanted: impl Fn(&Key, &Record) -> bool) -> Vec<Key> {
        let records = self.records.iter();
        let found = records.filter(|(key, record)| record.is_alive() && wanted(key, record));
        found.map(|(key, _)| key.clone()).take(limit).collect()
    }

    /// What the next command is stamped with.
    pub(crate) fn at(&self) -> At {
        At { revision: self.revision + 1, time_ms: (self.revision + 1) * STEP_MS }
    }

    /// Carries out one command of one operation; nothing changes when it is refused.
    pub(crate) fn carry_out(&mut self, operation: &Operation) -> Result<Vec<Change>, Rejection> {
        let at = self.at();
        let changes = self.decide(operation, at)?;
        self.take(&changes, at);
        if !changes.is_empty() {
            self.revision = at.revision;
        }
        Ok(changes)
    }

    /// The decision, made twice: it must be the same.
    pub(crate) fn decide(&self, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
        let first = decide(self, operation, at, &Limits::default());
        assert_eq!(first, decide(self, operation, at, &Limits::default()), "a decision depends on its arguments only");
        first
    }

    /// Applies changes and checks that each is the evolution of what was there.
    pub(crate) fn take(&mut self, changes: &[Change], at: At) {
        for change in changes {
            let before = self.records.get(&change.event.key);
            let evolved = evolve(before.map(AsRef::as_ref), &change.event.kind, at);
            assert_eq!(evolved, *change.after, "evolve and decide agree on {:?}", change.event);
            self.records.insert(change.event.key.clone(), Arc::clone(&change.after));
            self.events.push((at, change.event.clone()));
        }
    }

    /// Carries out an operation that must be accepted; returns the names of its events.
    #[track_caller]
    pub(crate) fn accept(&mut self, operation: Operation) -> Vec<String> {
        match self.carry_out(&operation) {
            Ok(changes) => names(&changes),
            Err(refusal) => panic!("{operation:?} was refused: {refusal}"),
        }
    }

    /// Carries out an operation that must be refused for `reason` at `field`; returns the message.
    #[track_caller]
    pub(crate) fn refuse(&mut self, operation: Operation, reason: Reason, field: &str) -> String {
        match self.carry_out(&operation) {
            Ok(changes) => panic!("{operation:?} was accepted: {:?}", names(&changes)),
            Err(refusal) => {
                assert_eq!((refusal.reason, refusal.field.as_str()), (reason, field), "{refusal}");
                assert!(!refusal.message.is_empty(), "a refusal says what is wrong");
                refusal.message
            }
        }
    }

    /// The record of a living resource.
    #[track_caller]
    pub(crate) fn record(&self, key: &Key) -> Arc<Record> {
        let record = self.records.get(key).filter(|record| record.is_alive());
        Arc::clone(record.unwrap_or_else(|| panic!("{key} does not exist")))
    }

    /// The record of a resource that exists or has existed.
    #[track_caller]
    pub(crate) fn get_any(&self, key: &Key) -> Arc<Record> {
        Arc::clone(self.records.get(key).unwrap_or_else(|| panic!("{key} never existed")))
    }

    pub(crate) fn is_alive(&self, key: &Key) -> bool {
        self.records.get(key).is_some_and(|record| record.is_alive())
    }
}

/// `key event` of each change.
pub(crate) fn names(changes: &[Change]) -> Vec<String> {
    let name = |change: &Change| format!("{} {}", change.event.key, change.event.kind.name());
    changes.iter().map(name).collect()
}

/// The kinds of events alone.
pub(crate) fn kinds(changes: &[Change]) -> Vec<&'static str> {
    changes.iter().map(|change| EventKind::name(&change.event.kind)).collect()
}

pub(crate) fn create_namespace(namespace: &str) -> Operation {
    Operation::CreateNamespace { namespace: namespace.into(), definition: NamespaceDefinition::default() }
}

/// An enabled device with SAS keys and nothing else.
pub(crate) fn device_definition() -> DeviceDefinition {
    DeviceDefinition {
        status: DeviceStatus::Enabled,
        status_reason: String::new(),
        authentication: sas(Some(1), Some(2)),
        iot_edge: false,
        device_scope: String::new(),
        parent_scopes: Vec::new(),
        external_device_id: String::new(),
        manufacturer: String::new(),
        model: String::new(),
        operating_system: String::new(),
        operating_system_version: String::new(),
        attributes: String::new(),
        endpoints: Endpoints::default(),
        discovered_device_ref: String::new(),
        uuid: "uuid-1".into(),
        edge: String::new(),
        site: String::new(),
    }
}

/// As [`device_definition`], with one inbound endpoint named `opc`.
pub(crate) fn reachable_device() -> DeviceDefinition {
    let mut definition = device_definition();
    definition.endpoints.inbound.insert("opc".into(), endpoint());
    definition
}

pub(crate) fn endpoint() -> InboundEndpoint {
    InboundEndpoint {
        address: "opc.tcp://press:4840".into(),
        endpoint_type: "Microsoft.OpcUa".into(),
        ..InboundEndpoint::default()
    }
}

/// SAS authentication; a key is known by its one byte.
pub(crate) fn sas(primary: Option<u8>, secondary: Option<u8>) -> Authentication {
    let key = |byte: u8| SealedKey(vec![byte]);
    Authentication::Sas { primary: primary.map(key), secondary: secondary.map(key) }
}

pub(crate) fn create_device(namespace: &str, device: &str, definition: DeviceDefinition) -> Operation {
    Operation::CreateDevice { namespace: namespace.into(), device: device.into(), definition: Box::new(definition) }
}

pub(crate) fn delete_device(namespace: &str, device: &str) -> Operation {
    Operation::DeleteDevice { namespace: namespace.into(), device: device.into(), etag: None }
}

pub(crate) fn device_key(namespace: &str, device: &str) -> Key {
    Key::Device(namespace.into(), device.into())
}

pub(crate) fn twin_key(namespace: &str, device: &str) -> Key {
    Key::DeviceTwin(namespace.into(), device.into())
}
