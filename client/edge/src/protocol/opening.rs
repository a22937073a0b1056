//! How sessions begin and end: hello, welcome, goodbye, silence, and the reasons after which no link is opened any more.
//!
//! - Everything in a hello was written by an earlier step (S1): when the store was made, or with the welcome before.
//! - A welcome's epoch and the session id of the next hello are one write, and no frame of the epoch comes before it (S2).

use muster_planted::{self as planted, Bug};
use muster_proto::v1;
use muster_proto::v1::sync_request::Message;

use super::repair::Repair;
use super::{Loss, Protocol, Step, delay};

/// How long a hello may be without answer.
const WELCOME_MS: u64 = 15_000;
/// What is taken for the heartbeat when the cluster names none.
const HEARTBEAT_MS: u64 = 10_000;
/// More must not be unanswered: so many refusals are told again after a result was lost.
const WINDOW_OPERATIONS_MAX: u64 = 256;
/// Silence of so many heartbeats is the end of a link.
const HEARTBEATS: u64 = 3;

/// Reasons after which the store itself is of no use any more.
pub(crate) const OF_THE_STORE: [&str; 3] = ["EDGE_REPLACED", "SEQUENCE_FORGOTTEN", "STORE_IS_OLD"];
/// Reasons after which a person has to look: at the addresses, or at the cluster.
pub(crate) const OF_THE_CLUSTER: [&str; 2] = ["CLUSTER_MISMATCH", "CURSOR_FROM_THE_FUTURE"];

/// Why no link is opened any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Stable.
    pub reason: String,
    /// In words.
    pub message: String,
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Link {
    /// Whether the welcome came.
    pub(super) is_open: bool,
    pub(super) opened_ms: u64,
    pub(super) heard_ms: u64,
    pub(super) silence_ms: u64,
    pub(super) window_operations: u64,
    /// The next operation to send.
    pub(super) next_sequence: u64,
    /// Items heard on this stream, and how many of them the cluster knows of.
    pub(super) received_items: u64,
    pub(super) told_items: u64,
    /// Whether something is to be said with `received`.
    pub(super) tells: bool,
    /// Whether a mark came.
    pub(super) is_marked: bool,
    /// Whether the newest mark agreed.
    pub(super) agrees: bool,
    pub(super) repair: Option<Repair>,
    /// At the next mark contents are to be compared, and the number under which.
    pub(super) verify: Option<u64>,
    /// Repairs in a row that did not lead to agreement.
    pub(super) vain_repairs: u32,
    /// Goes out after `received`.
    pub(super) questions: Vec<Message>,
    /// What the cluster asked for when it said goodbye, milliseconds.
    pub(super) return_after_ms: Option<u32>,
}

impl Link {
    fn new(now_ms: u64) -> Self {
        Self {
            is_open: false,
            opened_ms: now_ms,
            heard_ms: now_ms,
            silence_ms: HEARTBEATS * HEARTBEAT_MS,
            window_operations: 0,
            next_sequence: 0,
            received_items: 0,
            told_items: 0,
            tells: false,
            is_marked: false,
            agrees: false,
            repair: None,
            verify: None,
            vain_repairs: 0,
            questions: Vec::new(),
            return_after_ms: None,
        }
    }
}

impl Protocol {
    /// Why no link is opened any more; `None` while there are to be links.
    #[must_use]
    pub fn stopped(&self) -> Option<Stopped> {
        if self.state.stopped_reason.is_empty() {
            return self.stopped.clone();
        }
        let (reason, message) = (self.state.stopped_reason.clone(), self.state.stopped_message.clone());
        Some(Stopped { reason, message })
    }

    /// When the next link may be opened; `None` when none is to be.
    #[must_use]
    pub fn next_link_ms(&self) -> Option<u64> {
        self.stopped().is_none().then_some(self.next_link_ms)
    }

    pub(super) fn open(&mut self, now_ms: u64, step: &mut Step) {
        self.link = Some(Link::new(now_ms));
        step.say(Message::Hello(v1::SyncHello {
            edge: self.state.edge.clone(),
            cluster_id: self.state.cluster_id.clone(),
            incarnation: self.state.incarnation.clone(),
            epoch: self.state.epoch,
            session: self.state.session.clone(),
            cursor: self.state.cursor,
            window_items: self.settings.window_items,
            agent_version: self.settings.agent_version.clone(),
            sent_sequence: self.state.sent,
            verifies: true,
        }));
    }

    pub(super) fn welcome(&mut self, welcome: &v1::SyncWelcome, now_ms: u64, step: &mut Step) {
        let header = welcome.header.clone().unwrap_or_default();
        if !self.state.cluster_id.is_empty() && self.state.cluster_id != header.cluster_id {
            let message =
                format!("this edge belongs to cluster {}, not to {}", self.state.cluster_id, header.cluster_id);
            return self.stop("CLUSTER_MISMATCH", &message, step);
        }
        if welcome.last_sequence < self.state.acknowledged {
            let message = format!(
                "the cluster knows of operation {} and answered for {} before: it has lost answered operations",
                welcome.last_sequence, self.state.acknowledged
            );
            return self.stop("SEQUENCE_FORGOTTEN", &message, step);
        }
        if welcome.last_sequence > self.state.sent {
            let message = format!(
                "the cluster has operation {} and the newest sent from here is {}: this store is older than what was sent from it",
                welcome.last_sequence, self.state.sent
            );
            return self.stop("STORE_IS_OLD", &message, step);
        }
        if welcome.epoch <= self.state.epoch && !planted::is(Bug::EdgeEpochGoesBack) {
            return step.close(format!("epoch {} is not above {}", welcome.epoch, self.state.epoch));
        }
        let session = self.new_session();
        let state = self.state_mut();
        state.epoch = welcome.epoch;
        state.cluster_id = header.cluster_id;
        state.session = session.into();
        if welcome.limits.is_some() {
            state.limits = welcome.limits;
        }
        state.feature_level = welcome.feature_level;
        self.counts.sessions += 1;
        let heartbeat = if welcome.heartbeat_ms == 0 { HEARTBEAT_MS } else { u64::from(welcome.heartbeat_ms) };
        if let Some(link) = &mut self.link {
            link.is_open = true;
            link.heard_ms = now_ms;
            link.silence_ms = heartbeat.saturating_mul(HEARTBEATS);
            link.window_operations = u64::from(welcome.window_operations).clamp(1, WINDOW_OPERATIONS_MAX);
            link.next_sequence = welcome.last_sequence + 1;
        }
        self.take_result(welcome.last_sequence, &welcome.refusals, header.revision, step);
        // Nothing of an older epoch takes effect any more (E3): what is beyond is as good as never sent.
        self.state_mut().sent = welcome.last_sequence;
    }

    fn new_session(&mut self) -> Vec<u8> {
        let halves = [(self.chance)(), (self.chance)()];
        halves.iter().flat_map(|half| half.to_le_bytes()).collect()
    }

    pub(super) fn goodbye(&mut self, goodbye: &v1::SyncGoodbye, step: &mut Step) {
        if let Some(link) = &mut self.link {
            link.return_after_ms = Some(goodbye.reconnect_after_ms);
        }
        step.close(format!("the cluster said goodbye: {}", goodbye.reason));
    }

    pub(super) fn tick(&mut self, now_ms: u64, step: &mut Step) {
        let Some(link) = &self.link else { return };
        if !link.is_open && now_ms.saturating_sub(link.opened_ms) > WELCOME_MS {
            step.close(format!("no welcome within {WELCOME_MS} ms"));
        } else if link.is_open && now_ms.saturating_sub(link.heard_ms) > link.silence_ms {
            step.close(format!("nothing was heard for {} ms", link.silence_ms));
        }
    }

    pub(super) fn lose(&mut self, loss: &Loss, now_ms: u64) {
        let goodbye = self.link.take().and_then(|link| link.return_after_ms);
        self.counts.losses += 1;
        self.last_loss.clone_from(&loss.message);
        if OF_THE_STORE.contains(&loss.reason.as_str()) || OF_THE_CLUSTER.contains(&loss.reason.as_str()) {
            return self.note_stop(&loss.reason, &loss.message);
        }
        self.failures = self.failures.saturating_add(1);
        let chance = (self.chance)();
        let wait = match (goodbye, loss.retry_after) {
            (Some(asked), _) => delay::asked(std::time::Duration::from_millis(asked.into()), chance),
            (None, Some(asked)) => delay::asked(asked, chance),
            (None, None) if loss.is_denied => delay::longest(chance),
            (None, None) => delay::after(self.failures, chance),
        };
        self.next_link_ms = now_ms + wait;
    }

    fn stop(&mut self, reason: &str, message: &str, step: &mut Step) {
        self.note_stop(reason, message);
        step.close(format!("{reason}: {message}"));
    }

    fn note_stop(&mut self, reason: &str, message: &str) {
        if OF_THE_STORE.contains(&reason) {
            let state = self.state_mut();
            reason.clone_into(&mut state.stopped_reason);
            message.clone_into(&mut state.stopped_message);
        } else {
            self.stopped = Some(Stopped { reason: reason.to_owned(), message: message.to_owned() });
        }
    }
}
