//! Edges and sites as the registry keeps them: definitions, who is where, who may see it, and the command line. Streams of
//! edges are tested elsewhere.

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_client::{CallError, Client, names, proto};
use prost_types::FieldMask;

mod assigned;
mod command_line;
mod defined;
mod discovered;
mod discovered_cli;
mod door;
mod refused;
mod sites;
mod told;

const NAMESPACE: &str = "plant1";

/// One node and a namespace.
async fn single() -> anyhow::Result<(Cluster, Client)> {
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    namespace(&client).await?;
    Ok((cluster, client))
}

async fn namespace(client: &Client) -> anyhow::Result<()> {
    let request = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    Ok(())
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn create_edge(id: &str, edge: proto::Edge) -> proto::CreateEdgeRequest {
    let (parent, edge_id) = (names::namespace(NAMESPACE), id.to_owned());
    proto::CreateEdgeRequest { parent, edge_id, edge: Some(edge), ..Default::default() }
}

async fn edge(client: &Client, id: &str) -> Result<proto::EdgeResponse, CallError> {
    client.edges().create(create_edge(id, proto::Edge::default())).await
}

async fn get_edge(client: &Client, id: &str) -> Result<proto::EdgeResponse, CallError> {
    let name = names::edge(NAMESPACE, id);
    client.edges().get(proto::GetEdgeRequest { name, ..Default::default() }).await
}

async fn edge_status(client: &Client, id: &str) -> Result<proto::GetEdgeStatusResponse, CallError> {
    let name = names::edge(NAMESPACE, id);
    client.edges().status(proto::GetEdgeStatusRequest { name, ..Default::default() }).await
}

async fn delete_edge(client: &Client, id: &str) -> Result<proto::DeleteEdgeResponse, CallError> {
    let name = names::edge(NAMESPACE, id);
    client.edges().delete(proto::DeleteEdgeRequest { name, ..Default::default() }).await
}

/// A site within `parent` that `edge` serves; both may be empty.
async fn site(client: &Client, id: &str, parent: &str, edge: &str) -> Result<proto::SiteResponse, CallError> {
    let (parent, edge) = (parent.to_owned(), edge.to_owned());
    let request = proto::CreateSiteRequest {
        parent: names::namespace(NAMESPACE),
        site_id: id.to_owned(),
        site: Some(proto::Site { parent, edge, ..Default::default() }),
        ..Default::default()
    };
    client.sites().create(request).await
}

/// Changes what `paths` name of a site.
async fn change_site(
    client: &Client,
    id: &str,
    site: proto::Site,
    paths: &[&str],
) -> Result<proto::SiteResponse, CallError> {
    let site = Some(proto::Site { name: names::site(NAMESPACE, id), ..site });
    client.sites().update(proto::UpdateSiteRequest { site, update_mask: mask(paths), ..Default::default() }).await
}

async fn delete_site(client: &Client, id: &str) -> Result<proto::DeleteSiteResponse, CallError> {
    let name = names::site(NAMESPACE, id);
    client.sites().delete(proto::DeleteSiteRequest { name, ..Default::default() }).await
}

fn within(parent: &str) -> proto::Site {
    proto::Site { parent: parent.to_owned(), ..Default::default() }
}

fn served_by(edge: &str) -> proto::Site {
    proto::Site { edge: edge.to_owned(), ..Default::default() }
}

/// A device that is held by `edge`, at `site`; both may be empty.
async fn device(client: &Client, id: &str, edge: &str, site: &str) -> Result<proto::DeviceResponse, CallError> {
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
    client.devices().create(request).await
}

/// Moves a device.
async fn move_device(
    client: &Client,
    id: &str,
    (edge, site): (&str, &str),
    paths: &[&str],
) -> Result<proto::DeviceResponse, CallError> {
    let (edge, site) = (edge.to_owned(), site.to_owned());
    let device = proto::Device { name: names::device(NAMESPACE, id), edge, site, ..Default::default() };
    let request = proto::UpdateDeviceRequest { device: Some(device), update_mask: mask(paths), ..Default::default() };
    client.devices().update(request).await
}

/// An asset behind a device.
async fn asset(
    client: &Client,
    id: &str,
    device: &str,
    (edge, site): (&str, &str),
) -> Result<proto::AssetResponse, CallError> {
    let device_ref = Some(proto::DeviceRef { device_name: device.to_owned(), endpoint_name: "opc".to_owned() });
    let (edge, site) = (edge.to_owned(), site.to_owned());
    let definition = proto::AssetDefinition { device_ref, edge, site, ..Default::default() };
    let request = proto::CreateAssetRequest {
        parent: names::namespace(NAMESPACE),
        asset_id: id.to_owned(),
        asset: Some(proto::Asset { definition: Some(definition), ..Default::default() }),
        ..Default::default()
    };
    client.assets().create(request).await
}

fn revision(header: Option<&proto::ResponseHeader>) -> anyhow::Result<u64> {
    Ok(header.context("a header")?.revision)
}
