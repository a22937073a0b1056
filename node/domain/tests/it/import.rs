//! Import lines, with IoT Hub's modes.

use muster_domain::device::{Authentication, Device, DeviceDefinition, DeviceStatus};
use muster_domain::import::{ImportIdentity, ImportLine, ImportMode};
use muster_domain::module::ModuleDefinition;
use muster_domain::{Body, Key, Operation, Reason};

use crate::asset::{asset_definition, create_asset};
use crate::memory::{
    Memory, create_device, create_namespace, device_definition, device_key, reachable_device, sas, twin_key,
};

fn line(mode: ImportMode) -> ImportLine {
    ImportLine {
        mode,
        namespace: "plant".into(),
        device: "press".into(),
        identity: ImportIdentity::Device(Box::new(device_definition())),
        etag: String::new(),
        twin_etag: String::new(),
        tags: None,
        desired: None,
        reported: None,
    }
}

fn full_line(mode: ImportMode) -> ImportLine {
    ImportLine {
        tags: Some(r#"{"site":"ams","location":{"lat":52.32025}}"#.into()),
        desired: Some(r#"{"firmware":"3.1.7"}"#.into()),
        reported: Some(r#"{"battery":72}"#.into()),
        ..line(mode)
    }
}

fn with_definition(line: ImportLine, definition: DeviceDefinition) -> ImportLine {
    ImportLine { identity: ImportIdentity::Device(Box::new(definition)), ..line }
}

fn import(line: ImportLine) -> Operation {
    Operation::ImportDevice(Box::new(line))
}

fn twin_json(memory: &Memory, key: &Key) -> [String; 3] {
    let Body::Twin(twin) = &memory.record(key).body else { panic!("a twin") };
    [&twin.tags, &twin.desired, &twin.reported].map(|section| section.to_json().to_string())
}

fn device(memory: &Memory) -> Device {
    match &memory.record(&device_key("plant", "press")).body {
        Body::Device(device) => (**device).clone(),
        other => panic!("not a device: {other:?}"),
    }
}

fn press() -> (String, String) {
    ("namespaces/plant/devices/press".into(), "namespaces/plant/devices/press/twin".into())
}

#[test]
fn a_line_creates_identity_and_twin_in_one_go() {
    let mut memory = Memory::new();
    let (device, twin) = press();
    assert_eq!(
        memory.accept(import(full_line(ImportMode::CreateOrUpdate))),
        [format!("{device} device.created"), format!("{twin} twin.created"), format!("{twin} twin.replaced")]
    );
    assert_eq!(
        twin_json(&memory, &twin_key("plant", "press")),
        [r#"{"location":{"lat":52.32025},"site":"ams"}"#, r#"{"firmware":"3.1.7"}"#, r#"{"battery":72}"#]
    );
}

#[test]
fn importing_again_changes_nothing() {
    let mut memory = Memory::new();
    memory.accept(import(full_line(ImportMode::CreateOrUpdate)));
    let before = memory.clone();
    let mut again = full_line(ImportMode::CreateOrUpdate);
    again.identity = ImportIdentity::Device(Box::new(DeviceDefinition {
        authentication: sas(None, None),
        uuid: "made by a node".into(),
        ..device_definition()
    }));
    again.tags = Some(r#"{ "location": {"lat": 52.32025}, "site": "ams" }"#.into());
    assert_eq!(memory.accept(import(again.clone())), Vec::<String>::new());
    assert_eq!((memory.records.clone(), memory.revision), (before.records, before.revision));

    again.reported = Some(r#"{"battery":71}"#.into());
    assert_eq!(memory.accept(import(again.clone())), [format!("{} twin.replaced", press().1)]);
    let disabled = DeviceDefinition { status: DeviceStatus::Disabled, ..device_definition() };
    assert_eq!(memory.accept(import(with_definition(again, disabled))), [format!("{} device.updated", press().0)]);
}

#[test]
fn metadata_and_versions_of_an_export_are_ignored() {
    let mut memory = Memory::new();
    let mut exported = line(ImportMode::Create);
    exported.desired =
        Some(r#"{"a":{"b":1,"$metadata":{"x":1}},"$metadata":{"$lastUpdated":"2026-01-01"},"$version":7}"#.into());
    exported.reported = Some(r#"{"$metadata":{"$lastUpdated":"2026-01-01"},"$version":1}"#.into());
    memory.accept(import(exported));
    assert_eq!(twin_json(&memory, &twin_key("plant", "press")), ["{}", r#"{"a":{"b":1}}"#, "{}"]);
    let mut nested = line(ImportMode::UpdateTwin);
    nested.desired = Some(r#"{"a":{"$version":1}}"#.into());
    memory.refuse(import(nested), Reason::InvalidDocument, "desired_json.a.$version");
}

#[test]
fn each_mode_wants_the_device_there_or_not() {
    use ImportMode::*;
    for (mode, on_missing, on_existing) in [
        (CreateOrUpdate, Ok(3), Ok(2)),
        (CreateOrUpdateIfMatchEtag, Ok(3), Ok(2)),
        (Create, Ok(3), Err(Reason::AlreadyExists)),
        (Update, Err(Reason::NotFound), Ok(2)),
        (UpdateIfMatchEtag, Err(Reason::NotFound), Ok(2)),
        (Delete, Err(Reason::NotFound), Ok(2)),
        (DeleteIfMatchEtag, Err(Reason::NotFound), Ok(2)),
        (UpdateTwin, Err(Reason::NotFound), Ok(1)),
        (UpdateTwinIfMatchEtag, Err(Reason::NotFound), Ok(1)),
    ] {
        let count = |memory: &mut Memory| {
            let changed = DeviceDefinition { status: DeviceStatus::Disabled, ..device_definition() };
            let operation = import(with_definition(full_line(mode), changed));
            memory.carry_out(&operation).map(|changes| changes.len()).map_err(|refusal| refusal.reason)
        };
        assert_eq!(count(&mut Memory::new()), on_missing, "{mode:?} of a missing device");
        let mut memory = Memory::new();
        memory.accept(create_device("plant", "press", device_definition()));
        assert_eq!(count(&mut memory), on_existing, "{mode:?} of a device");
    }
}

#[test]
fn the_twin_alone_leaves_the_identity() {
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", device_definition()));
    let disabled = DeviceDefinition { status: DeviceStatus::Disabled, ..device_definition() };
    memory.accept(import(with_definition(full_line(ImportMode::UpdateTwin), disabled)));
    assert_eq!((device(&memory).definition.status, device(&memory).version), (DeviceStatus::Enabled, 1));
    assert_eq!(memory.accept(import(line(ImportMode::UpdateTwin))), Vec::<String>::new(), "it says nothing");
}

#[test]
fn a_section_that_is_absent_stays() {
    let mut memory = Memory::new();
    memory.accept(import(full_line(ImportMode::Create)));
    let mut only_desired = line(ImportMode::CreateOrUpdate);
    only_desired.desired = Some("{}".into());
    memory.accept(import(only_desired));
    let [tags, desired, reported] = twin_json(&memory, &twin_key("plant", "press"));
    assert_ne!(tags, "{}");
    assert_eq!((desired.as_str(), reported.as_str()), ("{}", r#"{"battery":72}"#));
}

#[test]
fn etags_of_identity_and_twin_are_judged_separately() {
    use ImportMode::*;
    let mut memory = Memory::new();
    memory.accept(import(full_line(Create)));
    let report = Operation::ReportProperties {
        key: twin_key("plant", "press"),
        reported: r#"{"battery":50}"#.into(),
        expected_version: 0,
        from_device: true,
    };
    memory.accept(report);
    let etag = memory.record(&device_key("plant", "press")).etag();
    let twin_etag = memory.record(&twin_key("plant", "press")).etag();
    assert_ne!(etag, twin_etag);

    for (mode, given, given_twin, refused_at) in [
        (UpdateIfMatchEtag, etag.as_str(), twin_etag.as_str(), None),
        (UpdateIfMatchEtag, "7777", twin_etag.as_str(), Some("etag")),
        (UpdateIfMatchEtag, etag.as_str(), "7777", Some("twin_etag")),
        (UpdateIfMatchEtag, "*", "", None),
        (CreateOrUpdateIfMatchEtag, "7777", "*", Some("etag")),
        (CreateOrUpdateIfMatchEtag, "", "7777", Some("twin_etag")),
        (UpdateTwinIfMatchEtag, "7777", twin_etag.as_str(), None),
        (UpdateTwinIfMatchEtag, etag.as_str(), "7777", Some("twin_etag")),
        (DeleteIfMatchEtag, "7777", twin_etag.as_str(), Some("etag")),
        (DeleteIfMatchEtag, etag.as_str(), "7777", None),
        (CreateOrUpdate, "7777", "7777", None),
        (Update, "7777", "7777", None),
        (UpdateTwin, "7777", "7777", None),
        (Delete, "7777", "7777", None),
    ] {
        let line = ImportLine { etag: given.into(), twin_etag: given_twin.into(), ..full_line(mode) };
        let mut memory = memory.clone();
        match refused_at {
            None => drop(memory.accept(import(line))),
            Some(field) => drop(memory.refuse(import(line), Reason::EtagMismatch, field)),
        }
    }
}

#[test]
fn an_update_replaces_the_identity_but_keeps_what_the_format_cannot_say() {
    let rich = DeviceDefinition {
        manufacturer: "Contoso".into(),
        attributes: r#"{"line":4}"#.into(),
        status: DeviceStatus::Disabled,
        status_reason: "spare".into(),
        device_scope: "edge-scope".into(),
        ..reachable_device()
    };
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", rich));
    memory.accept(create_asset("plant", "oven", asset_definition("press")));
    let plain = DeviceDefinition { authentication: sas(None, None), ..device_definition() };
    memory.accept(import(with_definition(line(ImportMode::Update), plain)));
    assert_eq!(
        device(&memory).definition,
        DeviceDefinition {
            manufacturer: "Contoso".into(),
            attributes: r#"{"line":4}"#.into(),
            authentication: sas(Some(1), Some(2)),
            ..reachable_device()
        }
    );
    let authority = DeviceDefinition { authentication: Authentication::CertificateAuthority, ..device_definition() };
    memory.accept(import(with_definition(line(ImportMode::Update), authority)));
    assert_eq!(device(&memory).definition.authentication, Authentication::CertificateAuthority);
    memory.refuse(import(line(ImportMode::Delete)), Reason::DeviceHasAssets, "name");
}

#[test]
fn a_line_may_be_about_a_module() {
    let mut memory = Memory::new();
    let about = |mode, managed_by: &str| ImportLine {
        identity: ImportIdentity::Module {
            module: "vision".into(),
            definition: ModuleDefinition { managed_by: managed_by.into(), authentication: sas(Some(1), None) },
        },
        ..full_line(mode)
    };
    memory.refuse(import(about(ImportMode::CreateOrUpdate, "")), Reason::ParentNotFound, "parent");
    memory.accept(create_device("plant", "press", device_definition()));
    let module = "namespaces/plant/devices/press/modules/vision";
    assert_eq!(
        memory.accept(import(about(ImportMode::CreateOrUpdate, ""))),
        [
            format!("{module} module.created"),
            format!("{module}/twin twin.created"),
            format!("{module}/twin twin.replaced")
        ]
    );
    assert_eq!(memory.accept(import(about(ImportMode::CreateOrUpdate, ""))), Vec::<String>::new());
    assert_eq!(memory.accept(import(about(ImportMode::Update, "IotEdge"))), [format!("{module} module.updated")]);
    assert_eq!(memory.accept(import(about(ImportMode::Delete, ""))).len(), 2);
}

#[test]
fn bad_lines_are_refused_and_change_nothing() {
    let mut memory = Memory::new();
    let create = ImportMode::Create;
    let long = DeviceDefinition { status_reason: "x".repeat(129), ..device_definition() };
    for (line, reason, field) in [
        (ImportLine { namespace: "nowhere".into(), ..line(create) }, Reason::ParentNotFound, "parent"),
        (ImportLine { device: "a b".into(), ..line(create) }, Reason::InvalidId, "device_id"),
        (with_definition(line(create), long), Reason::TooLarge, "device.status_reason"),
        (ImportLine { tags: Some("[]".into()), ..line(create) }, Reason::InvalidJson, "tags_json"),
        (ImportLine { desired: Some("{".into()), ..line(create) }, Reason::InvalidJson, "desired_json"),
        (
            ImportLine { reported: Some(r#"{"a":null}"#.into()), ..line(create) },
            Reason::NullNotAllowed,
            "reported_json.a",
        ),
        (
            ImportLine { tags: Some(format!(r#"{{"a":"{}"}}"#, "x".repeat(1_000_000))), ..line(create) },
            Reason::TooLarge,
            "tags_json.a",
        ),
    ] {
        memory.refuse(import(line), reason, field);
        assert!(!memory.is_alive(&device_key("plant", "press")), "neither part of the line took effect");
    }
}

#[test]
fn nothing_is_imported_into_a_namespace_that_is_being_deleted() {
    let mut memory = Memory::new();
    memory.accept(create_namespace("closing"));
    for n in 0..=muster_domain::limits::NAMESPACE_DELETE_STEP {
        memory.accept(create_device("closing", &format!("d{n}"), device_definition()));
    }
    memory.accept(Operation::DeleteNamespace { namespace: "closing".into(), etag: None, force: true });
    let late = ImportLine { namespace: "closing".into(), ..line(ImportMode::CreateOrUpdate) };
    memory.refuse(import(late), Reason::NamespaceDeleting, "parent");
}
