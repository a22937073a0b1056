//! The down side of a session: what a node tells, and what the edge makes of it (sections 5 and 6). The comparison of
//! ranges is one message, because only where it ends matters here: both sides hold the same items, as of the mark.
//!
//! - What an edge says (`received`, `compare`) reaches the node in the step in which the edge says it. That it may be lost
//!   is the same as that the stream ended before.

use crate::mutants::{Mutant, Rules};
use crate::state::{Breach, Cloud, Down, Ghost, Link, Machine, Message, Replica, Session, State};

/// The parts of the world that a step of the down side touches.
struct Ends<'a> {
    cloud: &'a Cloud,
    ghost: &'a mut Ghost,
    edge: usize,
    replica: &'a mut Replica,
    tombstones: &'a mut [u8; 2],
    down: &'a mut Down,
}

fn ends(state: &mut State, index: usize) -> Option<Ends<'_>> {
    let State { cloud, machines, ghost, .. } = state;
    let Machine { edge, store, memory, link: Link::Open(session), .. } = machines[index].as_mut()? else { return None };
    let Session { down, .. } = session;
    Some(Ends { cloud, ghost, edge: *edge, replica: &mut store.replica, tombstones: &mut memory.tombstones, down })
}

/// Section 5, 1: what is newer than the cursor, and a mark to be checked.
pub(crate) fn start(rules: Rules, state: &mut State, index: usize) {
    let Some(Ends { cloud, edge, replica, down, .. }) = ends(state, index) else { return };
    let mut revision = cloud.revision();
    if rules.broken(Mutant::StaleNode) {
        revision = replica.cursor.saturating_sub(1);
    }
    let news = cloud.scope(edge, revision).into_iter().enumerate();
    let news = news.filter(|(_, item)| item.is_some_and(|at| at > replica.cursor || replica.cursor == 0));
    let items = news.map(|(name, revision_of)| Message::Item { name, revision: revision_of, at: revision });
    tell(rules, down, items.collect(), revision, true);
}

/// Section 5, 3: the newest of what changed since the last mark, and a mark.
pub(crate) fn live(rules: Rules, state: &mut State, index: usize) {
    let Some(Ends { cloud, edge, down, .. }) = ends(state, index) else { return };
    let (told, now) = (down.told.unwrap_or(0), cloud.revision());
    let (before, after) = (cloud.scope(edge, told), cloud.scope(edge, now));
    let mut items = Vec::new();
    for name in 0..2 {
        let by_itself = cloud.items()[name].revision > told;
        if before[name] != after[name] && (by_itself || !rules.broken(Mutant::MembershipNotTold)) {
            items.push(Message::Item { name, revision: after[name], at: now });
        }
    }
    tell(rules, down, items, now, false);
}

fn tell(rules: Rules, down: &mut Down, items: Vec<Message>, revision: u8, check: bool) {
    let mark = Message::Mark { revision, check };
    if rules.broken(Mutant::MarkBeforeItems) {
        down.stream.push(mark);
        down.stream.extend(items);
    } else {
        down.stream.extend(items);
        down.stream.push(mark);
    }
    down.told = Some(revision);
    down.waits = check;
}

/// The edge takes the next message from the stream.
pub(crate) fn receive(rules: Rules, state: &mut State, index: usize) {
    let Some(mut ends) = ends(state, index) else { return };
    match ends.down.stream.remove(0) {
        Message::Item { name, revision: Some(revision), .. } => {
            let newer = ends.down.items[name].is_none_or(|held| revision > held);
            if newer && revision >= ends.tombstones[name] {
                ends.down.items[name] = Some(revision);
            }
        }
        Message::Item { name, revision: None, at } => {
            if ends.down.items[name].is_some_and(|held| held <= at) {
                ends.down.items[name] = None;
            }
            if rules.broken(Mutant::Tombstones) {
                ends.tombstones[name] = at;
            }
        }
        Message::Mark { revision, check } => mark(rules, &mut ends, revision, check),
        Message::Repair { revision } => {
            ends.down.items = ends.cloud.scope(ends.edge, revision);
            sync(rules, &mut ends, revision, true);
        }
    }
}

/// Section 6: the edge compares with what it has.
fn mark(rules: Rules, ends: &mut Ends, revision: u8, check: bool) {
    let agrees = ends.down.items == ends.cloud.scope(ends.edge, revision);
    if revision < ends.replica.cursor || !(agrees || check) {
        ends.ghost.note(Breach::Mark);
    }
    if agrees || rules.broken(Mutant::NoRepair) {
        sync(rules, ends, revision, agrees);
    } else {
        ends.down.waits = true;
        ends.down.stream.push(Message::Repair { revision });
    }
}

/// Section 5, 2: items and cursor are one transaction; then `received`.
fn sync(rules: Rules, ends: &mut Ends, revision: u8, agreed: bool) {
    ends.replica.cursor = revision;
    ends.replica.agreed = agreed;
    if !rules.broken(Mutant::CursorBeforeItems) {
        ends.replica.items = ends.down.items;
    }
    ends.down.waits = false;
}

/// An edge may sync items before the mark that follows them; the cursor stays.
pub(crate) fn sync_items(rules: Rules, state: &mut State, index: usize) {
    let Some(Ends { replica, down, .. }) = ends(state, index) else { return };
    replica.items = down.items;
    replica.agreed &= rules.broken(Mutant::CursorBeforeItems);
}
