//! Checks a data directory on which no node runs, or the state in a backup: hashes, records, places.
//!
//! What is checked in a state is known to `store/verify`; this file finds the state. Nothing is changed.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use muster_backup::{Backup, Manifest, hex};

use crate::apply::Position;
use crate::data_dir::{DataDir, NodeIdentity};
use crate::raft;
use crate::store::verify::{self, Verified};
use crate::store::{checkpoint, state_db};

/// What was found in a data directory.
pub struct DataDirReport {
    /// Whose it is.
    pub identity: NodeIdentity,
    /// Its state.
    pub verified: Verified,
    /// Chain hash at the last revision, hexadecimal.
    pub chain_hash: String,
    /// Term and index of the last applied log entry.
    pub applied: Option<(u64, u64)>,
    /// Indexes of the first and last entry in the Raft log.
    pub log: Option<(u64, u64)>,
}

/// Checks the directory of a node that is stopped.
///
/// # Errors
/// When a node runs on it, when something cannot be read, and for the first difference.
pub fn data_dir(path: &Path, progress: impl FnMut(u64, u64)) -> anyhow::Result<DataDirReport> {
    ensure!(path.is_dir(), "{} is not a directory", path.display());
    let data_dir = DataDir::open_to_read(path)?;
    let identity = data_dir.identity()?.with_context(|| format!("{} holds no node's data", path.display()))?;
    let log = raft::check_log(path).context("the Raft log")?;
    let state = state_db::current_in(path)?;
    let db = checkpoint::open_read_only(&state).with_context(|| format!("the state at {}", state.display()))?;
    let position = Position::load(&db)?;
    let applied = raft::last_applied(&db)?;
    let verified = verify::verify(&db, position.revision, &position.chain, progress)?;
    Ok(DataDirReport { identity, verified, chain_hash: hex(&position.chain), applied, log })
}

/// Checks a backup: its files, and the state in them. They are copied into `work_dir`, a folder that is made and removed.
///
/// # Errors
/// When it is damaged, or for the first difference.
pub fn backup(
    from: &Path,
    revision: Option<u64>,
    work_dir: &Path,
    progress: impl FnMut(u64, u64),
) -> anyhow::Result<(Manifest, Verified)> {
    let backup = Backup::open(from, revision)?;
    fs::create_dir_all(work_dir).with_context(|| format!("cannot create {}", work_dir.display()))?;
    let copied = backup.extract(work_dir, |_| {}).map_err(anyhow::Error::from);
    let checked = copied.and_then(|()| checkpoint(work_dir, backup.manifest(), true, progress));
    fs::remove_dir_all(work_dir).with_context(|| format!("cannot remove {}", work_dir.display()))?;
    Ok((backup.manifest().clone(), checked?.unwrap_or_default()))
}

/// Checks that the database in `dir` is what the manifest says, and agrees with itself.
pub(super) fn checkpoint(
    dir: &Path,
    manifest: &Manifest,
    fold: bool,
    progress: impl FnMut(u64, u64),
) -> anyhow::Result<Option<Verified>> {
    let db = checkpoint::open_read_only(dir).context("the backup's database cannot be opened")?;
    let position = Position::load(&db)?;
    let last = manifest.last_log_id.map(|last| (last.term, last.index));
    ensure!(
        position.revision == manifest.revision
            && position.chain[..] == manifest.chain_hash[..]
            && raft::last_applied(&db)? == last,
        "the backup's manifest says revision {}, its database is at revision {}, or they differ in hash or log entry",
        manifest.revision,
        position.revision
    );
    if fold {
        return Ok(Some(verify::verify(&db, position.revision, &position.chain, progress)?));
    }
    verify::verify_chain(&db, position.revision, &position.chain)?;
    Ok(None)
}
