//! `cargo xtask fix`: what a machine can put right, it puts right. The only command of ours that edits sources.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{cargo, needs, say};

pub(crate) fn run() -> Result<ExitCode> {
    needs::for_building()?;
    // Lints first: what clippy rewrites, rustfmt lays out.
    let runs: [&[&str]; 3] = [
        &["clippy", "--fix", "--workspace", "--all-targets", "--allow-dirty", "--allow-staged"],
        &["fmt", "--all"],
        &["fmt", "--manifest-path", "chaos-tests/sim/Cargo.toml", "--all"],
    ];
    let mut all_good = true;
    for arguments in runs {
        say::step(&format!("cargo {}", arguments.join(" ")));
        all_good &= cargo::command(arguments)?.status().context("running cargo")?.success();
    }
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
