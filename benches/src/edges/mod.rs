//! `edges`: what connected edges cost, how they come back, and how fast changes go up and down.
//!
//! The cluster is real processes; edges are played by the load ([`link`]), as many as no machine could run agents, except
//! where the agent itself is measured ([`agent`], [`repair`]). Peers are etcd's put and watch of the same run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::task::LocalSet;

use crate::options::{EdgeCase, EdgesSettings};
use crate::process::find_program;
use crate::rounds::{folder_for, musterd};
use crate::systems::muster::cluster::Cluster;

mod agent;
mod crowd;
mod downlink;
mod idle;
mod link;
mod repair;
mod sites;
mod storm;
mod uplink;

/// What all cases share.
struct Setting {
    program: PathBuf,
    folder: TempDir,
    edges: u32,
    devices: u32,
    tls: bool,
    /// How long a process at rest is looked at.
    rest: Duration,
    warmup: Duration,
    measured: Duration,
    runs: u32,
    is_quick: bool,
    /// The peer, where it is wanted and there.
    etcd: Option<PathBuf>,
}

impl Setting {
    async fn cluster(&self, nodes: usize, tls: bool) -> Result<Cluster> {
        let own = tempfile::tempdir_in(self.folder.path()).context("make a folder")?.keep();
        Cluster::start(&self.program, &folder_for(&own, "muster")?, nodes, tls).await.context("start muster")
    }
}

/// Measures and prints.
pub(crate) async fn run(settings: &EdgesSettings) -> Result<bool> {
    let parent = settings.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let setting = Setting {
        program: musterd(settings.musterd.as_deref())?,
        folder: tempfile::Builder::new().prefix("muster-bench-").tempdir_in(&parent).context("make a folder")?,
        edges: if settings.quick { settings.edges.min(200) } else { settings.edges },
        devices: settings.devices,
        tls: !settings.no_tls,
        rest: Duration::from_secs(if settings.quick { 2 } else { 30 }),
        warmup: Duration::from_secs(if settings.quick { 1 } else { 2 }),
        measured: Duration::from_secs(if settings.quick { 2 } else { 8 }),
        runs: if settings.quick { 1 } else { 2 },
        is_quick: settings.quick,
        etcd: find_program(&settings.etcd).filter(|_| !settings.no_etcd),
    };
    let local = LocalSet::new();
    for case in settings.cases() {
        let measured = match case {
            EdgeCase::Idle => local.run_until(idle::run(&setting)).await,
            EdgeCase::Storm => local.run_until(storm::run(&setting)).await,
            EdgeCase::Uplink => local.run_until(uplink::run(&setting)).await,
            EdgeCase::Downlink => local.run_until(downlink::run(&setting)).await,
            EdgeCase::Repair => local.run_until(repair::run(&setting)).await,
            EdgeCase::Agent => local.run_until(agent::run(&setting)).await,
        };
        measured.with_context(|| format!("{case:?}"))?;
    }
    Ok(true)
}
