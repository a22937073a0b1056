//! An edge, a cluster and a link between them without threads, sockets and clocks: every message and every write is a step at
//! which something can break.
//!
//! The disk keeps what was synced; of what was not, a crash leaves nothing or all, as the fault says.

use std::collections::{BTreeMap, VecDeque};

use muster_edge::contents::Contents;
use muster_edge::index::Index;
use muster_edge::protocol::{Input, LinkState, Loss, Protocol, QueuePolicy, Settings, Step, Write};
use muster_edge::queue::Entry;
use muster_proto::stored::v1::{EdgeAgentQueued, EdgeAgentState};
use muster_proto::v1;
use muster_proto::v1::sync_operation::Operation;

use super::cloud::{Cloud, Stream};

/// Messages after which a world must have come to rest.
const PATIENCE: usize = 20_000;

/// One fault of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None.
    Nothing,
    /// The link breaks at the nth message, of both directions together; that message arrives, or not.
    Cut { at: usize, arrives: bool },
    /// The agent crashes at the nth write: before it, or after it and before anything is said.
    Crash { at: usize, after: bool },
}

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Disk {
    pub(crate) state: EdgeAgentState,
    pub(crate) items: BTreeMap<String, v1::SyncItem>,
    pub(crate) queue: BTreeMap<u64, EdgeAgentQueued>,
}

impl Disk {
    fn new(incarnation: u8) -> Self {
        let state = EdgeAgentState {
            edge: "namespaces/plant1/edges/press-hall".to_owned(),
            incarnation: vec![incarnation; 16].into(),
            session: vec![incarnation.wrapping_add(100); 16].into(),
            ..EdgeAgentState::default()
        };
        Self { state, ..Self::default() }
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::State(state) => self.state = (**state).clone(),
            Write::PutItem(item) => {
                self.items.insert(item.name.clone(), (**item).clone());
            }
            Write::RemoveItem(name) => {
                self.items.remove(name);
            }
            Write::Enqueue(key, queued) => {
                self.queue.insert(*key, (**queued).clone());
            }
            Write::Unqueue(key) => {
                self.queue.remove(key);
            }
        }
    }

    /// What it holds by content, as the store reads it.
    fn contents(&self) -> Contents {
        let items = self.items.clone();
        let hashes = items.iter().map(|(name, item)| (name.clone(), Contents::hash(item))).collect();
        Contents::new(hashes, Box::new(move |name| items.get(name).cloned()))
    }

    /// The agent as it starts from this disk.
    fn boot(&self, settings: &Settings, seed: u64) -> Protocol {
        let mut index = Index::default();
        self.items.values().for_each(|item| index.insert(&item.name, item.revision));
        let queue: Vec<Entry> = self
            .queue
            .iter()
            .map(|(key, queued)| Entry {
                key: *key,
                operation: queued.operation.clone().expect("an operation").into(),
                request_id: queued.request_id.clone(),
            })
            .collect();
        let waiting = queue.iter().filter(|entry| entry.key > self.state.acknowledged_key).count() as u64;
        assert_eq!(self.state.acknowledged + waiting, self.state.newest, "the queue has no gap");
        let mut next = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let chance = Box::new(move || {
            next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            next
        });
        Protocol::new(settings.clone(), self.state.clone(), index, queue, chance)
    }
}

#[derive(Default)]
struct Link {
    up: VecDeque<v1::SyncRequest>,
    down: VecDeque<v1::SyncResponse>,
    stream: Option<Stream>,
}

/// See the module.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) edge: Protocol,
    pub(crate) disk: Disk,
    synced: Disk,
    settings: Settings,
    link: Option<Link>,
    pub(crate) is_online: bool,
    pub(crate) now_ms: u64,
    fault: Fault,
    /// Messages and writes so far.
    pub(crate) messages: usize,
    pub(crate) writes: usize,
    pub(crate) crashes: usize,
    /// Texts of reports that the application was told are queued.
    pub(crate) told: Vec<String>,
}

impl World {
    pub(crate) fn new(fault: Fault) -> Self {
        Self::with(fault, 1_000, QueuePolicy::Refuse)
    }

    pub(crate) fn with(fault: Fault, queue_operations_max: usize, queue_policy: QueuePolicy) -> Self {
        let settings = Settings {
            queue_operations_max,
            queue_bytes_max: 1 << 20,
            queue_policy,
            window_items: 10,
            agent_version: "test".to_owned(),
        };
        let disk = Disk::new(1);
        let edge = disk.boot(&settings, 1);
        Self {
            cloud: Cloud::new(),
            edge,
            synced: disk.clone(),
            disk,
            settings,
            link: None,
            is_online: true,
            now_ms: 0,
            fault,
            messages: 0,
            writes: 0,
            crashes: 0,
            told: Vec::new(),
        }
    }

    /// A copy of this edge over another disk, beside the same cluster.
    pub(crate) fn start_from(&mut self, disk: Disk) {
        self.link = None;
        self.synced = disk.clone();
        self.disk = disk;
        self.boot();
    }

    fn boot(&mut self) {
        self.edge = self.disk.boot(&self.settings, self.now_ms + self.writes as u64 + 7);
    }

    /// The application reports; whether it was told that this is durable.
    pub(crate) fn report(&mut self, device: &str, text: &str) -> bool {
        let name = format!("namespaces/plant1/devices/{device}/twin");
        let report = v1::SyncReport { name, reported_json: text.to_owned() };
        let operation = v1::SyncOperation { queued_ms: 1_000, operation: Some(Operation::Report(report)) };
        let mut step = Step::default();
        let taken = self.edge.submit(operation, String::new(), &mut step).is_ok();
        let lived = self.end(step);
        if taken && lived {
            self.told.push(text.to_owned());
        }
        taken && lived
    }

    fn input(&mut self, input: Input) {
        let mut step = Step::default();
        self.edge.take(input, self.now_ms, &mut step);
        self.end(step);
    }

    /// Ends a step; whether the agent lived through it.
    fn end(&mut self, mut step: Step) -> bool {
        self.edge.finish(&mut step);
        if !step.writes.is_empty() {
            self.writes += 1;
            let crash = match self.fault {
                Fault::Crash { at, after } if at == self.writes => Some(after),
                _ => None,
            };
            if crash == Some(false) {
                self.crash();
                return false;
            }
            step.writes.iter().for_each(|write| self.disk.write(write));
            if step.durable {
                self.synced = self.disk.clone();
            }
            if crash == Some(true) {
                self.crash();
                return false;
            }
        }
        if let Some(link) = &mut self.link {
            link.up.extend(step.frames);
        }
        if step.reads_contents {
            self.input(Input::Contents(Some(self.disk.contents())));
        }
        if let Some(why) = step.close {
            self.link = None;
            self.input(Input::Lost(Loss { message: why, ..Loss::default() }));
        }
        true
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.link = None;
        self.disk = self.synced.clone();
        self.boot();
    }

    /// The application does not reach the cluster any more, or again.
    pub(crate) fn set_online(&mut self, is_online: bool) {
        self.is_online = is_online;
        if !is_online && self.link.take().is_some() {
            self.input(Input::Lost(Loss::default()));
        }
    }

    /// The cluster asks for a comparison of contents; whether there is a link that is in step.
    pub(crate) fn verify(&mut self, id: u64) -> bool {
        let Some(link) = self.link.as_mut().filter(|_| self.edge.link_state() == LinkState::InStep) else {
            return false;
        };
        let Some(stream) = &mut link.stream else { return false };
        link.down.extend(self.cloud.verify(stream, id));
        true
    }

    /// Time passes, and nothing is heard.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        self.input(Input::Tick);
    }

    /// Lets everything happen that can, time included, until nothing is under way.
    pub(crate) fn settle(&mut self) {
        for _ in 0..PATIENCE {
            if !self.step() {
                return;
            }
        }
        panic!("no rest after {PATIENCE} messages: {:?}", self.edge.link_state());
    }

    /// One message, or one try to connect; whether there was something to do.
    fn step(&mut self) -> bool {
        let Some(link) = &mut self.link else { return self.connect() };
        if let Some(frame) = link.up.pop_front() {
            return self.carry_up(frame);
        }
        if let Some(frame) = link.down.pop_front() {
            let arrives = self.count_message();
            if arrives != Some(false) {
                self.input(Input::Heard(Box::new(frame)));
            }
            if arrives.is_some() {
                self.cut(Loss::default());
            }
            return true;
        }
        let Some(stream) = &mut link.stream else { return false };
        let live = self.cloud.live(stream);
        let is_news = !live.is_empty();
        link.down.extend(live);
        is_news
    }

    fn connect(&mut self) -> bool {
        let Some(next) = self.edge.next_link_ms().filter(|_| self.is_online) else { return false };
        self.now_ms = self.now_ms.max(next);
        self.link = Some(Link::default());
        self.input(Input::Opened);
        true
    }

    fn carry_up(&mut self, frame: v1::SyncRequest) -> bool {
        let arrives = self.count_message();
        if arrives != Some(false)
            && let Some(link) = &mut self.link
        {
            match self.cloud.hear(&mut link.stream, frame) {
                Ok(answers) => link.down.extend(answers),
                Err(loss) => self.cut(loss),
            }
        }
        if arrives.is_some() {
            self.cut(Loss::default());
        }
        true
    }

    /// Counts a message; at the fault, whether it arrives before the link breaks.
    fn count_message(&mut self) -> Option<bool> {
        self.messages += 1;
        match self.fault {
            Fault::Cut { at, arrives } if at == self.messages => Some(arrives),
            _ => None,
        }
    }

    fn cut(&mut self, loss: Loss) {
        if self.link.take().is_some() {
            self.input(Input::Lost(loss));
        }
    }

    /// Everything that must hold at rest, with the link up.
    pub(crate) fn check_in_step(&self, context: &dyn std::fmt::Debug) {
        assert_eq!(self.edge.link_state(), LinkState::InStep, "{context:?}: {}", self.edge.last_loss());
        assert_eq!(self.disk.items, self.cloud.scope, "{context:?}: the edge holds the scope (E5)");
        assert_eq!(*self.edge.index().sum(), self.cloud.sum(), "{context:?}: and both sums say so");
        assert_eq!(self.disk.state.cursor, self.cloud.revision, "{context:?}: up to the newest revision (W6)");
        assert!(self.disk.queue.is_empty(), "{context:?}: nothing waits: {:?}", self.disk.queue);
        assert_eq!(self.edge.counts().defects, 0, "{context:?}: no repair where none is expected");
        self.check_effects(context);
    }

    /// E1, E2 and E4: every told report has one effect or one refusal, in order.
    pub(crate) fn check_effects(&self, context: &dyn std::fmt::Debug) {
        let mut sequences: Vec<u64> = self.cloud.effects.iter().map(|effect| effect.sequence).collect();
        sequences.extend(self.cloud.refused.iter().map(|(sequence, _)| *sequence));
        sequences.sort_unstable();
        let expected: Vec<u64> = (1..=self.disk.state.acknowledged).collect();
        assert_eq!(sequences, expected, "{context:?}: each number once, without a gap (E1, E2)");
        let in_order = self.cloud.effects.windows(2).all(|pair| pair[0].sequence < pair[1].sequence);
        assert!(in_order, "{context:?}: in order (E2)");
        let effects: Vec<&str> = self.cloud.effects.iter().map(|effect| effect.text.as_str()).collect();
        for text in &self.told {
            let times = effects.iter().filter(|effect| *effect == text).count();
            assert!(times <= 1, "{context:?}: {text} took effect {times} times (E1)");
            assert!(times == 1 || !self.cloud.refused.is_empty(), "{context:?}: {text} was told and is lost (E4)");
        }
        let places: Vec<_> =
            self.told.iter().filter_map(|text| effects.iter().position(|effect| effect == text)).collect();
        assert!(places.is_sorted(), "{context:?}: as the application was told (E2): {effects:?}");
    }
}
