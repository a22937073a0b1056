//! What would a node make of a data directory? Everything that a start does to its disk, without listeners and peers,
//! then everything that the store can be asked.
//!
//! For the crash lab (`chaos-tests/src/crash_lab`), by way of `musterd rehearse`. It judges nothing: it says what it
//! found, or why the start was refused. The directory changes as by a start and an orderly stop.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::bail;
use serde_json::{Value, json};

use crate::apply::{Applier, Position};
use crate::backup::source::BackupSource;
use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::node::hex;
use crate::raft::{self, FatalHandler, LogOpenError, Place, RaftSettings, Rehearsal};
use crate::store::error::rocks;
use crate::store::high_water::HighWater;
use crate::store::state_db::{StateDb, StateOptions};
use crate::store::states::States;
use crate::store::{content, event_log, verify};
use crate::views::CheckpointFile;

/// Small: thousands of stores are opened one after the other.
const CACHE_BYTES: usize = 16 << 20;
const MEMTABLE_BYTES: usize = 8 << 20;
/// Hexadecimal digits of hashes that only have to differ.
const SHORT: usize = 16;

/// Which directory, and whose it is.
#[derive(Debug, Clone)]
pub struct Task {
    /// The directory.
    pub data_dir: PathBuf,
    /// The cluster's id.
    pub cluster_id: String,
    /// The member.
    pub node_id: u64,
}

/// Remembers what would have ended the process.
#[derive(Debug, Default)]
struct Remembered(Mutex<Option<String>>);

impl FatalHandler for Remembered {
    fn fatal(&self, what: &str, error: &(dyn Error + 'static)) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| format!("{what}: {}", raft::chain(error)));
    }
}

/// Starts, asks, stops, and says what was found.
///
/// # Errors
/// Those of a start, and damage that is found when everything is read.
pub async fn run(task: Task) -> anyhow::Result<Value> {
    let data_dir = DataDir::open(&task.data_dir)?;
    let identity = data_dir.claim(&task.cluster_id, task.node_id)?;
    let options =
        StateOptions { block_cache_bytes: CACHE_BYTES, write_buffer_bytes: MEMTABLE_BYTES, ..StateOptions::default() };
    let state = StateDb::open(data_dir.path(), options)?;
    let states = Arc::new(States::new(Arc::clone(&state), CACHE_BYTES as u64));
    let applier = Applier::open(Arc::clone(&states), Some(CheckpointFile::below(data_dir.path())))?;
    drop(BackupSource::open(data_dir.path(), Arc::clone(&state), identity.clone(), Arc::new(SystemClock))?);
    let mark_path = data_dir.path().join("HIGH_WATER");
    // Read before the start writes a new one; what is wrong with it has the code that it has at a start.
    let high_water =
        HighWater::read(&mark_path).map_err(|source| LogOpenError::HighWater { path: mark_path, source })?;
    let settings = RaftSettings::new(identity.cluster_id, identity.node_id, data_dir.path());
    let fatal = Arc::new(Remembered::default());
    let found =
        raft::rehearse(&settings, Arc::clone(&state), Arc::clone(&applier) as _, Arc::clone(&fatal) as _).await?;
    states.write_twins()?;
    let position = *applier.positions().borrow();
    drop(applier);
    if let Some(fault) = fatal.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
        bail!("it would have ended: {fault}");
    }
    let db = state.db();
    verify::verify(&db, position.revision, &position.chain, |_, _| {})?;
    let mut said = said(&db, &found, position)?;
    said["high_water"] = json!({ "last": high_water.last, "vote_term": high_water.vote_term });
    said["content"] = json!(hex(&content::hash(&db)?[..SHORT]));
    state.flush().map_err(rocks("flush the state"))?;
    Ok(said)
}

fn said(db: &event_log::Db, found: &Rehearsal, position: Position) -> anyhow::Result<Value> {
    let place = |place: Option<Place>| place.map(|(term, index)| json!({ "term": term, "index": index }));
    let first = event_log::swept(db)?.revision;
    let mut events = Vec::new();
    event_log::visit(db, first, position.revision, |entry| {
        let chain = event_log::chain_hash(db, entry.revision)?.unwrap_or_default();
        events.push(json!([hex(&chain)[..SHORT], entry.request_id]));
        Ok(true)
    })?;
    Ok(json!({
        "vote": found.vote.map(|(term, node, committed)| json!({ "term": term, "node": node, "committed": committed })),
        "applied_before": place(found.applied_before),
        "purged": place(found.purged),
        "last": place(found.last),
        "snapshot": place(found.snapshot),
        "snapshot_damage": found.snapshot_damage,
        "revision": position.revision,
        "chain": hex(&position.chain),
        "first_revision": first,
        "events": events,
    }))
}
