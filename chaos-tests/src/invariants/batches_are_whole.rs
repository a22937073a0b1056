//! L4: an atomic batch takes effect whole, at one revision, or not at all, also where its client does not know.
//!
//! Source: design section 6 (batch forms); etcd's transactions; reliability notes L4.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::evidence::{Evidence, Told};
use crate::history::{Kind, Op};

/// Returns how many batches were put together again.
///
/// # Errors
/// Names the first that is in pieces.
pub fn check(evidence: &Evidence) -> anyhow::Result<u64> {
    let mut batches: BTreeMap<(u16, u64), Vec<&Op>> = BTreeMap::new();
    for op in evidence.ops.iter().filter(|op| op.kind == Kind::BatchedPatch) {
        batches.entry((op.client, op.condition)).or_default().push(op);
    }
    for parts in batches.values() {
        let places: Vec<Option<u64>> =
            parts.iter().map(|op| evidence.facts.of_value(op.value).next().map(|fact| fact.revision)).collect();
        ensure!(places.windows(2).all(|two| two[0] == two[1]), "L4: in pieces at {places:?}: {}", Told(parts[0]));
    }
    Ok(batches.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{facts, op};
    use super::*;

    #[test]
    fn half_a_batch_is_noticed() {
        let batch = |values: [u64; 2]| Evidence {
            ops: values.map(|value| Op { condition: 5, ..op(Kind::BatchedPatch, value, 2, (0, 10)) }).to_vec(),
            facts: facts(),
        };
        assert_eq!(check(&batch([77, 78])).expect("nothing of it"), 1);
        assert!(check(&batch([10, 78])).is_err_and(|error| error.to_string().contains("[Some(2), None]")));
        assert!(check(&batch([10, 20])).is_err_and(|error| error.to_string().contains("L4")), "two revisions");
    }
}
