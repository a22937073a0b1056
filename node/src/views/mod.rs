//! Materialized views of the registry for queries: the documents of each namespace's devices, modules and assets as columns in
//! memory, at every moment as of one revision.
//!
//! ```text
//! Applier ─ changed records ─▶ feed ─▶ tables (one set a namespace) ─ snapshot ─▶ queries
//!        └─ at start and after an installed snapshot: from a checkpoint of columns, or from all records (build)
//! ```
//!
//! It knows records and tables, no query text and no API. Invariants:
//! - Tables change under one lock with their revision, so a snapshot is that revision, whole.
//! - The tables are brought up to date before a revision is made known ([`crate::apply::Applier::positions`]): who waits for a
//!   revision finds it here.
//! - They are a function of the records alone; nothing is lost with them.
//! - While they are made, beside a node that serves already, what is applied meanwhile waits and is taken in at the end. Until
//!   then there are no snapshots.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_query::column::Snapshot;
use tokio::sync::watch;

use crate::apply::Position;
use crate::store::error::StoreError;
use crate::store::states::States;

mod build;
mod checkpoint;
pub(crate) mod document;
mod feed;
mod keeper;
mod recent;
mod schema;
mod tables;

pub use checkpoint::CheckpointFile;
#[cfg(test)]
pub(crate) use checkpoint::DOCUMENTS;
pub(crate) use feed::Changed;
pub use keeper::{KeeperSettings, ViewsKeeper};
pub use recent::Following;
pub use schema::{ASSETS, DEVICES, MODULES, SCHEMA};
pub use tables::{ChangedRow, Which};

use build::build;
use checkpoint::Taken;
use recent::Recent;
use tables::Namespaces;

/// All views of a node.
pub struct Views {
    inner: Mutex<Inner>,
    followers: AtomicUsize,
    ready: watch::Sender<bool>,
    file: Option<CheckpointFile>,
    /// As of when the checkpoint on disk is.
    saved: AtomicU64,
    closed: AtomicBool,
}

struct Inner {
    position: Position,
    namespaces: Namespaces,
    /// What waits while the tables are being made.
    building: Option<Building>,
    recent: Recent,
}

struct Building {
    /// Which making of tables is meant: a later one ends an earlier one.
    number: u64,
    waiting: Vec<(Vec<Changed>, Position)>,
}

impl Inner {
    fn of(namespaces: Namespaces, position: Position) -> Self {
        Self { position, namespaces, building: None, recent: Recent::after(position.revision) }
    }

    fn empty(position: Position) -> Self {
        Self::of(Namespaces::default(), position)
    }
}

/// One or more tables as of one revision.
pub struct ViewSnapshot {
    /// As of when.
    pub position: Position,
    /// In the order asked for; empty tables where the namespace has none.
    pub tables: Vec<Snapshot>,
}

impl Views {
    fn with(inner: Inner, is_ready: bool, file: Option<CheckpointFile>) -> Self {
        let (ready, _) = watch::channel(is_ready);
        let (followers, saved, closed) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Self { inner: Mutex::new(inner), followers, ready, file, saved, closed }
    }

    /// The views of all that is stored, made before anything else.
    ///
    /// # Errors
    /// When the store fails or a record is damaged.
    pub(crate) fn build(states: &States, position: Position, file: Option<CheckpointFile>) -> Result<Self, StoreError> {
        let (namespaces, saved) = build(states, position, file.as_ref())?;
        let views = Self::with(Inner::of(namespaces, position), true, file);
        views.saved.store(saved.unwrap_or(0), Ordering::Relaxed);
        Ok(views)
    }

    /// The views of all that is stored, made on a thread of its own. `failed` is told when that cannot be done.
    pub(crate) fn build_beside(
        states: &Arc<States>,
        position: Position,
        file: Option<CheckpointFile>,
        failed: impl FnOnce(StoreError) + Send + 'static,
    ) -> Arc<Self> {
        let views = Arc::new(Self::with(Inner::empty(position), false, file));
        views.rebuild_beside(states, position, failed);
        views
    }

    /// Starts over from what is stored now, on a thread of its own.
    pub(crate) fn rebuild_beside(
        self: &Arc<Self>,
        states: &Arc<States>,
        position: Position,
        failed: impl FnOnce(StoreError) + Send + 'static,
    ) {
        let number = self.begin_building(position);
        let (views, states) = (Arc::clone(self), Arc::clone(states));
        std::thread::spawn(move || match build(&states, position, views.file.as_ref()) {
            Ok((namespaces, saved)) => {
                views.saved.store(saved.unwrap_or(0), Ordering::Relaxed);
                views.catch_up(namespaces, position, number);
            }
            Err(error) => failed(error),
        });
    }

    /// From now on what is applied waits for tables that are made as of `position`.
    fn begin_building(&self, position: Position) -> u64 {
        let mut inner = self.lock();
        let number = inner.building.as_ref().map_or(1, |building| building.number + 1);
        *inner = Inner { building: Some(Building { number, waiting: Vec::new() }), ..Inner::empty(position) };
        drop(inner);
        self.ready.send_replace(false);
        number
    }

    /// Takes in what was applied while the tables were made, and then the tables.
    fn catch_up(&self, mut namespaces: Namespaces, mut position: Position, number: u64) {
        loop {
            let mut inner = self.lock();
            let Some(building) = inner.building.as_mut().filter(|building| building.number == number) else { return };
            let waiting = std::mem::take(&mut building.waiting);
            if waiting.is_empty() {
                *inner = Inner::of(namespaces, position);
                drop(inner);
                self.ready.send_replace(true);
                return;
            }
            drop(inner);
            for (changes, applied) in waiting {
                changes.iter().for_each(|changed| drop(namespaces.change(changed)));
                position = applied;
            }
        }
    }

    /// Tells when there are snapshots.
    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// Starts over from what is stored now.
    ///
    /// # Errors
    /// As [`Views::build`].
    pub(crate) fn rebuild(&self, states: &States, position: Position) -> Result<(), StoreError> {
        let (namespaces, _) = build(states, position, self.file.as_ref())?;
        *self.lock() = Inner::of(namespaces, position);
        Ok(())
    }

    /// Takes in what a batch changed, after which everything is as of `position`.
    pub(crate) fn apply(&self, changes: Vec<Changed>, position: Position) {
        let start = crate::raft::now();
        let followed = self.followers.load(Ordering::Acquire) > 0;
        let mut inner = self.lock();
        if let Some(building) = &mut inner.building {
            building.waiting.push((changes, position));
            return;
        }
        let mut rows = Vec::new();
        for changed in &changes {
            let row = inner.namespaces.change(changed);
            if followed {
                rows.extend(row);
            }
        }
        inner.position = position;
        if followed {
            inner.recent.note(position.revision, rows);
        } else {
            inner.recent = Recent::after(position.revision);
        }
        drop(inner);
        metrics::histogram!("muster_views_apply_seconds").record(start.elapsed());
    }

    /// Tables of a namespace, all as of the same revision.
    #[must_use]
    pub fn snapshot(&self, namespace: &str, which: &[Which]) -> ViewSnapshot {
        let mut inner = self.lock();
        ViewSnapshot { position: inner.position, tables: inner.namespaces.snapshot(namespace, which) }
    }

    /// Makes the views remember which rows change, for as long as the guard lives.
    #[must_use]
    pub fn follow(self: &Arc<Self>) -> Following {
        self.followers.fetch_add(1, Ordering::AcqRel);
        Following(Arc::clone(self))
    }

    /// Writes a checkpoint and returns its bytes; `None` when the last one says the same, or there is nothing to write yet.
    /// Applying goes on meanwhile.
    pub(crate) fn save(&self, file: &CheckpointFile) -> io::Result<Option<u64>> {
        let taken = {
            let mut inner = self.lock();
            let Position { revision, chain, .. } = inner.position;
            if inner.building.is_some() || revision == self.saved.load(Ordering::Relaxed) {
                return Ok(None);
            }
            Taken { revision, chain, tables: inner.namespaces.snapshots() }
        };
        let bytes = file.write(&taken)?;
        self.saved.store(taken.revision, Ordering::Relaxed);
        Ok(Some(bytes))
    }

    /// Rows of all tables, and the bytes of memory that these take.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.namespaces.rows(), inner.namespaces.memory_bytes())
    }

    /// From now on paths that nobody had yet get no columns: queries read them from documents. Whether that is new.
    fn close_paths(&self) -> bool {
        self.lock().namespaces.close_paths();
        !self.closed.swap(true, Ordering::Relaxed)
    }

    /// As of when the checkpoint on disk is that it was made from or wrote; 0 for none.
    #[cfg(test)]
    pub(crate) fn saved(&self) -> u64 {
        self.saved.load(Ordering::Relaxed)
    }

    /// As [`Views::rebuild_beside`], step by step: `before` and `after` the tables are made.
    #[cfg(test)]
    pub(crate) fn rebuild_around(
        &self,
        states: &States,
        position: Position,
        before: impl FnOnce(),
        after: impl FnOnce(),
    ) {
        let number = self.begin_building(position);
        before();
        let (namespaces, _) = build(states, position, self.file.as_ref()).expect("a store that works");
        after();
        self.catch_up(namespaces, position, number);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while applying ends the process (see `telemetry`), so nobody meets a poisoned lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
