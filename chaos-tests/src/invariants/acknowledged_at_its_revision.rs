//! C4, promise 1 "acknowledged means durable on a quorum": each acknowledged write is in the event log at the revision it was
//! acknowledged with, and nowhere else.
//!
//! Source: design section 1; etcd's "durability" of its KV guarantees, with the position as well.

use anyhow::ensure;

use super::evidence::{Evidence, Told};
use crate::history::facts::What;
use crate::history::{Kind, Op};

/// Returns how many acknowledged writes were looked up.
///
/// # Errors
/// Names the first write that is not where it was acknowledged.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    let mut checked = 0;
    for op in evidence.ok().filter(|op| op.kind.is_write()) {
        let events = evidence.facts.at(op.revision);
        let is_there = events.iter().any(|fact| fact.device == op.device && fact.what == wanted(op));
        ensure!(is_there, "C4: lost or moved: {}; the log has {events:?} there", Told(op));
        checked += 1;
    }
    Ok(checked)
}

fn wanted(op: &Op) -> What {
    match op.kind {
        Kind::Create => What::Created,
        Kind::Delete => What::Deleted,
        _ => What::Patched(op.value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{good, op};
    use super::*;

    #[test]
    fn a_lost_write_is_noticed() {
        assert_eq!(check(&good()).expect("all there"), 3);
        let mut evidence = good();
        evidence.ops.push(op(Kind::Patch, 40, 5, (400, 410)));
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("C4")), "it is nowhere");
        evidence.ops.pop();
        evidence.ops[0].revision = 3;
        assert!(check(&evidence).is_err(), "it is elsewhere");
    }
}
