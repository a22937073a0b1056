//! Every change that can be asked for, one by one. A [`crate::Command`] puts some of them together.

use crate::asset::{AssetDefinition, AssetField, AssetStatus};
use crate::cluster::Cluster;
use crate::device::{DeviceDefinition, DeviceField, DeviceStatus, SealedKey};
use crate::discovery::{DiscoveredDeviceDefinition, Report};
use crate::edge::{EdgeDefinition, EdgeField, UplinkChange};
use crate::import::ImportLine;
use crate::module::{ModuleDefinition, ModuleField};
use crate::namespace::{NamespaceDefinition, NamespaceField};
use crate::node::Node;
use crate::retention::RetentionPolicy;
use crate::saved_query::{SavedQueryDefinition, SavedQueryField};
use crate::site::{SiteDefinition, SiteField};
use crate::{Key, token::Token};

/// One change. An `etag` of `None` means "whatever it is now".
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// The first command of a cluster: its settings and its first admin token.
    InitializeCluster {
        /// The settings.
        cluster: Cluster,
        /// Id and content of the first token, if one is wanted.
        token: Option<(String, Token)>,
    },
    /// The first command of a cluster that was restored from a backup: it has a name of its own from here on.
    RestoreCluster {
        /// The new cluster's id.
        cluster_id: String,
        /// A new key of the checksums in page tokens: those of the old cluster are not taken.
        page_key: [u8; 32],
        /// Id and content of an admin token, if one is wanted.
        token: Option<(String, Token)>,
    },
    /// Makes an API token.
    CreateToken {
        /// The token's id.
        id: String,
        /// Role, scope and hash.
        token: Token,
    },
    /// Deletes an API token.
    RevokeToken {
        /// The token's id.
        id: String,
    },
    /// Creates a cursor.
    CreateCursor {
        /// Its namespace; empty for the cluster.
        namespace: String,
        /// Its id.
        cursor: String,
        /// What it is for.
        description: String,
        /// Where it stands; `None`: at the newest revision.
        acknowledged: Option<u64>,
    },
    /// Moves a cursor forward.
    AcknowledgeCursor {
        /// Its namespace; empty for the cluster.
        namespace: String,
        /// Its id.
        cursor: String,
        /// Everything up to here is dealt with.
        revision: u64,
    },
    /// Deletes a cursor.
    DeleteCursor {
        /// Its namespace; empty for the cluster.
        namespace: String,
        /// Its id.
        cursor: String,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Creates a saved query.
    CreateSavedQuery {
        /// Namespace.
        namespace: String,
        /// Its id.
        query: String,
        /// What it asks.
        definition: SavedQueryDefinition,
    },
    /// Changes the given fields of a saved query.
    UpdateSavedQuery {
        /// Namespace.
        namespace: String,
        /// Its id.
        query: String,
        /// The new values.
        definition: SavedQueryDefinition,
        /// Which of them count.
        fields: Vec<SavedQueryField>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Deletes a saved query.
    DeleteSavedQuery {
        /// Namespace.
        namespace: String,
        /// Its id.
        query: String,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Creates a site.
    CreateSite {
        /// Namespace.
        namespace: String,
        /// Its id.
        site: String,
        /// What it is.
        definition: SiteDefinition,
    },
    /// Changes the given fields of a site.
    UpdateSite {
        /// Namespace.
        namespace: String,
        /// Its id.
        site: String,
        /// The new values.
        definition: SiteDefinition,
        /// Which of them count.
        fields: Vec<SiteField>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Deletes a site that no other site is inside of.
    DeleteSite {
        /// Namespace.
        namespace: String,
        /// Its id.
        site: String,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Creates an edge.
    CreateEdge {
        /// Namespace.
        namespace: String,
        /// Its id.
        edge: String,
        /// What it is.
        definition: EdgeDefinition,
    },
    /// Changes the given fields of an edge.
    UpdateEdge {
        /// Namespace.
        namespace: String,
        /// Its id.
        edge: String,
        /// The new values.
        definition: EdgeDefinition,
        /// Which of them count.
        fields: Vec<EdgeField>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Deletes an edge and what is kept of its sessions, but for the epoch.
    DeleteEdge {
        /// Namespace.
        namespace: String,
        /// Its id.
        edge: String,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Grants an edge the next epoch: all older sessions are fenced.
    OpenEdgeSession {
        /// Namespace.
        namespace: String,
        /// The edge's id.
        edge: String,
        /// The store it speaks for.
        incarnation: [u8; 16],
        /// The newest epoch it knows of; 0 before its first.
        known_epoch: u64,
        /// Another one after each welcome that it made durable.
        session: [u8; 16],
        /// The newest operation that it may have sent; 0: none.
        sent_sequence: u64,
        /// The node that it is connected to.
        node_id: u64,
    },
    /// What an edge sends up.
    ApplyUplink {
        /// Namespace.
        namespace: String,
        /// The edge's id.
        edge: String,
        /// The epoch it was granted.
        epoch: u64,
        /// The number of the first operation.
        first_sequence: u64,
        /// The operations, 1 to [`crate::limits::UPLINK_CHANGES_MAX`].
        changes: Vec<UplinkChange>,
    },
    /// What an edge says of a device that it discovered; merged with what it said before.
    ReportDiscoveredDevice {
        /// Namespace.
        namespace: String,
        /// The edge's id.
        edge: String,
        /// The discovered device's id, below the edge.
        device: String,
        /// What the edge says.
        report: Box<Report<DiscoveredDeviceDefinition>>,
    },
    /// What an edge says of an asset that it discovered, in place of what it said before.
    ReportDiscoveredAsset {
        /// Namespace.
        namespace: String,
        /// The edge's id.
        edge: String,
        /// The discovered asset's id, below the edge.
        asset: String,
        /// What the edge says.
        report: Box<Report<AssetDefinition>>,
    },
    /// Makes a real device or asset from a discovered one.
    AcceptDiscovered {
        /// [`Key::DiscoveredDevice`] or [`Key::DiscoveredAsset`].
        key: Key,
        /// Id of the real one; empty: that of the discovered one.
        resource: String,
        /// Its uuid, made by the node that took the request.
        uuid: String,
        /// Expected etag of the discovered one.
        etag: Option<String>,
    },
    /// Says that a discovered device or asset is not wanted.
    DismissDiscovered {
        /// [`Key::DiscoveredDevice`] or [`Key::DiscoveredAsset`].
        key: Key,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Deletes a discovered device or asset.
    DeleteDiscovered {
        /// [`Key::DiscoveredDevice`] or [`Key::DiscoveredAsset`].
        key: Key,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Creates a namespace.
    CreateNamespace {
        /// Its id.
        namespace: String,
        /// What it is.
        definition: NamespaceDefinition,
    },
    /// Changes the given fields of a namespace.
    UpdateNamespace {
        /// Its id.
        namespace: String,
        /// The new values.
        definition: NamespaceDefinition,
        /// Which of them count.
        fields: Vec<NamespaceField>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Deletes a namespace, or takes one step of a forced deletion.
    DeleteNamespace {
        /// Its id.
        namespace: String,
        /// Expected etag.
        etag: Option<String>,
        /// Delete the contents too, at most [`crate::limits::NAMESPACE_DELETE_STEP`] resources per command.
        force: bool,
    },
    /// Creates a device and its twin.
    CreateDevice {
        /// Namespace.
        namespace: String,
        /// Its id.
        device: String,
        /// What it is.
        definition: Box<DeviceDefinition>,
    },
    /// Changes the given fields of a device.
    UpdateDevice {
        /// Namespace.
        namespace: String,
        /// Its id.
        device: String,
        /// The new values.
        definition: Box<DeviceDefinition>,
        /// Which of them count.
        fields: Vec<DeviceField>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Enables or disables a device.
    SetDeviceStatus {
        /// Namespace.
        namespace: String,
        /// Its id.
        device: String,
        /// The new status.
        status: DeviceStatus,
        /// Why.
        reason: String,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Deletes a device, its modules and their twins.
    DeleteDevice {
        /// Namespace.
        namespace: String,
        /// Its id.
        device: String,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Replaces keys of a device or module; the new ones were made by the node that took the request.
    RegenerateKeys {
        /// [`Key::Device`] or [`Key::Module`].
        key: Key,
        /// New primary key.
        primary: Option<SealedKey>,
        /// New secondary key.
        secondary: Option<SealedKey>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Creates a module and its twin.
    CreateModule {
        /// Namespace.
        namespace: String,
        /// Its device.
        device: String,
        /// Its id.
        module: String,
        /// What it is.
        definition: ModuleDefinition,
    },
    /// Changes the given fields of a module.
    UpdateModule {
        /// Namespace.
        namespace: String,
        /// Its device.
        device: String,
        /// Its id.
        module: String,
        /// The new values.
        definition: ModuleDefinition,
        /// Which of them count.
        fields: Vec<ModuleField>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Deletes a module and its twin.
    DeleteModule {
        /// Namespace.
        namespace: String,
        /// Its device.
        device: String,
        /// Its id.
        module: String,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Merges into tags, desired or both.
    PatchTwin {
        /// [`Key::DeviceTwin`] or [`Key::ModuleTwin`].
        key: Key,
        /// Merge patch as JSON text.
        tags: Option<String>,
        /// Merge patch as JSON text.
        desired: Option<String>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Replaces tags, desired or both.
    ReplaceTwin {
        /// [`Key::DeviceTwin`] or [`Key::ModuleTwin`].
        key: Key,
        /// The new section as JSON text.
        tags: Option<String>,
        /// The new section as JSON text.
        desired: Option<String>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Merges into reported.
    ReportProperties {
        /// [`Key::DeviceTwin`] or [`Key::ModuleTwin`].
        key: Key,
        /// Merge patch as JSON text.
        reported: String,
        /// Expected version of reported; 0 means any.
        expected_version: u64,
        /// Whether the device itself sends it: a disabled device is then refused.
        from_device: bool,
    },
    /// One line of an import.
    ImportDevice(Box<ImportLine>),
    /// Creates an asset.
    CreateAsset {
        /// Namespace.
        namespace: String,
        /// Its id.
        asset: String,
        /// What it is.
        definition: Box<AssetDefinition>,
        /// Whether it is in use.
        enabled: bool,
        /// Its uuid, made by the node that took the request when the caller gave none.
        uuid: String,
    },
    /// Changes the given fields of an asset.
    UpdateAsset {
        /// Namespace.
        namespace: String,
        /// Its id.
        asset: String,
        /// The new values.
        definition: Box<AssetDefinition>,
        /// The new value of `enabled`, if that is asked for.
        enabled: Option<bool>,
        /// Which fields of the definition count.
        fields: Vec<AssetField>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Deletes an asset.
    DeleteAsset {
        /// Namespace.
        namespace: String,
        /// Its id.
        asset: String,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Replaces the status of the parts it names.
    UpdateAssetStatus {
        /// Namespace.
        namespace: String,
        /// The asset's id.
        asset: String,
        /// The new status.
        status: Box<AssetStatus>,
    },
    /// Admits a node to the cluster; decide chooses its id.
    AdmitNode {
        /// Name, role, what it replaces, and the token's hash and end; the rest does not count.
        node: Box<Node>,
        /// The highest id among the members, as the node that took the request knows them.
        members_max: u64,
    },
    /// A node joins with its token.
    UseJoinToken {
        /// Its id.
        node_id: u64,
        /// BLAKE3 of the token's secret.
        token_hash: [u8; 32],
        /// Names this joining; another one may not use the token again.
        nonce: [u8; 16],
        /// host:port where members reach it.
        peer_address: String,
        /// host:port where clients reach it.
        client_address: String,
    },
    /// A learner is to vote.
    PromoteNode {
        /// Its id.
        node_id: u64,
    },
    /// A node leaves for good.
    RemoveNode {
        /// Its id.
        node_id: u64,
        /// Its name, for a founder that has no record yet.
        name: String,
    },
    /// All members know the operations of this level.
    RaiseFeatureLevel {
        /// The new level.
        level: u32,
    },
    /// Sets how much of the past is kept.
    SetRetention {
        /// Of this namespace; `None` means the cluster.
        namespace: Option<String>,
        /// `None` takes the policy away.
        policy: Option<RetentionPolicy>,
        /// Expected etag.
        etag: Option<String>,
    },
    /// Closes the past below a revision.
    CompactEvents {
        /// Of this namespace; `None` means the cluster.
        namespace: Option<String>,
        /// The oldest revision that can be read from then on.
        floor: u64,
    },
}
