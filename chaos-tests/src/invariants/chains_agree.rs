//! Replicas agree: all nodes have the same chain hash at the same revision, so the same event bytes up to there.

use std::time::Duration;

use anyhow::ensure;
use muster_client::proto;

use crate::cluster::Cluster;
use crate::eventually::eventually;

/// Waits until all members have reached one revision and compares their chain hashes there; returns the revision.
///
/// # Errors
/// When a member does not catch up within 60 s, or two differ.
pub async fn check(cluster: &Cluster) -> anyhow::Result<u64> {
    let revision = newest(cluster).await?;
    let mut hashes = Vec::new();
    for id in cluster.ids() {
        let client = cluster.client_of(&[id])?;
        let hash = eventually("a node catches up", Duration::from_secs(60), async || {
            let request = proto::GetChainHashRequest { revision };
            client
                .cluster()
                .chain_hash(request)
                .await
                .map(|answer| answer.chain_hash)
                .map_err(|error| error.to_string())
        })
        .await?;
        hashes.push((id, hash));
    }
    let first = &hashes[0].1;
    ensure!(hashes.iter().all(|(_, hash)| hash == first), "chain hashes differ at revision {revision}: {hashes:?}");
    Ok(revision)
}

async fn newest(cluster: &Cluster) -> anyhow::Result<u64> {
    let mut newest = 0;
    for id in cluster.ids() {
        let status = cluster.status_of(id).await?;
        newest = newest.max(status.header.map(|header| header.revision).unwrap_or_default());
    }
    Ok(newest)
}
