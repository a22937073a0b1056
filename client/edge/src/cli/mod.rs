//! The command line: `run`, `status`, `config default`, `reset`. Data goes to standard output, talk to standard error.

mod reset;
mod run;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The edge agent of Muster.
#[derive(Debug, Parser)]
#[command(name = "muster-edge", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent until SIGTERM or SIGINT
    Run {
        /// The configuration file; see `muster-edge config default`
        #[arg(long, short, env = "MUSTER_EDGE_CONFIG")]
        config: PathBuf,
    },
    /// Show how a running agent is
    Status(status::Status),
    /// Configuration files
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Set the store aside, so that the edge begins anew
    Reset(reset::Reset),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a file with every key and its default
    Default,
    /// Check a file
    Check {
        /// The configuration file
        #[arg(long, short, env = "MUSTER_EDGE_CONFIG")]
        config: PathBuf,
    },
}

/// Runs what the arguments ask for.
pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run { config } => run::run(&config),
        Command::Status(status) => status.run(),
        Command::Config { command: ConfigCommand::Default } => print(muster_edge::config::DEFAULT),
        Command::Config { command: ConfigCommand::Check { config } } => {
            muster_edge::Config::load(&config).map(|_| ExitCode::SUCCESS).map_err(Into::into)
        }
        Command::Reset(reset) => reset.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say(&format!("muster-edge: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Data, on standard output. A reader that is gone is no failure.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Talk, on standard error.
fn say(text: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{text}").ok();
}
