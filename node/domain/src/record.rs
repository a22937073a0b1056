//! What is kept of each resource: the fold of its events.

use crate::asset::Asset;
use crate::cluster::Cluster;
use crate::cursor::Cursor;
use crate::device::Device;
use crate::discovery::{DiscoveredAsset, DiscoveredDevice, DiscoveryCount};
use crate::edge::{Edge, EdgeSession};
use crate::module::Module;
use crate::namespace::Namespace;
use crate::node::Node;
use crate::retention::Retention;
use crate::saved_query::SavedQuery;
use crate::site::Site;
use crate::token::Token;
use crate::twin::Twin;

/// The current state of one [`crate::Key`].
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Revision at which this life of the resource began; its `generation_id`, never used twice.
    pub created_revision: u64,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: u64,
    /// Revision of the last change; its etag.
    pub updated_revision: u64,
    /// When it last changed, milliseconds since the epoch.
    pub updated_ms: u64,
    /// What it is.
    pub body: Body,
}

impl Record {
    /// The etag: the revision of the last change, in decimal.
    #[must_use]
    pub fn etag(&self) -> String {
        self.updated_revision.to_string()
    }

    /// Whether the resource exists; a record also remembers resources that were deleted.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !matches!(self.body, Body::Deleted(_))
    }

    /// The version counter: of the definition, for twins of the whole twin, for an edge's session its epoch.
    #[must_use]
    pub fn version(&self) -> u64 {
        match &self.body {
            Body::Cluster(_)
            | Body::Token(_)
            | Body::Cursor(_)
            | Body::Namespace(_)
            | Body::Node(_)
            | Body::DiscoveryCount(_)
            | Body::Retention(_) => 0,
            Body::Device(device) => device.version,
            Body::Module(module) => module.version,
            Body::Twin(twin) => twin.version,
            Body::Asset(asset) => asset.version,
            Body::SavedQuery(query) => query.version,
            Body::Site(site) => site.version,
            Body::Edge(edge) => edge.version,
            Body::EdgeSession(session) => session.epoch,
            Body::DiscoveredDevice(device) => device.version,
            Body::DiscoveredAsset(asset) => asset.version,
            Body::Deleted(tombstone) => tombstone.version,
        }
    }
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// The cluster's settings.
    Cluster(Cluster),
    /// An API token.
    Token(Token),
    /// A cursor.
    Cursor(Cursor),
    /// A saved query.
    SavedQuery(SavedQuery),
    /// A namespace.
    Namespace(Namespace),
    /// A device.
    Device(Box<Device>),
    /// A module.
    Module(Module),
    /// A twin of a device or module.
    Twin(Twin),
    /// An asset.
    Asset(Box<Asset>),
    /// A site.
    Site(Site),
    /// An edge.
    Edge(Edge),
    /// What is kept of an edge's sessions.
    EdgeSession(Box<EdgeSession>),
    /// A device that an edge discovered.
    DiscoveredDevice(Box<DiscoveredDevice>),
    /// An asset that an edge discovered.
    DiscoveredAsset(Box<DiscoveredAsset>),
    /// How many things an edge discovered.
    DiscoveryCount(DiscoveryCount),
    /// A node of the cluster.
    Node(Box<Node>),
    /// How much of the past is kept.
    Retention(Retention),
    /// It was deleted; the counters go on from here when the id is created again.
    Deleted(Tombstone),
}

/// The counters that a deleted resource leaves behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tombstone {
    /// Version of the resource or of the whole twin.
    pub version: u64,
    /// Twins only.
    pub tags_version: u64,
    /// Twins only.
    pub desired_version: u64,
    /// Twins only.
    pub reported_version: u64,
}
