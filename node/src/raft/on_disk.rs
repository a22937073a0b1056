//! What consensus finds on disk when a node starts: log, vote, snapshots, and whether it may take part.
//!
//! It does not know what is replayed, nor by whom. Invariants:
//! - What contradicts itself, or ends before what was known to be durable, is refused, and nothing of it is changed.
//! - Log entries are purged only after what they led to is durable in the state store.

use std::io;
use std::sync::Arc;

use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;

use super::StartError;
use super::fatal::FatalHandler;
use super::gate::Gate;
use super::log_store::{self, LogCloser, LogStore};
use super::log_tail::TailLimits;
use super::settings::RaftSettings;
use super::snapshot::{SnapshotStore, applied_in, flushed_in};
use super::types::{LogId, Vote};
use crate::store::state_db::StateDb;

/// See the module.
pub(super) struct OnDisk {
    pub log: LogStore,
    pub closer: LogCloser,
    pub snapshots: Arc<SnapshotStore>,
    pub gate: Arc<Gate>,
    pub vote: Option<Vote>,
    pub last_applied: Option<LogId>,
}

/// Opens everything.
pub(super) async fn open(
    settings: &RaftSettings,
    state: &Arc<StateDb>,
    fatal: &Arc<dyn FatalHandler>,
) -> Result<OnDisk, StartError> {
    let limits = TailLimits { entries: settings.log_tail_entries, bytes: settings.log_tail_bytes };
    let before_purge = {
        let state = Arc::clone(state);
        Box::new(move |upto: &LogId| make_durable(&state, upto))
    };
    let (mut log, closer) =
        log_store::open(&settings.data_dir, settings.log_segment_bytes, limits, before_purge, Arc::clone(fatal))?;
    let snapshots = SnapshotStore::open(&settings.data_dir, &settings.cluster_id, Arc::clone(state), Arc::clone(fatal))
        .map_err(StartError::Snapshots)?;
    let (last_applied, _) = applied_in(&state.db()).map_err(StartError::State)?;
    let log_state = log.get_log_state().await.map_err(StartError::State)?;
    let vote = log.read_vote().await.map_err(StartError::State)?;
    let has_promised = log_state.last_log_id.is_some() || vote.is_some();
    if let Some(last) = last_applied.filter(|_| !has_promised) {
        return Err(StartError::LogGone { applied: last.index });
    }
    let snapshot = snapshots.current().map_err(StartError::Snapshots)?.and_then(|snapshot| snapshot.meta.last_log_id);
    let reached = last_applied.max(snapshot);
    if let Some(purged) = log_state.last_purged_log_id.filter(|purged| reached < Some(*purged)) {
        return Err(StartError::StateGone { purged: purged.index, applied: reached.map(|reached| reached.index) });
    }
    let gate = Arc::new(Gate::new(&settings.data_dir, has_promised).map_err(StartError::Marker)?);
    Ok(OnDisk { log, closer, snapshots: Arc::new(snapshots), gate, vote, last_applied })
}

/// Flushes the state unless what the entries up to `upto` led to is durable already, as it is after a snapshot:
/// flushing takes its time, and the writer of the log waits.
fn make_durable(state: &StateDb, upto: &LogId) -> io::Result<()> {
    let flushed = flushed_in(&state.db())?.map(|flushed| flushed.index);
    if flushed >= Some(upto.index) {
        return Ok(());
    }
    state.flush().map_err(io::Error::other)
}
