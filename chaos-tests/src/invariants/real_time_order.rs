//! L1, the real-time half of promise 3: a write that begins after another call was answered gets a higher revision than that
//! answer named, and a linearizable read at least that one.
//!
//! Source: Herlihy & Wing 1990 by way of revisions (reliability notes 4.3, rule 4): with the order that the system claims at hand,
//! what is left to check is that it agrees with real time.

use anyhow::ensure;

use super::evidence::{Evidence, Told};
use crate::history::Kind;

/// Returns how many answers were compared with what was known before.
///
/// # Errors
/// Names the first answer out of order.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    let mut checked = 0;
    for (op, known) in evidence.ops.iter().zip(evidence.known_before()) {
        if !op.is_ok() || op.kind == Kind::LocalRead {
            continue;
        }
        let is_in_order = if op.kind.is_write() { op.revision > known } else { op.revision >= known };
        ensure!(is_in_order, "L1: revision {known} had been told before {} began", Told(op));
        checked += 1;
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{good, op};
    use super::*;

    #[test]
    fn a_stale_read_is_noticed() {
        assert_eq!(check(&good()).expect("in order"), 6);
        let mut evidence = good();
        evidence.ops.push(op(Kind::Read, 20, 3, (300, 310)));
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("revision 4 had been told")));
        evidence.ops[6].kind = Kind::LocalRead;
        assert!(check(&evidence).is_ok(), "a local read may be old");
        evidence.ops[6] = op(Kind::Read, 20, 3, (205, 310));
        assert!(check(&evidence).is_ok(), "it began before the write was answered");
    }

    #[test]
    fn a_write_before_its_time_is_noticed() {
        let mut evidence = good();
        evidence.ops.push(op(Kind::Patch, 40, 4, (300, 310)));
        assert!(check(&evidence).is_err());
    }
}
