//! The file that all tables of a node are kept in, so that a start need not make them from all records.
//!
//! ```text
//! "MSTRVIEW" format documents revision chain namespaces… hash │ three tables a namespace (muster_query::column)
//! ```
//!
//! It does not decide whether a checkpoint is of use ([`super::build`]) nor when one is due ([`super::keeper`]). Invariants:
//! - The file is complete under its name or absent. It holds nothing that the records do not say: losing it costs time.
//! - A reader of another format, or of documents that hold other members, does not read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_query::column::{CheckpointError, Snapshot, Table};

use super::tables::Namespaces;
use crate::files;
use crate::store::event_log::ChainHash;

const MAGIC: [u8; 8] = *b"MSTRVIEW";
/// Rises with every change of the layout of this file.
const FORMAT: u32 = 1;
/// Rises whenever columns hold other members or values of the same records than before. A test notices.
pub(crate) const DOCUMENTS: u32 = 2;
/// Bytes after which what is written is made durable: a burst at the end would hold up the log's own syncs.
const SYNC_EVERY: usize = 8 << 20;
/// Namespaces of a cluster at most, and bytes of a name.
const NAMES_MAX: u32 = 1 << 20;

/// Why there is no checkpoint to read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the checkpoint of views cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Table(#[from] CheckpointError),
    #[error("the head of the checkpoint of views is damaged")]
    Head,
    #[error("the checkpoint of views goes on after its end")]
    Longer,
}

/// What a checkpoint holds.
pub(super) struct Saved {
    pub(super) revision: u64,
    pub(super) chain: ChainHash,
    pub(super) namespaces: Namespaces,
}

/// What goes into one.
pub(super) struct Taken {
    pub(super) revision: u64,
    pub(super) chain: ChainHash,
    pub(super) tables: Vec<(Arc<str>, [Snapshot; 3])>,
}

/// The place of a node's checkpoint.
#[derive(Debug, Clone)]
pub struct CheckpointFile {
    path: PathBuf,
}

impl CheckpointFile {
    /// Below a node's data directory.
    #[must_use]
    pub fn below(data_dir: &Path) -> Self {
        Self { path: data_dir.join("views").join("columns") }
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one in the place of that before, and returns its bytes.
    pub(super) fn write(&self, taken: &Taken) -> io::Result<u64> {
        let draft = self.path.with_extension("new");
        if let Some(folder) = self.path.parent() {
            files::create_private_folder(folder)?;
        }
        let written = write_draft(&draft, taken).and_then(|bytes| {
            fs::rename(&draft, &self.path)?;
            files::sync_folder_of(&self.path)?;
            Ok(bytes)
        });
        written.inspect_err(|_| drop(fs::remove_file(&draft)))
    }

    /// What was written last. `None` when there is none, or it was written by another version.
    pub(super) fn read(&self) -> Result<Option<Saved>, FileError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut from = BufReader::with_capacity(1 << 20, file);
        let Some((revision, chain, names)) = read_head(&mut from)? else { return Ok(None) };
        let mut namespaces = Namespaces::default();
        for name in names {
            let mut next = || Table::read_from(&mut from);
            namespaces.put(&name, [next()?, next()?, next()?]);
        }
        if from.read(&mut [0])? > 0 {
            return Err(FileError::Longer);
        }
        Ok(Some(Saved { revision, chain, namespaces }))
    }
}

fn write_draft(draft: &Path, taken: &Taken) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    let mut out = BufWriter::with_capacity(1 << 20, Synced { file, unsynced: 0 });
    out.write_all(&head(taken))?;
    for (_, tables) in &taken.tables {
        tables.iter().try_for_each(|table| table.write_to(&mut out))?;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?.file;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn head(taken: &Taken) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&FORMAT.to_le_bytes());
    head.extend_from_slice(&DOCUMENTS.to_le_bytes());
    head.extend_from_slice(&taken.revision.to_le_bytes());
    head.extend_from_slice(&taken.chain);
    let mut push = |number: usize| head.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    push(taken.tables.len());
    for (name, _) in &taken.tables {
        head.extend_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        head.extend_from_slice(name.as_bytes());
    }
    let hash = blake3::hash(&head);
    head.extend_from_slice(hash.as_bytes());
    head
}

/// Reads while it remembers what was read, for the hash at the end.
struct Hashed<'a, R> {
    from: &'a mut R,
    hasher: blake3::Hasher,
}

impl<R: Read> Hashed<'_, R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, FileError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn name(&mut self) -> Result<String, FileError> {
        let length = self.number()?;
        let mut name = Vec::new();
        self.from.take(u64::from(length)).read_to_end(&mut name)?;
        self.hasher.update(&name);
        let is_whole = name.len() == length as usize;
        String::from_utf8(name).ok().filter(|_| is_whole).ok_or(FileError::Head)
    }
}

type Head = (u64, ChainHash, Vec<String>);

fn read_head(from: &mut impl Read) -> Result<Option<Head>, FileError> {
    let mut head = Hashed { from, hasher: blake3::Hasher::new() };
    if head.bytes()? != MAGIC {
        return Err(FileError::Head);
    }
    if (head.number()?, head.number()?) != (FORMAT, DOCUMENTS) {
        return Ok(None);
    }
    let revision = u64::from_le_bytes(head.bytes()?);
    let chain = head.bytes()?;
    let count = head.number()?;
    if count > NAMES_MAX {
        return Err(FileError::Head);
    }
    let names = (0..count).map(|_| head.name()).collect::<Result<Vec<_>, _>>()?;
    let hash = head.hasher.clone().finalize();
    if head.bytes()? != *hash.as_bytes() {
        return Err(FileError::Head);
    }
    Ok(Some((revision, chain, names)))
}

/// A file that never has much to be made durable at once.
struct Synced {
    file: File,
    unsynced: usize,
}

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written;
        if self.unsynced >= SYNC_EVERY {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
