//! What an edge does by itself: its queue, its hello, what it syncs of a welcome and of results (sections 3 and 4).
//!
//! - Each function is one step: what it writes into the store is one synced transaction.
//! - What ought to be durable and is not, because a rule is broken, lies in the machine's memory.

use crate::cloud::WINDOW;
use crate::mutants::{Mutant, Rules};
use crate::state::{
    Breach, COPY, Down, Fate, Ghost, Link, MAIN, Machine, Memory, NO_SESSION, Proposal, Queued, Record, Session, State,
    Store,
};

/// The application queues an operation and is answered.
pub(crate) fn queue(rules: Rules, state: &mut State, index: usize) {
    state.left.operations[index] -= 1;
    let machine = machine(state, index);
    let operation = operation(index, machine.written);
    machine.written += 1;
    let queued = Queued { sequence: machine.store.next_sequence, operation };
    machine.store.next_sequence += 1;
    if rules.broken(Mutant::AnswerBeforeSync) {
        machine.memory.queue.push(queued);
        return;
    }
    machine.store.queue.push(queued);
}

/// The name of the n-th operation of a machine.
pub(crate) fn operation(index: usize, number: u8) -> u8 {
    u8::try_from(index).expect("three machines") * 16 + number
}

/// Which operation a full queue would drop.
pub(crate) fn droppable(rules: Rules, machine: &Machine) -> Option<usize> {
    let sent = if rules.broken(Mutant::DropSent) { 0 } else { machine.store.sent_sequence };
    machine.store.queue.iter().position(|queued| queued.sequence > sent)
}

/// A full queue drops its oldest operation that cannot have been sent; those after it move up.
pub(crate) fn drop_oldest(rules: Rules, state: &mut State, index: usize) {
    state.left.drops -= 1;
    let machine = machine(state, index);
    let Some(place) = droppable(rules, machine) else { return };
    let dropped = machine.store.queue.remove(place);
    if !rules.broken(Mutant::DropLeavesGap) {
        machine.store.next_sequence -= 1;
        machine.store.queue[place..].iter_mut().for_each(|queued| queued.sequence -= 1);
    }
    state.ghost.gone.push(dropped.operation);
    state.ghost.gone.sort_unstable();
}

/// Section 3, 1: all of it is durable.
pub(crate) fn hello(rules: Rules, state: &mut State, index: usize) {
    // As many ids as there are breaks to come; each is as good as the next one, as long as it is another.
    let fresh = 200 + 10 * u8::try_from(index).expect("three machines") + state.left.breaks;
    let machine = machine(state, index);
    machine.link = Link::Opening;
    let mut session = machine.store.session;
    if rules.broken(Mutant::HelloBeforeSync) {
        if machine.memory.session == NO_SESSION {
            machine.memory.session = fresh;
        }
        session = machine.memory.session;
    }
    let store = &machine.store;
    let (incarnation, epoch, sent) = (store.incarnation, store.epoch, store.sent_sequence);
    let edge = machine.edge;
    state.flight.push(Proposal::Open { stream: Some(index), edge, incarnation, epoch, session, sent });
    state.flight.sort_unstable();
}

/// Welcome arrives.
pub(crate) fn welcomed(rules: Rules, state: &mut State, index: usize, record: &Record) {
    let grant = state.cloud.granted[machine(state, index).edge];
    let machine = machine(state, index);
    let last = record.last_sequence;
    let welcome = Some((last, record.refusals.clone()));
    let down = Down::default();
    machine.link = Link::Open(Session { epoch: record.epoch, grant, welcome, next: last + 1, down });
    let never_sent = last > machine.store.sent_sequence && !rules.broken(Mutant::NoSentSequence);
    if last < machine.store.acknowledged || never_sent {
        stop(state, index);
    }
}

/// The edge is told that its place is taken.
pub(crate) fn stop(state: &mut State, index: usize) {
    let machine = machine(state, index);
    machine.stopped = true;
    machine.link = Link::Down;
    if !state.ghost.replaceable[index] {
        state.ghost.note(Breach::FalseAlarm);
    }
}

/// Section 3, 3 and S2, S3: epoch, the next session id, what may be sent and what welcome says of operations.
pub(crate) fn sync_welcome(rules: Rules, state: &mut State, index: usize) {
    let machine = machine(state, index);
    let Link::Open(session) = &mut machine.link else { return };
    let Some((last, refusals)) = session.welcome.take() else { return };
    session.down.items = machine.store.replica.items;
    machine.store.epoch = session.epoch;
    // Another id than any before: of this machine, in this epoch.
    machine.store.session = u8::try_from(index).expect("three machines") * 32 + session.grant;
    machine.memory.session = NO_SESSION;
    // What was sent in an older epoch and has not taken effect never will.
    machine.store.sent_sequence = last;
    results(rules, machine, last, &refusals);
    note_session(state, index);
}

fn sent_in_memory(rules: Rules) -> bool {
    rules.broken(Mutant::SentBeforeSync)
}

/// Keeps account of which of two copies goes on.
fn note_session(state: &mut State, index: usize) {
    let Some(copy) = &state.machines[COPY] else { return };
    let main = state.machines[MAIN].as_ref().expect("there is always a first machine");
    let part = match index {
        MAIN => 0,
        COPY => 1,
        _ => return,
    };
    if copy.store.incarnation != main.store.incarnation {
        return;
    }
    if state.ghost.connected == [true, true] {
        state.ghost.went_on[part] = true;
    }
    state.ghost.connected[part] = true;
}

/// Operations that may be sent now: unsent, and within the window.
pub(crate) fn sendable(rules: Rules, machine: &Machine) -> usize {
    let Link::Open(session) = &machine.link else { return 0 };
    if session.welcome.is_some() && !rules.broken(Mutant::EpochBeforeSync) {
        return 0;
    }
    let welcome = session.welcome.as_ref().map_or(0, |(last, _)| *last);
    let answered = machine.store.acknowledged.max(welcome);
    let within = |queued: &&Queued| queued.sequence >= session.next && queued.sequence <= answered + WINDOW;
    machine.store.queue.iter().chain(&machine.memory.queue).filter(within).count()
}

/// Section 4, 2: the next so many operations.
pub(crate) fn send(rules: Rules, state: &mut State, index: usize, count: usize) {
    let machine = machine(state, index);
    let store = &mut machine.store;
    let Link::Open(session) = &mut machine.link else { return };
    let all = store.queue.iter().chain(&machine.memory.queue).copied();
    let queued: Vec<_> = all.filter(|queued| queued.sequence >= session.next).take(count).collect();
    session.next = queued[count - 1].sequence + 1;
    if !sent_in_memory(rules) {
        store.sent_sequence = store.sent_sequence.max(session.next - 1);
    }
    let (incarnation, epoch, grant) = (store.incarnation, session.epoch, session.grant);
    let edge = machine.edge;
    state.flight.push(Proposal::Apply { stream: Some(index), edge, incarnation, epoch, grant, queued });
    state.flight.sort_unstable();
}

/// Section 4, 4: syncs results, then forgets operations; both are one transaction.
pub(crate) fn results(rules: Rules, machine: &mut Machine, last: u8, refusals: &[u8]) {
    let store = &mut machine.store;
    let known = store.queue.iter().take_while(|queued| queued.sequence <= last).count();
    let fates = store
        .queue
        .drain(..known)
        .map(|queued| Fate { operation: queued.operation, applied: !refusals.contains(&queued.sequence) });
    if rules.broken(Mutant::ForgetBeforeResults) {
        machine.memory.results.extend(fates);
    } else {
        store.results.extend(fates);
    }
    store.acknowledged = store.acknowledged.max(last);
    if sent_in_memory(rules) {
        store.sent_sequence = store.sent_sequence.max(last);
    }
}

/// Makes durable what a broken rule left in memory.
pub(crate) fn sync_memory(machine: &mut Machine) {
    machine.store.results.append(&mut machine.memory.results);
    machine.store.queue.append(&mut machine.memory.queue);
}

/// The stream ends; what was proposed for it may still take effect, unless the node has forgotten it.
pub(crate) fn lose(state: &mut State, index: usize, node_forgets: bool) {
    machine(state, index).link = Link::Down;
    if node_forgets {
        state.flight.retain(|proposal| proposal.stream() != Some(index));
    }
    for proposal in state.flight.iter_mut().filter(|proposal| proposal.stream() == Some(index)) {
        proposal.outlive();
    }
    state.flight.sort_unstable();
}

/// The machine ends and begins again with what is on its disk.
pub(crate) fn crash(state: &mut State, index: usize) {
    lose(state, index, false);
    let machine = machine(state, index);
    let Memory { queue, tombstones, .. } = std::mem::take(&mut machine.memory);
    machine.memory.tombstones = tombstones;
    if let Some(forgotten) = queue.first() {
        machine.store.next_sequence = forgotten.sequence;
    }
}

/// The first machine's disk as it is now, in another machine.
pub(crate) fn copy(state: &mut State) {
    state.left.copies -= 1;
    let main = state.machines[MAIN].as_ref().expect("there is always a first machine");
    let store = main.store.clone();
    state.machines[COPY] = Some(Machine { store, ..Machine::new(main.edge, 0) });
    state.ghost.replaceable[MAIN] = true;
    state.ghost.replaceable[COPY] = true;
    state.ghost.connected = [false, false];
    state.ghost.went_on = [false, false];
}

/// The first machine's disk is lost, or its store reset by a person.
pub(crate) fn reset(state: &mut State) {
    state.left.resets -= 1;
    lose(state, MAIN, false);
    state.ghost.incarnations += 1;
    let incarnation = state.ghost.incarnations;
    let main = state.machines[MAIN].as_mut().expect("there is always a first machine");
    let before = std::mem::replace(main, Machine { written: main.written, ..Machine::new(main.edge, incarnation) });
    let lost = (0..before.written).map(|number| operation(MAIN, number));
    state.ghost.gone.extend(lost);
    state.ghost.gone.sort_unstable();
    state.ghost.gone.dedup();
    state.ghost.replaceable[MAIN] = false;
}

/// Whoever holds this incarnation may now be told that another store has taken its place.
pub(crate) fn replaced(state: &mut State, incarnation: u8) {
    for index in [MAIN, 1, COPY] {
        if state.machines[index].as_ref().is_some_and(|machine| machine.store.incarnation == incarnation) {
            state.ghost.replaceable[index] = true;
        }
    }
}

/// Every operation of this machine's application that its own disk or memory must hold.
pub(crate) fn accounted(machine: &Machine, index: usize, ghost: &Ghost) -> bool {
    let Store { queue, results, .. } = &machine.store;
    let queued = |operation| queue.iter().chain(&machine.memory.queue).any(|queued| queued.operation == operation);
    let known = |operation| results.iter().chain(&machine.memory.results).any(|fate| fate.operation == operation);
    (0..machine.written)
        .map(|number| operation(index, number))
        .all(|operation| queued(operation) || known(operation) || ghost.gone.contains(&operation))
}

pub(crate) fn machine(state: &mut State, index: usize) -> &mut Machine {
    state.machines[index].as_mut().expect("only machines that exist take steps")
}
