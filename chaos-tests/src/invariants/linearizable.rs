//! L1 again, without trusting a single revision: per device, the calls of clients can be put into one order that agrees with real
//! time and in which each read tells what was written last.
//!
//! A device is a register, and each value is written once, so which write a read saw is known and the question can be decided
//! exactly in O(n log n): Gibbons & Korach, *Testing Shared Memories* (SIAM J. Comput. 26(4), 1997), section 4. The calls that
//! have to do with one value form a cluster; its *zone* lies between the earliest end and the latest beginning of its calls. It
//! is a forward zone when that end comes first, else a backward one. The history is linearizable if and only if no read ends
//! before its write begins, no two forward zones overlap, and no backward zone lies within a forward zone.
//!
//! - A write with an unknown outcome counts if its value was read; it then has no end of its own. If it was not read, it can be
//!   put at the end or left out.
//! - Linearizability is local (Herlihy & Wing 1990, theorem 1): devices are checked one by one.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{bail, ensure};

use super::evidence::Evidence;
use crate::history::{Kind, Op, Outcome};

/// The calls that have to do with one value of a device.
#[derive(Debug)]
#[expect(dead_code, reason = "the value is there for failures to show")]
struct Cluster {
    value: u64,
    write_begins: u64,
    /// The earliest end of a call.
    first_end: u64,
    /// The latest beginning of a call.
    last_begin: u64,
    is_read: bool,
    /// Somebody was told that the write holds.
    is_sure: bool,
}

/// Returns how many calls were put in order.
///
/// # Errors
/// Names the first device without an order, and two values that contradict each other.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    // What dies is no register; its reads are checked by their revisions.
    let mortal: BTreeSet<u32> = evidence.ops.iter().filter(|op| op.kind == Kind::Delete).map(|op| op.device).collect();
    let mut by_device: BTreeMap<u32, Vec<&Op>> = BTreeMap::new();
    for op in evidence.ops.iter().filter(|op| op.kind.is_patch() || op.kind == Kind::Read) {
        if !mortal.contains(&op.device) {
            by_device.entry(op.device).or_default().push(op);
        }
    }
    by_device.iter().try_for_each(|(device, ops)| check_device(*device, ops))?;
    Ok(by_device.values().map(|ops| ops.len() as u64).sum())
}

fn check_device(device: u32, ops: &[&Op]) -> anyhow::Result<()> {
    let (mut forward, mut backward): (Vec<Cluster>, Vec<Cluster>) = clusters(device, ops)?
        .into_values()
        .filter(|cluster| cluster.is_sure || cluster.is_read)
        .partition(|cluster| cluster.first_end < cluster.last_begin);
    forward.sort_unstable_by_key(|cluster| cluster.first_end);
    for two in forward.windows(2) {
        let (one, other) = (&two[0], &two[1]);
        ensure!(
            one.last_begin <= other.first_end,
            "not linearizable: on c{device} neither of {one:?} and {other:?} can come first"
        );
    }
    backward.sort_unstable_by_key(|cluster| cluster.last_begin);
    for cluster in &backward {
        let within = forward.partition_point(|zone| zone.first_end < cluster.last_begin);
        // Forward zones do not overlap here, so that only the last one that begins before it may hold it.
        if let Some(zone) = forward[..within].last() {
            ensure!(
                cluster.first_end >= zone.last_begin,
                "not linearizable: on c{device} {cluster:?} falls within {zone:?}, which was read before and after it"
            );
        }
    }
    Ok(())
}

/// Value 0 is what the device has before anything is written.
fn clusters(device: u32, ops: &[&Op]) -> anyhow::Result<BTreeMap<u64, Cluster>> {
    let initial = Cluster { value: 0, write_begins: 0, first_end: 0, last_begin: 0, is_read: false, is_sure: true };
    let mut clusters = BTreeMap::from([(0, initial)]);
    for op in ops.iter().filter(|op| op.kind.is_patch()) {
        let (end, is_sure) = match op.outcome {
            Outcome::Ok => (op.returned_ns, true),
            Outcome::Unknown => (u64::MAX, false),
            Outcome::Refused | Outcome::Failed => continue,
        };
        let (value, begin) = (op.value, op.invoked_ns);
        let cluster =
            Cluster { value, write_begins: begin, first_end: end, last_begin: begin, is_read: false, is_sure };
        ensure!(clusters.insert(value, cluster).is_none(), "value {value:#x} was written twice by the test itself");
    }
    for op in ops.iter().filter(|op| op.kind == Kind::Read && op.is_ok()) {
        let Some(cluster) = clusters.get_mut(&op.value) else {
            bail!("not linearizable: on c{device} {:#x} was read, which was never written, or refused", op.value);
        };
        ensure!(
            op.returned_ns >= cluster.write_begins,
            "not linearizable: on c{device} {:#x} was read before it was written",
            op.value
        );
        cluster.first_end = cluster.first_end.min(op.returned_ns);
        cluster.last_begin = cluster.last_begin.max(op.invoked_ns);
        cluster.is_read = true;
    }
    Ok(clusters)
}

#[cfg(test)]
mod tests;
