//! L3: a condition is decided against the state at its commit, not against what the node had when the request came in. An
//! accepted conditional patch meets the version it asked for right before its revision; one that was refused met another
//! version at some moment between its beginning and the end.
//!
//! Source: RFC 9110 section 13 (If-Match); etcd's transactions; reliability notes L3.

use anyhow::ensure;

use super::evidence::{Evidence, Told};
use crate::history::{Kind, Op, Outcome};

/// Returns how many conditions were decided again.
///
/// # Errors
/// Names the first that was decided otherwise.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    let mut checked = 0;
    for (op, known) in evidence.ops.iter().zip(evidence.known_before()) {
        if op.kind != Kind::ConditionalPatch {
            continue;
        }
        match op.outcome {
            Outcome::Ok => ensure!(
                op.version == op.condition + 1,
                "L3: accepted although version {} was asked for: {}",
                op.condition,
                Told(op)
            ),
            Outcome::Refused => ensure!(
                could_be_refused(evidence, op, known),
                "L3: refused although nothing but the version asked for was there: {}",
                Told(op)
            ),
            Outcome::Failed | Outcome::Unknown => continue,
        }
        checked += 1;
    }
    Ok(checked)
}

/// Whether the device had another version at some revision from `known` on. Versions come from what others were told.
fn could_be_refused(evidence: &Evidence, op: &Op, known: u64) -> bool {
    let begins = evidence.ok().filter(|other| other.device == op.device && other.version > 0).find_map(|other| {
        let moment = evidence.facts.moment(op.device, other.revision)?;
        Some(i128::from(other.version) - i128::from(moment.version))
    });
    let Some(begins) = begins else { return true };
    let is_other = |version: u64| i128::from(version) + begins != i128::from(op.condition);
    let then = evidence.facts.moment(op.device, known);
    let later = evidence.facts.timeline(op.device).iter().filter(|moment| moment.revision > known);
    then.is_none_or(|moment| is_other(moment.version)) || later.map(|moment| moment.version).any(is_other)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::good;
    use super::*;

    #[test]
    fn a_lost_update_is_noticed() {
        let mut evidence = good();
        evidence.ops[2].kind = Kind::ConditionalPatch;
        evidence.ops[2].condition = 2;
        assert_eq!(check(&evidence).expect("it met version 2"), 1);
        evidence.ops[2].condition = 1;
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("L3: accepted")));
    }

    #[test]
    fn a_refusal_without_a_reason_is_noticed() {
        let mut evidence = good();
        let refused =
            Op { kind: Kind::ConditionalPatch, outcome: Outcome::Refused, condition: 4, value: 99, ..evidence.ops[5] };
        let refused = Op { revision: 0, version: 0, invoked_ns: 300, returned_ns: 310, ..refused };
        evidence.ops.push(refused);
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("L3: refused")));
        evidence.ops[6].condition = 3;
        assert!(check(&evidence).is_ok(), "version 4 was there");
    }
}
