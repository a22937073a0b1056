//! `cargo xtask rolling-restart`: builds everything, then hands over to `muster-rolling-restart` of the chaos tests.
//!
//! Knows nothing of what it does: every argument goes through unread, and so does the exit code.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::{cargo, needs, workspace};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Options of the script, such as --from OLD/musterd --to NEW/musterd; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    needs::for_building()?;
    cargo::build_binaries()?;
    let status = Command::new(workspace::binary("muster-rolling-restart")?)
        .args(&arguments.arguments)
        .current_dir(workspace::root()?)
        .status()
        .context("running muster-rolling-restart")?;
    // A script ended by a signal has no code of its own.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
