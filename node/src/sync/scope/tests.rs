//! The scope against what an edge makes of it: an edge that follows the passes holds the scope as of each mark.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn name(at: u8) -> Name {
    Arc::from(format!("namespaces/p/devices/d{at}"))
}

fn sum(items: &BTreeMap<Name, u64>) -> ScopeHash {
    let mut sum = ScopeHash::default();
    items.iter().for_each(|(name, revision)| sum.add(&item_hash(name, *revision)));
    sum
}

#[derive(Debug, Clone)]
enum Step {
    Set(u8, bool),
    Replace(Vec<u8>),
    Pass,
    AbandonedPass,
    Confirm(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_u8..6, any::<bool>()).prop_map(|(at, alive)| Step::Set(at, alive)),
        1 => proptest::collection::vec(0_u8..6, 0..6).prop_map(Step::Replace),
        3 => Just(Step::Pass),
        1 => Just(Step::AbandonedPass),
        1 => (0_u8..4).prop_map(Step::Confirm),
    ];
    proptest::collection::vec(step, 0..60)
}

/// What an edge does with a pass.
fn follow(edge: &mut BTreeMap<Name, u64>, pass: Pass) {
    for Due { name, revision } in pass.due {
        match revision {
            Some(revision) => edge.insert(name, revision),
            None => edge.remove(&name),
        };
    }
}

proptest! {
    #[test]
    fn an_edge_that_follows_the_passes_holds_the_scope_as_of_each_mark(steps in steps()) {
        let mut truth: BTreeMap<Name, u64> = (0..3).map(|at| (name(at), 1)).collect();
        let mut scope = Scope::new(truth.clone());
        let mut edge = BTreeMap::new();
        let mut marks = vec![];
        let mut revision = 10;
        follow(&mut edge, scope.open_pass(revision, 0));
        marks.push((revision, truth.clone()));
        for step in steps {
            revision += 1;
            match step {
                Step::Set(at, true) => {
                    truth.insert(name(at), revision);
                    scope.set(&name(at), Some(revision));
                }
                Step::Set(at, false) => {
                    let was_there = truth.remove(&name(at)).is_some();
                    prop_assert_eq!(scope.set(&name(at), None), was_there);
                }
                Step::Replace(ids) => {
                    let items: BTreeMap<Name, u64> = ids.into_iter().map(|at| (name(at), 5)).collect();
                    prop_assert_eq!(scope.replace(&items), items != truth);
                    truth = items;
                }
                Step::Pass => {
                    let pass = scope.open_pass(revision, 0);
                    prop_assert_eq!(pass.sum, sum(&truth));
                    follow(&mut edge, pass);
                    prop_assert_eq!(&edge, &truth);
                    marks.push((revision, truth.clone()));
                }
                Step::AbandonedPass => {
                    scope.open_pass(revision, 0);
                    scope.set(&name(5), Some(revision));
                    truth.insert(name(5), revision);
                    scope.abandon_pass();
                }
                Step::Confirm(back) => {
                    let at = marks.len().saturating_sub(1 + usize::from(back));
                    scope.confirm(marks[at].0);
                    marks.drain(..at);
                }
            }
            for (revision, then) in &marks {
                prop_assert_eq!(scope.items_at(*revision), Some(then.clone()));
                prop_assert_eq!(scope.sum_at(*revision), Some(sum(then)));
            }
            let held: usize = scope.marks.back().map_or(0, |mark| mark.before.len());
            let then = marks.last().map_or(0, |(_, then)| then.len());
            prop_assert!(held <= then + truth.len(), "W11: {} names for {} and {}", held, then, truth.len());
        }
    }
}

#[test]
fn a_cursor_leaves_out_what_the_edge_has_and_order_is_that_of_revisions() {
    let mut scope = Scope::new([(name(1), 9), (name(2), 4), (name(3), 7)]);
    let pass = scope.open_pass(9, 4);
    let told: Vec<_> = pass.due.iter().map(|due| (due.name.to_string(), due.revision)).collect();
    assert_eq!(told, [(name(3).to_string(), Some(7)), (name(1).to_string(), Some(9))]);
}

#[test]
fn what_is_again_as_it_was_is_not_told() {
    let mut scope = Scope::new([(name(1), 3)]);
    scope.open_pass(5, 0);
    scope.set(&name(1), None);
    scope.set(&name(2), Some(6));
    assert!(scope.is_dirty());
    scope.set(&name(1), Some(3));
    scope.set(&name(2), None);
    assert!(!scope.is_dirty(), "moved away and back");
}

#[test]
fn names_are_found_by_their_beginning() {
    let names = ["namespaces/p/devices/d1", "namespaces/p/devices/d1/twin", "namespaces/p/devices/d10"];
    let scope = Scope::new(names.map(|name| (Arc::from(name), 1)));
    let found: Vec<_> = scope.names_from("namespaces/p/devices/d1/").iter().map(ToString::to_string).collect();
    assert_eq!(found, ["namespaces/p/devices/d1/twin"]);
}
