//! Which edge holds a resource (`sync.md` section 1).
//!
//! - A resource has one edge at most: its own, or that of its site, or for an asset that of its device.
//! - The name of an edge counts whether or not an edge of that name exists: nothing moves elsewhere by a deletion.

use crate::decide::living;
use crate::{Body, Key, States, site};

/// The edge whose scope holds a device, a module, a twin or an asset; `None` for those that no edge holds, for what does
/// not exist, and for every other key.
#[must_use]
pub fn edge_of(states: &dyn States, key: &Key) -> Option<String> {
    match key {
        Key::Device(namespace, device)
        | Key::Module(namespace, device, _)
        | Key::DeviceTwin(namespace, device)
        | Key::ModuleTwin(namespace, device, _) => device_edge(states, namespace, device),
        Key::Asset(namespace, _) => asset_edge(states, namespace, key),
        Key::Cluster
        | Key::Token(_)
        | Key::Cursor(..)
        | Key::SavedQuery(..)
        | Key::Namespace(_)
        | Key::Node(_)
        | Key::Retention
        | Key::NamespaceRetention(_)
        | Key::Site(..)
        | Key::Edge(..)
        | Key::EdgeSession(..)
        | Key::DiscoveredDevice(..)
        | Key::DiscoveredAsset(..)
        | Key::DiscoveryCount(..) => None,
    }
}

fn device_edge(states: &dyn States, namespace: &str, device: &str) -> Option<String> {
    let record = living(states, &Key::Device(namespace.to_owned(), device.to_owned()))?;
    let Body::Device(device) = &record.body else { return None };
    assigned(states, namespace, &device.definition.edge, &device.definition.site)
}

fn asset_edge(states: &dyn States, namespace: &str, key: &Key) -> Option<String> {
    let record = living(states, key)?;
    let Body::Asset(asset) = &record.body else { return None };
    let definition = &asset.definition;
    assigned(states, namespace, &definition.edge, &definition.site)
        .or_else(|| device_edge(states, namespace, &definition.device_ref.device))
}

fn assigned(states: &dyn States, namespace: &str, edge: &str, site: &str) -> Option<String> {
    if edge.is_empty() { site::edge_of(states, namespace, site) } else { Some(edge.to_owned()) }
}
