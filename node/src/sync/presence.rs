//! Which edges this node serves right now, and how far they are, for those who ask.
//!
//! It lives in memory only and knows no stream: a session tells what it knows, and takes it back when it ends. Invariant: what
//! an older epoch of an edge tells or takes back never touches what a newer one told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A connected edge as this node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// When it connected, milliseconds since the epoch.
    pub connected_since_ms: u64,
    /// The revision up to which it has made everything durable.
    pub cursor: u64,
    /// Items in its scope.
    pub items: u64,
    /// Whether its own sums agree, as of the cursor.
    pub agrees: bool,
    /// Operations that wait at the edge.
    pub queued_operations: u64,
    /// Operations it dropped because its queue was full.
    pub dropped_operations: u64,
    /// Version of its agent.
    pub agent_version: String,
}

/// The edges this node serves.
#[derive(Debug, Default)]
pub struct Presences {
    /// By namespace and edge, with the epoch of the session that told it.
    served: Mutex<BTreeMap<(String, String), (u64, Presence)>>,
}

impl Presences {
    /// The session of `epoch` says how far its edge is.
    pub fn tell(&self, namespace: &str, edge: &str, epoch: u64, presence: Presence) {
        let mut served = self.lock();
        match served.get_mut(&(namespace.to_owned(), edge.to_owned())) {
            Some((newest, _)) if *newest > epoch => {}
            Some(told) => *told = (epoch, presence),
            None => {
                served.insert((namespace.to_owned(), edge.to_owned()), (epoch, presence));
            }
        }
    }

    /// The session of `epoch` has ended.
    pub fn end(&self, namespace: &str, edge: &str, epoch: u64) {
        let mut served = self.lock();
        let key = (namespace.to_owned(), edge.to_owned());
        if served.get(&key).is_some_and(|(newest, _)| *newest <= epoch) {
            served.remove(&key);
        }
    }

    /// How far an edge is, if this node serves it.
    #[must_use]
    pub fn presence(&self, namespace: &str, edge: &str) -> Option<Presence> {
        self.lock().get(&(namespace.to_owned(), edge.to_owned())).map(|(_, presence)| presence.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), (u64, Presence)>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cursor: u64) -> Presence {
        Presence { cursor, ..Presence::default() }
    }

    #[test]
    fn an_older_session_never_touches_what_a_newer_one_told() {
        let presences = Presences::default();
        assert_eq!(presences.presence("n", "e"), None);
        presences.tell("n", "e", 4, at(7));
        presences.tell("n", "e", 5, at(9));
        presences.tell("n", "e", 4, at(8));
        assert_eq!(presences.presence("n", "e"), Some(at(9)));
        presences.end("n", "e", 4);
        assert_eq!(presences.presence("n", "e"), Some(at(9)), "the newer session goes on");
        assert_eq!(presences.presence("n", "other"), None);
        presences.end("n", "e", 5);
        assert_eq!(presences.presence("n", "e"), None);
    }
}
