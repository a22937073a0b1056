//! The bugs: what each is called, which number of the plan for tests it has, which promise it breaks, and the mistake.
//!
//! Numbers are those of the list that the plan begins with; what came later has none. Where Muster is not built as the list
//! supposes (its Raft log is no RocksDB, it reads with no lease, it keeps no audit beside its log), the bug is the nearest
//! mistake that somebody could make here, and says so.

/// A promise, by its name in `chaos-tests/README.md`.
pub type Promise = &'static str;

macro_rules! bugs {
    ($($bug:ident $number:literal $promise:literal $name:literal $mistake:literal)*) => {
        /// A mistake that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $(#[doc = $mistake] $bug,)*
        }

        impl Bug {
            /// All of them, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$bug,)*];

            /// As [`crate::VARIABLE`] names it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$bug => $name,)* }
            }

            /// The promise that it breaks.
            #[must_use]
            pub const fn promise(self) -> Promise {
                match self { $(Self::$bug => $promise,)* }
            }

            /// What is done wrong.
            #[must_use]
            pub const fn mistake(self) -> &'static str {
                match self { $(Self::$bug => $mistake,)* }
            }

            /// Its number in the list that the plan begins with.
            #[must_use]
            pub const fn number(self) -> Option<u32> {
                let number = match self { $(Self::$bug => $number,)* };
                if number == 0 { None } else { Some(number) }
            }

            /// The bug of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|bug| bug.name() == name)
            }
        }
    };
}

bugs! {
    VoteNotSynced 1 "C5" "vote-not-synced" "a vote is answered before it is synced"
    AckedEarly 2 "C4" "acked-before-the-sync" "entries are acknowledged before they are written and synced"
    SyncSkipped 3 "C4" "sync-skipped" "the log's files are written and not synced (its WriteOptions.sync)"
    PositionApart 4 "C4" "position-apart" "the position is written beside the batch that it counts"
    RequestsNotReloaded 5 "E1" "requests-not-reloaded" "an installed snapshot's request ids are not read"
    RequestsByTheClock 6 "E1" "requests-by-the-clock" "request ids are forgotten by this machine's clock"
    LocalByDefault 7 "L1" "local-by-default" "reads that ask for nothing are local (there is no lease to read with)"
    NoReadBarrier 8 "L1" "no-read-barrier" "a node that has applied anything answers without asking a quorum"
    ReadBeforeTheTerm 9 "L1" "read-before-the-term-begins" "a new leader reads before an entry of its term is committed"
    ResumeOffByOne 10 "W5" "resume-off-by-one" "a watch goes on one revision too late"
    ProgressEarly 11 "W6" "progress-told-early" "events come with the head as their revision, though more are to come"
    DroppedWhenFull 12 "W4" "dropped-when-full" "what finds no room in a full window is left out in silence"
    FloorIgnored 13 "W8" "floor-not-looked-at" "a watch that falls right below the floor goes on"
    FloorSwept 14 "W8" "floor-swept-too" "the event at the floor is swept with those below it"
    ListJoinsLate 15 "W9" "list-joins-one-late" "a watch that begins with a list as of S goes on from S + 2"
    OrderOfAHash 16 "D1" "order-of-a-hash-map" "what is deleted together is deleted in the order of a hash map"
    ClockInApply 17 "D1" "clock-in-apply" "changes are dated by the clock of whoever applies them"
    EpochNotChecked 18 "E3" "epoch-not-checked" "operations of an edge's older session take effect"
    UplinkGap 19 "E2" "uplink-gap-accepted" "operations of an edge take effect over a gap"
    SyncErrorRetried 20 "R5" "sync-error-retried" "a sync that failed is tried again, and its success believed"
    DamageTakenForEnd 21 "C4" "damage-taken-for-the-end" "a damaged frame ends the log though later ones are whole"
    WipedMemberVotes 22 "C5" "wiped-member-votes" "a member without data takes part at once"
    VotersInTwoSteps 23 "C1" "voters-in-two-steps" "the replaced voter leaves before its replacement votes (joint consensus is openraft's)"
    FirstPermits 24 "S1" "first-operation-permits-all" "a batch is allowed by its first operation"
    AdmittedOnce 25 "W10" "admitted-once" "whether a watch's caller may go on is asked at its beginning only"
    ImagesWithTags 26 "S1" "images-with-tags" "images before and after show a device its twin's tags"
    NamespacePrefix 27 "S2" "namespace-by-its-beginning" "a namespace holds those whose names begin with its own"
    WindowUnbounded 28 "W11" "window-without-bound" "the window of a watch never lets go of anything"
    ElectionsTogether 29 "R3" "elections-together" "all members stand for election after the same silence"
    NoDeadline 30 "R3" "call-without-deadline" "a call to a peer waits as long as it takes"
    SessionsResumed 31 "S4" "sessions-resumed" "TLS sessions are resumed, with the identity of then"
    ActorLost 32 "S3" "actor-lost" "the log does not say who did it (there is no audit beside it)"
    IndexMissed 33 "D3" "index-missed-on-update" "the secondary key is not changed when a record is updated"
    UnknownEventSkipped 34 "D1" "unknown-event-skipped" "an event that this version does not know is passed over"

    GapInLog 0 "C2" "gap-in-the-log" "the log takes an entry that is not the next"
    SaltIgnored 0 "C2" "older-life-of-a-file" "frames of a file's life before are taken for its own"
    MarkNotLowered 0 "C4" "mark-not-lowered" "the high-water mark stays when the log is truncated"
    PurgedTooSoon 0 "C4" "purged-too-soon" "entries are purged before what they led to is durable"
    ChecksumIgnored 0 "R5" "checksum-ignored" "a stored record is read though its checksum does not match"
    SnapshotUnchecked 0 "D4" "snapshot-not-checked" "a file of a snapshot is taken without its hash"
    ChunkMisplaced 0 "D4" "chunk-out-of-place" "a chunk of a snapshot is written wherever the file ends"
    TwinsMarkedEarly 0 "C4" "twins-marked-early" "the mark of written twins moves before they are written"
    ChainUnlinked 0 "D2" "chain-without-link" "the chain hash covers the entry and not what was before it"
    TornView 0 "D3" "view-behind-its-revision" "columns are not brought up to date by a change of a twin alone"
    CheckpointUnchecked 0 "D3" "checkpoint-of-another-past" "a checkpoint of columns is used though its chain hash is another"
    ImageTooNew 0 "D3" "image-after-the-change" "what is told as of the past begins with a later image"
    EtagIgnored 0 "L3" "etag-ignored" "a change under a condition is made whatever is there by now"
    HalfABatch 0 "L4" "half-a-batch" "what a refused batch had done before the refusal stays"
    OtherBodyAnswered 0 "C6" "other-body-answered" "a request id that is used again answers for another request"
    RequestsOfAll 0 "S2" "requests-of-all-callers" "request ids are known without who sent them"
    VersionsRestart 0 "C7" "versions-start-again" "the versions of an id that is created again begin at 1"
    CursorGoesBack 0 "C7" "cursor-goes-back" "a cursor may be set to before what it has acknowledged"
    FloorFalls 0 "W8" "floor-falls" "a floor may be set to below what it was"
    RevokedStillValid 0 "S4" "revoked-token-passes" "a token that is gone is as good as one that never was asked for"
    NamespaceOfRole 0 "S2" "scope-of-role-ignored" "an operator of one namespace may change another"
    PeerUnproved 0 "S1" "peer-not-proved" "a peer is who it says it is, whatever its certificate"
    JoinedTwice 0 "S1" "join-token-twice" "a join token lets in a second node"
    KeyOfAnotherPlace 0 "S5" "key-of-another-place" "a sealed key opens under another name than its own"
    LearnerTooFar 0 "R3" "learner-promoted-behind" "a learner becomes a voter however far it is behind"
    QuorumAtRisk 0 "R3" "removal-loses-quorum" "a voter is removed though what is left has no majority that answers"
    MarkBeforeItems 0 "W6" "mark-before-items" "an edge's mark is opened without what changed since the one before"
    MoveNotTold 0 "S2" "move-not-told" "a device that moved to another edge stays in the scope of the first"
    EdgeEpochGoesBack 0 "E3" "edge-takes-an-older-epoch" "an edge goes on in an epoch that is not above its own"
    EdgeForgetsEarly 0 "E1" "edge-forgets-early" "an edge forgets operations when it sends them"
    EdgeSentUnwritten 0 "E1" "edge-sent-not-written" "an edge does not write how far it has sent"
    EdgeCursorEarly 0 "W6" "edge-cursor-before-items" "an edge moves its cursor to marks that do not agree"
    EdgeAnswersUnsynced 0 "E4" "edge-answers-unsynced" "an edge answers before what it queued is durable"
    EdgeDropsSent 0 "E1" "edge-drops-what-it-sent" "an edge with a full queue drops operations that it has sent"
}
