//! Puts the sample fleet of deploy/sample into a new cluster, with `muster import`, as a person would.
//!
//! Once per cluster: a second import would undo what was done to the devices since. The samples are invented.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::cluster::Cluster;
use super::plan::Plan;
use super::stop_signal::StopSignal;
use crate::say;

/// The files, in the order in which they are imported.
const FILES: [&str; 2] = ["deploy/sample/fleet.ndjson", "deploy/sample/assets.yaml"];

/// Imports the samples unless they were imported before. False when somebody wanted to stop meanwhile.
pub(super) fn import(plan: &Plan, cluster: &Cluster, root: &Path, signal: &StopSignal) -> Result<bool> {
    if plan.sample_mark().exists() {
        return Ok(true);
    }
    for file in FILES {
        say::step(&format!("muster import {file} --create-namespace"));
        let status = cluster
            .muster(&["import", file, "--create-namespace"])
            .current_dir(root)
            .status()
            .context("running muster import")?;
        if signal.asked() {
            return Ok(false);
        }
        if !status.success() {
            bail!("importing {file} failed");
        }
    }
    fs::write(plan.sample_mark(), "").with_context(|| format!("writing {}", plan.sample_mark().display()))?;
    Ok(true)
}
