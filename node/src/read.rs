//! Reading: how fresh an answer must be, and what can be asked of the state.
//!
//! - A linearizable view waits for Raft's read index, asked once for all that wait; see [`crate::raft`].
//! - A view answers at [`View::revision`]. A list that is asked for as of an earlier revision is exact: what changed
//!   since is looked up in the history, so that the pages of a list fit together on any node.
//!
//! It knows no protobuf and no caller; who may read what is decided before.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::retention::{self, Retention};
use muster_domain::{Key, Record};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::apply::Position;
use crate::raft::{self, RaftNode};
use crate::store::event_log::{self, ChainHash};
use crate::store::history;
use crate::store::states::States;

mod events;
mod filter;
mod list;
mod past;
mod pinned;
mod scans;
#[cfg(test)]
pub(crate) mod tests;
mod walk;

pub use events::{EventPage, PageLimits};
pub use filter::{EventFilter, EventScope, ResourceType, TwinPath, TwinSection};
pub use list::{ListPage, ListRange};
pub use pinned::Pinned;
pub use scans::ScanError;
use scans::Scans;
pub use walk::{WalkPage, WalkPlace, WalkRange};

// What a view answers with; those above it need not know the store.
pub use crate::store::codec::RevisionEntry;
pub use crate::store::error::StoreError;

/// Stored bytes that one page holds at most, unless a single element is larger: answers stay below the 4 MiB that clients
/// of gRPC take by default.
const PAGE_BYTES_MAX: usize = 3 << 20;

/// How fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every write acknowledged before, on any node.
    Linearizable,
    /// At least this revision.
    MinRevision(u64),
    /// What this node holds.
    Local,
}

/// Why a view cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The queue of waiting readers is full.
    #[error("too many reads are waiting")]
    Busy,
    /// There is no leader, or it has no quorum.
    #[error("no leader with a quorum can be reached; a linearizable read is not possible")]
    NoQuorum,
    /// The revision was not reached in time.
    #[error("this node is at revision {current}; {wanted} was not reached within {waited_ms} ms")]
    MinRevision {
        /// Revision asked for.
        wanted: u64,
        /// Revision reached.
        current: u64,
        /// How long it waited.
        waited_ms: u128,
    },
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl From<raft::ReadError> for ReadError {
    fn from(error: raft::ReadError) -> Self {
        match error {
            raft::ReadError::Busy => Self::Busy,
            raft::ReadError::Stopped => Self::Stopping,
            _ => Self::NoQuorum,
        }
    }
}

/// Hands out views.
pub struct Reader {
    raft: Arc<RaftNode>,
    states: Arc<States>,
    positions: watch::Receiver<Position>,
    wait_max: Duration,
    scans: Scans,
    follower_scans: Scans,
}

impl Reader {
    /// Over the node's Raft and state; a read waits at most `wait_max` for a revision, and a
    /// scan as long for its place.
    #[must_use]
    pub fn new(
        raft: Arc<RaftNode>,
        states: Arc<States>,
        positions: watch::Receiver<Position>,
        wait_max: Duration,
    ) -> Self {
        let (scans, follower_scans) = (Scans::new(wait_max), Scans::for_followers());
        Self { raft, states, positions, wait_max, scans, follower_scans }
    }

    /// A view that is as fresh as asked.
    ///
    /// # Errors
    /// When that cannot be had in time.
    pub async fn view(&self, consistency: Consistency) -> Result<View, ReadError> {
        match consistency {
            Consistency::Linearizable => {
                self.raft.read_barrier().await?;
            }
            Consistency::MinRevision(revision) => self.reach(revision).await?,
            Consistency::Local => {}
        }
        Ok(self.local())
    }

    /// What this node holds now.
    #[must_use]
    pub fn local(&self) -> View {
        View { states: Arc::clone(&self.states), position: *self.positions.borrow(), scans: self.scans.clone() }
    }

    /// What this node holds now, for those who follow changes: their scans wait for each other, not in the way of
    /// other readers.
    #[must_use]
    pub fn local_for_followers(&self) -> View {
        View { scans: self.follower_scans.clone(), ..self.local() }
    }

    /// Waits until this node has applied `revision`.
    ///
    /// # Errors
    /// [`ReadError::MinRevision`] when that takes too long.
    pub async fn reach(&self, revision: u64) -> Result<(), ReadError> {
        if self.positions.borrow().revision >= revision {
            return Ok(());
        }
        let mut positions = self.positions.clone();
        let reached = timeout(self.wait_max, positions.wait_for(|position| position.revision >= revision)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ReadError::Stopping),
            Err(_) => Err(ReadError::MinRevision {
                wanted: revision,
                current: self.positions.borrow().revision,
                waited_ms: self.wait_max.as_millis(),
            }),
        }
    }
}

/// The state at one revision or later. What reads a record or two is synchronous; what may read many is not, and runs
/// beside the worker threads.
#[derive(Clone)]
pub struct View {
    states: Arc<States>,
    position: Position,
    scans: Scans,
}

impl View {
    /// The revision it is true at.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.position.revision
    }

    /// The newest position of this view.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The record of `key`, if the resource exists now.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get(&self, key: &Key) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(self.states.get(key)?.filter(|record| record.is_alive()))
    }

    /// The record of `key` as of `revision`, if the resource existed then. For revisions of just now; further back,
    /// [`View::look_back`] keeps the walk off the worker threads.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get_at(&self, key: &Key, revision: u64) -> Result<Option<Arc<Record>>, StoreError> {
        // In this order: an installed snapshot may replace the store in between.
        let Some(current) = self.states.get(key)? else { return Ok(None) };
        let past = history::record_at(&self.states.db(), key, &current, revision)?;
        Ok(past.record.filter(|record| record.is_alive()))
    }

    /// The same as [`View::get_at`], for any revision.
    ///
    /// # Errors
    /// When the store fails, or too many scans are running.
    pub async fn look_back(&self, key: &Key, revision: u64) -> Result<Option<Arc<Record>>, ScanError> {
        if let Some(current) = self.states.get(key)?
            && current.updated_revision <= revision
        {
            return Ok(Some(current).filter(|record| record.is_alive()));
        }
        let (view, key) = (self.clone(), key.clone());
        self.scans.run(move || view.get_at(&key, revision)).await
    }

    /// Runs work that reads many records beside the worker threads.
    ///
    /// # Errors
    /// What the work returns, or that too many scans are running.
    pub async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ScanError> {
        let view = self.clone();
        self.scans.run(move || work(&view)).await
    }

    /// The cluster's settings.
    ///
    /// # Errors
    /// When the store fails, or the cluster has none yet.
    pub fn cluster(&self) -> Result<Arc<Record>, StoreError> {
        self.get(&Key::Cluster)?
            .ok_or_else(|| StoreError::Inconsistent("the cluster's settings are missing".to_owned()))
    }

    /// The oldest revision whose events may be read, of the whole cluster; 1 while nothing was compacted. The same on
    /// every node at the same revision.
    ///
    /// # Errors
    /// When the store fails.
    pub fn event_floor(&self) -> Result<u64, StoreError> {
        Ok(self.retention(None)?.floor)
    }

    /// The same for what lies in a namespace, which may have a floor of its own.
    ///
    /// # Errors
    /// When the store fails.
    pub fn event_floor_of(&self, namespace: &str) -> Result<u64, StoreError> {
        Ok(retention::namespace_floor(self.retention(None)?, self.retention(Some(namespace))?))
    }

    /// The same for who looks at a scope.
    ///
    /// # Errors
    /// When the store fails.
    pub fn event_floor_in(&self, scope: &EventScope) -> Result<u64, StoreError> {
        match scope.namespace() {
            Some(namespace) => self.event_floor_of(namespace),
            None => self.event_floor(),
        }
    }

    /// What is set for the cluster or for a namespace, and the scope's own floor.
    ///
    /// # Errors
    /// When the store fails.
    pub fn retention(&self, namespace: Option<&str>) -> Result<Retention, StoreError> {
        Ok(retention::of(self.states.get(&retention::key(namespace))?.as_deref()))
    }

    /// The chain hash at `revision`, if this node has it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn chain_hash(&self, revision: u64) -> Result<Option<ChainHash>, StoreError> {
        event_log::chain_hash(&self.states.db(), revision)
    }
}
