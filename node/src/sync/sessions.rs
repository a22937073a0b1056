//! The sessions of this node: one for each connected edge, a bounded number, and what each says of itself.
//!
//! It knows no message and no store. Invariants:
//!
//! - An edge has one session at most here, that of its newest epoch (`E3-fencing`); an older one is told to end.
//! - A node that stops tells all of them, each with another delay, so that they do not come back at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::verifying::{Ask, Unverified, WAITING_MAX};
use crate::ids_source::IdsSource;

/// What a connected edge says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// When it connected, by this node's clock, milliseconds since the epoch.
    pub connected_since_ms: u64,
    /// The newest mark that is durable at the edge.
    pub cursor: u64,
    /// Items in its scope.
    pub items: u64,
    /// Whether its own sums agreed with that mark.
    pub agrees: bool,
    /// Operations that wait at the edge.
    pub queued_operations: u64,
    /// Operations it dropped because its queue was full.
    pub dropped_operations: u64,
    /// Version of its agent.
    pub agent_version: String,
}

/// Why a session is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// A newer one of the same edge is here.
    Replaced,
    /// The node stops; come back after so many milliseconds.
    Stopping(u32),
}

/// Namespace and edge.
type Edge = (String, String);

struct Entry {
    epoch: u64,
    presence: Mutex<Presence>,
    ending: watch::Sender<Option<Ending>>,
    /// Who wants contents compared.
    asks: Mutex<Vec<Ask>>,
    asked: Notify,
}

/// See the module.
pub(super) struct Sessions {
    entries: Mutex<HashMap<Edge, Arc<Entry>>>,
    places: Arc<Semaphore>,
    most: usize,
}

/// A session's place among the sessions.
pub(super) struct Seat {
    sessions: Arc<Sessions>,
    edge: Edge,
    entry: Arc<Entry>,
    _place: OwnedSemaphorePermit,
}

impl Sessions {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { entries: Mutex::default(), places, most })
    }

    /// A place for one more session, or how many there may be.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, usize> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.most)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no more sessions are taken because the node stops.
    pub(super) fn is_closed(&self) -> bool {
        self.places.is_closed()
    }

    /// Takes the place of an edge, and ends its older session. `None` when a newer one is here already,
    /// or the node stops.
    pub(super) fn enter(
        self: &Arc<Self>,
        place: OwnedSemaphorePermit,
        namespace: &str,
        edge: &str,
        epoch: u64,
        presence: Presence,
    ) -> Option<Seat> {
        let edge = (namespace.to_owned(), edge.to_owned());
        let (presence, ending) = (Mutex::new(presence), watch::Sender::new(None));
        let entry = Arc::new(Entry { epoch, presence, ending, asks: Mutex::default(), asked: Notify::new() });
        let mut entries = self.lock();
        if self.is_closed() || entries.get(&edge).is_some_and(|other| other.epoch >= epoch) {
            return None;
        }
        if let Some(older) = entries.insert(edge.clone(), Arc::clone(&entry)) {
            older.ending.send_replace(Some(Ending::Replaced));
        }
        drop(entries);
        metrics::gauge!("muster_sync_sessions").increment(1.0);
        Some(Seat { sessions: Arc::clone(self), edge, entry, _place: place })
    }

    /// What an edge says of itself, if it is connected to this node.
    pub(super) fn presence(&self, namespace: &str, edge: &str) -> Option<Presence> {
        let entry = self.lock().get(&(namespace.to_owned(), edge.to_owned())).cloned()?;
        let presence = entry.presence.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(presence)
    }

    /// Asks the session of an edge to compare contents.
    pub(super) fn ask(&self, namespace: &str, edge: &str, ask: Ask) -> Result<(), Unverified> {
        let entry = self.lock().get(&(namespace.to_owned(), edge.to_owned())).cloned();
        let entry = entry.ok_or_else(|| Unverified::NotConnected("the edge is not connected".to_owned()))?;
        let mut asks = entry.asks.lock().unwrap_or_else(PoisonError::into_inner);
        if asks.len() >= WAITING_MAX {
            return Err(Unverified::Busy(format!("{WAITING_MAX} wait for comparisons with this edge")));
        }
        asks.push(ask);
        drop(asks);
        entry.asked.notify_one();
        Ok(())
    }

    /// Tells all sessions that the node stops, with delays spread over `spread_ms`; takes no new ones.
    pub(super) fn close(&self, spread_ms: u32, ids: &dyn IdsSource) {
        let entries = self.lock();
        self.places.close();
        for entry in entries.values() {
            let mut random = [0; 4];
            ids.fill(&mut random);
            let after_ms = u32::from_le_bytes(random) % spread_ms.max(1);
            entry.ending.send_replace(Some(Ending::Stopping(after_ms)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Edge, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Hears why the session is to end.
    pub(super) fn ending(&self) -> watch::Receiver<Option<Ending>> {
        self.entry.ending.subscribe()
    }

    /// Waits until somebody wants contents compared.
    pub(super) async fn asked(&self) {
        self.entry.asked.notified().await;
    }

    /// All who want contents compared; they are the caller's to answer.
    pub(super) fn take_asks(&self) -> Vec<Ask> {
        std::mem::take(&mut self.entry.asks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes what the edge says of itself.
    pub(super) fn note(&self, change: impl FnOnce(&mut Presence)) {
        change(&mut self.entry.presence.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!("muster_sync_sessions").decrement(1.0);
        let mut entries = self.sessions.lock();
        if entries.get(&self.edge).is_some_and(|entry| Arc::ptr_eq(entry, &self.entry)) {
            entries.remove(&self.edge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids_source::SeededIds;

    fn enter(sessions: &Arc<Sessions>, epoch: u64) -> Option<Seat> {
        let place = sessions.place().expect("a place");
        sessions.enter(place, "p", "e", epoch, Presence { cursor: epoch, ..Presence::default() })
    }

    #[test]
    fn the_newest_epoch_of_an_edge_stays() {
        let sessions = Sessions::new(3);
        let first = enter(&sessions, 1).expect("the first");
        let second = enter(&sessions, 2).expect("a newer one");
        assert_eq!(*first.ending().borrow(), Some(Ending::Replaced));
        assert_eq!(*second.ending().borrow(), None);
        assert!(enter(&sessions, 1).is_none(), "an older one that comes late");
        drop(first);
        assert_eq!(sessions.presence("p", "e").map(|presence| presence.cursor), Some(2), "it is still the second's");
        drop(second);
        assert_eq!(sessions.presence("p", "e"), None);
    }

    #[test]
    fn places_are_bounded_and_a_stop_is_spread() {
        let sessions = Sessions::new(2);
        let seats: Vec<_> = (0..2)
            .map(|at| {
                let place = sessions.place().expect("a place");
                sessions.enter(place, "p", &format!("e{at}"), 1, Presence::default()).expect("it is the first")
            })
            .collect();
        assert_eq!(sessions.place().err(), Some(2));
        sessions.close(1_000, &SeededIds::new(1));
        let delays: Vec<_> = seats.iter().map(|seat| *seat.ending().borrow()).collect();
        assert!(delays.iter().all(|ending| matches!(ending, Some(Ending::Stopping(0..1_000)))), "{delays:?}");
        assert_ne!(delays[0], delays[1]);
        assert!(sessions.is_closed());
    }
}
