//! The edge's side of the sync protocol as a state machine: frames, facts of the store and time go in; writes and frames come
//! out. It knows no network, no disk, no clock and no chance of its own.
//!
//! ```text
//!   opening.rs   hello, welcome, the ends of links      uplink.rs    queue, operations, results
//!   downlink.rs  items and marks                        repair.rs    finding what differs
//!   verify.rs    proving that contents are the same
//! ```
//!
//! **The rule of a step.** Whoever drives the machine makes the writes of a [`Step`] durable, all in one transaction, and
//! only then sends its frames and answers applications. Everything `sync.md` says about what is synced before what is said
//! follows from this one rule (S1, S2, E4, W6), because a step puts a frame and what it depends on side by side.
//!
//! - A [`Step`] without [`Step::durable`] need not be synced: losing it as a whole loses nothing that was said.
//! - After a crash the machine is made anew from what the store holds, and is as after [`Input::Lost`].

mod delay;
mod downlink;
mod opening;
mod repair;
mod uplink;
mod verify;

use std::collections::BTreeSet;
use std::time::Duration;

use muster_domain::Limits;
use muster_planted::{self as planted, Bug};
use muster_proto::stored::v1::{EdgeAgentQueued, EdgeAgentState};
use muster_proto::v1;
use muster_proto::v1::sync_request::Message;
use muster_proto::v1::sync_response::Message as Heard;

use crate::contents::Contents;
use crate::index::Index;
use crate::queue::{Entry, Queue};
use opening::Link;

pub use opening::Stopped;
#[cfg(test)]
pub(crate) use opening::{OF_THE_CLUSTER, OF_THE_STORE};
pub use uplink::Full;

/// What happens when the queue is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueuePolicy {
    /// New operations are refused.
    #[default]
    Refuse,
    /// The oldest operation that was never sent is dropped and counted; without one, new operations are refused.
    DropOldest,
}

/// Bounds of the machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Operations that may wait.
    pub queue_operations_max: usize,
    /// Their bytes.
    pub queue_bytes_max: usize,
    /// What happens beyond.
    pub queue_policy: QueuePolicy,
    /// Items that the cluster may send unasked.
    pub window_items: u32,
    /// Told to the cluster.
    pub agent_version: String,
}

/// Where random numbers come from.
pub type Chance = Box<dyn FnMut() -> u64 + Send>;

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A stream is about to be opened: its first frame is asked for.
    Opened,
    /// A frame of the stream.
    Heard(Box<v1::SyncResponse>),
    /// The stream has ended, or could not be opened.
    Lost(Loss),
    /// Time has passed.
    Tick,
    /// What the store holds, as a step asked with [`Step::reads_contents`]; nothing when it cannot be read.
    Contents(Option<Contents>),
}

/// Why a stream ended.
#[derive(Debug, Clone, Default)]
pub struct Loss {
    /// As in `google.rpc.ErrorInfo.reason`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// When the cluster wants the edge back.
    pub retry_after: Option<Duration>,
    /// Nothing but a person at the cluster can help: do not come back soon.
    pub is_denied: bool,
}

/// One change of the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// The state as a whole.
    State(Box<EdgeAgentState>),
    /// An item, new or in place of another.
    PutItem(Box<v1::SyncItem>),
    /// An item is gone.
    RemoveItem(String),
    /// An operation enters the queue.
    Enqueue(u64, Box<EdgeAgentQueued>),
    /// An operation leaves the queue.
    Unqueue(u64),
}

/// What is to be done: first the writes, then the frames.
#[derive(Debug, Default)]
pub struct Step {
    /// In order; one transaction.
    pub writes: Vec<Write>,
    /// Whether the transaction must be synced before anything else.
    pub durable: bool,
    /// In order, for the stream that is open.
    pub frames: Vec<v1::SyncRequest>,
    /// The stream must be ended, and why.
    pub close: Option<String>,
    /// Names whose item or pending operations changed.
    pub touched: BTreeSet<String>,
    /// Those of them for which an operation was dropped or refused: it will have no effect.
    pub unmade: BTreeSet<String>,
    /// A mark that agrees was reached.
    pub is_marked: bool,
    /// After the writes, the contents of the store are to be read and put in. Nothing changes them until then.
    pub reads_contents: bool,
}

impl Step {
    fn say(&mut self, message: Message) {
        self.frames.push(v1::SyncRequest { message: Some(message) });
    }

    fn close(&mut self, why: impl Into<String>) {
        self.close.get_or_insert_with(|| why.into());
    }
}

/// What the agent counts since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that were welcomed.
    pub sessions: u64,
    /// Links that were lost or could not be opened.
    pub losses: u64,
    /// Repairs at marks that ask for a check.
    pub repairs: u64,
    /// Repairs at other marks: defects.
    pub defects: u64,
    /// Items that repairs dropped or fetched.
    pub repaired_items: u64,
    /// Comparisons of contents.
    pub verifications: u64,
    /// Those of them in which something differed.
    pub verifications_differing: u64,
}

/// How the link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// No link.
    Offline,
    /// Hello was said.
    Opening,
    /// Welcomed, and not known to agree.
    Syncing,
    /// At the newest mark both sides agree.
    InStep,
    /// A person has to act.
    Stopped,
}

/// The machine.
pub struct Protocol {
    settings: Settings,
    state: EdgeAgentState,
    index: Index,
    queue: Queue,
    chance: Chance,
    link: Option<Link>,
    /// Links lost since the last one that came to a mark.
    failures: u32,
    /// When the next link may be opened.
    next_link_ms: u64,
    /// Why no link is opened any more, when that is not in the state.
    stopped: Option<Stopped>,
    /// What ended the newest link.
    last_loss: String,
    is_state_changed: bool,
    counts: Counts,
}

impl Protocol {
    /// The machine over what the store holds.
    #[must_use]
    pub fn new(settings: Settings, state: EdgeAgentState, index: Index, queue: Vec<Entry>, chance: Chance) -> Self {
        let queue = Queue::restored(queue, state.acknowledged_key, state.acknowledged_revision);
        Self {
            settings,
            state,
            index,
            queue,
            chance,
            link: None,
            failures: 0,
            next_link_ms: 0,
            stopped: None,
            last_loss: String::new(),
            is_state_changed: false,
            counts: Counts::default(),
        }
    }

    /// Takes in what happened at `now_ms`, a time that never goes back. Follow it with [`Self::finish`].
    pub fn take(&mut self, input: Input, now_ms: u64, step: &mut Step) {
        match input {
            Input::Opened => self.open(now_ms, step),
            Input::Lost(loss) => self.lose(&loss, now_ms),
            Input::Tick => self.tick(now_ms, step),
            Input::Heard(frame) => self.hear(*frame, now_ms, step),
            Input::Contents(contents) => self.take_contents(contents, step),
        }
    }

    fn hear(&mut self, frame: v1::SyncResponse, now_ms: u64, step: &mut Step) {
        let Some(link) = &mut self.link else { return };
        link.heard_ms = now_ms;
        let is_open = link.is_open;
        match frame.message {
            Some(Heard::Welcome(welcome)) if !is_open => self.welcome(&welcome, now_ms, step),
            Some(Heard::Goodbye(goodbye)) => self.goodbye(&goodbye, step),
            Some(Heard::Items(items)) if is_open => self.take_items(items.items, step),
            Some(Heard::Mark(mark)) if is_open => self.take_mark(mark, step),
            Some(Heard::OperationsResult(result)) if is_open => {
                self.take_result(result.last_sequence, &result.refusals, result.revision, step);
            }
            Some(Heard::Differences(differences)) if is_open => self.take_differences(differences, step),
            Some(Heard::Verify(verify)) if is_open => link.verify = Some(verify.id),
            // A kind of message that a later version brings.
            None => {}
            Some(_) => step.close("the cluster sent a message that does not belong here"),
        }
    }

    /// Ends a step, or several inputs taken into one: what may be sent by now, and the state if it changed.
    pub fn finish(&mut self, step: &mut Step) {
        let sent_before = self.state.sent;
        if step.close.is_none() {
            self.say_received(step);
            self.send_operations(step);
        }
        if std::mem::take(&mut self.is_state_changed) {
            let mut state = Box::new(self.state.clone());
            if planted::is(Bug::EdgeSentUnwritten) {
                state.sent = sent_before;
            }
            step.writes.push(Write::State(state));
            step.durable = !planted::is(Bug::EdgeAnswersUnsynced);
        }
    }

    /// Changes the state, which [`Self::finish`] writes.
    fn state_mut(&mut self) -> &mut EdgeAgentState {
        self.is_state_changed = true;
        &mut self.state
    }

    /// What is kept of session and queue.
    #[must_use]
    pub fn state(&self) -> &EdgeAgentState {
        &self.state
    }

    /// The cluster's limits of twins, as it said last; `usual` before it said any.
    #[must_use]
    pub fn limits(&self, usual: &Limits) -> Limits {
        let Some(told) = &self.state.limits else { return *usual };
        Limits {
            reported_bytes_max: told.reported_bytes_max,
            value_bytes_max: told.value_bytes_max,
            key_bytes_max: told.key_bytes_max,
            depth_max: told.depth_max,
            ..*usual
        }
    }

    /// What is held.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What waits.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What ended the newest link.
    #[must_use]
    pub fn last_loss(&self) -> &str {
        &self.last_loss
    }

    /// How the link is.
    #[must_use]
    pub fn link_state(&self) -> LinkState {
        match &self.link {
            _ if self.stopped().is_some() => LinkState::Stopped,
            None => LinkState::Offline,
            Some(link) if !link.is_open => LinkState::Opening,
            Some(link) if link.agrees => LinkState::InStep,
            Some(_) => LinkState::Syncing,
        }
    }
}
