//! Damage at rest, to each file of a node that stopped in order: is it noticed, or is the answer the same to the byte?
//!
//! A damaged node may start when everything that it can be asked is as without the damage: the damaged bytes meant
//! nothing, or it has made anew what was lost (`harmless`). It may start and say so as soon as the damaged part is read
//! (`noticed later`: the files of a snapshot, which whoever receives them checks). Otherwise it must refuse, with a
//! reason. It must never answer with something else, and it must not break.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::acknowledged::Facts;
use super::folders;
use super::record::SEGMENT_BYTES;
use super::rehearse::{Answer, Rehearser};
use super::run::Finding;

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One bit is another.
    Flip,
    /// So many bytes are left, by chance.
    Cut,
    /// Nothing is left.
    Empty,
    /// 512 bytes are zeros.
    Sector,
    /// 4096 bytes are zeros.
    Block,
    /// 4096 bytes hold what belongs elsewhere in the file.
    Misdirected,
    /// It is gone.
    Gone,
    /// It is as it was when the node stopped the time before.
    Stale,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Flip, Self::Cut, Self::Empty, Self::Sector, Self::Block, Self::Misdirected, Self::Gone, Self::Stale];

    fn name(self) -> &'static str {
        match self {
            Self::Flip => "flip",
            Self::Cut => "cut",
            Self::Empty => "empty",
            Self::Sector => "sector",
            Self::Block => "block",
            Self::Misdirected => "misdirected",
            Self::Gone => "gone",
            Self::Stale => "stale",
        }
    }

    /// Whether chance has a say.
    fn has_places(self) -> bool {
        matches!(self, Self::Flip | Self::Cut | Self::Sector | Self::Block | Self::Misdirected)
    }
}

/// One damage to one file of the first node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Below the data folder.
    pub file: PathBuf,
    /// What.
    pub kind: Kind,
    /// Where.
    pub seed: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "damage:{}:{}:{:x}", self.file.display(), self.kind.name(), self.seed)
    }
}

impl Damage {
    /// By its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("damage:")?.rsplitn(3, ':');
        let (seed, kind, file) = (parts.next()?, parts.next()?, parts.next()?);
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
        Some(Self { file: file.into(), kind, seed: u64::from_str_radix(seed, 16).ok()? })
    }

    /// Does it to `data`. False when that changes nothing.
    fn inflict(&self, data: &Path, earlier: &Path) -> anyhow::Result<bool> {
        let path = data.join(&self.file);
        let before = fs::read(&path)?;
        let mut chance = StdRng::seed_from_u64(self.seed);
        let mut after = before.clone();
        match self.kind {
            Kind::Gone => {
                fs::remove_file(&path)?;
                return Ok(true);
            }
            Kind::Stale => match fs::read(earlier.join(&self.file)) {
                Ok(bytes) => after = bytes,
                Err(_) => return Ok(false),
            },
            Kind::Empty => after.clear(),
            _ if before.is_empty() => return Ok(false),
            Kind::Cut => after.truncate(chance.random_range(0..before.len())),
            Kind::Flip => {
                // Rather where something was written.
                let mut places = (0..32).map(|_| chance.random_range(0..before.len()));
                let first = places.next().unwrap_or_default();
                let at = if before[first] != 0 { first } else { places.find(|at| before[*at] != 0).unwrap_or(first) };
                after[at] ^= 1 << chance.random_range(0..8);
            }
            Kind::Sector | Kind::Block => {
                let bytes = if self.kind == Kind::Sector { 512 } else { 4096 };
                let begin = chance.random_range(0..before.len().div_ceil(bytes)) * bytes;
                let end = (begin + bytes).min(before.len());
                after[begin..end].fill(0);
            }
            Kind::Misdirected => {
                let blocks = before.len() / 4096;
                if blocks < 2 {
                    return Ok(false);
                }
                let (from, to) = (chance.random_range(0..blocks) * 4096, chance.random_range(0..blocks) * 4096);
                after.copy_within(from..from + 4096, to);
            }
        }
        if after == before {
            return Ok(false);
        }
        // In place: other names of the file share it.
        let file = fs::OpenOptions::new().write(true).open(&path)?;
        file.set_len(after.len() as u64)?;
        file.write_all_at(&after, 0)?;
        Ok(true)
    }
}

/// What became of one damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The start was refused, with this reason.
    Refused(String),
    /// Everything is as without it.
    Harmless,
    /// It started; who reads the damaged part is told.
    NoticedLater(String),
    /// It changed nothing.
    None,
    /// It was served, or broke the node.
    Bad(String),
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Damages by kind and verdict.
    pub tally: BTreeMap<(Kind, &'static str), u64>,
    /// Files.
    pub files: usize,
    /// Damages.
    pub damages: u64,
    /// What was found.
    pub findings: Vec<Finding>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// In a few lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} damages to {} files in {} s; {} findings",
            self.damages,
            self.files,
            self.took.as_secs(),
            self.findings.len()
        )];
        for kind in Kind::ALL {
            let of = self.tally.iter().filter(|((of, _), _)| *of == kind);
            let said: Vec<String> = of.map(|((_, verdict), count)| format!("{verdict} {count}")).collect();
            if !said.is_empty() {
                lines.push(format!("  {}: {}", kind.name(), said.join(", ")));
            }
        }
        lines
    }
}

/// The node that damage is done to.
pub struct Patient {
    facts: Facts,
    rehearser: Rehearser,
    folder: tempfile::TempDir,
    whole: Value,
}

impl Patient {
    /// The first node of a recording, as it stopped.
    ///
    /// # Errors
    /// When it does not start without damage.
    pub fn new(facts: Facts, musterd: PathBuf) -> anyhow::Result<Self> {
        let folder = folders::for_images()?;
        let mut rehearser = Rehearser::new(musterd, SEGMENT_BYTES, folder.path().join("errors"));
        let data = folder.path().join("data");
        folders::copy(&facts.folder.join("n1.final"), &data)?;
        let Answer::Started(whole) = rehearser.ask(&data, &facts.cluster_id, 1)? else {
            bail!("it does not start without damage");
        };
        Ok(Self { facts, rehearser, folder, whole })
    }

    /// Does one damage, and lets the node start.
    ///
    /// # Errors
    /// When the file is not there, or nothing can be started.
    pub fn suffer(&mut self, damage: &Damage) -> anyhow::Result<Verdict> {
        let data = self.folder.path().join("data");
        folders::copy(&self.facts.folder.join("n1.final"), &data)?;
        let earlier = self.facts.folder.join("n1.earlier");
        if !damage.inflict(&data, &earlier).with_context(|| damage.to_string())? {
            return Ok(Verdict::None);
        }
        Ok(match self.rehearser.ask(&data, &self.facts.cluster_id, 1)? {
            Answer::Refused(why, _) => Verdict::Refused(why),
            Answer::Broke(how) => Verdict::Bad(format!("it breaks: {how}")),
            Answer::Started(told) => self.compare(&told),
        })
    }

    fn compare(&self, told: &Value) -> Verdict {
        let differs: Vec<String> = ["vote", "last", "revision", "chain", "content"]
            .into_iter()
            .filter(|what| told[what] != self.whole[what])
            .map(|what| format!("{what} is {} instead of {}", told[what], self.whole[what]))
            .collect();
        if !differs.is_empty() {
            return Verdict::Bad(format!("it starts and serves something else: {}", differs.join(", ")));
        }
        match told["snapshot_damage"].as_str() {
            Some(damage) => Verdict::NoticedLater(damage.to_owned()),
            None => Verdict::Harmless,
        }
    }
}

/// Damages each file, each kind at `places` places, as long as there is time.
///
/// # Errors
/// When nothing can be started.
pub fn run(facts: Facts, musterd: PathBuf, seed: u64, places: u64, time_max: Duration) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let files = folders::files(&facts.folder.join("n1.final"))?;
    let mut patient = Patient::new(facts, musterd)?;
    let mut outcome = Outcome { files: files.len(), ..Outcome::default() };
    // One place of everything first, so that a run that is cut short has seen each file.
    for place in 0..places {
        for (number, file) in files.iter().enumerate() {
            for kind in Kind::ALL.into_iter().filter(|kind| place == 0 || kind.has_places()) {
                if begun.elapsed() > time_max {
                    outcome.took = begun.elapsed();
                    return Ok(outcome);
                }
                let seed = seed.wrapping_mul(1_000_003).wrapping_add(place * 1_009 + number as u64) & 0xFFFF_FFFF;
                let damage = Damage { file: file.clone(), kind, seed };
                let verdict = patient.suffer(&damage)?;
                outcome.damages += u64::from(verdict != Verdict::None);
                let said = match &verdict {
                    Verdict::Refused(_) => "refused",
                    Verdict::Harmless => "harmless",
                    Verdict::NoticedLater(_) => "noticed later",
                    Verdict::None => continue,
                    Verdict::Bad(_) => "BAD",
                };
                *outcome.tally.entry((kind, said)).or_default() += 1;
                if let Verdict::Bad(what) = verdict {
                    outcome.findings.push(Finding { name: damage.to_string(), what });
                }
            }
        }
    }
    outcome.took = begun.elapsed();
    Ok(outcome)
}
