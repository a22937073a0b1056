//! The node that serves an edge is killed at every step of a session, while the edge reports and things change: every answered
//! report has one effect, and both sides agree.

use anyhow::{Context, ensure};
use muster_chaos::cluster::Cluster;
use muster_chaos::edges::agent::{Agent, PATIENCE};
use muster_chaos::eventually::eventually;
use muster_client::Client;
use muster_node::failpoint::Point;

use super::{Reporters, check_once, connected, device, newest, want};

/// In the order of a session, and how often the node comes by before it ends.
const STEPS: [(Point, u32); 11] = [
    (Point::SyncHello, 1),
    (Point::SyncOpened, 1),
    (Point::SyncWelcome, 1),
    (Point::SyncItems, 1),
    (Point::SyncItems, 2),
    (Point::SyncMark, 1),
    (Point::SyncMark, 3),
    (Point::SyncOperations, 2),
    (Point::SyncUplink, 2),
    (Point::SyncApplied, 2),
    (Point::SyncResult, 2),
];

async fn ends_at(cluster: &mut Cluster, client: &Client, (point, times): (Point, u32)) -> anyhow::Result<()> {
    cluster.kill(&[1]).await?;
    cluster.start_armed(1, Some(&format!("{}:{times}", point.name())))?;
    // There is always something that comes down.
    let wanting = async {
        for round in 0_u32.. {
            // The node may end before it answers.
            want(client, &device(1), &format!(r#"{{"round":{round}}}"#)).await.ok();
        }
        anyhow::bail!("no end of rounds")
    };
    let ended = tokio::select! {
        ended = cluster.wait_for_exit(1) => ended,
        ended = wanting => ended,
    };
    let log = cluster.log_of(1)?;
    ended.with_context(|| {
        let lines: Vec<&str> = log.lines().collect();
        format!("{}:{times}; its log ends so:\n{}", point.name(), lines[lines.len().saturating_sub(15)..].join("\n"))
    })?;
    ensure!(log.contains(&format!("point=\"{}\"", point.name())), "it did not come by {}", point.name());
    cluster.start_node(1)?;
    cluster.wait_until_whole().await
}

/// Waits for a session that came to a mark: from then on the agent's next tries follow each other quickly, however many failed before.
async fn agreeing(agent: &Agent) -> anyhow::Result<()> {
    eventually("a session comes to a mark", PATIENCE, async || {
        let status = agent.status().await.map_err(|error| error.to_string())?;
        if status["link"] == "in-step" { Ok(()) } else { Err(status.to_string()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_at_any_step_of_a_session_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let devices = 12;
    let (mut cluster, client, _wire, agent) = connected(1, devices).await?;
    let reporters = Reporters::new(devices as u64);
    let running: Vec<_> = (0..2).map(|_| reporters.start(&agent.client().expect("a client"))).collect();
    for step in STEPS {
        ends_at(&mut cluster, &client, step).await?;
        agreeing(&agent).await?;
        reporters.wait_for(3).await?;
    }
    running.iter().for_each(tokio::task::JoinHandle::abort);
    for reporter in running {
        reporter.await.ok();
    }
    let status = agent.in_step(newest(&client).await?).await?;
    assert_eq!((status["refused_operations"].as_u64(), status["defects"].as_u64()), (Some(0), Some(0)), "{status}");
    let told = reporters.told();
    ensure!(told.len() > 100, "{} reports", told.len());
    for number in 0..devices {
        let id = device(number);
        let own: Vec<u64> = told.iter().copied().filter(|number| reporters.device_of(*number) == id).collect();
        check_once(&client, &id, &own).await?;
    }
    Ok(())
}
