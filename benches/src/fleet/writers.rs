//! Changes at a steady rate, from a thread of their own, so that asking and writing do not wait for each other in the load; and a
//! number of changes as fast as they go.
//!
//! Invariants: each number of a change is taken once, over all phases of a run; a rate that is told was counted while the
//! questions were asked, not while writers began or ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use tokio::time::Instant;

use super::dataset::{Change, Fleet};
use super::store::{Session, Store};
use crate::machine::processor_time;

/// Changes of one call, or of one transaction.
const CHANGES: u32 = 50;
/// Clients that write at the same time.
const WRITERS: u32 = 4;

/// A number of changes as fast as they went, with nothing else asked.
#[derive(Debug, Serialize)]
pub(super) struct Applied {
    pub(super) what: &'static str,
    pub(super) changes: u64,
    pub(super) rate: f64,
    /// Processor time of all processes of the system for one change, microseconds.
    pub(super) cpu_us: f64,
}

/// Makes the changes. Each device is one writer's, so that the outcome is the same whoever is faster.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) async fn apply<S: Store>(
    store: &S,
    fleet: Fleet,
    what: &'static str,
    numbers: std::ops::Range<u64>,
) -> Result<Applied> {
    let changes = numbers.end - numbers.start;
    let mut shares = vec![Vec::<Change>::new(); WRITERS as usize];
    for change in numbers.map(|number| fleet.change(number)) {
        let share = change.id.bytes().map(usize::from).sum::<usize>() % shares.len();
        shares[share].push(change);
    }
    // A process that ends meanwhile is not a client's.
    let spent =
        || anyhow::Ok(store.processes()?.into_iter().filter_map(|pid| processor_time(pid).ok()).sum::<Duration>());
    let mut sessions = Vec::new();
    for _ in &shares {
        sessions.push(store.session().await?);
    }
    // A server's process for a connection is there once it was used; what it spent is lost once it ends.
    for (session, share) in sessions.iter_mut().zip(&shares) {
        session.change(&share[..share.len().min(1)]).await?;
    }
    let (before, begun) = (spent()?, Instant::now());
    let writers = sessions.iter_mut().zip(&shares).map(|(session, share)| async move {
        for changes in share.get(1..).unwrap_or_default().chunks(CHANGES as usize) {
            session.change(&in_order(changes.to_vec())).await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(writers).await?;
    let (took, spent) = (begun.elapsed().as_secs_f64(), spent()?.saturating_sub(before).as_secs_f64());
    let count = (changes - u64::from(WRITERS)) as f64;
    Ok(Applied { what, changes, rate: count / took, cpu_us: spent * 1e6 / count })
}

/// Locks are taken in one order by all, so that no two transactions wait for each other; stable for one device.
fn in_order(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by(|a, b| a.id.cmp(&b.id));
    changes
}

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
    made: &AtomicU64,
) -> Result<()> {
    let mut session = store.session().await?;
    let mut ticks =
        tokio::time::interval(Duration::from_micros(u64::from(CHANGES * WRITERS) * 1_000_000 / rate.max(1)));
    while !until.load(Ordering::Acquire) {
        ticks.tick().await;
        let count = u64::from(CHANGES);
        let first = next.fetch_add(count, Ordering::AcqRel);
        let changes = in_order((first..first + count).map(|number| fleet.change(number)).collect());
        session.change(&changes).await?;
        made.fetch_add(count, Ordering::AcqRel);
    }
    Ok(())
}
