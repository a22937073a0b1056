//! `cargo xtask bench`: builds the load generator and the node, then hands over to the load generator.
//!
//! Knows nothing of what is measured: every argument goes through unread, and so does the exit code. The peer to
//! measure against, etcd, is installed where that is allowed; without it the load generator leaves its row out.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::needs::{self, Installed};
use crate::{cargo, say, workspace};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure (write, read or stream), then options of the load generator such as --quick; `write --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    needs::for_building()?;
    // PostgreSQL is not installed here: its package starts a server. The load generator says how to.
    let wants_etcd = !arguments
        .arguments
        .iter()
        .any(|argument| matches!(argument.as_str(), "query" | "--no-etcd" | "--help" | "-h"));
    if wants_etcd && needs::program("etcd").is_none() {
        match needs::install(&["etcd-server", "etcd-client"]) {
            Installed::Yes => {}
            Installed::No { how } => {
                say::note(&format!("etcd is not installed, so it is not measured; to have it: {how}"))
            }
        }
    }
    cargo::build_binaries()?;
    let mut bench = Command::new(workspace::binary("muster-bench")?);
    bench
        .args(&arguments.arguments)
        .arg("--musterd")
        .arg(workspace::binary("musterd")?)
        .current_dir(workspace::root()?);
    let status = bench.status().context("running muster-bench")?;
    // A load generator ended by a signal has no code of its own.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
