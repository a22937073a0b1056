//! `muster-bench`: drives a real three-node cluster of ours, and in the same run the peers it is compared with.
//!
//! The way of a measurement:
//! 1. [`options`] says what to run; [`rounds`] turns it into cases and starts the [`systems`].
//! 2. A system gives one future per client; [`load`] runs them in a closed loop for a bounded time, and reads what
//!    each process spent of the processor ([`machine`]).
//! 3. [`report`] compares the systems of a case, run by run, and prints.
//!
//! Invariants:
//! - Every answer is checked; a run with a single error counts as failed.
//! - Every wait has a deadline, and every child process ends with this one.
//! - Nothing listens or connects outside 127.0.0.1.

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::{Command, Options, Settings};

mod connections;
mod edges;
mod failover;
mod fanout;
mod fleet;
mod grpc;
mod load;
mod machine;
mod million;
mod options;
mod process;
mod report;
mod rounds;
mod systems;
mod talk;
mod workload;

// The allocator of musterd, so that load and echo server are on a par with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Options::parse().command {
        Command::EchoServer { port } => on(Builder::new_multi_thread(), systems::echo::serve(port)).map(|()| true),
        Command::Write(settings) => measure(rounds::Kind::Write, &settings),
        Command::Read(settings) => measure(rounds::Kind::Read, &settings),
        Command::Watch(settings) => on(Builder::new_current_thread(), until_signal(fanout::run(&settings))),
        Command::Failover(settings) => on(Builder::new_current_thread(), until_signal(failover::run(&settings))),
        Command::Million(settings) => on(Builder::new_current_thread(), until_signal(million::run(&settings))),
        Command::Query(settings) => on(Builder::new_current_thread(), until_signal(fleet::run(&settings))),
        Command::Edges(settings) => on(Builder::new_current_thread(), until_signal(edges::run(&settings))),
        Command::Stream(settings) => measure(rounds::Kind::Stream, &settings),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            talk::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Measures with all clients on one thread: what they save in switching between threads is left to the systems, and
/// calls that are ready together go out together.
fn measure(kind: rounds::Kind, settings: &Settings) -> anyhow::Result<bool> {
    on(Builder::new_current_thread(), until_signal(rounds::run(kind, settings)))
}

fn on<T>(mut runtime: Builder, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    runtime.enable_all().build()?.block_on(work)
}

/// Runs the work, or drops it (and with it every child process) at Ctrl-C or SIGTERM.
async fn until_signal(work: impl Future<Output = anyhow::Result<bool>>) -> anyhow::Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        outcome = work => outcome,
        _ = terminate.recv() => anyhow::bail!("terminated"),
        _ = interrupt.recv() => anyhow::bail!("interrupted"),
    }
}
