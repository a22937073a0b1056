//! Devices: their ids, what is said of them, and changes that come too late or reach for nothing.

use std::collections::BTreeMap;

use muster_client::{Client, Code, names, proto};

use super::{NAMESPACE, device, device_with, inbound, invalid, stale, update};
use crate::table::Table;

pub(super) async fn ids(table: &mut Table, client: &Client) {
    for id in ["", "a b", "a/b", "pümp", "a\u{7}", "a\\b", "a\"b", "a|b", "a<b", "a[0]", &"x".repeat(129)] {
        let outcome = client.devices().create(device(id)).await;
        table.refused(&format!("device id {id:?}"), &outcome, invalid("INVALID_ID", "device_id"));
    }
    let exists = (Code::AlreadyExists, "ALREADY_EXISTS", "device_id");
    table.refused("device twice", &client.devices().create(device("pump7")).await, exists);
    let orphan = proto::CreateDeviceRequest { parent: names::namespace("nowhere"), ..device("new") };
    table.refused(
        "unknown namespace",
        &client.devices().create(orphan).await,
        (Code::NotFound, "PARENT_NOT_FOUND", "parent"),
    );
    for (parent, reason) in [("", "INVALID_FIELD"), (NAMESPACE, "INVALID_FIELD"), ("namespaces/P", "INVALID_ID")] {
        let request = proto::CreateDeviceRequest { parent: parent.to_owned(), ..device("new") };
        let outcome = client.devices().create(request).await;
        table.refused(&format!("device parent {parent:?}"), &outcome, invalid(reason, "parent"));
    }
}

pub(super) async fn fields(table: &mut Table, client: &Client) {
    let key = |primary: &str| proto::Device {
        authentication: Some(proto::Authentication {
            symmetric_key: Some(proto::SymmetricKey { primary_key: primary.to_owned(), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let endpoint = |endpoint| proto::Device {
        endpoints: Some(proto::Endpoints {
            inbound: BTreeMap::from([("main".to_owned(), endpoint)]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let attributes = |json: &str| proto::Device { attributes_json: json.to_owned(), ..Default::default() };
    let plain = proto::Device::default;
    let primary = "device.authentication.symmetric_key.primary_key";
    for (case, device, expected) in [
        (
            "long manufacturer",
            proto::Device { manufacturer: "x".repeat(257), ..plain() },
            invalid("TOO_LARGE", "device.manufacturer"),
        ),
        (
            "long reason",
            proto::Device { status_reason: "x".repeat(129), ..plain() },
            invalid("TOO_LARGE", "device.status_reason"),
        ),
        ("unknown status", proto::Device { status: 99, ..plain() }, invalid("INVALID_FIELD", "device.status")),
        ("attributes that are not JSON", attributes("{"), invalid("INVALID_JSON", "device.attributes_json")),
        ("attributes that are no object", attributes("[]"), invalid("INVALID_JSON", "device.attributes_json")),
        ("an attribute's name", attributes("{\"a b\":1}"), invalid("INVALID_FIELD", "device.attributes_json.a b")),
        ("a nested attribute", attributes("{\"a\":{}}"), invalid("INVALID_FIELD", "device.attributes_json.a")),
        (
            "large attributes",
            attributes(&format!("{{\"a\":\"{}\"}}", "x".repeat(8_192))),
            invalid("TOO_LARGE", "device.attributes_json"),
        ),
        ("a key that is not base64", key("not base64!"), invalid("INVALID_FIELD", primary)),
        ("a key that is short", key("c2hvcnQ="), invalid("INVALID_FIELD", primary)),
        (
            "an endpoint without address",
            endpoint(inbound("")),
            invalid("INVALID_FIELD", "device.endpoints.inbound.main.address"),
        ),
        (
            "a long address",
            endpoint(inbound(&"x".repeat(513))),
            invalid("TOO_LARGE", "device.endpoints.inbound.main.address"),
        ),
    ] {
        table.refused(case, &client.devices().create(device_with(device)).await, expected);
    }
    let refused = client.devices().create(device_with(key("bm90IGEga2V5IG5vdCBhIGtleQ"))).await;
    let told = refused.err().map(|error| error.to_string()).unwrap_or_default();
    table.check("a bad key is not repeated", !told.is_empty() && !told.contains("bm90IGEga2V5"), || told);
}

pub(super) async fn changes(table: &mut Table, client: &Client) {
    let name = || names::device(NAMESPACE, "pump7");
    let pump = || proto::Device { name: name(), ..Default::default() };
    let outcome = client.devices().update(update(pump(), &["manufactorer"])).await;
    table.refused("unknown path", &outcome, invalid("INVALID_FIELD", "update_mask"));
    let hint = outcome.err().map(|error| error.message().to_owned()).unwrap_or_default();
    table.check("the nearest path is named", hint.contains("`manufacturer`"), || hint);
    let outcome = client.devices().update(update(pump(), &["etag"])).await;
    table.refused("an output-only path", &outcome, invalid("INVALID_FIELD", "update_mask"));
    let missing = proto::Device { name: names::device(NAMESPACE, "nothing"), ..Default::default() };
    let outcome = client.devices().update(update(missing, &["model"])).await;
    table.refused("update of a missing device", &outcome, (Code::NotFound, "NOT_FOUND", "name"));
    let in_use = client.devices().update(update(pump(), &["endpoints"])).await;
    table.refused("an endpoint in use", &in_use, invalid("INVALID_FIELD", "device.endpoints.inbound.main"));

    let current = client.devices().get(proto::GetDeviceRequest { name: name(), ..Default::default() }).await;
    let current = current.ok().and_then(|answer| answer.device).map(|device| device.etag);
    let etag = "1".to_owned();
    let request = proto::UpdateDeviceRequest { etag: etag.clone(), ..update(pump(), &["model"]) };
    let updated = client.devices().update(request).await;
    table.refused("stale etag", &updated, stale("etag"));
    let told = updated.err().and_then(|error| error.current_etag().map(str::to_owned));
    table.same("the current etag is told", told, current);
    let request = proto::DeleteDeviceRequest { name: name(), etag: etag.clone(), ..Default::default() };
    table.refused("delete, stale", &client.devices().delete(request).await, stale("etag"));
    let request = proto::SetDeviceStatusRequest { name: name(), etag: etag.clone(), ..Default::default() };
    table.refused("disable, stale", &client.devices().disable(request).await, stale("etag"));
    let both = proto::regenerate_keys_request::Which::Both.into();
    let request = proto::RegenerateKeysRequest { name: name(), which: both, etag, ..Default::default() };
    table.refused("new keys, stale", &client.devices().regenerate_keys(request).await, stale("etag"));

    let request = proto::RegenerateKeysRequest { name: name(), ..Default::default() };
    let outcome = client.devices().regenerate_keys(request).await;
    table.refused("which keys", &outcome, invalid("INVALID_FIELD", "which"));
    let request = proto::SetDeviceStatusRequest { name: name(), reason: "x".repeat(129), ..Default::default() };
    table.refused("long reason", &client.devices().disable(request).await, invalid("TOO_LARGE", "reason"));
    let request = proto::DeleteDeviceRequest { name: name(), ..Default::default() };
    let has_assets = (Code::FailedPrecondition, "DEVICE_HAS_ASSETS", "name");
    table.refused("a device with assets", &client.devices().delete(request).await, has_assets);
    for (name, expected) in [
        ("pump7".to_owned(), invalid("INVALID_FIELD", "name")),
        (names::device(NAMESPACE, "a b"), invalid("INVALID_ID", "name")),
        (names::asset(NAMESPACE, "oven"), invalid("INVALID_FIELD", "name")),
        (names::device(NAMESPACE, "nothing"), (Code::NotFound, "NOT_FOUND", "name")),
    ] {
        let outcome = client.devices().get(proto::GetDeviceRequest { name: name.clone(), ..Default::default() }).await;
        table.refused(&format!("device {name:?}"), &outcome, expected);
    }
}
