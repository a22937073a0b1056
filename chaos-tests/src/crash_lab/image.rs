//! One outcome of a crash: everything that is durable, and some of the rest.
//!
//! What of the rest, [`Mode`] and a seed say. Always legal:
//!
//! - A change of a name is kept or lost as a whole, with the earlier changes of the same names that it builds upon.
//!   Changes of different names are independent, also in one folder: `ext4` keeps their order, `btrfs` need not.
//! - Within the durable size of a file each sector of 512 bytes is as some prefix of the writes to it left it, whatever
//!   became of other sectors and files.
//! - A file grows in order and only by bytes that were written (`data=ordered`, and what xfs and btrfs do): of a write
//!   beyond the end the first so many sectors survive, and nothing that lies behind a loss.
//! - A cut that was lost takes with it what was written to the file after it.
//!
//! It knows nothing of what the files are for.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::disk::{DataChange, Disk, File, Id, Node, close};
use super::recording::Recording;

/// Bytes that a disk writes as a whole.
const SECTOR: usize = 512;

/// What is kept of that which is not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Nothing.
    Synced,
    /// All.
    All,
    /// All up to some change.
    Prefix,
    /// Each change by chance, all alike.
    Subset,
    /// The same, and of the writes that are kept only some sectors.
    Torn,
    /// All of some files and names, nothing of others.
    Files,
    /// All but one change.
    AllButOne,
    /// One change.
    OnlyOne,
    /// All data, and names by chance.
    Names,
    /// All names, and data by chance.
    Data,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Synced,
        Self::All,
        Self::Prefix,
        Self::Subset,
        Self::Torn,
        Self::Files,
        Self::AllButOne,
        Self::OnlyOne,
        Self::Names,
        Self::Data,
    ];

    /// As names of images have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::All => "all",
            Self::Prefix => "prefix",
            Self::Subset => "subset",
            Self::Torn => "torn",
            Self::Files => "files",
            Self::AllButOne => "all-but-one",
            Self::OnlyOne => "only-one",
            Self::Names => "names",
            Self::Data => "data",
        }
    }
}

/// Which image of which node: how it is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The node.
    pub node: u64,
    /// Where in its recording the crash is.
    pub position: u64,
    /// What is kept.
    pub mode: Mode,
    /// For what is chosen by chance.
    pub seed: u64,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}@{}:{}:{:x}", self.node, self.position, self.mode.name(), self.seed)
    }
}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parse = || {
            let (node, rest) = text.strip_prefix('n')?.split_once('@')?;
            let mut parts = rest.split(':');
            let (position, mode, seed) = (parts.next()?, parts.next()?, parts.next()?);
            let mode = Mode::ALL.into_iter().find(|known| known.name() == mode)?;
            let seed = u64::from_str_radix(seed, 16).ok()?;
            Some(Self { node: node.parse().ok()?, position: position.parse().ok()?, mode, seed })
        };
        parse().with_context(|| format!("{text} is not the name of an image"))
    }
}

/// Files and folders, ready to be written.
#[derive(Debug)]
pub struct Image {
    folders: Vec<PathBuf>,
    /// Each file with all its names.
    files: Vec<(Vec<PathBuf>, Arc<Vec<u8>>)>,
    /// Changes that were not durable, and how many of them are kept.
    pub pending: usize,
    /// See `pending`.
    pub kept: usize,
    choice: Vec<u8>,
}

/// Bits of a choice: lost, kept, kept in part.
const LOST: u8 = 0;
const WHOLE: u8 = 1;
const TORN: u8 = 2;

/// Makes the image that `mode` and `seed` say of a disk as it stands.
#[must_use]
pub fn image(disk: &Disk, mode: Mode, seed: u64) -> Image {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut pending: Vec<(u64, Option<Id>)> = disk.names.iter().map(|name| (name.at, None)).collect();
    let names = pending.len();
    for (id, node) in disk.nodes.iter().enumerate() {
        if let Node::File(file) = node {
            pending.extend(file.pending.iter().map(|change| (change.at, Some(id))));
        }
    }
    let mut choice = choose(mode, &pending, &mut chance);
    let mut kept_names: Vec<bool> = choice[..names].iter().map(|kept| *kept != LOST).collect();
    close(&disk.names, &mut kept_names);
    for (place, kept) in choice.iter_mut().zip(&kept_names) {
        *place = if *kept { WHOLE } else { LOST };
    }
    let mut folders: BTreeMap<Id, BTreeMap<String, Id>> = BTreeMap::new();
    for (id, node) in disk.nodes.iter().enumerate() {
        if let Node::Folder(folder) = node {
            folders.insert(id, folder.durable.clone());
        }
    }
    for (name, _) in disk.names.iter().zip(&kept_names).filter(|(_, kept)| **kept) {
        name.what.apply(&mut |folder, change| folders.get_mut(&folder).into_iter().for_each(&mut *change));
    }
    let mut made = Image {
        folders: Vec::new(),
        files: Vec::new(),
        pending: pending.len(),
        kept: choice.iter().filter(|kept| **kept != LOST).count(),
        choice: choice.clone(),
    };
    let mut choices: BTreeMap<Id, Vec<u8>> = BTreeMap::new();
    for ((_, id), kept) in pending.iter().zip(&choice) {
        id.iter().for_each(|id| choices.entry(*id).or_default().push(*kept));
    }
    let mut names: BTreeMap<Id, Vec<PathBuf>> = BTreeMap::new();
    walk(&folders, 0, Path::new(""), &mut made.folders, &mut names);
    for (id, paths) in names {
        if let Node::File(file) = &disk.nodes[id] {
            let choice = choices.remove(&id).unwrap_or_default();
            made.files.push((paths, contents(&disk.recording, file, &choice, &mut chance)));
        }
    }
    made
}

fn choose(mode: Mode, pending: &[(u64, Option<Id>)], chance: &mut StdRng) -> Vec<u8> {
    let all = pending.len();
    let some = if all == 0 { 0 } else { chance.random_range(0..all) };
    let share = [0.1, 0.5, 0.9][chance.random_range(0..3)];
    let mut by_chance = |is_torn: bool| match chance.random_bool(share) {
        true if is_torn => TORN,
        true => WHOLE,
        false => LOST,
    };
    match mode {
        Mode::Synced => vec![LOST; all],
        Mode::All => vec![WHOLE; all],
        Mode::Prefix => {
            let end = pending.get(some).map_or(0, |(at, _)| *at);
            pending.iter().map(|(at, _)| if *at <= end { WHOLE } else { LOST }).collect()
        }
        Mode::Subset => pending.iter().map(|_| by_chance(false)).collect(),
        Mode::Torn => pending.iter().map(|_| by_chance(true)).collect(),
        Mode::Names => pending.iter().map(|(_, id)| if id.is_some() { WHOLE } else { by_chance(false) }).collect(),
        Mode::Data => pending.iter().map(|(_, id)| if id.is_some() { by_chance(true) } else { WHOLE }).collect(),
        Mode::Files => {
            let mut files: BTreeMap<Id, u8> = BTreeMap::new();
            pending
                .iter()
                .map(|(_, id)| match id {
                    Some(id) => *files.entry(*id).or_insert_with(|| by_chance(false)),
                    None => by_chance(false),
                })
                .collect()
        }
        Mode::AllButOne => (0..all).map(|at| if at == some { LOST } else { WHOLE }).collect(),
        Mode::OnlyOne => (0..all).map(|at| if at == some { WHOLE } else { LOST }).collect(),
    }
}

fn walk(
    all: &BTreeMap<Id, BTreeMap<String, Id>>,
    folder: Id,
    path: &Path,
    folders: &mut Vec<PathBuf>,
    files: &mut BTreeMap<Id, Vec<PathBuf>>,
) {
    for (name, id) in all.get(&folder).into_iter().flatten() {
        let path = path.join(name);
        if all.contains_key(id) {
            folders.push(path.clone());
            walk(all, *id, &path, folders, files);
        } else {
            files.entry(*id).or_default().push(path);
        }
    }
}

/// What a file holds.
fn contents(recording: &Recording, file: &File, choice: &[u8], chance: &mut StdRng) -> Arc<Vec<u8>> {
    if file.pending.is_empty() || choice.iter().all(|kept| *kept == LOST) {
        return Arc::clone(&file.durable);
    }
    // As the process sees it after each change, and as it is.
    let mut whole = Vec::clone(&file.durable);
    let mut found = whole.clone();
    for (change, kept) in file.pending.iter().zip(choice) {
        let before = whole.len();
        change.what.apply(recording, &mut whole);
        match (&change.what, *kept) {
            (DataChange::Size(_), LOST) if whole.len() < before => break,
            (_, LOST) => {}
            (DataChange::Size(_), _) if whole.len() <= found.len() => found.truncate(whole.len()),
            (DataChange::Size(_), _) if found.len() == before => found.resize(whole.len(), 0),
            (DataChange::Size(_), _) => {}
            (DataChange::Write(offset, data), kept) => {
                let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                let is_next = found.len() == before;
                let old = found.len();
                let mut keeps = || kept == WHOLE || chance.random_bool(0.5);
                for sector in from / SECTOR..(from + data.len()).div_ceil(SECTOR) {
                    let (begin, end) = (sector * SECTOR, ((sector + 1) * SECTOR).min(whole.len()));
                    if !keeps() {
                        // Inside, the next one may survive; beyond the end nothing does.
                        if end > old {
                            break;
                        }
                        continue;
                    }
                    if end > found.len() && is_next {
                        let grown_from = found.len();
                        found.extend_from_slice(&whole[grown_from..end]);
                    }
                    let inside = begin.min(found.len())..end.min(found.len());
                    found[inside.clone()].copy_from_slice(&whole[inside]);
                }
            }
        }
    }
    Arc::new(found)
}

impl Image {
    /// The same for the same outcome at the same position.
    pub(super) fn fingerprint(&self, seed: u64) -> Vec<u8> {
        let by_chance = self.choice.contains(&TORN).then(|| seed.to_le_bytes()).into_iter().flatten();
        self.choice.iter().copied().chain(by_chance).chain([u8::MAX]).collect()
    }

    /// Writes it into `folder`, which it empties first.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        for path in &self.folders {
            fs::create_dir_all(folder.join(path))?;
        }
        for (names, bytes) in &self.files {
            let Some((first, others)) = names.split_first() else { bail!("a file without a name") };
            fs::write(folder.join(first), bytes.as_slice())?;
            for other in others {
                fs::hard_link(folder.join(first), folder.join(other))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
