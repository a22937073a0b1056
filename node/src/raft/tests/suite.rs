//! openraft's conformance suite for log store, state machine and snapshots, on the stores the node uses.

use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::support::{Counting, Remember, small_state};
use crate::raft::log_store::{self, LogStore};
use crate::raft::log_tail::TailLimits;
use crate::raft::snapshot::SnapshotStore;
use crate::raft::state_machine::StateMachine;
use crate::raft::types::TypeConfig;
use crate::store::state_db::StateDb;

struct Builder {
    tail_entries: usize,
    segment_bytes: usize,
}

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let fatal = Arc::new(Remember::default());
        let limits = TailLimits { entries: self.tail_entries, bytes: usize::MAX };
        let (log, _closer) =
            log_store::open(dir.path(), self.segment_bytes, limits, Box::new(|_| Ok(())), Arc::clone(&fatal) as Arc<_>)
                .unwrap();
        let state = StateDb::open(dir.path(), small_state()).unwrap();
        let snapshots =
            SnapshotStore::open(dir.path(), "test", Arc::clone(&state), Arc::clone(&fatal) as Arc<_>).unwrap();
        let machine = StateMachine {
            machine: Counting::new(&state),
            state,
            snapshots: Arc::new(snapshots),
            fatal,
            applied: tokio::sync::watch::channel(None).0,
            applied_bytes: Arc::default(),
        };
        Ok((dir, log, machine))
    }
}

/// All reads come from memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openraft_suite_with_the_log_in_memory() {
    Suite::test_all(Builder { tail_entries: 1000, segment_bytes: 1 << 20 }).await.unwrap();
}

/// Nothing is kept in memory once it is durable, so reads come from disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openraft_suite_with_the_log_on_disk() {
    Suite::test_all(Builder { tail_entries: 0, segment_bytes: 8192 }).await.unwrap();
}
