//! Election safety: at most one node leads in a term.
//!
//! Source: Ongaro and Ousterhout, *In Search of an Understandable Consensus Algorithm*, figure 3; reliability notes R1.

use std::collections::BTreeMap;

use anyhow::ensure;

/// Somebody was seen to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leads {
    /// The term.
    pub term: u64,
    /// Who, by its own word.
    pub node: u64,
}

/// Returns how many terms had a leader.
///
/// # Errors
/// Names the first term with two.
pub fn check(seen: impl IntoIterator<Item = Leads>) -> anyhow::Result<u64> {
    let mut leaders = BTreeMap::new();
    for Leads { term, node } in seen {
        let first = *leaders.entry(term).or_insert(node);
        ensure!(first == node, "R1: nodes {first} and {node} both lead in term {term}");
    }
    Ok(leaders.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leaders_of_a_term_are_noticed() {
        let leads = |term, node| Leads { term, node };
        assert_eq!(check([leads(1, 1), leads(2, 3), leads(1, 1)]).expect("one each"), 2);
        assert!(check([leads(1, 1), leads(1, 2)]).is_err_and(|error| error.to_string().contains("R1")));
    }
}
