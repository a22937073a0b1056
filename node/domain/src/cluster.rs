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

/// Decides the first command of a restored cluster. Everything stays as the backup has it, tokens included; only the id,
/// the key of page tokens and one more admin token are new. A token that is there already is left as it is.
pub(crate) fn decide_restored(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    let Operation::RestoreCluster { cluster_id, page_key, token } = operation else { return Ok(Vec::new()) };
    let Some(before) = states.get(&Key::Cluster) else { return Err(Rejection::not_found("cluster")) };
    if matches!(&before.body, Body::Cluster(cluster) if cluster.cluster_id == *cluster_id) {
        return Err(Rejection::new(Reason::AlreadyInitialized, "", "the cluster has this id already"));
    }
    let kind = EventKind::ClusterRestored { cluster_id: cluster_id.clone(), page_key: *page_key };
    let mut changes = vec![Change::new(Key::Cluster, kind, Some(&before), at)];
    if let Some((id, token)) = token {
        let key = Key::Token(id.clone());
        let known = states.get(&key);
        if !known.as_deref().is_some_and(|known| matches!(&known.body, Body::Token(known) if known.hash == token.hash)) {
            changes.push(Change::new(key, EventKind::TokenCreated(token.clone()), known.as_deref(), at));
        }
    }
    Ok(changes)
}
