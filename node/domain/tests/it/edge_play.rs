//! Random plays of edges against a cluster: two edges with stores that are copied, reset and restarted, commands that are
//! lost, repeated and overtaken, devices that move. What must hold has the names of `sync.md` section 8:
//!
//! - `E1-exactly-once`: per edge, incarnation and sequence one operation is taken, and no operation twice;
//! - `E2-order`: they are taken in the order of the sequence, without a gap;
//! - `E3-fencing`: nothing is taken in an epoch when a newer one was granted;
//! - `E6-no-fork`: when two copies of a store have both connected, at most one of them has something taken from then on,
//!   and none takes another's operation for its own.

mod naive;
mod store;
mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use self::world::World;

/// One step of a play. An [`Index`] means one of those that are there.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// An application changes something at an edge.
    Queue { store: Index, device: usize, valid: bool },
    /// A store connects anew.
    Hello { store: Index },
    /// It sends from its queue; `skip` operations are on their way already.
    Send { store: Index, skip: usize, count: usize },
    /// A command reaches the log; it may stay on its way and reach it again, and the answer may be lost.
    Deliver { at: Index, again: bool, answered: bool },
    /// A command is lost.
    Lose { at: Index },
    /// A full queue drops its oldest operation.
    Drop { store: Index },
    /// A device is given to an edge, or to none.
    Move { device: usize, to: Option<usize> },
    /// A disk is cloned.
    Copy { store: Index },
    /// An edge gets a new store, beside the one it had.
    Renew { edge: usize },
    /// An edge is enabled or disabled.
    Enable { edge: usize, enabled: bool },
    /// An edge is deleted and created again.
    Recreate { edge: usize },
}

fn at() -> impl Strategy<Value = Index> {
    any::<Index>()
}

/// What happens to edges of which each has one store.
fn usual() -> BoxedStrategy<Action> {
    prop_oneof![
        6 => (at(), 0..world::DEVICES.len(), prop::bool::weighted(0.9))
            .prop_map(|(store, device, valid)| Action::Queue { store, device, valid }),
        2 => at().prop_map(|store| Action::Hello { store }),
        6 => (at(), prop_oneof![4 => Just(0), 1 => 0usize..4], 1usize..5)
            .prop_map(|(store, skip, count)| Action::Send { store, skip, count }),
        9 => (at(), prop::bool::weighted(0.25), prop::bool::weighted(0.8))
            .prop_map(|(at, again, answered)| Action::Deliver { at, again, answered }),
        1 => at().prop_map(|at| Action::Lose { at }),
        1 => at().prop_map(|store| Action::Drop { store }),
        1 => (0..world::DEVICES.len(), prop::option::weighted(0.8, 0usize..2))
            .prop_map(|(device, to)| Action::Move { device, to }),
    ]
    .boxed()
}

fn unusual() -> BoxedStrategy<Action> {
    prop_oneof![
        4 => at().prop_map(|store| Action::Copy { store }),
        1 => (0usize..2).prop_map(|edge| Action::Renew { edge }),
        1 => (0usize..2, prop::bool::weighted(0.7)).prop_map(|(edge, enabled)| Action::Enable { edge, enabled }),
        1 => (0usize..2).prop_map(|edge| Action::Recreate { edge }),
    ]
    .boxed()
}

fn play(actions: &[Action]) -> World {
    let mut world = World::new();
    for action in actions {
        world.act(action);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn copies_lost_and_repeated_commands_break_no_rule(
        actions in prop::collection::vec(prop_oneof![14 => usual(), 1 => unusual()], 1..200)
    ) {
        play(&actions).check_no_fork();
    }

    #[test]
    fn an_edge_with_one_store_gets_everything_done_once_and_is_never_stopped(
        actions in prop::collection::vec(usual(), 1..120)
    ) {
        let mut world = play(&actions);
        world.quiet_down();
        world.check_all_taken();
    }
}

/// Plays in which nothing goes wrong prove nothing.
#[test]
fn plays_reach_what_they_are_about() {
    let mut runner = TestRunner::deterministic();
    let actions = prop::collection::vec(prop_oneof![14 => usual(), 1 => unusual()], 200);
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let actions = actions.new_tree(&mut runner).expect("a tree").current();
        seen.extend(play(&actions).seen);
    }
    let expected = [
        "EDGE_DISABLED",
        "EDGE_REPLACED",
        "EPOCH_FENCED",
        "SEQUENCE_GAP",
        "both copies connected, one went on",
        "effect",
        "nothing new",
        "refused: INVALID_JSON",
        "refused: OUTSIDE_SCOPE",
        "some skipped, some taken",
        "welcomed",
        "welcomed again",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}
