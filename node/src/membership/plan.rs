//! From what is and what shall be to the next step: a pure function, so that its cases can be told as a table.
//!
//! It knows no Raft and no record store. Invariants:
//! - The cluster never loses its last voter by a plan.
//! - A replacement enters and the replaced one leaves in one change of voters.
//! - The leader leaves only after it has handed over, where there is anybody to hand over to.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::node::{Node, NodeState};
use muster_planted::{self as planted, Bug};

/// How a member stands, as the leader sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Log entries it is behind; `None` when that is not known.
    pub lag: Option<u64>,
    /// Whether it answered lately.
    pub answers: bool,
}

/// What is, and what shall be.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// The leader, which makes the plan.
    pub this: u64,
    /// Who votes, or will when the change under way is done.
    pub voters: BTreeSet<u64>,
    /// A change of voters is under way, perhaps one that a former leader left behind.
    pub changing: bool,
    /// All members.
    pub members: BTreeMap<u64, Standing>,
    /// The records of nodes.
    pub nodes: BTreeMap<u64, Node>,
    /// How far behind a new voter may be.
    pub lag_max: u64,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Everything is as it shall be.
    Nothing,
    /// Record that these were replaced; then plan again.
    RecordRemoved(Vec<u64>),
    /// Hand over to this voter, because the leader leaves.
    HandOver(u64),
    /// Make these the voters.
    SetVoters(BTreeSet<u64>),
    /// Remove these members, which have no vote.
    RemoveLearners(BTreeSet<u64>),
}

impl Facts {
    fn state(&self, id: u64) -> Option<NodeState> {
        self.nodes.get(&id).map(|node| node.state)
    }

    fn is_removed(&self, id: u64) -> bool {
        self.state(id) == Some(NodeState::Removed)
    }

    fn is_close(&self, id: u64) -> bool {
        self.members
            .get(&id)
            .is_some_and(|standing| standing.answers && standing.lag.is_some_and(|lag| lag <= self.lag_max))
    }

    /// Learners that shall vote and can by now.
    fn ready(&self) -> BTreeSet<u64> {
        let shall = |id: &u64| {
            self.nodes.get(id).is_some_and(|node| node.voter && node.state == NodeState::Joined)
                && !self.voters.contains(id)
        };
        self.members.keys().copied().filter(|id| shall(id) && self.is_close(*id)).collect()
    }
}

/// The next step towards what shall be.
pub(super) fn next(facts: &Facts) -> Step {
    let ready = facts.ready();
    let replaced: Vec<u64> = ready
        .iter()
        .filter_map(|id| facts.nodes.get(id).map(|node| node.replaces))
        .filter(|old| facts.members.contains_key(old) && !facts.is_removed(*old))
        .collect();
    if !replaced.is_empty() {
        return Step::RecordRemoved(replaced);
    }
    let leaving: BTreeSet<u64> = facts.members.keys().copied().filter(|id| facts.is_removed(*id)).collect();
    let mut voters: BTreeSet<u64> = facts.voters.union(&ready).copied().collect();
    voters.retain(|id| !leaving.contains(id));
    if voters.is_empty() {
        // Refused before it was recorded; whoever recorded it all the same keeps a cluster that works.
        voters.clone_from(&facts.voters);
    }
    if facts.voters.contains(&facts.this) && !voters.contains(&facts.this) {
        let heir = voters
            .iter()
            .filter(|id| facts.voters.contains(id) && facts.members.get(id).is_some_and(|standing| standing.answers))
            .min_by_key(|id| facts.members.get(id).and_then(|standing| standing.lag).unwrap_or(u64::MAX));
        if let Some(heir) = heir {
            return Step::HandOver(*heir);
        }
    }
    if planted::is(Bug::VotersInTwoSteps) && !leaving.is_disjoint(&facts.voters) {
        voters.retain(|id| facts.voters.contains(id));
    }
    if voters != facts.voters || facts.changing {
        return Step::SetVoters(voters);
    }
    let learners: BTreeSet<u64> = leaving.difference(&voters).copied().collect();
    if learners.is_empty() { Step::Nothing } else { Step::RemoveLearners(learners) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(state: NodeState, voter: bool, replaces: u64) -> Node {
        Node {
            name: "n".to_owned(),
            state,
            voter,
            replaces,
            token_hash: [0; 32],
            expires_ms: 0,
            nonce: [0; 16],
            peer_address: String::new(),
            client_address: String::new(),
        }
    }

    /// Three voters led by 1, all close, and these others.
    fn three(others: &[(u64, Node)]) -> Facts {
        let close = Standing { lag: Some(0), answers: true };
        let mut facts = Facts { this: 1, voters: [1, 2, 3].into(), lag_max: 100, ..Facts::default() };
        facts.members = [1, 2, 3].map(|id| (id, close)).into();
        for (id, node) in others {
            if *id > 3 && node.state != Admitted {
                facts.members.insert(*id, close);
            }
            facts.nodes.insert(*id, node.clone());
        }
        facts
    }

    use NodeState::{Admitted, Joined, Removed};

    #[test]
    fn a_voter_enters_when_it_is_close_and_answers() {
        assert_eq!(next(&three(&[])), Step::Nothing);
        assert_eq!(next(&three(&[(4, node(Admitted, true, 0))])), Step::Nothing);
        assert_eq!(next(&three(&[(4, node(Joined, false, 0))])), Step::Nothing, "a learner stays one");
        let mut facts = three(&[(4, node(Joined, true, 0)), (5, node(Joined, true, 0))]);
        assert_eq!(next(&facts), Step::SetVoters([1, 2, 3, 4, 5].into()), "several at once");
        for far in [Standing { lag: Some(101), answers: true }, Standing { lag: Some(0), answers: false }] {
            facts.members.insert(4, far);
            assert_eq!(next(&facts), Step::SetVoters([1, 2, 3, 5].into()));
        }
        facts.members.insert(5, Standing { lag: None, answers: true });
        assert_eq!(next(&facts), Step::Nothing);
    }

    #[test]
    fn a_replacement_enters_and_the_replaced_leaves_in_one_change() {
        let mut facts = three(&[(4, node(Joined, true, 3))]);
        assert_eq!(next(&facts), Step::RecordRemoved(vec![3]));
        facts.nodes.insert(3, node(Removed, true, 0));
        assert_eq!(next(&facts), Step::SetVoters([1, 2, 4].into()));
        facts.members.insert(4, Standing { lag: Some(5_000), answers: true });
        facts.nodes.remove(&3);
        assert_eq!(next(&facts), Step::Nothing, "the old one stays as long as the new one is not there");
    }

    #[test]
    fn who_was_removed_leaves() {
        assert_eq!(next(&three(&[(3, node(Removed, true, 0))])), Step::SetVoters([1, 2].into()));
        assert_eq!(next(&three(&[(4, node(Removed, false, 0))])), Step::RemoveLearners([4].into()));
        assert_eq!(next(&three(&[(9, node(Removed, true, 0))])).clone(), Step::RemoveLearners([9].into()));
        let mut gone = three(&[(3, node(Removed, true, 0))]);
        gone.members.remove(&3);
        gone.voters.remove(&3);
        assert_eq!(next(&gone), Step::Nothing);
    }

    #[test]
    fn a_leader_hands_over_before_it_leaves() {
        let mut facts = three(&[(1, node(Removed, true, 0))]);
        facts.members.insert(2, Standing { lag: Some(7), answers: true });
        assert_eq!(next(&facts), Step::HandOver(3));
        facts.members.insert(3, Standing { lag: Some(0), answers: false });
        assert_eq!(next(&facts), Step::HandOver(2));
        let mut alone = three(&[(1, node(Removed, true, 0)), (4, node(Joined, true, 0))]);
        alone.voters = [1].into();
        alone.members.retain(|id, _| [1, 4].contains(id));
        assert_eq!(next(&alone), Step::SetVoters([4].into()), "nobody else can lead yet");
    }

    #[test]
    fn the_last_voter_stays_and_a_change_left_behind_is_finished() {
        let mut facts = three(&[(1, node(Removed, true, 0))]);
        facts.voters = [1].into();
        facts.members.retain(|id, _| *id == 1);
        assert_eq!(next(&facts), Step::Nothing);
        let mut facts = three(&[]);
        facts.changing = true;
        assert_eq!(next(&facts), Step::SetVoters([1, 2, 3].into()));
    }
}
