//! What a cluster should make of commands of edges, as plainly as it can be said: one operation after the other, by number.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::Reason;
use muster_domain::edge::UplinkChange;

/// An operation as a command has it, by the name of its device and the id in its patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) device: String,
    pub(super) id: u64,
    pub(super) valid: bool,
}

impl Named {
    pub(super) fn of(change: &UplinkChange) -> Self {
        let UplinkChange::Report { key, patch } = change else { panic!("plays have reports only") };
        let digits: String = patch.chars().filter(char::is_ascii_digit).collect();
        let id = digits.parse().expect("each patch has an id");
        Self { device: key.device().expect("of a twin").into(), id, valid: patch.starts_with('{') }
    }
}

/// The store that was there last.
#[derive(Debug, Clone)]
struct Current {
    incarnation: u8,
    last: u64,
}

/// What is known of one edge.
#[derive(Debug, Clone, Default)]
struct Edge {
    disabled: bool,
    /// The newest epoch ever granted, also before it was deleted.
    epoch: u64,
    current: Option<Current>,
}

/// The cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Naive {
    edges: [Edge; 2],
    /// The edge of each device.
    holders: BTreeMap<String, usize>,
    /// `E1`: what was taken, by edge, incarnation and sequence.
    pub(super) taken: BTreeMap<(usize, u8, u64), u64>,
    ids: BTreeSet<u64>,
}

/// What a command of operations should lead to: the ids that have an effect, and numbers and reasons of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) effects: Vec<u64>,
    pub(super) refusals: Vec<(u64, Reason)>,
}

impl Naive {
    pub(super) fn enable(&mut self, edge: usize, enabled: bool) {
        self.edges[edge].disabled = !enabled;
    }

    pub(super) fn recreate(&mut self, edge: usize) {
        self.edges[edge].current = None;
        self.edges[edge].disabled = false;
    }

    pub(super) fn give(&mut self, device: &str, to: Option<usize>) {
        match to {
            Some(edge) => self.holders.insert(device.into(), edge),
            None => self.holders.remove(device),
        };
    }

    /// A session was granted. Returns how far its operations have come.
    pub(super) fn granted(&mut self, edge: usize, incarnation: u8, epoch: u64) -> u64 {
        let edge = &mut self.edges[edge];
        assert!(!edge.disabled, "a disabled edge opens nothing");
        assert!(epoch > edge.epoch, "E3-fencing: epoch {epoch} is not above {}", edge.epoch);
        edge.epoch = epoch;
        match &edge.current {
            Some(current) if current.incarnation == incarnation => current.last,
            _ => {
                edge.current = Some(Current { incarnation, last: 0 });
                0
            }
        }
    }

    /// Takes what should be taken of the operations from number `first` on, and remembers it.
    pub(super) fn take(&mut self, of: usize, epoch: u64, first: u64, operations: &[Named]) -> Result<Taken, Reason> {
        let edge = &mut self.edges[of];
        if edge.disabled {
            return Err(Reason::EdgeDisabled);
        }
        let Some(current) = edge.current.as_mut().filter(|_| edge.epoch == epoch) else {
            return Err(Reason::EpochFenced);
        };
        if first > current.last + 1 {
            return Err(Reason::SequenceGap);
        }
        let mut taken = Taken::default();
        for (sequence, operation) in (first..).zip(operations) {
            if sequence <= current.last {
                continue;
            }
            assert_eq!(sequence, current.last + 1, "E2-order");
            current.last = sequence;
            let before = self.taken.insert((of, current.incarnation, sequence), operation.id);
            assert_eq!(before, None, "E1-exactly-once: number {sequence} of incarnation {}", current.incarnation);
            assert!(self.ids.insert(operation.id), "E1-exactly-once: operation {} again", operation.id);
            if self.holders.get(&operation.device) != Some(&of) {
                taken.refusals.push((sequence, Reason::OutsideScope));
            } else if operation.valid {
                taken.effects.push(operation.id);
            } else {
                taken.refusals.push((sequence, Reason::InvalidJson));
            }
        }
        Ok(taken)
    }
}
