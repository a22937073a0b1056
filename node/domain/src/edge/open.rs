//! Opening a session: who of those that speak for an edge goes on (`sync.md` section 3).
//!
//! - A store that is new to the cluster knows no epoch. One that knows an epoch and is not the newest store was replaced,
//!   be it by another store, by a copy of its own or with the edge itself: it never goes on.

use super::EdgeSession;
use crate::{At, Body, Change, EventKind, Key, Reason, Record, Rejection, States};

/// What an edge says at the beginning.
pub(super) struct Hello<'a> {
    /// The store it speaks for.
    pub(super) incarnation: &'a [u8; 16],
    /// The newest epoch it knows of; 0: none.
    pub(super) known_epoch: u64,
    /// Another one after each welcome that it made durable.
    pub(super) session: &'a [u8; 16],
    /// The newest operation that it may have sent.
    pub(super) sent_sequence: u64,
}

/// Grants the next epoch, or refuses.
pub(super) fn decide(
    states: &dyn States,
    key: Key,
    hello: &Hello<'_>,
    node_id: u64,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    let record = states.get(&key);
    let current = match record.as_deref() {
        Some(Record { body: Body::EdgeSession(session), .. }) => Some(&**session),
        _ => None,
    };
    if !goes_on(current, hello) {
        return Err(replaced(&key));
    }
    // A deleted session remembers its epoch as its version.
    let epoch = record.as_deref().map_or(0, Record::version) + 1;
    let (incarnation, session) = (*hello.incarnation, *hello.session);
    let kind = EventKind::EdgeSessionOpened { incarnation, epoch, session, node_id };
    Ok(vec![Change::new(key, kind, record.as_deref(), at)])
}

fn goes_on(current: Option<&EdgeSession>, hello: &Hello<'_>) -> bool {
    match current {
        Some(current) if current.incarnation == *hello.incarnation => {
            let is_unused = current.unused_since != 0;
            let is_newest = hello.known_epoch == current.epoch
                || is_unused && *hello.session == current.session
                || is_unused && (current.unused_since..current.epoch).contains(&hello.known_epoch);
            // What took effect and was never sent from this store came from a copy of it.
            is_newest && current.last_sequence <= hello.sent_sequence
        }
        // A new store has sent nothing before, because it sends only in an epoch that it knows.
        Some(current) => hello.known_epoch == 0 && !current.past_incarnations.contains(hello.incarnation),
        None => hello.known_epoch == 0,
    }
}

fn replaced(key: &Key) -> Rejection {
    let message = format!(
        "another store, or another copy of this one, has opened {key} since: only the newest goes on. Reset the store of \
         this edge if it is the one to use"
    );
    Rejection::new(Reason::EdgeReplaced, "edge", message)
}
