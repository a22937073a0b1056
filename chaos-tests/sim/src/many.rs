//! Many seeds, each in a process of its own, and what they come to together.
//!
//! - A share of the seeds runs twice; a trace that differs is a failure of the simulation itself.
//! - A process that ends without a report, or takes too long, is a failure of its seed.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::plan::Mode;
use crate::report::Report;

/// A process that takes longer hangs.
const REAL_MAX: Duration = Duration::from_secs(600);

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Seeds and what is demanded of each.
    pub seeds: Vec<(u64, Mode)>,
    /// After so long no further seed is begun.
    pub limit: Option<Duration>,
    /// Processes at a time.
    pub jobs: usize,
    /// Every so many seeds one runs twice.
    pub twice_every: usize,
    /// Passed on to each process.
    pub further: Vec<String>,
}

/// What came of all.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// Seeds that ran.
    pub seeds: u64,
    /// Seeds that ran twice.
    pub twice: u64,
    /// Simulated time, of first runs.
    pub simulated: Duration,
    /// Time that the processes took, of first runs.
    pub worked: Duration,
    /// Time from the first to the last.
    pub real: Duration,
    /// Sums of what reports count.
    pub counts: BTreeMap<String, u64>,
    /// What each seed was asked besides.
    pub further: Vec<String>,
    /// Seeds that failed, and why.
    pub failures: Vec<(u64, Mode, Vec<String>)>,
}

struct Working {
    seed: u64,
    mode: Mode,
    /// The trace of the first run, when this is the second.
    first: Option<u64>,
    wants_second: bool,
    child: Child,
    began: Instant,
}

/// The one command that repeats a seed.
#[must_use]
pub fn command(seed: u64, mode: Mode, further: &[String]) -> String {
    let further: String = further.iter().map(|word| format!(" {word}")).collect();
    format!("cargo xtask sim --seed {seed:#018x} --mode {}{further}", name(mode))
}

/// As on the command line.
#[must_use]
pub fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Safety => "safety",
        Mode::Liveness => "liveness",
        Mode::Swarm => "swarm",
    }
}

/// Runs all of it.
///
/// # Errors
/// When processes cannot be started.
pub fn run(asked: &Asked, mut tell: impl FnMut(&str)) -> anyhow::Result<Total> {
    let began = Instant::now();
    let mut total = Total { further: asked.further.clone(), ..Total::default() };
    let mut waiting = asked.seeds.iter().copied().enumerate();
    let mut again: Vec<(u64, Mode, u64)> = Vec::new();
    let mut working: Vec<Working> = Vec::new();
    let mut is_over = false;
    loop {
        is_over |= asked.limit.is_some_and(|limit| began.elapsed() > limit);
        while working.len() < asked.jobs.max(1) {
            let next = |waiting: &mut dyn Iterator<Item = (usize, (u64, Mode))>| waiting.next().filter(|_| !is_over);
            if let Some((seed, mode, first)) = again.pop() {
                working.push(start(asked, seed, mode, Some(first), false)?);
            } else if let Some((position, (seed, mode))) = next(&mut waiting) {
                let twice = asked.twice_every > 0 && position % asked.twice_every == 0;
                working.push(start(asked, seed, mode, None, twice)?);
            } else {
                break;
            }
        }
        if working.is_empty() {
            break;
        }
        let Some(position) = ended(&mut working)? else {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        };
        let done = working.swap_remove(position);
        if let Some(first) = finish(done, &mut total, &mut tell) {
            again.push(first);
        }
    }
    total.real = began.elapsed();
    Ok(total)
}

fn start(asked: &Asked, seed: u64, mode: Mode, first: Option<u64>, wants_second: bool) -> anyhow::Result<Working> {
    let child = Command::new(std::env::current_exe()?)
        .args(["--one", &format!("{seed:#x}"), "--mode", name(mode)])
        .args(&asked.further)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("a process for a seed")?;
    Ok(Working { seed, mode, first, wants_second, child, began: Instant::now() })
}

/// One that has ended; those that hang are ended.
fn ended(working: &mut [Working]) -> anyhow::Result<Option<usize>> {
    for (position, work) in working.iter_mut().enumerate() {
        if work.child.try_wait()?.is_some() {
            return Ok(Some(position));
        }
        if work.began.elapsed() > REAL_MAX {
            work.child.kill()?;
            work.child.wait()?;
            return Ok(Some(position));
        }
    }
    Ok(None)
}

/// Returns what has to run again, with its trace.
fn finish(mut done: Working, total: &mut Total, tell: &mut impl FnMut(&str)) -> Option<(u64, Mode, u64)> {
    let mut said = String::new();
    if let Some(out) = &mut done.child.stdout {
        // A report that cannot be read is none.
        drop(out.read_to_string(&mut said));
    }
    let report = said.lines().last().and_then(Report::read);
    let took = done.began.elapsed();
    let mut wrongs = match &report {
        Some(report) => report.wrongs.clone(),
        None if took > REAL_MAX => vec![format!("hangs: no report after {} s", took.as_secs())],
        None => vec![format!("ends: the process ended without a report ({:?})", done.child.wait())],
    };
    let trace = report.as_ref().map_or(0, |report| report.trace);
    if let Some(first) = done.first {
        total.twice += 1;
        wrongs.clear();
        if first != trace {
            wrongs.push(format!("same_seed_same_trace: {first:#018x}, then {trace:#018x}"));
        }
    } else {
        total.seeds += 1;
        total.worked += took;
        if let Some(report) = &report {
            total.simulated += Duration::from_millis(report.simulated_ms);
            for (name, count) in &report.counts {
                *total.counts.entry(name.clone()).or_default() += count;
            }
        }
    }
    if !wrongs.is_empty() {
        tell(&format!(
            "FAILED seed {:#018x}: {}\n  repeat: {}",
            done.seed,
            wrongs.join("\n  "),
            command(done.seed, done.mode, &total.further)
        ));
        total.failures.push((done.seed, done.mode, wrongs));
    }
    (done.wants_second && done.first.is_none()).then_some((done.seed, done.mode, trace))
}

impl Total {
    /// In some lines.
    #[must_use]
    pub fn summary(&self) -> String {
        let seconds = |time: Duration| time.as_secs_f64();
        let sum = |prefix: &str| -> u64 {
            self.counts.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, count)| count).sum()
        };
        let mut lines = vec![format!(
            "{} seeds, {} failed; {:.0} s simulated in {:.0} s of work ({:.0} times real time on one core) and {:.0} s of time",
            self.seeds,
            self.failures.len(),
            seconds(self.simulated),
            seconds(self.worked),
            seconds(self.simulated) / seconds(self.worked).max(0.001),
            seconds(self.real),
        )];
        lines.push(format!("{} seeds ran twice to compare their traces", self.twice));
        lines.push(format!("faults: {}; calls: {}", sum("fault."), sum("calls.")));
        for (name, count) in &self.counts {
            lines.push(format!("  {name:<44} {count}"));
        }
        if self.failures.is_empty() && self.seeds > 0 {
            lines.push(format!(
                "no failure in {} seeds: with 95 % confidence fewer than {:.4} % of seeds like these fail (3/N)",
                self.seeds,
                300.0 / bounded(self.seeds)
            ));
        }
        for (seed, mode, _) in &self.failures {
            lines.push(format!("failed: {}", command(*seed, *mode, &self.further)));
        }
        lines.join("\n")
    }
}

fn bounded(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
