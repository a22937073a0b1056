//! How long a node that was told to end takes until it accepts writes again, and until it answers queries; with the columns
//! it kept on disk, and without.
//!
//! Knows of the columns on disk only the folder they lie in. Where there is none, the second restart is left out and the
//! report says so.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::dataset::Fleet;
use super::node::Muster;
use super::questions::Question;
use super::store::{Session, Size, Store};
use crate::systems::muster::cluster::Cluster;

/// Where a node keeps its columns, in its data folder.
const COLUMNS: &str = "views";
/// How long a node may take to answer after a restart.
const WITHIN: Duration = Duration::from_secs(300);
/// Between two tries, which is how exact the figures are.
const PAUSE: Duration = Duration::from_millis(5);
/// A number for a change that no phase before makes.
const FIRST_WRITE: u32 = 1_000_000_000;

/// Both ways.
#[derive(Debug, Serialize)]
pub(super) struct Restarts {
    pub(super) measured: Vec<Restart>,
    /// Why there is no second one.
    pub(super) left_out: Option<String>,
}

/// Seconds from the start of the process.
#[derive(Debug, Serialize)]
pub(super) struct Restart {
    pub(super) columns: &'static str,
    /// What the end before it took, from SIGTERM on.
    pub(super) end_took_seconds: f64,
    pub(super) writes_after_seconds: f64,
    pub(super) queries_after_seconds: f64,
    pub(super) sizes: Vec<Size>,
}

/// Ends the node in order and starts it again, as it is and then without columns on disk.
pub(super) async fn restart(cluster: &mut Cluster, fleet: Fleet, question: &Question) -> Result<Restarts> {
    let took = end(cluster).await?;
    let kept = cluster.data_folder(0).join(COLUMNS);
    if !holds_files(&kept) {
        let measured = vec![start(cluster, fleet, question, ("none on disk", took), FIRST_WRITE).await?];
        let left_out = Some(format!("the node left no file in {COLUMNS}/ of its data folder"));
        return Ok(Restarts { measured, left_out });
    }
    let with = start(cluster, fleet, question, ("kept on disk", took), FIRST_WRITE).await?;
    let took = end(cluster).await?;
    std::fs::remove_dir_all(&kept).with_context(|| format!("remove {}", kept.display()))?;
    let without = start(cluster, fleet, question, ("removed from disk", took), FIRST_WRITE + 1).await?;
    Ok(Restarts { measured: vec![with, without], left_out: None })
}

async fn end(cluster: &mut Cluster) -> Result<f64> {
    let begun = Instant::now();
    cluster.terminate(0)?;
    while !cluster.has_ended(0)? {
        ensure!(begun.elapsed() < WITHIN, "the node did not end within {WITHIN:?}");
        sleep(PAUSE).await;
    }
    Ok(begun.elapsed().as_secs_f64())
}

fn holds_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

async fn start(
    cluster: &mut Cluster,
    fleet: Fleet,
    question: &Question,
    (columns, end_took_seconds): (&'static str, f64),
    number: u32,
) -> Result<Restart> {
    let begun = Instant::now();
    cluster.start_again(0)?;
    let muster = Muster::of(cluster)?;
    let mut session = muster.session().await?;
    let write = fleet.probe(number);
    while session.change(std::slice::from_ref(&write)).await.is_err() {
        cluster.check_running()?;
        ensure!(begun.elapsed() < WITHIN, "no write was accepted within {WITHIN:?} after a restart");
        sleep(PAUSE).await;
    }
    let writes_after_seconds = begun.elapsed().as_secs_f64();
    session.turn_to(question).await?;
    while session.ask().await.is_err() {
        cluster.check_running()?;
        ensure!(begun.elapsed() < WITHIN, "no query was answered within {WITHIN:?} after a restart");
        sleep(PAUSE).await;
    }
    let queries_after_seconds = begun.elapsed().as_secs_f64();
    // It has to know what was written before and after.
    session.turn_to(&Question::probe(number)).await?;
    ensure!(session.ask().await?.len() == 1, "the first write after a restart is not in the answer after it");
    let sizes = muster.sizes().await?;
    Ok(Restart { columns, end_took_seconds, writes_after_seconds, queries_after_seconds, sizes })
}
