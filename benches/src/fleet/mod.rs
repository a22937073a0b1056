//! `query`: the questions people ask a fleet, against PostgreSQL with the same fleet in it.
//!
//! Answers are compared first; a difference ends the run. Then each question is asked again and again by one client, at rest and
//! while twins change, both through the loopback: gRPC here, a Unix socket there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;
use tokio_postgres::{Client, Statement};

use crate::options::QuerySettings;
use crate::rounds::{folder_for, musterd};
use crate::systems::muster::cluster::Cluster;
use crate::talk::{print, say};
use node::Node;
use postgres::Postgres;
use questions::{QUESTIONS, Question};

mod dataset;
mod node;
mod postgres;
mod questions;

/// Changes of one call.
const CHANGES: u64 = 50;
/// Writes of the freshness probe.
const PROBES: u64 = 200;
/// Streams of one connection.
const STREAMS: u32 = 100;
/// How long a node may take to answer after a restart.
const WITHIN: Duration = Duration::from_secs(300);

/// Measures and prints.
pub(crate) async fn run(settings: &QuerySettings) -> Result<bool> {
    let parent = settings.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir_in(&parent).context("make a folder")?;
    let (program, own) = (musterd(settings.musterd.as_deref())?, folder_for(folder.path(), "muster")?);
    let twins = if settings.quick { 10_000 } else { settings.twins };
    let peer = peer(settings, folder.path(), twins).await?;
    let mut cluster = Cluster::start(&program, &own, 1, false).await?;
    let node = Node::connect(&cluster.urls()[0], cluster.token())?;
    say(&format!("loading {twins} twins into a node"));
    let begun = Instant::now();
    node.load(twins).await?;
    print(&format!("musterd: loaded in {:.1?}, {} MiB of memory", begun.elapsed(), memory_mib(&cluster)?));

    if let Some((_, client)) = &peer {
        for question in &QUESTIONS {
            compare(&node, client, question).await?;
        }
        say("all answers are the same");
    }
    let runs = if settings.quick { 11 } else { settings.runs };
    print(
        "| question | PostgreSQL p50, p99 ms | Muster p50, p99 ms | ratio of p50 | aim |\n| --- | --- | --- | --- | --- |",
    );
    for question in &QUESTIONS {
        let ours = time(runs, async || node.time(question.muster).await).await?;
        let theirs = match &peer {
            Some((_, client)) => {
                let statement = client.prepare(question.sql).await?;
                Some(time(runs, async || ask(client, &statement).await.map(drop)).await?)
            }
            None => None,
        };
        show(question, theirs, ours);
    }
    under_load(&node, twins, runs, &settings.rates).await?;
    fresh(&node, twins).await?;
    followed(&node, &cluster.urls()[0], twins, settings.subscriptions, if settings.quick { 500 } else { 5_000 })
        .await?;
    restart(&mut cluster, &node).await?;
    cluster.stop().await;
    if let Some((postgres, client)) = peer {
        drop(client);
        postgres.stop().await;
    }
    Ok(true)
}

async fn peer(settings: &QuerySettings, folder: &Path, twins: u32) -> Result<Option<(Postgres, Client)>> {
    let bin: Option<PathBuf> = if settings.no_postgres { None } else { Postgres::installed() };
    let Some(bin) = bin else {
        say("PostgreSQL is left out; Debian has it as postgresql-15");
        return Ok(None);
    };
    let postgres = Postgres::start(&bin, &folder.join("postgres")).await?;
    let client = postgres.connect().await?;
    say(&format!("loading {twins} twins into PostgreSQL"));
    let (loaded, indexed) = Postgres::load(&client, twins).await?;
    let mib = Postgres::size(&client).await? >> 20;
    print(&format!("PostgreSQL: loaded in {loaded:.1?}, indexed in {indexed:.1?}, {mib} MiB of tables and indexes"));
    Ok(Some((postgres, client)))
}

async fn ask(client: &Client, statement: &Statement) -> Result<Vec<Vec<String>>> {
    let rows = client.query(statement, &[]).await?;
    let text = |row: &tokio_postgres::Row| {
        (0..row.len()).map(|at| row.get::<_, Option<String>>(at).unwrap_or_default()).collect()
    };
    Ok(rows.iter().map(text).collect())
}

async fn compare(node: &Node, client: &Client, question: &Question) -> Result<()> {
    let statement = client.prepare(question.sql).await.with_context(|| question.sql.to_owned())?;
    let (ours, theirs) = (node.ask(question.muster).await?, ask(client, &statement).await?);
    let same_cell = |a: &String, b: &String| match (a.parse::<f64>(), b.parse::<f64>()) {
        // Averages: PostgreSQL adds in another order than we.
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        _ => a == b,
    };
    let same_row =
        |(a, b): (&Vec<String>, &Vec<String>)| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_cell(a, b));
    let same = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(same_row);
    ensure!(
        same,
        "{}: {} rows, {} in PostgreSQL\n{:?}\n{:?}",
        question.name,
        ours.len(),
        theirs.len(),
        ours.first(),
        theirs.first()
    );
    Ok(())
}

/// Median and 99th percentile, milliseconds.
#[derive(Clone, Copy)]
struct Times {
    p50: f64,
    p99: f64,
}

async fn time(runs: u32, mut once: impl AsyncFnMut() -> Result<()>) -> Result<Times> {
    for _ in 0..3 {
        once().await?;
    }
    let mut times = Vec::new();
    for _ in 0..runs {
        let begun = Instant::now();
        once().await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    Ok(Times { p50: at(50), p99: at(99) })
}

fn show(question: &Question, theirs: Option<Times>, ours: Times) {
    let theirs_shown = theirs.map_or("-".to_owned(), |times| format!("{:.2}, {:.2}", times.p50, times.p99));
    let ratio = theirs.map_or("-".to_owned(), |times| format!("{:.1}", times.p50 / ours.p50));
    print(&format!(
        "| {} | {theirs_shown} | {:.2}, {:.2} | {ratio} | {} |",
        question.name, ours.p50, ours.p99, question.aim
    ));
}

/// The same questions while twins change.
async fn under_load(node: &Node, twins: u32, runs: u32, rates: &[u64]) -> Result<()> {
    for rate in rates {
        let load = Load::start(node.clone(), twins, *rate);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut rows = Vec::new();
        for question in &QUESTIONS {
            rows.push((question.name, time(runs, async || node.time(question.muster).await).await?));
        }
        let achieved = load.stop().await?;
        print(&format!("with {achieved:.0} of {rate} changes a second: p50, p99 ms"));
        for (name, times) in rows {
            print(&format!("| {name} | {:.2}, {:.2} |", times.p50, times.p99));
        }
    }
    Ok(())
}

/// Changes at a steady rate, in calls of some.
struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    begun: Instant,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Load {
    fn start(node: Node, twins: u32, rate: u64) -> Self {
        let (stop, made): (Arc<AtomicBool>, Arc<AtomicU64>) = Default::default();
        let (until, count) = (Arc::clone(&stop), Arc::clone(&made));
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_micros(CHANGES * 1_000_000 / rate.max(1)));
            let mut number = 0;
            while !until.load(Ordering::Acquire) {
                ticks.tick().await;
                node.change((number..number + CHANGES).map(|number| dataset::change(number, twins)).collect()).await?;
                number += CHANGES;
                count.store(number, Ordering::Release);
            }
            Ok(())
        });
        Self { stop, made, begun: Instant::now(), task }
    }

    /// How many changes a second there were.
    async fn stop(self) -> Result<f64> {
        self.stop.store(true, Ordering::Release);
        let took = self.begun.elapsed().as_secs_f64();
        self.task.await??;
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let made = self.made.load(Ordering::Acquire) as f64;
        Ok(made / took)
    }
}

/// A write, then a query that must see it.
async fn fresh(node: &Node, twins: u32) -> Result<()> {
    let mut misses = 0;
    for probe in 0..PROBES {
        let index = u32::try_from(probe).unwrap_or(0) % twins;
        node.change(vec![(index, format!(r#"{{"probe":{probe}}}"#))]).await?;
        let rows = node.ask(&format!("SELECT deviceId FROM devices WHERE reported.probe = {probe}")).await?;
        misses += u64::from(rows != [vec![dataset::id(index)]]);
    }
    print(&format!("freshness: {misses} of {PROBES} writes were missing in the query after them"));
    ensure!(misses == 0, "an answer was stale");
    Ok(())
}

/// Many live queries, of a few different texts each, while twins change.
async fn followed(node: &Node, url: &str, twins: u32, subscriptions: u32, rate: u64) -> Result<()> {
    if subscriptions == 0 {
        return Ok(());
    }
    let told = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    let mut follower = node.elsewhere(url)?;
    for number in 0..subscriptions {
        if number % STREAMS == 0 {
            follower = node.elsewhere(url)?;
        }
        // A hundred different texts.
        let text = format!(
            "SELECT deviceId, reported.battery FROM devices WHERE tags.building = 'b{}' AND reported.battery < 10",
            number % 100
        );
        let mut stream = follower.watch(&text).await?;
        let told = Arc::clone(&told);
        tasks.push(tokio::spawn(async move {
            while let Ok(Some(_)) = stream.message().await {
                told.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let before = told.load(Ordering::Relaxed);
    let load = Load::start(node.clone(), twins, rate);
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let took = begun.elapsed().as_secs_f64();
    let messages = told.load(Ordering::Relaxed) - before;
    let achieved = load.stop().await?;
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate_told = messages as f64 / took;
    print(&format!(
        "{subscriptions} live queries of 100 texts, {achieved:.0} of {rate} changes a second: {rate_told:.0} messages a second"
    ));
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

async fn restart(cluster: &mut Cluster, node: &Node) -> Result<()> {
    cluster.terminate(0)?;
    cluster.wait_for_end(0).await?;
    let begun = Instant::now();
    cluster.restart_within(0, WITHIN).await?;
    let served = begun.elapsed();
    let text = "SELECT COUNT() AS n FROM devices";
    while node.ask(text).await.is_err() {
        ensure!(begun.elapsed() < WITHIN, "no query was answered within {WITHIN:?} after a restart");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    print(&format!(
        "restart: writes after {served:.2?}, queries after {:.2?}, {} MiB of memory",
        begun.elapsed(),
        memory_mib(cluster)?
    ));
    Ok(())
}

fn memory_mib(cluster: &Cluster) -> Result<u64> {
    let (_, pid) = cluster.processes()[0];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read a node's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a node's memory")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("a node's memory")?;
    Ok(kib >> 10)
}
