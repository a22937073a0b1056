//! A start without a network: everything that a start reads is read, checked and replayed by the same code, and then
//! the rest of the log, as if a majority had agreed to it.
//!
//! For the crash lab (`chaos-tests/src/crash_lab`), which asks thousands of data directories what a node would make of
//! them. Nobody is voted for, and nothing is sent; the directory changes as by a start.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures::stream;
use openraft::storage::{RaftLogStorage, RaftStateMachine};
use openraft::{RaftLogReader, StorageHelper};
use tokio::sync::watch;

use super::fatal::FatalHandler;
use super::on_disk::{self, OnDisk};
use super::settings::RaftSettings;
use super::snapshot::SnapshotStore;
use super::state_machine::StateMachine;
use super::types::{LogId, TypeConfig};
use super::{Machine, StartError};
use crate::store::checkpoint;
use crate::store::state_db::StateDb;

/// How long the log may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Term and index.
pub type Place = (u64, u64);

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// Term and candidate of the last vote, and whether that is known to lead.
    pub vote: Option<(u64, u64, bool)>,
    /// The last entry whose effect was in the state as it was found.
    pub applied_before: Option<Place>,
    /// The last entry that was dropped from the log.
    pub purged: Option<Place>,
    /// The last entry.
    pub last: Option<Place>,
    /// The last entry whose effect is in the current snapshot.
    pub snapshot: Option<Place>,
    /// What is wrong with the files of the current snapshot, as whoever received it would find.
    pub snapshot_damage: Option<String>,
}

/// Starts, as far as that goes without a network, and stops.
///
/// # Errors
/// Those of a start.
pub async fn rehearse(
    settings: &RaftSettings,
    state: Arc<StateDb>,
    machine: Arc<dyn Machine>,
    fatal: Arc<dyn FatalHandler>,
) -> Result<Rehearsal, StartError> {
    let OnDisk { mut log, closer, snapshots, gate: _, vote, last_applied } =
        on_disk::open(settings, &state, &fatal).await?;
    let (snapshot, snapshot_damage) = check_snapshot(&snapshots).map_err(StartError::Snapshots)?;
    let mut machine = StateMachine {
        state,
        machine,
        snapshots,
        fatal,
        applied: watch::channel(None).0,
        applied_bytes: Arc::new(AtomicU64::new(0)),
    };
    let recovered = StorageHelper::<TypeConfig, _, _>::new(&mut log, &mut machine)
        .with_id(settings.node_id)
        .get_initial_state()
        .await;
    recovered.map_err(|error| StartError::Raft(error.to_string()))?;
    let (applied, _) = machine.applied_state().await.map_err(StartError::State)?;
    let log_state = log.get_log_state().await.map_err(StartError::State)?;
    let end = log_state.last_log_id.map_or(0, |last| last.index + 1);
    let mut next = applied.map_or(0, |applied| applied.index + 1);
    while next < end {
        let entries = log.limited_get_log_entries(next, end).await.map_err(StartError::State)?;
        next += entries.len() as u64;
        if entries.is_empty() {
            return Err(StartError::State(io::Error::other(format!("log entry {next} is not there"))));
        }
        let entries = stream::iter(entries.into_iter().map(|entry| Ok((entry, None))));
        machine.apply(entries).await.map_err(StartError::State)?;
    }
    drop((machine, log));
    closer.closed(CLOSE_MAX).await;
    Ok(Rehearsal {
        vote: vote.map(|vote| (vote.leader_id.term, vote.leader_id.voted_for, vote.committed)),
        applied_before: last_applied.as_ref().map(place),
        purged: log_state.last_purged_log_id.as_ref().map(place),
        last: log_state.last_log_id.as_ref().map(place),
        snapshot,
        snapshot_damage,
    })
}

fn place(log_id: &LogId) -> Place {
    (log_id.leader_id.term, log_id.index)
}

/// Reads the current snapshot as whoever receives it would: each file has the hash that the manifest says.
fn check_snapshot(snapshots: &SnapshotStore) -> io::Result<(Option<Place>, Option<String>)> {
    let Some(current) = snapshots.current()? else { return Ok((None, None)) };
    let (dir, manifest) = (&current.snapshot.dir, &current.snapshot.manifest);
    let damage = manifest.files.iter().find_map(|file| {
        let found = checkpoint::describe_file(&dir.path.join(&file.name), file.name.clone());
        match found {
            Ok(found) if found == *file => None,
            Ok(_) => Some(format!("{}: its hash is not the manifest's", file.name)),
            Err(error) => Some(format!("{}: {error}", file.name)),
        }
    });
    Ok((current.meta.last_log_id.as_ref().map(place), damage))
}
