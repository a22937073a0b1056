//! No phantoms: each event of the workload's devices was asked for by a client, and for that device.
//!
//! Source: reliability notes 4.3, rule 3; the completeness half of linearizability that a check of acknowledged writes alone
//! does not see.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, ensure};

use super::evidence::Evidence;
use crate::history::facts::What;
use crate::history::{Kind, Outcome};

/// Returns how many events were traced back to their calls.
///
/// # Errors
/// Names the first event that nobody asked for.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    let asked: HashMap<u64, u32> = evidence.patches().map(|op| (op.value, op.device)).collect();
    let possible = |kind| -> HashSet<u32> {
        let ops = evidence.ops.iter().filter(|op| op.kind == kind);
        ops.filter(|op| matches!(op.outcome, Outcome::Ok | Outcome::Unknown)).map(|op| op.device).collect()
    };
    let (created, deleted) = (possible(Kind::Create), possible(Kind::Delete));
    let mut checked = 0;
    for fact in evidence.facts.all() {
        match fact.what {
            What::Patched(value) => {
                let device = asked.get(&value).with_context(|| format!("a phantom: nobody wrote {fact:?}"))?;
                ensure!(*device == fact.device, "a phantom: {fact:?} was written to c{device}");
            }
            What::Created => ensure!(created.contains(&fact.device), "a phantom: nobody created {fact:?}"),
            What::Deleted => ensure!(deleted.contains(&fact.device), "a phantom: nobody deleted {fact:?}"),
            What::Other => continue,
        }
        checked += 1;
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{good, op};
    use super::*;

    #[test]
    fn an_event_without_a_call_is_noticed() {
        let mut evidence = good();
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("nobody created")));
        evidence.ops.push(op(Kind::Create, 0, 1, (0, 1)));
        assert_eq!(check(&evidence).expect("all asked for"), 4);
        evidence.ops[0].device = 2;
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("was written to c2")));
        evidence.ops.remove(0);
        assert!(check(&evidence).is_err_and(|error| error.to_string().contains("nobody wrote")));
    }
}
