//! The plant of the run: edges with devices of their own, and sites that are served by an edge; and the person at the cluster
//! who wants things of devices, gives them to other edges, and lets other edges serve a site.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_client::{Client, names, proto};
use prost_types::FieldMask;
use rand::Rng;
use rand::rngs::StdRng;

use super::plan::pause;
use super::{NAMESPACE, want};

const DEVICES_OF_AN_EDGE: usize = 3;
/// Edges that serve a site besides their own devices.
const SITES: usize = 4;
const DEVICES_OF_A_SITE: usize = 2;

pub(crate) fn edge(number: usize) -> String {
    format!("e{number:02}")
}

fn device(number: usize) -> String {
    format!("d{number:02}")
}

fn site(number: usize) -> String {
    format!("s{number}")
}

fn devices(edges: usize) -> usize {
    edges * DEVICES_OF_AN_EDGE + SITES * DEVICES_OF_A_SITE
}

/// Makes everything; the first devices are the edges' own.
pub(crate) async fn build(client: &Client, edges: usize) -> anyhow::Result<()> {
    let parent = names::namespace(NAMESPACE);
    let request = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    for number in 0..edges {
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
            site: Some(proto::Site { edge: edge(number % edges), ..Default::default() }),
            ..Default::default()
        };
        client.sites().create(request).await?;
    }
    for number in 0..devices(edges) {
        let (edge, site) = match number.checked_sub(edges * DEVICES_OF_AN_EDGE) {
            None => (edge(number % edges), String::new()),
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

/// What the person at the cluster did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes {
    /// Changes that were made.
    pub made: u64,
    /// Calls that failed; whatever they left is in the history.
    pub failed: u64,
}

/// Changes one thing after the other until `over`.
pub(crate) async fn change(client: Client, edges: usize, mut chance: StdRng, over: Arc<AtomicBool>) -> Changes {
    let mut changes = Changes::default();
    while !over.load(Ordering::SeqCst) {
        pause(&mut chance, 50, 300).await;
        let at = device(chance.random_range(0..devices(edges)));
        let to = edge(chance.random_range(0..edges));
        let wanted = format!(r#"{{"wanted":{}}}"#, changes.made);
        let done = match chance.random_range(0..10) {
            0..6 => want(&client, &at, &wanted).await.map(|_| ()),
            6..9 => move_device(&client, &at, &to).await,
            _ => serve_site(&client, &site(chance.random_range(0..SITES)), &to).await,
        };
        if done.is_ok() {
            changes.made += 1;
        } else {
            changes.failed += 1;
        }
    }
    changes
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
