//! Which steps can be taken, and taking them. Those of the protocol come by themselves as long as machines and links hold;
//! those of the world may come or not, and use up the [`crate::Bounds`].

use crate::cloud::{self, Applied, Hello, Uplink};
use crate::mutants::{Mutant, Rules};
use crate::state::{COPY, Link, MAIN, Memory, Proposal, State};
use crate::{edge, link};

/// One step. Numbers are those of machines, items and proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An edge without a stream opens one.
    Hello(usize),
    /// A proposal takes effect.
    Commit(usize),
    /// A command takes effect before an earlier one of its own session: leaders changed between.
    Overtake(usize),
    /// A command is proposed once more, because nobody knows what became of it.
    Repeat(usize),
    /// An edge syncs what welcome says.
    SyncWelcome(usize),
    /// An edge sends so many operations.
    Send(usize, usize),
    /// A node tells results, and the edge syncs them.
    Results(usize),
    /// A node finds that a newer session has begun, and ends the stream.
    Fence(usize),
    /// An edge syncs what a broken rule left in memory.
    SyncMemory(usize),
    /// A node begins to send items.
    Start(usize),
    /// A node sends what has changed.
    Live(usize),
    /// An edge takes a message.
    Receive(usize),
    /// An edge syncs items early.
    SyncItems(usize),
    /// An application queues an operation.
    Queue(usize),
    /// A full queue drops its oldest.
    Drop(usize),
    /// A stream breaks.
    Break(usize),
    /// The node that serves a session crashes, and what it proposed is lost.
    NodeCrash(usize),
    /// An edge crashes: the same as `Break`, but for broken rules.
    EdgeCrash(usize),
    /// The first machine's store is copied.
    Copy,
    /// The first machine's store is made anew.
    Reset,
    /// The first edge is deleted and made anew.
    Delete,
    /// An item goes to the other edge by a change of its own.
    Move(usize),
    /// An item goes to the other edge by a change of a site.
    ChangeSite(usize),
    /// An item changes.
    Change(usize),
}

/// The protocol's steps.
pub(crate) fn of_protocol(rules: Rules, state: &State, steps: &mut Vec<Step>) {
    for (index, machine) in state.machines.iter().enumerate() {
        let Some(machine) = machine else { continue };
        if machine.stopped {
            continue;
        }
        if machine.memory.results.len() + machine.memory.queue.len() > 0 {
            steps.push(Step::SyncMemory(index));
        }
        match &machine.link {
            Link::Down => steps.push(Step::Hello(index)),
            Link::Opening => {}
            Link::Open(_) => in_session(rules, state, index, steps),
        }
    }
    steps.extend((0..state.flight.len()).filter(|number| !overtakes(state, *number)).map(Step::Commit));
}

/// Whether a stream that still holds has proposed something before this. Of a stream that is gone nobody keeps the order.
fn overtakes(state: &State, number: usize) -> bool {
    let proposal = &state.flight[number];
    let first = |proposal: &Proposal| match proposal {
        Proposal::Open { .. } => 0,
        Proposal::Apply { queued, .. } => queued[0].sequence,
    };
    proposal.stream().is_some()
        && state.flight.iter().any(|other| other.stream() == proposal.stream() && first(other) < first(proposal))
}

fn in_session(rules: Rules, state: &State, index: usize, steps: &mut Vec<Step>) {
    let Some(machine) = &state.machines[index] else { return };
    let Link::Open(session) = &machine.link else { return };
    if session.welcome.is_some() {
        steps.push(Step::SyncWelcome(index));
    }
    match edge::sendable(rules, machine) {
        0 => {}
        1 => steps.push(Step::Send(index, 1)),
        all => steps.extend([Step::Send(index, 1), Step::Send(index, all)]),
    }
    if session.welcome.is_some() {
        return;
    }
    let record = state.cloud.records[machine.edge].as_ref();
    let same = record.is_some_and(|record| record.epoch == session.epoch);
    let waiting = !machine.store.queue.is_empty();
    let news = record.is_some_and(|record| record.last_sequence > machine.store.acknowledged);
    if news && waiting && (same || rules.broken(Mutant::ResultsOfAnyEpoch)) {
        steps.push(Step::Results(index));
    }
    if !same && waiting {
        steps.push(Step::Fence(index));
    }
    if state.left.down {
        in_down(rules, state, index, steps);
    }
}

fn in_down(rules: Rules, state: &State, index: usize, steps: &mut Vec<Step>) {
    let Some(machine) = &state.machines[index] else { return };
    let Link::Open(session) = &machine.link else { return };
    let down = &session.down;
    let held = (down.waits || !down.stream.is_empty()) && !rules.broken(Mutant::ItemsDuringRepair);
    match down.told {
        None => steps.push(Step::Start(index)),
        Some(told) if !held && told < state.cloud.revision() => steps.push(Step::Live(index)),
        Some(_) => {}
    }
    if !down.stream.is_empty() {
        steps.push(Step::Receive(index));
    }
    if down.items != machine.store.replica.items {
        steps.push(Step::SyncItems(index));
    }
}

/// The world's steps.
pub(crate) fn of_world(rules: Rules, state: &State, steps: &mut Vec<Step>) {
    let left = &state.left;
    for (index, machine) in state.machines.iter().enumerate() {
        let Some(machine) = machine else { continue };
        if machine.stopped {
            continue;
        }
        if left.operations[index] > 0 {
            steps.push(Step::Queue(index));
        }
        if left.drops > 0 && edge::droppable(rules, machine).is_some() {
            steps.push(Step::Drop(index));
        }
        if left.breaks == 0 {
            continue;
        }
        if machine.link != Link::Down {
            steps.push(Step::Break(index));
            if state.flight.iter().any(|proposal| proposal.stream() == Some(index)) {
                steps.push(Step::NodeCrash(index));
            }
        }
        if machine.memory != (Memory { tombstones: machine.memory.tombstones, ..Memory::default() }) {
            steps.push(Step::EdgeCrash(index));
        }
    }
    if left.breaks > 0 {
        steps.extend((0..state.flight.len()).filter(|number| overtakes(state, *number)).map(Step::Overtake));
        let heard = |number: &usize| state.flight[*number].stream().is_some();
        steps.extend((0..state.flight.len()).filter(heard).map(Step::Repeat));
    }
    of_people(state, steps);
}

fn of_people(state: &State, steps: &mut Vec<Step>) {
    let left = &state.left;
    if left.copies > 0 && state.machines[COPY].is_none() {
        steps.push(Step::Copy);
    }
    if left.resets > 0 {
        steps.push(Step::Reset);
    }
    if left.deletions > 0 && state.cloud.records[0].is_some() {
        steps.push(Step::Delete);
    }
    if left.moves > 0 {
        steps.push(Step::Move(0));
    }
    for name in 0..2 {
        if left.site_changes > 0 {
            steps.push(Step::ChangeSite(name));
        }
        if left.changes > 0 {
            steps.push(Step::Change(name));
        }
    }
}

/// Takes a step.
pub(crate) fn take(rules: Rules, state: &mut State, step: Step) {
    match step {
        Step::Hello(index) => edge::hello(rules, state, index),
        Step::Commit(number) => commit(rules, state, number),
        Step::Overtake(number) => {
            commit(rules, state, number);
            state.left.breaks -= 1;
        }
        Step::Repeat(number) => {
            let mut again = state.flight[number].clone();
            again.outlive();
            state.flight.push(again);
            state.flight.sort_unstable();
            state.left.breaks -= 1;
        }
        Step::SyncWelcome(index) => edge::sync_welcome(rules, state, index),
        Step::Send(index, count) => edge::send(rules, state, index, count),
        Step::Results(index) => results(rules, state, index),
        Step::Fence(index) => edge::lose(state, index, false),
        Step::SyncMemory(index) => edge::sync_memory(edge::machine(state, index)),
        Step::Start(index) => link::start(rules, state, index),
        Step::Live(index) => link::live(rules, state, index),
        Step::Receive(index) => link::receive(rules, state, index),
        Step::SyncItems(index) => link::sync_items(rules, state, index),
        Step::Queue(index) => edge::queue(rules, state, index),
        Step::Drop(index) => edge::drop_oldest(rules, state, index),
        Step::Break(index) => {
            edge::lose(state, index, false);
            state.left.breaks -= 1;
        }
        Step::NodeCrash(index) => {
            edge::lose(state, index, true);
            state.left.breaks -= 1;
        }
        Step::EdgeCrash(index) => {
            edge::crash(state, index);
            state.left.breaks -= 1;
        }
        Step::Copy => edge::copy(state),
        Step::Reset => edge::reset(state),
        Step::Delete => delete(state),
        Step::Move(name) => {
            state.left.moves -= 1;
            change(state, name, true, true);
        }
        Step::ChangeSite(name) => {
            state.left.site_changes -= 1;
            change(state, name, false, true);
        }
        Step::Change(name) => {
            state.left.changes -= 1;
            change(state, name, true, false);
        }
    }
    if !rules.broken(Mutant::NoEpochCheck) && !rules.broken(Mutant::EpochsRestart) {
        forget_fenced(state);
    }
}

/// What nobody hears of and can never take effect any more makes no difference: the fewer states.
fn forget_fenced(state: &mut State) {
    let records = &state.cloud.records;
    state.flight.retain(|proposal| match proposal {
        Proposal::Apply { stream: None, edge, epoch, .. } => {
            records[*edge].as_ref().is_some_and(|record| record.epoch == *epoch)
        }
        Proposal::Apply { .. } | Proposal::Open { .. } => true,
    });
}

fn commit(rules: Rules, state: &mut State, number: usize) {
    match state.flight.remove(number) {
        Proposal::Open { stream, edge, incarnation, epoch, session, sent } => {
            commit_open(rules, state, stream, Hello { edge, incarnation, epoch, session, sent });
        }
        Proposal::Apply { stream, edge, incarnation, epoch, grant, queued } => {
            let uplink = Uplink { edge, epoch, queued: &queued, incarnation, grant };
            commit_apply(rules, state, stream, &uplink);
        }
    }
}

fn commit_open(rules: Rules, state: &mut State, stream: Option<usize>, hello: Hello) {
    let before = state.cloud.records[hello.edge].as_ref().map(|record| record.incarnation);
    let known = state.ghost.had_session.contains(&hello.incarnation);
    let granted = cloud::open(rules, &mut state.cloud, &mut state.ghost, hello);
    // A store that never had a session is taken for one made later, whatever it is.
    if let (true, false, Some(before)) = (granted, known, before.filter(|before| *before != hello.incarnation)) {
        edge::replaced(state, before);
    }
    let Some(index) = stream else { return };
    if !granted {
        edge::stop(state, index);
        return;
    }
    let record = state.cloud.records[hello.edge].clone().expect("granted means recorded");
    edge::welcomed(rules, state, index, &record);
}

fn commit_apply(rules: Rules, state: &mut State, stream: Option<usize>, uplink: &Uplink) {
    let before = applied(state);
    let outcome = cloud::apply(rules, &mut state.cloud, &mut state.ghost, uplink);
    if state.left.down && applied(state) > before {
        cloud::change(&mut state.cloud, 0, true, None);
    }
    if let (Some(index), Applied::Fenced | Applied::Gap) = (stream, outcome) {
        edge::lose(state, index, false);
    }
}

fn applied(state: &State) -> usize {
    state.ghost.outcomes.iter().filter(|outcome| outcome.applied).count()
}

fn results(rules: Rules, state: &mut State, index: usize) {
    let State { cloud, machines, .. } = state;
    let Some(machine) = &mut machines[index] else { return };
    let Some(record) = &cloud.records[machine.edge] else { return };
    edge::results(rules, machine, record.last_sequence, &record.refusals);
}

fn change(state: &mut State, name: usize, own: bool, moves: bool) {
    let to = 1 - state.cloud.items()[name].edge;
    cloud::change(&mut state.cloud, name, own && state.left.down, moves.then_some(to));
    if !state.left.down {
        // Nobody asks for the past.
        state.cloud.past.remove(0);
    }
}

/// The edge is deleted, its record with it, and made anew.
fn delete(state: &mut State) {
    state.left.deletions -= 1;
    state.cloud.records[0] = None;
    state.ghost.replaceable[MAIN] = true;
    state.ghost.replaceable[COPY] = true;
    // A late hello from before is taken for that of a new store: nothing is left that could know better.
    state.ghost.had_session.clear();
}
