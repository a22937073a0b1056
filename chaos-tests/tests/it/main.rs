//! Clusters of real processes; one file per subject. They share two cores, so they run one after the other.
#![allow(clippy::disallowed_methods, reason = "tests drive real processes by the real clock")]

mod api_behaviour;
mod backup;
mod catching_up;
mod chaos;
mod crash;
mod disk_full;
mod door;
mod edges;
mod fleet;
mod kills;
mod membership;
mod queries;
mod refusals;
mod requests;
mod retention;
mod snapshots;
mod sync;
mod sync_cloud;
mod syncing;
mod table;
mod verification;
mod watching;
mod wiped;
mod wire;

use std::sync::LazyLock;
use tokio::sync::{Mutex, MutexGuard};

/// One cluster at a time: three nodes, their load and the test share the machine.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static TURN: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    TURN.lock().await
}
