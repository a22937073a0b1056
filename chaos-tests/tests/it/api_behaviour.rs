//! What the API promises where nothing breaks; one file per subject, one single-node cluster per test.

use std::fmt::Debug;

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_client::{Client, names, proto};

mod consistency;
mod from_outside;
mod keys;
mod lists;
mod lives;
mod streams;

const NAMESPACE: &str = "plant1";

/// A cluster with one empty namespace.
async fn single() -> anyhow::Result<(Cluster, Client)> {
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    let request = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    Ok((cluster, client))
}

fn device(id: &str) -> proto::CreateDeviceRequest {
    proto::CreateDeviceRequest { parent: names::namespace(NAMESPACE), device_id: id.to_owned(), ..Default::default() }
}

async fn create_devices(client: &Client, ids: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let requests = ids.map(|id| device(&id)).collect();
    let parent = names::namespace(NAMESPACE);
    let request = proto::BatchCreateDevicesRequest { parent, requests, atomic: true, ..Default::default() };
    client.devices().batch_create(request).await?;
    Ok(())
}

fn delete(id: &str) -> proto::DeleteDeviceRequest {
    proto::DeleteDeviceRequest { name: names::device(NAMESPACE, id), ..Default::default() }
}

fn desired(id: &str, json: &str) -> proto::PatchTwinRequest {
    proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, id),
        desired_json: Some(json.to_owned()),
        ..Default::default()
    }
}

async fn twin(client: &Client, name: String) -> anyhow::Result<proto::Twin> {
    client.twins().get(proto::GetTwinRequest { name, ..Default::default() }).await?.twin.context("a twin")
}

async fn events(client: &Client, request: proto::ListEventsRequest) -> anyhow::Result<Vec<proto::Event>> {
    Ok(client.history().list_events(request).await?.events)
}

/// The revision of an answer.
fn revision(header: Option<&proto::ResponseHeader>) -> u64 {
    header.map(|header| header.revision).unwrap_or_default()
}

/// The part of an answer that must be there.
fn present<T: Debug>(part: Option<T>) -> anyhow::Result<T> {
    part.context("a part of the answer is missing")
}
