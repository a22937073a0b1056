//! Bad input of every kind: it is refused with a reason, the field at fault is named, and nothing changes.
//!
//! The files of imports have their cases in `fleet`; this is what comes over the wire.

use std::collections::BTreeMap;

use muster_chaos::cluster::{Cluster, Options};
use muster_client::{Client, Code, names, proto};
use prost_types::FieldMask;

use crate::table::Table;

mod assets;
mod batches;
mod devices;
mod identities;
mod messages;
mod requests;
mod twins;

const NAMESPACE: &str = "plant1";

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
    proto::CreateDeviceRequest { parent: names::namespace(NAMESPACE), device_id: id.to_owned(), ..Default::default() }
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
