//! The beginning of a cluster: Raft's first membership, then the cluster's first command.
//!
//! - The member with the lowest id initializes Raft, and only when every member answers that it is pristine: a node whose
//!   disk was wiped does not found a second cluster beside the first.
//! - The first leader proposes the cluster's settings; replicated, so that all nodes decide alike.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_domain::cluster::Cluster;
use muster_domain::policy::Role;
use muster_domain::token::Token;
use muster_domain::{Command, Key, Limits, Operation};
use muster_proto::v1::MemberStatus;
use prost::Message;
use tokio::time::sleep;

use super::members;
use crate::authorize;
use crate::config::Limits as LimitsSection;
use crate::first_start::Startup;
use crate::node::STATUS_METHOD;
use crate::propose::Proposer;
use crate::raft::RaftNode;
use crate::read::Reader;
use crate::tasks::StopSignal;

/// The first replicated feature level.
const FEATURE_LEVEL: u32 = 1;
/// How often it looks again.
const PAUSE: Duration = Duration::from_millis(50);
/// After this many pauses it says what it waits for, and again after as many.
const PATIENCE: u32 = 100;

/// Waits until the cluster exists and this node knows its settings; founds it where that is this node's part.
/// False when the node was told to stop meanwhile.
pub(super) async fn run(
    startup: &Startup,
    raft: &Arc<RaftNode>,
    reader: &Arc<Reader>,
    proposer: &Arc<Proposer>,
    stop: &StopSignal,
) -> anyhow::Result<bool> {
    let mut turns = 0_u32;
    while reader.local().get(&Key::Cluster)?.is_none() {
        if stop.is_stopped() {
            return Ok(false);
        }
        let step = step(startup, raft, proposer).await?;
        turns += 1;
        if turns.is_multiple_of(PATIENCE) {
            tracing::info!(waiting_for = step, "the cluster does not exist yet");
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = stop.clone().stopped() => return Ok(false),
        }
    }
    Ok(true)
}

async fn step(startup: &Startup, raft: &Arc<RaftNode>, proposer: &Arc<Proposer>) -> anyhow::Result<&'static str> {
    if !raft.is_initialized().await? {
        return found(startup, raft).await;
    }
    if !raft.is_leader() {
        return Ok("a leader, and its first command");
    }
    let operation = first_operation(startup);
    let command = authorize::by_node(raft.node_id(), Command::single(operation));
    match proposer.propose(command, "", [0; 16]).await {
        Ok(outcome) => tracing::info!(revision = outcome.revision, "the cluster's first command is applied"),
        Err(error) => tracing::warn!(%error, "the cluster's first command was not applied; trying again"),
    }
    Ok("the cluster's first command")
}

async fn found(startup: &Startup, raft: &Arc<RaftNode>) -> anyhow::Result<&'static str> {
    let members = members(&startup.config, raft.node_id());
    let lowest = members.keys().next().copied();
    if !startup.config.cluster.bootstrap || lowest != Some(raft.node_id()) {
        return Ok("the member with the lowest id, which founds the cluster");
    }
    for id in members.keys().filter(|id| **id != raft.node_id()) {
        match pristine(startup, raft, *id).await {
            Some(true) => {}
            Some(false) => {
                anyhow::bail!(
                    "node {id} belongs to a running cluster, but this node has no log: its data directory was lost or is \
                     another. It must not found a second cluster. Restore its data directory, or remove the node and add \
                     it under a new id."
                );
            }
            None => return Ok("all members to answer; the cluster is founded when all are there"),
        }
    }
    tracing::info!(members = members.len(), "founding the cluster");
    raft.initialize(members).await?;
    Ok("Raft to be initialized")
}

/// Whether a member has an empty log; `None` when it does not answer.
async fn pristine(startup: &Startup, raft: &Arc<RaftNode>, id: u64) -> Option<bool> {
    let address = members(&startup.config, raft.node_id()).get(&id)?.clone();
    raft.peers().know(id, &address);
    let answer = raft.peers().call(id, STATUS_METHOD, Bytes::new()).await.ok()?;
    let status = MemberStatus::decode(answer).ok()?;
    Some(status.last_log_index == 0 && status.applied_index == 0)
}

fn first_operation(startup: &Startup) -> Operation {
    let mut page_key = [0; 32];
    startup.ids.fill(&mut page_key);
    let token = startup.initial_admin.as_ref().map(|admin| {
        let token = Token {
            hash: admin.token_hash,
            description: "made when the cluster was founded".to_owned(),
            role: Role::Admin,
            namespace: None,
            device: None,
            expires_ms: None,
        };
        (admin.token_id.clone(), token)
    });
    let cluster = Cluster {
        cluster_id: startup.identity.cluster_id.clone(),
        page_key,
        limits: limits(&startup.config.limits),
        feature_level: FEATURE_LEVEL,
    };
    Operation::InitializeCluster { cluster, token }
}

fn limits(section: &LimitsSection) -> Limits {
    Limits {
        tags_bytes_max: section.twin_tags_bytes as u64,
        desired_bytes_max: section.twin_desired_bytes as u64,
        reported_bytes_max: section.twin_reported_bytes as u64,
        value_bytes_max: section.twin_value_bytes as u64,
        key_bytes_max: section.twin_key_bytes as u64,
        depth_max: section.twin_depth as u64,
    }
}
