//! Reads a backup of either form: checks it, and copies its files elsewhere.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use muster_proto::stored::v1::SnapshotFile;

use crate::directory::BackupDirectory;
use crate::error::{BackupError, damaged, io_failed, truncated};
use crate::manifest::{self, Manifest, SEALED_BYTES_MAX};

/// A backup that can be read; its manifest is checked, its files are not yet.
#[derive(Debug)]
pub struct Backup {
    /// The file, or the manifest file in a folder.
    path: PathBuf,
    manifest: Manifest,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// All content lies in the file itself, from here on.
    File {
        begins: u64,
    },
    Directory(BackupDirectory),
}

/// A backup all of whose files were read and are right.
#[derive(Debug)]
pub struct Verified {
    /// What it consists of.
    pub manifest: Manifest,
    /// Bytes read.
    pub bytes: u64,
}

const READ_BYTES: usize = 1 << 20;

impl Backup {
    /// Opens the backup at `path`: a file, a manifest in a folder of backups, or such a folder, whose newest backup is
    /// then meant, or the one at `revision`.
    ///
    /// # Errors
    /// When it is none, has a newer format, is damaged or cut short.
    pub fn open(path: &Path, revision: Option<u64>) -> Result<Self, BackupError> {
        let metadata = fs::metadata(path).map_err(io_failed("open", path))?;
        if metadata.is_dir() {
            let directory = BackupDirectory::at(path);
            let chosen = match revision {
                None => directory.newest()?,
                Some(revision) => at_revision(&directory, path, revision)?,
            };
            return Self::open(&chosen, None);
        }
        let mut start = Vec::new();
        let file = File::open(path).map_err(io_failed("open", path))?;
        file.take(SEALED_BYTES_MAX as u64 + 64).read_to_end(&mut start).map_err(io_failed("read", path))?;
        let (manifest, length) = manifest::open(path, &start)?;
        if let Some(revision) = revision.filter(|revision| *revision != manifest.revision) {
            let what = format!("it is at revision {}, not at {revision}", manifest.revision);
            return Err(BackupError::Choice { path: path.to_owned(), what });
        }
        let form = match BackupDirectory::of_manifest(path) {
            Some(directory) => Form::Directory(directory),
            None => Form::File { begins: length as u64 },
        };
        Ok(Self { path: path.to_owned(), manifest, form })
    }

    /// What it consists of.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Reads every file and checks its length and its hash. `progress` hears of bytes as they are read.
    ///
    /// # Errors
    /// Names the first file that is missing, cut short or damaged.
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> Result<Verified, BackupError> {
        let mut begins = self.check_length()?;
        for entry in &self.manifest.files {
            self.read(entry, begins, &mut progress, |_| Ok(()))?;
            begins += entry.size_bytes;
        }
        Ok(Verified { manifest: self.manifest.clone(), bytes: self.bytes() })
    }

    /// Copies every file into `to`, which must exist and be empty, under the names of the manifest; checks it on the way
    /// and syncs it.
    ///
    /// # Errors
    /// As [`Self::verify`], and when something cannot be written.
    pub fn extract(&self, to: &Path, mut progress: impl FnMut(u64)) -> Result<(), BackupError> {
        let mut begins = self.check_length()?;
        for entry in &self.manifest.files {
            let path = to.join(&entry.name);
            let mut out = File::create_new(&path).map_err(io_failed("create", &path))?;
            self.read(entry, begins, &mut progress, |data| out.write_all(data).map_err(io_failed("write", &path)))?;
            out.sync_all().map_err(io_failed("sync", &path))?;
            begins += entry.size_bytes;
        }
        File::open(to).and_then(|folder| folder.sync_all()).map_err(io_failed("sync", to))
    }

    /// Where the content begins; refuses a file that is shorter or longer than its manifest says.
    fn check_length(&self) -> Result<u64, BackupError> {
        let Form::File { begins } = self.form else { return Ok(0) };
        let expected = begins + self.bytes();
        let found = fs::metadata(&self.path).map_err(io_failed("open", &self.path))?.len();
        if found < expected {
            return Err(truncated(&self.path, format!("{found} bytes of {expected}")));
        }
        if found > expected {
            return Err(damaged(&self.path, format!("{found} bytes where {expected} belong")));
        }
        Ok(begins)
    }

    fn read(
        &self,
        entry: &SnapshotFile,
        begins: u64,
        progress: &mut impl FnMut(u64),
        mut give: impl FnMut(&[u8]) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let path = match &self.form {
            Form::File { .. } => self.path.clone(),
            Form::Directory(directory) => directory.file(&entry.blake3),
        };
        let mut file = File::open(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => truncated(&self.path, format!("{} is missing", path.display())),
            _ => io_failed("open", &path)(source),
        })?;
        if matches!(self.form, Form::File { .. }) {
            file.seek(SeekFrom::Start(begins)).map_err(io_failed("read", &path))?;
        }
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut left = entry.size_bytes;
        while left > 0 {
            let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = file.read(&mut buffer[..want]).map_err(io_failed("read", &path))?;
            if count == 0 {
                return Err(truncated(&path, format!("{left} bytes of {} are missing", entry.name)));
            }
            hasher.update(&buffer[..count]);
            give(&buffer[..count])?;
            progress(count as u64);
            left -= count as u64;
        }
        if hasher.finalize().as_bytes()[..] != entry.blake3[..] {
            return Err(damaged(&path, format!("the hash of {} does not match", entry.name)));
        }
        Ok(())
    }
}

fn at_revision(directory: &BackupDirectory, path: &Path, revision: u64) -> Result<PathBuf, BackupError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for listed in directory.list()? {
        if listed.manifest.is_ok_and(|manifest| manifest.revision == revision) {
            found.push(listed.path);
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (one, _) => {
            let what = match one {
                None => format!("there is no backup at revision {revision} in this folder"),
                Some(_) => format!("several clusters have a backup at revision {revision} here; name a manifest"),
            };
            Err(BackupError::Choice { path: path.to_owned(), what })
        }
    }
}

#[cfg(test)]
mod tests;
