//! Runs steps one after the other, times them, and says at the end what passed, what failed and what was left out.
//!
//! Knows nothing of what the steps do. A step that was left out is never silent and never counts as passed.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::say;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It passed.
    Good,
    /// It failed; the first line says what to run to see it again, those after it what failed.
    Bad(String),
    /// It did not run; the text says why.
    LeftOut(String),
}

/// The steps so far.
#[derive(Default)]
pub(super) struct Report {
    steps: Vec<(String, Outcome, Duration)>,
}

impl Report {
    /// Runs one step; an error is a failure of the step. True when it did not fail.
    pub(super) fn step(&mut self, name: &str, run: impl FnOnce() -> Result<Outcome>) -> bool {
        say::step(name);
        let began = Instant::now();
        let outcome = run().unwrap_or_else(|error| Outcome::Bad(format!("{error:#}")));
        if let Outcome::LeftOut(why) = &outcome {
            say::note(&format!("left out: {why}"));
        }
        let failed = matches!(outcome, Outcome::Bad(_));
        self.steps.push((name.to_owned(), outcome, began.elapsed()));
        !failed
    }

    /// Records a step that cannot run.
    pub(super) fn leave_out(&mut self, name: &str, why: &str) {
        self.steps.push((name.to_owned(), Outcome::LeftOut(why.to_owned()), Duration::ZERO));
    }

    /// Prints the summary and turns it into an exit code.
    pub(super) fn conclude(&self) -> ExitCode {
        say::plain("");
        for (name, outcome, took) in &self.steps {
            let line = line(name, outcome, *took);
            match outcome {
                Outcome::Good => say::good(&line),
                Outcome::Bad(_) => say::bad(&line),
                Outcome::LeftOut(_) => say::note(&line),
            }
        }
        self.steps.iter().flat_map(|(_, outcome, _)| details(outcome)).for_each(say::plain);
        if self.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn failed(&self) -> bool {
        self.steps.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Bad(_)))
    }
}

fn line(name: &str, outcome: &Outcome, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    match outcome {
        Outcome::Good => format!("{name:<24} {seconds:>7.1} s"),
        Outcome::Bad(what) => {
            format!("{name:<24} {seconds:>7.1} s  FAILED: {}", what.lines().next().unwrap_or_default())
        }
        Outcome::LeftOut(why) => format!("{name:<24} left out: {why}"),
    }
}

/// What failed, for below the summary.
fn details(outcome: &Outcome) -> impl Iterator<Item = &str> {
    let text = if let Outcome::Bad(what) = outcome { what } else { "" };
    text.lines().skip(1)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn one_failure_fails_the_whole_and_later_steps_still_run() {
        let mut report = Report::default();
        assert!(!report.step("first", || Ok(Outcome::Bad("cargo fmt".to_owned()))));
        let mut ran = false;
        assert!(report.step("second", || {
            ran = true;
            Ok(Outcome::Good)
        }));
        assert!(ran);
        assert!(report.failed());
    }

    #[test]
    fn an_error_is_a_failure_and_a_step_left_out_is_not() {
        let mut report = Report::default();
        report.leave_out("advisories", "no network");
        assert!(!report.failed());
        assert!(!report.step("lints", || bail!("no clippy")));
        assert!(report.failed());
    }

    #[test]
    fn what_failed_stands_below_the_summary() {
        let outcome = Outcome::Bad("cargo test\n---- one ----\nError: two".to_owned());
        assert!(line("tests", &outcome, Duration::ZERO).ends_with("FAILED: cargo test"));
        assert_eq!(details(&outcome).collect::<Vec<_>>(), ["---- one ----", "Error: two"]);
        assert_eq!(details(&Outcome::Good).count(), 0);
    }

    #[test]
    fn the_summary_names_what_failed_and_why_a_step_was_left_out() {
        assert!(
            line("lints", &Outcome::Bad("cargo clippy".to_owned()), Duration::from_millis(1500))
                .contains("1.5 s  FAILED: cargo clippy")
        );
        assert!(
            line("advisories", &Outcome::LeftOut("no network".to_owned()), Duration::ZERO)
                .contains("left out: no network")
        );
    }
}
