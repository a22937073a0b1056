//! What the cluster keeps of an edge's sessions: who has the newest epoch, and how far its operations have come.
//!
//! - The epoch only rises, also over the deletion and re-creation of the edge.
//! - Per incarnation the sequence only rises, and refusals are those of its newest operations.

use crate::limits::{INCARNATIONS_KEPT, REFUSAL_CHARS_MAX, REFUSALS_KEPT};
use crate::{At, EventKind, Reason, Rejection};

/// The newest session of an edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeSession {
    /// The store that the edge speaks for.
    pub incarnation: [u8; 16],
    /// The newest epoch: operations of any other are fenced.
    pub epoch: u64,
    /// The session it was granted to.
    pub session: [u8; 16],
    /// The node that opened it.
    pub node_id: u64,
    /// When, milliseconds since the epoch of time.
    pub opened_ms: u64,
    /// Operations of the incarnation up to this one have taken effect or were refused.
    pub last_sequence: u64,
    /// Those that were refused among the newest [`REFUSALS_KEPT`], ascending.
    pub refusals: Vec<Refusal>,
    /// All epochs from this one on were granted to `session`, and nothing was sent in any of them yet; 0: something was.
    ///
    /// A store that has sent in an epoch knows it, so from then on `session` alone proves nothing: whoever comes with it is
    /// a copy that was made before. Until then each of these epochs is as good as the newest, because a hello may reach the
    /// log more than once, and its welcomes in another order.
    pub unused_since: u64,
    /// The newest [`INCARNATIONS_KEPT`] stores before this one, the newest last. They never go on.
    pub past_incarnations: Vec<[u8; 16]>,
}

/// An operation of an edge that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its number.
    pub sequence: u64,
    /// Why.
    pub reason: Reason,
    /// A sentence, cut to 256 characters.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(sequence: u64, rejection: &Rejection) -> Self {
        let message = rejection.message.chars().take(REFUSAL_CHARS_MAX).collect();
        Self { sequence, reason: rejection.reason, message }
    }
}

impl EdgeSession {
    /// The session after `event`; `before` is what there was. An event of another kind leaves it as it is.
    #[must_use]
    pub(crate) fn evolve(before: Option<&Self>, event: &EventKind, at: At) -> Self {
        let mut next = before.cloned().unwrap_or_default();
        match event {
            EventKind::EdgeSessionOpened { incarnation, epoch, session, node_id } => {
                if before.is_some_and(|before| before.incarnation != *incarnation) {
                    next = next.replaced();
                }
                if next.session != *session || next.unused_since == 0 {
                    next.unused_since = *epoch;
                }
                next.incarnation = *incarnation;
                next.epoch = *epoch;
                next.session = *session;
                next.node_id = *node_id;
                next.opened_ms = at.time_ms;
            }
            EventKind::EdgeUplinkApplied { last_sequence, refusals } => {
                next.last_sequence = *last_sequence;
                next.unused_since = 0;
                next.refusals.extend(refusals.iter().cloned());
                next.refusals.retain(|refusal| refusal.sequence.saturating_add(REFUSALS_KEPT) > *last_sequence);
            }
            _ => {}
        }
        next
    }

    /// Where another store begins.
    fn replaced(self) -> Self {
        let mut past_incarnations = self.past_incarnations;
        past_incarnations.push(self.incarnation);
        let forgotten = past_incarnations.len().saturating_sub(INCARNATIONS_KEPT);
        past_incarnations.drain(..forgotten);
        Self { past_incarnations, ..Self::default() }
    }
}
