//! Bad input of every kind: it is refused with a reason, the field at fault is named, and nothing changes.
//!
//! The files of imports have their cases in `fleet`; this is what comes over the wire.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_client::{CallError, Client, Code, names, proto};
use prost_types::FieldMask;
use tonic::Status;

use crate::table::Table;
use crate::wire;

const NAMESPACE: &str = "plant1";
/// The largest message a node takes, by default.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A namespace with two devices, one of them disabled, a module and an asset.
async fn single() -> anyhow::Result<(Cluster, Client)> {
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    let request = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    let mut pump = device("pump7");
    let inbound = BTreeMap::from([("main".to_owned(), inbound("opc.tcp://pump7"))]);
    pump.device = Some(proto::Device {
        endpoints: Some(proto::Endpoints { inbound, ..Default::default() }),
        ..Default::default()
    });
    client.devices().create(pump).await?;
    client.devices().create(device("off")).await?;
    let name = names::device(NAMESPACE, "off");
    client.devices().disable(proto::SetDeviceStatusRequest { name, ..Default::default() }).await?;
    client.modules().create(module("pump7", "logic")).await?;
    client.assets().create(asset("oven", definition())).await?;
    client.twins().patch(desired("{\"speed\":1}")).await?;
    Ok((cluster, client))
}

fn inbound(address: &str) -> proto::InboundEndpoint {
    proto::InboundEndpoint { address: address.to_owned(), endpoint_type: "OpcUa".to_owned(), ..Default::default() }
}

fn device(id: &str) -> proto::CreateDeviceRequest {
    proto::CreateDeviceRequest {
        parent: names::namespace(NAMESPACE),
        device_id: id.to_owned(),
        ..Default::default()
    }
}

fn device_with(device: proto::Device) -> proto::CreateDeviceRequest {
    proto::CreateDeviceRequest { device: Some(device), ..self::device("new") }
}

fn update(device: proto::Device, paths: &[&str]) -> proto::UpdateDeviceRequest {
    proto::UpdateDeviceRequest { device: Some(device), update_mask: mask(paths), ..Default::default() }
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn module(device: &str, id: &str) -> proto::CreateModuleRequest {
    proto::CreateModuleRequest {
        parent: names::device(NAMESPACE, device),
        module_id: id.to_owned(),
        ..Default::default()
    }
}

fn definition() -> proto::AssetDefinition {
    let device_ref = proto::DeviceRef { device_name: "pump7".to_owned(), endpoint_name: "main".to_owned() };
    let dataset = |name: &str| proto::Dataset { name: name.to_owned(), ..Default::default() };
    proto::AssetDefinition {
        device_ref: Some(device_ref),
        datasets: vec![dataset("heat"), dataset("cold")],
        ..Default::default()
    }
}

fn asset(id: &str, definition: proto::AssetDefinition) -> proto::CreateAssetRequest {
    proto::CreateAssetRequest {
        parent: names::namespace(NAMESPACE),
        asset_id: id.to_owned(),
        asset: Some(proto::Asset { definition: Some(definition), ..Default::default() }),
        ..Default::default()
    }
}

fn desired(json: &str) -> proto::PatchTwinRequest {
    proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, "pump7"),
        desired_json: Some(json.to_owned()),
        ..Default::default()
    }
}

fn replace(json: &str) -> proto::ReplaceTwinRequest {
    let proto::PatchTwinRequest { name, desired_json, .. } = desired(json);
    proto::ReplaceTwinRequest { name, desired_json, ..Default::default() }
}

fn report(json: &str) -> proto::ReportPropertiesRequest {
    let name = names::twin(NAMESPACE, "pump7");
    proto::ReportPropertiesRequest { name, reported_json: json.to_owned(), ..Default::default() }
}

fn invalid<'a>(reason: &'a str, field: &'a str) -> (Code, &'a str, &'a str) {
    (Code::InvalidArgument, reason, field)
}

fn stale(field: &str) -> (Code, &str, &str) {
    (Code::Aborted, "ETAG_MISMATCH", field)
}

/// Revision and chain hash: together they say that nothing at all has changed.
async fn state(client: &Client) -> anyhow::Result<(u64, String)> {
    let hash = client.cluster().chain_hash(proto::GetChainHashRequest::default()).await?;
    Ok((hash.revision, hash.chain_hash))
}

/// Names what changed although it should not have.
async fn check_unchanged(table: &mut Table, client: &Client, before: (u64, String)) -> anyhow::Result<()> {
    let request = proto::ListEventsRequest { from_revision: before.0 + 1, ..Default::default() };
    let events = client.history().list_events(request).await?.events;
    let events: Vec<_> = events.iter().map(|event| (&event.kind, &event.resource, &event.data_json)).collect();
    table.check("nothing changed", events.is_empty(), || format!("{events:?}"));
    table.same("revision and chain hash", state(client).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_that_break_a_rule_are_refused() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (_cluster, client) = single().await?;
    let before = state(&client).await?;
    let mut table = Table::default();
    namespaces(&mut table, &client).await;
    device_ids(&mut table, &client).await;
    device_fields(&mut table, &client).await;
    device_changes(&mut table, &client).await;
    modules(&mut table, &client).await;
    assets(&mut table, &client).await;
    tokens(&mut table, &client).await;
    check_unchanged(&mut table, &client, before).await?;
    table.finish();
    Ok(())
}

async fn namespaces(table: &mut Table, client: &Client) {
    let create = |id: &str, namespace| {
        let request = proto::CreateNamespaceRequest { namespace_id: id.to_owned(), namespace, ..Default::default() };
        async { client.namespaces().create(request).await }
    };
    for id in ["", "ab", "Plant", "plant_1", "plant 1", "-plant", "plant-", "plänt", &"x".repeat(65)] {
        table.refused(&format!("namespace id {id:?}"), &create(id, None).await, invalid("INVALID_ID", "namespace_id"));
    }
    let exists = (Code::AlreadyExists, "ALREADY_EXISTS", "namespace_id");
    table.refused("namespace twice", &create(NAMESPACE, None).await, exists);
    let long = proto::Namespace { display_name: "x".repeat(257), ..Default::default() };
    table.refused("long display name", &create("plant9", Some(long)).await, invalid("TOO_LARGE", "namespace.display_name"));
    let labels = (0..65).map(|label| (format!("l{label}"), String::new())).collect();
    let many = proto::Namespace { labels, ..Default::default() };
    table.refused("65 labels", &create("plant9", Some(many)).await, invalid("TOO_MANY", "namespace.labels"));

    let get = |name: &str| {
        let request = proto::GetNamespaceRequest { name: name.to_owned(), ..Default::default() };
        async { client.namespaces().get(request).await }
    };
    for name in ["", "plant1", "namespaces/", "namespaces/plant1/devices/pump7", "cluster"] {
        table.refused(&format!("namespace name {name:?}"), &get(name).await, invalid("INVALID_FIELD", "name"));
    }
    table.refused("name with a bad id", &get("namespaces/P").await, invalid("INVALID_ID", "name"));
    let missing = (Code::NotFound, "NOT_FOUND", "name");
    table.refused("missing namespace", &get("namespaces/nowhere").await, missing);

    let update = |etag: &str, paths: &[&str]| {
        let namespace = proto::Namespace { name: names::namespace(NAMESPACE), ..Default::default() };
        let request = proto::UpdateNamespaceRequest {
            namespace: Some(namespace),
            update_mask: mask(paths),
            etag: etag.to_owned(),
            ..Default::default()
        };
        async { client.namespaces().update(request).await }
    };
    table.refused("namespace mask", &update("", &["nick_name"]).await, invalid("INVALID_FIELD", "update_mask"));
    let outcome = update("999", &[]).await;
    table.refused("stale namespace etag", &outcome, stale("etag"));
    let outcome = client.namespaces().update(proto::UpdateNamespaceRequest::default()).await;
    table.refused("update of nothing", &outcome, invalid("INVALID_FIELD", "namespace"));
    let name = names::namespace(NAMESPACE);
    let outcome = client.namespaces().delete(proto::DeleteNamespaceRequest { name, ..Default::default() }).await;
    table.refused("namespace in use", &outcome, (Code::FailedPrecondition, "NAMESPACE_NOT_EMPTY", "name"));
}

async fn device_ids(table: &mut Table, client: &Client) {
    for id in ["", "a b", "a/b", "pümp", "a\u{7}", "a\\b", "a\"b", "a|b", "a<b", "a[0]", &"x".repeat(129)] {
        let outcome = client.devices().create(device(id)).await;
        table.refused(&format!("device id {id:?}"), &outcome, invalid("INVALID_ID", "device_id"));
    }
    let exists = (Code::AlreadyExists, "ALREADY_EXISTS", "device_id");
    table.refused("device twice", &client.devices().create(device("pump7")).await, exists);
    let orphan = proto::CreateDeviceRequest { parent: names::namespace("nowhere"), ..device("new") };
    table.refused("unknown namespace", &client.devices().create(orphan).await, (Code::NotFound, "PARENT_NOT_FOUND", "parent"));
    for (parent, reason) in [("", "INVALID_FIELD"), (NAMESPACE, "INVALID_FIELD"), ("namespaces/P", "INVALID_ID")] {
        let request = proto::CreateDeviceRequest { parent: parent.to_owned(), ..device("new") };
        let outcome = client.devices().create(request).await;
        table.refused(&format!("device parent {parent:?}"), &outcome, invalid(reason, "parent"));
    }
}

async fn device_fields(table: &mut Table, client: &Client) {
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
        ("long manufacturer", proto::Device { manufacturer: "x".repeat(257), ..plain() }, invalid("TOO_LARGE", "device.manufacturer")),
        ("long reason", proto::Device { status_reason: "x".repeat(129), ..plain() }, invalid("TOO_LARGE", "device.status_reason")),
        ("unknown status", proto::Device { status: 99, ..plain() }, invalid("INVALID_FIELD", "device.status")),
        ("attributes that are not JSON", attributes("{"), invalid("INVALID_JSON", "device.attributes_json")),
        ("attributes that are no object", attributes("[]"), invalid("INVALID_JSON", "device.attributes_json")),
        ("an attribute's name", attributes("{\"a b\":1}"), invalid("INVALID_FIELD", "device.attributes_json.a b")),
        ("a nested attribute", attributes("{\"a\":{}}"), invalid("INVALID_FIELD", "device.attributes_json.a")),
        ("large attributes", attributes(&format!("{{\"a\":\"{}\"}}", "x".repeat(8_192))), invalid("TOO_LARGE", "device.attributes_json")),
        ("a key that is not base64", key("not base64!"), invalid("INVALID_FIELD", primary)),
        ("a key that is short", key("c2hvcnQ="), invalid("INVALID_FIELD", primary)),
        ("an endpoint without address", endpoint(inbound("")), invalid("INVALID_FIELD", "device.endpoints.inbound.main.address")),
        ("a long address", endpoint(inbound(&"x".repeat(513))), invalid("TOO_LARGE", "device.endpoints.inbound.main.address")),
    ] {
        table.refused(case, &client.devices().create(device_with(device)).await, expected);
    }
    let refused = client.devices().create(device_with(key("bm90IGEga2V5IG5vdCBhIGtleQ"))).await;
    let told = refused.err().map(|error| error.to_string()).unwrap_or_default();
    table.check("a bad key is not repeated", !told.is_empty() && !told.contains("bm90IGEga2V5"), || told);
}

async fn device_changes(table: &mut Table, client: &Client) {
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

async fn modules(table: &mut Table, client: &Client) {
    for id in ["", "a b", "ä", &"x".repeat(129)] {
        let outcome = client.modules().create(module("pump7", id)).await;
        table.refused(&format!("module id {id:?}"), &outcome, invalid("INVALID_ID", "module_id"));
    }
    let exists = (Code::AlreadyExists, "ALREADY_EXISTS", "module_id");
    table.refused("module twice", &client.modules().create(module("pump7", "logic")).await, exists);
    let orphan = (Code::NotFound, "PARENT_NOT_FOUND", "parent");
    table.refused("module of no device", &client.modules().create(module("nothing", "logic")).await, orphan);
    let outcome = client.modules().create(module("pump7", "$edgeHub")).await;
    table.refused("an edge module", &outcome, invalid("INVALID_FIELD", "module_id"));
    let name = names::module(NAMESPACE, "pump7", "nothing");
    let outcome = client.modules().delete(proto::DeleteModuleRequest { name, ..Default::default() }).await;
    table.refused("missing module", &outcome, (Code::NotFound, "NOT_FOUND", "name"));
    let name = names::module(NAMESPACE, "pump7", "logic");
    let request = proto::DeleteModuleRequest { name, etag: "1".to_owned(), ..Default::default() };
    table.refused("stale module etag", &client.modules().delete(request).await, stale("etag"));
}

async fn assets(table: &mut Table, client: &Client) {
    for id in ["", "ab", "Oven", "oven_1", "-oven", &"x".repeat(64)] {
        let outcome = client.assets().create(asset(id, definition())).await;
        table.refused(&format!("asset id {id:?}"), &outcome, invalid("INVALID_ID", "asset_id"));
    }
    let exists = (Code::AlreadyExists, "ALREADY_EXISTS", "asset_id");
    table.refused("asset twice", &client.assets().create(asset("oven", definition())).await, exists);
    let to = |device: &str, endpoint: &str| proto::AssetDefinition {
        device_ref: Some(proto::DeviceRef { device_name: device.to_owned(), endpoint_name: endpoint.to_owned() }),
        ..definition()
    };
    let state_store = proto::Destination {
        target: proto::destination::Target::BrokerStateStore.into(),
        key: "k".to_owned(),
        ..Default::default()
    };
    let event = proto::AssetEvent { name: "e".to_owned(), destinations: vec![state_store], ..Default::default() };
    let group = proto::EventGroup { name: "g".to_owned(), events: vec![event], ..Default::default() };
    let twice = vec![definition().datasets[0].clone(); 2];
    for (case, definition, expected) in [
        ("unknown device", to("nothing", "main"), (Code::NotFound, "PARENT_NOT_FOUND", "asset.definition.device_ref.device_name")),
        ("unknown endpoint", to("pump7", "side"), (Code::NotFound, "PARENT_NOT_FOUND", "asset.definition.device_ref.endpoint_name")),
        ("no device", to("", "main"), invalid("INVALID_FIELD", "asset.definition.device_ref.device_name")),
        ("two of a name", proto::AssetDefinition { datasets: twice, ..definition() }, invalid("INVALID_FIELD", "asset.definition.datasets[1].name")),
        (
            "an event to the state store",
            proto::AssetDefinition { event_groups: vec![group], ..definition() },
            invalid("INVALID_FIELD", "asset.definition.event_groups[0].events[0].destinations[0].target"),
        ),
    ] {
        table.refused(case, &client.assets().create(asset("new", definition)).await, expected);
    }
    let empty = proto::CreateAssetRequest { asset: None, ..asset("new", definition()) };
    table.refused("no asset", &client.assets().create(empty).await, invalid("INVALID_FIELD", "asset"));

    let name = || names::asset(NAMESPACE, "oven");
    let status = |status| {
        let request = proto::UpdateAssetStatusRequest { name: name(), status: Some(status), ..Default::default() };
        async { client.assets().update_status(request).await }
    };
    let unknown = proto::AssetPartStatus {
        kind: proto::AssetPartKind::Dataset.into(),
        name: "nothing".to_owned(),
        ..Default::default()
    };
    let unknown = proto::AssetStatus { parts: vec![unknown], ..Default::default() };
    table.refused("status of no part", &status(unknown).await, invalid("INVALID_FIELD", "status.parts.datasets.nothing"));
    let later = proto::AssetStatus { config_version: 7, ..Default::default() };
    table.refused("status of a later version", &status(later).await, invalid("INVALID_FIELD", "status.config_version"));
    let request = proto::UpdateAssetRequest {
        asset: Some(proto::Asset { name: name(), definition: Some(definition()), ..Default::default() }),
        update_mask: mask(&["definition.dataset"]),
        ..Default::default()
    };
    table.refused("asset mask", &client.assets().update(request).await, invalid("INVALID_FIELD", "update_mask"));
    let request = proto::SetAssetEnabledRequest { name: name(), etag: "1".to_owned(), ..Default::default() };
    table.refused("stale asset etag", &client.assets().disable(request).await, stale("etag"));
}

async fn tokens(table: &mut Table, client: &Client) {
    let create = |token| async {
        let request = proto::CreateTokenRequest { token, ..Default::default() };
        client.cluster().create_token(request).await.map(|_| "a token")
    };
    let token = |role: proto::Role| proto::Token { role: role.into(), ..Default::default() };
    let past = SystemTime::now() - Duration::from_secs(60);
    let device = proto::Token { namespace: NAMESPACE.to_owned(), ..token(proto::Role::Device) };
    let admin = proto::Token { namespace: NAMESPACE.to_owned(), ..token(proto::Role::Admin) };
    let viewer = proto::Token { device_id: "pump7".to_owned(), ..token(proto::Role::Viewer) };
    let late = proto::Token { expire_time: Some(past.into()), ..token(proto::Role::Viewer) };
    let long = proto::Token { description: "x".repeat(129), ..token(proto::Role::Viewer) };
    for (case, token, expected) in [
        ("no token", None, invalid("INVALID_FIELD", "token")),
        ("no role", Some(token(proto::Role::Unspecified)), invalid("INVALID_FIELD", "token.role")),
        ("device of no namespace", Some(token(proto::Role::Device)), invalid("INVALID_FIELD", "token.namespace")),
        ("device without id", Some(device), invalid("INVALID_FIELD", "token.device_id")),
        ("admin of a namespace", Some(admin), invalid("INVALID_FIELD", "token.namespace")),
        ("viewer with a device", Some(viewer), invalid("INVALID_FIELD", "token.device_id")),
        ("expired before it exists", Some(late), invalid("INVALID_FIELD", "token.expire_time")),
        ("long description", Some(long), invalid("TOO_LARGE", "token.description")),
    ] {
        table.refused(case, &create(token).await, expected);
    }
    let request = proto::RevokeTokenRequest { token_id: "nothing".to_owned(), ..Default::default() };
    table.refused("missing token", &client.cluster().revoke_token(request).await, (Code::NotFound, "NOT_FOUND", "token_id"));
}

/// `levels` objects in each other.
fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

/// An object of `values` members of 4,000 bytes each.
fn wide(values: usize) -> String {
    let members: Vec<String> = (0..values).map(|at| format!("\"m{at}\":\"{}\"", "x".repeat(4_000))).collect();
    format!("{{{}}}", members.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_that_break_a_rule_are_refused() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (_cluster, client) = single().await?;
    let before = state(&client).await?;
    let mut table = Table::default();
    let long_key = format!("{{\"{}\":1}}", "k".repeat(1_025));
    let long_value = format!("{{\"a\":{{\"b\":\"{}\"}}}}", "x".repeat(4_097));
    let long_list = format!("{{\"a\":[{}1]}}", "1,".repeat(512));
    let long_key_shown = format!("desired_json.{}", "k".repeat(64));
    let document = "INVALID_DOCUMENT";
    for (json, reason, field) in [
        ("", "INVALID_JSON", "desired_json"),
        ("{", "INVALID_JSON", "desired_json"),
        ("null", "INVALID_JSON", "desired_json"),
        ("[]", "INVALID_JSON", "desired_json"),
        ("7", "INVALID_JSON", "desired_json"),
        ("{'a':1}", "INVALID_JSON", "desired_json"),
        ("{\"a\":1}{\"b\":2}", "INVALID_JSON", "desired_json"),
        ("{\"a\":1,\"a\":2}", "INVALID_JSON", "desired_json"),
        ("{\"a\":\"\u{1}\"}", "INVALID_JSON", "desired_json"),
        ("{\"a\":NaN}", "INVALID_JSON", "desired_json"),
        ("{\"a\":1e999}", "INVALID_JSON", "desired_json"),
        ("{\"a\":9223372036854775808}", "INVALID_JSON", "desired_json"),
        ("{\"a\":99999999999999999999}", "INVALID_JSON", "desired_json"),
        ("{\"a\":{\"b\":[-99999999999999999999]}}", "INVALID_JSON", "desired_json"),
        ("{\"a\":4503599627370496}", document, "desired_json.a"),
        ("{\"a\":{\"b\":-4503599627370497}}", document, "desired_json.a.b"),
        ("{\"a\":[0,4503599627370496]}", document, "desired_json.a[1]"),
        ("{\"a.b\":1}", document, "desired_json.a.b"),
        ("{\"$a\":1}", document, "desired_json.$a"),
        ("{\"a\":{\"b c\":1}}", document, "desired_json.a.b c"),
        ("{\"a\":[{\"b c\":1}]}", document, "desired_json.a[0].b c"),
        ("{\"a\\u0007\":1}", document, "desired_json.a\u{7}"),
        ("{\"a\\u0085\":1}", document, "desired_json.a\u{85}"),
        ("{\"\":1}", document, "desired_json"),
        (&long_key, document, &long_key_shown),
        (&long_value, "TOO_LARGE", "desired_json.a.b"),
        (&long_list, "TOO_LARGE", "desired_json.a"),
        (&nested(11), document, "desired_json.a.a.a.a.a.a.a.a.a.a.a"),
        (&nested(200), "INVALID_JSON", "desired_json"),
        (&wide(9), "TOO_LARGE", "desired_json"),
    ] {
        let case: String = json.chars().take(60).collect();
        table.refused(&format!("patch {case:?}"), &client.twins().patch(desired(json)).await, invalid(reason, field));
        let reported = field.replacen("desired", "reported", 1);
        let outcome = client.twins().report(report(json)).await;
        table.refused(&format!("report {case:?}"), &outcome, invalid(reason, &reported));
        let outcome = client.twins().replace(replace(json)).await;
        table.refused(&format!("replace {case:?}"), &outcome, invalid(reason, field));
    }
    let tags = proto::PatchTwinRequest { desired_json: None, tags_json: Some(wide(3)), ..desired("") };
    table.refused("large tags", &client.twins().patch(tags).await, invalid("TOO_LARGE", "tags_json"));
    let null = client.twins().replace(replace("{\"a\":{\"b\":null}}")).await;
    table.refused("null in a whole section", &null, invalid("NULL_NOT_ALLOWED", "desired_json.a.b"));
    let nothing = proto::PatchTwinRequest { desired_json: None, ..desired("") };
    table.refused("a patch of nothing", &client.twins().patch(nothing).await, invalid("INVALID_FIELD", "tags_json"));
    let huge = client.twins().patch(desired(&wide(500))).await;
    table.refused("2 MB", &huge, invalid("MESSAGE_TOO_LARGE", ""));
    twin_targets(&mut table, &client).await?;
    check_unchanged(&mut table, &client, before).await?;
    table.finish();
    Ok(())
}

/// Twins that are not there, not open to changes, or have moved on.
async fn twin_targets(table: &mut Table, client: &Client) -> anyhow::Result<()> {
    let of = |name: String| proto::PatchTwinRequest { name, ..desired("{\"a\":1}") };
    let missing = (Code::NotFound, "NOT_FOUND", "name");
    let disabled = (Code::FailedPrecondition, "DEVICE_DISABLED", "name");
    for (name, expected) in [
        (names::twin(NAMESPACE, "nothing"), missing),
        (names::module_twin(NAMESPACE, "pump7", "nothing"), missing),
        (names::twin("nowhere", "pump7"), missing),
        (names::twin(NAMESPACE, "off"), disabled),
        (names::asset(NAMESPACE, "oven"), invalid("INVALID_FIELD", "name")),
        (names::namespace(NAMESPACE), invalid("INVALID_FIELD", "name")),
        (names::twin(NAMESPACE, "a b"), invalid("INVALID_ID", "name")),
        (String::new(), invalid("INVALID_FIELD", "name")),
    ] {
        let outcome = client.twins().patch(of(name.clone())).await;
        table.refused(&format!("patch of {name:?}"), &outcome, expected);
    }
    let off = proto::ReportPropertiesRequest { name: names::twin(NAMESPACE, "off"), ..report("{}") };
    table.refused("report of a disabled device", &client.twins().report(off).await, disabled);

    let name = names::twin(NAMESPACE, "pump7");
    let current = client.twins().get(proto::GetTwinRequest { name: name.clone(), ..Default::default() }).await?;
    let current = current.twin.context("a twin")?.etag;
    let patched = client.twins().patch(proto::PatchTwinRequest { etag: "1".to_owned(), ..desired("{}") }).await;
    table.refused("stale patch", &patched, stale("etag"));
    let told = patched.err().and_then(|error| error.current_etag().map(str::to_owned));
    table.same("the current etag is told", told, Some(current.clone()));
    let replaced = client.twins().replace(proto::ReplaceTwinRequest { etag: "x".to_owned(), ..replace("{}") }).await;
    table.refused("stale replace", &replaced, stale("etag"));
    let reported = proto::ReportPropertiesRequest { expected_version: 9, ..report("{}") };
    table.refused("stale report", &client.twins().report(reported).await, stale("expected_version"));
    let request = proto::GetTwinRequest { name, section: 9, ..Default::default() };
    table.refused("unknown section", &client.twins().get(request).await, invalid("INVALID_FIELD", "section"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_break_a_rule_are_refused() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (_cluster, client) = single().await?;
    let once = proto::PatchTwinRequest { request_id: "once".to_owned(), ..desired("{\"once\":1}") };
    client.twins().patch(once.clone()).await?;
    let before = state(&client).await?;
    let mut table = Table::default();

    let other = proto::PatchTwinRequest { desired_json: Some("{\"once\":2}".to_owned()), ..once };
    let reused = (Code::FailedPrecondition, "REQUEST_ID_REUSED", "request_id");
    table.refused("a request id with another body", &client.twins().patch(other).await, reused);
    let request = proto::DeleteDeviceRequest {
        name: names::device(NAMESPACE, "off"),
        request_id: "once".to_owned(),
        ..Default::default()
    };
    table.refused("a request id with another call", &client.devices().delete(request).await, reused);
    for id in [&"x".repeat(129), "tab\there", "ünique"] {
        let request = proto::PatchTwinRequest { request_id: id.to_owned(), ..desired("{\"a\":1}") };
        let outcome = client.twins().patch(request).await;
        table.refused(&format!("request id {id:?}"), &outcome, invalid("INVALID_FIELD", "request_id"));
    }

    let batch = |requests| {
        let request =
            proto::BatchPatchTwinsRequest { parent: names::namespace(NAMESPACE), requests, ..Default::default() };
        async { client.twins().batch_patch(request).await }
    };
    table.refused("a batch of 1,001", &batch(vec![desired("{\"a\":1}"); 1_001]).await, invalid("TOO_MANY", "requests"));
    table.refused("a batch of none", &batch(Vec::new()).await, invalid("INVALID_FIELD", "requests"));
    let devices = (0..1_001).map(|at| device(&format!("n{at}"))).collect();
    let request = proto::BatchCreateDevicesRequest { parent: names::namespace(NAMESPACE), requests: devices, ..Default::default() };
    table.refused("1,001 devices", &client.devices().batch_create(request).await, invalid("TOO_MANY", "requests"));
    let lines = vec![proto::ImportDevice { device_id: "n".to_owned(), ..Default::default() }; 1_001];
    let request = proto::ImportDevicesRequest { parent: names::namespace(NAMESPACE), devices: lines, ..Default::default() };
    table.refused("1,001 lines", &client.devices().import(request).await, invalid("TOO_MANY", "devices"));

    pages(&mut table, &client).await?;
    past(&mut table, &client, before.0).await;
    check_unchanged(&mut table, &client, before).await?;
    table.finish();
    Ok(())
}

async fn pages(table: &mut Table, client: &Client) -> anyhow::Result<()> {
    let all = proto::ListDevicesRequest { parent: names::namespace(NAMESPACE), page_size: 1, ..Default::default() };
    let list = |request: proto::ListDevicesRequest| async { client.devices().list(request).await };
    let token = list(all.clone()).await?.next_page_token;
    let with = |token: &str| proto::ListDevicesRequest { page_token: token.to_owned(), ..all.clone() };
    let bad = invalid("PAGE_TOKEN_INVALID", "page_token");
    let flipped = if token.ends_with('A') { "B" } else { "A" };
    let middle = token.len() / 2;
    let tampered = format!("{}{flipped}{}", &token[..middle], &token[middle + 1..]);
    for (case, page_token) in
        [("nonsense", "nonsense"), ("a cut token", &token[..middle]), ("a changed token", &tampered), ("no text", "\u{0}")]
    {
        table.refused(&format!("page token: {case}"), &list(with(page_token)).await, bad);
    }
    let filtered = proto::ListDevicesRequest { prefix: "p".to_owned(), ..with(&token) };
    table.refused("a token of another filter", &list(filtered).await, bad);
    let request = proto::ListNamespacesRequest { page_token: token.clone(), ..Default::default() };
    table.refused("a token of another list", &client.namespaces().list(request).await, bad);
    table.check("the token itself is good", list(with(&token)).await.is_ok(), || token.clone());

    let negative = proto::ListDevicesRequest { page_size: -1, ..all.clone() };
    table.refused("negative page size", &list(negative).await, invalid("INVALID_FIELD", "page_size"));
    let nowhere = proto::ListDevicesRequest { parent: names::namespace("nowhere"), ..all.clone() };
    table.refused("list of nothing", &list(nowhere).await, (Code::NotFound, "NOT_FOUND", "parent"));
    let status = proto::ListDevicesRequest { status: 9, ..all.clone() };
    table.refused("unknown status", &list(status).await, invalid("INVALID_FIELD", "status"));
    let read = |consistency, min_revision| {
        list(proto::ListDevicesRequest { read: Some(proto::ReadOptions { consistency, min_revision }), ..all.clone() })
    };
    table.refused("unknown consistency", &read(9, 0).await, invalid("INVALID_FIELD", "read.consistency"));
    table.refused("a stray min_revision", &read(1, 7).await, invalid("INVALID_FIELD", "read.min_revision"));
    Ok(())
}

async fn past(table: &mut Table, client: &Client, newest: u64) {
    let events = |request: proto::ListEventsRequest| async { client.history().list_events(request).await };
    let none = proto::ListEventsRequest::default;
    let kinds = proto::ListEventsRequest { kinds: vec!["twin.*".to_owned(), "twin.patchd".to_owned()], ..none() };
    table.refused("unknown kind", &events(kinds).await, invalid("INVALID_FIELD", "kinds[1]"));
    let range = proto::ListEventsRequest { from_revision: 3, to_revision: 2, ..none() };
    table.refused("a range backwards", &events(range).await, invalid("INVALID_FIELD", "from_revision"));
    let resource = proto::ListEventsRequest { resource: "plant1".to_owned(), ..none() };
    table.refused("events of no name", &events(resource).await, invalid("INVALID_FIELD", "resource"));

    let get = |name: &str, revision| {
        let request = proto::GetAtRequest { name: name.to_owned(), revision, ..Default::default() };
        async { client.history().get_at(request).await }
    };
    let twin = names::twin(NAMESPACE, "pump7");
    table.refused("no revision", &get(&twin, 0).await, invalid("INVALID_FIELD", "revision"));
    let future = (Code::OutOfRange, "REVISION_IN_FUTURE", "revision");
    table.refused("a revision to come", &get(&twin, newest + 1).await, future);
    table.refused("the last revision there can be", &get(&twin, u64::MAX).await, future);
    table.refused("before it was made", &get(&twin, 1).await, (Code::NotFound, "NOT_FOUND", "name"));
    table.refused("the past of no name", &get("pump7", 1).await, invalid("INVALID_FIELD", "name"));
    let hash = client.cluster().chain_hash(proto::GetChainHashRequest { revision: newest + 1 }).await;
    table.refused("a hash to come", &hash, future);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_entry_is_refused_alone_or_with_its_whole_batch() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (_cluster, client) = single().await?;
    let mut table = Table::default();
    let before = state(&client).await?;
    let of = |name: String| proto::PatchTwinRequest { name, ..desired("{\"batch\":1}") };
    let (pump, off) = (names::twin(NAMESPACE, "pump7"), names::twin(NAMESPACE, "off"));
    let requests = vec![of(pump.clone()), of(off), of("nonsense".to_owned()), desired("{\"a b\":1}")];
    let patches = proto::BatchPatchTwinsRequest { parent: names::namespace(NAMESPACE), requests, ..Default::default() };
    let devices = vec![device("new1"), device("pump7"), device("a b")];
    let creations =
        proto::BatchCreateDevicesRequest { parent: names::namespace(NAMESPACE), requests: devices, ..Default::default() };

    let mut atomic = proto::BatchPatchTwinsRequest { atomic: true, ..patches.clone() };
    atomic.requests.truncate(2);
    let outcome = client.twins().batch_patch(atomic).await;
    table.refused("atomic patches", &outcome, (Code::FailedPrecondition, "DEVICE_DISABLED", "requests[1].name"));
    let malformed = proto::BatchPatchTwinsRequest { atomic: true, ..patches.clone() };
    let outcome = client.twins().batch_patch(malformed).await;
    table.refused("atomic, malformed", &outcome, invalid("INVALID_FIELD", "requests[2].name"));
    let atomic = proto::BatchCreateDevicesRequest { atomic: true, ..creations.clone() };
    let outcome = client.devices().batch_create(atomic).await;
    table.refused("atomic creations", &outcome, invalid("INVALID_ID", "requests[2].device_id"));
    check_unchanged(&mut table, &client, before.clone()).await?;

    let answer = client.twins().batch_patch(patches).await?;
    let expected =
        [("", ""), ("DEVICE_DISABLED", "requests[1].name"), ("INVALID_FIELD", "requests[2].name"), ("INVALID_DOCUMENT", "requests[3].desired_json.a b")];
    table.same("patches, each for itself", told(&answer.results), expected.map(owned).to_vec());
    table.same("one revision for all", answer.header.map(|header| header.revision), Some(before.0 + 1));
    let answer = client.devices().batch_create(creations).await?;
    let expected = [("", ""), ("ALREADY_EXISTS", "requests[1].device_id"), ("INVALID_ID", "requests[2].device_id")];
    table.same("creations, each for itself", told(&answer.results), expected.map(owned).to_vec());
    table.same("one more revision", state(&client).await?.0, before.0 + 2);

    let line = |id: &str, mode: i32| proto::ImportDevice { device_id: id.to_owned(), mode, ..Default::default() };
    let devices = vec![line("new2", 1), line("a b", 1), line("new3", 99), line("pump7", 2)];
    let request = proto::ImportDevicesRequest { parent: names::namespace(NAMESPACE), devices, ..Default::default() };
    let answer = client.devices().import(request).await?;
    let expected = [("", ""), ("INVALID_ID", "devices[1].device_id"), ("INVALID_FIELD", "devices[2].mode"), ("ALREADY_EXISTS", "devices[3].device_id")];
    table.same("lines, each for itself", told(&answer.results), expected.map(owned).to_vec());

    let nothing_good = proto::BatchDeleteDevicesRequest {
        parent: names::namespace(NAMESPACE),
        requests: vec![proto::DeleteDeviceRequest { name: names::device(NAMESPACE, "nothing"), ..Default::default() }],
        ..Default::default()
    };
    let now = state(&client).await?;
    let answer = client.devices().batch_delete(nothing_good).await?;
    table.same("a batch of one bad entry", told(&answer.results), vec![owned(("NOT_FOUND", "requests[0].name"))]);
    check_unchanged(&mut table, &client, now).await?;
    table.finish();
    Ok(())
}

/// Reason and field of each result; both empty when it was accepted.
fn told(results: &[proto::BatchItemResult]) -> Vec<(String, String)> {
    let error = |result: &proto::BatchItemResult| result.error.clone().unwrap_or_default();
    results.iter().map(error).map(|error| (error.reason, error.field)).collect()
}

fn owned((reason, field): (&str, &str)) -> (String, String) {
    (reason.to_owned(), field.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_none_do_not_hurt_the_node() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (cluster, client) = single().await?;
    let before = state(&client).await?;
    let mut table = Table::default();

    let outcome = client.twins().patch(desired(&"x".repeat(MESSAGE_BYTES_MAX))).await;
    too_large(&mut table, "a message over the limit", &outcome);
    let outcome = client.twins().patch(desired(&"x".repeat(3 * MESSAGE_BYTES_MAX))).await;
    too_large(&mut table, "a message far over the limit", &outcome);

    let token = std::fs::read_to_string(cluster.pki().join("admin.token"))?;
    let channel = wire::anonymous(&cluster)?;
    let patch = "/muster.v1.TwinService/PatchTwin";
    let long = vec![0x0a; 100_000];
    for (case, path, message) in [
        ("bytes that are no message", patch, vec![0xff; 64]),
        ("a field that ends early", patch, vec![0x0a, 0x7f, b'x']),
        ("a length beyond everything", patch, vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ("a field of another type", patch, vec![0x08, 0x01]),
        ("a name that is not UTF-8", patch, vec![0x0a, 0x02, 0xc3, 0x28]),
        ("groups without an end", patch, vec![0x0b; 10_000]),
        ("the same byte over and over", patch, long),
        ("bytes on a stream", "/muster.v1.TwinService/PatchTwinStream", vec![0xff; 64]),
        ("a batch of bytes", "/muster.v1.DeviceService/BatchCreateDevices", vec![0x12, 0x03, 0xff, 0xff, 0xff]),
    ] {
        let outcome = wire::call(&channel, path, Some(token.trim()), message).await;
        let found = outcome.as_ref().err().map(Status::code);
        table.check(case, matches!(found, Some(Code::Internal | Code::InvalidArgument)), || format!("{outcome:?}"));
    }
    let alive = client.twins().patch(desired("{\"alive\":true}")).await;
    table.check("the node goes on", alive.is_ok(), || format!("{alive:?}"));
    table.same("with this change only", state(&client).await?.0, before.0 + 1);
    table.finish();
    Ok(())
}

/// Refused by the transport, which knows no reasons; the message says the limit.
fn too_large<T: Debug>(table: &mut Table, case: &str, outcome: &Result<T, CallError>) {
    let right = outcome.as_ref().is_err_and(|error| {
        matches!(error.code(), Code::OutOfRange | Code::ResourceExhausted)
            && error.message().contains(&MESSAGE_BYTES_MAX.to_string())
            && error.attempts() == 1
    });
    table.check(case, right, || format!("{outcome:?}"));
}
