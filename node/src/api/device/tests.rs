//! What the device service makes of requests before the domain sees them.

use std::sync::Arc;

use muster_domain::device::Authentication;

use super::*;
use crate::ids_source::{IdsSource, SeededIds};
use crate::secrets::Sealer;

fn with_keys<T>(run: impl FnOnce(KeyMaker<'_>) -> T) -> T {
    let ids: Arc<dyn IdsSource> = Arc::new(SeededIds::new(1));
    let sealer = Sealer::from_key(&[1; 32], Arc::clone(&ids));
    run(KeyMaker::new(&sealer, &*ids))
}

fn decode_create(request: v1::CreateDeviceRequest) -> Result<(Key, Operation), Rejection> {
    with_keys(|keys| create(keys, "plant1".to_owned(), request))
}

fn decode_update(request: v1::UpdateDeviceRequest) -> Result<(Key, Operation), Rejection> {
    with_keys(|keys| update(keys, request))
}

fn new(device: v1::Device) -> v1::CreateDeviceRequest {
    v1::CreateDeviceRequest {
        device_id: "pump7".to_owned(),
        device: Some(device),
        ..v1::CreateDeviceRequest::default()
    }
}

fn authenticated(authentication: v1::Authentication) -> v1::Device {
    v1::Device { authentication: Some(authentication), ..v1::Device::default() }
}

fn change(device: v1::Device, paths: &[&str]) -> v1::UpdateDeviceRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    v1::UpdateDeviceRequest {
        device: Some(v1::Device { name: "namespaces/plant1/devices/pump7".to_owned(), ..device }),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..v1::UpdateDeviceRequest::default()
    }
}

fn definition(operation: Operation) -> muster_domain::device::DeviceDefinition {
    match operation {
        Operation::CreateDevice { definition, .. } | Operation::UpdateDevice { definition, .. } => *definition,
        other => panic!("not about a device: {other:?}"),
    }
}

#[test]
fn bad_input_names_its_field_and_its_rule() {
    let key = |primary: &str| v1::SymmetricKey { primary_key: primary.to_owned(), ..v1::SymmetricKey::default() };
    let thumbprint = v1::X509Thumbprint { primary_thumbprint: "a".repeat(40), secondary_thumbprint: String::new() };
    let sas = |symmetric_key| v1::Authentication { symmetric_key, ..v1::Authentication::default() };
    let of_type = |r#type: v1::AuthenticationType| v1::Authentication { r#type: r#type.into(), ..Default::default() };
    let creations = [
        (v1::CreateDeviceRequest { device_id: String::new(), ..new(v1::Device::default()) }, "device_id", "1 to 128"),
        (v1::CreateDeviceRequest { device_id: "a/b".to_owned(), ..new(v1::Device::default()) }, "device_id", "'/'"),
        (v1::CreateDeviceRequest { device_id: "x".repeat(129), ..new(v1::Device::default()) }, "device_id", "129"),
        (new(v1::Device { status: 7, ..v1::Device::default() }), "device.status", "unknown value 7"),
        (
            new(authenticated(v1::Authentication { r#type: 9, ..v1::Authentication::default() })),
            "device.authentication.type",
            "unknown value 9",
        ),
        (
            new(authenticated(sas(Some(key("not base64!"))))),
            "device.authentication.symmetric_key.primary_key",
            "base64",
        ),
        (
            new(authenticated(sas(Some(key("AAAA"))))),
            "device.authentication.symmetric_key.primary_key",
            "16 to 64 bytes",
        ),
        (
            new(authenticated(v1::Authentication {
                symmetric_key: Some(key(&"A".repeat(44))),
                ..of_type(v1::AuthenticationType::SelfSigned)
            })),
            "device.authentication.symmetric_key",
            "SAS",
        ),
        (
            new(authenticated(v1::Authentication {
                x509_thumbprint: Some(thumbprint),
                ..of_type(v1::AuthenticationType::CertificateAuthority)
            })),
            "device.authentication.x509_thumbprint",
            "SELF_SIGNED",
        ),
    ];
    for (request, field, rule) in creations {
        let refusal = decode_create(request).expect_err(field);
        assert_eq!(refusal.field, field);
        assert!(refusal.message.contains(rule), "{field}: {}", refusal.message);
        assert_eq!(super::super::status::code(refusal.reason), tonic::Code::InvalidArgument);
    }
    let updates = [
        (v1::UpdateDeviceRequest::default(), "device", "required"),
        (change(v1::Device::default(), &["modle"]), "update_mask", "`model`?"),
        (change(v1::Device::default(), &["etag"]), "update_mask", "unknown path"),
        (
            v1::UpdateDeviceRequest { device: Some(v1::Device::default()), ..Default::default() },
            "device.name",
            "required",
        ),
    ];
    for (request, field, rule) in updates {
        let refusal = decode_update(request).expect_err(field);
        assert_eq!(refusal.field, field);
        assert!(refusal.message.contains(rule), "{field}: {}", refusal.message);
    }
}

#[test]
fn a_creation_gets_keys_and_a_uuid() {
    let (key, operation) = decode_create(new(v1::Device::default())).expect("good");
    assert_eq!(key.to_string(), "namespaces/plant1/devices/pump7");
    let definition = definition(operation);
    assert_eq!(definition.uuid.len(), 36);
    let Authentication::Sas { primary: Some(primary), secondary: Some(secondary) } = definition.authentication else {
        panic!("keys are made")
    };
    assert_ne!(primary, secondary);
}

#[test]
fn an_update_leaves_keys_alone_that_it_does_not_give() {
    let given = authenticated(v1::Authentication::default());
    let (_, operation) = decode_update(change(given, &["authentication"])).expect("good");
    let definition = definition(operation);
    assert_eq!(definition.authentication, Authentication::Sas { primary: None, secondary: None });
    assert_eq!(definition.uuid, "", "a uuid is made once");
}

#[test]
fn an_update_of_everything_spares_an_authentication_that_is_left_out() {
    let fields = |request| match decode_update(request).expect("good").1 {
        Operation::UpdateDevice { fields, .. } => fields,
        other => panic!("not an update: {other:?}"),
    };
    let all = fields(change(v1::Device::default(), &[]));
    assert!(!all.contains(&DeviceField::Authentication));
    assert_eq!(all.len(), DeviceField::ALL.len() - 1);
    assert!(fields(change(authenticated(v1::Authentication::default()), &[])).contains(&DeviceField::Authentication));
    assert_eq!(fields(change(v1::Device::default(), &["authentication"])), [DeviceField::Authentication]);
}

#[test]
fn thumbprints_are_kept_in_lower_case() {
    let given = authenticated(v1::Authentication {
        r#type: v1::AuthenticationType::SelfSigned.into(),
        x509_thumbprint: Some(v1::X509Thumbprint {
            primary_thumbprint: "AB".repeat(20),
            secondary_thumbprint: String::new(),
        }),
        symmetric_key: None,
    });
    let (_, operation) = decode_create(new(given)).expect("good");
    let Authentication::SelfSigned { primary_thumbprint, .. } = definition(operation).authentication else {
        panic!("self-signed")
    };
    assert_eq!(primary_thumbprint, "ab".repeat(20));
}
