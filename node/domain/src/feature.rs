//! The replicated feature level: which operations every member of a cluster knows.
//!
//! A node that meets an operation it does not know stops, so an operation enters the log only once all members know it.
//! - A level only rises, by [`Operation::RaiseFeatureLevel`], which the leader proposes when all members report it.
//! - Every operation has a level here; the match has no default arm, so that a new one cannot be forgotten.

use crate::{Body, Command, Key, Operation, Reason, Rejection, States};

/// The newest level, which this version supports; a new cluster starts with it.
pub const FEATURE_LEVEL: u32 = 3;

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
            | Self::CreateToken { .. }
            | Self::RevokeToken { .. }
            | Self::CreateNamespace { .. }
            | Self::UpdateNamespace { .. }
            | Self::DeleteNamespace { .. }
            | Self::CreateDevice { .. }
            | Self::UpdateDevice { .. }
            | Self::SetDeviceStatus { .. }
            | Self::DeleteDevice { .. }
            | Self::RegenerateKeys { .. }
            | Self::CreateModule { .. }
            | Self::UpdateModule { .. }
            | Self::DeleteModule { .. }
            | Self::PatchTwin { .. }
            | Self::ReplaceTwin { .. }
            | Self::ReportProperties { .. }
            | Self::ImportDevice(_)
            | Self::CreateAsset { .. }
            | Self::UpdateAsset { .. }
            | Self::DeleteAsset { .. }
            | Self::UpdateAssetStatus { .. } => 1,
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
        }
    }
}

impl Command {
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
