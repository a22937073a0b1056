//! One row for every RPC: the least a caller must be. Deny by default; a test walks the descriptors and fails for an RPC
//! without a row.

use muster_domain::policy::{Principal, Role};

/// The least a caller must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nobody is asked who they are.
    Public,
    /// Any authenticated caller, devices included; the handler checks which resource.
    Anyone,
    /// An edge, and nobody else: not even an admin speaks for one. The handler checks which.
    Edge,
    /// A viewer, operator or admin.
    Viewer,
    /// An operator or admin.
    Operator,
    /// An admin.
    Admin,
}

impl Access {
    /// Whether `principal` is that much.
    #[must_use]
    pub fn admits(self, principal: &Principal) -> bool {
        let role = match principal {
            Principal::Node(_) => return false,
            Principal::User { role, .. } => *role,
            Principal::Device { .. } => Role::Device,
            Principal::Edge { .. } => Role::Edge,
        };
        match self {
            Self::Public | Self::Anyone => true,
            Self::Edge => role == Role::Edge,
            Self::Viewer => matches!(role, Role::Viewer | Role::Operator | Role::Admin),
            Self::Operator => matches!(role, Role::Operator | Role::Admin),
            Self::Admin => role == Role::Admin,
        }
    }
}

/// The rows: full method name, access.
pub const ROWS: &[(&str, Access)] = &[
    ("/muster.v1.WatchService/Watch", Access::Anyone),
    ("/muster.v1.CursorService/CreateCursor", Access::Operator),
    ("/muster.v1.CursorService/GetCursor", Access::Viewer),
    ("/muster.v1.CursorService/ListCursors", Access::Viewer),
    ("/muster.v1.CursorService/AcknowledgeCursor", Access::Operator),
    ("/muster.v1.CursorService/DeleteCursor", Access::Operator),
    ("/muster.v1.NamespaceService/CreateNamespace", Access::Operator),
    ("/muster.v1.NamespaceService/GetNamespace", Access::Viewer),
    ("/muster.v1.NamespaceService/ListNamespaces", Access::Viewer),
    ("/muster.v1.NamespaceService/UpdateNamespace", Access::Operator),
    ("/muster.v1.NamespaceService/DeleteNamespace", Access::Operator),
    ("/muster.v1.DeviceService/CreateDevice", Access::Operator),
    ("/muster.v1.DeviceService/GetDevice", Access::Viewer),
    ("/muster.v1.DeviceService/ListDevices", Access::Viewer),
    ("/muster.v1.DeviceService/UpdateDevice", Access::Operator),
    ("/muster.v1.DeviceService/EnableDevice", Access::Operator),
    ("/muster.v1.DeviceService/DisableDevice", Access::Operator),
    ("/muster.v1.DeviceService/DeleteDevice", Access::Operator),
    ("/muster.v1.DeviceService/RegenerateKeys", Access::Operator),
    ("/muster.v1.DeviceService/GetDeviceKeys", Access::Operator),
    ("/muster.v1.DeviceService/BatchCreateDevices", Access::Operator),
    ("/muster.v1.DeviceService/BatchUpdateDevices", Access::Operator),
    ("/muster.v1.DeviceService/BatchDeleteDevices", Access::Operator),
    ("/muster.v1.DeviceService/CreateModule", Access::Operator),
    ("/muster.v1.DeviceService/GetModule", Access::Viewer),
    ("/muster.v1.DeviceService/ListModules", Access::Viewer),
    ("/muster.v1.DeviceService/UpdateModule", Access::Operator),
    ("/muster.v1.DeviceService/DeleteModule", Access::Operator),
    ("/muster.v1.DeviceService/ImportDevices", Access::Operator),
    ("/muster.v1.TwinService/GetTwin", Access::Anyone),
    ("/muster.v1.TwinService/PatchTwin", Access::Operator),
    ("/muster.v1.TwinService/ReplaceTwin", Access::Operator),
    ("/muster.v1.TwinService/BatchPatchTwins", Access::Operator),
    ("/muster.v1.TwinService/PatchTwinStream", Access::Operator),
    ("/muster.v1.TwinService/ReportProperties", Access::Anyone),
    ("/muster.v1.AssetService/CreateAsset", Access::Operator),
    ("/muster.v1.AssetService/GetAsset", Access::Viewer),
    ("/muster.v1.AssetService/ListAssets", Access::Viewer),
    ("/muster.v1.AssetService/UpdateAsset", Access::Operator),
    ("/muster.v1.AssetService/DeleteAsset", Access::Operator),
    ("/muster.v1.AssetService/EnableAsset", Access::Operator),
    ("/muster.v1.AssetService/DisableAsset", Access::Operator),
    ("/muster.v1.AssetService/UpdateAssetStatus", Access::Operator),
    ("/muster.v1.HistoryService/ListEvents", Access::Viewer),
    ("/muster.v1.HistoryService/GetAt", Access::Viewer),
    ("/muster.v1.QueryService/Query", Access::Viewer),
    ("/muster.v1.QueryService/QueryStream", Access::Viewer),
    ("/muster.v1.QueryService/Explain", Access::Viewer),
    ("/muster.v1.QueryService/Watch", Access::Viewer),
    ("/muster.v1.QueryService/WatchAggregate", Access::Viewer),
    ("/muster.v1.QueryService/Diff", Access::Viewer),
    ("/muster.v1.QueryService/ListPaths", Access::Viewer),
    ("/muster.v1.QueryService/Aggregate", Access::Viewer),
    ("/muster.v1.SavedQueryService/CreateSavedQuery", Access::Operator),
    ("/muster.v1.SavedQueryService/GetSavedQuery", Access::Viewer),
    ("/muster.v1.SavedQueryService/ListSavedQueries", Access::Viewer),
    ("/muster.v1.SavedQueryService/UpdateSavedQuery", Access::Operator),
    ("/muster.v1.SavedQueryService/DeleteSavedQuery", Access::Operator),
    ("/muster.v1.EdgeService/CreateEdge", Access::Operator),
    ("/muster.v1.EdgeService/GetEdge", Access::Anyone),
    ("/muster.v1.EdgeService/ListEdges", Access::Viewer),
    ("/muster.v1.EdgeService/UpdateEdge", Access::Operator),
    ("/muster.v1.EdgeService/DeleteEdge", Access::Operator),
    ("/muster.v1.EdgeService/GetEdgeStatus", Access::Anyone),
    ("/muster.v1.EdgeService/ListEdgeStatuses", Access::Viewer),
    ("/muster.v1.EdgeService/VerifyEdge", Access::Operator),
    ("/muster.v1.SiteService/CreateSite", Access::Operator),
    ("/muster.v1.SiteService/GetSite", Access::Viewer),
    ("/muster.v1.SiteService/ListSites", Access::Viewer),
    ("/muster.v1.SiteService/UpdateSite", Access::Operator),
    ("/muster.v1.SiteService/DeleteSite", Access::Operator),
    ("/muster.v1.SyncService/Sync", Access::Edge),
    ("/muster.v1.DiscoveryService/ReportDiscoveredDevice", Access::Anyone),
    ("/muster.v1.DiscoveryService/ReportDiscoveredAsset", Access::Anyone),
    ("/muster.v1.DiscoveryService/GetDiscoveredDevice", Access::Anyone),
    ("/muster.v1.DiscoveryService/GetDiscoveredAsset", Access::Anyone),
    ("/muster.v1.DiscoveryService/ListDiscoveredDevices", Access::Anyone),
    ("/muster.v1.DiscoveryService/ListDiscoveredAssets", Access::Anyone),
    ("/muster.v1.DiscoveryService/AcceptDiscoveredDevice", Access::Operator),
    ("/muster.v1.DiscoveryService/AcceptDiscoveredAsset", Access::Operator),
    ("/muster.v1.DiscoveryService/DismissDiscoveredDevice", Access::Operator),
    ("/muster.v1.DiscoveryService/DismissDiscoveredAsset", Access::Operator),
    ("/muster.v1.DiscoveryService/DeleteDiscoveredDevice", Access::Operator),
    ("/muster.v1.DiscoveryService/DeleteDiscoveredAsset", Access::Operator),
    ("/muster.v1.ClusterService/GetStatus", Access::Viewer),
    ("/muster.v1.ClusterService/GetChainHash", Access::Viewer),
    ("/muster.v1.ClusterService/CreateToken", Access::Admin),
    ("/muster.v1.ClusterService/ListTokens", Access::Admin),
    ("/muster.v1.ClusterService/RevokeToken", Access::Admin),
    ("/muster.v1.MemberService/ListMembers", Access::Viewer),
    ("/muster.v1.MemberService/AdmitNode", Access::Admin),
    ("/muster.v1.MemberService/PromoteMember", Access::Admin),
    ("/muster.v1.MemberService/RemoveMember", Access::Admin),
    ("/muster.v1.MemberService/TransferLeadership", Access::Admin),
    ("/muster.v1.RetentionService/GetRetention", Access::Viewer),
    ("/muster.v1.RetentionService/UpdateRetention", Access::Admin),
    ("/muster.v1.RetentionService/CompactEvents", Access::Admin),
    ("/muster.v1.MaintenanceService/CreateBackup", Access::Admin),
    ("/muster.v1.MaintenanceService/VerifyCluster", Access::Admin),
    ("/grpc.health.v1.Health/Check", Access::Public),
    ("/grpc.health.v1.Health/Watch", Access::Public),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Access::Anyone),
];

/// The row of a method, by its path.
#[must_use]
pub fn access(path: &str) -> Option<Access> {
    ROWS.iter().find(|(method, _)| *method == path).map(|(_, access)| *access)
}
