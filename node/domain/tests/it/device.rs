//! Devices: identity, description, scopes, keys and deletion.

use muster_domain::device::{
    Authentication, Device, DeviceDefinition, DeviceField, DeviceStatus, EndpointAuthentication, InboundEndpoint,
    OutboundEndpoint, SealedKey,
};
use muster_domain::{Body, Operation, Reason, limits};

use crate::asset::{asset_definition, create_asset, delete_asset};
use crate::memory::{
    Memory, create_device, delete_device, device_definition, device_key, endpoint, reachable_device, sas, twin_key,
};

fn device(memory: &Memory) -> Device {
    match &memory.record(&device_key("plant", "press")).body {
        Body::Device(device) => (**device).clone(),
        other => panic!("not a device: {other:?}"),
    }
}

fn update(definition: DeviceDefinition, fields: &[DeviceField]) -> Operation {
    Operation::UpdateDevice {
        namespace: "plant".into(),
        device: "press".into(),
        definition: Box::new(definition),
        fields: fields.to_vec(),
        etag: None,
    }
}

fn all_fields() -> Vec<DeviceField> {
    DeviceField::ALL.iter().map(|(field, _)| *field).collect()
}

fn set_status(status: DeviceStatus, reason: &str) -> Operation {
    let (namespace, device) = ("plant".into(), "press".into());
    Operation::SetDeviceStatus { namespace, device, status, reason: reason.into(), etag: None }
}

fn with_press(definition: DeviceDefinition) -> Memory {
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", definition));
    memory
}

#[test]
fn a_device_comes_with_a_twin() {
    let mut memory = Memory::new();
    assert_eq!(
        memory.accept(create_device("plant", "press", device_definition())),
        ["namespaces/plant/devices/press device.created", "namespaces/plant/devices/press/twin twin.created"]
    );
    assert_eq!((device(&memory).version, device(&memory).status_updated_ms), (1, 3_000));
    memory.refuse(create_device("plant", "press", device_definition()), Reason::AlreadyExists, "device_id");
    memory.refuse(create_device("nowhere", "press", device_definition()), Reason::ParentNotFound, "parent");
    memory.accept(create_device("depot", "press", device_definition()));
}

#[test]
fn an_id_follows_iot_hub() {
    let mut memory = Memory::new();
    for bad in ["", "a b", "a/b", "ä", "a\u{0}", "a\"", &"x".repeat(129)] {
        memory.refuse(create_device("plant", bad, device_definition()), Reason::InvalidId, "device_id");
    }
    memory.accept(create_device("plant", "A-.+%_#*?!(),=@$':;z9", device_definition()));
}

/// Definitions that break one rule, with the refusal they get.
fn bad_definitions() -> Vec<(DeviceDefinition, Reason, &'static str)> {
    let long = |chars: usize| "x".repeat(chars);
    let plain = device_definition;
    let inbound = |name: &str, endpoint: InboundEndpoint| {
        let mut definition = device_definition();
        definition.endpoints.inbound.insert(name.into(), endpoint);
        definition
    };
    let outbound = |endpoint: OutboundEndpoint| {
        let mut definition = device_definition();
        definition.endpoints.outbound_assigned.insert("out".into(), endpoint);
        definition
    };
    let thumbprints = |primary: &str, secondary: &str| DeviceDefinition {
        authentication: Authentication::SelfSigned {
            primary_thumbprint: primary.into(),
            secondary_thumbprint: secondary.into(),
        },
        ..device_definition()
    };
    let authenticated = |authentication| inbound("opc", InboundEndpoint { authentication, ..endpoint() });
    let mut many = device_definition();
    many.endpoints.inbound = (0..=limits::ENDPOINTS_MAX).map(|n| (format!("e{n}"), endpoint())).collect();
    let sha1 = long(0) + &"a1".repeat(20);
    vec![
        (DeviceDefinition { status_reason: long(129), ..plain() }, Reason::TooLarge, "device.status_reason"),
        (DeviceDefinition { external_device_id: long(257), ..plain() }, Reason::TooLarge, "device.external_device_id"),
        (DeviceDefinition { manufacturer: long(257), ..plain() }, Reason::TooLarge, "device.manufacturer"),
        (DeviceDefinition { model: long(257), ..plain() }, Reason::TooLarge, "device.model"),
        (DeviceDefinition { operating_system: long(257), ..plain() }, Reason::TooLarge, "device.operating_system"),
        (
            DeviceDefinition { operating_system_version: long(257), ..plain() },
            Reason::TooLarge,
            "device.operating_system_version",
        ),
        (DeviceDefinition { device_scope: long(257), ..plain() }, Reason::TooLarge, "device.device_scope"),
        (DeviceDefinition { parent_scopes: vec!["s".into()], ..plain() }, Reason::InvalidField, "device.parent_scopes"),
        (
            DeviceDefinition { iot_edge: true, parent_scopes: vec!["s".into(), "t".into()], ..plain() },
            Reason::TooMany,
            "device.parent_scopes",
        ),
        (
            DeviceDefinition { iot_edge: true, parent_scopes: vec![String::new()], ..plain() },
            Reason::InvalidField,
            "device.parent_scopes",
        ),
        (
            DeviceDefinition { iot_edge: true, device_scope: "s".into(), parent_scopes: vec!["s".into()], ..plain() },
            Reason::InvalidField,
            "device.parent_scopes",
        ),
        (thumbprints("", ""), Reason::InvalidField, "device.authentication.x509_thumbprint.primary_thumbprint"),
        (thumbprints("abc", ""), Reason::InvalidField, "device.authentication.x509_thumbprint.primary_thumbprint"),
        (
            thumbprints(&"g".repeat(40), ""),
            Reason::InvalidField,
            "device.authentication.x509_thumbprint.primary_thumbprint",
        ),
        (
            thumbprints(&sha1, &long(64)),
            Reason::InvalidField,
            "device.authentication.x509_thumbprint.secondary_thumbprint",
        ),
        (DeviceDefinition { attributes: "[1]".into(), ..plain() }, Reason::InvalidJson, "device.attributes_json"),
        (
            DeviceDefinition { attributes: r#"{"a":null}"#.into(), ..plain() },
            Reason::NullNotAllowed,
            "device.attributes_json.a",
        ),
        (
            DeviceDefinition { attributes: r#"{"a":{"b":1}}"#.into(), ..plain() },
            Reason::InvalidField,
            "device.attributes_json.a",
        ),
        (
            DeviceDefinition { attributes: format!(r#"{{"a":"{}"}}"#, long(8 * 1024)), ..plain() },
            Reason::TooLarge,
            "device.attributes_json",
        ),
        (
            inbound("opc", InboundEndpoint { address: String::new(), ..endpoint() }),
            Reason::InvalidField,
            "device.endpoints.inbound.opc.address",
        ),
        (
            inbound("opc", InboundEndpoint { address: long(513), ..endpoint() }),
            Reason::TooLarge,
            "device.endpoints.inbound.opc.address",
        ),
        (
            inbound("opc", InboundEndpoint { endpoint_type: String::new(), ..endpoint() }),
            Reason::InvalidField,
            "device.endpoints.inbound.opc.endpoint_type",
        ),
        (
            inbound("opc", InboundEndpoint { additional_configuration: long(8 * 1024 + 1), ..endpoint() }),
            Reason::TooLarge,
            "device.endpoints.inbound.opc.additional_configuration",
        ),
        (inbound("", endpoint()), Reason::InvalidField, "device.endpoints.inbound"),
        (many, Reason::TooMany, "device.endpoints.inbound"),
        (
            authenticated(EndpointAuthentication::Certificate {
                certificate_secret: String::new(),
                key_secret: String::new(),
                intermediates_secret: String::new(),
            }),
            Reason::InvalidField,
            "device.endpoints.inbound.opc.authentication.certificate_secret_name",
        ),
        (
            authenticated(EndpointAuthentication::UsernamePassword {
                username_secret: "user".into(),
                password_secret: String::new(),
            }),
            Reason::InvalidField,
            "device.endpoints.inbound.opc.authentication.password_secret_name",
        ),
        (outbound(OutboundEndpoint::default()), Reason::InvalidField, "device.endpoints.outbound_assigned.out.address"),
    ]
}

#[test]
fn bad_fields_are_refused_by_name_on_create_and_update() {
    for (definition, reason, field) in bad_definitions() {
        let mut memory = with_press(device_definition());
        memory.refuse(create_device("plant", "other", definition.clone()), reason, field);
        let before = memory.clone();
        memory.refuse(update(definition, &all_fields()), reason, field);
        assert_eq!(memory.records, before.records);
    }
}

#[test]
fn an_update_changes_the_fields_it_names() {
    let mut memory = with_press(device_definition());
    let new = DeviceDefinition {
        manufacturer: "Contoso".into(),
        model: "P100".into(),
        attributes: r#"{ "line": 4, "areas": ["a", "b"] }"#.into(),
        uuid: "another".into(),
        ..device_definition()
    };
    memory.accept(update(new, &[DeviceField::Manufacturer, DeviceField::Attributes]));
    let after = device(&memory);
    assert_eq!(after.version, 2);
    assert_eq!(
        after.definition,
        DeviceDefinition {
            manufacturer: "Contoso".into(),
            attributes: r#"{"areas":["a","b"],"line":4}"#.into(),
            ..device_definition()
        }
    );
}

#[test]
fn an_update_never_loses_keys_or_the_uuid() {
    let mut memory = with_press(device_definition());
    let new = DeviceDefinition { authentication: sas(None, Some(9)), uuid: String::new(), ..device_definition() };
    memory.accept(update(new, &all_fields()));
    assert_eq!(device(&memory).definition.authentication, sas(Some(1), Some(9)));
    assert_eq!(device(&memory).definition.uuid, "uuid-1");
}

#[test]
fn the_time_of_the_status_is_that_of_its_last_change() {
    let mut memory = with_press(device_definition());
    let created = device(&memory).status_updated_ms;
    memory.accept(set_status(DeviceStatus::Enabled, ""));
    assert_eq!((device(&memory).status_updated_ms, device(&memory).version), (created, 2), "accepted, but no change");
    memory.accept(set_status(DeviceStatus::Disabled, "stolen"));
    let disabled = device(&memory);
    assert_eq!(disabled.status_updated_ms, memory.revision * crate::memory::STEP_MS);
    assert_eq!(
        (disabled.definition.status, disabled.definition.status_reason.as_str()),
        (DeviceStatus::Disabled, "stolen")
    );
    memory.accept(update(device_definition(), &[DeviceField::Manufacturer]));
    assert_eq!(device(&memory).status_updated_ms, disabled.status_updated_ms);
    memory.accept(update(device_definition(), &[DeviceField::Status]));
    assert!(device(&memory).status_updated_ms > disabled.status_updated_ms);
    memory.refuse(set_status(DeviceStatus::Enabled, &"x".repeat(129)), Reason::TooLarge, "reason");
}

#[test]
fn an_edge_device_gets_a_scope_that_never_changes() {
    let mut memory = with_press(DeviceDefinition { iot_edge: true, ..device_definition() });
    let scope = device(&memory).definition.device_scope;
    assert_eq!(scope, format!("ms-azure-iot-edge://press-{}", memory.revision));

    memory.accept(update(DeviceDefinition { iot_edge: true, ..device_definition() }, &all_fields()));
    assert_eq!(device(&memory).definition.device_scope, scope, "an empty scope keeps it");
    let other = DeviceDefinition { iot_edge: true, device_scope: "other".into(), ..device_definition() };
    memory.refuse(update(other, &all_fields()), Reason::InvalidField, "device.device_scope");

    memory.accept(update(device_definition(), &[DeviceField::IotEdge]));
    assert_eq!(device(&memory).definition.device_scope, "", "a leaf device is not in its own old scope");
}

#[test]
fn a_leaf_device_names_the_scope_of_its_edge_device() {
    let leaf = DeviceDefinition { device_scope: "edge-scope".into(), ..device_definition() };
    let mut memory = with_press(leaf.clone());
    assert_eq!(device(&memory).definition.device_scope, "edge-scope");
    // As IoT Hub exports it.
    let exported = DeviceDefinition { parent_scopes: vec!["edge-scope".into()], ..leaf };
    memory.accept(update(exported, &all_fields()));
    assert_eq!(device(&memory).definition.parent_scopes, Vec::<String>::new());

    memory.accept(update(DeviceDefinition { iot_edge: true, ..device_definition() }, &[DeviceField::IotEdge]));
    assert!(device(&memory).definition.device_scope.starts_with("ms-azure-iot-edge://press-"));
}

#[test]
fn a_scope_that_came_with_an_edge_device_is_kept() {
    let parents = vec!["ms-azure-iot-edge://top-1".to_owned()];
    let scope = "ms-azure-iot-edge://press-637".to_owned();
    let edge = DeviceDefinition { iot_edge: true, device_scope: scope, parent_scopes: parents, ..device_definition() };
    assert_eq!(device(&with_press(edge.clone())).definition, edge);
}

#[test]
fn a_stale_etag_is_refused_with_the_current_one() {
    let mut memory = with_press(device_definition());
    let etag = memory.record(&device_key("plant", "press")).etag();
    memory.accept(set_status(DeviceStatus::Disabled, ""));
    let (namespace, id) = (|| "plant".to_owned(), || "press".to_owned());
    let stale = [
        Operation::UpdateDevice {
            namespace: namespace(),
            device: id(),
            definition: Box::new(device_definition()),
            fields: all_fields(),
            etag: Some(etag.clone()),
        },
        Operation::SetDeviceStatus {
            namespace: namespace(),
            device: id(),
            status: DeviceStatus::Enabled,
            reason: String::new(),
            etag: Some(etag.clone()),
        },
        Operation::DeleteDevice { namespace: namespace(), device: id(), etag: Some(etag.clone()) },
        Operation::RegenerateKeys {
            key: device_key("plant", "press"),
            primary: Some(SealedKey(vec![3])),
            secondary: None,
            etag: Some(etag),
        },
    ];
    for operation in stale {
        let refusal = memory.carry_out(&operation).expect_err("stale");
        assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::EtagMismatch, "etag"));
        assert_eq!(refusal.current, memory.record(&device_key("plant", "press")).etag());
    }
    for any in ["*", ""] {
        let device = id();
        memory.accept(Operation::SetDeviceStatus {
            namespace: namespace(),
            device,
            status: DeviceStatus::Enabled,
            reason: String::new(),
            etag: Some(any.into()),
        });
    }
}

#[test]
fn only_sas_has_keys_to_regenerate() {
    let mut memory = with_press(device_definition());
    let regenerate = |primary: Option<u8>, secondary: Option<u8>| Operation::RegenerateKeys {
        key: device_key("plant", "press"),
        primary: primary.map(|byte| SealedKey(vec![byte])),
        secondary: secondary.map(|byte| SealedKey(vec![byte])),
        etag: None,
    };
    memory.accept(regenerate(None, Some(9)));
    assert_eq!(device(&memory).definition.authentication, sas(Some(1), Some(9)));
    memory.refuse(regenerate(None, None), Reason::InvalidField, "which");
    let authority = DeviceDefinition { authentication: Authentication::CertificateAuthority, ..device_definition() };
    memory.accept(update(authority, &[DeviceField::Authentication]));
    memory.refuse(regenerate(Some(8), None), Reason::InvalidField, "authentication.type");
    let wrong = Operation::RegenerateKeys {
        key: twin_key("plant", "press"),
        primary: Some(SealedKey(vec![3])),
        secondary: None,
        etag: None,
    };
    memory.refuse(wrong, Reason::InvalidField, "name");
}

#[test]
fn what_assets_refer_to_stays() {
    let mut memory = with_press(reachable_device());
    for n in 0..4 {
        memory.accept(create_asset("plant", &format!("asset-{n}"), asset_definition("press")));
    }
    let message = memory.refuse(delete_device("plant", "press"), Reason::DeviceHasAssets, "name");
    assert!(message.contains("assets/asset-0") && message.contains("assets/asset-2"), "{message}");
    assert!(!message.contains("asset-3") && message.contains("and others"), "{message}");

    let removal = update(device_definition(), &[DeviceField::Endpoints]);
    let field = "device.endpoints.inbound.opc";
    let message = memory.refuse(removal.clone(), Reason::InvalidField, field);
    assert!(message.contains("namespaces/plant/assets/asset-0"), "{message}");
    let mut more = reachable_device();
    more.endpoints.inbound.insert("onvif".into(), endpoint());
    memory.accept(update(more, &[DeviceField::Endpoints]));
    memory.accept(update(reachable_device(), &[DeviceField::Endpoints]));

    for n in 0..4 {
        memory.accept(delete_asset("plant", &format!("asset-{n}")));
    }
    memory.accept(removal);
    memory.accept(delete_device("plant", "press"));
}

#[test]
fn versions_go_on_and_generations_differ_over_lives() {
    let mut memory = with_press(device_definition());
    memory.accept(set_status(DeviceStatus::Disabled, ""));
    let first = memory.record(&device_key("plant", "press")).created_revision;
    memory.accept(delete_device("plant", "press"));
    memory.refuse(delete_device("plant", "press"), Reason::NotFound, "name");
    memory.refuse(set_status(DeviceStatus::Enabled, ""), Reason::NotFound, "name");
    memory.refuse(update(device_definition(), &all_fields()), Reason::NotFound, "name");
    memory.accept(create_device("plant", "press", device_definition()));
    assert_eq!(device(&memory).version, 3);
    let second = memory.record(&device_key("plant", "press")).created_revision;
    assert!(second > first);
    let Body::Twin(twin) = &memory.record(&twin_key("plant", "press")).body else { panic!("a twin") };
    assert_eq!((twin.version, twin.desired.version), (2, 2));
}
