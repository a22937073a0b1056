//! What connected edges cost a node that has nothing to tell them: memory, and processor time for heartbeats.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::crowd::{Crowd, Manner};
use super::{Setting, sites};
use crate::machine::{processor_time, resident_bytes};
use crate::talk::{print, say};

/// Edges that connect before memory is looked at, so that what a node allocates once is not counted.
const FIRST: usize = 100;
/// Edges that connect at a time.
const AT_ONCE: usize = 16;
/// How long the node is left alone before it is looked at.
const CALM: Duration = Duration::from_secs(3);
/// What an edge may cost, bytes (design, section 15).
const REACH_BYTES: u64 = 64 << 10;

/// Measures and prints.
pub(super) async fn run(setting: &Setting) -> Result<()> {
    let mut cluster = setting.cluster(1, setting.tls).await?;
    let (count, devices) = (setting.edges, setting.devices);
    say(&format!("idle: making {count} edges with {devices} devices each"));
    let mut edges = sites::create(&cluster, count, devices).await?;
    let (urls, pid) = (cluster.urls(), cluster.processes()[0].1);
    let rest = edges.split_off(FIRST.min(edges.len() / 2));
    let counted = rest.len() as u64;
    let first = Crowd::gather(edges, &urls, cluster.tls(), AT_ONCE, Manner::Strict);
    first.all_in_step(1).await?;
    sleep(CALM).await;
    let before = resident_bytes(pid)?;
    let crowd = Crowd::gather(rest, &urls, cluster.tls(), AT_ONCE, Manner::Strict);
    let took = crowd.all_in_step(1).await?;
    sleep(CALM).await;
    let after = resident_bytes(pid)?;
    let each = after.saturating_sub(before) / counted;
    let (began, spent) = (std::time::Instant::now(), processor_time(pid)?);
    sleep(setting.rest).await;
    let (seconds, spent) = (began.elapsed().as_secs_f64(), processor_time(pid)?.saturating_sub(spent));
    crowd.check()?;
    first.check()?;
    cluster.check_running()?;
    let share = spent.as_secs_f64() / seconds;
    print(&format!(
        "{count} idle edges with {devices} devices each, {}: {each} bytes each ({} MiB before, {} MiB with all; to reach: {REACH_BYTES})\n\
         connecting {counted}, {AT_ONCE} at a time, each with its whole scope: {took:.1?}\n\
         at rest, {seconds:.0} s: {:.1} % of a processor, {:.1} us of it an edge and second",
        if setting.tls { "TLS" } else { "without TLS" },
        before >> 20,
        after >> 20,
        share * 100.0,
        share * 1e6 / f64::from(count),
    ));
    drop((first, crowd));
    cluster.stop().await;
    Ok(())
}
