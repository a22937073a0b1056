//! The cluster's own settings, made by its first command. It knows no membership; Raft keeps that.

use crate::limits::DEPTH_MAX;
use crate::token::Token;
use crate::{At, Body, Change, EventKind, Key, Limits, Operation, Reason, Rejection, States};

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
    /// The highest id that a node was admitted or removed under; no id up to it is given again.
    pub last_node_id: u64,
}

impl Cluster {
    /// The settings after an event on them.
    pub(crate) fn evolve(&self, event: &EventKind) -> Self {
        let mut next = self.clone();
        match event {
            EventKind::NodeIdTaken(id) => next.last_node_id = next.last_node_id.max(*id),
            EventKind::FeatureLevelRaised(level) => next.feature_level = next.feature_level.max(*level),
            _ => {}
        }
        next
    }
}

/// Decides the first command of a cluster, and the rise of its feature level.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    let (cluster, token) = match operation {
        Operation::InitializeCluster { cluster, token } => (cluster, token),
        Operation::RaiseFeatureLevel { level } => return raise(states, *level, at),
        _ => return Ok(Vec::new()),
    };
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

fn raise(states: &dyn States, level: u32, at: At) -> Result<Vec<Change>, Rejection> {
    let Some(record) = states.get(&Key::Cluster) else { return Err(Rejection::not_found(Key::Cluster)) };
    match &record.body {
        Body::Cluster(cluster) if cluster.feature_level < level => {
            Ok(vec![Change::new(Key::Cluster, EventKind::FeatureLevelRaised(level), Some(&record), at)])
        }
        _ => Ok(Vec::new()),
    }
}
