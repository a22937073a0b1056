//! The command line of `musterd`.
//!
//! Deliberately does not know how a node runs (`server.rs`): it reads flags, files and variables, and hands over.
//!
//! - Data goes to standard output, talk to standard error.
//! - Exit codes are those of [`crate::tasks`]; 2 is clap's, for a command line that was not understood.

mod config_commands;
mod pki_commands;
mod rehearse_command;
mod restore_command;
mod start;
mod verify_command;

use crate::config::{Config, LogFormat, Overrides};
use crate::raft::{LogOpenError, StartError};
use crate::store::error::StoreError;
use crate::store::state_db::StateError;
use crate::store::verify::VerifyError;
use crate::tasks::{EXIT_CANNOT_START, EXIT_DATA_LOST, EXIT_REMOVED, EXIT_STOPPED, EXIT_STORAGE};
use crate::{first_start, server, tasks};
use clap::{Args, Parser, Subcommand};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A node of a Muster cluster. Without a configuration: a single node on loopback, its data in ./muster-data.
#[derive(Debug, Parser)]
#[command(name = "musterd", version, args_conflicts_with_subcommands = false)]
struct Cli {
    #[command(flatten)]
    run: RunArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Flags win over variables, variables over the file, the file over defaults.
#[derive(Clone, Debug, Args)]
struct RunArgs {
    /// Configuration file (TOML); `musterd config default` prints one with every key
    #[arg(long, global = true, env = "MUSTER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything durable lies [default: muster-data]
    #[arg(long, global = true, env = "MUSTER_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// This node's number in the cluster [default: 1]
    #[arg(long, global = true, env = "MUSTER_NODE_ID", value_name = "N")]
    node_id: Option<u64>,
    /// Where clients connect [default: 127.0.0.1:7420]
    #[arg(long, global = true, env = "MUSTER_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Peer addresses of members of the running cluster that this node joins at its first start
    #[arg(long, global = true, env = "MUSTER_JOIN", value_name = "HOST:PORT", value_delimiter = ',')]
    join: Vec<String>,
    /// The token of `muster cluster join`
    #[arg(long, global = true, env = "MUSTER_JOIN_TOKEN_FILE", value_name = "FILE")]
    join_token_file: Option<PathBuf>,
    /// Plain text instead of TLS, on loopback only; never for anything but development
    #[arg(long, global = true, env = "MUSTER_INSECURE_DEV")]
    insecure_dev: bool,
    /// error, warn, info, debug, trace, or a list such as info,muster_node::raft=debug [default: info]
    #[arg(long, global = true, env = "MUSTER_LOG", value_name = "LEVEL")]
    log_level: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, global = true, env = "MUSTER_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Where a single node writes the context for `muster` [default: the user's contexts.toml]
    #[arg(long, global = true, env = "MUSTER_CONTEXT_FILE", value_name = "FILE")]
    context_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check, show or print configurations
    #[command(subcommand)]
    Config(config_commands::ConfigCommand),
    /// Make certificates for a cluster and its clients
    #[command(subcommand)]
    Pki(pki_commands::PkiCommand),
    /// Say what a node would make of data directories; for the crash lab
    #[command(hide = true)]
    Rehearse,
    /// Make a new cluster's first node out of a backup
    Restore(restore_command::RestoreCommand),
    /// Check the data of a stopped node, or a backup, against itself
    Verify(verify_command::VerifyCommand),
}

impl RunArgs {
    /// The configuration in effect, not yet checked.
    fn load(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        let Self {
            config: _,
            data_dir,
            node_id,
            listen,
            join,
            join_token_file,
            insecure_dev,
            log_level,
            log_format,
            context_file: _,
        } = self;
        config.apply(Overrides {
            data_dir: data_dir.clone(),
            node_id: *node_id,
            listen: *listen,
            join: join.clone(),
            join_token_file: join_token_file.clone(),
            insecure_dev: *insecure_dev,
            log_level: log_level.clone(),
            log_format: *log_format,
        });
        Ok(config)
    }
}

/// Runs what the command line asks for, and ends the process.
pub fn main() -> ! {
    let cli = Cli::parse();
    let done = match cli.command {
        None => start::run(&cli.run),
        Some(Command::Config(command)) => command.run(&cli.run),
        Some(Command::Pki(command)) => command.run(),
        Some(Command::Rehearse) => rehearse_command::run(),
        Some(Command::Restore(command)) => command.run(&cli.run),
        Some(Command::Verify(command)) => command.run(&cli.run),
    };
    // Parts of a node may still be at work: see `tasks::end`.
    match done {
        Ok(()) => tasks::end(EXIT_STOPPED),
        Err(error) => {
            say(&format!("musterd: {}", chain(&error)));
            tasks::end(exit_code(&error))
        }
    }
}

/// The code that tells apart what a supervisor must not simply start again: a removed node, lost data, a failed disk.
fn exit_code(error: &anyhow::Error) -> i32 {
    if matches!(error.downcast_ref(), Some(first_start::StartError::Removed { .. })) {
        return EXIT_REMOVED;
    }
    let lost = error.downcast_ref::<StartError>().is_some_and(StartError::is_data_loss);
    if lost || error.is::<server::DataLost>() {
        return EXIT_DATA_LOST;
    }
    let is_storage = error.chain().any(|cause| {
        cause.is::<StoreError>()
            || cause.is::<VerifyError>()
            || matches!(cause.downcast_ref(), Some(StateError::Database { .. } | StateError::Pointer { .. }))
            || matches!(cause.downcast_ref(), Some(LogOpenError::Damaged { .. } | LogOpenError::HighWater { .. }))
            || matches!(cause.downcast_ref(), Some(StartError::Snapshots(_) | StartError::State(_)))
            || cause.downcast_ref().is_some_and(is_disk_failure)
    });
    if is_storage { EXIT_STORAGE } else { EXIT_CANNOT_START }
}

/// What a disk says, in contrast to what a person got wrong: a missing file, or one that may not be read.
fn is_disk_failure(error: &std::io::Error) -> bool {
    // `EIO` has no kind of its own.
    const EIO: i32 = 5;
    error.raw_os_error() == Some(EIO) || matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::ReadOnlyFilesystem)
}

/// An error and its causes on one line, a cause that only repeats its effect left out.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Data.
fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Talk. When even that fails there is nobody left to tell.
fn say(text: &str) {
    let _told = writeln!(std::io::stderr(), "{text}").is_ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_in_the_reference() {
        Cli::command().debug_assert();
        let page = crate::config::markdown();
        for argument in
            Cli::command().get_arguments().filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
        {
            let flag = format!("`--{}", argument.get_long().expect("every flag is long"));
            let variable = format!("`{}", argument.get_env().expect("every flag has a variable").to_string_lossy());
            assert!(page.contains(&flag), "{flag} is not in the reference");
            assert!(page.contains(&variable), "{variable} is not in the reference");
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("node.toml");
        std::fs::write(&path, "[node]\nid = 2\n[client_listener]\naddress = \"127.0.0.1:9\"\n").expect("written");
        let path = path.to_str().expect("UTF-8");
        let cli = Cli::parse_from([
            "musterd",
            "--config",
            path,
            "--listen",
            "127.0.0.1:0",
            "config",
            "show",
            "--log-format",
            "json",
        ]);
        let config = cli.run.load().expect("loaded");
        assert_eq!(config.node.id, 2);
        assert_eq!(config.client_listener.address.port(), 0);
        assert_eq!(config.log.format, LogFormat::Json);
    }

    #[test]
    fn a_disk_that_fails_at_the_start_has_the_code_it_has_later() {
        let files = |source: std::io::Error| {
            let path = PathBuf::from("raftlog");
            anyhow::Error::from(LogOpenError::Files { path, source }).context("the Raft log")
        };
        for (source, code) in [
            (std::io::Error::from_raw_os_error(5), EXIT_STORAGE),
            (ErrorKind::StorageFull.into(), EXIT_STORAGE),
            (ErrorKind::PermissionDenied.into(), EXIT_CANNOT_START),
        ] {
            assert_eq!(exit_code(&files(source)), code);
        }
    }
}
