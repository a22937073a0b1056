//! Devices and assets say where they are: kept, listed, asked for in queries, told in history, moved in one revision.

use anyhow::Context;
use muster_client::{Client, Code, names, proto};

use super::{NAMESPACE, asset, device, edge, mask, move_device, revision, single, site};
use crate::table::Table;

async fn plant(client: &Client) -> anyhow::Result<()> {
    for id in ["press", "paint"] {
        edge(client, id).await?;
    }
    site(client, "plant", "", "press").await?;
    site(client, "hall", "plant", "").await?;
    for (id, edge, site) in [("oven", "press", ""), ("robot", "", "hall"), ("loose", "", ""), ("both", "paint", "hall")]
    {
        device(client, id, edge, site).await?;
    }
    for (id, device, place) in
        [("heat", "oven", ("", "")), ("drum", "loose", ("paint", "")), ("belt", "loose", ("", "hall"))]
    {
        asset(client, id, device, place).await?;
    }
    Ok(())
}

async fn rows(client: &Client, text: &str) -> anyhow::Result<Vec<String>> {
    let request =
        proto::QueryRequest { parent: names::namespace(NAMESPACE), text: text.to_owned(), ..Default::default() };
    Ok(client.queries().query(request).await?.rows_json)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_an_edge_or_a_site_is_found_by_it() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    plant(&client).await?;
    let mut table = Table::default();
    let parent = names::namespace(NAMESPACE);
    for (edge, site, devices, assets) in [
        ("press", "", vec!["oven"], vec![]),
        ("paint", "", vec!["both"], vec!["drum"]),
        ("", "hall", vec!["both", "robot"], vec!["belt"]),
        ("paint", "hall", vec!["both"], vec![]),
        ("nothing", "", vec![], vec![]),
    ] {
        let (edge, site, parent) = (edge.to_owned(), site.to_owned(), parent.clone());
        let case = format!("edge {edge:?}, site {site:?}");
        let request = proto::ListDevicesRequest {
            parent: parent.clone(),
            edge: edge.clone(),
            site: site.clone(),
            ..Default::default()
        };
        let found = client.devices().list(request).await?.devices;
        let found: Vec<_> = found.iter().map(|device| names::last(&device.name)).collect();
        table.same(&format!("devices of {case}"), found, devices);
        let request = proto::ListAssetsRequest { parent, edge, site, ..Default::default() };
        let found = client.assets().list(request).await?.assets;
        let found: Vec<_> = found.iter().map(|asset| names::last(&asset.name)).collect();
        table.same(&format!("assets of {case}"), found, assets);
    }
    for (text, expected) in [
        ("SELECT deviceId FROM devices WHERE edge = 'press'", vec![r#"{"deviceId":"oven"}"#]),
        (
            "SELECT deviceId FROM devices WHERE site = 'hall' ORDER BY deviceId",
            vec![r#"{"deviceId":"both"}"#, r#"{"deviceId":"robot"}"#],
        ),
        (
            "SELECT deviceId FROM devices WHERE NOT IS_DEFINED(edge) AND NOT IS_DEFINED(site)",
            vec![r#"{"deviceId":"loose"}"#],
        ),
        ("SELECT assetName, edge FROM assets WHERE edge = 'paint'", vec![r#"{"assetName":"drum","edge":"paint"}"#]),
        ("SELECT assetName FROM assets WHERE site = 'hall'", vec![r#"{"assetName":"belt"}"#]),
        (
            "SELECT edge, COUNT() AS n FROM devices WHERE IS_DEFINED(edge) GROUP BY edge ORDER BY edge",
            vec![r#"{"edge":"paint","n":1}"#, r#"{"edge":"press","n":1}"#],
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
        table.same(text, rows(&client, text).await?, expected);
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_one_change_that_history_and_watches_tell() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    plant(&client).await?;
    let mut table = Table::default();
    let before = move_device(&client, "loose", ("press", ""), &["edge"]).await?;
    let first = revision(before.header.as_ref())?;
    let moved = move_device(&client, "loose", ("paint", "ignored"), &["edge"]).await?;
    let second = revision(moved.header.as_ref())?;
    let moved = moved.device.context("it")?;
    table.same("where it is, by its mask", (moved.edge.as_str(), moved.site.as_str()), ("paint", ""));
    table.same("one revision", second, first + 1);
    let request = proto::ListEventsRequest { from_revision: second, to_revision: second, ..Default::default() };
    let events = client.history().list_events(request).await?.events;
    let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.resource.as_str())).collect();
    table.same("one event", told, vec![("device.updated", "namespaces/plant1/devices/loose")]);
    let data: serde_json::Value = serde_json::from_str(&events.first().context("an event")?.data_json)?;
    table.same("that says where", data["edge"].as_str(), Some("paint"));
    let past = proto::GetAtRequest { name: names::device(NAMESPACE, "loose"), revision: first, ..Default::default() };
    let was = client.history().get_at(past).await?.resource;
    let was = match was {
        Some(proto::get_at_response::Resource::Device(device)) => device.edge,
        other => anyhow::bail!("{other:?}"),
    };
    table.same("and where it was", was.as_str(), "press");
    let as_of = format!("SELECT deviceId FROM devices AS OF REVISION {first} WHERE edge = 'press' ORDER BY deviceId");
    table.same("also asked of the past", rows(&client, &as_of).await?.len(), 2);

    let definition = proto::AssetDefinition { edge: "press".to_owned(), ..Default::default() };
    let request = proto::UpdateAssetRequest {
        asset: Some(proto::Asset {
            name: names::asset(NAMESPACE, "drum"),
            definition: Some(definition),
            ..Default::default()
        }),
        update_mask: mask(&["definition.edge"]),
        ..Default::default()
    };
    let moved = client.assets().update(request).await?.asset.context("it")?.definition.context("a definition")?;
    let device = moved.device_ref.context("its device")?.device_name;
    table.same("an asset, and only that of it", (moved.edge.as_str(), device.as_str()), ("press", "loose"));
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_does_not_say_where_a_device_is_leaves_it_there() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    plant(&client).await?;
    let import = async |id: &str, device: proto::Device| {
        let line = proto::ImportDevice { device_id: id.to_owned(), device: Some(device), ..Default::default() };
        let parent = names::namespace(NAMESPACE);
        let request = proto::ImportDevicesRequest { parent, devices: vec![line], ..Default::default() };
        anyhow::Ok(client.devices().import(request).await?.results.into_iter().next().context("a result")?)
    };
    let place = async |id: &str| {
        let request = proto::GetDeviceRequest { name: names::device(NAMESPACE, id), ..Default::default() };
        let device = client.devices().get(request).await?.device.context("a device")?;
        anyhow::Ok((device.edge, device.site))
    };
    let owned = |edge: &str, site: &str| (edge.to_owned(), site.to_owned());
    let mut table = Table::default();
    let silent = proto::Device { status_reason: "imported".to_owned(), ..Default::default() };
    table.same("accepted", import("both", silent).await?.error, None);
    table.same("stays", place("both").await?, owned("paint", "hall"));
    let said = proto::Device { edge: "press".to_owned(), ..Default::default() };
    table.same("accepted, too", import("both", said.clone()).await?.error, None);
    table.same("moves", place("both").await?, owned("press", "hall"));
    table.same("made", import("new", said).await?.error, None);
    table.same("made there", place("new").await?, owned("press", ""));
    let wrong = proto::Device { site: "nowhere".to_owned(), ..Default::default() };
    let error = import("both", wrong).await?.error.context("a refusal")?;
    let told = (Code::from(error.code), error.reason.as_str(), error.field.as_str());
    table.same("refused", told, (Code::NotFound, "PARENT_NOT_FOUND", "devices[0].device.site"));
    table.same("and nothing moved", place("both").await?, owned("press", "hall"));
    table.finish();
    Ok(())
}
