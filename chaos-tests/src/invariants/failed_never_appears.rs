//! C6 "definite failure is definite": a write that was answered with a failure or a refusal is not in the log. One whose
//! outcome is unknown is there once or not at all, and so is one that was accepted.
//!
//! Source: reliability notes C6; Jepsen's "aborted reads" (G1a) and duplicated effects of retries.

use anyhow::ensure;

use super::evidence::{Evidence, Told};
use crate::history::Outcome;

/// Returns how many patches were looked up.
///
/// # Errors
/// Names the first that is there too often.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    let mut checked = 0;
    for op in evidence.patches() {
        let places: Vec<u64> = evidence.facts.of_value(op.value).map(|fact| fact.revision).collect();
        let most = match op.outcome {
            Outcome::Ok | Outcome::Unknown => 1,
            Outcome::Refused | Outcome::Failed => 0,
        };
        ensure!(places.len() <= most, "C6: {} is in the log at {places:?}, {most} expected at most", Told(op));
        checked += 1;
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::good;
    use super::*;
    use crate::history::facts::{Fact, Facts, What};

    #[test]
    fn a_failed_write_in_the_log_is_noticed() {
        assert_eq!(check(&good()).expect("holds"), 3);
        for (outcome, holds) in [(Outcome::Unknown, true), (Outcome::Failed, false), (Outcome::Refused, false)] {
            let mut evidence = good();
            evidence.ops[0].outcome = outcome;
            assert_eq!(check(&evidence).is_ok(), holds, "{outcome:?}");
        }
    }

    #[test]
    fn a_second_effect_is_noticed() {
        let mut evidence = good();
        let again = Fact { revision: 5, index: 0, device: 1, what: What::Patched(10) };
        evidence.facts = Facts::new([evidence.facts.all(), &[again]].concat());
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("[2, 5]")));
    }
}
