//! Random commands against the laws of the core:
//!
//! - no input makes it panic, and a decision depends on its arguments only;
//! - every change is the evolution of the record before it, and the fold of all events gives the same records;
//! - a refused operation changes nothing, a refused atomic command neither;
//! - versions never fall, also over deletion and re-creation, and generations only rise;
//! - no resource outlives or precedes what it lives in or refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_domain::discovery::DiscoveryState;
use muster_domain::edge::EdgeSession;
use muster_domain::{At, Body, Change, EventKind, Key, Operation, Reason, Record, States as _, evolve, limits};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::asset::full_definition;
use crate::commands::{commands, on_one_asset};
use crate::memory::{Memory, device_definition, reachable_device};

/// Carries out a command as a node does: operations share a revision and see each other's effects.
fn carry_out(memory: &mut Memory, operations: &[Operation], atomic: bool) {
    let at = memory.at();
    let before = memory.clone();
    let mut changed = false;
    for operation in operations {
        match memory.decide(operation, at) {
            Ok(changes) => {
                check_openness(memory, &changes);
                memory.take(&changes, at);
                changed |= !changes.is_empty();
            }
            Err(refusal) => {
                assert!(!refusal.message.is_empty());
                if atomic {
                    *memory = before;
                    return;
                }
            }
        }
    }
    if changed {
        memory.revision = at.revision;
    }
    check_counters(&before.records, &memory.records);
    check_relations(memory);
}

/// Nothing is created in a namespace that is being deleted.
fn check_openness(memory: &Memory, changes: &[Change]) {
    for Change { event, .. } in changes {
        let creates = matches!(
            event.kind,
            EventKind::DeviceCreated(_)
                | EventKind::ModuleCreated(_)
                | EventKind::TwinCreated
                | EventKind::AssetCreated { .. }
                | EventKind::SiteCreated(_)
                | EventKind::EdgeCreated(_)
        );
        if creates {
            let namespace = Key::Namespace(event.key.namespace().expect("lives in one").to_owned());
            let Body::Namespace(namespace) = &memory.record(&namespace).body else { panic!("a namespace") };
            assert!(!namespace.deleting);
        }
    }
}

fn section_versions(record: &Record) -> [u64; 3] {
    match &record.body {
        Body::Twin(twin) => [twin.tags.version, twin.desired.version, twin.reported.version],
        Body::Deleted(counters) => [counters.tags_version, counters.desired_version, counters.reported_version],
        _ => [0; 3],
    }
}

fn check_counters(before: &BTreeMap<Key, Arc<Record>>, after: &BTreeMap<Key, Arc<Record>>) {
    for (key, old) in before {
        let new = after.get(key).expect("a record stays, if only as what a deleted resource left behind");
        assert!(new.version() >= old.version(), "version of {key}");
        assert!(new.created_revision >= old.created_revision, "generation of {key}");
        assert!(new.updated_revision >= old.updated_revision, "etag of {key}");
        for (new, old) in section_versions(new).into_iter().zip(section_versions(old)) {
            assert!(new >= old, "section versions of {key}");
        }
    }
}

fn check_relations(memory: &Memory) {
    for (key, record) in memory.records.iter().filter(|(_, record)| record.is_alive()) {
        if let Some(namespace) = key.namespace() {
            assert!(memory.is_alive(&Key::Namespace(namespace.to_owned())), "{key} has its namespace");
        }
        match (key, &record.body) {
            (Key::Device(..), Body::Device(device)) => {
                assert!(memory.is_alive(&key.twin().expect("has one")), "{key} has its twin");
                assert!(!device.definition.iot_edge || !device.definition.device_scope.is_empty(), "{key} has a scope");
            }
            (Key::Module(ns, device, _), Body::Module(_)) => {
                assert!(memory.is_alive(&Key::Device(ns.clone(), device.clone())), "{key} has its device");
                assert!(memory.is_alive(&key.twin().expect("has one")), "{key} has its twin");
            }
            (Key::DeviceTwin(ns, device), Body::Twin(_)) => {
                assert!(memory.is_alive(&Key::Device(ns.clone(), device.clone())), "{key} has its device");
            }
            (Key::ModuleTwin(ns, device, module), Body::Twin(_)) => {
                assert!(memory.is_alive(&Key::Module(ns.clone(), device.clone(), module.clone())));
            }
            (Key::Asset(ns, _), Body::Asset(asset)) => {
                let to = &asset.definition.device_ref;
                let Body::Device(device) = &memory.record(&Key::Device(ns.clone(), to.device.clone())).body else {
                    panic!("{key} refers to something else than a device")
                };
                assert!(device.definition.endpoints.inbound.contains_key(&to.endpoint), "{key} has its endpoint");
                let parts = asset.definition.parts();
                assert!(asset.status.parts.keys().all(|part| parts.contains(part)), "{key} knows its parts");
                assert!(asset.status.config_version <= asset.version, "{key} has no status of the future");
            }
            (Key::Site(ns, site), Body::Site(_)) => check_site(memory, ns, site),
            (Key::EdgeSession(ns, edge), Body::EdgeSession(session)) => {
                assert!(memory.is_alive(&Key::Edge(ns.clone(), edge.clone())), "{key} has its edge");
                check_session(key, session);
            }
            (Key::DiscoveredDevice(ns, edge, _), Body::DiscoveredDevice(thing)) => {
                assert!(memory.is_alive(&Key::Edge(ns.clone(), edge.clone())), "{key} has its edge");
                check_acceptance(key, record, &thing.state, thing.version);
            }
            (Key::DiscoveredAsset(ns, edge, _), Body::DiscoveredAsset(thing)) => {
                assert!(memory.is_alive(&Key::Edge(ns.clone(), edge.clone())), "{key} has its edge");
                check_acceptance(key, record, &thing.state, thing.version);
            }
            (Key::DiscoveryCount(ns, edge), Body::DiscoveryCount(count)) => {
                assert!(memory.is_alive(&Key::Edge(ns.clone(), edge.clone())), "{key} has its edge");
                let things = memory.discovered_of(ns, edge, usize::MAX).len() as u64;
                // While a namespace is deleted its things go first.
                assert!(count.things == things || count.things > things && is_deleting(memory, ns), "{key} counts");
            }
            (Key::Edge(..), Body::Edge(_))
            | (Key::Cluster, Body::Cluster(_))
            | (Key::Namespace(_), Body::Namespace(_))
            | (Key::Token(_), Body::Token(_))
            | (Key::Cursor(..), Body::Cursor(_))
            | (Key::SavedQuery(..), Body::SavedQuery(_)) => {}
            (key, body) => panic!("{key} holds {body:?}"),
        }
    }
}

fn is_deleting(memory: &Memory, namespace: &str) -> bool {
    matches!(&memory.record(&Key::Namespace(namespace.to_owned())).body, Body::Namespace(namespace) if namespace.deleting)
}

fn check_acceptance(key: &Key, record: &Record, state: &DiscoveryState, version: u64) {
    if let DiscoveryState::Accepted(acceptance) = state {
        assert!(acceptance.version <= version, "{key} was accepted as it was");
        assert!((record.created_revision..=record.updated_revision).contains(&acceptance.revision), "{key}");
    }
}

/// From a site upwards there are sites only, few of them, and so none twice.
fn check_site(memory: &Memory, namespace: &str, site: &str) {
    let (mut levels, mut next) = (0, site.to_owned());
    while !next.is_empty() {
        levels += 1;
        assert!(levels <= limits::SITE_DEPTH_MAX, "{site} lies too deep");
        let key = Key::Site(namespace.to_owned(), next);
        // Within a namespace that is being deleted sites go one by one.
        let Some(record) = memory.records.get(&key).filter(|record| record.is_alive()) else { return };
        let Body::Site(above) = &record.body else { panic!("{key} is a site") };
        next = above.definition.parent.clone();
    }
}

fn check_session(key: &Key, session: &EdgeSession) {
    let numbers: Vec<u64> = session.refusals.iter().map(|refusal| refusal.sequence).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{key} tells each refusal once, in order");
    let newest =
        |number: &u64| *number <= session.last_sequence && number + limits::REFUSALS_KEPT > session.last_sequence;
    assert!(numbers.iter().all(newest), "{key} tells refusals of the newest operations");
    assert!(session.unused_since <= session.epoch, "{key} knows no epoch of the future");
    assert!(session.past_incarnations.len() <= limits::INCARNATIONS_KEPT);
    assert!(!session.past_incarnations.contains(&session.incarnation), "{key} has a store that was replaced");
}

/// What all events lead to, from nothing.
fn fold(memory: &Memory) -> BTreeMap<Key, Arc<Record>> {
    let mut records: BTreeMap<Key, Arc<Record>> = BTreeMap::new();
    for (at, event) in &memory.events {
        let after = evolve(records.get(&event.key).map(AsRef::as_ref), &event.kind, *at);
        records.insert(event.key.clone(), Arc::new(after));
    }
    records
}

fn press_module(n: usize) -> Operation {
    crate::module::create_module("plant", "press", &format!("m{n}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn laws_hold_for_random_commands(commands in commands()) {
        let mut memory = Memory::new();
        for (operations, atomic) in &commands {
            carry_out(&mut memory, operations, *atomic);
        }
        prop_assert_eq!(fold(&memory), memory.records);
    }

    #[test]
    fn laws_hold_for_one_asset(operations in prop::collection::vec(on_one_asset(), 1..30)) {
        let mut memory = Memory::new();
        for device in ["press", "drill"] {
            memory.accept(crate::memory::create_device("plant", device, reachable_device()));
        }
        memory.accept(crate::asset::create_asset("plant", "oven", full_definition("press")));
        for operation in operations {
            carry_out(&mut memory, &[operation], true);
        }
        prop_assert_eq!(fold(&memory), memory.records);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_forced_deletion_ends_in_as_many_steps_as_it_needs(devices in 1usize..1_200, modules in 0usize..3) {
        let mut memory = Memory::new();
        for n in 0..devices {
            memory.accept(crate::memory::create_device("plant", &format!("d{n}"), device_definition()));
        }
        memory.accept(crate::memory::create_device("plant", "press", device_definition()));
        for n in 0..modules {
            memory.accept(press_module(n));
        }
        let step = Operation::DeleteNamespace { namespace: "plant".into(), etag: None, force: true };
        let mut steps = 0;
        while memory.is_alive(&Key::Namespace("plant".into())) {
            let changes = memory.carry_out(&step).expect("accepted");
            prop_assert!(changes.len() <= 2 * limits::NAMESPACE_DELETE_STEP + 2);
            steps += 1;
        }
        prop_assert_eq!(steps, (devices + 1 + modules).div_ceil(limits::NAMESPACE_DELETE_STEP));
        check_relations(&memory);
        let leftovers = memory.records.iter().filter(|(key, record)| record.is_alive() && key.namespace() == Some("plant"));
        prop_assert_eq!(leftovers.count(), 0);
    }

    #[test]
    fn evolve_takes_any_event_on_any_record(first in commands(), second in commands()) {
        let (mut one, mut other) = (Memory::new(), Memory::new());
        for (operations, atomic) in &first {
            carry_out(&mut one, operations, *atomic);
        }
        for (operations, atomic) in &second {
            carry_out(&mut other, operations, *atomic);
        }
        let at = At { revision: 10_000, time_ms: 1 };
        for record in one.records.values().map(Some).chain([None]) {
            for (_, event) in &other.events {
                let after = evolve(record.map(AsRef::as_ref), &event.kind, at);
                prop_assert_eq!(after.updated_revision, at.revision);
            }
        }
    }
}

/// A model test that is refused everywhere proves nothing.
#[test]
fn random_commands_reach_every_kind_of_event_and_refusal() {
    let mut runner = TestRunner::deterministic();
    let (mut kinds, mut reasons) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..1_500 {
        let commands = commands().new_tree(&mut runner).expect("a tree").current();
        let mut memory = Memory::new();
        for (operations, _) in &commands {
            for operation in operations {
                match memory.carry_out(operation) {
                    Ok(changes) => kinds.extend(crate::memory::kinds(&changes)),
                    Err(refusal) => drop(reasons.insert(refusal.reason)),
                }
            }
        }
    }
    let missing: Vec<&str> = EVENT_KINDS.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "kinds of events");
    let elsewhere = [
        Reason::TooMany,
        Reason::NamespaceDeleting,
        Reason::PermissionDenied,
        Reason::RequestIdReused,
        Reason::BatchAborted,
        Reason::AlreadyInitialized,
        Reason::JoinTokenStale,
        Reason::NodeRemoved,
        Reason::FeatureLevelTooLow,
        // Three commands on two sites that fit: too rare here, and cases of their own.
        Reason::SiteHasSites,
        Reason::OutsideScope,
        Reason::DiscoveryFull,
        Reason::ClusterMismatch,
        Reason::CursorFromTheFuture,
    ];
    let missing: Vec<Reason> =
        Reason::ALL.into_iter().filter(|reason| !reasons.contains(reason) && !elsewhere.contains(reason)).collect();
    assert_eq!(missing, Vec::<Reason>::new(), "reasons of refusals");
}

const EVENT_KINDS: [&str; 46] = [
    "discovered_device.reported",
    "discovered_asset.reported",
    "discovered.accepted",
    "discovered.dismissed",
    "discovered.deleted",
    "discovery.counted",
    "discovery.ended",
    "site.created",
    "site.updated",
    "site.deleted",
    "edge.created",
    "edge.updated",
    "edge.deleted",
    "edge_session.opened",
    "edge_session.uplink_applied",
    "edge_session.ended",
    "saved_query.created",
    "saved_query.updated",
    "saved_query.deleted",
    "cursor.created",
    "cursor.acknowledged",
    "cursor.deleted",
    "token.created",
    "token.revoked",
    "namespace.created",
    "namespace.updated",
    "namespace.deleting",
    "namespace.deleted",
    "device.created",
    "device.updated",
    "device.status_changed",
    "device.keys_regenerated",
    "device.deleted",
    "module.created",
    "module.updated",
    "module.keys_regenerated",
    "module.deleted",
    "twin.created",
    "twin.patched",
    "twin.replaced",
    "twin.reported",
    "twin.deleted",
    "asset.created",
    "asset.updated",
    "asset.status_updated",
    "asset.deleted",
];
