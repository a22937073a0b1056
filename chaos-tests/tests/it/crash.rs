//! The short form of the crash lab: a lone node and a cluster, recorded under load, crashed at hundreds of instants;
//! damage to each file of a node that stopped; and power cuts of three nodes where there is ext4 on loop devices. The
//! long form is
//! `cargo xtask crash`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use muster_chaos::built::binary;
use muster_chaos::crash_lab::acknowledged::Facts;
use muster_chaos::crash_lab::record::{Task, record};
use muster_chaos::crash_lab::run::{Finding, Plan, run};
use muster_chaos::crash_lab::{damage, folders, power};

/// No crash begins after this long; what is left out then is said.
const TIME_MAX: Duration = Duration::from_secs(25);

async fn recorded(nodes: u64, writes: u64) -> anyhow::Result<(tempfile::TempDir, Facts)> {
    let folder = folders::for_images()?;
    let task = Task { nodes, writes, folder: folder.path().join("recording"), musterd: None };
    let facts = record(&task).await?;
    Ok((folder, facts))
}

/// Fails with everything that is needed to make it again, which it keeps.
fn refuse(findings: &[Finding], folder: tempfile::TempDir) -> anyhow::Result<()> {
    let Some(first) = findings.first() else { return Ok(()) };
    let kept: PathBuf = folder.keep().join("recording");
    anyhow::bail!(
        "{} findings; the first: {}\nREPLAY: cargo xtask crash --recording {} --replay '{}'",
        findings.len(),
        first.what,
        kept.display(),
        first.name
    )
}

fn plan(images_max: u64) -> anyhow::Result<Plan> {
    Ok(Plan { seed: 1, images_max, time_max: TIME_MAX, workers: 2, musterd: binary("musterd")? })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_a_lone_node_loses_nothing_and_damage_is_never_served() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (folder, facts) = recorded(1, 1_200).await?;
    let outcome = run(&facts, &plan(300)?)?;
    let summary = outcome.lines().join("\n");
    // A lab in which little was lost would show nothing.
    ensure!(outcome.images >= 100 && outcome.images_with_more >= 50 && outcome.boundaries >= 30, "{summary}");
    let mut findings = outcome.findings;
    let outcome = damage::run(facts, binary("musterd")?, 1, 1, TIME_MAX)?;
    let refused: u64 = outcome.tally.iter().filter(|((_, said), _)| *said == "refused").map(|(_, count)| count).sum();
    ensure!(outcome.damages >= 50 && refused >= 20, "{}", outcome.lines().join("\n"));
    findings.extend(outcome.findings);
    refuse(&findings, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_all_three_nodes_loses_nothing() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (folder, facts) = recorded(3, 900).await?;
    let outcome = run(&facts, &plan(240)?)?;
    ensure!(outcome.images >= 90 && outcome.looked_for > 1_000, "{}", outcome.lines().join("\n"));
    refuse(&outcome.findings, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_of_all_three_nodes_loses_nothing() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    match power::run(&power::Task { nodes: 3, rounds: 2, seed: 1, musterd: None }).await? {
        power::Outcome::Skipped(why) => {
            #[allow(clippy::print_stderr, reason = "a test that did not take place says so")]
            {
                eprintln!("POWER CUTS SKIPPED: {why}");
            }
            Ok(())
        }
        power::Outcome::Survived { acknowledged, .. } => {
            ensure!(acknowledged > 100, "only {acknowledged} writes were acknowledged");
            Ok(())
        }
    }
}
