//! The invariants of `sync.md` section 8, each a question to one state.

use crate::edge::{accounted, operation};
use crate::state::{Breach, Fate, Machine, State};
use crate::steps;
use crate::{Bounds, SyncModel};

/// A question to a state.
type Question = fn(&SyncModel, &State) -> bool;

/// Names and questions.
pub(crate) const INVARIANTS: [(&str, Question); 8] = [
    ("E1-exactly-once", exactly_once),
    ("E2-order", order),
    ("E3-fencing", |_, state| !breached(state, Breach::Fencing)),
    ("E4-offline-durability", offline_durability),
    ("E5-convergence", convergence),
    ("E6-no-fork", no_fork),
    ("E7-one-writer", |_, state| !breached(state, Breach::Scope)),
    ("W6-mark", mark),
];

fn breached(state: &State, breach: Breach) -> bool {
    state.ghost.breaches.contains(&breach)
}

/// One outcome for each number of a store, and one for each operation of an application.
fn exactly_once(_: &SyncModel, state: &State) -> bool {
    let outcomes = &state.ghost.outcomes;
    outcomes.iter().enumerate().all(|(index, one)| {
        outcomes[index + 1..].iter().all(|other| {
            other.operation != one.operation && (other.incarnation != one.incarnation || other.sequence != one.sequence)
        })
    })
}

/// Outcomes of a store follow its numbers, 1, 2, 3 and so on.
fn order(_: &SyncModel, state: &State) -> bool {
    (1..=state.ghost.incarnations).all(|incarnation| {
        let outcomes = state.ghost.outcomes.iter().filter(|outcome| outcome.incarnation == incarnation);
        (1..).zip(outcomes).all(|(sequence, outcome)| outcome.sequence == sequence)
    })
}

/// What an application was told is queued is at its machine, or its fate is known there, and is the true one.
fn offline_durability(_: &SyncModel, state: &State) -> bool {
    state.machines.iter().enumerate().all(|(index, machine)| {
        machine.as_ref().is_none_or(|machine| {
            let true_fate = |fate: &Fate| {
                state.ghost.fate(fate.operation) == Some(fate.applied) || state.ghost.gone.contains(&fate.operation)
            };
            accounted(machine, index, &state.ghost) && machine.store.results.iter().all(true_fate)
        })
    })
}

/// When nothing is left to do, nothing waits at an edge and its items are those of its scope; and there is an end of it.
fn convergence(model: &SyncModel, state: &State) -> bool {
    let granted = state.cloud.granted.iter().all(|granted| *granted <= Bounds::sessions_max(&model.bounds));
    let mut steps = Vec::new();
    steps::of_protocol(model.rules, state, &mut steps);
    granted
        && (!steps.is_empty()
            || state.machines.iter().flatten().all(|machine| machine.stopped || agrees(state, machine)))
}

fn agrees(state: &State, machine: &Machine) -> bool {
    let replica = &machine.store.replica;
    let revision = state.cloud.revision();
    let items = !state.left.down
        || (replica.agreed && replica.cursor == revision && replica.items == state.cloud.scope(machine.edge, revision));
    machine.store.queue.is_empty() && items
}

/// Of two copies one goes on at most, and nobody else is told that another has taken its place.
fn no_fork(_: &SyncModel, state: &State) -> bool {
    !breached(state, Breach::FalseAlarm) && state.ghost.went_on != [true, true]
}

/// At a durable mark that agrees, the edge holds the scope as of its revision; and marks keep their word.
fn mark(_: &SyncModel, state: &State) -> bool {
    let holds = |machine: &Machine| {
        let replica = &machine.store.replica;
        !replica.agreed || replica.items == state.cloud.scope(machine.edge, replica.cursor)
    };
    !breached(state, Breach::Mark) && state.machines.iter().flatten().all(holds)
}

/// That a run can end well: every operation of the first machine took effect.
pub(crate) fn all_applied(model: &SyncModel, state: &State) -> bool {
    let all = model.bounds.operations[0];
    all > 0 && (0..all).all(|number| state.ghost.fate(operation(0, number)) == Some(true))
}
