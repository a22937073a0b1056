//! Rules of the protocol that can be broken, one at a time. Each has its place in the model where it is asked for.

/// One broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Operations of any epoch take effect (section 4, 3).
    NoEpochCheck,
    /// What was applied is applied again (4, 3).
    NoSkipping,
    /// Operations take effect over a gap (4, 3).
    NoGapCheck,
    /// Scope is not looked at (4, 3).
    NoScopeCheck,
    /// A dropped operation leaves a gap (4, 1).
    DropLeavesGap,
    /// What may have been sent is dropped (4, 1).
    DropSent,
    /// An operation that takes effect does not prove that its epoch is durable (4, 3).
    UsedEpochStaysOpen,
    /// The record keeps refusals of fewer operations than may be unanswered (4, 2).
    FewerRefusalsThanWindow,
    /// Results are told from whoever's record (4, 4).
    ResultsOfAnyEpoch,
    /// The edge forgets operations before their results are synced (4, 4).
    ForgetBeforeResults,
    /// The application is answered before the queue is synced (4, 1).
    AnswerBeforeSync,
    /// All stores are one incarnation (3, 2).
    NoIncarnation,
    /// Another incarnation is accepted whatever epoch it knows (3, 2).
    KnownEpochOfStranger,
    /// Another incarnation is accepted also when it was there before (3, 2).
    NoPastIncarnations,
    /// Another incarnation is always accepted: both of the above.
    AnyIncarnation,
    /// Without session ids a welcome that was lost is taken for a copy (3, 2a).
    NoSessionId,
    /// Only the newest epoch may be known (3, 2a: `unused_since`).
    OnlyNewestEpoch,
    /// Nobody compares what took effect with what was sent (3, 2b and 3, 4).
    NoSentSequence,
    /// Epochs begin again when an edge is made anew (3, 2).
    EpochsRestart,
    /// The session id is not synced before the hello (S1).
    HelloBeforeSync,
    /// Operations are sent in an epoch that is not synced (S2).
    EpochBeforeSync,
    /// Operations are sent before `sent_sequence` is synced (S3).
    SentBeforeSync,
    /// The cursor is synced before the items (5, 2).
    CursorBeforeItems,
    /// A mark is sent before its items (5, 3).
    MarkBeforeItems,
    /// Items that leave or enter by a change of a site are not told (5, 3).
    MembershipNotTold,
    /// Items that left the scope leave their revision behind (5, 2).
    Tombstones,
    /// What differs at the first mark is not repaired (6).
    NoRepair,
    /// Later items are sent before a difference is repaired (6, 1).
    ItemsDuringRepair,
    /// A node serves a session from behind the edge's cursor (3, 4).
    StaleNode,
}

/// The rules in force: all of them, or all but one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules(pub Option<Mutant>);

impl Rules {
    /// Whether this rule is broken.
    #[must_use]
    pub fn broken(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }
}
