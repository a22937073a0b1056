//! Changes at a steady rate, from a thread of their own, so that asking and writing do not wait for each other in the load.
//!
//! Invariants: each number of a change is taken once, over all phases of a run; a rate that is told was counted while the
//! questions were asked, not while writers began or ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::Instant;

use super::dataset::Fleet;
use super::store::{Session, Store};

/// Changes of one call, or of one transaction.
const CHANGES: u64 = 50;
/// Clients that write at the same time.
const WRITERS: u64 = 4;

/// The running writers.
pub(super) struct Writers {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
    begun: Instant,
    before: u64,
}

impl Writers {
    /// Begins to write; `next` is the number of the next change.
    pub(super) fn start<S: Store>(store: S, fleet: Fleet, rate: u64, next: Arc<AtomicU64>) -> Self {
        let (stop, made): (Arc<AtomicBool>, Arc<AtomicU64>) = Default::default();
        let (until, count) = (Arc::clone(&stop), Arc::clone(&made));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let writers = (0..WRITERS).map(|_| write(&store, fleet, rate, &next, &until, &count));
            runtime.block_on(futures::future::try_join_all(writers)).map(drop)
        });
        Self { stop, made, thread, begun: Instant::now(), before: 0 }
    }

    /// Counts from now on.
    pub(super) fn count(&mut self) {
        (self.begun, self.before) = (Instant::now(), self.made.load(Ordering::Acquire));
    }

    /// Ends, and tells how many changes a second there were since [`count`](Self::count).
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) async fn stop(self) -> Result<f64> {
        let made = self.made.load(Ordering::Acquire) - self.before;
        let rate = made as f64 / self.begun.elapsed().as_secs_f64();
        self.stop.store(true, Ordering::Release);
        let thread = self.thread;
        let ended = tokio::task::spawn_blocking(move || thread.join()).await.context("wait for the writers")?;
        ended.map_err(|_| anyhow!("a writer panicked"))??;
        Ok(rate)
    }
}

async fn write<S: Store>(
    store: &S,
    fleet: Fleet,
    rate: u64,
    next: &AtomicU64,
    until: &AtomicBool,
    count: &AtomicU64,
) -> Result<()> {
    let mut session = store.session().await?;
    let mut ticks = tokio::time::interval(Duration::from_micros(CHANGES * WRITERS * 1_000_000 / rate.max(1)));
    while !until.load(Ordering::Acquire) {
        ticks.tick().await;
        let first = next.fetch_add(CHANGES, Ordering::AcqRel);
        let mut changes: Vec<_> = (first..first + CHANGES).map(|number| fleet.change(number)).collect();
        // Locks are taken in one order by all, so that no two transactions wait for each other; stable for one device.
        changes.sort_by(|a, b| a.id.cmp(&b.id));
        session.change(&changes).await?;
        count.fetch_add(CHANGES, Ordering::AcqRel);
    }
    Ok(())
}
