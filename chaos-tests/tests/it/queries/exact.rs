//! A write that was acknowledged before a query began is in its answer, whatever happens to leaders; and at one revision all
//! nodes give the same answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::workload::prepare;
use muster_client::{Client, proto};
use nix::sys::signal::Signal;

use super::{answer, patch, query};

const DEVICES: usize = 6;
const KILLS: usize = 3;

/// The highest value of each device that was acknowledged.
type Acknowledged = Arc<[AtomicU64; DEVICES]>;

async fn write(client: Client, device: usize, acknowledged: Acknowledged, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let mut sequence = 0;
    while !stop.load(Ordering::Acquire) {
        sequence += 1;
        let desired = format!("{{\"sequence\":{sequence},\"half\":{}}}", sequence / 2);
        patch(&client, &format!("d{device}"), (None, Some(&desired))).await?;
        acknowledged[device].store(sequence, Ordering::Release);
    }
    Ok(())
}

/// Asks again and again; how often it had an answer. An answer without what was acknowledged before is an error.
async fn ask(client: Client, acknowledged: Acknowledged, stop: Arc<AtomicBool>) -> anyhow::Result<u64> {
    let mut asked = 0;
    while !stop.load(Ordering::Acquire) {
        let before: Vec<u64> = acknowledged.iter().map(|value| value.load(Ordering::Acquire)).collect();
        let text = "SELECT deviceId, desired.sequence AS sequence, desired.half AS half FROM devices ORDER BY deviceId";
        let (revision, rows) = answer(&client, query(text)).await?;
        for (device, least) in before.iter().enumerate() {
            let row = rows.get(device).context("a row for each device")?;
            let sequence = row["sequence"].as_u64().unwrap_or_default();
            ensure!(sequence >= *least, "at revision {revision} d{device} has {sequence}, {least} was acknowledged");
            // Both members came with one patch.
            let half = row["half"].as_u64().unwrap_or_default();
            ensure!(half == sequence / 2, "at revision {revision} d{device} is torn: {row}");
        }
        let least = before.iter().copied().min().unwrap_or_default();
        // Before its first write a device has no sequence, and a comparison with nothing is not true.
        let filter = if least == 0 { String::new() } else { format!(" WHERE desired.sequence >= {least}") };
        let (revision, rows) = answer(&client, query(&format!("SELECT COUNT() AS n FROM devices{filter}"))).await?;
        let count = rows[0]["n"].as_u64();
        ensure!(count == Some(DEVICES as u64), "at revision {revision} not all of {DEVICES} count: {rows:?}");
        asked += 1;
    }
    Ok(asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_query_is_in_its_answer_while_leaders_die() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, DEVICES).await?;
    let (acknowledged, stop): (Acknowledged, _) = (Arc::default(), Arc::new(AtomicBool::new(false)));
    let mut orders = cluster.ids();
    let mut writers = Vec::new();
    for device in 0..DEVICES {
        orders.rotate_left(1);
        let work = write(cluster.client_of(&orders)?, device, Arc::clone(&acknowledged), Arc::clone(&stop));
        writers.push(tokio::spawn(work));
    }
    let mut askers = Vec::new();
    for _ in 0..3 {
        orders.rotate_left(1);
        askers.push(tokio::spawn(ask(cluster.client_of(&orders)?, Arc::clone(&acknowledged), Arc::clone(&stop))));
    }
    for _ in 0..KILLS {
        let leader = cluster.leader().await?;
        let reached: u64 = acknowledged.iter().map(|value| value.load(Ordering::Acquire)).sum();
        cluster.end(leader, Signal::SIGKILL).await?;
        wait_for(&acknowledged, reached + 60).await?;
        cluster.start_node(leader)?;
        cluster.wait_until_whole().await?;
    }
    stop.store(true, Ordering::Release);
    for writer in writers {
        writer.await??;
    }
    let mut asked = 0;
    for asker in askers {
        asked += asker.await??;
    }
    ensure!(asked > 100, "only {asked} questions were asked");
    agree(&cluster).await
}

async fn wait_for(acknowledged: &Acknowledged, sum: u64) -> anyhow::Result<()> {
    let reached = async {
        while acknowledged.iter().map(|value| value.load(Ordering::Acquire)).sum::<u64>() < sum {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reached).await.context("writes go on")
}

/// Every node gives the same answer at one revision, that of now and one of the past.
async fn agree(cluster: &Cluster) -> anyhow::Result<()> {
    let (newest, _) = answer(&cluster.client()?, query("SELECT COUNT() FROM devices")).await?;
    for past in [newest, newest - 40, newest / 2] {
        for text in [
            "SELECT * FROM devices AS OF REVISION {}",
            "SELECT desired.sequence % 7 AS rest, COUNT() AS n, AVG(desired.half) AS half FROM devices AS OF REVISION {} GROUP BY desired.sequence % 7",
            "SELECT TOP 3 deviceId FROM devices AS OF REVISION {} WHERE desired.sequence > 10 ORDER BY desired.sequence DESC",
        ] {
            let text = text.replace("{}", &past.to_string());
            let mut first = None;
            for id in cluster.ids() {
                let read = proto::ReadOptions {
                    consistency: proto::read_options::Consistency::MinRevision.into(),
                    min_revision: newest,
                };
                let request = proto::QueryRequest { read: Some(read), ..query(&text) };
                let found = answer(&cluster.client_of(&[id])?, request).await?;
                ensure!(found.0 == past, "node {id} answered as of {} instead of {past}", found.0);
                ensure!(
                    first.get_or_insert_with(|| found.clone()) == &found,
                    "node {id} differs: {text}\n{found:?}\n{first:?}"
                );
            }
        }
    }
    Ok(())
}
