//! All members hold the same records and the same chain of hashes at one revision, as the cluster itself compares them.

use anyhow::{Context, ensure};
use muster_client::Client;
use muster_client::proto::verify_cluster_response::Part;

/// Asks any node to compare all of them; returns the revision.
///
/// # Errors
/// Names the first difference, or the member that could not be compared.
pub async fn check(client: &Client) -> anyhow::Result<u64> {
    let mut answers = client.maintenance().verify_cluster().await?;
    let mut verdict = None;
    while let Some(answer) = answers.next().await? {
        if let Some(Part::Verdict(found)) = answer.part {
            verdict = Some(found);
        }
    }
    let verdict = verdict.context("no verdict")?;
    ensure!(verdict.agree, "the members differ: {}", verdict.first_difference);
    Ok(verdict.revision)
}
