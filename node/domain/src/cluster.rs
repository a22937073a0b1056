//! The cluster's own settings, made by its first command. It knows no membership; Raft keeps that.

use crate::limits::DEPTH_MAX;
use crate::token::Token;
use crate::{At, Change, EventKind, Key, Limits, Operation, Reason, Rejection, States};

/// Settings every replica must share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The cluster's id.
    pub cluster_id: String,
    /// Key of the checksums in page tokens; made at random by the node that initialized the cluster.
    pub page_key: [u8; 32],
    /// Bounds of twin documents.
    pub limits: Limits,
    /// Replicated feature level.
    pub feature_level: u32,
}

/// Decides the first command of a cluster.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    let Operation::InitializeCluster { cluster, token } = operation else { return Ok(Vec::new()) };
    if states.get(&Key::Cluster).is_some() {
        return Err(Rejection::new(Reason::AlreadyInitialized, "", "the cluster was initialized before"));
    }
    if cluster.limits.depth_max > DEPTH_MAX {
        let rule = format!("twins may nest at most {DEPTH_MAX} levels, not {}", cluster.limits.depth_max);
        return Err(Rejection::new(Reason::InvalidField, "limits.depth_max", rule));
    }
    let mut changes = vec![Change::new(Key::Cluster, EventKind::ClusterInitialized(cluster.clone()), None, at)];
    changes.extend(token.iter().map(|(id, token): &(String, Token)| {
        Change::new(Key::Token(id.clone()), EventKind::TokenCreated(token.clone()), None, at)
    }));
    Ok(changes)
}
