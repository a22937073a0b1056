//! Watches: changes as they happen, in the order of revisions, without a gap and without a repetition.
//!
//! ```text
//! apply ─▶ Recent ─▶ feed ─▶ lanes (all, a namespace, a resource): a window of the newest entries each
//!                              │ woken, takes what is new                    event log ─▶ catching up
//!                              └──────────────▶ Follower (one watch) ◀──────────────┘
//! ```
//!
//! A follower is pulled by its connection: it holds one page at most, so a slow one costs bounded memory, is overtaken by
//! the window of its lane, reads the log from where it is, and joins the window again. Nobody waits for it.
//!
//! It decides nothing about who may watch what (the API does) and reads records only for images. Invariants:
//!
//! - A lane is complete from its window's start to the head: the feed fills all lanes before it moves the head.
//! - What is told is what the filter lets through of every revision from the first one asked for; see `follower.rs`.
//! - An event is encoded once for all its watches.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use muster_domain::Key;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, watch};

use crate::apply::{Position, Recent};
use crate::read::{EventFilter, EventScope, Reader};
use crate::tasks::{self, StopSignal};

mod feed;
mod follower;
mod frame;
mod lane;
mod published;
mod tail;
#[cfg(test)]
mod tests;

pub(crate) use follower::{FollowError, Follower, Following, Told};
pub(crate) use frame::{Content, Frame};
pub(crate) use published::{Audience, Images};
pub(crate) use tail::{Tail, Tailed, Tailing};

use lane::{Lane, LaneKey, LaneLimits};

/// All watches of this node.
pub struct Watches {
    reader: Arc<Reader>,
    recent: Arc<Recent>,
    lanes: RwLock<Lanes>,
    /// How far all lanes are filled.
    head: AtomicU64,
    closed: AtomicBool,
    places: Arc<Semaphore>,
}

/// Lanes that somebody follows.
#[derive(Default)]
struct Lanes {
    all: Option<Arc<Lane>>,
    namespaces: HashMap<String, Arc<Lane>>,
    resources: HashMap<Key, Arc<Lane>>,
}

impl Lanes {
    fn is_empty(&self) -> bool {
        self.all.is_none() && self.namespaces.is_empty() && self.resources.is_empty()
    }
}

/// A follower's hold on its lane; the lane goes when its last follower does.
struct Seat {
    watches: Arc<Watches>,
    key: LaneKey,
    lane: Arc<Lane>,
    /// Of a caller's watch.
    _place: Option<OwnedSemaphorePermit>,
}

impl Watches {
    /// Follows what is applied until told to stop; at most `watches_max` watches at a time.
    #[must_use]
    pub fn start(
        reader: Arc<Reader>,
        positions: watch::Receiver<Position>,
        recent: Arc<Recent>,
        watches_max: usize,
        stop: StopSignal,
    ) -> Arc<Self> {
        let head = AtomicU64::new(positions.borrow().revision);
        let places = Arc::new(Semaphore::new(watches_max.min(Semaphore::MAX_PERMITS)));
        let (lanes, closed) = (RwLock::default(), AtomicBool::new(false));
        let watches = Arc::new(Self { reader, recent, lanes, head, closed, places });
        tasks::spawn("watch-feed", feed::run(Arc::clone(&watches), positions, stop));
        watches
    }

    /// Takes a place in the lane of the filter.
    fn sit(self: &Arc<Self>, filter: &EventFilter) -> Result<Seat, FollowError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => FollowError::Full,
            TryAcquireError::Closed => FollowError::Stopping,
        })?;
        Ok(self.take_seat(filter, Some(place)))
    }

    fn take_seat(self: &Arc<Self>, filter: &EventFilter, place: Option<OwnedSemaphorePermit>) -> Seat {
        let key = lane_of(&filter.scope);
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        if lanes.is_empty() {
            // From here on apply hands entries over; what it applied before is read from the log.
            self.recent.want(true);
            self.head.fetch_max(self.reader.local().revision(), Ordering::AcqRel);
        }
        let start = self.head() + 1;
        let made = || Arc::new(Lane::new(start, LaneLimits::of(&key)));
        let lane = match &key {
            LaneKey::All => Arc::clone(lanes.all.get_or_insert_with(made)),
            LaneKey::Namespace(namespace) => Arc::clone(lanes.namespaces.entry(namespace.clone()).or_insert_with(made)),
            LaneKey::Resource(resource) => Arc::clone(lanes.resources.entry(resource.clone()).or_insert_with(made)),
        };
        lane.join();
        drop(lanes);
        metrics::gauge!("muster_watch_watches").increment(1.0);
        Seat { watches: Arc::clone(self), key, lane, _place: place }
    }

    /// How far all lanes are filled.
    fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!("muster_watch_watches").decrement(1.0);
        let mut lanes = self.watches.lanes.write().unwrap_or_else(PoisonError::into_inner);
        if self.lane.leave() > 0 {
            return;
        }
        match &self.key {
            LaneKey::All => lanes.all = None,
            LaneKey::Namespace(namespace) => drop(lanes.namespaces.remove(namespace)),
            LaneKey::Resource(resource) => drop(lanes.resources.remove(resource)),
        }
        if lanes.is_empty() {
            self.watches.recent.want(false);
        }
    }
}

/// The narrowest lane that holds all of the scope.
fn lane_of(scope: &EventScope) -> LaneKey {
    match scope {
        EventScope::All => LaneKey::All,
        EventScope::Namespace(namespace) => LaneKey::Namespace(namespace.clone()),
        EventScope::Resource(key) => LaneKey::Resource(key.clone()),
        EventScope::Prefix(_) => match scope.namespace() {
            Some(namespace) => LaneKey::Namespace(namespace.to_owned()),
            None => LaneKey::All,
        },
    }
}
