//! The plant of the run: edges with devices of their own, and sites that are served by an edge; and the person at the cluster
//! who wants things of devices, gives them to other edges, and lets other edges serve a site.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_client::{Client, names, proto};
use prost_types::FieldMask;
use rand::Rng;
use rand::rngs::StdRng;

use super::plan::pause;
use crate::sync::{NAMESPACE, want};

pub(super) const EDGES: usize = 20;
const DEVICES_OF_AN_EDGE: usize = 3;
const SITES: usize = 4;
const DEVICES_OF_A_SITE: usize = 2;

pub(super) fn edge(number: usize) -> String {
    format!("e{number:02}")
}

fn device(number: usize) -> String {
    format!("d{number:02}")
}

fn site(number: usize) -> String {
    format!("s{number}")
}

fn devices() -> usize {
    EDGES * DEVICES_OF_AN_EDGE + SITES * DEVICES_OF_A_SITE
}

/// Makes everything; the first devices are the edges' own.
pub(super) async fn build(client: &Client) -> anyhow::Result<()> {
    let parent = names::namespace(NAMESPACE);
    let request = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    for number in 0..EDGES {
        let request = proto::CreateEdgeRequest {
            parent: parent.clone(),
            edge_id: edge(number),
            edge: Some(proto::Edge::default()),
            ..Default::default()
        };
        client.edges().create(request).await?;
    }
    for number in 0..SITES {
        let request = proto::CreateSiteRequest {
            parent: parent.clone(),
            site_id: site(number),
            site: Some(proto::Site { edge: edge(number), ..Default::default() }),
            ..Default::default()
        };
        client.sites().create(request).await?;
    }
    for number in 0..devices() {
        let (edge, site) = match number.checked_sub(EDGES * DEVICES_OF_AN_EDGE) {
            None => (edge(number % EDGES), String::new()),
            Some(at_a_site) => (String::new(), site(at_a_site % SITES)),
        };
        let request = proto::CreateDeviceRequest {
            parent: parent.clone(),
            device_id: device(number),
            device: Some(proto::Device { edge, site, ..Default::default() }),
            ..Default::default()
        };
        client.devices().create(request).await?;
    }
    Ok(())
}

/// Changes one thing after the other until `over`; how many.
pub(super) async fn change(client: Client, mut chance: StdRng, over: Arc<AtomicBool>) -> anyhow::Result<u64> {
    let mut changes = 0;
    while !over.load(Ordering::SeqCst) {
        pause(&mut chance, 50, 300).await;
        let at = device(chance.random_range(0..devices()));
        let to = edge(chance.random_range(0..EDGES));
        match chance.random_range(0..10) {
            0..6 => {
                want(&client, &at, &format!(r#"{{"wanted":{changes}}}"#)).await?;
            }
            6..9 => move_device(&client, &at, &to).await?,
            _ => serve_site(&client, &site(chance.random_range(0..SITES)), &to).await?,
        }
        changes += 1;
    }
    Ok(changes)
}

fn only_edge() -> Option<FieldMask> {
    Some(FieldMask { paths: vec!["edge".to_owned()] })
}

async fn move_device(client: &Client, id: &str, edge: &str) -> anyhow::Result<()> {
    let device = proto::Device { name: names::device(NAMESPACE, id), edge: edge.to_owned(), ..Default::default() };
    let request = proto::UpdateDeviceRequest { device: Some(device), update_mask: only_edge(), ..Default::default() };
    client.devices().update(request).await?;
    Ok(())
}

async fn serve_site(client: &Client, id: &str, edge: &str) -> anyhow::Result<()> {
    let site = proto::Site { name: names::site(NAMESPACE, id), edge: edge.to_owned(), ..Default::default() };
    let request = proto::UpdateSiteRequest { site: Some(site), update_mask: only_edge(), ..Default::default() };
    client.sites().update(request).await?;
    Ok(())
}
