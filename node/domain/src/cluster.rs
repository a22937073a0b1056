//! The cluster's own settings, made by its first command. It knows no membership; Raft keeps that.

use crate::limits::DEPTH_MAX;
use crate::node::NodeState;
use crate::token::Token;
use crate::{At, Body, Change, EventKind, Key, Limits, Operation, Reason, Record, Rejection, States};

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
            EventKind::ClusterRestored { cluster_id, page_key } => {
                next.cluster_id.clone_from(cluster_id);
                next.page_key = *page_key;
            }
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

/// Decides the first command of a restored cluster. Everything stays as the backup has it, tokens included; only the id,
/// the key of page tokens and one more admin token are new, and the nodes of the old cluster are gone: their ids stay taken.
/// A token that is there already is left as it is.
pub(crate) fn decide_restored(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    let Operation::RestoreCluster { cluster_id, page_key, token } = operation else { return Ok(Vec::new()) };
    let Some(before) = states.get(&Key::Cluster) else { return Err(Rejection::not_found("cluster")) };
    if matches!(&before.body, Body::Cluster(cluster) if cluster.cluster_id == *cluster_id) {
        return Err(Rejection::new(Reason::AlreadyInitialized, "", "the cluster has this id already"));
    }
    let kind = EventKind::ClusterRestored { cluster_id: cluster_id.clone(), page_key: *page_key };
    let mut changes = vec![Change::new(Key::Cluster, kind, Some(&before), at)];
    changes.extend(nodes_gone(states, &before, at));
    if let Some((id, token)) = token {
        let key = Key::Token(id.clone());
        let known = states.get(&key);
        if !known.as_deref().is_some_and(|known| matches!(&known.body, Body::Token(known) if known.hash == token.hash))
        {
            changes.push(Change::new(key, EventKind::TokenCreated(token.clone()), known.as_deref(), at));
        }
    }
    Ok(changes)
}

/// The end of every node that the old cluster admitted and did not remove.
fn nodes_gone(states: &dyn States, cluster: &Record, at: At) -> Vec<Change> {
    let last = match &cluster.body {
        Body::Cluster(cluster) => cluster.last_node_id,
        _ => 0,
    };
    let end = |id| {
        let key = Key::Node(id);
        let record = states.get(&key)?;
        let Body::Node(node) = &record.body else { return None };
        let kind = EventKind::NodeRemoved { name: node.name.clone() };
        (node.state != NodeState::Removed).then(|| Change::new(key, kind, Some(&record), at))
    };
    (1..=last).filter_map(end).collect()
}
