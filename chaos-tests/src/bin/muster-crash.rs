//! The crash lab by hand, and for hours: see `muster_chaos::crash_lab`. Says for each finding by which command it is
//! made again.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a script that drives real processes by the real clock, and tells what they did"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use muster_chaos::built::binary;
use muster_chaos::crash_lab::acknowledged::Facts;
use muster_chaos::crash_lab::damage::{self, Damage, Patient};
use muster_chaos::crash_lab::record::{self, record};
use muster_chaos::crash_lab::run::{self, Finding, Plan};
use muster_chaos::crash_lab::{folders, power};

/// Crash real nodes at any instant, damage their files, cut their power, and check what they make of it.
///
/// Without --recording each pass records a cluster of its own: one node, then three, and so on by turns.
#[derive(Debug, Parser)]
struct Arguments {
    /// Chooses everything, decimal or 0x… [default: from the clock]
    #[arg(long, value_parser = seed)]
    seed: Option<u64>,
    /// Crash images at most, over all recordings
    #[arg(long, default_value_t = 1_000)]
    images_max: u64,
    /// No crash is begun after so many seconds, recordings not counted
    #[arg(long, default_value_t = 3_600)]
    seconds_max: u64,
    /// Crash images of each recording, when more than one is made
    #[arg(long, default_value_t = 2_500)]
    images_of_one: u64,
    /// Acknowledged writes in each recording, about
    #[arg(long, default_value_t = 2_000)]
    writes: u64,
    /// Nodes of each recording: 1 or 3 [default: by turns]
    #[arg(long)]
    nodes: Option<u64>,
    /// Use the recording in this folder instead of making one
    #[arg(long, value_name = "FOLDER")]
    recording: Option<PathBuf>,
    /// Make one image, or one damage, of --recording again, by its name
    #[arg(long, value_name = "NAME", requires = "recording")]
    replay: Option<String>,
    /// Also damage the files of a node that stopped, at so many places each
    #[arg(long, value_name = "PLACES", num_args = 0..=1, default_missing_value = "3")]
    damage: Option<u64>,
    /// Also cut the power of three nodes on ext4 so many times
    #[arg(long, value_name = "N")]
    power_cuts: Option<u64>,
    /// Where recordings go; without it only those with findings are kept, in crash-kept
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Another musterd than the one built here
    #[arg(long, value_name = "PATH")]
    musterd: Option<PathBuf>,
    /// Starts at a time
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

fn seed(text: &str) -> Result<u64, String> {
    let parsed = text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16));
    parsed.map_err(|error| format!("not a number of 64 bits: {error}"))
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| rand::random::<u64>() >> 32);
    let musterd = arguments.musterd.clone().map_or_else(|| binary("musterd"), Ok)?;
    if let (Some(folder), Some(name)) = (&arguments.recording, &arguments.replay) {
        return replay(folder, name, musterd);
    }
    println!("seed {seed:#x}");
    let mut lab = Lab { arguments, seed, musterd, images: 0, findings: 0, begun: Instant::now() };
    lab.images().await?;
    lab.cut_power().await?;
    println!("{} images in all, {} findings", lab.images, lab.findings);
    Ok(if lab.findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn replay(folder: &std::path::Path, name: &str, musterd: PathBuf) -> anyhow::Result<ExitCode> {
    let facts = Facts::read(folder)?;
    let findings = if let Some(damage) = Damage::parse(name) {
        let verdict = Patient::new(facts, musterd)?.suffer(&damage)?;
        println!("{verdict:?}");
        if let damage::Verdict::Bad(what) = verdict { vec![what] } else { Vec::new() }
    } else {
        let into = folder.join("replayed");
        std::fs::create_dir_all(&into)?;
        let findings = run::again(&facts, name, musterd, &into.canonicalize()?)?;
        println!("the images lie in {} (n….image as the crash left them)", into.display());
        findings
    };
    for finding in &findings {
        println!("FINDING: {finding}");
    }
    println!("{} findings", findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Lab {
    arguments: Arguments,
    seed: u64,
    musterd: PathBuf,
    images: u64,
    findings: u64,
    begun: Instant,
}

impl Lab {
    async fn images(&mut self) -> anyhow::Result<()> {
        if let Some(folder) = self.arguments.recording.clone() {
            let facts = Facts::read(&folder)?;
            return self.crash(facts, self.arguments.images_max, self.seed);
        }
        let mut recording_took = Duration::ZERO;
        for pass in 0_u64.. {
            let left = self.arguments.images_max.saturating_sub(self.images);
            let spent = self.begun.elapsed().saturating_sub(recording_took).as_secs();
            if left == 0 || spent >= self.arguments.seconds_max {
                break;
            }
            let nodes = self.arguments.nodes.unwrap_or(if pass % 2 == 0 { 1 } else { 3 });
            let temporary = folders::for_images()?;
            let parent = self.arguments.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
            let folder = parent.join(format!("recording-{:x}-{pass}", self.seed));
            let begun = Instant::now();
            let task = record::Task {
                nodes,
                writes: self.arguments.writes,
                folder: folder.clone(),
                musterd: self.arguments.musterd.clone(),
            };
            let facts = record(&task).await.context("recording")?;
            recording_took += begun.elapsed();
            println!(
                "recorded {nodes} nodes: {} acknowledged writes in {} s",
                facts.acknowledged.len(),
                begun.elapsed().as_secs()
            );
            let findings = self.findings;
            self.crash(facts, left.min(self.arguments.images_of_one), self.seed.wrapping_add(pass))?;
            if self.findings > findings && self.arguments.keep.is_none() {
                let kept = PathBuf::from("crash-kept").join(folder.file_name().context("a name")?);
                folders::copy(&folder, &kept)?;
                println!("the recording is kept in {}", kept.display());
            }
        }
        Ok(())
    }

    fn crash(&mut self, facts: Facts, images_max: u64, seed: u64) -> anyhow::Result<()> {
        let spent = self.begun.elapsed();
        let plan = Plan {
            seed,
            images_max,
            time_max: Duration::from_secs(self.arguments.seconds_max).saturating_sub(spent).max(Duration::from_secs(1)),
            workers: self.arguments.workers.max(1),
            musterd: self.musterd.clone(),
        };
        let outcome = run::run(&facts, &plan)?;
        outcome.lines().iter().for_each(|line| println!("  {line}"));
        self.images += outcome.images;
        let folder = self.folder_told(&facts);
        self.tell(&folder, &outcome.findings);
        if let Some(places) = self.arguments.damage {
            let musterd = self.musterd.clone();
            let outcome = damage::run(facts, musterd, seed, places, plan.time_max)?;
            outcome.lines().iter().for_each(|line| println!("  {line}"));
            self.tell(&folder, &outcome.findings);
        }
        Ok(())
    }

    /// Where a recording will lie when somebody reads of a finding.
    fn folder_told(&self, facts: &Facts) -> String {
        if self.arguments.keep.is_some() || self.arguments.recording.is_some() {
            return facts.folder.display().to_string();
        }
        let name = facts.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        format!("crash-kept/{}", name.unwrap_or_default())
    }

    fn tell(&mut self, folder: &str, findings: &[Finding]) {
        /// So many are told in full; one cause often has hundreds.
        const TOLD: usize = 20;
        self.findings += findings.len() as u64;
        for Finding { name, what } in findings.iter().take(TOLD) {
            println!("FINDING: {what}\nREPLAY: cargo xtask crash --recording {folder} --replay '{name}'");
        }
        for Finding { name, .. } in findings.iter().skip(TOLD) {
            println!("FINDING: cargo xtask crash --recording {folder} --replay '{name}'");
        }
    }

    async fn cut_power(&mut self) -> anyhow::Result<()> {
        let Some(rounds) = self.arguments.power_cuts.filter(|rounds| *rounds > 0) else { return Ok(()) };
        let task = power::Task { nodes: 3, rounds, seed: self.seed, musterd: self.arguments.musterd.clone() };
        match power::run(&task).await {
            Ok(power::Outcome::Skipped(why)) => println!("POWER CUTS SKIPPED: {why}"),
            Ok(power::Outcome::Survived { cuts, acknowledged, slowest }) => println!(
                "{cuts} power cuts of three nodes at once: {acknowledged} acknowledged writes, all there; writes again after {} ms at most",
                slowest.as_millis()
            ),
            Err(error) => {
                self.findings += 1;
                println!(
                    "FINDING: {error:#}\nREPLAY: cargo xtask crash --images-max 0 --power-cuts {rounds} --seed {:#x}",
                    self.seed
                );
                if format!("{error:#}").contains("mount") {
                    bail!("the lab itself may be at fault: {error:#}");
                }
            }
        }
        Ok(())
    }
}
