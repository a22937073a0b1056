//! What was measured, compared: a table for people, JSON for comparison over time.
//!
//! Knows no system by name but "muster", the one that is compared with the others.
//!
//! Invariants:
//! - A ratio is taken within one run, between measurements that followed each other; the one shown is the median over
//!   the runs.
//! - A measurement with errors is shown as FAILED and enters no ratio.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::load::Figures;
use crate::machine::Machine;
use crate::talk::print;

/// The system whose ratios to all others are shown.
const OURS: &str = "muster";

/// What Muster is to reach against a peer in the same case.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    RateAtLeast { peer: &'static str, times: f64 },
    MedianAtMost { peer: &'static str, times: f64 },
}

/// One system, driven once.
#[derive(Debug, Serialize)]
pub(crate) struct Measurement {
    pub(crate) case: String,
    pub(crate) system: &'static str,
    pub(crate) label: String,
    pub(crate) clients: usize,
    pub(crate) run: u32,
    #[serde(skip)]
    pub(crate) targets: Vec<Target>,
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// Ours against one peer, over all runs.
#[derive(Debug, Serialize)]
struct Comparison {
    case: String,
    ours: String,
    peer: String,
    /// Our rate by the peer's: the median, and each run.
    rate: f64,
    rate_runs: Vec<f64>,
    /// Our median latency by the peer's: the median over the runs.
    median_latency: f64,
    target: Option<Target>,
    reached: Option<bool>,
}

/// Everything of one program run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    kind: &'static str,
    /// Seconds since 1970.
    unix_time: u64,
    version: &'static str,
    /// A quick run shows that everything works; its numbers mean nothing.
    quick: bool,
    measured_seconds: f64,
    machine: Machine,
    measurements: Vec<Measurement>,
    comparisons: Vec<Comparison>,
}

impl Report {
    pub(crate) fn new(
        kind: &'static str,
        quick: bool,
        measured: Duration,
        machine: Machine,
        measurements: Vec<Measurement>,
    ) -> Self {
        let comparisons = compare(&measurements);
        Self {
            kind,
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            version: env!("CARGO_PKG_VERSION"),
            quick,
            measured_seconds: measured.as_secs_f64(),
            machine,
            measurements,
            comparisons,
        }
    }

    /// Whether every measurement went without an error.
    pub(crate) fn is_sound(&self) -> bool {
        self.measurements.iter().all(|measurement| measurement.figures.is_sound())
    }

    pub(crate) fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).context("write JSON")
    }

    pub(crate) fn print(&self) {
        print(&self.table());
    }

    fn table(&self) -> String {
        let mut text = String::new();
        let Machine { cores, file_system, sync_us } = &self.machine;
        line(
            &mut text,
            &format!(
                "\n{} on {cores} cores, data on {file_system}, one sync {sync_us} µs, {} s per measurement{}",
                self.kind,
                self.measured_seconds,
                if self.quick { "; QUICK: these numbers mean nothing" } else { "" }
            ),
        );
        for case in distinct(self.measurements.iter().map(|measurement| &measurement.case)) {
            let of_case: Vec<&Measurement> = self.measurements.iter().filter(|one| one.case == *case).collect();
            line(&mut text, &format!("\n{case}"));
            line(
                &mut text,
                &format!("  {:<34} {:>4} {:>9} {:>9} {:>9}  cpu µs/op", "", "run", "rate/s", "p50 µs", "p99 µs"),
            );
            for label in distinct(of_case.iter().map(|one| &one.label)) {
                for one in of_case.iter().filter(|one| one.label == *label) {
                    line(&mut text, &row(one));
                }
            }
            for comparison in self.comparisons.iter().filter(|one| one.case == *case) {
                line(&mut text, &sentence(comparison));
            }
        }
        text
    }
}

/// One measurement as a line of the table.
fn row(measurement: &Measurement) -> String {
    let Measurement { label, run, figures, .. } = measurement;
    if !figures.is_sound() {
        let error = figures.first_error.as_deref().unwrap_or("nothing was done");
        return format!("  {label:<34} {run:>4} FAILED, {} errors: {error}", figures.errors);
    }
    let cpu: Vec<String> =
        figures.cpu_us_per_operation.iter().map(|(process, micros)| format!("{process} {micros:.1}")).collect();
    let Figures { rate, p50_us, p99_us, .. } = figures;
    format!("  {label:<34} {run:>4} {rate:>9.0} {p50_us:>9} {p99_us:>9}  {}", cpu.join(", "))
}

/// One comparison as a sentence.
fn sentence(comparison: &Comparison) -> String {
    let Comparison { ours, peer, rate, rate_runs, median_latency, target, reached, .. } = comparison;
    let runs: Vec<String> = rate_runs.iter().map(|rate| format!("{rate:.2}")).collect();
    let verdict = match (target, reached) {
        (Some(Target::RateAtLeast { times, .. }), Some(reached)) => {
            format!("; to reach {times} x the rate: {}", if *reached { "reached" } else { "MISSED" })
        }
        (Some(Target::MedianAtMost { times, .. }), Some(reached)) => {
            format!("; to reach {times} x the median latency: {}", if *reached { "reached" } else { "MISSED" })
        }
        _ => String::new(),
    };
    format!("  {ours} : {peer} = {rate:.2} x rate [{}], {median_latency:.2} x median latency{verdict}", runs.join(" "))
}

/// Each of our entries against each peer's entry of the same case.
fn compare(measurements: &[Measurement]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    let of_ours = measurements.iter().filter(|one| one.system == OURS);
    for (case, ours) in distinct(of_ours.map(|one| (&one.case, &one.label))) {
        let peers = measurements.iter().filter(|one| one.system != OURS && one.case == *case);
        for peer in distinct(peers.map(|one| &one.label)) {
            let pairs: Vec<(&Measurement, &Measurement)> = measurements
                .iter()
                .filter(|one| one.case == *case && one.label == *ours && one.figures.is_sound())
                .filter_map(|one| Some((one, same_run(measurements, one, peer)?)))
                .collect();
            if let Some(comparison) = comparison(&pairs) {
                comparisons.push(comparison);
            }
        }
    }
    comparisons
}

fn same_run<'a>(measurements: &'a [Measurement], ours: &Measurement, peer: &str) -> Option<&'a Measurement> {
    measurements
        .iter()
        .find(|one| one.case == ours.case && one.label == peer && one.run == ours.run && one.figures.is_sound())
}

/// None when no run has both sides.
fn comparison(pairs: &[(&Measurement, &Measurement)]) -> Option<Comparison> {
    let (ours, peer) = pairs.first()?;
    let rate_runs: Vec<f64> = pairs.iter().map(|(ours, peer)| ours.figures.rate / peer.figures.rate).collect();
    let medians =
        pairs.iter().map(|(ours, peer)| ours.figures.p50_us as f64 / peer.figures.p50_us.max(1) as f64).collect();
    let (rate, median_latency) = (median(rate_runs.clone())?, median(medians)?);
    let target = ours.targets.iter().copied().find(|target| match target {
        Target::RateAtLeast { peer: name, .. } | Target::MedianAtMost { peer: name, .. } => *name == peer.system,
    });
    let reached = target.map(|target| match target {
        Target::RateAtLeast { times, .. } => rate >= times,
        Target::MedianAtMost { times, .. } => median_latency <= times,
    });
    Some(Comparison {
        case: ours.case.clone(),
        ours: ours.label.clone(),
        peer: peer.label.clone(),
        rate,
        rate_runs,
        median_latency,
        target,
        reached,
    })
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

/// Each item once, in the order of its first appearance.
fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(system: &'static str, run: u32, rate: f64, p50_us: u64, errors: u64) -> Measurement {
        Measurement {
            case: "case".to_owned(),
            system,
            label: format!("{system} work"),
            clients: 1,
            run,
            targets: vec![Target::RateAtLeast { peer: "etcd", times: 3.0 }],
            figures: Figures {
                operations: 10,
                rate,
                p50_us,
                p99_us: 2 * p50_us,
                max_us: 3 * p50_us,
                cpu_us_per_operation: vec![("n1".to_owned(), 1.0)],
                errors,
                first_error: (errors > 0).then(|| "refused".to_owned()),
            },
        }
    }

    fn report(measurements: Vec<Measurement>) -> Report {
        let machine = Machine { cores: 2, file_system: "ext4".to_owned(), sync_us: 200 };
        Report::new("write", false, Duration::from_secs(8), machine, measurements)
    }

    #[test]
    fn ratios_are_taken_within_a_run_and_the_median_is_judged() {
        let report = report(vec![
            measured("etcd", 1, 10.0, 100, 0),
            measured("muster", 1, 20.0, 50, 0),
            measured("muster", 2, 40.0, 50, 0),
            measured("etcd", 2, 10.0, 100, 0),
        ]);
        assert_eq!(report.comparisons.len(), 1);
        let comparison = &report.comparisons[0];
        assert_eq!(comparison.rate_runs, [2.0, 4.0]);
        assert!((comparison.rate - 3.0).abs() < 1e-9 && (comparison.median_latency - 0.5).abs() < 1e-9);
        assert_eq!(comparison.reached, Some(true));
        assert!(report.is_sound() && report.table().contains("reached"));
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["measurements"][1]["rate"], 20.0);
    }

    #[test]
    fn a_failed_run_is_named_and_enters_no_ratio() {
        let report = report(vec![
            measured("etcd", 1, 10.0, 100, 0),
            measured("muster", 1, 99.0, 50, 7),
            measured("etcd", 2, 10.0, 100, 0),
            measured("muster", 2, 20.0, 50, 0),
        ]);
        assert_eq!(report.comparisons[0].rate_runs, [2.0]);
        assert_eq!(report.comparisons[0].reached, Some(false));
        assert!(!report.is_sound());
        let table = report.table();
        assert!(table.contains("FAILED, 7 errors: refused") && table.contains("MISSED"), "{table}");
    }

    #[test]
    fn without_a_peer_there_is_nothing_to_compare() {
        assert!(report(vec![measured("muster", 1, 1.0, 1, 0)]).comparisons.is_empty());
        assert_eq!(median(Vec::new()), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    }
}
