//! Reported patches of many edges through three nodes, against etcd's puts of the same run.
//!
//! Each edge keeps as many operations unanswered as the node lets it. What it reports comes back to it as items, as it does to
//! every edge, and is kept and answered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_proto::v1;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::link::{Edge, News};
use super::{Setting, sites};
use crate::load::{Client, Figures, Tally, Window, drive};
use crate::rounds::folder_for;
use crate::systems::etcd::{self, Etcd};
use crate::systems::{System, Work};
use crate::talk::{print, say};
use crate::workload::{Choice, patch, twin_name};

/// Edges that report.
const EDGES: u32 = 100;
/// Clients of etcd, as in the other comparisons.
const PUTS: usize = 256;
const CONNECTIONS: usize = 6;
/// What is to be reached (the figure): times the rate of etcd's puts.
const REACH: f64 = 10.0;

/// Measures and prints.
pub(super) async fn run(setting: &Setting) -> Result<()> {
    let cluster = setting.cluster(3, false).await?;
    let devices = setting.devices;
    say(&format!("uplink: making {EDGES} edges with {devices} devices each"));
    let mut edges = sites::create(&cluster, EDGES, devices).await?;
    let etcd = match &setting.etcd {
        Some(program) => {
            let layout = etcd::Layout { nodes: 3, connections: CONNECTIONS, leader_only: false, keys: EDGES * devices };
            let own = folder_for(setting.folder.path(), "etcd-uplink")?;
            Some(Etcd::start(program, &own, layout).await.context("start etcd")?)
        }
        None => None,
    };
    let urls = cluster.urls();
    let mut ratios = Vec::new();
    for run in 1..=setting.runs {
        let mut peer = None;
        if let Some(etcd) = &etcd {
            let window = Window::after(setting.warmup, setting.measured);
            let figures = drive(etcd.clients(Work::Write, PUTS, window)?, window, &etcd.processes()).await?;
            show(run, "etcd", &figures);
            ensure!(figures.is_sound(), "etcd: {:?}", figures.first_error);
            peer = Some(figures.rate);
        }
        let window = Window::after(setting.warmup, setting.measured);
        let (back, returned) = mpsc::channel(EDGES as usize);
        let clients = edges.drain(..).enumerate().map(|(at, edge)| -> Client {
            let (url, back) = (urls[at % urls.len()].clone(), back.clone());
            Box::pin(async move {
                let (mut tally, mut edge) = (Tally::default(), edge);
                if let Err(error) = report(&mut edge, at, devices, &url, window, &mut tally).await {
                    tally.failed(error);
                }
                back.send((at, edge)).await.ok();
                tally
            })
        });
        let figures = drive(clients.collect(), window, &cluster.processes()).await?;
        drop(back);
        edges = collected(returned).await;
        show(run, "muster", &figures);
        ensure!(figures.is_sound() && edges.len() == EDGES as usize, "muster: {:?}", figures.first_error);
        ratios.extend(peer.map(|peer| figures.rate / peer));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    if !ratios.is_empty() {
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        print(&format!(
            "reported patches, against etcd put with {PUTS} clients: {median:.2} x of {ratios:.2?}; to reach: {REACH} x"
        ));
    }
    if let Some(etcd) = etcd {
        Box::new(etcd).stop().await;
    }
    cluster.stop().await;
    Ok(())
}

/// In their order: each has its own devices.
async fn collected(mut returned: mpsc::Receiver<(usize, Edge)>) -> Vec<Edge> {
    let mut edges = BTreeMap::new();
    while let Some(edge) = returned.recv().await {
        edges.insert(edge.0, edge.1);
    }
    edges.into_values().collect()
}

fn show(run: u32, system: &str, figures: &Figures) {
    let cpu: f64 = figures.cpu_us_per_operation.iter().map(|(_, micros)| micros).sum();
    print(&format!(
        "run {run} {system:<7} {:>9.0}/s   p50 {:>7} us  p99 {:>7} us   processors {cpu:.1} us each, load included",
        figures.rate, figures.p50_us, figures.p99_us
    ));
}

/// Reports for as long as the window is open, then waits for what is not answered yet.
async fn report(
    edge: &mut Edge,
    number: usize,
    devices: u32,
    url: &str,
    window: Window,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut link = edge.connect(url, None).await?;
    let mut choice = Choice::new(number, devices);
    let first = u32::try_from(number).map_err(|error| error.to_string())? * devices;
    let mut done = link.welcome.last_sequence;
    let mut unanswered: VecDeque<Instant> = VecDeque::new();
    let room = link.welcome.window_operations as usize;
    let mut now = Instant::now();
    loop {
        if !window.is_over(now) && unanswered.len() < room {
            let count = room - unanswered.len();
            let operations = (0..count).map(|_| operation(&mut choice, first)).collect();
            link.operate(edge.sent_sequence + 1, operations)?;
            edge.sent_sequence += count as u64;
            unanswered.extend(std::iter::repeat_n(now, count));
        }
        if unanswered.is_empty() {
            return Ok(());
        }
        if let News::Done(last) = edge.next(&mut link).await? {
            now = Instant::now();
            for _ in done..last {
                let sent = unanswered.pop_front().ok_or("a result of nothing")?;
                tally.answered(&window, sent, now, 1);
            }
            done = done.max(last);
        }
    }
}

fn operation(choice: &mut Choice, first: u32) -> v1::SyncOperation {
    let name = twin_name(first + choice.device());
    let report = v1::SyncReport { name, reported_json: patch(choice.count()) };
    v1::SyncOperation { queued_ms: 1, operation: Some(v1::sync_operation::Operation::Report(report)) }
}
