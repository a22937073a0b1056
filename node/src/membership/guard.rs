//! The guard rails: what the leader refuses before anything is recorded. Pure functions over [`Facts`].

use muster_domain::{Reason, Rejection};
use muster_planted::{self as planted, Bug};

use super::MemberError;
use super::plan::Facts;

fn unknown(id: u64) -> MemberError {
    let message = format!("node {id} is not a member of the cluster; `muster cluster members` lists them");
    MemberError::Rejected(Rejection::new(Reason::NotFound, "node_id", message))
}

/// A learner becomes a voter only when it is close: a voter that lacks much of the log is one more that a majority needs
/// and none that helps.
pub(super) fn promote(facts: &Facts, id: u64) -> Result<(), MemberError> {
    let standing = facts.members.get(&id).ok_or_else(|| unknown(id))?;
    if facts.voters.contains(&id) {
        return Ok(());
    }
    let max = facts.lag_max;
    match standing.lag {
        Some(lag) if lag > max && !planted::is(Bug::LearnerTooFar) => Err(MemberError::FarBehind(format!(
            "node {id} is {lag} log entries behind the leader, and a new voter may be {max} behind; wait until it has \
             caught up"
        ))),
        Some(_) if standing.answers => Ok(()),
        _ => Err(MemberError::FarBehind(format!(
            "node {id} does not answer the leader, so how far behind it is is not known; start it and wait until it has \
             caught up"
        ))),
    }
}

/// What is left must be able to agree on something.
pub(super) fn remove(facts: &Facts, id: u64, force: bool) -> Result<(), MemberError> {
    // Admitted but not joined: no member yet, and nothing is lost.
    if !facts.members.contains_key(&id) {
        return if facts.nodes.contains_key(&id) { Ok(()) } else { Err(unknown(id)) };
    }
    if !facts.voters.contains(&id) {
        return Ok(());
    }
    let left: Vec<u64> = facts.voters.iter().copied().filter(|voter| *voter != id).collect();
    if left.is_empty() {
        return Err(MemberError::LastVoter(format!(
            "node {id} is the last voter; without it there is no cluster. Admit another node first, or replace this one"
        )));
    }
    let answering =
        left.iter().filter(|voter| facts.members.get(voter).is_some_and(|standing| standing.answers)).count();
    let needed = left.len() / 2 + 1;
    if answering < needed && !force && !planted::is(Bug::QuorumAtRisk) {
        return Err(MemberError::QuorumAtRisk(format!(
            "without node {id} there are {} voters, of which {answering} answer; a majority is {needed}, so no write would \
             be accepted. Bring a voter back or remove one that does not answer; force goes ahead all the same",
            left.len()
        )));
    }
    Ok(())
}

/// Only a voter that answers can lead. 0 stands for any.
pub(super) fn heir(facts: &Facts, to: u64) -> Result<u64, MemberError> {
    let can = |id: &u64| {
        *id != facts.this && facts.voters.contains(id) && facts.members.get(id).is_some_and(|standing| standing.answers)
    };
    if to == 0 {
        let best = facts.voters.iter().copied().filter(can);
        let best = best.min_by_key(|id| facts.members.get(id).and_then(|standing| standing.lag).unwrap_or(u64::MAX));
        return best.ok_or_else(|| MemberError::QuorumAtRisk("no other voter answers, so none can lead".to_owned()));
    }
    if !facts.members.contains_key(&to) {
        return Err(unknown(to));
    }
    if can(&to) {
        return Ok(to);
    }
    let why = if facts.voters.contains(&to) { "does not answer" } else { "has no vote" };
    Err(MemberError::QuorumAtRisk(format!("node {to} {why}, so it cannot lead")))
}

#[cfg(test)]
mod tests {
    use super::super::plan::Standing;
    use super::*;

    /// Voters 1 to `voters`, led by 1, of which those in `silent` do not answer, and learner 9.
    fn facts(voters: u64, silent: &[u64]) -> Facts {
        let standing = |id: u64| Standing { lag: Some(0), answers: !silent.contains(&id) };
        let mut facts = Facts { this: 1, voters: (1..=voters).collect(), lag_max: 100, ..Facts::default() };
        facts.members = (1..=voters).chain([9]).map(|id| (id, standing(id))).collect();
        facts
    }

    #[test]
    fn the_last_voter_stays_even_by_force() {
        assert!(matches!(remove(&facts(1, &[]), 1, true), Err(MemberError::LastVoter(_))));
        assert_eq!(remove(&facts(1, &[]), 9, false), Ok(()), "a learner may go");
        assert_eq!(remove(&facts(2, &[]), 2, false), Ok(()));
    }

    #[test]
    fn what_is_left_must_have_a_majority_that_answers_unless_forced() {
        assert_eq!(remove(&facts(3, &[3]), 3, false), Ok(()), "a dead one may go");
        let told = remove(&facts(3, &[3]), 2, false);
        assert!(matches!(told, Err(MemberError::QuorumAtRisk(_))), "{told:?}");
        assert_eq!(remove(&facts(3, &[3]), 2, true), Ok(()));
        assert!(remove(&facts(5, &[4, 5]), 3, false).is_err());
        assert_eq!(remove(&facts(5, &[4, 5]), 5, false), Ok(()));
        assert!(matches!(remove(&facts(3, &[]), 7, true), Err(MemberError::Rejected(_))), "who is that?");
    }

    #[test]
    fn a_learner_far_behind_is_not_promoted_and_the_refusal_says_how_far() {
        let mut facts = facts(3, &[]);
        assert_eq!(promote(&facts, 9), Ok(()));
        assert_eq!(promote(&facts, 2), Ok(()), "a voter stays one");
        facts.members.insert(9, Standing { lag: Some(4_321), answers: true });
        let told = promote(&facts, 9).unwrap_err();
        assert!(matches!(&told, MemberError::FarBehind(text) if text.contains("4321")), "{told}");
        for silent in [Standing { lag: None, answers: true }, Standing { lag: Some(0), answers: false }] {
            facts.members.insert(9, silent);
            assert!(matches!(promote(&facts, 9), Err(MemberError::FarBehind(_))));
        }
        assert!(matches!(promote(&facts, 4), Err(MemberError::Rejected(_))));
    }

    #[test]
    fn only_a_voter_that_answers_leads() {
        assert_eq!(heir(&facts(3, &[2]), 0), Ok(3));
        assert_eq!(heir(&facts(3, &[]), 2), Ok(2));
        for (facts, to) in [(facts(3, &[2]), 2), (facts(3, &[]), 9), (facts(1, &[]), 0)] {
            assert!(matches!(heir(&facts, to), Err(MemberError::QuorumAtRisk(_))), "{to}");
        }
        assert!(matches!(heir(&facts(3, &[]), 7), Err(MemberError::Rejected(_))));
    }
}
