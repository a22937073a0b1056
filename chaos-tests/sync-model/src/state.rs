//! What the world looks like between two steps: the cloud's records, each machine's store and memory, what is on its way.
//! It knows no rule; beside the parts that exist in life it holds a [`Ghost`], which remembers what no part knows.

use crate::Bounds;

/// The machine of the first edge.
pub(crate) const MAIN: usize = 0;
/// The machine of the second edge.
pub(crate) const OTHER: usize = 1;
/// A machine that got a copy of the first one's store.
pub(crate) const COPY: usize = 2;
/// No session id in memory.
pub(crate) const NO_SESSION: u8 = 0;

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// What is replicated.
    pub(crate) cloud: Cloud,
    /// The machines that exist.
    pub(crate) machines: [Option<Machine>; 3],
    /// What nodes proposed and what has not yet taken effect, in no order: kept sorted.
    pub(crate) flight: Vec<Proposal>,
    /// What may still happen.
    pub(crate) left: Bounds,
    /// What really happened.
    pub(crate) ghost: Ghost,
}

/// The cloud: one state, whichever node speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cloud {
    /// The sessions' records of both edges.
    pub(crate) records: [Option<Record>; 2],
    /// Sessions granted to each edge: its newest epoch, as the revision of a command is never used again.
    pub(crate) granted: [u8; 2],
    /// Items as of each revision, from revision 0 on.
    pub(crate) past: Vec<[Item; 2]>,
}

/// An item as the cloud has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    /// The edge it is assigned to.
    pub(crate) edge: usize,
    /// Its last own change.
    pub(crate) revision: u8,
}

/// `EdgeSession`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) incarnation: u8,
    pub(crate) past_incarnations: Vec<u8>,
    pub(crate) epoch: u8,
    pub(crate) session: u8,
    pub(crate) unused_since: u8,
    pub(crate) last_sequence: u8,
    /// Sequences of refused operations among the newest.
    pub(crate) refusals: Vec<u8>,
}

/// An operation in a queue, by number and by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Queued {
    pub(crate) sequence: u8,
    pub(crate) operation: u8,
}

/// What an edge knows of an operation's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fate {
    pub(crate) operation: u8,
    pub(crate) applied: bool,
}

/// What lies synced on an edge's disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) incarnation: u8,
    /// The newest epoch that is durable here.
    pub(crate) epoch: u8,
    pub(crate) session: u8,
    pub(crate) sent_sequence: u8,
    pub(crate) acknowledged: u8,
    pub(crate) next_sequence: u8,
    pub(crate) queue: Vec<Queued>,
    pub(crate) results: Vec<Fate>,
    pub(crate) replica: Replica,
}

/// The items at an edge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Replica {
    /// Revision of each item that is there.
    pub(crate) items: [Option<u8>; 2],
    pub(crate) cursor: u8,
    /// Whether the sums agreed at the cursor's mark, and nothing was written since.
    pub(crate) agreed: bool,
}

/// What a broken rule leaves in memory that ought to be on disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Memory {
    pub(crate) session: u8,
    pub(crate) results: Vec<Fate>,
    pub(crate) queue: Vec<Queued>,
    /// Revisions of what left the scope.
    pub(crate) tombstones: [u8; 2],
}

/// One machine with an edge's agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Machine {
    pub(crate) edge: usize,
    pub(crate) store: Store,
    pub(crate) memory: Memory,
    pub(crate) link: Link,
    /// It was told `EDGE_REPLACED`, or what comes to the same: it waits for a person.
    pub(crate) stopped: bool,
    /// Operations that its application queued.
    pub(crate) written: u8,
}

/// The newest stream of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Link {
    /// None.
    Down,
    /// Hello was sent.
    Opening,
    /// Welcome has arrived.
    Open(Session),
}

/// A session as its stream's two ends know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Session {
    pub(crate) epoch: u8,
    /// Which grant this was, in truth.
    pub(crate) grant: u8,
    /// What welcome said, until it is synced: `last_sequence` and refusals.
    pub(crate) welcome: Option<(u8, Vec<u8>)>,
    /// The next operation to send.
    pub(crate) next: u8,
    pub(crate) down: Down,
}

/// The down side of a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Down {
    /// What the node has told, as a revision; none before the first mark.
    pub(crate) told: Option<u8>,
    /// The node waits until the edge agrees.
    pub(crate) waits: bool,
    /// What is on its way to the edge, in order.
    pub(crate) stream: Vec<Message>,
    /// Items at the edge, before they are synced.
    pub(crate) items: [Option<u8>; 2],
}

/// From the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    /// An item, or that it is not there, as of a revision.
    Item { name: usize, revision: Option<u8>, at: u8 },
    /// Everything up to the revision was sent.
    Mark { revision: u8, check: bool },
    /// What the edge lacks and has too much, in one.
    Repair { revision: u8 },
}

/// A command on its way through the log. `stream` is the machine that would hear of it; none when that stream is gone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Proposal {
    /// `OpenEdgeSession`
    Open { stream: Option<usize>, edge: usize, incarnation: u8, epoch: u8, session: u8, sent: u8 },
    /// `ApplyUplink`; incarnation and grant are for the ghost.
    Apply { stream: Option<usize>, edge: usize, incarnation: u8, epoch: u8, grant: u8, queued: Vec<Queued> },
}

impl Proposal {
    /// The stream it was proposed for, while there is one.
    pub(crate) fn stream(&self) -> Option<usize> {
        match self {
            Self::Open { stream, .. } | Self::Apply { stream, .. } => *stream,
        }
    }

    /// Its stream is gone.
    pub(crate) fn outlive(&mut self) {
        match self {
            Self::Open { stream, .. } | Self::Apply { stream, .. } => *stream = None,
        }
    }
}

/// What happened to an operation in the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Outcome {
    pub(crate) incarnation: u8,
    pub(crate) sequence: u8,
    pub(crate) operation: u8,
    pub(crate) applied: bool,
}

/// What really happened, known to nobody.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Ghost {
    /// In order.
    pub(crate) outcomes: Vec<Outcome>,
    /// Operations whose only store is gone, or that a full queue dropped.
    pub(crate) gone: Vec<u8>,
    /// Stores made.
    pub(crate) incarnations: u8,
    /// Incarnations that had a session.
    pub(crate) had_session: Vec<u8>,
    /// Which machines may be told `EDGE_REPLACED`.
    pub(crate) replaceable: [bool; 3],
    /// Of a store and its copy: who had a session since the copy, and who had one after both had.
    pub(crate) connected: [bool; 2],
    pub(crate) went_on: [bool; 2],
    /// Breaches that are seen in a step and not in a state.
    pub(crate) breaches: Vec<Breach>,
}

/// A breach that is seen in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Breach {
    /// An effect of an old epoch.
    Fencing,
    /// An effect outside the scope.
    Scope,
    /// A store was told `EDGE_REPLACED` that was not.
    FalseAlarm,
    /// A mark came before what it stands for, or goes back.
    Mark,
}

impl Ghost {
    /// Notes a breach.
    pub(crate) fn note(&mut self, breach: Breach) {
        if !self.breaches.contains(&breach) {
            self.breaches.push(breach);
            self.breaches.sort_unstable();
        }
    }

    /// Whether an operation took effect, or was refused; none: neither.
    pub(crate) fn fate(&self, operation: u8) -> Option<bool> {
        self.outcomes.iter().find(|outcome| outcome.operation == operation).map(|outcome| outcome.applied)
    }
}

impl Cloud {
    /// The newest revision.
    pub(crate) fn revision(&self) -> u8 {
        u8::try_from(self.past.len() - 1).expect("few revisions")
    }

    /// Items as they are.
    pub(crate) fn items(&self) -> [Item; 2] {
        self.past[self.past.len() - 1]
    }

    /// What an edge's scope holds as of a revision.
    pub(crate) fn scope(&self, edge: usize, revision: u8) -> [Option<u8>; 2] {
        self.past[usize::from(revision)].map(|item| (item.edge == edge).then_some(item.revision))
    }
}

impl Store {
    /// An empty store.
    pub(crate) fn new(incarnation: u8) -> Self {
        Self {
            incarnation,
            epoch: 0,
            session: 100 + incarnation,
            sent_sequence: 0,
            acknowledged: 0,
            next_sequence: 1,
            queue: Vec::new(),
            results: Vec::new(),
            replica: Replica::default(),
        }
    }
}

impl Machine {
    /// A machine with an empty store.
    pub(crate) fn new(edge: usize, incarnation: u8) -> Self {
        Self {
            edge,
            store: Store::new(incarnation),
            memory: Memory::default(),
            link: Link::Down,
            stopped: false,
            written: 0,
        }
    }
}
