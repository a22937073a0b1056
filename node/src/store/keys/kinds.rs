//! Prefixes of all records of a kind: of one namespace, of one edge, of the cluster. It knows no record.

use super::{
    ASSET, CURSOR, DEVICE, DISCOVERED_ASSET, DISCOVERED_DEVICE, EDGE, MODULE, NAMESPACE, SAVED_QUERY, SITE,
    in_namespace, push_id,
};

/// Prefix in `states` of a namespace's records of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Cursors.
    Cursor,
    /// Saved queries.
    SavedQuery,
    /// Sites.
    Site,
    /// Edges.
    Edge,
    /// Devices that edges discovered.
    DiscoveredDevice,
    /// Assets that edges discovered.
    DiscoveredAsset,
    /// Devices.
    Device,
    /// Assets.
    Asset,
}

impl Kind {
    /// All of them in the order in which a namespace's contents are told.
    pub const CONTENTS: [Self; 8] = [
        Self::Cursor,
        Self::SavedQuery,
        Self::DiscoveredDevice,
        Self::DiscoveredAsset,
        Self::Edge,
        Self::Site,
        Self::Asset,
        Self::Device,
    ];
}

/// Prefix in `states` of all resources of a kind in a namespace.
#[must_use]
pub fn kind_prefix(kind: Kind, namespace: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    let prefix = match kind {
        Kind::Cursor => CURSOR,
        Kind::SavedQuery => SAVED_QUERY,
        Kind::Site => SITE,
        Kind::Edge => EDGE,
        Kind::DiscoveredDevice => DISCOVERED_DEVICE,
        Kind::DiscoveredAsset => DISCOVERED_ASSET,
        Kind::Device => DEVICE,
        Kind::Asset => ASSET,
    };
    in_namespace(&mut out, prefix, namespace, "");
    out
}

/// Prefix in `states` of all discovered things of an edge; `kind` is one of theirs.
#[must_use]
pub fn discovered_prefix(kind: Kind, namespace: &str, edge: &str) -> Vec<u8> {
    let mut out = kind_prefix(kind, namespace);
    out.extend_from_slice(edge.as_bytes());
    out.push(0);
    out
}

/// Kinds of records that are scanned for whole namespaces at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKind {
    /// Namespaces.
    Namespace,
    /// Devices.
    Device,
    /// Modules.
    Module,
    /// Assets.
    Asset,
    /// Saved queries.
    SavedQuery,
    /// Sites.
    Site,
    /// Edges.
    Edge,
    /// Devices that edges discovered.
    DiscoveredDevice,
    /// Assets that edges discovered.
    DiscoveredAsset,
}

/// Prefix in `states` of all records of a kind, of those of one namespace, and of those whose id begins with `id`. For
/// modules `id` does not count: their device's comes first, by its length. For what edges discovered it is the edge's.
#[must_use]
pub fn state_prefix(kind: StateKind, namespace: Option<&str>, id: &str) -> Vec<u8> {
    let prefix = match kind {
        StateKind::Namespace => NAMESPACE,
        StateKind::Device => DEVICE,
        StateKind::Module => MODULE,
        StateKind::Asset => ASSET,
        StateKind::SavedQuery => SAVED_QUERY,
        StateKind::Site => SITE,
        StateKind::Edge => EDGE,
        StateKind::DiscoveredDevice => DISCOVERED_DEVICE,
        StateKind::DiscoveredAsset => DISCOVERED_ASSET,
    };
    let mut out = vec![prefix];
    match (kind, namespace) {
        (_, None) => {}
        (StateKind::Namespace, Some(namespace)) => out.extend_from_slice(namespace.as_bytes()),
        (StateKind::Module, Some(namespace)) => push_id(&mut out, namespace),
        (
            StateKind::Device
            | StateKind::Asset
            | StateKind::SavedQuery
            | StateKind::Site
            | StateKind::Edge
            | StateKind::DiscoveredDevice
            | StateKind::DiscoveredAsset,
            Some(namespace),
        ) => {
            push_id(&mut out, namespace);
            out.extend_from_slice(id.as_bytes());
        }
    }
    out
}
