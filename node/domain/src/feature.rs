//! The replicated feature level: which operations every member of a cluster knows.
//!
//! A node that meets an operation it does not know stops, so an operation enters the log only once all members know it.
//! - A level only rises, by [`Operation::RaiseFeatureLevel`], which the leader proposes when all members report it.
//! - Every operation has a level here; the match has no default arm, so that a new one cannot be forgotten. One that was
//!   taught something later has the level of what it says.

use crate::asset::AssetField;
use crate::device::DeviceField;
use crate::edge::UplinkChange;
use crate::import::ImportIdentity;
use crate::policy::Role;
use crate::{Body, Command, Key, Operation, Reason, Rejection, States};

/// The newest level, which this version supports; a new cluster starts with it.
pub const FEATURE_LEVEL: u32 = 5;
/// From this one on there are sites and edges, and things may name them.
pub(crate) const ASSIGNMENT_LEVEL: u32 = 4;
/// From this one on edges report what they discover.
pub const DISCOVERY_LEVEL: u32 = 5;

impl Operation {
    /// The level from which on the operation may be in the log.
    #[must_use]
    pub fn feature_level(&self) -> u32 {
        match self {
            // Proposed only when all members support the level it raises to, and so know it.
            Self::RaiseFeatureLevel { .. }
            // Of a cluster of one, whose only member proposes it.
            | Self::RestoreCluster { .. }
            | Self::InitializeCluster { .. }
            | Self::RevokeToken { .. }
            | Self::CreateNamespace { .. }
            | Self::UpdateNamespace { .. }
            | Self::DeleteNamespace { .. }
            | Self::SetDeviceStatus { .. }
            | Self::DeleteDevice { .. }
            | Self::RegenerateKeys { .. }
            | Self::CreateModule { .. }
            | Self::UpdateModule { .. }
            | Self::DeleteModule { .. }
            | Self::PatchTwin { .. }
            | Self::ReplaceTwin { .. }
            | Self::ReportProperties { .. }
            | Self::DeleteAsset { .. }
            | Self::UpdateAssetStatus { .. } => 1,
            Self::CreateToken { token, .. } => assignment(token.role == Role::Edge),
            Self::CreateDevice { definition, .. } => assignment(is_assigned(&definition.edge, &definition.site)),
            Self::UpdateDevice { fields, .. } => {
                assignment(fields.iter().any(|field| matches!(field, DeviceField::Edge | DeviceField::Site)))
            }
            Self::ImportDevice(line) => match &line.identity {
                ImportIdentity::Device(definition) => assignment(is_assigned(&definition.edge, &definition.site)),
                ImportIdentity::Module { .. } => 1,
            },
            Self::CreateAsset { definition, .. } => assignment(is_assigned(&definition.edge, &definition.site)),
            Self::UpdateAsset { fields, .. } => {
                assignment(fields.iter().any(|field| matches!(field, AssetField::Edge | AssetField::Site)))
            }
            Self::AdmitNode { .. }
            | Self::UseJoinToken { .. }
            | Self::PromoteNode { .. }
            | Self::RemoveNode { .. }
            | Self::CreateCursor { .. }
            | Self::AcknowledgeCursor { .. }
            | Self::DeleteCursor { .. }
            | Self::SetRetention { .. }
            | Self::CompactEvents { .. } => 2,
            Self::CreateSavedQuery { .. } | Self::UpdateSavedQuery { .. } | Self::DeleteSavedQuery { .. } => 3,
            Self::CreateSite { .. }
            | Self::UpdateSite { .. }
            | Self::DeleteSite { .. }
            | Self::CreateEdge { .. }
            | Self::UpdateEdge { .. }
            | Self::DeleteEdge { .. }
            | Self::OpenEdgeSession { .. } => ASSIGNMENT_LEVEL,
            Self::ApplyUplink { changes, .. } => {
                changes.iter().map(UplinkChange::feature_level).max().unwrap_or(ASSIGNMENT_LEVEL)
            }
            Self::ReportDiscoveredDevice { .. }
            | Self::ReportDiscoveredAsset { .. }
            | Self::AcceptDiscovered { .. }
            | Self::DismissDiscovered { .. }
            | Self::DeleteDiscovered { .. } => DISCOVERY_LEVEL,
        }
    }
}

/// The level of an older operation, if it names an edge or a site or not.
fn assignment(names_one: bool) -> u32 {
    if names_one { ASSIGNMENT_LEVEL } else { 1 }
}

fn is_assigned(edge: &str, site: &str) -> bool {
    !edge.is_empty() || !site.is_empty()
}

impl Operation {
    /// Leaves out what says nothing at `level`: an update of all fields names some that members may not know yet, and that
    /// nothing can have yet.
    fn leave_out_above(&mut self, level: u32) {
        if level >= ASSIGNMENT_LEVEL {
            return;
        }
        match self {
            Self::UpdateDevice { definition, fields, .. } => fields.retain(|field| match field {
                DeviceField::Edge => !definition.edge.is_empty(),
                DeviceField::Site => !definition.site.is_empty(),
                _ => true,
            }),
            Self::UpdateAsset { definition, fields, .. } => fields.retain(|field| match field {
                AssetField::Edge => !definition.edge.is_empty(),
                AssetField::Site => !definition.site.is_empty(),
                _ => true,
            }),
            _ => {}
        }
    }
}

impl Command {
    /// Leaves out what says nothing in a cluster at `level`, so that members that do not know it can go on.
    pub fn leave_out_above(&mut self, level: u32) {
        self.operations.iter_mut().for_each(|operation| operation.leave_out_above(level));
    }

    /// The highest level of its operations.
    #[must_use]
    pub fn feature_level(&self) -> u32 {
        self.operations.iter().map(Operation::feature_level).max().unwrap_or(1)
    }
}

/// The cluster's level as of these records; 0 before its first command.
pub(crate) fn level(states: &dyn States) -> u32 {
    match states.get(&Key::Cluster).as_deref().map(|record| &record.body) {
        Some(Body::Cluster(cluster)) => cluster.feature_level,
        _ => 0,
    }
}

/// Refuses an operation above the cluster's level. Operations of the first level need no look at the cluster.
pub(crate) fn check(states: &dyn States, operation: &Operation) -> Result<(), Rejection> {
    let needed = operation.feature_level();
    if needed <= 1 {
        return Ok(());
    }
    let level = level(states);
    if needed <= level { Ok(()) } else { Err(too_low(needed, level)) }
}

/// The refusal of what needs `needed` on a cluster at `level`.
#[must_use]
pub fn too_low(needed: u32, level: u32) -> Rejection {
    let message = format!(
        "this needs feature level {needed} and the cluster is at {level}; upgrade all members, then the level rises by itself"
    );
    Rejection::new(Reason::FeatureLevelTooLow, "", message)
}
