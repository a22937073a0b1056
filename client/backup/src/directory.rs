//! A folder of backups that share their files: what a later backup has in common with an earlier one is there once.
//!
//! - A file gets its name, its hash, only when it was written in full, checked and synced.
//! - A manifest appears only when all its files are there.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{BackupError, damaged, io_failed};
use crate::file::{private, sync_parent};
use crate::hex;
use crate::manifest::{self, Manifest};

const MANIFESTS: &str = "manifests";
const FILES: &str = "files";
const ENDING: &str = "manifest";

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct BackupDirectory {
    root: PathBuf,
}

/// One backup of a folder.
#[derive(Debug)]
pub struct Listed {
    /// Its manifest file.
    pub path: PathBuf,
    /// What it consists of, or why it cannot be read.
    pub manifest: Result<Manifest, BackupError>,
}

impl BackupDirectory {
    /// The folder at `root`; nothing is looked at.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder that a manifest file lies in.
    pub(crate) fn of_manifest(path: &Path) -> Option<Self> {
        let folder = path.parent()?;
        let fits = path.extension()? == ENDING && folder.file_name()? == MANIFESTS;
        fits.then(|| Self { root: folder.parent().unwrap_or(Path::new("")).to_owned() })
    }

    /// All backups, in the order of their revisions.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, BackupError> {
        let folder = self.root.join(MANIFESTS);
        if !folder.is_dir() {
            return Err(BackupError::NotABackup(self.root.clone()));
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_failed("read", &folder))? {
            let path = entry.map_err(io_failed("read", &folder))?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                found.push(Listed { manifest: read(&path), path });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The newest backup.
    ///
    /// # Errors
    /// When there is none, or when backups of several clusters lie here.
    pub(crate) fn newest(&self) -> Result<PathBuf, BackupError> {
        let listed = self.list()?;
        let choice = |what: &str| BackupError::Choice { path: self.root.clone(), what: what.to_owned() };
        let Some(last) = listed.last() else { return Err(choice("there is no backup in this folder")) };
        let clusters: std::collections::BTreeSet<_> =
            listed.iter().filter_map(|listed| Some(listed.manifest.as_ref().ok()?.cluster_id.as_str())).collect();
        if clusters.len() > 1 {
            return Err(choice("backups of several clusters lie here; name one of its manifests/*.manifest"));
        }
        Ok(last.path.clone())
    }

    /// Where the content with this hash lies.
    pub(crate) fn file(&self, blake3: &[u8]) -> PathBuf {
        self.root.join(FILES).join(hex(blake3))
    }

    /// The hashes of all files that are here in full.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn known(&self) -> Result<Vec<[u8; 32]>, BackupError> {
        let folder = self.root.join(FILES);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let mut known = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_failed("read", &folder))? {
            let name = entry.map_err(io_failed("read", &folder))?.file_name();
            known.extend(name.to_str().and_then(from_hex));
        }
        known.sort_unstable();
        Ok(known)
    }

    /// Begins a backup. Makes the folder if need be.
    ///
    /// # Errors
    /// When the manifest is none, or the folder cannot be written.
    pub fn begin(&self, sealed: &[u8]) -> Result<DirectoryWriter, BackupError> {
        let (manifest, length) = manifest::open(Path::new("the manifest"), sealed)?;
        for folder in [MANIFESTS, FILES] {
            let folder = self.root.join(folder);
            fs::create_dir_all(&folder).map_err(io_failed("create", &folder))?;
        }
        let sealed = sealed[..length].to_vec();
        Ok(DirectoryWriter { directory: self.clone(), manifest, sealed, open: None })
    }

    /// Removes all backups but the newest `keep`, and the files that only they needed; returns how many backups and files
    /// that were. A backup that cannot be read is never removed, and then no file is.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn prune(&self, keep: usize) -> Result<(usize, usize), BackupError> {
        let mut listed = self.list()?;
        let cut = listed.len().saturating_sub(keep.max(1));
        let readable = listed.iter().all(|listed| listed.manifest.is_ok());
        let mut removed = 0;
        for old in listed.drain(..cut).filter(|old| old.manifest.is_ok()) {
            fs::remove_file(&old.path).map_err(io_failed("remove", &old.path))?;
            removed += 1;
        }
        if !readable {
            return Ok((removed, 0));
        }
        let needed: std::collections::BTreeSet<Vec<u8>> = listed
            .iter()
            .filter_map(|listed| listed.manifest.as_ref().ok())
            .flat_map(|manifest| manifest.files.iter().map(|file| file.blake3.to_vec()))
            .collect();
        let mut files = 0;
        for known in self.known()?.iter().filter(|known| !needed.contains(&known[..])) {
            let path = self.file(known);
            fs::remove_file(&path).map_err(io_failed("remove", &path))?;
            files += 1;
        }
        Ok((removed, files))
    }
}

fn read(path: &Path) -> Result<Manifest, BackupError> {
    let bytes = fs::read(path).map_err(io_failed("read", path))?;
    Ok(manifest::open(path, &bytes)?.0)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 || !bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(bytes.chunks(2)) {
        *to = u8::from_str_radix(std::str::from_utf8(from).ok()?, 16).ok()?;
    }
    Some(out)
}

/// A backup being written into a folder.
#[derive(Debug)]
pub struct DirectoryWriter {
    directory: BackupDirectory,
    manifest: Manifest,
    sealed: Vec<u8>,
    open: Option<Arriving>,
}

#[derive(Debug)]
struct Arriving {
    number: usize,
    file: File,
    path: PathBuf,
    hasher: blake3::Hasher,
    written: u64,
}

impl DirectoryWriter {
    /// Takes the next chunk of a file. The chunks of a file come in order and without gaps.
    ///
    /// # Errors
    /// When it does not fit the manifest, or cannot be written.
    pub fn chunk(&mut self, number: usize, offset: u64, data: &[u8]) -> Result<(), BackupError> {
        let entry = self.manifest.files.get(number);
        let size = entry.map(|entry| entry.size_bytes);
        let mut arriving = match self.open.take() {
            Some(arriving) => arriving,
            None => {
                let path = self.directory.root.join(FILES).join(format!("arriving-{}.part", std::process::id()));
                Arriving { number, file: private(&path)?, path, hasher: blake3::Hasher::new(), written: 0 }
            }
        };
        let end = arriving.written + data.len() as u64;
        if arriving.number != number || offset != arriving.written || size.is_none_or(|size| end > size) {
            return Err(BackupError::OutOfPlace(format!("bytes {offset} to {end} of file {number}")));
        }
        arriving.file.write_all(data).map_err(io_failed("write", &arriving.path))?;
        arriving.hasher.update(data);
        arriving.written = end;
        if size == Some(end) {
            return self.publish(arriving);
        }
        self.open = Some(arriving);
        Ok(())
    }

    fn publish(&self, arriving: Arriving) -> Result<(), BackupError> {
        let entry = &self.manifest.files[arriving.number];
        if arriving.hasher.finalize().as_bytes()[..] != entry.blake3[..] {
            drop(fs::remove_file(&arriving.path));
            return Err(damaged(Path::new(&entry.name), "what arrived has another hash"));
        }
        arriving.file.sync_all().map_err(io_failed("sync", &arriving.path))?;
        let path = self.directory.file(&entry.blake3);
        fs::rename(&arriving.path, &path).map_err(io_failed("name", &path))
    }

    /// Makes sure that all files are there, and lets the backup appear. Returns its manifest file.
    ///
    /// # Errors
    /// When a file is missing, or something cannot be synced.
    pub fn finish(mut self) -> Result<(PathBuf, Manifest), BackupError> {
        for number in 0..self.manifest.files.len() {
            if self.manifest.files[number].size_bytes == 0 && self.open.is_none() {
                self.chunk(number, 0, &[])?;
            }
        }
        for entry in &self.manifest.files {
            let path = self.directory.file(&entry.blake3);
            let length = fs::metadata(&path).map(|metadata| metadata.len()).ok();
            if self.open.is_some() || length != Some(entry.size_bytes) {
                return Err(BackupError::OutOfPlace(format!("{} did not arrive in full", entry.name)));
            }
        }
        let name = format!("{:020}-{}.{ENDING}", self.manifest.revision, self.manifest.cluster_id);
        let path = self.directory.root.join(MANIFESTS).join(name);
        let temporary = path.with_extension("part");
        let mut file = private(&temporary)?;
        file.write_all(&self.sealed).map_err(io_failed("write", &temporary))?;
        file.sync_all().map_err(io_failed("sync", &temporary))?;
        // The names of the files first: the manifest speaks of them.
        sync_parent(&self.directory.root.join(FILES).join("x"))?;
        fs::rename(&temporary, &path).map_err(io_failed("name", &path))?;
        sync_parent(&path)?;
        sync_parent(&self.directory.root.join(MANIFESTS))?;
        Ok((path, self.manifest))
    }
}
