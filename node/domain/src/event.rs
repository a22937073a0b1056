//! Every fact that can follow from a command. Events are immutable and kept; a new kind is added, never changed.

use crate::Key;
use crate::asset::{AssetDefinition, AssetStatus};
use crate::cluster::Cluster;
use crate::cursor::Cursor;
use crate::device::{DeviceDefinition, DeviceStatus, SealedKey};
use crate::discovery::{DiscoveredDeviceDefinition, Report};
use crate::edge::{EdgeDefinition, Refusal};
use crate::module::ModuleDefinition;
use crate::namespace::NamespaceDefinition;
use crate::node::Node;
use crate::retention::RetentionPolicy;
use crate::saved_query::SavedQueryDefinition;
use crate::site::SiteDefinition;
use crate::token::Token;

/// A fact about one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The record.
    pub key: Key,
    /// What happened to it.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// The cluster came to be.
    ClusterInitialized(Cluster),
    /// The cluster was restored from a backup of another one; it has this id and page key now.
    ClusterRestored {
        /// The new cluster's id.
        cluster_id: String,
        /// Key of the checksums in page tokens.
        page_key: [u8; 32],
    },
    /// A token was made.
    TokenCreated(Token),
    /// A token was revoked.
    TokenRevoked,
    /// A cursor was created.
    CursorCreated(Cursor),
    /// Everything up to this revision is dealt with.
    CursorAcknowledged(u64),
    /// A cursor was deleted.
    CursorDeleted,
    /// A saved query was created.
    SavedQueryCreated(SavedQueryDefinition),
    /// A saved query has this definition now.
    SavedQueryUpdated(SavedQueryDefinition),
    /// A saved query was deleted.
    SavedQueryDeleted,
    /// A site was created.
    SiteCreated(SiteDefinition),
    /// A site has this definition now.
    SiteUpdated(SiteDefinition),
    /// A site was deleted.
    SiteDeleted,
    /// An edge was created.
    EdgeCreated(EdgeDefinition),
    /// An edge has this definition now.
    EdgeUpdated(EdgeDefinition),
    /// An edge was deleted.
    EdgeDeleted,
    /// An edge was granted an epoch.
    EdgeSessionOpened {
        /// The store it speaks for.
        incarnation: [u8; 16],
        /// The epoch.
        epoch: u64,
        /// The session that it was granted to.
        session: [u8; 16],
        /// The node that the edge is connected to.
        node_id: u64,
    },
    /// Operations of an edge took effect in this revision, or were refused.
    EdgeUplinkApplied {
        /// The last of them.
        last_sequence: u64,
        /// Those that were refused.
        refusals: Vec<Refusal>,
    },
    /// An edge is gone, and its session with it; the epoch is kept.
    EdgeSessionEnded,
    /// An edge says this of a device that it discovered, endpoints of earlier reports included.
    DiscoveredDeviceReported(Box<Report<DiscoveredDeviceDefinition>>),
    /// An edge says this of an asset that it discovered.
    DiscoveredAssetReported(Box<Report<AssetDefinition>>),
    /// A discovered device or asset was accepted: the real one has this id.
    DiscoveredAccepted(String),
    /// A discovered device or asset was dismissed.
    DiscoveredDismissed,
    /// A discovered device or asset was deleted.
    DiscoveredDeleted,
    /// So many discovered devices and assets of an edge live.
    DiscoveryCounted(u64),
    /// An edge is gone, and the count of what it discovered with it.
    DiscoveryEnded,
    /// A namespace was created.
    NamespaceCreated(NamespaceDefinition),
    /// A namespace has this definition now.
    NamespaceUpdated(NamespaceDefinition),
    /// A forced deletion began.
    NamespaceDeleting,
    /// A namespace was deleted.
    NamespaceDeleted,
    /// A device was created.
    DeviceCreated(Box<DeviceDefinition>),
    /// A device has this definition now.
    DeviceUpdated(Box<DeviceDefinition>),
    /// A device was enabled or disabled.
    DeviceStatusChanged {
        /// The new status.
        status: DeviceStatus,
        /// Why.
        reason: String,
    },
    /// A device has these keys now.
    DeviceKeysRegenerated {
        /// New primary key, if it changed.
        primary: Option<SealedKey>,
        /// New secondary key, if it changed.
        secondary: Option<SealedKey>,
    },
    /// A device was deleted.
    DeviceDeleted,
    /// A module was created.
    ModuleCreated(ModuleDefinition),
    /// A module has this definition now.
    ModuleUpdated(ModuleDefinition),
    /// A module has these keys now.
    ModuleKeysRegenerated {
        /// New primary key, if it changed.
        primary: Option<SealedKey>,
        /// New secondary key, if it changed.
        secondary: Option<SealedKey>,
    },
    /// A module was deleted.
    ModuleDeleted,
    /// An empty twin came to be.
    TwinCreated,
    /// Patches were merged, as JSON text.
    TwinPatched {
        /// Into tags.
        tags: Option<String>,
        /// Into desired.
        desired: Option<String>,
    },
    /// Sections were replaced, as JSON text.
    TwinReplaced {
        /// Tags.
        tags: Option<String>,
        /// Desired.
        desired: Option<String>,
        /// Reported; only an import replaces it.
        reported: Option<String>,
    },
    /// A patch was merged into reported, as JSON text.
    TwinReported(String),
    /// A twin was deleted.
    TwinDeleted,
    /// An asset was created.
    AssetCreated {
        /// What it is.
        definition: Box<AssetDefinition>,
        /// Whether it is in use.
        enabled: bool,
        /// Its uuid.
        uuid: String,
    },
    /// An asset has this definition now.
    AssetUpdated {
        /// What it is.
        definition: Box<AssetDefinition>,
        /// Whether it is in use.
        enabled: bool,
    },
    /// The parts named have this status now.
    AssetStatusUpdated(Box<AssetStatus>),
    /// An asset was deleted.
    AssetDeleted,
    /// The id of a node is taken, and all below it; concerns the cluster.
    NodeIdTaken(u64),
    /// All members know the operations of this level; concerns the cluster.
    FeatureLevelRaised(u32),
    /// A node was admitted.
    NodeAdmitted(Box<Node>),
    /// A node joined.
    NodeJoined {
        /// Names the joining.
        nonce: [u8; 16],
        /// host:port where members reach it.
        peer_address: String,
        /// host:port where clients reach it.
        client_address: String,
    },
    /// A learner is to vote.
    NodePromoted,
    /// A node left for good.
    NodeRemoved {
        /// Its name, for a founder that had no record.
        name: String,
    },
    /// The cluster or a namespace has this retention now.
    RetentionUpdated {
        /// What is kept; `None` when nothing is set any more.
        policy: Option<RetentionPolicy>,
        /// The floor from which it goes on.
        floor: u64,
    },
    /// The past below the floor was closed.
    EventsCompacted {
        /// The oldest revision that can be read.
        floor: u64,
    },
}

impl EventKind {
    /// The stable name, `noun.past_participle`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClusterInitialized(_) => "cluster.initialized",
            Self::ClusterRestored { .. } => "cluster.restored",
            Self::TokenCreated(_) => "token.created",
            Self::TokenRevoked => "token.revoked",
            Self::CursorCreated(_) => "cursor.created",
            Self::CursorAcknowledged(_) => "cursor.acknowledged",
            Self::CursorDeleted => "cursor.deleted",
            Self::SavedQueryCreated(_) => "saved_query.created",
            Self::SavedQueryUpdated(_) => "saved_query.updated",
            Self::SavedQueryDeleted => "saved_query.deleted",
            Self::SiteCreated(_) => "site.created",
            Self::SiteUpdated(_) => "site.updated",
            Self::SiteDeleted => "site.deleted",
            Self::EdgeCreated(_) => "edge.created",
            Self::EdgeUpdated(_) => "edge.updated",
            Self::EdgeDeleted => "edge.deleted",
            Self::EdgeSessionOpened { .. } => "edge_session.opened",
            Self::EdgeUplinkApplied { .. } => "edge_session.uplink_applied",
            Self::EdgeSessionEnded => "edge_session.ended",
            Self::DiscoveredDeviceReported(_) => "discovered_device.reported",
            Self::DiscoveredAssetReported(_) => "discovered_asset.reported",
            Self::DiscoveredAccepted(_) => "discovered.accepted",
            Self::DiscoveredDismissed => "discovered.dismissed",
            Self::DiscoveredDeleted => "discovered.deleted",
            Self::DiscoveryCounted(_) => "discovery.counted",
            Self::DiscoveryEnded => "discovery.ended",
            Self::NamespaceCreated(_) => "namespace.created",
            Self::NamespaceUpdated(_) => "namespace.updated",
            Self::NamespaceDeleting => "namespace.deleting",
            Self::NamespaceDeleted => "namespace.deleted",
            Self::DeviceCreated(_) => "device.created",
            Self::DeviceUpdated(_) => "device.updated",
            Self::DeviceStatusChanged { .. } => "device.status_changed",
            Self::DeviceKeysRegenerated { .. } => "device.keys_regenerated",
            Self::DeviceDeleted => "device.deleted",
            Self::ModuleCreated(_) => "module.created",
            Self::ModuleUpdated(_) => "module.updated",
            Self::ModuleKeysRegenerated { .. } => "module.keys_regenerated",
            Self::ModuleDeleted => "module.deleted",
            Self::TwinCreated => "twin.created",
            Self::TwinPatched { .. } => "twin.patched",
            Self::TwinReplaced { .. } => "twin.replaced",
            Self::TwinReported(_) => "twin.reported",
            Self::TwinDeleted => "twin.deleted",
            Self::AssetCreated { .. } => "asset.created",
            Self::AssetUpdated { .. } => "asset.updated",
            Self::AssetStatusUpdated(_) => "asset.status_updated",
            Self::AssetDeleted => "asset.deleted",
            Self::NodeIdTaken(_) => "cluster.node_id_taken",
            Self::FeatureLevelRaised(_) => "cluster.feature_level_raised",
            Self::NodeAdmitted(_) => "node.admitted",
            Self::NodeJoined { .. } => "node.joined",
            Self::NodePromoted => "node.promoted",
            Self::NodeRemoved { .. } => "node.removed",
            Self::RetentionUpdated { .. } => "retention.updated",
            Self::EventsCompacted { .. } => "events.compacted",
        }
    }
}
