//! A start answers as before, from the checkpoint of columns and what changed after it; without one, or with a damaged one, from
//! all records.

use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::workload::prepare;
use muster_client::Client;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{answer, patch, query};

const DEVICES: usize = 200;
const FROM_CHECKPOINT: &str = "views were read from their checkpoint";

async fn everything(client: &Client) -> anyhow::Result<Vec<Value>> {
    let rows =
        answer(client, query("SELECT deviceId, tags, properties.desired.at AS at FROM devices ORDER BY deviceId"));
    Ok(rows.await?.1)
}

/// How often a node said that it used a checkpoint.
fn uses(cluster: &Cluster) -> anyhow::Result<usize> {
    Ok(cluster.log_of(1)?.matches(FROM_CHECKPOINT).count())
}

async fn restart(cluster: &mut Cluster, signal: Signal) -> anyhow::Result<Client> {
    cluster.end(1, signal).await?;
    cluster.start_node(1)?;
    cluster.wait_until_whole().await?;
    cluster.client()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_answers_from_the_checkpoint_what_it_answered_before() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let settings = "[queries]\nviews_checkpoint_interval_ms = 1000\n".to_owned();
    let mut cluster = Cluster::start(Options { nodes: 1, settings, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, DEVICES).await?;
    for device in 0..DEVICES {
        patch(&client, &format!("d{device}"), (Some("{\"site\":\"a\"}"), Some(&format!("{{\"at\":{device}}}"))))
            .await?;
    }
    let checkpoint = cluster.data_dir(1).join("views").join("columns");
    let written = || fs::metadata(&checkpoint).and_then(|found| found.modified()).ok();
    let first = eventually("a checkpoint", Duration::from_secs(30), async || {
        written().ok_or_else(|| "there is none yet".to_owned())
    })
    .await?;

    // Killed: from the checkpoint and the changes after it.
    for device in 0..20 {
        patch(&client, &format!("d{device}"), (None, Some("{\"at\":\"later\"}"))).await?;
    }
    let before = everything(&client).await?;
    ensure!(before.len() == DEVICES && before[0]["at"] == "later", "{:?}", before.first());
    let client = restart(&mut cluster, Signal::SIGKILL).await?;
    ensure!(everything(&client).await? == before, "a killed node answers as before");
    ensure!(uses(&cluster)? == 1, "it used its checkpoint");

    // Stopped in order: one is written at the end.
    patch(&client, "d7", (None, Some("{\"at\":\"last\"}"))).await?;
    let before = everything(&client).await?;
    let client = restart(&mut cluster, Signal::SIGTERM).await?;
    ensure!(written().context("it is there")? > first, "a stop writes one");
    ensure!(everything(&client).await? == before, "a stopped node answers as before");
    ensure!(uses(&cluster)? == 2, "it used its checkpoint");

    // Damaged: told and left aside.
    cluster.end(1, Signal::SIGTERM).await?;
    let mut bytes = fs::read(&checkpoint)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&checkpoint, bytes)?;
    cluster.start_node(1)?;
    cluster.wait_until_whole().await?;
    ensure!(everything(&cluster.client()?).await? == before, "a node with a damaged checkpoint answers as before");
    ensure!(uses(&cluster)? == 2, "it did not use it");
    ensure!(cluster.log_of(1)?.contains("the checkpoint of views is left aside"), "and says so");
    Ok(())
}
