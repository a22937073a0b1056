//! What the checks of a run look at: what clients were told, and the event log as it is in the end.

use std::fmt;

use crate::history::facts::Facts;
use crate::history::{Kind, Op};

/// Names of a call in a failure.
#[derive(Debug)]
pub struct Told<'a>(pub &'a Op);

impl fmt::Display for Told<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = self.0;
        write!(
            out,
            "{:?} of client {} on c{} (value {:#x}, condition {}, {:.6} s to {:.6} s): {:?} at revision {}, version {}",
            op.kind,
            op.client,
            op.device,
            op.value,
            op.condition,
            seconds(op.invoked_ns),
            seconds(op.returned_ns),
            op.outcome,
            op.revision,
            op.version
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a person to read")]
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// All there is to know of a run.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Every call, by the time at which it ended.
    pub ops: Vec<Op>,
    /// Every event.
    pub facts: Facts,
}

impl Evidence {
    /// Calls that were told to hold.
    pub fn ok(&self) -> impl Iterator<Item = &Op> {
        self.ops.iter().filter(|op| op.is_ok())
    }

    /// Patches, whatever became of them.
    pub fn patches(&self) -> impl Iterator<Item = &Op> {
        self.ops.iter().filter(|op| op.kind.is_patch())
    }

    /// For each call, in their order, the newest revision that somebody knew of before it began.
    #[must_use]
    pub fn known_before(&self) -> Vec<u64> {
        let mut begun: Vec<usize> = (0..self.ops.len()).collect();
        begun.sort_unstable_by_key(|position| self.ops[*position].invoked_ns);
        let (mut known, mut ended) = (0, self.ops.iter().peekable());
        let mut before = vec![0; self.ops.len()];
        for position in begun {
            while let Some(op) = ended.next_if(|op| op.returned_ns < self.ops[position].invoked_ns) {
                if op.is_ok() && op.kind != Kind::LocalRead {
                    known = op.revision.max(known);
                }
            }
            before[position] = known;
        }
        before
    }
}

/// Ops for tests of checks: a run in which client 1 does one thing after the other on device 1.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::history::Outcome;
    use crate::history::facts::{Fact, What};

    pub(crate) fn op(kind: Kind, value: u64, revision: u64, times: (u64, u64)) -> Op {
        Op {
            client: 1,
            kind,
            outcome: Outcome::Ok,
            device: 1,
            value,
            condition: 0,
            revision,
            version: revision,
            invoked_ns: times.0,
            returned_ns: times.1,
        }
    }

    /// Device 1 is created at revision 1, and gets 10, 20 and 30 at 2, 3 and 4.
    pub(crate) fn facts() -> Facts {
        let fact = |revision, what| Fact { revision, index: 0, device: 1, what };
        let patches = [(2, 10), (3, 20), (4, 30)].map(|(revision, value)| fact(revision, What::Patched(value)));
        Facts::new([vec![fact(1, What::Created)], patches.to_vec()].concat())
    }

    /// Writes of 10, 20 and 30, and a read after each of them; everything holds.
    pub(crate) fn good() -> Evidence {
        let mut ops = Vec::new();
        for (turn, value, revision) in [(0, 10, 2), (1, 20, 3), (2, 30, 4)] {
            ops.push(op(Kind::Patch, value, revision, (turn * 100, turn * 100 + 10)));
            ops.push(op(Kind::Read, value, revision, (turn * 100 + 20, turn * 100 + 30)));
        }
        Evidence { ops, facts: facts() }
    }

    #[test]
    fn revisions_are_known_once_told() {
        assert_eq!(good().known_before(), [0, 2, 2, 3, 3, 4]);
    }
}
