//! `cargo xtask test`: everything that a change must pass, in the order in which failures are cheapest to find.
//!
//! Never writes to the sources; `cargo xtask fix` does. A failed step does not hide what later steps would say: all of
//! them run, except that nothing is tested when it did not build. Each step is one function here; what cargo-deny
//! needs is in `deny`, what failed tests said in `failures`, timing and the summary in `report`.

mod deny;
mod failures;
mod report;

use std::io::{BufReader, stdout};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Args;

use crate::{cargo, mutants, needs};
use failures::Failure;
use report::{Outcome, Report};

/// A workspace of its own, with another tokio.
const SIMULATION: &str = "chaos-tests/sim/Cargo.toml";
/// All that are linted and formatted.
const WORKSPACES: [&str; 2] = ["Cargo.toml", SIMULATION];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only formatting, unit tests and the rules of the house: no lints, no tests that start processes.
    #[arg(long)]
    quick: bool,
    /// Run only tests whose name contains one of these; formatting, lints and licences are then left out.
    filter: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    // A quick run starts no processes, so it needs nothing to start.
    if arguments.quick {
        needs::for_building()?
    } else {
        needs::for_testing()?
    }
    let mut report = Report::default();
    if arguments.filter.is_empty() {
        report.step("formatting", formatting);
        if !arguments.quick {
            deny::run(&mut report);
            report.step("lints", lints);
        }
    }
    let mut built = true;
    if !arguments.quick {
        // Tests that start nodes look for the binaries beside their own folder.
        built = report.step("build", || cargo(&["build", "--workspace"]));
    }
    if built {
        report.step("tests", || tests(arguments));
    } else {
        report.leave_out("tests", "the build failed");
    }
    if !arguments.quick && arguments.filter.is_empty() {
        report.step("simulation", simulation);
    }
    if built && !arguments.quick && arguments.filter.is_empty() {
        // Last: it says how good the tests are, which is of no interest while they fail.
        report.step("planted bugs", planted_bugs);
    }
    Ok(report.conclude())
}

fn formatting() -> Result<Outcome> {
    component("rustfmt", "fmt")?;
    for workspace in WORKSPACES {
        // Names of files are enough here: `cargo xtask fix` puts them right, and nobody reads such differences.
        if let Outcome::Bad(_) = cargo(&["fmt", "--manifest-path", workspace, "--all", "--", "--check", "-l"])? {
            return Ok(Outcome::Bad("the files above; `cargo xtask fix` formats them".to_owned()));
        }
    }
    Ok(Outcome::Good)
}

fn lints() -> Result<Outcome> {
    component("clippy", "clippy")?;
    for workspace in WORKSPACES {
        let arguments =
            ["clippy", "--manifest-path", workspace, "--workspace", "--all-targets", "--", "--deny", "warnings"];
        if let Outcome::Bad(how) = cargo(&arguments)? {
            return Ok(Outcome::Bad(how));
        }
    }
    Ok(Outcome::Good)
}

fn tests(arguments: &Arguments) -> Result<Outcome> {
    let mut command = vec!["test", "--workspace", "--no-fail-fast"];
    if arguments.quick {
        // The rules of the house are a test in a file of its own, so they are named beside the unit tests.
        command.extend(["--lib", "--bins", "--test", "tidy"]);
    }
    if !arguments.filter.is_empty() {
        command.push("--");
        command.extend(arguments.filter.iter().map(String::as_str));
    }
    cargo_test(&command)
}

fn simulation() -> Result<Outcome> {
    cargo_test(&["test", "--manifest-path", SIMULATION, "--workspace", "--no-fail-fast"])
}

fn planted_bugs() -> Result<Outcome> {
    Ok(if mutants::pass()? { Outcome::Good } else { Outcome::Bad("cargo xtask mutants".to_owned()) })
}

/// Gets a component of the toolchain where rustup manages it; toolchains of distributions bring their own.
fn component(name: &str, subcommand: &str) -> Result<()> {
    let there = cargo::command(&[subcommand, "--version"])?.output().is_ok_and(|output| output.status.success());
    if !there && needs::program("rustup").is_some() {
        std::process::Command::new("rustup").args(["component", "add", name]).status().context("running rustup")?;
    }
    Ok(())
}

/// Tests, of which those that failed are told of again in the summary.
fn cargo_test(arguments: &[&str]) -> Result<Outcome> {
    let mut child = cargo::command(arguments)?.stdout(Stdio::piped()).spawn().context("running cargo test")?;
    let said = child.stdout.take().context("cargo test without output")?;
    let failures = failures::pass_on(BufReader::new(said), stdout());
    // Also when nobody listens any more: then it ends by itself.
    let status = child.wait().context("waiting for cargo test")?;
    let failures = failures.context("passing on what cargo test says")?;
    let text = failures.iter().flat_map(Failure::text);
    let how = [format!("cargo {}", arguments.join(" "))].into_iter().chain(text).collect::<Vec<_>>().join("\n");
    Ok(if status.success() { Outcome::Good } else { Outcome::Bad(how) })
}

fn cargo(arguments: &[&str]) -> Result<Outcome> {
    let status = cargo::command(arguments)?.status().with_context(|| format!("running cargo {}", arguments[0]))?;
    Ok(if status.success() { Outcome::Good } else { Outcome::Bad(format!("cargo {}", arguments.join(" "))) })
}
