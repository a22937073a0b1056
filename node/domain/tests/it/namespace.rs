//! Namespaces: creation, update, and deletion with and without force.

use std::collections::BTreeMap;

use muster_domain::namespace::{NamespaceDefinition, NamespaceField};
use muster_domain::{Body, Key, Operation, Reason, limits};

use crate::asset::{asset_definition, create_asset};
use crate::memory::{Memory, create_device, create_namespace, device_definition, kinds, reachable_device};

fn key(namespace: &str) -> Key {
    Key::Namespace(namespace.into())
}

fn delete(namespace: &str, force: bool) -> Operation {
    Operation::DeleteNamespace { namespace: namespace.into(), etag: None, force }
}

fn update(definition: NamespaceDefinition, fields: &[NamespaceField], etag: Option<&str>) -> Operation {
    Operation::UpdateNamespace {
        namespace: "plant".into(),
        definition,
        fields: fields.to_vec(),
        etag: etag.map(str::to_owned),
    }
}

#[test]
fn an_id_follows_device_registry() {
    let mut memory = Memory::new();
    for bad in ["", "ab", "Plant", "plant_1", "-plant", "plant-", "pla nt", "a/b", &"x".repeat(65)] {
        memory.refuse(create_namespace(bad), Reason::InvalidId, "namespace_id");
    }
    memory.refuse(create_namespace("plant"), Reason::AlreadyExists, "namespace_id");
    memory.accept(create_namespace(&"x".repeat(64)));
}

#[test]
fn an_update_changes_the_fields_it_names() {
    let mut memory = Memory::new();
    let new = NamespaceDefinition {
        display_name: "Plant".into(),
        description: "North".into(),
        labels: BTreeMap::from([("site".into(), "ams".into())]),
    };
    memory.accept(update(new.clone(), &[NamespaceField::Description, NamespaceField::Labels], None));
    let record = memory.record(&key("plant"));
    let Body::Namespace(namespace) = &record.body else { panic!("a namespace") };
    assert_eq!(namespace.definition, NamespaceDefinition { display_name: String::new(), ..new });
}

#[test]
fn a_stale_etag_is_refused_with_the_current_one() {
    let mut memory = Memory::new();
    let etag = memory.record(&key("plant")).etag();
    memory.accept(update(NamespaceDefinition::default(), &[NamespaceField::Labels], Some(&etag)));
    let stale = update(NamespaceDefinition::default(), &[NamespaceField::Labels], Some(&etag));
    let refusal = memory.carry_out(&stale).expect_err("stale");
    assert_eq!(refusal.reason, Reason::EtagMismatch);
    assert_eq!(refusal.current, memory.record(&key("plant")).etag());
    let delete = Operation::DeleteNamespace { namespace: "plant".into(), etag: Some(etag), force: false };
    memory.refuse(delete, Reason::EtagMismatch, "etag");
}

#[test]
fn bad_fields_are_refused_by_name() {
    let mut memory = Memory::new();
    let plain = NamespaceDefinition::default;
    let label = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let many = (0..=limits::LABELS_MAX).map(|n| (format!("l{n}"), String::new())).collect();
    for (definition, reason, field) in [
        (NamespaceDefinition { display_name: "x".repeat(257), ..plain() }, Reason::TooLarge, "namespace.display_name"),
        (NamespaceDefinition { description: "x".repeat(1_025), ..plain() }, Reason::TooLarge, "namespace.description"),
        (NamespaceDefinition { labels: label("", "v"), ..plain() }, Reason::InvalidField, "namespace.labels"),
        (NamespaceDefinition { labels: label("a\nb", "v"), ..plain() }, Reason::InvalidField, "namespace.labels"),
        (NamespaceDefinition { labels: label(&"k".repeat(64), ""), ..plain() }, Reason::TooLarge, "namespace.labels"),
        (
            NamespaceDefinition { labels: label("k", &"v".repeat(257)), ..plain() },
            Reason::TooLarge,
            "namespace.labels.k",
        ),
        (NamespaceDefinition { labels: many, ..plain() }, Reason::TooMany, "namespace.labels"),
    ] {
        let fields = NamespaceField::ALL.map(|(field, _)| field);
        memory.refuse(update(definition.clone(), &fields, None), reason, field);
        let create = Operation::CreateNamespace { namespace: "third".into(), definition };
        memory.refuse(create, reason, field);
    }
}

#[test]
fn what_is_not_empty_is_not_deleted_without_force() {
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", device_definition()));
    memory.refuse(delete("plant", false), Reason::NamespaceNotEmpty, "name");
    memory.accept(crate::memory::delete_device("plant", "press"));
    assert_eq!(memory.accept(delete("plant", false)), ["namespaces/plant namespace.deleted"]);
    memory.refuse(delete("plant", false), Reason::NotFound, "name");
    memory.refuse(update(NamespaceDefinition::default(), &[], None), Reason::NotFound, "name");
    memory.accept(create_namespace("plant"));
}

#[test]
fn a_small_namespace_is_deleted_by_force_in_one_step() {
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", reachable_device()));
    memory.accept(create_asset("plant", "asset-1", asset_definition("press")));
    memory.accept(create_device("depot", "other", device_definition()));
    assert_eq!(
        memory.accept(delete("plant", true)),
        [
            "namespaces/plant namespace.deleting",
            "namespaces/plant/assets/asset-1 asset.deleted",
            "namespaces/plant/devices/press/twin twin.deleted",
            "namespaces/plant/devices/press device.deleted",
            "namespaces/plant namespace.deleted",
        ]
    );
    assert!(memory.is_alive(&Key::Device("depot".into(), "other".into())), "another namespace is left alone");
}

#[test]
fn a_large_namespace_is_deleted_in_steps_and_takes_nothing_new_in_between() {
    let mut memory = Memory::new();
    let devices = limits::NAMESPACE_DELETE_STEP + 1;
    for n in 0..devices {
        memory.accept(create_device("plant", &format!("d{n}"), device_definition()));
    }
    let etag = Some(memory.record(&key("plant")).etag());
    let step = Operation::DeleteNamespace { namespace: "plant".into(), etag, force: true };

    let first = memory.carry_out(&step).expect("accepted");
    assert_eq!(kinds(&first)[0], "namespace.deleting");
    assert_eq!(first.len(), 1 + 2 * limits::NAMESPACE_DELETE_STEP);
    assert!(memory.is_alive(&key("plant")));

    memory.refuse(create_device("plant", "new", device_definition()), Reason::NamespaceDeleting, "parent");
    memory.refuse(create_asset("plant", "new", asset_definition("d500")), Reason::NamespaceDeleting, "parent");
    memory.refuse(create_namespace("plant"), Reason::AlreadyExists, "namespace_id");
    memory.refuse(delete("plant", false), Reason::NamespaceNotEmpty, "name");

    // The etag was judged when the deletion began; it goes on with the same request.
    let last = memory.carry_out(&step).expect("accepted");
    assert_eq!(kinds(&last), ["twin.deleted", "device.deleted", "namespace.deleted"]);
    assert!(!memory.is_alive(&key("plant")));
}

#[test]
fn modules_count_in_a_step() {
    let mut memory = Memory::new();
    for device in 0..11 {
        let device = format!("d{device:02}");
        memory.accept(create_device("plant", &device, device_definition()));
        for module in 0..limits::MODULES_MAX {
            memory.accept(crate::module::create_module("plant", &device, &format!("m{module}")));
        }
    }
    let first = memory.carry_out(&delete("plant", true)).expect("accepted");
    // Nine devices of 1 + 50 resources fit 500; each of those has a twin.
    assert_eq!(first.len(), 1 + 9 * 2 * 51);
    memory.accept(delete("plant", true));
    assert!(!memory.is_alive(&key("plant")));
}
