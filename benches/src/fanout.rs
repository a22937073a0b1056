//! `watch`: one node, many watchers, each told of every change; against etcd with as many.
//!
//! - **Flood**: writers in a closed loop; events that arrive at watchers in the measured time are counted, all together.
//!   Load, watchers and node share the processors, so this is a comparison and no capacity.
//! - **Quiet**: one writer at a fixed rate; from sending the change, and from its answer, to its arrival at each watcher.
//!
//! Invariants: all watchers are there before the first change; a watcher that breaks fails the measurement.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use tokio::task::LocalSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::machine::processor_time;
use crate::options::WatchSettings;
use crate::process::find_program;
use crate::rounds::{folder_for, musterd, within};
use crate::systems::System;
use crate::systems::etcd::{self, Etcd};
use crate::systems::muster::{self, Muster};
use crate::talk::{print, say};

/// Watchers on one connection: well below what servers allow by default.
const WATCHERS_PER_CONNECTION: usize = 100;
/// How long all watchers may take to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(60);
/// How long the last change may take to reach every watcher.
const ARRIVE_WITHIN: Duration = Duration::from_secs(60);

/// One message of a watch.
pub(crate) struct Heard {
    /// Of its last event.
    pub(crate) revision: u64,
    pub(crate) events: u64,
}

/// A watch that is open.
pub(crate) trait Feed {
    fn next(&mut self) -> impl Future<Output = Result<Heard, String>> + Send;
}

/// One writer.
pub(crate) trait Put {
    /// Changes something, and returns its revision.
    fn put(&mut self) -> impl Future<Output = Result<u64, String>> + Send;
}

/// A system whose changes can be watched.
pub(crate) trait Watched {
    fn watch(&self, client: usize) -> impl Future<Output = Result<impl Feed + Send + 'static, String>> + Send;
    fn put(&self, client: usize) -> impl Put + Send + 'static;
}

/// What one system did.
#[derive(Debug, Clone, Copy)]
struct Figures {
    delivered_per_s: f64,
    written_per_s: f64,
    node_us_per_event: f64,
    after_sending_us: [u64; 2],
    after_answer_us: [u64; 2],
}

/// Measures and prints.
pub(crate) async fn run(settings: &WatchSettings) -> Result<bool> {
    let parent = settings.common.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir_in(&parent).context("make a folder")?;
    let connections = (settings.watchers as usize).div_ceil(WATCHERS_PER_CONNECTION).max(1);
    let etcd = match find_program(&settings.common.etcd).filter(|_| !settings.common.no_etcd) {
        None => None,
        Some(program) => {
            say("starting etcd, one node");
            let layout = etcd::Layout { nodes: 1, connections, leader_only: false, keys: settings.common.keys() };
            let own = folder_for(folder.path(), "etcd")?;
            let start = Etcd::start(&program, &own, layout);
            Some(within(&settings.common, start).await.context("start etcd")?)
        }
    };
    say("starting muster, one node");
    let layout = muster::Layout {
        nodes: 1,
        connections,
        leader_only: false,
        keys: settings.common.keys(),
        tls: settings.common.tls,
        in_flight: 1,
        request_ids: !settings.common.no_request_ids,
    };
    let (program, own) = (musterd(settings.common.musterd.as_deref())?, folder_for(folder.path(), "muster")?);
    let start = Muster::start(&program, &own, layout);
    let ours = within(&settings.common, start).await.context("start muster")?;
    let measured = rounds(settings, &ours, etcd.as_ref()).await;
    Box::new(ours).stop().await;
    if let Some(etcd) = etcd {
        Box::new(etcd).stop().await;
    }
    measured.map(|()| true)
}

async fn rounds(settings: &WatchSettings, ours: &Muster, etcd: Option<&Etcd>) -> Result<()> {
    print(&format!(
        "{} watchers of one node, told of every change\n{:<4} {:<8} {:>14} {:>11} {:>16} {:>22} {:>22}",
        settings.watchers,
        "run",
        "system",
        "delivered/s",
        "written/s",
        "node us/event",
        "sent to heard p50/p99",
        "answer to heard p50/p99"
    ));
    let mut ratios = Vec::new();
    for run in 1..=settings.common.runs() {
        let mut peer = None;
        if let Some(etcd) = etcd {
            let figures = measure(settings, etcd).await.context("etcd")?;
            show(run, "etcd", &figures);
            peer = Some(figures);
        }
        let own = measure(settings, ours).await.context("muster")?;
        show(run, "muster", &own);
        ratios.extend(peer.map(|peer| own.delivered_per_s / peer.delivered_per_s));
        sleep(settings.common.rest()).await;
    }
    if !ratios.is_empty() {
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        print(&format!("delivered, against etcd: {median:.2} x of {ratios:.2?}; to reach: 5 x"));
    }
    Ok(())
}

fn show(run: u32, system: &str, figures: &Figures) {
    let pair = |[p50, p99]: [u64; 2]| format!("{p50} / {p99} us");
    print(&format!(
        "{run:<4} {system:<8} {:>14.0} {:>11.0} {:>16.2} {:>22} {:>22}",
        figures.delivered_per_s,
        figures.written_per_s,
        figures.node_us_per_event,
        pair(figures.after_sending_us),
        pair(figures.after_answer_us),
    ));
}

async fn measure(settings: &WatchSettings, system: &(impl Watched + System)) -> Result<Figures> {
    let local = LocalSet::new();
    local.run_until(measure_within(settings, system)).await
}

/// What all watchers share; they run on one thread.
#[derive(Default)]
struct Shared {
    events: Cell<u64>,
    /// The revision heard of by a watcher that is furthest behind is found by counting who reached the last one.
    reached: RefCell<Vec<u64>>,
    arrivals: RefCell<Option<Vec<(u64, Instant)>>>,
    broken: RefCell<Option<String>>,
}

async fn measure_within(settings: &WatchSettings, system: &(impl Watched + System)) -> Result<Figures> {
    let watching = Watching::begin(system, settings.watchers).await?;
    let figures = cases(settings, system, &watching.shared).await;
    watching.end().await;
    figures
}

/// From sending a change, and from its answer, to its arrival at the only watcher: median and 99th percentile each,
/// microseconds. Within a `LocalSet`.
pub(crate) async fn latency(system: &impl Watched, rate: u32, time: Duration) -> Result<([u64; 2], [u64; 2])> {
    let watching = Watching::begin(system, 1).await?;
    let measured = quiet(system, &watching.shared, rate, time).await;
    watching.end().await;
    measured
}

/// Watchers that listen.
struct Watching {
    shared: Rc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Watching {
    async fn begin(system: &impl Watched, watchers: u32) -> Result<Self> {
        let shared = Rc::new(Shared { reached: RefCell::new(vec![0; watchers as usize]), ..Shared::default() });
        let mut watching = Self { shared, tasks: Vec::new() };
        for client in 0..watchers as usize {
            let opened = timeout(BEGIN_WITHIN, system.watch(client)).await.context("a watch does not begin")?;
            let feed = opened.map_err(anyhow::Error::msg)?;
            watching.tasks.push(tokio::task::spawn_local(listen(feed, client, Rc::clone(&watching.shared))));
        }
        Ok(watching)
    }

    /// Ends them, and waits until they are gone.
    async fn end(self) {
        for task in self.tasks {
            task.abort();
            task.await.ok();
        }
    }
}

async fn listen(mut feed: impl Feed, client: usize, shared: Rc<Shared>) {
    loop {
        match feed.next().await {
            Ok(heard) => {
                shared.events.set(shared.events.get() + heard.events);
                shared.reached.borrow_mut()[client] = heard.revision;
                if let Some(arrivals) = &mut *shared.arrivals.borrow_mut() {
                    arrivals.push((heard.revision, Instant::now()));
                }
            }
            Err(error) => {
                shared.broken.borrow_mut().get_or_insert(error);
                return;
            }
        }
    }
}

async fn cases(settings: &WatchSettings, system: &(impl Watched + System), shared: &Rc<Shared>) -> Result<Figures> {
    let (sent, answered) =
        quiet(system, shared, settings.rate, settings.common.measured()).await.context("the quiet case")?;
    let (delivered_per_s, written_per_s, node_us_per_event) =
        flood(settings, system, shared).await.context("the flood")?;
    Ok(Figures { delivered_per_s, written_per_s, node_us_per_event, after_sending_us: sent, after_answer_us: answered })
}

/// Latencies from sending and from the answer to each watcher: median and 99th percentile, microseconds.
async fn quiet(system: &impl Watched, shared: &Shared, rate: u32, time: Duration) -> Result<([u64; 2], [u64; 2])> {
    let mut writer = system.put(0);
    let mut ticks = interval(Duration::from_secs(1) / rate);
    let changes = u64::from(rate) * time.as_secs();
    *shared.arrivals.borrow_mut() = Some(Vec::new());
    let mut written = Vec::new();
    for _ in 0..changes {
        ticks.tick().await;
        let sent = Instant::now();
        let revision = writer.put().await.map_err(anyhow::Error::msg)?;
        written.push((revision, sent, Instant::now()));
    }
    let last = written.last().map_or(0, |(revision, _, _)| *revision);
    all_reach(shared, last).await?;
    let arrivals = shared.arrivals.borrow_mut().take().unwrap_or_default();
    let mut after_sending = Histogram::<u64>::new(3)?;
    let mut after_answer = Histogram::<u64>::new(3)?;
    for (revision, arrived) in &arrivals {
        let Ok(at) = written.binary_search_by_key(revision, |(revision, _, _)| *revision) else { continue };
        let (_, sent, answered) = written[at];
        after_sending.record(u64::try_from(arrived.saturating_duration_since(sent).as_micros())?)?;
        after_answer.record(u64::try_from(arrived.saturating_duration_since(answered).as_micros())?)?;
    }
    let expected = changes * shared.reached.borrow().len() as u64;
    ensure!(after_sending.len() == expected, "{} of {expected} arrivals", after_sending.len());
    let percentiles = |of: &Histogram<u64>| [of.value_at_quantile(0.5), of.value_at_quantile(0.99)];
    Ok((percentiles(&after_sending), percentiles(&after_answer)))
}

/// Events delivered a second, changes written a second, and the node's processor time for an event, microseconds.
async fn flood(settings: &WatchSettings, system: &(impl Watched + System), shared: &Shared) -> Result<(f64, f64, f64)> {
    let stop = Rc::new(Cell::new(false));
    let written = Rc::new(Cell::new(0_u64));
    let newest = Rc::new(Cell::new(0_u64));
    let mut writers = Vec::new();
    for client in 0..settings.writers as usize {
        let mut writer = system.put(client);
        let (stop, written, newest) = (Rc::clone(&stop), Rc::clone(&written), Rc::clone(&newest));
        writers.push(tokio::task::spawn_local(async move {
            while !stop.get() {
                let revision = writer.put().await?;
                written.set(written.get() + 1);
                newest.set(newest.get().max(revision));
            }
            Ok::<(), String>(())
        }));
    }
    sleep(settings.common.warmup()).await;
    let node = || system.processes().iter().map(|(_, pid)| processor_time(*pid)).sum::<Result<Duration>>();
    let (begun, before, events, changes) = (Instant::now(), node()?, shared.events.get(), written.get());
    sleep(settings.common.measured()).await;
    let (seconds, spent) = (begun.elapsed().as_secs_f64(), node()?.saturating_sub(before));
    let (events, changes) = (shared.events.get() - events, written.get() - changes);
    stop.set(true);
    for writer in writers {
        writer.await?.map_err(anyhow::Error::msg)?;
    }
    all_reach(shared, newest.get()).await?;
    ensure!(events > 0, "no event arrived");
    let node_us = spent.as_secs_f64() * 1e6 / events as f64;
    Ok((events as f64 / seconds, changes as f64 / seconds, node_us))
}

async fn all_reach(shared: &Shared, revision: u64) -> Result<()> {
    let deadline = Instant::now() + ARRIVE_WITHIN;
    loop {
        if let Some(error) = shared.broken.borrow_mut().take() {
            bail!("a watch broke: {error}");
        }
        let behind = shared.reached.borrow().iter().filter(|reached| **reached < revision).count();
        if behind == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{behind} watchers never heard of revision {revision}");
        sleep(Duration::from_millis(2)).await;
    }
}
