//! Twenty edges, three nodes, and everything that can happen between them: lines that are cut anywhere, go silent or slow,
//! nodes and agents that are killed, applications that repeat themselves, devices that are given to other edges. Then
//! nothing more happens, and the invariants of `sync.md` are asked for by their names.
//!
//! What happens is chosen from a seed; when exactly, by the machine. `MUSTER_SYNC_CHAOS_SEED` repeats the choices of a run, and
//! `MUSTER_SYNC_CHAOS_CUTS` says how long it goes on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::edges::plan::Plan;
use muster_chaos::edges::{Field, faults};
use muster_chaos::invariants::chains_agree;

const EDGES: usize = 20;
/// Bytes of a node's log for each kill, and from the beginning: while a node is down its leader says so, and does not fill a disk.
const LOG_MAX: usize = 4 << 20;

async fn run(plan: Plan) -> anyhow::Result<String> {
    let started = Instant::now();
    let settings = super::SETTINGS.to_owned();
    let mut cluster = Cluster::start(Options { nodes: 3, settings, ..Options::default() }).await?;
    let mut field = Field::build(&cluster, plan, EDGES).await?;
    let (staged, from) = (started.elapsed(), Instant::now());

    let over = Arc::new(AtomicBool::new(false));
    let at_work = field.begin(cluster.client()?, &over)?;
    let (broken, node_kills) = tokio::try_join!(field.storm(&over), faults::kill_nodes(plan, &mut cluster, &over))?;
    field.heal();
    let done = at_work.finish().await?;
    let (stormed, from) = (from.elapsed(), Instant::now());

    ensure!(done.changes.failed == 0, "the person at the cluster: {:?}", done.changes);
    let checked = field.check(&cluster, &done, broken).await?;
    let log_max = LOG_MAX * (1 + usize::try_from(node_kills)?);
    for node in cluster.ids() {
        let bytes = cluster.log_of(node)?.len();
        ensure!(bytes <= log_max, "the log of node {node} has {bytes} bytes after {node_kills} kills");
    }
    chains_agree::check(&cluster).await?;
    let seconds = |time: Duration| time.as_secs();
    Ok(format!(
        "{} cuts, {node_kills} nodes and {} agents killed; {checked:?}, {:?}; {} s to begin, {} s of faults, {} s until all \
         was checked",
        field.cuts(),
        broken.kills,
        done.changes,
        seconds(staged),
        seconds(stormed),
        seconds(from.elapsed()),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_each_answered_report_has_one_effect_and_both_sides_agree() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plan = Plan::read()?;
    let again = format!("MUSTER_SYNC_CHAOS_SEED={} MUSTER_SYNC_CHAOS_CUTS={}", plan.seed, plan.cuts);
    let told = run(plan).await.with_context(|| format!("again with: {again}"))?;
    #[allow(clippy::print_stderr, reason = "a long run says what it has done")]
    {
        eprintln!("{again}: {told}");
    }
    Ok(())
}
