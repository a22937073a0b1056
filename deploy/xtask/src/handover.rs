//! Commands that build everything and then hand over to a binary of their own, such as `cargo xtask chaos` to `muster-chaos`.
//!
//! Knows nothing of what they do: every argument goes through unread, and so does the exit code.

use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result};
use clap::Args;

use crate::{cargo, needs, workspace};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Options of the script; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(binary: &str, arguments: &Arguments) -> Result<ExitCode> {
    needs::for_building()?;
    cargo::build_binaries()?;
    let status = Command::new(workspace::binary(binary)?)
        .args(&arguments.arguments)
        .current_dir(workspace::root()?)
        .status()
        .with_context(|| format!("running {binary}"))?;
    Ok(code_of(status))
}

/// The same for a binary of a workspace of its own in `folder`.
pub(crate) fn run_apart(folder: &str, binary: &str, arguments: &Arguments) -> Result<ExitCode> {
    needs::for_building()?;
    let manifest = format!("{folder}/Cargo.toml");
    let status = cargo::command(&["run", "--quiet", "--manifest-path", &manifest, "--bin", binary, "--"])?
        .args(&arguments.arguments)
        .status()
        .with_context(|| format!("running {binary}"))?;
    Ok(code_of(status))
}

fn code_of(status: ExitStatus) -> ExitCode {
    // A script ended by a signal has no code of its own.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    ExitCode::from(code)
}
