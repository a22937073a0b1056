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
}

/// Grants the next epoch, or refuses.
pub(super) fn decide(
    states: &dyn States,
    key: Key,
    hello: Hello<'_>,
    node_id: u64,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    let record = states.get(&key);
    let current = match record.as_deref() {
        Some(Record { body: Body::EdgeSession(session), .. }) => Some(&**session),
        _ => None,
    };
    if !goes_on(current, &hello) {
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
            let unused = current.unused_since != 0;
            hello.known_epoch == current.epoch
                || unused && *hello.session == current.session
                || unused && (current.unused_since..current.epoch).contains(&hello.known_epoch)
        }
        // Another store begins again; it can have sent nothing before, because it sends only in an epoch that it knows.
        Some(_) | None => hello.known_epoch == 0,
    }
}

fn replaced(key: &Key) -> Rejection {
    let message = format!(
        "another store, or another copy of this one, has opened {key} since: only the newest goes on. Reset the store of \
         this edge if it is the one to use"
    );
    Rejection::new(Reason::EdgeReplaced, "edge", message)
}
