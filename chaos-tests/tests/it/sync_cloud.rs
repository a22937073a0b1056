//! Edge sync as the cluster serves it, against an edge written by hand: what `sync.md` says, message by message. The agent has
//! tests of its own.

use std::time::Duration;

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_client::{Client, names, proto};
use prost_types::FieldMask;
use tonic::Status;
use tonic_types::StatusExt;

mod down;
mod edge;
mod endings;
mod opening;
mod refused;
mod repairs;
mod up;
mod verify;

const NAMESPACE: &str = "plant1";
/// How long the next message of a node may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nodes whose heartbeats a test can await, and a namespace with edges.
async fn cluster(nodes: u64, edges: &[&str]) -> anyhow::Result<(Cluster, Client)> {
    cluster_that_beats(nodes, edges, 1_000).await
}

async fn cluster_that_beats(nodes: u64, edges: &[&str], heartbeat_ms: u32) -> anyhow::Result<(Cluster, Client)> {
    let settings = format!("[sync]\nheartbeat_ms = {heartbeat_ms}\n");
    let cluster = Cluster::start(Options { nodes, settings, ..Options::default() }).await?;
    let client = cluster.client()?;
    let request = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    for edge in edges {
        let parent = names::namespace(NAMESPACE);
        let request = proto::CreateEdgeRequest {
            parent,
            edge_id: (*edge).to_owned(),
            edge: Some(proto::Edge::default()),
            ..Default::default()
        };
        client.edges().create(request).await?;
    }
    Ok((cluster, client))
}

/// A device that is held by `edge`, at `site`; both may be empty.
async fn device(client: &Client, id: &str, edge: &str, site: &str) -> anyhow::Result<u64> {
    let endpoint = proto::InboundEndpoint {
        address: "opc.tcp://oven".to_owned(),
        endpoint_type: "Microsoft.OpcUa".to_owned(),
        ..Default::default()
    };
    let endpoints = proto::Endpoints { inbound: [("opc".to_owned(), endpoint)].into(), ..Default::default() };
    let (edge, site) = (edge.to_owned(), site.to_owned());
    let request = proto::CreateDeviceRequest {
        parent: names::namespace(NAMESPACE),
        device_id: id.to_owned(),
        device: Some(proto::Device { edge, site, endpoints: Some(endpoints), ..Default::default() }),
        ..Default::default()
    };
    revision(client.devices().create(request).await?.header.as_ref())
}

/// Gives a device to another edge.
async fn move_device(client: &Client, id: &str, edge: &str) -> anyhow::Result<u64> {
    let device =
        proto::Device { name: names::device(NAMESPACE, id), edge: edge.to_owned(), ..proto::Device::default() };
    let update_mask = mask(&["edge"]);
    let request = proto::UpdateDeviceRequest { device: Some(device), update_mask, ..Default::default() };
    revision(client.devices().update(request).await?.header.as_ref())
}

async fn delete_device(client: &Client, id: &str) -> anyhow::Result<u64> {
    let request = proto::DeleteDeviceRequest { name: names::device(NAMESPACE, id), ..Default::default() };
    revision(client.devices().delete(request).await?.header.as_ref())
}

async fn site(client: &Client, id: &str, parent: &str, edge: &str) -> anyhow::Result<()> {
    let (parent, edge) = (parent.to_owned(), edge.to_owned());
    let request = proto::CreateSiteRequest {
        parent: names::namespace(NAMESPACE),
        site_id: id.to_owned(),
        site: Some(proto::Site { parent, edge, ..Default::default() }),
        ..Default::default()
    };
    client.sites().create(request).await?;
    Ok(())
}

/// From now on another edge serves the site.
async fn serve_site(client: &Client, id: &str, edge: &str) -> anyhow::Result<u64> {
    let site = proto::Site { name: names::site(NAMESPACE, id), edge: edge.to_owned(), ..proto::Site::default() };
    let request = proto::UpdateSiteRequest { site: Some(site), update_mask: mask(&["edge"]), ..Default::default() };
    revision(client.sites().update(request).await?.header.as_ref())
}

/// An asset behind a device.
async fn asset(client: &Client, id: &str, device: &str) -> anyhow::Result<u64> {
    let device_ref = Some(proto::DeviceRef { device_name: device.to_owned(), endpoint_name: "opc".to_owned() });
    let definition = proto::AssetDefinition { device_ref, ..Default::default() };
    let request = proto::CreateAssetRequest {
        parent: names::namespace(NAMESPACE),
        asset_id: id.to_owned(),
        asset: Some(proto::Asset { definition: Some(definition), ..Default::default() }),
        ..Default::default()
    };
    revision(client.assets().create(request).await?.header.as_ref())
}

async fn patch(client: &Client, device: &str, desired: &str) -> anyhow::Result<u64> {
    let request = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, device),
        desired_json: Some(desired.to_owned()),
        ..Default::default()
    };
    revision(client.twins().patch(request).await?.header.as_ref())
}

/// What a device has reported.
async fn reported(client: &Client, device: &str) -> anyhow::Result<serde_json::Value> {
    let request = proto::GetTwinRequest { name: names::twin(NAMESPACE, device), ..Default::default() };
    let twin = client.twins().get(request).await?.twin.context("a twin")?;
    Ok(serde_json::from_str(&twin.reported.context("reported")?.json)?)
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn revision(header: Option<&proto::ResponseHeader>) -> anyhow::Result<u64> {
    Ok(header.context("a header")?.revision)
}

/// The reason of a refusal.
fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}
