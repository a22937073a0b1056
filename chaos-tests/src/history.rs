//! What clients did and what they were told: the only witness the checks trust.
//!
//! - Each call is recorded once, when it is over, with the instants at which it began and ended. All instants come from one
//!   monotonic clock, because all clients run in one process: there is no skew to allow for.
//! - A call that was given up is recorded as [`Outcome::Unknown`]; nothing is left out.
//! - It knows neither nodes nor faults, and draws no conclusions.

pub mod facts;
pub mod file;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// One patch of a twin.
    Patch = 1,
    /// A patch that holds only for one version of the twin, [`Op::condition`].
    ConditionalPatch = 2,
    /// A patch on a stream of patches.
    StreamedPatch = 3,
    /// A patch in an atomic batch; [`Op::condition`] is the number of the batch.
    BatchedPatch = 4,
    /// A linearizable read of a twin.
    Read = 5,
    /// A read of what one node has.
    LocalRead = 6,
    /// The creation of a device.
    Create = 7,
    /// The deletion of a device.
    Delete = 8,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Patch,
        Self::ConditionalPatch,
        Self::StreamedPatch,
        Self::BatchedPatch,
        Self::Read,
        Self::LocalRead,
        Self::Create,
        Self::Delete,
    ];

    /// Whether it changes something.
    #[must_use]
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Read | Self::LocalRead)
    }

    /// Whether it writes a value of its own into a twin.
    #[must_use]
    pub fn is_patch(self) -> bool {
        self.is_write() && !matches!(self, Self::Create | Self::Delete)
    }
}

/// What became of it, as far as its client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Accepted, or answered.
    Ok = 1,
    /// Refused by the state of the registry: another version, already there, not there.
    Refused = 2,
    /// It certainly did not take place.
    Failed = 3,
    /// It may have taken place, or may do so yet.
    Unknown = 4,
}

/// One call, or one part of a batch or stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// Who.
    pub client: u16,
    /// What.
    pub kind: Kind,
    /// How it ended.
    pub outcome: Outcome,
    /// Number of the device.
    pub device: u32,
    /// Patches: the value written, like no other of the run. Reads: the value found, 0 for none.
    pub value: u64,
    /// See [`Kind`]; 0 otherwise.
    pub condition: u64,
    /// When [`Outcome::Ok`]: the revision of the write, or the one that the read is true at.
    pub revision: u64,
    /// When [`Outcome::Ok`]: the version of the twin after the write, or the one read; 0 where the answer has none.
    pub version: u64,
    /// Nanoseconds since the run began.
    pub invoked_ns: u64,
    /// Nanoseconds since the run began.
    pub returned_ns: u64,
}

impl Op {
    /// Whether the client was told that it holds.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }
}

/// Where clients write down what they did. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    began: Instant,
    ops: Arc<Mutex<Vec<Op>>>,
    acknowledged: Arc<AtomicU64>,
    failures: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { began: Instant::now(), ops: Arc::default(), acknowledged: Arc::default(), failures: Arc::default() }
    }
}

impl Recorder {
    /// Nanoseconds since the run began.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Adds a call that is over.
    pub fn add(&self, op: Op) {
        self.acknowledged.fetch_add((op.is_ok() && op.kind.is_write()).into(), Ordering::Relaxed);
        self.ops.lock().unwrap_or_else(PoisonError::into_inner).push(op);
    }

    /// Counts a failure by what it was called.
    pub fn note_failure(&self, name: String) {
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    }

    /// Failures by what they were called.
    #[must_use]
    pub fn failures(&self) -> BTreeMap<String, u64> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes that were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Takes everything out, by the time at which it ended.
    #[must_use]
    pub fn take(&self) -> Vec<Op> {
        let mut ops = std::mem::take(&mut *self.ops.lock().unwrap_or_else(PoisonError::into_inner));
        ops.sort_unstable_by_key(|op| op.returned_ns);
        ops
    }
}
