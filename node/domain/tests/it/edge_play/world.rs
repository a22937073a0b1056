//! The cluster, the stores of its edges, and what is on its way between them.

use std::collections::BTreeSet;

use muster_domain::edge::UplinkChange;
use muster_domain::{Change, EventKind, Operation, Rejection};
use proptest::sample::Index;

use super::Action;
use super::naive::{Naive, Named, Taken};
use super::store::{Answer, Store};
use crate::edge::{assign, create_edge, delete_edge, enable_edge};
use crate::edge_session::{report, session};
use crate::memory::{Memory, create_device, device_definition};

pub(super) const EDGES: [&str; 2] = ["hall", "dock"];
pub(super) const DEVICES: [&str; 3] = ["press", "drill", "lathe"];
/// Stores of all edges, so that ids of incarnations and sessions stay small and different.
const STORES_MAX: usize = 8;

/// A command on its way, and the stream that hears of it.
#[derive(Debug, Clone)]
struct Sent {
    store: usize,
    stream: u64,
    operation: Operation,
}

/// Two stores of which one was copied from the other, or both from a third; when both had connected after that.
#[derive(Debug, Clone)]
struct Pair {
    stores: [usize; 2],
    connected: [bool; 2],
    /// Whose operations were taken since both were connected.
    went_on: BTreeSet<usize>,
}

/// Everything.
pub(super) struct World {
    memory: Memory,
    naive: Naive,
    stores: Vec<Store>,
    wire: Vec<Sent>,
    pairs: Vec<Pair>,
    next: u64,
    sessions: u8,
    /// What happened in this play.
    pub(super) seen: BTreeSet<String>,
}

impl World {
    /// Two edges with one store each; `hall` has `press` and `lathe`, `dock` has `drill`.
    pub(super) fn new() -> Self {
        let mut world = Self {
            memory: Memory::new(),
            naive: Naive::default(),
            stores: Vec::new(),
            wire: Vec::new(),
            pairs: Vec::new(),
            next: 1,
            sessions: 0,
            seen: BTreeSet::new(),
        };
        for edge in EDGES {
            world.memory.accept(create_edge(edge));
        }
        for (n, device) in DEVICES.into_iter().enumerate() {
            world.memory.accept(create_device("plant", device, device_definition()));
            world.give(device, Some(n % 2));
        }
        world.renew(0);
        world.renew(1);
        world
    }

    pub(super) fn act(&mut self, action: &Action) {
        match action {
            Action::Queue { store, device, valid } => self.queue(store.index(self.stores.len()), *device, *valid),
            Action::Hello { store } => self.hello(store.index(self.stores.len())),
            Action::Send { store, skip, count } => self.send(store.index(self.stores.len()), *skip, *count),
            Action::Deliver { at, again, answered } => self.deliver(*at, *again, *answered),
            Action::Lose { at } => self.lose(*at),
            Action::Drop { store } => self.drop_oldest(store.index(self.stores.len())),
            Action::Move { device, to } => self.give(DEVICES[*device], *to),
            Action::Copy { store } => self.copy(store.index(self.stores.len())),
            Action::Renew { edge } => self.renew(*edge),
            Action::Enable { edge, enabled } => {
                self.memory.accept(enable_edge(EDGES[*edge], *enabled));
                self.naive.enable(*edge, *enabled);
            }
            Action::Recreate { edge } => {
                self.memory.accept(delete_edge(EDGES[*edge]));
                self.memory.accept(create_edge(EDGES[*edge]));
                self.naive.recreate(*edge);
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn session(&mut self) -> u8 {
        self.sessions = self.sessions.wrapping_add(1);
        self.sessions
    }

    fn give(&mut self, device: &str, to: Option<usize>) {
        self.memory.accept(assign(device, to.map_or("", |edge| EDGES[edge]), ""));
        self.naive.give(device, to);
    }

    fn renew(&mut self, edge: usize) {
        if self.stores.len() < STORES_MAX {
            let (incarnation, session) = (u8::try_from(self.stores.len() + 1).expect("few"), self.session());
            self.stores.push(Store::new(edge, incarnation, session));
        }
    }

    /// A store that was never welcome has sent nothing: its copy is as good as a new one, and not told apart.
    fn copy(&mut self, of: usize) {
        if self.stores.len() == STORES_MAX || self.stores[of].epoch == 0 {
            return;
        }
        let copy = self.stores.len();
        self.stores.push(self.stores[of].copied());
        for other in 0..copy {
            let store = &self.stores[other];
            if store.incarnation == self.stores[of].incarnation {
                let connected = [store.is_welcome, false];
                self.pairs.push(Pair { stores: [other, copy], connected, went_on: BTreeSet::new() });
            }
        }
    }

    fn queue(&mut self, at: usize, device: usize, valid: bool) {
        let id = self.number();
        let patch = if valid { format!(r#"{{"by":{id}}}"#) } else { format!("[{id}]") };
        let change = report(DEVICES[device], &patch);
        self.stores[at].queue(id, change);
    }

    fn drop_oldest(&mut self, at: usize) {
        self.stores[at].drop_oldest();
    }

    fn hello(&mut self, at: usize) {
        let stream = self.number();
        if !self.stores[at].stopped {
            let operation = self.stores[at].hello(stream, at as u64);
            self.wire.push(Sent { store: at, stream, operation });
        }
    }

    fn send(&mut self, at: usize, skip: usize, count: usize) {
        let stream = self.stores[at].stream;
        if let (Some(operation), Some(stream)) = (self.stores[at].send(skip, count), stream) {
            self.wire.push(Sent { store: at, stream, operation });
        }
    }

    fn deliver(&mut self, at: Index, again: bool, answered: bool) {
        if self.wire.is_empty() {
            return;
        }
        let at = at.index(self.wire.len());
        let sent = if again { self.wire[at].clone() } else { self.wire.swap_remove(at) };
        let answer = self.apply(&sent);
        let next_session = self.session();
        if answered && self.stores[sent.store].stream == Some(sent.stream) {
            self.stores[sent.store].hear(&answer, next_session);
            self.check_own(&self.stores[sent.store]);
        }
    }

    /// What a store takes for done are its own operations.
    fn check_own(&self, store: &Store) {
        for sequence in 1..=store.done {
            let taken = self.naive.taken.get(&(store.edge, store.incarnation, sequence));
            let own = store.ever[usize::try_from(sequence).expect("few") - 1];
            assert_eq!(taken, Some(&own), "E4: number {sequence} has another fate than the store was told");
        }
    }

    fn lose(&mut self, at: Index) {
        if !self.wire.is_empty() {
            self.wire.swap_remove(at.index(self.wire.len()));
        }
    }

    fn apply(&mut self, sent: &Sent) -> Answer {
        let edge = self.stores[sent.store].edge;
        let result = self.memory.carry_out(&sent.operation);
        if let Err(refusal) = &result {
            self.seen.insert(refusal.reason.code().to_owned());
        }
        match &sent.operation {
            Operation::OpenEdgeSession { incarnation, .. } => match result {
                Ok(changes) => self.opened(sent.store, edge, incarnation[0], changes[0].after.version()),
                Err(refusal) => Answer::Refused(refusal.reason),
            },
            Operation::ApplyUplink { epoch, first_sequence, changes, .. } => {
                self.sent_up(sent.store, *epoch, *first_sequence, changes, result)
            }
            other => panic!("{other:?} is not an edge's"),
        }
    }

    fn opened(&mut self, by: usize, edge: usize, incarnation: u8, epoch: u64) -> Answer {
        let last_sequence = self.naive.granted(edge, incarnation, epoch);
        let record = session(&self.memory, EDGES[edge]);
        assert_eq!((record.epoch, record.last_sequence), (epoch, last_sequence));
        self.seen.insert(if last_sequence > 0 { "welcomed again" } else { "welcomed" }.to_owned());
        for pair in &mut self.pairs {
            for (store, connected) in pair.stores.iter().zip(&mut pair.connected) {
                *connected |= *store == by;
            }
        }
        Answer::Welcome { epoch, last_sequence }
    }

    fn sent_up(
        &mut self,
        by: usize,
        epoch: u64,
        first: u64,
        changes: &[UplinkChange],
        result: Result<Vec<Change>, Rejection>,
    ) -> Answer {
        let named: Vec<Named> = changes.iter().map(Named::of).collect();
        let edge = self.stores[by].edge;
        let expected = self.naive.take(edge, epoch, first, &named);
        let found = result.map(|changes| taken(&changes)).map_err(|refusal| refusal.reason);
        assert_eq!(found, expected, "what was taken is what should be");
        match expected {
            Err(reason) => Answer::Refused(reason),
            Ok(taken) => {
                self.note(by, changes.len(), &taken);
                Answer::Done { last_sequence: session(&self.memory, EDGES[edge]).last_sequence }
            }
        }
    }

    fn note(&mut self, by: usize, sent: usize, taken: &Taken) {
        let count = taken.effects.len() + taken.refusals.len();
        for (_, reason) in &taken.refusals {
            self.seen.insert(format!("refused: {}", reason.code()));
        }
        if !taken.effects.is_empty() {
            self.seen.insert("effect".to_owned());
        }
        match count {
            0 => drop(self.seen.insert("nothing new".to_owned())),
            count if count < sent => drop(self.seen.insert("some skipped, some taken".to_owned())),
            _ => {}
        }
        if count > 0 {
            for pair in self.pairs.iter_mut().filter(|pair| pair.connected == [true; 2] && pair.stores.contains(&by)) {
                pair.went_on.insert(by);
                self.seen.insert("both copies connected, one went on".to_owned());
            }
        }
        self.check_no_fork();
    }

    pub(super) fn check_no_fork(&self) {
        for pair in &self.pairs {
            assert!(pair.went_on.len() <= 1, "E6-no-fork: {pair:?}");
        }
    }

    /// Everything that is on its way is lost, and from then on nothing is.
    pub(super) fn quiet_down(&mut self) {
        self.wire.clear();
        for at in 0..self.stores.len() {
            self.hello(at);
            self.deliver_all();
            while !self.stores[at].queue.is_empty() {
                assert!(!self.stores[at].stopped && self.stores[at].is_welcome, "{:?}", self.stores[at]);
                self.send(at, 0, 3);
                self.deliver_all();
            }
        }
    }

    fn deliver_all(&mut self) {
        while !self.wire.is_empty() {
            let sent = self.wire.remove(0);
            let answer = self.apply(&sent);
            let next_session = self.session();
            self.stores[sent.store].hear(&answer, next_session);
        }
    }

    /// Each operation of each store was taken, at its place.
    pub(super) fn check_all_taken(&self) {
        for store in &self.stores {
            assert!(!store.stopped, "{store:?}");
            let taken =
                self.naive.taken.range((store.edge, store.incarnation, 0)..=(store.edge, store.incarnation, u64::MAX));
            let taken: Vec<_> = taken.map(|((_, _, sequence), id)| (*sequence, *id)).collect();
            let queued: Vec<_> = (1..).zip(store.ever.iter().copied()).collect();
            assert_eq!(taken, queued, "E1-exactly-once, E2-order");
        }
    }
}

/// What a command of operations led to.
fn taken(changes: &[Change]) -> Taken {
    let mut taken = Taken::default();
    for (place, change) in changes.iter().enumerate() {
        match &change.event.kind {
            EventKind::TwinReported(patch) => {
                let change = UplinkChange::Report { key: change.event.key.clone(), patch: patch.clone() };
                taken.effects.push(Named::of(&change).id);
            }
            EventKind::EdgeUplinkApplied { refusals, .. } => {
                assert_eq!(place, changes.len() - 1, "the session comes last");
                taken.refusals.extend(refusals.iter().map(|refusal| (refusal.sequence, refusal.reason)));
            }
            other => panic!("{} is nothing that an edge does", other.name()),
        }
    }
    taken
}
