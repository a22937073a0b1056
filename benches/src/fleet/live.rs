//! What only Muster does: live queries of many clients while twins change, and the first answer after a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use muster_proto::v1;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::dataset::Fleet;
use super::node::Muster;
use super::questions::Question;
use super::store::{Session, Size, Store};
use super::writers::Writers;
use crate::systems::muster::cluster::Cluster;

/// Streams of one connection.
const STREAMS: u32 = 100;
/// Different texts.
const TEXTS: u32 = 100;
/// How long messages are counted.
const COUNTED: Duration = Duration::from_secs(5);
/// How long a node may take to answer after a restart.
const WITHIN: Duration = Duration::from_secs(300);

/// Live queries beside changes.
#[derive(Debug, Serialize)]
pub(super) struct Live {
    pub(super) queries: u32,
    pub(super) texts: u32,
    pub(super) asked_rate: u64,
    pub(super) achieved_rate: f64,
    /// Messages a second about rows that came, changed or went.
    pub(super) rows_per_second: f64,
    /// Messages a second that only say how far all has been told.
    pub(super) progress_per_second: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Restart {
    pub(super) writes_after_seconds: f64,
    pub(super) queries_after_seconds: f64,
    pub(super) sizes: Vec<Size>,
}

#[derive(Default)]
struct Told {
    rows: AtomicU64,
    progress: AtomicU64,
}

/// Follows many queries, of a hundred different texts, while twins change.
pub(super) async fn follow(
    muster: &Muster,
    fleet: Fleet,
    queries: u32,
    rate: u64,
    next: Arc<AtomicU64>,
) -> Result<Live> {
    let told = Arc::new(Told::default());
    let (mut tasks, mut follower) = (tokio::task::JoinSet::new(), muster.follower()?);
    for number in 0..queries {
        if number % STREAMS == 0 {
            follower = muster.follower()?;
        }
        let text = format!(
            "SELECT deviceId, reported.battery FROM devices WHERE tags.building = 'b{}' AND reported.battery < 10",
            number % TEXTS
        );
        let mut stream = follower.watch(&text).await?;
        let told = Arc::clone(&told);
        tasks.spawn(async move {
            while let Ok(Some(message)) = stream.message().await {
                let progress = message.kind() == v1::watch_query_response::Kind::Progress;
                (if progress { &told.progress } else { &told.rows }).fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut writers = Writers::start(muster.clone(), fleet, rate, next);
    // The rows of the first answers have come by then.
    sleep(Duration::from_secs(2)).await;
    let now = || (told.rows.load(Ordering::Relaxed), told.progress.load(Ordering::Relaxed));
    writers.count();
    let (begun, (rows, progress)) = (Instant::now(), now());
    sleep(COUNTED).await;
    let (took, after) = (begun.elapsed().as_secs_f64(), now());
    let achieved_rate = writers.stop().await?;
    ensure!(tasks.try_join_next().is_none(), "a live query ended");
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate_of = |count: u64| count as f64 / took;
    Ok(Live {
        queries,
        texts: TEXTS.min(queries),
        asked_rate: rate,
        achieved_rate,
        rows_per_second: rate_of(after.0 - rows),
        progress_per_second: rate_of(after.1 - progress),
    })
}

/// Ends the node in order and starts it again.
pub(super) async fn restart(cluster: &mut Cluster, question: &Question) -> Result<Restart> {
    cluster.terminate(0)?;
    cluster.wait_for_end(0).await?;
    let begun = Instant::now();
    cluster.restart_within(0, WITHIN).await?;
    let served = begun.elapsed();
    let muster = Muster::of(cluster)?;
    let mut session = muster.session().await?;
    session.turn_to(question).await?;
    while session.ask().await.is_err() {
        ensure!(begun.elapsed() < WITHIN, "no query was answered within {WITHIN:?} after a restart");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(Restart {
        writes_after_seconds: served.as_secs_f64(),
        queries_after_seconds: begun.elapsed().as_secs_f64(),
        sizes: muster.sizes().await?,
    })
}
