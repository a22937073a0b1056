//! A history in slices of time: how many calls ended in each, and how long they took.

use crate::history::{Op, Outcome};

/// Length of a slice.
pub(super) const SLICE_NS: u64 = 250_000_000;

/// One slice.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Slice {
    pub writes: f64,
    pub reads: f64,
    pub failed: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// All slices up to the end of the load.
pub(super) fn slices(ops: &[Op], end_ns: u64) -> Vec<Slice> {
    let count = usize::try_from(end_ns / SLICE_NS + 1).unwrap_or(usize::MAX);
    let mut slices = vec![Slice::default(); count];
    let mut latencies = vec![Vec::new(); count];
    for op in ops {
        let Some(place) = usize::try_from(op.returned_ns / SLICE_NS).ok().filter(|place| *place < count) else {
            continue;
        };
        let slice = &mut slices[place];
        match op.outcome {
            Outcome::Ok if op.kind.is_write() => slice.writes += 1.0,
            Outcome::Ok => slice.reads += 1.0,
            Outcome::Refused => continue,
            Outcome::Failed | Outcome::Unknown => slice.failed += 1.0,
        }
        latencies[place].push(super::super::availability::milliseconds(op.returned_ns - op.invoked_ns));
    }
    for (slice, latencies) in slices.iter_mut().zip(latencies) {
        let latencies = super::super::availability::Histogram::new(latencies);
        (slice.p50_ms, slice.p99_ms) = (latencies.percentile(50), latencies.percentile(99));
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Kind;
    use crate::invariants::evidence::sample::op;

    #[test]
    fn calls_fall_into_the_slice_of_their_end() {
        let ops = [op(Kind::Patch, 1, 1, (0, SLICE_NS - 1)), op(Kind::Read, 1, 1, (SLICE_NS - 1, SLICE_NS + 999_999))];
        let slices = slices(&ops, SLICE_NS * 2);
        assert_eq!((slices.len(), slices[0].writes, slices[1].reads), (3, 1.0, 1.0));
        assert!((slices[1].p99_ms - 1.0).abs() < 1e-6);
    }
}
