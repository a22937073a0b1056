//! C7 and C8: revisions count 1, 2, 3 without a gap, and a device's life begins and ends by turns: it is not created while it is
//! there, not deleted or patched while it is not, and versions told of it never go back, not even over its deletion.
//!
//! Source: design sections 1 and 7 (a re-created id never goes backwards); etcd #13766 and #17780 (revisions that went back).

use std::collections::BTreeMap;

use anyhow::ensure;

use super::evidence::{Evidence, Told};
use crate::history::facts::What;

/// Returns how many events were followed.
///
/// # Errors
/// Names the first event or answer that does not follow from those before it.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    let (mut last, mut living) = ((0, 0), BTreeMap::new());
    for fact in evidence.facts.all() {
        let follows =
            (fact.revision == last.0 + 1 && fact.index == 0) || (fact.revision, fact.index) == (last.0, last.1 + 1);
        ensure!(follows, "C8: {fact:?} follows {last:?}");
        last = (fact.revision, fact.index);
        let lives = living.entry(fact.device).or_insert(false);
        match fact.what {
            What::Created => ensure!(!std::mem::replace(lives, true), "C7: created while it is there: {fact:?}"),
            What::Deleted => ensure!(std::mem::replace(lives, false), "C7: deleted while it is not there: {fact:?}"),
            What::Patched(_) => ensure!(*lives, "C7: patched while it is not there: {fact:?}"),
            What::Other => {}
        }
    }
    versions_rise(evidence)?;
    Ok(evidence.facts.all().len() as u64)
}

fn versions_rise(evidence: &Evidence) -> anyhow::Result<()> {
    let mut told: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for op in evidence.ok().filter(|op| op.kind.is_patch() && op.version > 0) {
        told.entry(op.device).or_default().push(op);
    }
    for ops in told.values_mut() {
        ops.sort_unstable_by_key(|op| op.revision);
        for two in ops.windows(2) {
            let rises = two[1].version > two[0].version || two[1].revision == two[0].revision;
            ensure!(rises, "C7: versions went back: {}, then {}", Told(two[0]), Told(two[1]));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::good;
    use super::*;
    use crate::history::facts::{Fact, Facts};

    fn with(revision: u64, what: What) -> Evidence {
        let mut evidence = good();
        let fact = Fact { revision, index: 0, device: 1, what };
        evidence.facts = Facts::new([evidence.facts.all(), &[fact]].concat());
        evidence
    }

    #[test]
    fn gaps_and_wrong_turns_are_noticed() {
        assert_eq!(check(&good()).expect("in order"), 4);
        assert!(check(&with(5, What::Deleted)).is_ok());
        assert!(check(&with(6, What::Deleted)).is_err_and(|error| error.to_string().contains("C8")));
        assert!(check(&with(5, What::Created)).is_err_and(|error| error.to_string().contains("C7")));
    }

    #[test]
    fn a_version_that_goes_back_is_noticed() {
        let mut evidence = good();
        evidence.ops[4].version = 2;
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("versions went back")));
    }
}
