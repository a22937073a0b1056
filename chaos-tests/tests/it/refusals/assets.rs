//! Assets: what they refer to must be there, and names within them are unique.

use muster_client::{Client, Code, names, proto};

use super::{NAMESPACE, asset, definition, invalid, mask, stale};
use crate::table::Table;

pub(super) async fn definitions(table: &mut Table, client: &Client) {
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
        (
            "unknown device",
            to("nothing", "main"),
            (Code::NotFound, "PARENT_NOT_FOUND", "asset.definition.device_ref.device_name"),
        ),
        (
            "unknown endpoint",
            to("pump7", "side"),
            (Code::NotFound, "PARENT_NOT_FOUND", "asset.definition.device_ref.endpoint_name"),
        ),
        ("no device", to("", "main"), invalid("INVALID_FIELD", "asset.definition.device_ref.device_name")),
        (
            "two of a name",
            proto::AssetDefinition { datasets: twice, ..definition() },
            invalid("INVALID_FIELD", "asset.definition.datasets[1].name"),
        ),
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
    table.refused(
        "status of no part",
        &status(unknown).await,
        invalid("INVALID_FIELD", "status.parts.datasets.nothing"),
    );
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
