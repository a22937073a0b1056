//! The edges that are measured, with what each has in its scope: devices with twins as other measurements patch them.

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use http::HeaderValue;
use muster_proto::v1;

use super::link::Edge;
use crate::connections::{Connection, Connections};
use crate::grpc::Method;
use crate::systems::muster::check;
use crate::systems::muster::cluster::Cluster;
use crate::workload::{NAMESPACE, device_id, patch, twin_name};

type CreateNamespace = Method<v1::CreateNamespaceRequest, v1::NamespaceResponse>;
type CreateEdge = Method<v1::CreateEdgeRequest, v1::EdgeResponse>;
type CreateToken = Method<v1::CreateTokenRequest, v1::CreateTokenResponse>;
type CreateDevices = Method<v1::BatchCreateDevicesRequest, v1::BatchDevicesResponse>;
type PatchTwins = Method<v1::BatchPatchTwinsRequest, v1::BatchPatchTwinsResponse>;

/// Devices per batch.
const BATCH: u32 = 500;
/// Calls under way while edges are made.
const TOGETHER: usize = 64;
const CONNECTIONS: usize = 4;

/// Makes `edges` edges with `devices` devices each, all with desired properties; device `n` belongs to edge `n / devices`.
pub(super) async fn create(cluster: &Cluster, edges: u32, devices: u32) -> Result<Vec<Edge>> {
    let connections = Connections::open(&cluster.urls(), CONNECTIONS, cluster.tls()).await?;
    let token = cluster.token();
    let namespace =
        CreateNamespace::new(connections.of(0), "/muster.v1.NamespaceService/CreateNamespace", Some(&token));
    let request = v1::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    namespace.call(&request).await.map_err(anyhow::Error::msg).context("create the namespace")?;
    let made = stream::iter(0..edges)
        .map(|edge| one(connections.clone(), token.clone(), edge))
        .buffered(TOGETHER)
        .try_collect()
        .await?;
    let batches = (0..edges * devices).step_by(BATCH as usize).map(|first| first..(first + BATCH).min(edges * devices));
    stream::iter(batches)
        .map(|numbers| fill(&connections, &token, numbers, devices))
        .buffer_unordered(CONNECTIONS)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(made)
}

pub(super) fn edge_id(edge: u32) -> String {
    format!("edge-{edge:05}")
}

async fn one(connections: Connections, token: HeaderValue, edge: u32) -> Result<Edge> {
    let connection = connections.of(edge as usize);
    let create = CreateEdge::new(connection.clone(), "/muster.v1.EdgeService/CreateEdge", Some(&token));
    let request = v1::CreateEdgeRequest {
        parent: format!("namespaces/{NAMESPACE}"),
        edge_id: edge_id(edge),
        edge: Some(v1::Edge::default()),
        ..Default::default()
    };
    create.call(&request).await.map_err(anyhow::Error::msg).context("create an edge")?;
    let made = new_token(connection, &token, edge).await?;
    let secret = format!("Bearer {made}").parse().context("an edge's token")?;
    Ok(Edge::new(format!("namespaces/{NAMESPACE}/edges/{}", edge_id(edge)), secret))
}

/// Another token of an edge, as text.
pub(super) async fn token(cluster: &Cluster, edge: u32) -> Result<String> {
    let connections = Connections::open(&cluster.urls()[..1], 1, cluster.tls()).await?;
    new_token(connections.of(0), &cluster.token(), edge).await
}

async fn new_token(connection: Connection, admin: &HeaderValue, edge: u32) -> Result<String> {
    let create = CreateToken::new(connection, "/muster.v1.ClusterService/CreateToken", Some(admin));
    let token = v1::Token {
        role: v1::Role::Edge.into(),
        namespace: NAMESPACE.to_owned(),
        edge_id: edge_id(edge),
        ..Default::default()
    };
    let request = v1::CreateTokenRequest { token: Some(token), ..Default::default() };
    Ok(create.call(&request).await.map_err(anyhow::Error::msg).context("create an edge's token")?.secret)
}

async fn fill(
    connections: &Connections,
    token: &HeaderValue,
    numbers: std::ops::Range<u32>,
    devices: u32,
) -> Result<()> {
    let connection = connections.of((numbers.start / BATCH) as usize);
    let parent = format!("namespaces/{NAMESPACE}");
    let create = CreateDevices::new(connection.clone(), "/muster.v1.DeviceService/BatchCreateDevices", Some(token));
    let device = |number: u32| v1::CreateDeviceRequest {
        device_id: device_id(number),
        device: Some(v1::Device {
            edge: edge_id(number / devices),
            authentication: Some(v1::Authentication {
                r#type: v1::AuthenticationType::None.into(),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let requests = numbers.clone().map(device).collect();
    let request = v1::BatchCreateDevicesRequest { parent: parent.clone(), requests, ..Default::default() };
    let created = create.call(&request).await.map_err(anyhow::Error::msg).context("create devices")?;
    check(&created.results, numbers.len())?;
    let patches = PatchTwins::new(connection, "/muster.v1.TwinService/BatchPatchTwins", Some(token));
    let first = |number: u32| v1::PatchTwinRequest {
        name: twin_name(number),
        desired_json: Some(patch(u64::from(number))),
        ..Default::default()
    };
    let requests = numbers.clone().map(first).collect();
    let request = v1::BatchPatchTwinsRequest { parent, requests, ..Default::default() };
    let patched = patches.call(&request).await.map_err(anyhow::Error::msg).context("patch the first twins")?;
    check(&patched.results, numbers.len())
}
