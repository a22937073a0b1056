//! Turns a backup into the data directory of a new cluster's first node, which goes on from the backup's revision.
//!
//! ```text
//! check every file ▶ RESTORING ▶ copy into state/1 ▶ check what is in it ▶ consensus of one ▶ IDENTITY ▶ RESTORING away
//! ```
//!
//! It changes no record: that the cluster has another id from now on is the node's first command (`server/bootstrap.rs`).
//! - Nothing is written before every file's hash was found right.
//! - A restore that fails takes away what it wrote; one that was killed leaves a directory that no node starts on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use muster_backup::{Backup, Manifest, hex};
use muster_domain::Key;

use super::verify;
use crate::data_dir::DataDir;
use crate::failpoint::{self, Point};
use crate::raft::{self, Member};
use crate::store::state_db::{StateDb, StateOptions};
use crate::store::verify::Verified;
use crate::store::{durable, keys, states};

/// What is to be restored, and as whom.
pub struct Restore {
    /// A file, a folder of backups, or one of its manifests.
    pub from: PathBuf,
    /// Which backup of a folder; the newest unless said.
    pub revision: Option<u64>,
    /// Where to; absent or empty.
    pub data_dir: PathBuf,
    /// The new cluster's id.
    pub cluster_id: String,
    /// The first node, and how it is reached.
    pub node_id: u64,
    /// See `node_id`.
    pub member: Member,
    /// Leave out folding all events; their hashes are checked all the same.
    pub quick: bool,
    /// The newest feature level this program knows.
    pub feature_level_max: u32,
}

/// What was restored.
pub struct Restored {
    /// The backup.
    pub manifest: Manifest,
    /// What was checked in it; `None` when events were not folded.
    pub verified: Option<Verified>,
}

/// Files a directory may hold before: keys that an operator put there.
const MAY_BE_THERE: [&str; 4] = ["LOCK", "secrets.key", "admin.token", "lost+found"];
/// What a restore writes, in the order in which it is taken away again.
const WRITTEN: [&str; 6] = ["IDENTITY", "MEMBER", "MEMBER.tmp", "HIGH_WATER", "HIGH_WATER.tmp", "RESTORING"];

/// Restores. `progress` hears how many bytes of how many were copied.
///
/// # Errors
/// When the backup is damaged, cut short, of a newer format or of this very cluster, or the directory is not empty.
pub fn restore(plan: &Restore, mut progress: impl FnMut(u64, u64)) -> anyhow::Result<Restored> {
    let backup = Backup::open(&plan.from, plan.revision)?;
    let manifest = backup.manifest();
    ensure!(
        manifest.feature_level <= plan.feature_level_max,
        "the backup is of feature level {}, and this musterd knows levels up to {}: use a newer one",
        manifest.feature_level,
        plan.feature_level_max
    );
    ensure!(
        manifest.cluster_id != plan.cluster_id,
        "the backup is of cluster {}; a restored cluster needs an id of its own, because the old one may have gone on \
         beyond the backup. Leave out --cluster-id and cluster.id, or name a new one",
        manifest.cluster_id
    );
    let all = 2 * backup.bytes();
    let mut done = 0;
    let mut count = |bytes| {
        done += bytes;
        progress(done, all);
    };
    backup.verify(&mut count)?;

    let data_dir = DataDir::open_for_restore(&plan.data_dir)?;
    let path = data_dir.path();
    clear_interrupted(path).with_context(|| format!("an interrupted restore in {}", path.display()))?;
    refuse_if_used(path)?;
    data_dir.begin_restore()?;
    let verified = fill(plan, &backup, path, &mut count).and_then(|verified| {
        failpoint::reach(Point::RestoreFilled);
        data_dir.claim(&plan.cluster_id, plan.node_id)?;
        failpoint::reach(Point::RestoreClaimed);
        data_dir.end_restore()?;
        Ok(verified)
    });
    match verified {
        Ok(verified) => Ok(Restored { manifest: manifest.clone(), verified }),
        Err(error) => {
            clear(path).with_context(|| format!("after the restore failed ({error:#}), taking back what it wrote"))?;
            Err(error)
        }
    }
}

fn fill(plan: &Restore, backup: &Backup, path: &Path, count: &mut impl FnMut(u64)) -> anyhow::Result<Option<Verified>> {
    let state = path.join("state");
    let database = state.join("1");
    fs::create_dir_all(&database).with_context(|| format!("cannot create {}", database.display()))?;
    backup.extract(&database, count)?;
    failpoint::reach(Point::RestoreCopied);
    let verified = verify::checkpoint(&database, backup.manifest(), !plan.quick, |_, _| {})?;
    durable::replace_file(&state.join("CURRENT"), b"1\n").context("cannot write state/CURRENT")?;
    let state = StateDb::open(path, StateOptions::default())?;
    let taken = states::read_record(&state.db(), &keys::state(&Key::Node(plan.node_id)))?;
    ensure!(
        taken.is_none(),
        "node id {} was given to a node of the old cluster, and ids are never used again: choose another node.id",
        plan.node_id
    );
    raft::found_restored(path, &state, plan.node_id, plan.member.clone()).context("cannot found the new cluster")?;
    Ok(verified)
}

fn refuse_if_used(path: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let name = entry?.file_name();
        if !MAY_BE_THERE.iter().any(|may| name == *may) {
            bail!(
                "{} is not empty ({} is there); a backup is restored into an empty directory only",
                path.display(),
                name.to_string_lossy()
            );
        }
    }
    Ok(())
}

fn clear_interrupted(path: &Path) -> io::Result<()> {
    if path.join("RESTORING").exists() { clear(path) } else { Ok(()) }
}

fn clear(path: &Path) -> io::Result<()> {
    for folder in ["state", "raftlog"] {
        durable::remove_dir(&path.join(folder))?;
    }
    for file in WRITTEN {
        match fs::remove_file(path.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    durable::sync_dir(path)
}

/// Where a restored cluster stands, for people.
#[must_use]
pub fn describe(manifest: &Manifest) -> String {
    format!(
        "cluster {} at revision {}, chain hash {}",
        manifest.cluster_id,
        manifest.revision,
        &hex(&manifest.chain_hash)[..12]
    )
}
