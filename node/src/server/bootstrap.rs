//! The beginning of a cluster: Raft's first membership, then the cluster's first command.
//!
//! - The member with the lowest id initializes Raft, and only when every member has agreed durably to join: a node whose
//!   disk was wiped does not found a second cluster beside the first.
//! - A node without data that was not asked to join ends when it finds a running cluster: it has forgotten its promises.
//! - The first leader proposes the cluster's settings; replicated, so that all nodes decide alike.
//! - A node that was restored from a backup finds the old cluster's settings; its first command gives them the new id.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use muster_domain::cluster::Cluster;
use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::policy::Role;
use muster_domain::token::Token;
use muster_domain::{Body, Command, Key, Limits, Operation};
use muster_proto::v1::MemberStatus;
use prost::Message;
use tokio::time::{sleep, timeout};
use tonic::Code;

use super::{joining, members};
use crate::authorize;
use crate::config::Limits as LimitsSection;
use crate::first_start::Startup;
use crate::node::{JOIN_FOUNDING_METHOD, STATUS_METHOD};
use crate::propose::Proposer;
use crate::raft::{Member, RaftNode};
use crate::read::Reader;
use crate::tasks::StopSignal;

/// How often it looks again.
const PAUSE: Duration = Duration::from_millis(50);
/// After this many pauses it says what it waits for, and again after as many.
const PATIENCE: u32 = 100;
/// How long a member may take to say what it holds, or to agree to join.
const ANSWER_MAX: Duration = Duration::from_secs(2);

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
    while !knows_itself(startup, reader)? {
        if stop.is_stopped() {
            return Ok(false);
        }
        let step = step(startup, raft, reader, proposer).await?;
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

/// Whether the state holds the settings of the cluster that this node belongs to: not when it is empty, nor when it comes
/// from a backup of another cluster.
fn knows_itself(startup: &Startup, reader: &Reader) -> anyhow::Result<bool> {
    let record = reader.local().get(&Key::Cluster)?;
    Ok(record.is_some_and(
        |record| matches!(&record.body, Body::Cluster(cluster) if cluster.cluster_id == startup.identity.cluster_id),
    ))
}

async fn step(
    startup: &Startup,
    raft: &Arc<RaftNode>,
    reader: &Arc<Reader>,
    proposer: &Arc<Proposer>,
) -> anyhow::Result<&'static str> {
    if !raft.is_initialized().await? {
        if !startup.config.cluster.join.is_empty() {
            return joining::step(startup, raft).await;
        }
        refuse_if_founded(startup, raft).await?;
        return found(startup, raft).await;
    }
    if !raft.is_leader() {
        return Ok("a leader, and its first command");
    }
    let operation = match reader.local().get(&Key::Cluster)? {
        None => first_operation(startup),
        Some(_) => restored_operation(startup),
    };
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
    for (id, member) in members.iter().filter(|(id, _)| **id != raft.node_id()) {
        raft.peers().know(*id, member);
        let asked = timeout(ANSWER_MAX, raft.peers().call(*id, JOIN_FOUNDING_METHOD, Bytes::new())).await;
        match asked {
            Ok(Ok(_)) => {}
            Ok(Err(refused)) if refused.code() == Code::AlreadyExists => {
                let found = format!("node {id} does not join a new cluster: {}", refused.message());
                return Err(lost(&found, startup).into());
            }
            Ok(Err(_)) | Err(_) => return Ok("all members to answer; the cluster is founded when all are there"),
        }
    }
    tracing::info!(members = members.len(), "founding the cluster");
    raft.initialize(members).await?;
    Ok("Raft to be initialized")
}

/// Ends the process when this node holds nothing and a cluster runs without it: under its id another vote was given.
async fn refuse_if_founded(startup: &Startup, raft: &Arc<RaftNode>) -> anyhow::Result<()> {
    if raft.takes_part() {
        return Ok(());
    }
    let members = members(&startup.config, raft.node_id());
    let others = members.iter().filter(|(id, _)| **id != raft.node_id());
    let running =
        join_all(others.map(|(id, member)| async move { holds_data(raft, *id, member).await.then_some(*id) })).await;
    // Looked at again: the cluster may have been founded meanwhile, which asks this node before it begins.
    match running.into_iter().flatten().next() {
        Some(id) if !raft.takes_part() => {
            let found = format!("node {id} belongs to a running cluster, which this node has no record of");
            Err(lost(&found, startup).into())
        }
        _ => Ok(()),
    }
}

/// Does this member answer, and hold data?
async fn holds_data(raft: &Arc<RaftNode>, id: u64, member: &Member) -> bool {
    raft.peers().know(id, member);
    match timeout(ANSWER_MAX, raft.peers().call(id, STATUS_METHOD, Bytes::new())).await {
        Ok(Ok(answer)) => MemberStatus::decode(answer)
            .is_ok_and(|status| status.last_log_index.max(status.applied_index).max(status.snapshot_index) > 0),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// A node without data, whose cluster exists and counts on what it promised.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DataLost(String);

/// What happened to such a node, and what to do.
fn lost(found: &str, startup: &Startup) -> DataLost {
    let id = startup.identity.node_id;
    DataLost(format!(
        "{found}. The data directory {} of node {id} is empty: it was lost or replaced, or node.data_dir names another one. The node \
         has forgotten how it voted and what it acknowledged, so it must not take part under this id: acknowledged \
         writes could be lost. Put the data directory back as it was when the node last ran (not an older copy), or \
         replace the member under a new id: `muster cluster replace {id} --name NAME` on any other member prints the steps. \
         The other members go on as long as they are a majority.",
        startup.data_dir.path().display(),
    ))
}

/// The first command of a cluster that was restored. What it takes from this node's settings is the admin's token only:
/// limits stay as they were, because the records are within them.
fn restored_operation(startup: &Startup) -> Operation {
    Operation::RestoreCluster {
        cluster_id: startup.identity.cluster_id.clone(),
        page_key: page_key(startup),
        token: first_token(startup, "made when the cluster was restored"),
    }
}

fn page_key(startup: &Startup) -> [u8; 32] {
    let mut page_key = [0; 32];
    startup.ids.fill(&mut page_key);
    page_key
}

fn first_token(startup: &Startup, description: &str) -> Option<(String, Token)> {
    startup.initial_admin.as_ref().map(|admin| {
        let token = Token {
            hash: admin.token_hash,
            description: description.to_owned(),
            role: Role::Admin,
            namespace: None,
            device: None,
            edge: None,
            expires_ms: None,
        };
        (admin.token_id.clone(), token)
    })
}

fn first_operation(startup: &Startup) -> Operation {
    let token = first_token(startup, "made when the cluster was founded");
    let cluster = Cluster {
        cluster_id: startup.identity.cluster_id.clone(),
        page_key: page_key(startup),
        limits: limits(&startup.config.limits),
        feature_level: FEATURE_LEVEL,
        last_node_id: 0,
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
