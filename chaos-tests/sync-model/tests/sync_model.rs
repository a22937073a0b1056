//! All states of the sync protocol within bounds: the rules keep every invariant, and each rule that is broken is noticed
//! by the invariant that it is there for.

use std::collections::BTreeSet;
use std::time::Instant;

use muster_sync_model::configurations::{Configuration, large, small};
use muster_sync_model::{GOOD_END, Mutant, Rules, State, Step, SyncModel};
use stateright::{Checker, HasDiscoveries, Model};

/// Which rule, broken, is noticed by which invariant, in which configuration.
const MUTANTS: [(Mutant, &str, &str); 29] = [
    (Mutant::NoEpochCheck, "E3-fencing", "one edge"),
    (Mutant::NoSkipping, "E1-exactly-once", "one edge"),
    (Mutant::NoGapCheck, "E2-order", "one edge"),
    (Mutant::NoScopeCheck, "E7-one-writer", "one edge"),
    (Mutant::DropLeavesGap, "E5-convergence", "a full queue"),
    (Mutant::DropSent, "E4-offline-durability", "a full queue"),
    (Mutant::UsedEpochStaysOpen, "E4-offline-durability", "a copy"),
    (Mutant::FewerRefusalsThanWindow, "E4-offline-durability", "one edge"),
    (Mutant::ResultsOfAnyEpoch, "E4-offline-durability", "a copy"),
    (Mutant::ForgetBeforeResults, "E4-offline-durability", "one edge"),
    (Mutant::AnswerBeforeSync, "E4-offline-durability", "one edge"),
    (Mutant::NoIncarnation, "E6-no-fork", "a new store"),
    (Mutant::KnownEpochOfStranger, "E1-exactly-once", "an edge made anew"),
    (Mutant::NoPastIncarnations, "E6-no-fork", "a new store"),
    (Mutant::AnyIncarnation, "E1-exactly-once", "an old store"),
    (Mutant::NoSessionId, "E6-no-fork", "one edge"),
    (Mutant::OnlyNewestEpoch, "E6-no-fork", "one edge"),
    (Mutant::NoSentSequence, "E4-offline-durability", "a copy"),
    (Mutant::EpochsRestart, "E3-fencing", "an edge made anew"),
    (Mutant::HelloBeforeSync, "E6-no-fork", "one edge"),
    (Mutant::EpochBeforeSync, "E6-no-fork", "one edge"),
    (Mutant::SentBeforeSync, "E6-no-fork", "one edge"),
    (Mutant::CursorBeforeItems, "W6-mark", "down"),
    (Mutant::MarkBeforeItems, "W6-mark", "down"),
    (Mutant::MembershipNotTold, "W6-mark", "down"),
    (Mutant::Tombstones, "W6-mark", "down"),
    (Mutant::NoRepair, "E5-convergence", "down"),
    (Mutant::ItemsDuringRepair, "W6-mark", "down"),
    (Mutant::StaleNode, "W6-mark", "down"),
];

/// `MUSTER_SYNC_MODEL=large` visits more; all of them, or those that it names after a colon: `large:a copy`.
fn configurations() -> Vec<Configuration> {
    let asked = std::env::var("MUSTER_SYNC_MODEL").unwrap_or_default();
    let (size, name) = asked.split_once(':').unwrap_or((&asked, ""));
    let all = if size == "large" { large() } else { small() };
    all.into_iter().filter(|(other, _)| name.is_empty() || *other == name).collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn the_rules_keep_every_invariant() {
    for (name, bounds) in configurations() {
        let begun = Instant::now();
        let model = SyncModel { bounds, rules: Rules::default() };
        let checker = model.checker().threads(threads()).spawn_bfs().join();
        let (states, depth) = (checker.unique_state_count(), checker.max_depth());
        eprintln!("{name}: {states} states, up to {depth} steps deep, {:.1} s", begun.elapsed().as_secs_f64());
        assert!(checker.is_done(), "{name}: not all states were visited");
        for (invariant, path) in checker.discoveries() {
            if invariant != GOOD_END {
                panic!("{name}: {invariant} is broken by\n{}\n{:#?}", steps(&path), path.last_state());
            }
        }
        checker.assert_properties();
    }
}

#[test]
fn each_broken_rule_is_noticed_by_its_invariant() {
    let mut wrong = Vec::new();
    for (mutant, invariant, name) in MUTANTS {
        let begun = Instant::now();
        let (_, bounds) = small().into_iter().find(|(other, _)| *other == name).expect("a configuration's name");
        let model = SyncModel { bounds, rules: Rules(Some(mutant)) };
        let found = HasDiscoveries::AllOf(BTreeSet::from([invariant]));
        let checker = model.checker().threads(threads()).finish_when(found).spawn_bfs().join();
        let others: Vec<_> = checker.discoveries().into_keys().filter(|other| *other != invariant).collect();
        let (states, seconds) = (checker.unique_state_count(), begun.elapsed().as_secs_f64());
        let counts = format!("{name}, {states} states, {seconds:.1} s; also {others:?}");
        match checker.discovery(invariant) {
            Some(path) => eprintln!("{mutant:?}: {invariant} ({counts})\n{}", steps(&path)),
            None => wrong.push(format!("{mutant:?}: not noticed by {invariant} ({counts})")),
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The way to a state, a step a line.
fn steps(path: &stateright::Path<State, Step>) -> String {
    let taken: Vec<_> = path.clone().into_actions().iter().map(|step| format!("    {step:?}")).collect();
    taken.join("\n")
}
