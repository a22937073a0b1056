//! Snapshots: how they are built beside running writes, kept, received from the leader, and installed.
//!
//! ```text
//! data/snapshots/<index>-<term>/     a checkpoint of state/ and the file SNAPSHOT, its sealed manifest
//! data/snapshots/incoming/<n>/       one that is arriving; removed at start, but for its whole files
//! (snapshot_kept.rs)
//! ```
//!
//! This file knows files and their hashes, not what the records in them say. Invariants:
//! - The last applied entry is read from the copy itself, so that manifest and data cannot disagree.
//! - A directory gets its final name only when all its files are written and synced.
//! - A snapshot that is being sent stays on disk until the last sender is done, even when a newer one replaced it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use muster_proto::stored::v1::SnapshotManifest;
use rocksdb::DB;

use super::fatal::FatalHandler;
use super::snapshot_kept::KeptFiles;
use super::snapshot_receiver::SnapshotReceiver;
use super::types::{LogId, Snapshot, SnapshotMeta, StoredMembership};
use super::{meta_keys, wire};
use crate::failpoint::{self, Point};
use crate::store::envelope::RecordType;
use crate::store::state_db::StateDb;
use crate::store::{broken, checkpoint, columns, durable, unlogged};

/// Where whole files of a broken transfer lie, below `incoming`.
const KEPT: &str = "kept";
const MANIFEST: &str = "SNAPSHOT";
const FORMAT: u32 = 1;

/// A snapshot on disk: its directory, kept while this value lives, and what is in it.
#[derive(Clone, Debug)]
pub(super) struct SnapshotData {
    pub(super) dir: Arc<SnapshotDir>,
    pub(super) manifest: Arc<SnapshotManifest>,
}

#[derive(Debug)]
pub(super) struct SnapshotDir {
    pub(super) path: PathBuf,
    /// Remove the directory with the last handle.
    pub(super) discard: AtomicBool,
}

impl Drop for SnapshotDir {
    fn drop(&mut self) {
        if self.discard.load(Ordering::Acquire)
            && let Err(error) = durable::remove_dir(&self.path)
        {
            tracing::warn!(dir = %self.path.display(), %error, "an old snapshot could not be removed");
        }
    }
}

impl SnapshotData {
    /// Reads the files in the order of the manifest and hands them out in chunks: file, offset, data.
    pub(super) fn read_chunks(
        &self,
        chunk_bytes: usize,
        skip: &[u32],
        mut give: impl FnMut(u32, u64, Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        for (number, file) in (0u32..).zip(&self.manifest.files) {
            if skip.contains(&number) {
                continue;
            }
            let mut reader = File::open(self.dir.path.join(&file.name))?;
            let mut offset = 0;
            while offset < file.size_bytes {
                let mut data = Vec::with_capacity(chunk_bytes);
                Read::by_ref(&mut reader).take(chunk_bytes as u64).read_to_end(&mut data)?;
                if data.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} shrank", file.name)));
                }
                let length = data.len() as u64;
                failpoint::reach(Point::SendChunk);
                give(number, offset, data)?;
                offset += length;
            }
        }
        Ok(())
    }

    fn snapshot(self) -> io::Result<Snapshot> {
        Ok(Snapshot { meta: wire::manifest_meta(&self.manifest)?, snapshot: self })
    }
}

/// All snapshots of this node; at most one is current.
pub(super) struct SnapshotStore {
    root: PathBuf,
    cluster_id: String,
    state: Arc<StateDb>,
    fatal: Arc<dyn FatalHandler>,
    current: Mutex<Option<SnapshotData>>,
    /// One build or installation at a time.
    working: Mutex<()>,
    numbers: AtomicU64,
}

impl SnapshotStore {
    /// Finds the newest snapshot, and removes all others and whatever is half finished.
    pub(super) fn open(
        data_dir: &Path,
        cluster_id: &str,
        state: Arc<StateDb>,
        fatal: Arc<dyn FatalHandler>,
    ) -> io::Result<Self> {
        let root = data_dir.join("snapshots");
        let incoming = root.join("incoming");
        fs::create_dir_all(&incoming)?;
        for entry in fs::read_dir(&incoming)? {
            let path = entry?.path();
            if !path.ends_with(KEPT) {
                durable::remove_dir(&path)?;
            }
        }
        let mut newest: Option<SnapshotData> = None;
        for entry in fs::read_dir(&root)? {
            let path = entry?.path();
            if path.ends_with("incoming") {
                continue;
            }
            match read_manifest(&path) {
                Ok(manifest) if manifest.cluster_id == cluster_id => {
                    let dir = Arc::new(SnapshotDir { path, discard: AtomicBool::new(true) });
                    let found = SnapshotData { dir, manifest: Arc::new(manifest) };
                    if newest.as_ref().is_none_or(|newest| place(&found) > place(newest)) {
                        newest = Some(found);
                    }
                }
                Ok(_) => tracing::warn!(dir = %path.display(), "a snapshot of another cluster is left alone"),
                Err(error) if broken::is_broken(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(dir = %path.display(), %error, "an unusable snapshot is removed");
                    durable::remove_dir(&path)?;
                }
            }
        }
        if let Some(newest) = &newest {
            newest.dir.discard.store(false, Ordering::Release);
        }
        Ok(Self {
            root,
            cluster_id: cluster_id.to_owned(),
            state,
            fatal,
            current: Mutex::new(newest),
            working: Mutex::new(()),
            numbers: AtomicU64::new(0),
        })
    }

    pub(super) fn current(&self) -> io::Result<Option<Snapshot>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        current.map(SnapshotData::snapshot).transpose()
    }

    /// Copies the state as it is now and makes the copy the current snapshot. Writes go on meanwhile.
    pub(super) fn build(&self) -> io::Result<Snapshot> {
        let _working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let start = super::now();
        let unfinished = self.fresh_dir("building")?;
        self.state.checkpoint(&unfinished)?;
        failpoint::reach(Point::BuildCopied);
        let meta = read_meta(&unfinished)?;
        let files = checkpoint::describe_files(&unfinished)?;
        let manifest = SnapshotManifest {
            format: FORMAT,
            cluster_id: self.cluster_id.clone(),
            last_log_id: meta.last_log_id.as_ref().map(wire::log_id_out),
            membership: Some(wire::stored_membership_out(&meta.last_membership)),
            files,
        };
        failpoint::reach(Point::BuildDescribed);
        let bytes: u64 = manifest.files.iter().map(|file| file.size_bytes).sum();
        let data = self.publish(&unfinished, manifest)?;
        metrics::histogram!("muster_snapshot_build_seconds").record(start.elapsed());
        tracing::info!(last = ?meta.last_log_id, bytes, took = ?start.elapsed(), "built a snapshot");
        data.snapshot()
    }

    /// Positions of the files that are here already, whole, from a transfer that broke.
    pub(super) fn has_of(&self, manifest: &SnapshotManifest) -> io::Result<Vec<u32>> {
        self.check(manifest)?;
        self.kept().of(&manifest.files)
    }

    fn kept(&self) -> KeptFiles {
        KeptFiles::at(self.root.join("incoming").join(KEPT))
    }

    /// Starts to receive a snapshot.
    pub(super) fn receive(&self, manifest: SnapshotManifest) -> io::Result<SnapshotReceiver> {
        self.check(&manifest)?;
        let dir = self.fresh_dir("incoming/arriving")?;
        fs::create_dir(&dir)?;
        let dir = SnapshotDir { path: dir, discard: AtomicBool::new(true) };
        failpoint::reach(Point::ReceiveBegun);
        Ok(SnapshotReceiver::new(dir, manifest, self.kept(), Arc::clone(&self.fatal)))
    }

    /// What arrives is refused, and may come again; but not to a broken disk.
    pub(super) fn refuse(&self, error: &io::Error) -> io::Error {
        self.fatal.end_if_broken("receiving a snapshot", error);
        tracing::warn!(%error, "an arriving snapshot was refused");
        invalid(&format!("the snapshot was refused: {error}"))
    }

    fn check(&self, manifest: &SnapshotManifest) -> io::Result<()> {
        if manifest.format != FORMAT || manifest.cluster_id != self.cluster_id {
            return Err(invalid("the snapshot belongs to another cluster or has another format"));
        }
        let mut names = BTreeSet::new();
        for file in &manifest.files {
            let ordinary = !file.name.is_empty()
                && file.name.len() < 256
                && file.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
                && !file.name.starts_with('.')
                && file.name != MANIFEST;
            if !ordinary || !names.insert(&file.name) {
                return Err(invalid("the snapshot's manifest has an impossible file name"));
            }
        }
        Ok(())
    }

    /// Replaces the state by a verified snapshot, and keeps the snapshot as the current one.
    pub(super) fn install(&self, data: &SnapshotData) -> io::Result<()> {
        let _working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let start = super::now();
        let unfinished = self.fresh_dir("installing")?;
        // Nobody ever writes to a snapshot's files, so all of them may be shared.
        durable::link_or_copy_dir(&data.dir.path, &unfinished, |_| true)?;
        fs::remove_file(unfinished.join(MANIFEST))?;
        // First the snapshot, then the state: a crash in between is repaired at start, from the snapshot.
        failpoint::reach(Point::InstallLinked);
        let kept = self.publish(&unfinished, SnapshotManifest::clone(&data.manifest))?;
        failpoint::reach(Point::InstallKept);
        self.state.install(&kept.dir.path)?;
        failpoint::reach(Point::InstallDone);
        metrics::histogram!("muster_snapshot_install_seconds").record(start.elapsed());
        Ok(())
    }

    /// Writes the manifest, gives the directory its final name, and makes it the current snapshot.
    fn publish(&self, unfinished: &Path, manifest: SnapshotManifest) -> io::Result<SnapshotData> {
        let name = match &manifest.last_log_id {
            Some(last) => format!("{:020}-{:020}", last.index, last.term),
            None => "empty".to_owned(),
        };
        let path = self.root.join(name);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = current.as_ref().filter(|current| current.dir.path == path) {
            // The same entries give the same state; the one there may be in use.
            durable::remove_dir(unfinished)?;
            return Ok(current.clone());
        }
        write_manifest(unfinished, &manifest)?;
        failpoint::reach(Point::PublishComplete);
        durable::remove_dir(&path)?;
        durable::publish_dir(unfinished, &path)?;
        failpoint::reach(Point::PublishNamed);
        let dir = Arc::new(SnapshotDir { path, discard: AtomicBool::new(false) });
        let data = SnapshotData { dir, manifest: Arc::new(manifest) };
        if let Some(old) = current.replace(data.clone()) {
            old.dir.discard.store(true, Ordering::Release);
        }
        Ok(data)
    }

    fn fresh_dir(&self, name: &str) -> io::Result<PathBuf> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(format!("{name}-{number}"));
        durable::remove_dir(&path)?;
        Ok(path)
    }
}

/// Last applied entry and membership as they stand in a state database.
pub(super) fn applied_in(db: &DB) -> io::Result<(Option<LogId>, StoredMembership)> {
    let meta = db.cf_handle(columns::META).ok_or_else(|| invalid("the state has no meta family"))?;
    let read = |key: &[u8]| db.get_cf(meta, key).map_err(io::Error::other);
    let applied = match read(meta_keys::APPLIED)? {
        Some(value) => Some(wire::log_id_in(wire::unseal(RecordType::LogId, value)?)),
        None => None,
    };
    let membership = match read(meta_keys::MEMBERSHIP)? {
        Some(value) => wire::stored_membership_in(wire::unseal(RecordType::Membership, value)?)?,
        None => StoredMembership::default(),
    };
    Ok((applied, membership))
}

/// The last entry whose effect in a state database is durable.
pub(super) fn flushed_in(db: &DB) -> io::Result<Option<LogId>> {
    let meta = db.cf_handle(columns::META).ok_or_else(|| invalid("the state has no meta family"))?;
    match unlogged::get_flushed(db, meta, meta_keys::APPLIED).map_err(io::Error::other)? {
        Some(value) => Ok(Some(wire::log_id_in(wire::unseal(RecordType::LogId, value)?))),
        None => Ok(None),
    }
}

pub(super) fn read_meta(dir: &Path) -> io::Result<SnapshotMeta> {
    let (last_log_id, last_membership) = checkpoint::look_into(dir, applied_in)?;
    Ok(SnapshotMeta { last_log_id, last_membership })
}

pub(super) fn write_manifest(dir: &Path, manifest: &SnapshotManifest) -> io::Result<()> {
    durable::replace_file(&dir.join(MANIFEST), &wire::seal(RecordType::SnapshotManifest, manifest))
}

fn read_manifest(dir: &Path) -> io::Result<SnapshotManifest> {
    wire::unseal(RecordType::SnapshotManifest, fs::read(dir.join(MANIFEST))?)
}

fn place(data: &SnapshotData) -> Option<(u64, u64)> {
    data.manifest.last_log_id.as_ref().map(|last| (last.index, last.term))
}

pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
