//! Live queries of many clients while twins change, which only Muster has.
//!
//! What is told is counted by kind. The first answers are over before counting begins, so a row that comes is one that a change
//! brought in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_proto::v1::watch_query_response::Kind;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};

use super::dataset::Fleet;
use super::node::Muster;
use super::writers::Writers;

/// Streams of one connection.
const STREAMS: u32 = 100;
/// Different texts.
const TEXTS: u32 = 100;
/// How long messages are counted.
const COUNTED: Duration = Duration::from_secs(5);
/// How long all first answers may take.
const FIRST_WITHIN: Duration = Duration::from_secs(120);
/// The kinds of messages, in the order of [`Told`].
const KINDS: [Kind; 4] = [Kind::Enter, Kind::Update, Kind::Leave, Kind::Progress];

/// Live queries beside changes; messages a second.
#[derive(Debug, Serialize)]
pub(super) struct Live {
    pub(super) queries: u32,
    pub(super) texts: u32,
    /// Until every query had its first answer.
    pub(super) first_seconds: f64,
    pub(super) asked_rate: u64,
    pub(super) achieved_rate: f64,
    /// Rows that came in.
    pub(super) enter: f64,
    /// Rows that are other ones now.
    pub(super) update: f64,
    /// Rows that went.
    pub(super) leave: f64,
    /// Marks that only say how far all has been told.
    pub(super) progress: f64,
}

type Told = [AtomicU64; 4];

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
    let (answered, mut first_answers) = tokio::sync::watch::channel(0_u32);
    let begun = Instant::now();
    for number in 0..queries {
        if number % STREAMS == 0 {
            follower = muster.follower()?;
        }
        let mut stream = follower.watch(&text(number)).await?;
        let (told, answered) = (Arc::clone(&told), answered.clone());
        tasks.spawn(async move {
            let mut first = true;
            while let Ok(Some(message)) = stream.message().await {
                let kind = message.kind();
                if let Some(at) = KINDS.iter().position(|known| *known == kind) {
                    told[at].fetch_add(1, Ordering::Relaxed);
                }
                if first && kind == Kind::Progress {
                    first = false;
                    answered.send_modify(|count| *count += 1);
                }
            }
        });
    }
    let all = timeout(FIRST_WITHIN, first_answers.wait_for(|count| *count == queries)).await;
    drop(all.context("first answers of live queries take too long")??);
    let first_seconds = begun.elapsed().as_secs_f64();

    let mut writers = Writers::start(muster.clone(), fleet, rate, next);
    sleep(Duration::from_secs(1)).await;
    let now = || told.each_ref().map(|count| count.load(Ordering::Relaxed));
    writers.count();
    let (begun, before) = (Instant::now(), now());
    sleep(COUNTED).await;
    let (took, after) = (begun.elapsed().as_secs_f64(), now());
    let achieved_rate = writers.stop().await?;
    ensure!(tasks.try_join_next().is_none(), "a live query ended");
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate_of = |at: usize| (after[at] - before[at]) as f64 / took;
    let texts = TEXTS.min(queries);
    let [enter, update, leave, progress] = [0, 1, 2, 3].map(rate_of);
    Ok(Live { queries, texts, first_seconds, asked_rate: rate, achieved_rate, enter, update, leave, progress })
}

/// A range that a changed battery enters and leaves.
fn text(number: u32) -> String {
    format!(
        "SELECT deviceId, reported.battery FROM devices WHERE tags.building = 'b{}' AND reported.battery < 50",
        number % TEXTS
    )
}
