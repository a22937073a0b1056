//! `muster-sim`: see `--help`, and "Simulation" in `chaos-tests/README.md`.

use std::fs::File;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use muster_sim::many::{self, Asked};
use muster_sim::plan::Mode;
use muster_sim::run::{self, Plant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds that found something once, kept for ever.
const KEPT: &str = include_str!("../seeds.txt");

/// Runs clusters of nodes in simulated time, under faults from a seed. The same seed gives the same run.
#[derive(Parser)]
struct Arguments {
    /// One seed, told in full.
    #[arg(long, value_parser = number)]
    seed: Option<u64>,
    /// So many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value = "1", value_parser = number)]
    from: u64,
    /// After so many seconds no further seed is begun.
    #[arg(long)]
    seconds_max: Option<u64>,
    /// What is demanded.
    #[arg(long, value_enum, default_value = "swarm")]
    mode: Mode,
    /// Faults go on for so many simulated seconds at most; short runs are many, long ones deep.
    #[arg(long)]
    length_max: Option<u64>,
    /// With --seed: writes everything that happens into this file.
    #[arg(long)]
    trace: Option<std::path::PathBuf>,
    /// Processes at a time; as many as there are cores if not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Every so many seeds one runs twice, to compare the traces; 0 for none.
    #[arg(long, default_value_t = 20)]
    check_trace_of_every: usize,
    /// Also runs the seeds that were kept.
    #[arg(long)]
    kept: bool,
    /// Plants a defect, to see that it is noticed.
    #[arg(long, value_enum)]
    plant: Option<Plant>,
    /// One seed, told as a line of JSON: how the processes of many seeds are started.
    #[arg(long, hide = true, value_parser = number)]
    one: Option<u64>,
}

fn number(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

#[allow(clippy::print_stdout, reason = "the command's output")]
fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.one.or(arguments.seed) {
        let trace = arguments.trace.as_ref().map(File::create).transpose().context("the file of the trace")?;
        let length_max = arguments.length_max.map(Duration::from_secs);
        let asked = run::Asked { seed, mode: arguments.mode, length_max, trace, plant: arguments.plant };
        let report = run::run(asked);
        if arguments.one.is_some() {
            println!("{}", report.line());
        } else {
            println!("seed {seed:#018x}: {} ms simulated, trace {:#018x}", report.simulated_ms, report.trace);
            report.counts.iter().for_each(|(name, count)| println!("  {name:<44} {count}"));
            report.wrongs.iter().for_each(|wrong| println!("WRONG {wrong}"));
        }
        return Ok(if report.wrongs.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut seeds = if arguments.kept { kept() } else { Vec::new() };
    seeds.extend((0..arguments.seeds).map(|place| (arguments.from.wrapping_add(place), arguments.mode)));
    let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let mut further = Vec::new();
    if let Some(name) = arguments.plant.and_then(|plant| clap::ValueEnum::to_possible_value(&plant)) {
        further.extend(["--plant".to_owned(), name.get_name().to_owned()]);
    }
    if let Some(seconds) = arguments.length_max {
        further.extend(["--length-max".to_owned(), seconds.to_string()]);
    }
    let asked = Asked {
        seeds,
        limit: arguments.seconds_max.map(Duration::from_secs),
        jobs,
        twice_every: arguments.check_trace_of_every,
        further,
    };
    let total = many::run(&asked, |line| println!("{line}"))?;
    println!("{}", total.summary());
    Ok(if total.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lines of a seed, what is demanded, and why it was kept.
fn kept() -> Vec<(u64, Mode)> {
    let lines = KEPT.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let seed = number(words.next()?).ok()?;
            Some((seed, clap::ValueEnum::from_str(words.next()?, true).ok()?))
        })
        .collect()
}
