//! Goes through a recording, makes images, lets nodes start on them, and judges. Also makes a single one again by its
//! name.
//!
//! ```text
//! rounds: choose crashes by the seed ─▶ follow the recordings once, in order ─▶ images ─▶ workers: write, rehearse,
//! judge
//! ```
//!
//! Each round goes from the beginning of the recordings to their end, so that a run that is cut short has seen all of
//! them. With several nodes a crash is one of all nodes at about the same time, and each node's image is chosen for
//! itself.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::acknowledged::Facts;
use super::disk::Disk;
use super::folders;
use super::image::{Image, Mode, Spec, image};
use super::judge::Judge;
use super::record::SEGMENT_BYTES;
use super::recording::{Positions, Recording};
use super::rehearse::{Answer, Rehearser};

/// Crashes in a round.
const ROUND: usize = 400;
/// One in so many nodes is let start a second time.
const TWICE: u64 = 8;
/// Of ten crashes so many are just before or after a sync returned, as long as there are such that were not chosen yet.
const BOUNDARIES_OF_TEN: u32 = 7;

/// How much, and with what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Chooses everything.
    pub seed: u64,
    /// Images at most; each node of a crash counts.
    pub images_max: u64,
    /// No round begins, and no crash is begun, after this long.
    pub time_max: Duration,
    /// Starts at a time.
    pub workers: usize,
    /// The node.
    pub musterd: PathBuf,
}

/// Something that must not be.
#[derive(Debug, Clone)]
pub struct Finding {
    /// How it is made again: names of images, or of damage.
    pub name: String,
    /// What was found.
    pub what: String,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Crashes.
    pub crashes: u64,
    /// Images, all of them different choices.
    pub images: u64,
    /// Of them such that differ from what was synced.
    pub images_with_more: u64,
    /// Starts, second ones included.
    pub starts: u64,
    /// Images by mode.
    pub by_mode: BTreeMap<&'static str, u64>,
    /// Syncs in the recordings, and crashes of a node just before or after one returned.
    pub syncs: u64,
    /// See `syncs`.
    pub boundaries: u64,
    /// Acknowledged writes that were looked for, over all crashes.
    pub looked_for: u64,
    /// What was found.
    pub findings: Vec<Finding>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// In a few lines.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn lines(&self) -> Vec<String> {
        let rate = self.images as f64 / self.took.as_secs_f64().max(0.001);
        let modes: Vec<String> = self.by_mode.iter().map(|(mode, count)| format!("{mode} {count}")).collect();
        vec![
            format!(
                "{} crashes, {} images ({rate:.1} a second), {} of them with more than what was synced, {} starts",
                self.crashes, self.images, self.images_with_more, self.starts
            ),
            format!(
                "{} syncs in the recordings; {} images of a crash just before or after one returned",
                self.syncs, self.boundaries
            ),
            format!("kept: {}", modes.join(", ")),
            format!("{} times an acknowledged write was looked for; {} findings", self.looked_for, self.findings.len()),
        ]
    }
}

/// One crash of all nodes.
struct Crash {
    specs: Vec<Spec>,
    images: Vec<Image>,
}

/// Reads the recordings of all nodes.
///
/// # Errors
/// When one is missing.
pub fn recordings(facts: &Facts) -> anyhow::Result<Vec<Arc<Recording>>> {
    (1..=facts.nodes())
        .map(|node| Ok(Arc::new(Recording::read(&facts.folder.join(format!("n{node}.recording")))?)))
        .collect()
}

/// Crashes and judges until the plan is carried out.
///
/// # Errors
/// When the recording contradicts itself, or nothing can be started.
pub fn run(facts: &Facts, plan: &Plan) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let recordings = recordings(facts)?;
    let positions: Vec<Positions> =
        recordings.iter().map(|recording| recording.positions()).collect::<anyhow::Result<_>>()?;
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let mut boundaries: Vec<u64> = positions[0].boundaries.clone();
    boundaries.shuffle(&mut chance);
    let outcome =
        Mutex::new(Outcome { syncs: positions.iter().map(|found| found.syncs as u64).sum(), ..Outcome::default() });
    let judge = Judge::default();
    let folder = folders::for_images()?;
    let (sender, crashes) = sync_channel(plan.workers * 2);
    let crashes = Mutex::new(crashes);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.workers)
            .map(|worker| {
                let (judge, outcome, crashes, folder) = (&judge, &outcome, &crashes, folder.path());
                let folder = folder.join(format!("w{worker}"));
                scope.spawn(move || work(facts, plan, &folder, crashes, judge, outcome))
            })
            .collect();
        let mut left = plan.images_max;
        let mut sent = HashSet::new();
        while left > 0 && begun.elapsed() < plan.time_max {
            // Not more than are wanted: they are tried in their order, and must reach the end of the recordings.
            let crashes = usize::try_from(left.div_ceil(facts.nodes())).map_or(ROUND, |left| left.min(ROUND));
            let mut round: Vec<Vec<Spec>> = (0..crashes)
                .map(|_| match facts.nodes() {
                    1 => one(&positions[0], &mut boundaries, &outcome, &mut chance),
                    _ => several(facts, &positions, &recordings, &outcome, &mut chance),
                })
                .collect();
            round.sort_by_key(|specs| specs.iter().map(|spec| spec.position).collect::<Vec<_>>());
            let before = left;
            follow(facts, &recordings, round, &sender, &mut sent, &mut left, || begun.elapsed() < plan.time_max)?;
            if before == left {
                break;
            }
        }
        drop(sender);
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?)
    })?;
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.took = begun.elapsed();
    Ok(outcome)
}

fn mode(chance: &mut StdRng) -> Mode {
    Mode::ALL[chance.random_range(0..Mode::ALL.len())]
}

fn one(positions: &Positions, boundaries: &mut Vec<u64>, outcome: &Mutex<Outcome>, chance: &mut StdRng) -> Vec<Spec> {
    let boundary = if chance.random_ratio(BOUNDARIES_OF_TEN, 10) { boundaries.pop() } else { None };
    if boundary.is_some() {
        outcome.lock().unwrap_or_else(PoisonError::into_inner).boundaries += 1;
    }
    let position = boundary.unwrap_or_else(|| positions.changes[chance.random_range(0..positions.changes.len())]);
    vec![Spec { node: 1, position, mode: mode(chance), seed: chance.random::<u32>().into() }]
}

/// A crash of all nodes between two acknowledgements.
fn several(
    facts: &Facts,
    positions: &[Positions],
    recordings: &[Arc<Recording>],
    outcome: &Mutex<Outcome>,
    chance: &mut StdRng,
) -> Vec<Spec> {
    let acknowledged = &facts.acknowledged;
    // Also before the first.
    let next = chance.random_range(0..=acknowledged.len());
    let seed = chance.random::<u32>();
    (0..positions.len())
        .map(|node| {
            let at = |index: usize| acknowledged.get(index).map(|write| write.positions[node]);
            let low = next.checked_sub(1).and_then(at).unwrap_or_default();
            let high = at(next).unwrap_or_else(|| recordings[node].end());
            let is_boundary = chance.random_bool(0.5);
            let among = if is_boundary { &positions[node].boundaries } else { &positions[node].changes };
            let range = among.partition_point(|at| *at < low)..among.partition_point(|at| *at <= high);
            if is_boundary && !range.is_empty() {
                outcome.lock().unwrap_or_else(PoisonError::into_inner).boundaries += 1;
            }
            let position = if range.is_empty() { low } else { among[chance.random_range(range)] };
            Spec { node: node as u64 + 1, position, mode: mode(chance), seed: u64::from(seed) + node as u64 }
        })
        .collect()
}

/// Follows the recordings through a round.
fn follow(
    facts: &Facts,
    recordings: &[Arc<Recording>],
    round: Vec<Vec<Spec>>,
    sender: &SyncSender<Crash>,
    sent: &mut HashSet<(Vec<u64>, Vec<u8>)>,
    left: &mut u64,
    goes_on: impl Fn() -> bool,
) -> anyhow::Result<()> {
    let mut disks = disks(facts, recordings);
    for mut specs in round {
        if *left == 0 || !goes_on() {
            return Ok(());
        }
        let mut images = Vec::new();
        for (spec, disk) in specs.iter_mut().zip(&mut disks) {
            // With several nodes one may be further than the next crash needs: later is as good.
            spec.position = spec.position.max(disk.position());
            disk.follow(spec.position).with_context(|| format!("the recording of node {}", spec.node))?;
            images.push(image(disk, spec.mode, spec.seed));
        }
        let choice = images.iter().zip(&specs).flat_map(|(image, spec)| image.fingerprint(spec.seed)).collect();
        if !sent.insert((specs.iter().map(|spec| spec.position).collect(), choice)) {
            continue;
        }
        *left = left.saturating_sub(images.len() as u64);
        if sender.send(Crash { specs, images }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn disks(facts: &Facts, recordings: &[Arc<Recording>]) -> Vec<Disk> {
    recordings.iter().zip(&facts.roots).map(|(recording, root)| Disk::new(Arc::clone(recording), root)).collect()
}

fn work(
    facts: &Facts,
    plan: &Plan,
    folder: &Path,
    crashes: &Mutex<Receiver<Crash>>,
    judge: &Judge,
    outcome: &Mutex<Outcome>,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut rehearser = Rehearser::new(plan.musterd.clone(), SEGMENT_BYTES, folder.join("errors"));
    loop {
        let next = crashes.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Crash { specs, images }) = next else { return Ok(()) };
        // Not returned: whoever sends crashes would wait for ever.
        let tried = try_out(facts, &specs, &images, folder, &mut rehearser, judge).unwrap_or_else(|error| Tried {
            starts: 0,
            looked_for: 0,
            findings: vec![format!("the lab itself failed: {error:#}")],
        });
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.crashes += 1;
        outcome.images += images.len() as u64;
        outcome.images_with_more += images.iter().filter(|image| image.kept > 0).count() as u64;
        outcome.starts += tried.starts;
        outcome.looked_for += tried.looked_for;
        for spec in &specs {
            *outcome.by_mode.entry(spec.mode.name()).or_default() += 1;
        }
        let name = name(&specs);
        outcome.findings.extend(tried.findings.into_iter().map(|what| Finding { name: name.clone(), what }));
    }
}

/// Under which a crash is made again.
#[must_use]
pub fn name(specs: &[Spec]) -> String {
    specs.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
}

struct Tried {
    starts: u64,
    looked_for: u64,
    findings: Vec<String>,
}

fn try_out(
    facts: &Facts,
    specs: &[Spec],
    images: &[Image],
    folder: &Path,
    rehearser: &mut Rehearser,
    judge: &Judge,
) -> anyhow::Result<Tried> {
    let mut answers = Vec::new();
    let (mut starts, mut findings) = (0, Vec::new());
    for (spec, image) in specs.iter().zip(images) {
        let data = folder.join(format!("n{}", spec.node));
        image.write(&data)?;
        let first = rehearser.ask(&data, &facts.cluster_id, spec.node)?;
        starts += 1;
        if spec.seed.is_multiple_of(TWICE) && first.started().is_some() {
            let second = rehearser.ask(&data, &facts.cluster_id, spec.node)?;
            starts += 1;
            findings.extend(differs(spec, &first, &second));
        }
        answers.push(first);
    }
    findings.extend(judge.findings(facts, specs, &answers));
    let positions: Vec<u64> = specs.iter().map(|spec| spec.position).collect();
    Ok(Tried { starts, looked_for: facts.before(&positions).len() as u64, findings })
}

fn differs(spec: &Spec, first: &Answer, second: &Answer) -> Option<String> {
    let same = |what: &str| first.started().map(|told| &told[what]) == second.started().map(|told| &told[what]);
    let is_same = second.started().is_some() && ["vote", "revision", "chain", "last", "content"].into_iter().all(same);
    let short = |answer: &Answer| format!("{answer:?}").chars().take(300).collect::<String>();
    (!is_same).then(|| {
        format!("node {} starts, and then starts as another: {}, then {}", spec.node, short(first), short(second))
    })
}

/// Makes one crash again, leaves its images in `folder`, and returns what was found.
///
/// # Errors
/// When the name is none of this recording.
pub fn again(facts: &Facts, name: &str, musterd: PathBuf, folder: &Path) -> anyhow::Result<Vec<String>> {
    let specs: Vec<Spec> = name.split('+').map(str::parse).collect::<anyhow::Result<_>>()?;
    ensure!(
        specs.len() as u64 == facts.nodes(),
        "this recording has {} nodes, the name {}",
        facts.nodes(),
        specs.len()
    );
    let recordings = recordings(facts)?;
    let mut images = Vec::new();
    for (spec, disk) in specs.iter().zip(&mut disks(facts, &recordings)) {
        disk.follow(spec.position)?;
        images.push(image(disk, spec.mode, spec.seed));
        images.last().context("just made")?.write(&folder.join(format!("n{}.image", spec.node)))?;
    }
    let mut rehearser = Rehearser::new(musterd, SEGMENT_BYTES, folder.join("errors"));
    Ok(try_out(facts, &specs, &images, folder, &mut rehearser, &Judge::default())?.findings)
}
