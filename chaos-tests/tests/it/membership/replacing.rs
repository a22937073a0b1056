//! A member whose disk is gone is replaced by the documented procedure (node/docs/how-to/membership.md), under load.

use std::fs;

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::invariants::{acked_writes_survive, chains_agree};
use muster_chaos::workload::{Writers, prepare, wait_for_writes};
use muster_client::proto;
use nix::sys::signal::Signal;

use super::{voter, wait_for_voters};

const DATA_LOST: i32 = 73;

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_is_replaced_by_the_documented_procedure() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    prepare(&cluster.client()?, 3).await?;
    let leader = cluster.leader().await?;
    let wiped = cluster.ids().into_iter().find(|id| *id != leader).expect("three members");
    let rest: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != wiped).collect();
    let writers = Writers::start((0..3).map(|_| cluster.client_of(&rest)).collect::<anyhow::Result<_>>()?);

    cluster.kill(&[wiped]).await?;
    fs::remove_dir_all(cluster.data_dir(wiped))?;
    cluster.start_node(wiped)?;
    assert_eq!(cluster.wait_for_exit(wiped).await?.code(), Some(DATA_LOST));
    let log = cluster.log_of(wiped)?;
    assert!(log.contains(&format!("muster cluster replace {wiped}")), "it names the way out:\n{log}");

    let new = cluster.add_node(proto::AdmitNodeRequest { replaces: wiped, ..voter("fresh") }).await?;
    assert_eq!(new, 4);
    cluster.forget_node(wiped)?;
    let mut voters = [rest.clone(), vec![new]].concat();
    voters.sort_unstable();
    wait_for_voters(&cluster, &voters).await?;
    wait_for_writes(&cluster.client()?, 100).await?;

    // Whoever is gone now: the new one votes, so the cluster lives without one of the old ones.
    cluster.kill(&[leader]).await?;
    let alive: Vec<u64> = voters.iter().copied().filter(|id| *id != leader).collect();
    wait_for_writes(&cluster.client_of(&alive)?, 100).await?;
    cluster.start_node(leader)?;
    cluster.wait_until_whole().await?;
    let acked = writers.finish().await?;
    let revision = chains_agree::check(&cluster).await?;
    for id in cluster.ids() {
        acked_writes_survive::check(&cluster.client_of(&[id])?, &acked, revision).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_durable_log_does_not_take_part_and_says_how_to_replace_it() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    prepare(&cluster.client()?, 1).await?;
    let leader = cluster.leader().await?;
    let hurt = cluster.ids().into_iter().find(|id| *id != leader).expect("three members");
    cluster.end(hurt, Signal::SIGTERM).await?;
    // The log opens cleanly and is empty; only the high-water file knows that there was more.
    fs::remove_dir_all(cluster.data_dir(hurt).join("raftlog"))?;
    cluster.start_node(hurt)?;
    assert_eq!(cluster.wait_for_exit(hurt).await?.code(), Some(DATA_LOST));
    let log = cluster.log_of(hurt)?;
    assert!(log.contains("lost data that was durable") && log.contains("muster cluster replace"), "{log}");

    let new = cluster.add_node(proto::AdmitNodeRequest { replaces: hurt, ..voter("fresh") }).await?;
    cluster.forget_node(hurt)?;
    let mut voters: Vec<u64> = cluster.ids();
    voters.sort_unstable();
    assert!(voters.contains(&new));
    wait_for_voters(&cluster, &voters).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_node_is_replaced_by_another() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    prepare(&cluster.client()?, 1).await?;
    let new = cluster.add_node(proto::AdmitNodeRequest { replaces: 1, ..voter("moved") }).await?;
    assert_eq!(cluster.wait_for_exit(1).await?.code(), Some(72), "the old one leaves when the new one votes");
    cluster.forget_node(1)?;
    wait_for_voters(&cluster, &[new]).await?;
    wait_for_writes(&cluster.client()?, 0).await
}
