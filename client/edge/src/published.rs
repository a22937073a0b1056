//! What the keeper tells readers and watchers, after it is committed: resources with what waits merged on top, how far the
//! replica is, and what changed from mark to mark.
//!
//! It decides nothing. Readers look into the store for everything that nothing waits for.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use muster_proto::v1;
use tokio::sync::{broadcast, watch};

/// Marks that a watcher may be behind.
const MARKS_MAX: usize = 256;

/// What holds now.
#[derive(Debug, Default)]
pub(crate) struct Now {
    pub(crate) cluster_id: String,
    pub(crate) cursor: u64,
    /// Resources that operations wait for, with these merged on top.
    pub(crate) pending: BTreeMap<String, Arc<v1::Resource>>,
}

/// What a mark that agreed brought.
#[derive(Debug)]
pub(crate) struct Marked {
    /// Of the mark before.
    pub(crate) previous: u64,
    pub(crate) revision: u64,
    /// Ordered by revision, then by name.
    pub(crate) changes: Vec<Changed>,
}

/// One resource that is another one than at the mark before.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) name: String,
    /// Above `previous`, up to the mark's.
    pub(crate) revision: u64,
    /// As at the mark before; also absent when nobody watched then.
    pub(crate) before: Option<v1::Resource>,
    pub(crate) after: Option<v1::Resource>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Published {
    now: RwLock<Now>,
    marks: broadcast::Sender<Arc<Marked>>,
    progress: watch::Sender<u64>,
}

impl Published {
    pub(crate) fn new(now: Now) -> Self {
        let progress = watch::Sender::new(now.cursor);
        Self { now: RwLock::new(now), marks: broadcast::Sender::new(MARKS_MAX), progress }
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&Now) -> T) -> T {
        look(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Now)) {
        let cursor = {
            let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
            change(&mut now);
            now.cursor
        };
        self.progress.send_if_modified(|progress| std::mem::replace(progress, cursor) != cursor);
    }

    /// Whether anybody watches.
    pub(crate) fn has_watchers(&self) -> bool {
        self.marks.receiver_count() > 0
    }

    pub(crate) fn tell(&self, marked: Marked) {
        // Nobody who listens is no fault.
        self.marks.send(Arc::new(marked)).ok();
    }

    pub(crate) fn marks(&self) -> broadcast::Receiver<Arc<Marked>> {
        self.marks.subscribe()
    }

    pub(crate) fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }
}
