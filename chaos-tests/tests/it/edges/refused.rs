//! Bad input about edges and sites: refused with a reason that names the field, and nothing changes.

use muster_client::{Client, Code, names, proto};

use super::{
    NAMESPACE, asset, change_site, create_edge, device, edge, get_edge, mask, move_device, revision, served_by, single,
    site, within,
};
use crate::table::Table;

const MISSING: (Code, &str) = (Code::NotFound, "PARENT_NOT_FOUND");

fn invalid(reason: &'static str, field: &'static str) -> (Code, &'static str, &'static str) {
    (Code::InvalidArgument, reason, field)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_rule_is_refused_by_name_and_changes_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = single().await?;
    edge(&client, "press").await?;
    site(&client, "plant", "", "press").await?;
    device(&client, "oven", "press", "plant").await?;
    asset(&client, "heat", "oven", ("", "")).await?;
    let before = revision(cluster.status_of(1).await?.header.as_ref())?;
    let mut table = Table::default();
    edges(&mut table, &client).await;
    sites(&mut table, &client).await;
    places(&mut table, &client).await;
    table.same("nothing changed", revision(cluster.status_of(1).await?.header.as_ref())?, before);
    table.finish();
    Ok(())
}

async fn edges(table: &mut Table, client: &Client) {
    for id in ["", "Press", "press hall", "press_hall", "pr\u{e4}ss", &"x".repeat(129)] {
        table.refused(&format!("edge id {id:?}"), &edge(client, id).await, invalid("INVALID_ID", "edge_id"));
    }
    let exists = (Code::AlreadyExists, "ALREADY_EXISTS", "edge_id");
    table.refused("edge twice", &edge(client, "press").await, exists);
    for (case, given, expected) in [
        (
            "long display name",
            proto::Edge { display_name: "x".repeat(257), ..Default::default() },
            invalid("TOO_LARGE", "edge.display_name"),
        ),
        (
            "long description",
            proto::Edge { description: "x".repeat(1_025), ..Default::default() },
            invalid("TOO_LARGE", "edge.description"),
        ),
        (
            "attributes that are no object",
            proto::Edge { attributes_json: "[1]".to_owned(), ..Default::default() },
            invalid("INVALID_JSON", "edge.attributes_json"),
        ),
        (
            "large attributes",
            proto::Edge { attributes_json: format!("{{\"a\":\"{}\"}}", "x".repeat(8_192)), ..Default::default() },
            invalid("TOO_LARGE", "edge.attributes_json"),
        ),
    ] {
        table.refused(case, &client.edges().create(create_edge("paint", given.clone())).await, expected);
        let edge = Some(proto::Edge { name: names::edge(NAMESPACE, "press"), ..given });
        let changed = client.edges().update(proto::UpdateEdgeRequest { edge, ..Default::default() }).await;
        table.refused(&format!("{case}, as a change"), &changed, expected);
    }
    let parent = proto::CreateEdgeRequest {
        parent: names::namespace("nowhere"),
        ..create_edge("paint", proto::Edge::default())
    };
    table.refused("in no namespace", &client.edges().create(parent).await, (MISSING.0, MISSING.1, "parent"));
    for name in ["", "press", "namespaces/plant1/sites/plant", "namespaces/plant1/edges/press/session"] {
        let request = proto::GetEdgeRequest { name: name.to_owned(), ..Default::default() };
        table.refused(&format!("name {name:?}"), &client.edges().get(request).await, invalid("INVALID_FIELD", "name"));
        let request = proto::GetEdgeStatusRequest { name: name.to_owned(), ..Default::default() };
        let status = client.edges().status(request).await;
        table.refused(&format!("status of {name:?}"), &status, invalid("INVALID_FIELD", "name"));
    }
    table.refused("missing", &get_edge(client, "nothing").await, (Code::NotFound, "NOT_FOUND", "name"));
    let update = |edge: Option<proto::Edge>, paths: &[&str]| proto::UpdateEdgeRequest {
        edge,
        update_mask: mask(paths),
        ..Default::default()
    };
    let press = proto::Edge { name: names::edge(NAMESPACE, "press"), ..Default::default() };
    for (case, request, field) in [
        ("no edge", update(None, &[]), "edge"),
        ("an edge without a name", update(Some(proto::Edge::default()), &["description"]), "edge.name"),
        ("an unknown path", update(Some(press.clone()), &["epoch"]), "update_mask"),
        ("enabled, but not to what", update(Some(press), &["enabled"]), "edge.enabled"),
    ] {
        table.refused(case, &client.edges().update(request).await, invalid("INVALID_FIELD", field));
    }
    let request = proto::ListEdgesRequest { parent: NAMESPACE.to_owned(), ..Default::default() };
    table.refused("list of a bare id", &client.edges().list(request).await, invalid("INVALID_FIELD", "parent"));
}

async fn sites(table: &mut Table, client: &Client) {
    for id in ["", "Plant", "a b", &"x".repeat(129)] {
        table.refused(&format!("site id {id:?}"), &site(client, id, "", "").await, invalid("INVALID_ID", "site_id"));
    }
    let exists = (Code::AlreadyExists, "ALREADY_EXISTS", "site_id");
    table.refused("site twice", &site(client, "plant", "", "").await, exists);
    let parent = (MISSING.0, MISSING.1, "site.parent");
    table.refused("within nothing", &site(client, "hall", "nowhere", "").await, parent);
    table.refused("moved into nothing", &change_site(client, "plant", within("nowhere"), &["parent"]).await, parent);
    let edge = (MISSING.0, MISSING.1, "site.edge");
    table.refused("served by nothing", &site(client, "hall", "", "nothing").await, edge);
    table.refused("moved to nothing", &change_site(client, "plant", served_by("nothing"), &["edge"]).await, edge);
    let itself = change_site(client, "plant", within("plant"), &["parent"]).await;
    table.refused("within itself", &itself, invalid("INVALID_FIELD", "site.parent"));
    let long = proto::Site { display_name: "x".repeat(257), ..Default::default() };
    let long = change_site(client, "plant", long, &["display_name"]).await;
    table.refused("long display name", &long, invalid("TOO_LARGE", "site.display_name"));
    let attributes = proto::Site { attributes_json: "7".to_owned(), ..Default::default() };
    let attributes = change_site(client, "plant", attributes, &["attributes_json"]).await;
    table.refused("attributes that are no object", &attributes, invalid("INVALID_JSON", "site.attributes_json"));
    let unknown = change_site(client, "plant", proto::Site::default(), &["attributes"]).await;
    table.refused("an unknown path", &unknown, invalid("INVALID_FIELD", "update_mask"));
    let missing = change_site(client, "nowhere", proto::Site::default(), &["description"]).await;
    table.refused("missing", &missing, (Code::NotFound, "NOT_FOUND", "name"));
    let request =
        proto::DeleteSiteRequest { name: names::site(NAMESPACE, "plant"), etag: "1".to_owned(), ..Default::default() };
    let stale = (Code::Aborted, "ETAG_MISMATCH", "etag");
    table.refused("a stale deletion", &client.sites().delete(request).await, stale);
}

async fn places(table: &mut Table, client: &Client) {
    let of_device = |field: &'static str| (MISSING.0, MISSING.1, field);
    table.refused("made at no edge", &device(client, "new", "nothing", "").await, of_device("device.edge"));
    table.refused("made at no site", &device(client, "new", "", "nowhere").await, of_device("device.site"));
    let moved = move_device(client, "oven", ("nothing", ""), &["edge"]).await;
    table.refused("moved to no edge", &moved, of_device("device.edge"));
    let moved = move_device(client, "oven", ("", "nowhere"), &["site"]).await;
    table.refused("moved to no site", &moved, of_device("device.site"));
    let made = asset(client, "cold", "oven", ("nothing", "")).await;
    table.refused("an asset at no edge", &made, of_device("asset.definition.edge"));
    let made = asset(client, "cold", "oven", ("", "nowhere")).await;
    table.refused("an asset at no site", &made, of_device("asset.definition.site"));
    let name = names::asset(NAMESPACE, "heat");
    let definition = Some(proto::AssetDefinition { site: "nowhere".to_owned(), ..Default::default() });
    let request = proto::UpdateAssetRequest {
        asset: Some(proto::Asset { name, definition, ..Default::default() }),
        update_mask: mask(&["definition.site"]),
        ..Default::default()
    };
    table.refused("an asset moved", &client.assets().update(request).await, of_device("asset.definition.site"));
    let saved = "SELECT * FROM devices WHERE edges = 'press'";
    let request =
        proto::QueryRequest { parent: names::namespace(NAMESPACE), text: saved.to_owned(), ..Default::default() };
    table.refused("a member that is none", &client.queries().query(request).await, invalid("QUERY_INVALID", "text"));
}
