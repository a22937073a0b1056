//! A member whose data directory is gone: it must not come back as if it had never promised anything.

use std::fs;
use std::time::{Duration, Instant};

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::invariants::acked_writes_survive;
use muster_chaos::workload::{NAMESPACE, Writers, prepare, wait_for_writes};
use muster_client::{Client, RetryPolicy, names, proto};

/// Much longer than an election takes.
const NO_LEADER_FOR: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_lost_its_data_directory_does_not_vote() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    // Two for the writers, and one for everything else, so that nothing overwrites what must survive.
    prepare(&client, 3).await?;
    let leader = cluster.leader().await?;
    let followers: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    let (wiped, stale) = (followers[0], followers[1]);
    // Where it joined is recorded, and a member with its data comes back as before.
    assert!(cluster.data_dir(wiped).join("MEMBER").exists(), "a member has a marker");

    cluster.kill(&[wiped]).await?;
    fs::remove_dir_all(cluster.data_dir(wiped))?;
    cluster.start_node(wiped)?;
    let status = cluster.wait_for_exit(wiped).await?;
    assert!(!status.success(), "the node without data ended with {status}");
    let log = cluster.log_of(wiped)?;
    assert!(log.contains("has forgotten how it voted"), "it says what happened:\n{log}");

    let writers = Writers::start((0..2).map(|_| cluster.client_of(&[leader, stale])).collect::<anyhow::Result<_>>()?);
    wait_for_writes(&cluster.client_of(&[leader, stale])?, 100).await?;
    let acked = writers.finish().await?;
    assert!(!acked.is_empty());

    // {stale} and the node without data are two of three, but only one of them has a vote to give.
    cluster.kill(&[leader]).await?;
    cluster.start_node(wiped)?;
    let once = RetryPolicy { attempts_max: 1, attempt_timeout: Duration::from_secs(2), ..RetryPolicy::default() };
    let config = cluster.client_config(&[stale])?.token_file(cluster.pki().join("admin.token"))?.retry(once);
    let impatient = Client::new(config)?;
    let started = Instant::now();
    while started.elapsed() < NO_LEADER_FOR {
        let answer = impatient.twins().patch(patch_of_the_third()).await;
        assert!(answer.is_err(), "acknowledged by one member with data: {answer:?}");
    }
    let status = cluster.wait_for_exit(wiped).await?;
    assert!(!status.success(), "the node without data ended with {status}");

    cluster.start_node(leader)?;
    let both = cluster.client_of(&[leader, stale])?;
    let written = both.twins().patch(patch_of_the_third()).await?;
    let revision = written.header.map(|header| header.revision).unwrap_or_default();
    acked_writes_survive::check(&both, &acked, revision).await
}

fn patch_of_the_third() -> proto::PatchTwinRequest {
    proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, "d2"),
        desired_json: Some("{\"sequence\":1}".to_owned()),
        ..Default::default()
    }
}
