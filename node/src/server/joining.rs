//! The first start of a node that was admitted to a running cluster: asks to be let in, then takes part.
//!
//! ```text
//! JOINING: a nonce, synced ─▶ ask a member with token and nonce ─▶ accepted ─▶ MEMBER, synced ─▶ the log arrives
//! ```
//!
//! - The nonce is durable before anybody is asked. A start that was interrupted asks again with the same one; a wiped
//!   directory has another, and the cluster refuses it: under this id votes may have been given.
//! - Nothing is acknowledged or voted before the cluster has accepted this very joining.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use muster_domain::feature::FEATURE_LEVEL;
use muster_proto::peer::v1 as wire;
use prost::Message;
use tokio::time::sleep;
use tonic::Code;

use crate::first_start::Startup;
use crate::join_token;
use crate::membership::{JOIN_METHOD, MemberError, read_reply};
use crate::raft::RaftNode;
use crate::store::durable;

/// Pause after a round in which nobody let this node in.
const PAUSE: Duration = Duration::from_secs(1);

/// The file with the nonce of a joining that is not complete.
const FILE: &str = "JOINING";

/// One try; returns what it waits for.
pub(super) async fn step(startup: &Startup, raft: &Arc<RaftNode>) -> anyhow::Result<&'static str> {
    let path = startup.data_dir.path().join(FILE);
    if raft.takes_part() {
        forget(&path)?;
        return Ok("the leader to send the log");
    }
    let request = request(startup, &path)?;
    for address in &startup.config.cluster.join {
        match raft.peers().call_address(address, JOIN_METHOD, Bytes::from(request.encode_to_vec())).await {
            Ok(reply) => match read_reply(reply) {
                Ok(()) => {
                    raft.take_part().await?;
                    forget(&path)?;
                    tracing::info!(node = startup.identity.node_id, "the cluster has accepted this node");
                    return Ok("the leader to send the log");
                }
                Err(MemberError::Rejected(rejection)) => {
                    let (id, code) = (startup.identity.node_id, rejection.reason.code());
                    anyhow::bail!("node {id} cannot join the cluster: {code}: {}", rejection.message);
                }
                Err(error) => tracing::info!(address, %error, "the cluster cannot let this node in yet"),
            },
            Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::PermissionDenied) => {
                anyhow::bail!("{address} does not let this node in: {}", status.message());
            }
            Err(status) => {
                tracing::warn!(address, message = status.message(), "a member could not be asked; trying again")
            }
        }
    }
    sleep(PAUSE).await;
    Ok("a member in cluster.join to answer")
}

fn request(startup: &Startup, path: &Path) -> anyhow::Result<wire::JoinRequest> {
    let config = &startup.config;
    let id = startup.identity.node_id;
    let Some(file) = &config.cluster.join_token_file else {
        anyhow::bail!(
            "cluster.join_token_file must be set: node {id} has not joined yet, and `muster cluster join` prints its token"
        );
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("cluster.join_token_file {}", file.display()))?;
    let text = zeroize::Zeroizing::new(text);
    let token = join_token::parse(&text)
        .with_context(|| format!("cluster.join_token_file: {} does not hold a join token (mjt_..)", file.display()))?;
    anyhow::ensure!(
        token.node_id == id,
        "cluster.join_token_file: {} is the token of node {}, but node.id is {id}",
        file.display(),
        token.node_id
    );
    let client = &config.client_listener;
    Ok(wire::JoinRequest {
        node_id: id,
        token_hash: Bytes::copy_from_slice(&token.hash),
        nonce: Bytes::copy_from_slice(&nonce(startup, path)?),
        peer_address: config.peer_address(),
        client_address: client.advertise.clone().unwrap_or_else(|| client.address.to_string()),
        supported_feature_level: FEATURE_LEVEL,
    })
}

/// The nonce of this joining: read, or made and synced.
fn nonce(startup: &Startup, path: &Path) -> anyhow::Result<[u8; 16]> {
    let failed = || format!("the nonce of the joining, {}", path.display());
    match std::fs::read(path) {
        Ok(bytes) => bytes.try_into().map_err(|_| anyhow::anyhow!("it has not 16 bytes")).with_context(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut nonce = [0; 16];
            startup.ids.fill(&mut nonce);
            durable::replace_file(path, &nonce).with_context(failed)?;
            Ok(nonce)
        }
        Err(error) => Err(error).with_context(failed),
    }
}

/// After this the nonce cannot be used again, not even by a directory that lost everything else.
fn forget(path: &PathBuf) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("the nonce of the joining, {}", path.display()))
        }
        _ => Ok(()),
    }
}
