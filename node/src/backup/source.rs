//! Makes a backup of this node's state: a checkpoint that is described, sent and removed again. Writes go on meanwhile.
//!
//! It does not know to whom it goes. Invariants:
//! - One at a time; what an ended process left behind is removed at start.
//! - The checkpoint goes with its [`Copying`], whatever becomes of the caller.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use muster_backup::Manifest;
use muster_domain::{Body, Key};
use muster_proto::stored::v1::RaftLogId;

use crate::apply::Position;
use crate::clock::Clock;
use crate::data_dir::NodeIdentity;
use crate::store::state_db::StateDb;
use crate::store::{checkpoint, durable, keys, states};
use crate::{failpoint, raft};

/// Most bytes of one chunk.
const CHUNK_BYTES: usize = 256 << 10;

/// Makes backups of one node.
pub struct BackupSource {
    root: PathBuf,
    state: Arc<StateDb>,
    identity: NodeIdentity,
    clock: Arc<dyn Clock>,
    busy: AtomicBool,
    numbers: AtomicU64,
}

impl BackupSource {
    /// For the state of the node that lives in `data_dir`.
    ///
    /// # Errors
    /// When leftovers cannot be removed.
    pub fn open(
        data_dir: &Path,
        state: Arc<StateDb>,
        identity: NodeIdentity,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Arc<Self>> {
        let root = data_dir.join("backup");
        durable::remove_dir(&root)?;
        let (busy, numbers) = (AtomicBool::new(false), AtomicU64::new(0));
        Ok(Arc::new(Self { root, state, identity, clock, busy, numbers }))
    }

    /// Takes the one place; `None` when another backup is being made.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Option<Copying> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return None;
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        Some(Copying { source: Arc::clone(self), dir: self.root.join(number.to_string()) })
    }
}

/// A backup being made.
pub struct Copying {
    source: Arc<BackupSource>,
    dir: PathBuf,
}

impl Copying {
    /// Copies the state as it is now, and says what the copy holds. Reads all of it once.
    ///
    /// # Errors
    /// When the copy fails or cannot be read.
    pub fn copy(&self) -> io::Result<Manifest> {
        fs::create_dir_all(&self.source.root)?;
        self.source.state.checkpoint(&self.dir)?;
        failpoint::reach(failpoint::Point::BackupCopied);
        let manifest = checkpoint::look_into(&self.dir, |db| {
            let position = Position::load(db)?;
            let last = raft::last_applied(db)?.ok_or_else(|| io::Error::other("nothing was ever applied"))?;
            let cluster = states::read_record(db, &keys::state(&Key::Cluster))?;
            let feature_level = match cluster.as_deref().map(|record| &record.body) {
                Some(Body::Cluster(cluster)) => cluster.feature_level,
                _ => return Err(io::Error::other("the cluster was not founded yet")),
            };
            Ok(Manifest {
                cluster_id: self.source.identity.cluster_id.clone(),
                revision: position.revision,
                chain_hash: position.chain.to_vec().into(),
                last_log_id: Some(RaftLogId { term: last.0, index: last.1 }),
                time_ms: position.time_ms,
                feature_level,
                created_ms: self.source.clock.now_ms(),
                node_id: self.source.identity.node_id,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                files: Vec::new(),
            })
        })?;
        Ok(Manifest { files: checkpoint::describe_files(&self.dir)?, ..manifest })
    }

    /// Hands out the files that are not in `known`, in chunks: file, offset, data. Stops early when `give` says no.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn send(
        &self,
        manifest: &Manifest,
        known: &BTreeSet<[u8; 32]>,
        mut give: impl FnMut(u32, u64, Vec<u8>) -> bool,
    ) -> io::Result<()> {
        for (number, file) in (0u32..).zip(&manifest.files) {
            if known.iter().any(|known| known[..] == file.blake3[..]) {
                continue;
            }
            let mut reader = File::open(self.dir.join(&file.name))?;
            let mut offset = 0;
            while offset < file.size_bytes {
                let mut data = Vec::with_capacity(CHUNK_BYTES);
                Read::by_ref(&mut reader).take(CHUNK_BYTES as u64).read_to_end(&mut data)?;
                if data.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} shrank", file.name)));
                }
                let length = data.len() as u64;
                failpoint::reach(failpoint::Point::BackupSending);
                if !give(number, offset, data) {
                    return Ok(());
                }
                offset += length;
            }
        }
        Ok(())
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        if let Err(error) = durable::remove_dir(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "a backup's copy could not be removed");
        }
        self.source.busy.store(false, Ordering::Release);
    }
}
