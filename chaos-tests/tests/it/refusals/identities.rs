//! Ids and fields of everything that has a name.

use std::time::{Duration, SystemTime};

use muster_client::{Client, Code, names, proto};

use super::{NAMESPACE, assets, check_unchanged, devices, invalid, mask, module, single, stale, state};
use crate::table::Table;

#[tokio::test(flavor = "multi_thread")]
async fn identities_that_break_a_rule_are_refused() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let before = state(&client).await?;
    let mut table = Table::default();
    namespaces(&mut table, &client).await;
    devices::ids(&mut table, &client).await;
    devices::fields(&mut table, &client).await;
    devices::changes(&mut table, &client).await;
    modules(&mut table, &client).await;
    assets::definitions(&mut table, &client).await;
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
    table.refused(
        "long display name",
        &create("plant9", Some(long)).await,
        invalid("TOO_LARGE", "namespace.display_name"),
    );
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
    let edge = proto::Token { namespace: NAMESPACE.to_owned(), ..token(proto::Role::Edge) };
    let both = proto::Token { edge_id: "hall4".to_owned(), device_id: "pump7".to_owned(), ..edge.clone() };
    let operator = proto::Token { edge_id: "hall4".to_owned(), ..token(proto::Role::Operator) };
    let spelled = proto::Token { edge_id: "Hall 4".to_owned(), ..edge.clone() };
    let late = proto::Token { expire_time: Some(past.into()), ..token(proto::Role::Viewer) };
    let long = proto::Token { description: "x".repeat(129), ..token(proto::Role::Viewer) };
    for (case, token, expected) in [
        ("no token", None, invalid("INVALID_FIELD", "token")),
        ("no role", Some(token(proto::Role::Unspecified)), invalid("INVALID_FIELD", "token.role")),
        ("device of no namespace", Some(token(proto::Role::Device)), invalid("INVALID_FIELD", "token.namespace")),
        ("device without id", Some(device), invalid("INVALID_FIELD", "token.device_id")),
        ("edge of no namespace", Some(token(proto::Role::Edge)), invalid("INVALID_FIELD", "token.namespace")),
        ("edge without id", Some(edge), invalid("INVALID_FIELD", "token.edge_id")),
        ("edge with a device", Some(both), invalid("INVALID_FIELD", "token.device_id")),
        ("operator with an edge", Some(operator), invalid("INVALID_FIELD", "token.edge_id")),
        ("edge of a bad id", Some(spelled), invalid("INVALID_ID", "token.edge_id")),
        ("admin of a namespace", Some(admin), invalid("INVALID_FIELD", "token.namespace")),
        ("viewer with a device", Some(viewer), invalid("INVALID_FIELD", "token.device_id")),
        ("expired before it exists", Some(late), invalid("INVALID_FIELD", "token.expire_time")),
        ("long description", Some(long), invalid("TOO_LARGE", "token.description")),
    ] {
        table.refused(case, &create(token).await, expected);
    }
    let request = proto::RevokeTokenRequest { token_id: "nothing".to_owned(), ..Default::default() };
    table.refused(
        "missing token",
        &client.cluster().revoke_token(request).await,
        (Code::NotFound, "NOT_FOUND", "token_id"),
    );
}
