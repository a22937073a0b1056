//! Chaos on real processes, by seeds: see `muster_chaos::chaos`. Keeps what each run leaves, and says how to repeat it.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a script that drives real processes by the real clock"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use muster_chaos::chaos::availability::Histogram;
use muster_chaos::chaos::clients::Counts;
use muster_chaos::chaos::plan::Plan;
use muster_chaos::chaos::report;
use muster_chaos::chaos::run::{Outcome, Task, run};

/// Break clusters of real processes, and check every answer.
#[derive(Debug, Parser)]
struct Arguments {
    /// The first seed, decimal or 0x…; chooses what breaks [default: from the clock]
    #[arg(long, value_parser = seed)]
    seed: Option<u64>,
    /// Runs, each with a cluster of its own and the next seed
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Seconds of faults in each run
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// No run begins after so many seconds
    #[arg(long)]
    seconds_max: Option<u64>,
    /// Kill the leader so many times and break nothing else, for the histogram of failovers
    #[arg(long, value_name = "KILLS")]
    leader_kills: Option<usize>,
    /// Where each run's history, logs and timeline go, in a folder by its seed; without it only findings are kept
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Another musterd than the one built here
    #[arg(long, value_name = "PATH")]
    musterd: Option<PathBuf>,
    /// Clients that call one by one
    #[arg(long, default_value_t = 12)]
    singles: u16,
    /// Clients with atomic batches
    #[arg(long, default_value_t = 3)]
    batches: u16,
    /// Clients with streams of patches
    #[arg(long, default_value_t = 3)]
    streams: u16,
    /// Edges with agents, whose links are cut and who are killed; none where only leaders are killed
    #[arg(long, default_value_t = 4)]
    edges: usize,
}

fn seed(text: &str) -> Result<u64, String> {
    let parsed = text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16));
    parsed.map_err(|error| format!("not a number of 64 bits: {error}"))
}

/// Sums over all runs.
#[derive(Default)]
struct Totals {
    runs: u64,
    faults: usize,
    calls: usize,
    checked: u64,
    cuts: u64,
    agents: u64,
    failovers: Vec<f64>,
    failed: Vec<u64>,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.faults += outcome.happened.len();
        self.calls += outcome.ops.len();
        self.checked += outcome.verdicts.iter().filter_map(|(_, verdict)| verdict.as_ref().ok()).sum::<u64>();
        self.cuts += outcome.edges.0;
        self.agents += outcome.edges.1;
        self.failovers.extend(outcome.failovers.values());
    }

    fn say(self, took: Duration) {
        println!(
            "{} runs in {} s: {} faults of nodes, {} cuts of edges' links, {} agents killed, {} calls, {} checks of them; \
             findings in {:?}",
            self.runs,
            took.as_secs(),
            self.faults,
            self.cuts,
            self.agents,
            self.calls,
            self.checked,
            self.failed
        );
        println!("time without an acknowledged write after each kill of the leader:");
        Histogram::new(self.failovers).lines().iter().for_each(|line| println!("  {line}"));
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let first = arguments.seed.unwrap_or_else(|| rand::random::<u64>() >> 32);
    let begun = Instant::now();
    let mut totals = Totals::default();
    for seed in first..first.saturating_add(arguments.runs) {
        if arguments.seconds_max.is_some_and(|most| begun.elapsed().as_secs() >= most) {
            break;
        }
        totals.runs += 1;
        if !one(&arguments, seed, &mut totals).await {
            totals.failed.push(seed);
        }
    }
    let is_good = totals.failed.is_empty();
    totals.say(begun.elapsed());
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether nothing was found.
async fn one(arguments: &Arguments, seed: u64, totals: &mut Totals) -> bool {
    let plan = arguments.leader_kills.map_or_else(|| Plan::new(seed), |kills| Plan::of_leader_kills(seed, kills));
    let storm = match arguments.leader_kills {
        // It ends with the last kill.
        Some(_) => Duration::from_secs(24 * 3_600),
        None => Duration::from_secs(arguments.seconds),
    };
    let (singles, batches, streams) = (arguments.singles, arguments.batches, arguments.streams);
    let counts = Counts { singles, batches, streams, lives: 1 };
    let edges = if arguments.leader_kills.is_some() { 0 } else { arguments.edges };
    let task = Task { plan, storm, counts, edges, musterd: arguments.musterd.clone() };
    let again = replay(arguments, seed);
    match run(&task).await {
        Ok(outcome) => {
            totals.add(&outcome);
            report::summary(&task, &outcome).iter().for_each(|line| println!("{line}"));
            let findings = outcome.findings();
            let default = Path::new("target/chaos").to_owned();
            let folder = arguments.keep.clone().or_else(|| (!findings.is_empty()).then_some(default));
            if let Some(folder) = folder.map(|folder| folder.join(format!("{seed:#x}"))) {
                match report::keep(&folder, &task, &outcome) {
                    Ok(()) => println!("kept in {}", folder.display()),
                    Err(error) => eprintln!("could not be kept in {}: {error:#}", folder.display()),
                }
            }
            findings.iter().for_each(|finding| println!("FINDING: {finding}\nREPLAY: {again}"));
            findings.is_empty()
        }
        Err(error) => {
            println!("FINDING: the run broke off: {error:#}\nREPLAY: {again}");
            false
        }
    }
}

fn replay(arguments: &Arguments, seed: u64) -> String {
    let what = arguments
        .leader_kills
        .map_or_else(|| format!("--seconds {}", arguments.seconds), |kills| format!("--leader-kills {kills}"));
    format!("cargo xtask chaos --seed {seed:#x} {what}")
}
