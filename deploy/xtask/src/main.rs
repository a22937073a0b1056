//! `cargo xtask`: the project's own scripts, in Rust, so that they run wherever the project builds.
//!
//! This file knows the command line and the exit codes, and nothing of what the commands do. xtask depends on no crate
//! of Muster but the list of planted bugs, and on few others: it is the first thing a newcomer builds, and it must exist
//! before RocksDB does.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a script talks to the person who started it")]
#![allow(missing_docs, reason = "a binary has no callers; each item says what it is for where that is not plain")]

mod bench;
mod cargo;
mod checks;
mod fix;
mod handover;
mod mutants;
mod needs;
mod say;
mod up;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code when the machine lacks something that cannot be installed from here.
const EXIT_MISSING: u8 = 2;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Muster's own scripts", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build Muster and run a cluster on loopback with a sample fleet, until Ctrl-C.
    Up(up::Arguments),
    /// Check formatting, lints, licences and run all tests.
    Test(checks::Arguments),
    /// Measure a running cluster of three, and its peers beside it.
    Bench(bench::Arguments),
    /// Restart three nodes one after the other under load, from one version to another.
    RollingRestart(handover::Arguments),
    /// Break clusters of real processes by a plan from a seed, and check every answer.
    Chaos(handover::Arguments),
    /// Plant bugs one by one, and demand that a check finds each of them.
    Mutants(mutants::Arguments),
    /// Crash nodes at any instant, damage their files, cut their power, and check what they make of it.
    Crash(handover::Arguments),
    /// Run whole clusters in simulated time under faults from a seed; the same seed gives the same run.
    Sim(handover::Arguments),
    /// Format the code and apply the lints' own suggestions.
    Fix,
    /// Print the folder that the built binaries lie in.
    Where,
    /// Check that this machine can build Muster; install what is missing where that is allowed.
    Needs,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Test(arguments) => checks::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::RollingRestart(arguments) => handover::run("muster-rolling-restart", &arguments),
        Command::Chaos(arguments) => handover::run("muster-chaos", &arguments),
        Command::Mutants(arguments) => mutants::run(&arguments),
        Command::Crash(arguments) => handover::run("muster-crash", &arguments),
        Command::Sim(arguments) => handover::run_apart("chaos-tests/sim", "muster-sim", &arguments),
        Command::Fix => fix::run(),
        Command::Where => workspace::binaries().map(|folder| {
            println!("{}", folder.display());
            ExitCode::SUCCESS
        }),
        Command::Needs => needs::for_building().map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        if error.is::<needs::Missing>() { ExitCode::from(EXIT_MISSING) } else { ExitCode::FAILURE }
    })
}
