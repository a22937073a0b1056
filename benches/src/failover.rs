//! `failover`: the leader is killed again and again; how long until the first write is accepted elsewhere. And the same for
//! a leader that is told to stop, which hands over first.
//!
//! - A probe is sent to each other node every few milliseconds, before the kill already, and the first answer counts that
//!   was sent after it: what a client feels that tries again at once.
//! - After each round the node comes back and catches up, so that every round begins with three nodes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream::{FuturesUnordered, StreamExt};
use hdrhistogram::Histogram;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::options::FailoverSettings;
use crate::rounds::{folder_for, musterd};
use crate::systems::muster::cluster::Cluster;
use crate::systems::muster::probe::Probe;
use crate::talk::{print, say};

/// Between two probes of a node.
const PROBE_EVERY: Duration = Duration::from_millis(10);
/// How long a round may take before it counts as a stall that ends the measurement.
const ROUND_WITHIN: Duration = Duration::from_secs(30);
/// Calm before the next round, so that elections do not overlap.
const CALM: Duration = Duration::from_millis(500);

/// How a leader goes.
#[derive(Debug, Clone, Copy)]
enum End {
    /// `kill -9`.
    Killed,
    /// SIGTERM: it hands over before it ends.
    Stopped,
}

/// Measures and prints.
pub(crate) async fn run(settings: &FailoverSettings) -> Result<bool> {
    let parent = settings.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir_in(&parent).context("make a folder")?;
    let (program, own) = (musterd(settings.musterd.as_deref())?, folder_for(folder.path(), "muster")?);
    say("starting muster, three nodes");
    let mut cluster = Cluster::start(&program, &own, 3, false).await?;
    Probe::prepare(&cluster).await?;
    for (end, rounds) in [(End::Killed, settings.kills), (End::Stopped, settings.stops)] {
        if rounds > 0 {
            show(end, &measure(&mut cluster, end, rounds).await?);
        }
    }
    cluster.stop().await;
    Ok(true)
}

async fn measure(cluster: &mut Cluster, end: End, rounds: u32) -> Result<Histogram<u64>> {
    let mut gaps = Histogram::new(3)?;
    for round in 1..=rounds {
        let leader = cluster.leader().await?;
        let gap = timeout(ROUND_WITHIN, one(cluster, leader, end)).await.context("writes did not come back")??;
        gaps.record(u64::try_from(gap.as_micros())?)?;
        cluster.restart(leader).await?;
        sleep(CALM).await;
        if round % 20 == 0 {
            say(&format!("{end:?}: {round} of {rounds}"));
        }
    }
    Ok(gaps)
}

/// The longest time between two accepted writes around the end of the leader.
async fn one(cluster: &mut Cluster, leader: usize, end: End) -> Result<Duration> {
    let mut probes = Vec::new();
    for node in (0..cluster.urls().len()).filter(|node| *node != leader) {
        probes.push(Probe::open(cluster, node).await?);
    }
    let mut calls = FuturesUnordered::new();
    let mut ticks = interval(PROBE_EVERY);
    let mut before = 0_u32;
    let mut gone: Option<Instant> = None;
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if before == 10 && gone.is_none() {
                    gone = Some(Instant::now());
                    match end {
                        End::Killed => cluster.kill(leader).await?,
                        End::Stopped => cluster.terminate(leader)?,
                    }
                }
                calls.extend(probes.iter_mut().map(Probe::send));
            }
            Some((sent, outcome)) = calls.next() => match gone {
                None => {
                    ensure!(outcome.is_ok(), "a write failed while all was well: {outcome:?}");
                    before += 1;
                }
                Some(gone) if outcome.is_ok() && sent > gone => {
                    let now = Instant::now();
                    longest = longest.max(now - last.max(gone));
                    last = now;
                    // A leader that is stopping still answers for a while: the gap may come later.
                    if matches!(end, End::Killed) || cluster.has_ended(leader)? {
                        return Ok(longest);
                    }
                }
                Some(_) => {}
            }
        }
    }
}

fn show(end: End, gaps: &Histogram<u64>) {
    let at = |quantile: f64| gaps.value_at_quantile(quantile) / 1_000;
    let what = match end {
        End::Killed => "leader killed: from the kill to the first accepted write (to reach: p50 900, p99 1500 ms)",
        End::Stopped => "leader told to stop: longest time between two accepted writes (to reach: p99 150 ms)",
    };
    print(&format!(
        "{what}\n  {} rounds: p50 {} ms, p90 {} ms, p99 {} ms, longest {} ms",
        gaps.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        gaps.max() / 1_000
    ));
}
