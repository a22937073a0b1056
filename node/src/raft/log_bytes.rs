//! Bounds the log in bytes: openraft counts entries, and a few thousand large ones fill a disk.
//!
//! Each time so many bytes of payload were applied, a snapshot is built, and the log is purged up to where the round
//! before began. So it holds one to two rounds, whatever the size of an entry. This file does not know who needs the
//! entries: a follower that is further behind gets the snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::types::Raft;

/// How long it waits for a snapshot before it tries again with the next round.
const SNAPSHOT_MAX: Duration = Duration::from_secs(600);

/// Runs until consensus ends. `bytes` counts what is applied; `round` is how many make a round.
pub(super) async fn run(raft: Raft, bytes: Arc<AtomicU64>, round: u64, mut applied: watch::Receiver<Option<u64>>) {
    let mut before = None;
    while applied.changed().await.is_ok() {
        if bytes.load(Ordering::Relaxed) < round {
            continue;
        }
        bytes.store(0, Ordering::Relaxed);
        let Some(reached) = *applied.borrow_and_update() else { continue };
        if raft.trigger().snapshot().await.is_err() {
            return;
        }
        if let Some(before) = before.replace(reached) {
            let covered = |index: Option<u64>| index >= Some(before);
            let built = raft
                .wait(Some(SNAPSHOT_MAX))
                .metrics(|metrics| covered(metrics.snapshot.map(|last| last.index)), "a snapshot of a full log")
                .await;
            if built.is_ok() && raft.trigger().purge_log(before).await.is_err() {
                return;
            }
        }
    }
}
