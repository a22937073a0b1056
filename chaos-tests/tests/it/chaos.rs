//! The short form of chaos: two storms of all kinds of faults, by fixed seeds, and every check of their histories. The long form is
//! `cargo xtask chaos`.

use std::time::Duration;

use anyhow::ensure;
use muster_chaos::chaos::clients::Counts;
use muster_chaos::chaos::plan::Plan;
use muster_chaos::chaos::report;
use muster_chaos::chaos::run::{Task, run};

async fn storm(seed: u64) -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let counts = Counts { singles: 8, batches: 2, streams: 2, lives: 1 };
    let task = Task { plan: Plan::new(seed), storm: Duration::from_secs(20), counts, edges: 2, musterd: None };
    let outcome = run(&task).await?;
    let summary = report::summary(&task, &outcome).join("\n");
    let (findings, again) = (outcome.findings(), format!("cargo xtask chaos --seed {seed:#x} --seconds 20"));
    ensure!(findings.is_empty(), "{findings:#?}\n{summary}\nREPLAY: {again}");
    // A storm in which little happened, or nobody was answered, would show nothing.
    ensure!(outcome.happened.len() >= 5, "only {} faults\n{summary}", outcome.happened.len());
    ensure!(outcome.ops.len() >= 2_000, "only {} calls\n{summary}", outcome.ops.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_breaks_no_promise() -> anyhow::Result<()> {
    storm(1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_another() -> anyhow::Result<()> {
    storm(2).await
}
