//! A disk that cannot make anything durable: what was not synced is not acknowledged, and a sync that failed once is believed
//! never again.

use std::time::{Duration, Instant};

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::faults::disk::Disk;
use muster_chaos::workload::{NAMESPACE, prepare};
use muster_client::{CallError, Client, RetryPolicy, names, proto};

async fn patch(client: &Client, value: u64) -> Result<u64, CallError> {
    let request = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, "d0"),
        desired_json: Some(format!("{{\"value\":{value}}}")),
        ..Default::default()
    };
    Ok(client.twins().patch(request).await?.header.map(|header| header.revision).unwrap_or_default())
}

/// A client that takes the first answer.
fn impatient(cluster: &Cluster) -> anyhow::Result<Client> {
    let once = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    Ok(Client::new(cluster.client_config(&[1])?.token_file(cluster.pki().join("admin.token"))?.retry(once))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_acknowledged_when_its_slow_sync_is_done_and_not_before() -> anyhow::Result<()> {
    const SLOW: Duration = Duration::from_millis(700);
    let _turn = super::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, breakable: true, ..Options::default() }).await?;
    prepare(&cluster.client()?, 1).await?;
    let client = impatient(&cluster)?;
    let disk = Disk::of(cluster.folder_of(1))?;
    disk.slow_down(SLOW)?;
    for value in 1..=2 {
        let began = Instant::now();
        patch(&client, value).await?;
        assert!(began.elapsed() >= SLOW, "acknowledged after {:?}, before it was synced", began.elapsed());
    }
    disk.heal()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_once_acknowledges_nothing_and_ends_the_node() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, breakable: true, ..Options::default() }).await?;
    prepare(&cluster.client()?, 1).await?;
    let client = impatient(&cluster)?;
    let last = patch(&client, 1).await?;
    let disk = Disk::of(cluster.folder_of(1))?;
    // Of the log: what is written behind it syncs too, and its failure says nothing about what is acknowledged.
    disk.fail_next_sync_of_the_raft_log()?;
    let refused = patch(&client, 2).await;
    assert!(refused.is_err(), "acknowledged behind a sync that failed: {refused:?}");
    let status = cluster.wait_for_exit(1).await?;
    assert_eq!(status.code(), Some(70), "{status}");
    disk.heal()?;
    cluster.start_node(1)?;
    cluster.wait_until_whole().await?;
    let next = eventually("writes go on after a start", Duration::from_secs(20), async || {
        patch(&client, 100).await.map_err(|error| error.to_string())
    })
    .await?;
    assert!(next > last, "what was acknowledged is there: {next} after {last}");
    Ok(())
}
