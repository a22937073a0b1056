//! Promises 2 and 3, L1 and L2: an answer is true at the revision it names. A read tells the value and version that the log
//! gives its device there, be it linearizable or local; an acknowledged patch tells the version that it led to.
//!
//! Source: design section 1; reliability notes 4.3, rule 5 (replay the model, compare each answer).

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use super::evidence::{Evidence, Told};
use crate::history::Kind;

/// Returns how many answers were compared.
///
/// # Errors
/// Names the first answer that differs from the log.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    let mut checked = 0;
    // Versions count from each device's first life on; what they begin with is the domain's business.
    let mut begins: BTreeMap<u32, i128> = BTreeMap::new();
    for op in evidence.ok().filter(|op| op.kind.is_patch() || matches!(op.kind, Kind::Read | Kind::LocalRead)) {
        let moment = evidence.facts.moment(op.device, op.revision);
        let moment = moment.with_context(|| format!("L1: no such device then: {}", Told(op)))?;
        if !op.kind.is_patch() {
            ensure!(moment.exists, "L1: a deleted device was read: {}; the log has {moment:?}", Told(op));
            ensure!(moment.value == op.value, "L1: a wrong value was read: {}; the log has {moment:?}", Told(op));
        }
        checked += 1;
        // Over a deletion versions go on, but not one by one (see `lives_go_on`).
        if op.version > 0 && evidence.facts.timeline(op.device).iter().all(|moment| moment.exists) {
            let begin = i128::from(op.version) - i128::from(moment.version);
            let before = *begins.entry(op.device).or_insert(begin);
            ensure!(
                before == begin,
                "L1: a wrong version: {}; the log counts {moment:?}, and others begin at {before}",
                Told(op)
            );
        }
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::good;
    use super::*;

    #[test]
    fn a_value_of_another_revision_is_noticed() {
        assert_eq!(check(&good()).expect("all true"), 6);
        for kind in [Kind::Read, Kind::LocalRead] {
            let mut evidence = good();
            evidence.ops[3].kind = kind;
            evidence.ops[3].value = 10;
            assert!(check(&evidence).is_err_and(|error| error.to_string().contains("wrong value")));
        }
    }

    #[test]
    fn a_version_that_does_not_count_is_noticed() {
        let mut evidence = good();
        evidence.ops[4].version += 1;
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("wrong version")));
    }
}
