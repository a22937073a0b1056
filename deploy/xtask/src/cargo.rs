//! Runs cargo for the workspace, always with the same selection of packages and the same profile.
//!
//! Knows how cargo is called, not why. Invariants:
//! - Binaries are built for the whole workspace at once. Building packages one by one may choose other features of
//!   shared dependencies, and then RocksDB (10 to 20 minutes) is built a second time.
//! - The variables that `cargo run` sets for xtask do not reach the cargo it starts: build scripts watch some of them,
//!   and would run again although nothing changed.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{say, workspace};

/// A cargo command at the root of the repository.
pub(crate) fn command(arguments: &[&str]) -> Result<Command> {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root()?);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(set_by_cargo_run) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Builds every binary of the workspace, with cargo's own progress on the terminal.
pub(crate) fn build_binaries() -> Result<()> {
    if !workspace::binaries()?.join("musterd").is_file() {
        say::note("the first build includes RocksDB and takes 10 to 20 minutes on two cores; later ones take seconds");
    }
    let status = command(&["build", "--workspace"])?.status().context("running cargo build")?;
    ensure!(status.success(), "the build failed");
    Ok(())
}

/// Whether `cargo run` sets this variable for the program it runs. `CARGO_HOME`, `CARGO_TARGET_DIR` and other settings
/// of the user are not among them.
fn set_by_cargo_run(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || matches!(
            name,
            "CARGO_MANIFEST_DIR"
                | "CARGO_MANIFEST_PATH"
                | "CARGO_CRATE_NAME"
                | "CARGO_BIN_NAME"
                | "CARGO_PRIMARY_PACKAGE"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_user_stay_and_traces_of_cargo_run_go() {
        assert!(set_by_cargo_run("CARGO_PKG_VERSION"));
        assert!(set_by_cargo_run("CARGO_MANIFEST_DIR"));
        for kept in ["CARGO_TARGET_DIR", "CARGO_HOME", "CARGO_INCREMENTAL", "CARGO_NET_OFFLINE", "PATH"] {
            assert!(!set_by_cargo_run(kept), "{kept}");
        }
    }

    #[test]
    fn cargo_runs_at_the_root() {
        let output = command(&["locate-project", "--workspace", "--message-format", "plain"])
            .expect("the root is known")
            .output()
            .expect("cargo runs");
        let manifest = String::from_utf8(output.stdout).expect("cargo prints a path");
        assert_eq!(
            manifest.trim(),
            workspace::root().expect("the root is known").join("Cargo.toml").to_str().expect("plain path")
        );
    }
}
