//! A model of a disk: which changes are durable, and which a crash may or may not take away.
//!
//! The rules, stricter than any one file system where these differ (fsync(2); ALICE, Pillai et al., OSDI 2014;
//! `CrashMonkey`, Mohan et al., OSDI 2018; the ext4 documentation on `data=ordered` and delayed allocation):
//!
//! - A sync of a file makes durable what was written to it before the sync began. `close`, `rename` and
//!   `sync_file_range` sync nothing.
//! - A sync of a folder makes durable the names that were made, changed or removed in it before the sync began, and
//!   nothing of what the files of those names hold.
//! - A sync of a file that was made and never had a durable name also makes durable the name, and the folders above it:
//!   ext4, xfs and btrfs do so, and `RocksDB` relies on it for its first files. No other change of names becomes
//!   durable with a file's sync.
//! - A sync that has not returned, or that failed, promises nothing; what it would have covered may be durable all the
//!   same.
//! - A rename is atomic, also between two folders, and durable when either was synced. So is each other change of a
//!   name.
//!
//! What a crash leaves of the rest is chosen in `image.rs`. It knows nothing of what the files are for.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};

use super::recording::{Op, Recording, What};

/// `O_TRUNC`, as the recording has it.
const TRUNCATE: i32 = 0o1000;

/// Number of a file or folder; never used again.
pub(super) type Id = usize;

/// A name in a folder.
pub(super) type Place = (Id, String);

/// One disk, at the position that the recording was followed to.
#[derive(Debug)]
pub struct Disk {
    pub(super) recording: Arc<Recording>,
    root: String,
    position: u64,
    pub(super) nodes: Vec<Node>,
    /// Changes of names that are not durable, in their order.
    pub(super) names: Vec<Pending<NameChange>>,
    open: HashMap<u64, Id>,
    syncs: HashMap<u64, (Id, u64)>,
}

/// A change, and the position of its record's end.
#[derive(Debug, Clone)]
pub(super) struct Pending<T> {
    pub at: u64,
    pub what: T,
}

#[derive(Debug, Clone)]
pub(super) enum NameChange {
    /// The name came; for a file, or folder, that is new or has other names.
    Come(Place, Id),
    /// It went.
    Go(Place, Id),
    /// The first became the second.
    Move(Place, Place, Id),
}

#[derive(Debug)]
pub(super) enum Node {
    Folder(Folder),
    File(File),
}

/// Names, as the process sees them, and as they are durable.
#[derive(Debug, Default)]
pub(super) struct Folder {
    now: BTreeMap<String, Id>,
    pub durable: BTreeMap<String, Id>,
}

/// Contents that are durable, and changes that are not, in their order.
#[derive(Debug, Default)]
pub(super) struct File {
    bytes_now: u64,
    pub durable: Arc<Vec<u8>>,
    pub pending: Vec<Pending<DataChange>>,
}

#[derive(Debug, Clone)]
pub(super) enum DataChange {
    /// Bytes of the recording, from an offset on.
    Write(u64, Range<usize>),
    /// The file has so many bytes.
    Size(u64),
}

impl NameChange {
    pub(super) fn id(&self) -> Id {
        match self {
            Self::Come(_, id) | Self::Go(_, id) | Self::Move(_, _, id) => *id,
        }
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        let (first, second) = match self {
            Self::Come(place, _) | Self::Go(place, _) => (place, None),
            Self::Move(from, to, _) => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }
}

impl Disk {
    /// An empty one, for what the recording says of the folder `root`.
    #[must_use]
    pub fn new(recording: Arc<Recording>, root: &str) -> Self {
        let nodes = vec![Node::Folder(Folder::default())];
        let root = root.trim_end_matches('/').to_owned();
        Self { recording, root, position: 0, nodes, names: Vec::new(), open: HashMap::new(), syncs: HashMap::new() }
    }

    /// How far it was followed.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Follows the recording up to `position`.
    ///
    /// # Errors
    /// When it says what cannot be: something changed files in a way that the shim does not see.
    pub fn follow(&mut self, position: u64) -> anyhow::Result<()> {
        let recording = Arc::clone(&self.recording);
        while let Some(op) = recording.op(self.position)?.filter(|op| op.end <= position) {
            self.apply(&op).with_context(|| format!("at {}: {:?}", op.begin, op.what))?;
            self.position = op.end;
        }
        Ok(())
    }

    fn apply(&mut self, op: &Op<'_>) -> anyhow::Result<()> {
        match &op.what {
            What::Begin => {
                self.open.clear();
                self.syncs.clear();
            }
            What::Open { path, descriptor, flags, is_new } => {
                let id = if *is_new { self.come(path, op.end, Node::File(File::default()))? } else { self.find(path)? };
                self.open.insert(*descriptor, id);
                if flags & TRUNCATE != 0 {
                    self.size(id, 0, op.end)?;
                }
            }
            What::Close(descriptor) => {
                self.open.remove(descriptor);
            }
            What::Write(descriptor, offset, data) => {
                let file = self.file(*descriptor)?;
                file.bytes_now = file.bytes_now.max(offset + data.len() as u64);
                file.pending.push(Pending { at: op.end, what: DataChange::Write(*offset, data.clone()) });
            }
            What::Size(descriptor, bytes) => self.size(self.opened(*descriptor)?, *bytes, op.end)?,
            What::AtLeast(descriptor, bytes) => {
                let id = self.opened(*descriptor)?;
                let bytes = self.file_of(id)?.bytes_now.max(*bytes);
                self.size(id, bytes, op.end)?;
            }
            What::Rename(from, to) => {
                let (from, to) = (self.place(from)?, self.place(to)?);
                let id = self.folder(from.0)?.now.remove(&from.1).context("there is no such name")?;
                self.folder(to.0)?.now.insert(to.1.clone(), id);
                self.names.push(Pending { at: op.end, what: NameChange::Move(from, to, id) });
            }
            What::Unlink(path) | What::Rmdir(path) => {
                let place = self.place(path)?;
                let id = self.folder(place.0)?.now.remove(&place.1).context("there is no such name")?;
                self.names.push(Pending { at: op.end, what: NameChange::Go(place, id) });
            }
            // The folder itself was there before.
            What::Mkdir(path) if *path == self.root => {}
            What::Mkdir(path) => {
                self.come(path, op.end, Node::Folder(Folder::default()))?;
            }
            What::Link(from, to) => {
                let (id, to) = (self.find(from)?, self.place(to)?);
                self.folder(to.0)?.now.insert(to.1.clone(), id);
                self.names.push(Pending { at: op.end, what: NameChange::Come(to, id) });
            }
            What::SyncBegin(descriptor, sync) => {
                let id = self.opened(*descriptor)?;
                self.syncs.insert(*sync, (id, op.begin));
            }
            What::SyncEnd(sync, is_good) => {
                let (id, begun) = self.syncs.remove(sync).context("a sync that never began")?;
                if *is_good {
                    self.sync(id, begun)?;
                }
            }
        }
        Ok(())
    }

    fn come(&mut self, path: &str, at: u64, node: Node) -> anyhow::Result<Id> {
        let place = self.place(path)?;
        let id = self.nodes.len();
        self.nodes.push(node);
        let before = self.folder(place.0)?.now.insert(place.1.clone(), id);
        ensure!(before.is_none(), "the name was there already");
        self.names.push(Pending { at, what: NameChange::Come(place, id) });
        Ok(id)
    }

    fn size(&mut self, id: Id, bytes: u64, at: u64) -> anyhow::Result<()> {
        let file = self.file_of(id)?;
        if file.bytes_now != bytes {
            file.bytes_now = bytes;
            file.pending.push(Pending { at, what: DataChange::Size(bytes) });
        }
        Ok(())
    }

    /// What was changed before `begun` in this file or folder is durable from now on.
    fn sync(&mut self, id: Id, begun: u64) -> anyhow::Result<()> {
        match &mut self.nodes[id] {
            Node::File(file) => {
                let covered = file.pending.iter().take_while(|change| change.at <= begun).count();
                let changes: Vec<_> = file.pending.drain(..covered).collect();
                let durable = Arc::make_mut(&mut file.durable);
                for change in changes {
                    change.what.apply(&self.recording, durable);
                }
            }
            Node::Folder(_) => self.names_durable(begun, |change| change.places().any(|place| place.0 == id)),
        }
        self.reachable(id, begun);
        Ok(())
    }

    /// A file or folder that was synced has a durable name, if it had none, and so have the folders above it.
    fn reachable(&mut self, id: Id, begun: u64) {
        if id == 0
            || self
                .nodes
                .iter()
                .any(|node| matches!(node, Node::Folder(folder) if folder.durable.values().any(|at| *at == id)))
        {
            return;
        }
        let above: Vec<Id> = self
            .names
            .iter()
            .filter(|name| name.what.id() == id && name.at <= begun)
            .flat_map(|name| name.what.places().map(|place| place.0))
            .collect();
        self.names_durable(begun, |change| change.id() == id);
        above.into_iter().for_each(|folder| self.reachable(folder, begun));
    }

    fn names_durable(&mut self, begun: u64, is_covered: impl Fn(&NameChange) -> bool) {
        let mut covered: Vec<bool> = self.names.iter().map(|name| name.at <= begun && is_covered(&name.what)).collect();
        close(&self.names, &mut covered);
        let mut covered = covered.into_iter();
        for name in std::mem::take(&mut self.names) {
            if covered.next() != Some(true) {
                self.names.push(name);
                continue;
            }
            name.what.apply(&mut |folder, change| {
                if let Node::Folder(folder) = &mut self.nodes[folder] {
                    change(&mut folder.durable);
                }
            });
        }
    }

    fn place(&self, path: &str) -> anyhow::Result<Place> {
        let (folder, name) = path.rsplit_once('/').context("a path without a folder")?;
        Ok((self.find(folder)?, name.to_owned()))
    }

    fn find(&self, path: &str) -> anyhow::Result<Id> {
        let inside = path.strip_prefix(&self.root).with_context(|| format!("{path} lies elsewhere"))?;
        let mut id = 0;
        for name in inside.split('/').filter(|name| !name.is_empty() && *name != ".") {
            id = match &self.nodes[id] {
                Node::Folder(folder) => *folder.now.get(name).with_context(|| format!("{path} was never made"))?,
                Node::File(_) => bail!("{path} leads through a file"),
            };
        }
        Ok(id)
    }

    fn opened(&self, descriptor: u64) -> anyhow::Result<Id> {
        self.open.get(&descriptor).copied().with_context(|| format!("descriptor {descriptor} is not open"))
    }

    fn file(&mut self, descriptor: u64) -> anyhow::Result<&mut File> {
        let id = self.opened(descriptor)?;
        self.file_of(id)
    }

    fn file_of(&mut self, id: Id) -> anyhow::Result<&mut File> {
        match &mut self.nodes[id] {
            Node::File(file) => Ok(file),
            Node::Folder(_) => bail!("that is a folder"),
        }
    }

    fn folder(&mut self, id: Id) -> anyhow::Result<&mut Folder> {
        match &mut self.nodes[id] {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => bail!("that is a file"),
        }
    }
}

/// Adds what chosen changes build upon: earlier ones of the same names.
pub(super) fn close(names: &[Pending<NameChange>], chosen: &mut [bool]) {
    for later in (0..names.len()).rev().filter(|later| chosen[*later]).collect::<Vec<_>>() {
        close_one(names, chosen, later);
    }
}

fn close_one(names: &[Pending<NameChange>], chosen: &mut [bool], later: usize) {
    for earlier in (0..later).rev() {
        let shares = names[earlier].what.places().any(|place| names[later].what.places().any(|other| other == place));
        if shares && !chosen[earlier] {
            chosen[earlier] = true;
            close_one(names, chosen, earlier);
        }
    }
}

/// What a change does to the names of one folder.
pub(super) type Edit<'a> = &'a mut dyn FnMut(&mut BTreeMap<String, Id>);

impl NameChange {
    /// Carries it out on the names that `folder` hands out; nothing where what it changes is not there.
    pub(super) fn apply(&self, folder: &mut dyn FnMut(Id, Edit<'_>)) {
        match self {
            Self::Come(place, id) => folder(place.0, &mut |names| {
                names.insert(place.1.clone(), *id);
            }),
            Self::Go(place, id) => folder(place.0, &mut |names| {
                if names.get(&place.1) == Some(id) {
                    names.remove(&place.1);
                }
            }),
            Self::Move(from, to, id) => {
                folder(from.0, &mut |names| {
                    if names.get(&from.1) == Some(id) {
                        names.remove(&from.1);
                    }
                });
                folder(to.0, &mut |names| {
                    names.insert(to.1.clone(), *id);
                });
            }
        }
    }
}

impl DataChange {
    /// Carries all of it out.
    pub(super) fn apply(&self, recording: &Recording, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let Ok(from) = usize::try_from(*offset) else { return };
                let to = from + data.len();
                if bytes.len() < to {
                    bytes.resize(to, 0);
                }
                bytes[from..to].copy_from_slice(recording.bytes(data.clone()));
            }
            Self::Size(size) => bytes.resize(usize::try_from(*size).unwrap_or_default(), 0),
        }
    }
}
