//! Simulated disks: one for each folder directly below `/sim/`.
//!
//! ```text
//! write ─▶ what processes see (`live`)      sync ─▶ what survives a power cut (`durable`)
//! create, rename, remove ─▶ names in view   sync of the folder ─▶ names that survive
//! ```
//!
//! - What a file holds and which names there are become durable apart from each other: a file that was synced but whose folder was
//!   not may be gone after a power cut.
//! - At a power cut each sector of what was not synced is lost or kept for itself ([`Loss`]), and of the names a first part is kept,
//!   because file systems write their journal in order. So a write may be torn, and a later one kept without an earlier one.
//! - After a failed sync what was not synced of that file stays in view and will never be durable, as on Linux: a later sync says
//!   that it is, and a process that starts again reads it.
//! - A process names its files below `/sim/<disk>.<life>/`, see [`folder`]. When it ends its life is over, and nothing it does then
//!   reaches the disk.
//!
//! Not modelled: a disk that says it has synced and has not; a journal that is lost; sectors other than 512 bytes.

mod inode;
mod names;

use ::std::collections::BTreeMap;
use ::std::io;
use ::std::path::{Path, PathBuf};
use ::std::sync::{Mutex, MutexGuard, PoisonError};

use inode::Inode;
pub use inode::Loss;
pub(crate) use names::Entry;
use names::Names;

use crate::chance::Chance;
use crate::trace;

/// Where simulated disks are.
pub const ROOT: &str = "/sim";

/// Of what a disk suffers. All of it may be changed at any time.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// How long a thread takes for a round of work on it, at least and at most, in microseconds.
    pub latency_us: (u64, u64),
    /// So many of the next syncs fail.
    pub failing_syncs: u32,
    /// So many of the next writes fail.
    pub failing_writes: u32,
    /// No file can grow and none can be made.
    pub is_full: bool,
    /// The machine dies after so many more operations.
    pub dies_after: Option<u64>,
    /// A defect of the simulation itself, for its own tests: a sync says that it was done and does nothing.
    pub lies: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency_us: (200, 2_000),
            failing_syncs: 0,
            failing_writes: 0,
            is_full: false,
            dies_after: None,
            lies: false,
        }
    }
}

/// What was done on a disk so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Writes into files.
    pub writes: u64,
    /// Syncs of files and folders.
    pub syncs: u64,
    /// Writes of which a power cut kept a part only.
    pub torn: u64,
    /// Writes that a power cut took away.
    pub lost: u64,
    /// Errors that were given for faults.
    pub errors: u64,
}

/// One disk.
pub(crate) struct Disk {
    pub(crate) number: u64,
    names: Names,
    inodes: BTreeMap<u64, Inode>,
    made: u64,
    pub(crate) life: u64,
    is_dead: bool,
    chance: Chance,
    faults: Faults,
    counts: Counts,
    locks: BTreeMap<u64, u64>,
}

static DISKS: Mutex<BTreeMap<String, Disk>> = Mutex::new(BTreeMap::new());

fn disks() -> MutexGuard<'static, BTreeMap<String, Disk>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A path on a disk.
pub(crate) struct OnDisk {
    pub(crate) name: String,
    /// Which process names it; `None`: whoever is alive.
    life: Option<u64>,
    /// As the disk knows it: without a life.
    pub(crate) path: PathBuf,
}

/// Reads `/sim/<disk>/…` and `/sim/<disk>.<life>/…`; `None` when the path is on no disk.
pub(crate) fn place(path: &Path) -> Option<OnDisk> {
    let rest = path.strip_prefix(ROOT).ok()?;
    let first = rest.components().next()?.as_os_str().to_str()?;
    let rest = rest.strip_prefix(first).ok()?;
    let (name, life) = match first.split_once('.') {
        Some((name, life)) => (name, Some(life.parse().ok()?)),
        None => (first, None),
    };
    let root = Path::new(ROOT).join(name);
    let path = if rest.as_os_str().is_empty() { root } else { root.join(rest) };
    Some(OnDisk { name: name.to_owned(), life, path })
}

fn no_such_disk() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no such simulated disk")
}

/// One operation of a process with the disk that a path is on.
pub(crate) fn with<T>(path: &Path, work: impl FnOnce(&mut Disk, &Path) -> io::Result<T>) -> io::Result<T> {
    let place = place(path).ok_or_else(no_such_disk)?;
    with_file(&place.name, place.life, |disk| work(disk, &place.path))
}

/// One operation of the process of a life with a disk.
pub(crate) fn with_file<T>(
    name: &str,
    life: Option<u64>,
    work: impl FnOnce(&mut Disk) -> io::Result<T>,
) -> io::Result<T> {
    let mut disks = disks();
    let disk = disks.get_mut(name).ok_or_else(no_such_disk)?;
    crate::baton::works_on(disk.number);
    disk.step(life.unwrap_or(disk.life))?;
    work(disk)
}

/// Where the process that is alive now has its files: all that it does there ends with it.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    let life = named(name, |disk| disk.life);
    Path::new(ROOT).join(format!("{name}.{life}"))
}

/// Makes an empty disk, whose folder is `/sim/<name>`.
pub fn make(name: &str, seed: u64) {
    let mut disks = disks();
    let number = disks.len() as u64;
    let disk = Disk {
        number,
        names: Names::with_root(&Path::new(ROOT).join(name)),
        inodes: BTreeMap::new(),
        made: 0,
        life: 0,
        is_dead: false,
        chance: Chance::new(seed),
        faults: Faults::default(),
        counts: Counts::default(),
        locks: BTreeMap::new(),
    };
    disks.insert(name.to_owned(), disk);
}

fn named<T>(name: &str, work: impl FnOnce(&mut Disk) -> T) -> T {
    work(disks().get_mut(name).expect("a disk that was made"))
}

/// What a disk suffers from now on.
pub fn set_faults(name: &str, change: impl FnOnce(&mut Faults)) {
    named(name, |disk| change(&mut disk.faults));
}

/// What was done on a disk.
#[must_use]
pub fn counts(name: &str) -> Counts {
    named(name, |disk| disk.counts)
}

/// Whether the machine has died by itself, see [`Faults::dies_after`].
#[must_use]
pub fn is_dead(name: &str) -> bool {
    named(name, |disk| disk.is_dead)
}

/// The process that used the disk has ended: its handles are dead. Everything that was written stays.
pub fn process_ended(name: &str) {
    named(name, Disk::end_life);
    crate::baton::poke();
}

/// The power is cut: what was not synced suffers `loss`.
pub fn power_cut(name: &str, loss: Loss) {
    named(name, |disk| {
        disk.end_life();
        let Disk { inodes, chance, counts, names, .. } = disk;
        for inode in inodes.values_mut() {
            let (torn, lost) = inode.cut(loss, chance);
            counts.torn += torn;
            counts.lost += lost;
        }
        let kept = match loss {
            Loss::Nothing => names.waiting(),
            Loss::Everything => 0,
            Loss::Some => usize::try_from(chance.below(names.waiting() as u64 + 1)).unwrap_or_default(),
        };
        names.cut(kept);
        trace::note("power cut", [disk.number, kept as u64, disk.counts.torn]);
    });
    crate::baton::poke();
}

/// The machine runs again.
pub fn comes_back(name: &str) {
    named(name, |disk| {
        disk.is_dead = false;
        disk.faults.dies_after = None;
    });
}

/// Flips one bit in a file, wherever it is: what is read from now on is not what was written.
pub fn flip(path: &Path, bit: u64) -> bool {
    let flipped = with(path, |disk, path| {
        let Some(Entry::File(inode)) = disk.names.get(path) else { return Ok(false) };
        Ok(disk.inodes.get_mut(&inode).is_some_and(|inode| inode.flip(bit)))
    });
    flipped.unwrap_or(false)
}

/// All files of a disk in view, with their lengths.
#[must_use]
pub fn files(name: &str) -> Vec<(PathBuf, u64)> {
    named(name, |disk| {
        let files = disk.names.files();
        files.map(|(path, inode)| (path, disk.inodes.get(&inode).map_or(0, |inode| inode.len() as u64))).collect()
    })
}

/// How long a thread takes for a round of work on the disk with this number.
pub(crate) fn latency_ns(number: u64) -> u64 {
    let mut disks = disks();
    let disk = disks.values_mut().find(|disk| disk.number == number);
    disk.map_or(0, |disk| disk.chance.between(disk.faults.latency_us.0 * 1000, disk.faults.latency_us.1 * 1000))
}

/// A handle of a life is gone.
pub(crate) fn closed(name: &str, life: u64, inode: u64, handle: u64) {
    named(name, |disk| {
        if disk.life == life {
            disk.unlock(inode, handle);
            if let Some(file) = disk.inodes.get_mut(&inode) {
                file.handles = file.handles.saturating_sub(1);
            }
        }
    });
}

fn dead() -> io::Error {
    io::Error::other("the simulated machine is off")
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!("simulated: {what}"))
}

impl Disk {
    fn end_life(&mut self) {
        self.life += 1;
        self.locks.clear();
        self.faults.failing_syncs = 0;
        self.faults.failing_writes = 0;
    }

    /// One more operation of a process: it may be the last.
    fn step(&mut self, life: u64) -> io::Result<()> {
        if let Some(left) = &mut self.faults.dies_after
            && !self.is_dead
        {
            if *left == 0 {
                self.is_dead = true;
                trace::note("dies", [self.number, 0, 0]);
                crate::baton::poke();
            } else {
                *left -= 1;
            }
        }
        if self.is_dead || life != self.life { Err(dead()) } else { Ok(()) }
    }

    pub(crate) fn entry(&self, path: &Path) -> io::Result<Entry> {
        self.names.get(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    pub(crate) fn children(&self, folder: &Path) -> Vec<(PathBuf, Entry)> {
        self.names.children(folder)
    }

    pub(crate) fn file(&mut self, inode: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&inode).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    pub(crate) fn make_file(&mut self, path: &Path) -> io::Result<u64> {
        self.needs_parent(path)?;
        self.room()?;
        self.made += 1;
        self.inodes.insert(self.made, Inode::default());
        self.names.put(path, Entry::File(self.made));
        Ok(self.made)
    }

    pub(crate) fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        self.needs_parent(path)?;
        if self.names.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.room()?;
        self.names.put(path, Entry::Folder);
        Ok(())
    }

    pub(crate) fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.needs_parent(to)?;
        let entry = self.entry(from)?;
        if self.names.get(to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.names.put(to, entry);
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.entry(path)?;
        if !self.names.children(path).is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.names.remove(path);
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.needs_parent(to)?;
        self.entry(from)?;
        if !self.names.children(to).is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.names.rename(from, to);
        Ok(())
    }

    fn needs_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|parent| self.names.get(parent)) {
            Some(Entry::Folder) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn room(&mut self) -> io::Result<()> {
        if self.faults.is_full {
            self.counts.errors += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, inode: u64, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if self.faults.failing_writes > 0 {
            self.faults.failing_writes -= 1;
            self.counts.errors += 1;
            return Err(broken("a write failed"));
        }
        if self.file(inode)?.len() < offset + bytes.len() {
            self.room()?;
        }
        self.counts.writes += 1;
        let number = self.number;
        self.file(inode)?.write(offset, bytes);
        trace::note("write", [number << 32 | inode, offset as u64, bytes.len() as u64]);
        Ok(())
    }

    pub(crate) fn sync_file(&mut self, inode: u64) -> io::Result<()> {
        if let Err(error) = self.sync_fault() {
            self.file(inode)?.give_up();
            return Err(error);
        }
        trace::note("sync", [self.number << 32 | inode, 0, 0]);
        let lies = self.faults.lies;
        let file = self.file(inode)?;
        if !lies {
            file.sync();
        }
        Ok(())
    }

    pub(crate) fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        self.sync_fault()?;
        trace::note("sync folder", [self.number, 0, 0]);
        if !self.faults.lies {
            self.names.sync(path);
            // What neither view nor disk names any more is gone.
            let named: ::std::collections::BTreeSet<u64> = self.names.inodes().collect();
            self.inodes.retain(|inode, file| named.contains(inode) || file.handles > 0);
        }
        Ok(())
    }

    fn sync_fault(&mut self) -> io::Result<()> {
        self.counts.syncs += 1;
        if self.faults.failing_syncs > 0 {
            self.faults.failing_syncs -= 1;
            self.counts.errors += 1;
            return Err(broken("a sync failed"));
        }
        Ok(())
    }

    pub(crate) fn try_lock(&mut self, inode: u64, handle: u64) -> bool {
        *self.locks.entry(inode).or_insert(handle) == handle
    }

    fn unlock(&mut self, inode: u64, handle: u64) {
        if self.locks.get(&inode) == Some(&handle) {
            self.locks.remove(&inode);
        }
    }
}

/// What is free: nothing or plenty.
///
/// # Errors
/// When the path is on no disk.
pub fn available(path: &Path) -> io::Result<u64> {
    with(path, |disk, _| Ok(if disk.faults.is_full { 0 } else { 1 << 40 }))
}
