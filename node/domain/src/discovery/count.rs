//! How many discovered things of an edge live: a record of its own, so that a scanner gone mad is refused without counting.

use super::decide::count_key;
use crate::decide::living;
use crate::limits::DISCOVERED_MAX;
use crate::{At, Body, Change, EventKind, Reason, Rejection, States};

/// How many discovered things of an edge live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiscoveryCount {
    /// Devices and assets.
    pub things: u64,
}

/// One more, or the refusal.
pub(super) fn added(states: &dyn States, namespace: &str, edge: &str, at: At) -> Result<Change, Rejection> {
    let things = counted(states, namespace, edge);
    if things >= DISCOVERED_MAX {
        let message = format!(
            "the edge has {things} discovered devices and assets, and no more than {DISCOVERED_MAX} may be kept: delete \
             those that are not wanted, or make discovery look at less"
        );
        return Err(Rejection::new(Reason::DiscoveryFull, "parent", message));
    }
    Ok(change(states, namespace, edge, things + 1, at))
}

/// One less.
pub(super) fn removed(states: &dyn States, namespace: &str, edge: &str, at: At) -> Change {
    let things = counted(states, namespace, edge);
    change(states, namespace, edge, things.saturating_sub(1), at)
}

fn counted(states: &dyn States, namespace: &str, edge: &str) -> u64 {
    match living(states, &count_key(namespace, edge)).as_deref().map(|record| &record.body) {
        Some(Body::DiscoveryCount(count)) => count.things,
        _ => 0,
    }
}

fn change(states: &dyn States, namespace: &str, edge: &str, things: u64, at: At) -> Change {
    let key = count_key(namespace, edge);
    let before = states.get(&key);
    Change::new(key, EventKind::DiscoveryCounted(things), before.as_deref(), at)
}
