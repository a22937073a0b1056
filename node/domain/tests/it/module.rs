//! Modules: identities below a device.

use muster_domain::device::{Authentication, SealedKey};
use muster_domain::module::{Module, ModuleDefinition, ModuleField};
use muster_domain::{Body, Key, Operation, Reason, limits};

use crate::memory::{Memory, create_device, delete_device, device_definition, sas};

fn definition() -> ModuleDefinition {
    ModuleDefinition { managed_by: String::new(), authentication: sas(Some(1), Some(2)) }
}

pub(crate) fn create_module(namespace: &str, device: &str, module: &str) -> Operation {
    create_with(namespace, device, module, definition())
}

fn create_with(namespace: &str, device: &str, module: &str, definition: ModuleDefinition) -> Operation {
    Operation::CreateModule { namespace: namespace.into(), device: device.into(), module: module.into(), definition }
}

fn update(definition: ModuleDefinition, fields: &[ModuleField], etag: Option<&str>) -> Operation {
    Operation::UpdateModule {
        namespace: "plant".into(),
        device: "press".into(),
        module: "vision".into(),
        definition,
        fields: fields.to_vec(),
        etag: etag.map(str::to_owned),
    }
}

fn delete() -> Operation {
    let (namespace, device, module) = ("plant".into(), "press".into(), "vision".into());
    Operation::DeleteModule { namespace, device, module, etag: None }
}

fn key() -> Key {
    Key::Module("plant".into(), "press".into(), "vision".into())
}

fn module(memory: &Memory) -> Module {
    match &memory.record(&key()).body {
        Body::Module(module) => module.clone(),
        other => panic!("not a module: {other:?}"),
    }
}

fn memory() -> Memory {
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", device_definition()));
    memory
}

#[test]
fn a_module_has_a_twin_and_goes_with_its_device() {
    let mut memory = memory();
    assert_eq!(
        memory.accept(create_module("plant", "press", "vision")),
        [
            "namespaces/plant/devices/press/modules/vision module.created",
            "namespaces/plant/devices/press/modules/vision/twin twin.created",
        ]
    );
    assert_eq!(
        memory.accept(delete_device("plant", "press")),
        [
            "namespaces/plant/devices/press/modules/vision module.deleted",
            "namespaces/plant/devices/press/modules/vision/twin twin.deleted",
            "namespaces/plant/devices/press/twin twin.deleted",
            "namespaces/plant/devices/press device.deleted",
        ]
    );
}

#[test]
fn bad_creations_are_refused() {
    let mut memory = memory();
    memory.refuse(create_module("nowhere", "press", "vision"), Reason::ParentNotFound, "parent");
    memory.refuse(create_module("plant", "nothing", "vision"), Reason::ParentNotFound, "parent");
    for bad in ["", "a b", "a/b", "ü", &"x".repeat(129)] {
        memory.refuse(create_module("plant", "press", bad), Reason::InvalidId, "module_id");
    }
    let long = ModuleDefinition { managed_by: "x".repeat(129), ..definition() };
    memory.refuse(create_with("plant", "press", "vision", long), Reason::TooLarge, "module.managed_by");
    let thumbprint =
        Authentication::SelfSigned { primary_thumbprint: "zz".into(), secondary_thumbprint: String::new() };
    let bad = ModuleDefinition { authentication: thumbprint, ..definition() };
    let field = "module.authentication.x509_thumbprint.primary_thumbprint";
    memory.refuse(create_with("plant", "press", "vision", bad), Reason::InvalidField, field);
    memory.accept(create_module("plant", "press", "vision"));
    memory.refuse(create_module("plant", "press", "vision"), Reason::AlreadyExists, "module_id");
}

#[test]
fn a_device_has_at_most_fifty_modules() {
    let mut memory = memory();
    for n in 0..limits::MODULES_MAX {
        memory.accept(create_module("plant", "press", &format!("m{n}")));
    }
    memory.refuse(create_module("plant", "press", "one-more"), Reason::TooMany, "parent");
}

#[test]
fn edge_modules_live_on_edge_devices() {
    let mut memory = memory();
    memory.refuse(create_module("plant", "press", "$edgeHub"), Reason::InvalidField, "module_id");
    let mut edge = device_definition();
    edge.iot_edge = true;
    memory.accept(create_device("plant", "gateway", edge));
    memory.accept(create_module("plant", "gateway", "$edgeHub"));
}

#[test]
fn an_update_keeps_keys_and_raises_the_version() {
    let mut memory = memory();
    memory.accept(create_module("plant", "press", "vision"));
    let etag = memory.record(&key()).etag();
    let new = ModuleDefinition { managed_by: "IotEdge".into(), authentication: sas(None, Some(9)) };
    memory.accept(update(new, &ModuleField::ALL.map(|(field, _)| field), Some(&etag)));
    assert_eq!(module(&memory).definition.authentication, sas(Some(1), Some(9)));
    assert_eq!((module(&memory).definition.managed_by.as_str(), module(&memory).version), ("IotEdge", 2));
    memory.refuse(update(definition(), &[ModuleField::ManagedBy], Some(&etag)), Reason::EtagMismatch, "etag");
}

#[test]
fn versions_go_on_over_a_life() {
    let mut memory = memory();
    memory.accept(create_module("plant", "press", "vision"));
    memory.accept(update(definition(), &[], None));
    memory.accept(delete());
    memory.refuse(delete(), Reason::NotFound, "name");
    memory.refuse(update(definition(), &[], None), Reason::NotFound, "name");
    memory.accept(create_module("plant", "press", "vision"));
    assert_eq!(module(&memory).version, 3);
}

#[test]
fn only_sas_has_keys_to_regenerate() {
    let mut memory = memory();
    memory.accept(create_module("plant", "press", "vision"));
    let regenerate = |primary: Option<u8>| Operation::RegenerateKeys {
        key: key(),
        primary: primary.map(|byte| SealedKey(vec![byte])),
        secondary: None,
        etag: None,
    };
    assert_eq!(memory.accept(regenerate(Some(7))).len(), 1);
    assert_eq!(module(&memory).definition.authentication, sas(Some(7), Some(2)));
    memory.refuse(regenerate(None), Reason::InvalidField, "which");
    let none = ModuleDefinition { authentication: Authentication::None, ..definition() };
    memory.accept(update(none, &[ModuleField::Authentication], None));
    memory.refuse(regenerate(Some(7)), Reason::InvalidField, "authentication.type");
}
