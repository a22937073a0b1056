//! State machine safety: whenever two nodes, or one node before and after a restart, are at the same revision, their chains of
//! hashes are the same there, so all events up to it are.
//!
//! Source: Ongaro and Ousterhout, figure 3; reliability notes C1 and 4.3 (hash auditor); design section 7 (the chain hash).

use std::collections::BTreeMap;

use anyhow::ensure;

/// A node was seen at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which node.
    pub node: u64,
    /// Where it was.
    pub revision: u64,
    /// The chain of hashes there.
    pub chain: [u8; 32],
}

/// Returns how many revisions were seen on two nodes or more, or twice.
///
/// # Errors
/// Names the first revision at which two differ.
pub fn check(seen: &[Place]) -> anyhow::Result<u64> {
    let mut firsts: BTreeMap<u64, (Place, bool)> = BTreeMap::new();
    for place in seen {
        let (first, compared) = firsts.entry(place.revision).or_insert((*place, false));
        ensure!(
            first.chain == place.chain,
            "C1: nodes {} and {} differ at revision {}",
            first.node,
            place.node,
            place.revision
        );
        *compared |= first != place;
    }
    Ok(firsts.values().filter(|(_, compared)| *compared).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_noticed() {
        let place = |node, revision, byte| Place { node, revision, chain: [byte; 32] };
        assert_eq!(check(&[place(1, 5, 7), place(2, 5, 7), place(1, 6, 8)]).expect("the same"), 1);
        assert!(check(&[place(1, 5, 7), place(2, 5, 8)]).is_err_and(|error| error.to_string().contains("C1")));
        assert!(check(&[place(1, 5, 7), place(1, 5, 8)]).is_err(), "one node that went another way after a restart");
    }
}
