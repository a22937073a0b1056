//! `cargo xtask mutants`: plants the bugs of `muster-planted` one by one, and demands that the check named for each of them
//! fails, and that it passes when nothing is planted.
//!
//! ```text
//! build with the feature ─▶ controls: each check without a bug must pass
//!                        └▶ trials:   each bug, its checks in turn until one fails ─▶ table
//! ```
//!
//! Which check finds which bug stands in `catalogue`, how binaries are built in `suites`, how one check runs in `trial`. A
//! check that fails without a bug proves nothing about any bug: the bugs that it should find count as not found.

mod catalogue;
mod suites;
mod table;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use muster_planted::Bug;

use crate::{needs, say};
use catalogue::Check;
use suites::Suites;
use table::Row;
use trial::Verdict;

/// As many as the smallest machine has processors.
const JOBS: usize = 2;
/// How long the short form plants bugs; neither the build counts nor the checks without a bug.
const SHORT_SECONDS_MAX: u64 = 180;

#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Only these bugs, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// Also checks that start clusters and take long, and all checks of each bug instead of the first that finds it.
    #[arg(long)]
    long: bool,
    /// Plants nothing more after so many seconds of planting; what is left out is named.
    #[arg(long, value_name = "T")]
    seconds_max: Option<u64>,
    /// Does not run the checks without a bug first.
    #[arg(long)]
    skip_controls: bool,
    /// Takes what was built last.
    #[arg(long)]
    skip_build: bool,
    /// Lists bugs and checks, and runs nothing.
    #[arg(long)]
    list: bool,
    /// Checks that run at the same time.
    #[arg(long, default_value_t = JOBS, value_name = "N")]
    jobs: usize,
    /// How the table is written.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Columns for a terminal.
    #[default]
    Text,
    /// A table for a document.
    Markdown,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    Ok(if attempt(arguments)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The short form that every change must pass: whether all was found that there was time for.
pub(crate) fn pass() -> Result<bool> {
    attempt(&Arguments { seconds_max: Some(SHORT_SECONDS_MAX), jobs: JOBS, ..Arguments::default() })
}

fn attempt(arguments: &Arguments) -> Result<bool> {
    let bugs = chosen(&arguments.only)?;
    if arguments.list {
        let rows: Vec<Row> = bugs.iter().map(|bug| Row::listed(*bug, &wanted(*bug, arguments.long))).collect();
        table::print(&rows, arguments.output == Output::Markdown);
        return Ok(true);
    }
    needs::for_building()?;
    let suites = if arguments.skip_build { Suites::built()? } else { Suites::build()? };
    let began = Instant::now();
    let unfit = if arguments.skip_controls { BTreeSet::new() } else { controls(&suites, &bugs, arguments)? };
    let until = arguments.seconds_max.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let rows = trials(&suites, &bugs, &unfit, until, arguments)?;
    table::print(&rows, arguments.output == Output::Markdown);
    Ok(conclude(&rows, &unfit, began.elapsed()))
}

fn chosen(names: &[String]) -> Result<Vec<Bug>> {
    if names.is_empty() {
        return Ok(Bug::ALL.to_vec());
    }
    names.iter().map(|name| Bug::named(name).with_context(|| format!("there is no bug `{name}`; see --list"))).collect()
}

/// The checks that are to find a bug in this run, the shorter ones first.
fn wanted(bug: Bug, is_long: bool) -> Vec<Check> {
    catalogue::checks(bug).into_iter().filter(|check| is_long || !check.is_long).collect()
}

/// Runs each check once without a bug; returns those that fail all the same.
fn controls(suites: &Suites, bugs: &[Bug], arguments: &Arguments) -> Result<BTreeSet<Check>> {
    let checks: BTreeSet<Check> = bugs.iter().flat_map(|bug| wanted(*bug, arguments.long)).collect();
    say::step(&format!("{} checks without a bug", checks.len()));
    let checks: Vec<Check> = checks.into_iter().collect();
    let verdicts = side_by_side(&checks, arguments.jobs, |check| trial::run(suites, check, None))?;
    let failed = checks.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_found());
    Ok(failed
        .map(|(check, verdict)| {
            say::bad(&format!("{check} fails without a bug: {}", verdict.log.display()));
            check.clone()
        })
        .collect())
}

fn trials(
    suites: &Suites,
    bugs: &[Bug],
    unfit: &BTreeSet<Check>,
    until: Option<Instant>,
    arguments: &Arguments,
) -> Result<Vec<Row>> {
    say::step(&format!("{} bugs, one at a time", bugs.len()));
    side_by_side(bugs, arguments.jobs, |bug| {
        let mut row = Row::listed(*bug, &wanted(*bug, arguments.long));
        for check in wanted(*bug, arguments.long).into_iter().filter(|check| !unfit.contains(check)) {
            if until.is_some_and(|until| Instant::now() >= until) {
                row.is_left_out |= row.found.is_empty();
                break;
            }
            let Verdict { ended, seconds, log } = trial::run(suites, &check, Some(*bug))?;
            row.seconds += seconds;
            if ended.is_found() {
                row.found.push(check);
                if !arguments.long {
                    break;
                }
            } else {
                say::bad(&format!("{}: {check} passes: {}", bug.name(), log.display()));
            }
        }
        Ok(row)
    })
}

fn conclude(rows: &[Row], unfit: &BTreeSet<Check>, took: Duration) -> bool {
    let found = rows.iter().filter(|row| !row.found.is_empty()).count();
    let left_out: Vec<&str> = rows.iter().filter(|row| row.is_left_out).map(|row| row.bug.name()).collect();
    let missed: Vec<&str> =
        rows.iter().filter(|row| row.found.is_empty() && !row.is_left_out).map(|row| row.bug.name()).collect();
    say::plain("");
    say::good(&format!("{found} of {} planted bugs were found, in {:.0} s", rows.len(), took.as_secs_f64()));
    if !left_out.is_empty() {
        say::note(&format!("left out, there was no time: {}", left_out.join(", ")));
    }
    if !missed.is_empty() {
        say::bad(&format!("found by no check: {}", missed.join(", ")));
    }
    let is_half = left_out.len() * 2 > rows.len();
    if is_half {
        say::bad("more than half was left out: that shows nothing");
    }
    missed.is_empty() && unfit.is_empty() && !is_half
}

/// Does `work` for all items, so many at a time; what comes of them is in the order of the items.
fn side_by_side<T: Sync, R: Send>(items: &[T], jobs: usize, work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    ensure!(jobs > 0, "--jobs must be at least 1");
    let next = Mutex::new(0..items.len());
    let take = || next.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let work = &work;
    let mut done = BTreeMap::new();
    std::thread::scope(|scope| {
        let worker = || {
            let mut own = Vec::new();
            while let Some(at) = take() {
                own.push((at, work(&items[at])));
            }
            own
        };
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            done.extend(worker.join().expect("a worker does not panic"));
        }
    });
    done.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_side_by_side_stays_in_order() {
        let items: Vec<u32> = (0..50).collect();
        let done = side_by_side(&items, 4, |item| Ok(item * 2)).expect("nothing fails");
        assert_eq!(done, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(
            side_by_side(&items, 4, |item| {
                ensure!(*item != 7, "seven");
                Ok(())
            })
            .is_err()
        );
    }

    #[test]
    fn every_bug_has_a_check() {
        for bug in Bug::ALL {
            assert!(!catalogue::checks(*bug).is_empty(), "{}", bug.name());
        }
        let short = Bug::ALL.iter().filter(|bug| !wanted(**bug, false).is_empty());
        assert!(short.count() >= 60);
    }

    #[test]
    fn bugs_are_chosen_by_name() {
        assert_eq!(chosen(&[]).expect("all").len(), Bug::ALL.len());
        assert_eq!(chosen(&["uplink-gap-accepted".to_owned()]).expect("one"), [Bug::UplinkGap]);
        assert!(chosen(&["no-such-bug".to_owned()]).is_err());
    }
}
