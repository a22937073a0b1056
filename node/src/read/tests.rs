//! Views over a real store, compared with a model that keeps a copy of everything after every revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::namespace::NamespaceDefinition;
use muster_domain::{Key, Operation, Record};

use super::*;
use crate::outcome::OperationResult;

mod compare;
mod discovery;
mod edges;
pub(crate) mod node;
mod random;
mod requests;
mod retention;
mod views;

use compare::{check_events, check_lists, check_past};
use node::{Node, START_MS, request};
use random::Numbers;

/// What lived after each revision; the first one is empty.
type Model = Vec<BTreeMap<Key, Arc<Record>>>;

/// The commands of one test run.
fn commands(seed: u64, count: usize) -> Vec<Vec<Operation>> {
    let mut numbers = Numbers::new(seed);
    (0..count).map(|_| numbers.operations()).collect()
}

/// Applies each command alone and copies everything after it.
fn model(node: &mut Node, commands: &[Vec<Operation>]) -> Model {
    let keys = random::keys();
    let mut model = vec![BTreeMap::new()];
    for (at, operations) in commands.iter().enumerate() {
        node.apply(&[vec![request(START_MS + at as u64, operations.clone())]]);
        let view = node.view();
        if view.revision() == model.len() as u64 {
            let living = keys.iter().filter_map(|key| Some((key.clone(), view.get(key).unwrap()?)));
            model.push(living.collect());
        }
        assert_eq!(view.revision() + 1, model.len() as u64, "a command has at most one revision");
    }
    model
}

/// Applies the commands in batches of several entries with several commands each.
fn in_batches(node: &mut Node, seed: u64, first: usize, commands: &[Vec<Operation>]) {
    let mut numbers = Numbers::new(seed ^ 77);
    let mut left =
        commands.iter().enumerate().map(|(at, operations)| request(START_MS + (first + at) as u64, operations.clone()));
    loop {
        let mut payloads = Vec::new();
        for _ in 0..1 + numbers.below(4) {
            payloads.push(left.by_ref().take(1 + numbers.below(5)).collect::<Vec<_>>());
        }
        if payloads[0].is_empty() {
            return;
        }
        node.apply(&payloads);
        if numbers.below(5) == 0 {
            node.forget();
        }
    }
}

#[tokio::test]
async fn the_past_is_told_as_it_was() {
    for seed in 1..=3 {
        let commands = commands(seed, 260);
        let (mut alone, mut batched) = (Node::new(), Node::new());
        let model = model(&mut alone, &commands);
        assert!(model.len() > 130, "most commands change something: {}", model.len());
        let (early, late) = commands.split_at(200);
        in_batches(&mut batched, seed, 0, early);
        batched.reopen();
        in_batches(&mut batched, seed, early.len(), late);
        let (one, other) = (alone.view(), batched.view());
        for revision in 0..model.len() as u64 {
            assert_eq!(one.chain_hash(revision).unwrap(), other.chain_hash(revision).unwrap(), "revision {revision}");
        }
        assert_eq!(one.position().chain, other.position().chain);
        check_past(&other, &model);
        check_lists(&other, &model).await;
        check_events(&other).await;
        drop((one, other));
        batched.reopen();
        assert_eq!(batched.view().position().chain, alone.view().position().chain);
        check_past(&batched.view(), &model);
        // An answer from a view that is behind the store: writes went on after it was taken.
        let view = alone.view();
        let more = self::commands(seed + 100, 60);
        for operations in &more {
            alone.run(operations.clone());
        }
        check_past(&view, &model);
        check_lists(&view, &model).await;
    }
}

#[test]
fn twins_are_whole_after_a_kill_at_any_point_of_writing_them() {
    for seed in 1..=20 {
        let mut numbers = Numbers::new(seed ^ 4711);
        let (mut steady, mut killed) = (Node::new(), Node::new());
        for (at, operations) in commands(seed, 120).into_iter().enumerate() {
            let payloads = [vec![request(START_MS + at as u64, operations)]];
            assert_eq!(steady.apply(&payloads), killed.apply(&payloads));
            match numbers.below(12) {
                0 => killed.reopen(),
                1 => {
                    killed.write_some_twins(
                        random::keys().into_iter().filter(|key| key.is_twin() && numbers.below(3) > 0),
                    );
                    killed.reopen();
                }
                2 => killed.write_twins(),
                3 => killed.forget(),
                _ => {}
            }
            let (expected, found) = (steady.view(), killed.view());
            for key in random::keys() {
                assert_eq!(found.get(&key).unwrap(), expected.get(&key).unwrap(), "{key}, command {at}, seed {seed}");
            }
        }
    }
}

/// A namespace with one device and `assets` assets of it, 500 a command.
fn fill(node: &mut Node, namespace: &str, assets: usize) {
    let namespace = namespace.to_owned();
    let definition = NamespaceDefinition::default();
    let device = Operation::CreateDevice {
        namespace: namespace.clone(),
        device: "d".to_owned(),
        definition: Box::new(random::device_definition()),
    };
    node.run(vec![Operation::CreateNamespace { namespace: namespace.clone(), definition }, device]);
    let all: Vec<_> = (0..assets).map(|n| create_asset(&namespace, &format!("a{n:05}"))).collect();
    for some in all.chunks(500) {
        let outcome = node.run(some.to_vec());
        assert!(outcome.results.iter().all(OperationResult::is_accepted));
    }
}

fn create_asset(namespace: &str, asset: &str) -> Operation {
    Operation::CreateAsset {
        namespace: namespace.to_owned(),
        asset: asset.to_owned(),
        definition: Box::new(random::asset_definition("d".to_owned())),
        enabled: true,
        uuid: String::new(),
    }
}

#[test]
fn what_is_remembered_of_deleted_records_changes_nothing() {
    let (mut remembers, mut forgets) = (Node::new(), Node::new());
    let delete = |force| Operation::DeleteNamespace { namespace: "plant".to_owned(), etag: None, force };
    for node in [&mut remembers, &mut forgets] {
        fill(node, "plant", 1_700);
    }
    let mut both = |operations: Vec<Operation>| {
        forgets.forget();
        let outcome = remembers.run(operations.clone());
        assert_eq!(outcome, forgets.run(operations));
        assert_eq!(remembers.view().position().chain, forgets.view().position().chain);
        outcome
    };
    let mut steps = 0;
    loop {
        steps += 1;
        let outcome = both(vec![delete(true)]);
        let OperationResult::Accepted(accepted) = &outcome.results[0] else { panic!("{outcome:?}") };
        if accepted.finished {
            break;
        }
    }
    assert_eq!(steps, 4, "1,700 assets and a device, 500 at a time");
    let create =
        Operation::CreateNamespace { namespace: "plant".to_owned(), definition: NamespaceDefinition::default() };
    let device = Operation::CreateDevice {
        namespace: "plant".to_owned(),
        device: "d".to_owned(),
        definition: Box::new(random::device_definition()),
    };
    // In one command, so that the search meets what is not written yet; then again when it is.
    let outcome = both(vec![create, device, create_asset("plant", "a00003"), delete(false)]);
    let accepted: Vec<bool> = outcome.results.iter().map(OperationResult::is_accepted).collect();
    assert_eq!(accepted, [true, true, true, false]);
    let outcome = both(vec![delete(false)]);
    assert!(!outcome.results[0].is_accepted(), "the namespace is not empty: {outcome:?}");
    let step = both(vec![delete(true)]);
    assert!(matches!(&step.results[0], OperationResult::Accepted(accepted) if accepted.deleted == 2), "{step:?}");
}

#[tokio::test]
async fn pages_end_when_their_bytes_fill_an_answer() {
    let mut node = Node::new();
    let namespace = "plant".to_owned();
    node.run(vec![Operation::CreateNamespace {
        namespace: namespace.clone(),
        definition: NamespaceDefinition::default(),
    }]);
    let devices = (0..600).map(|n| {
        let mut definition = random::device_definition();
        definition.attributes = format!(r#"{{"a":"{}"}}"#, "x".repeat(7_000));
        Operation::CreateDevice {
            namespace: namespace.clone(),
            device: format!("d{n:03}"),
            definition: Box::new(definition),
        }
    });
    let outcome = node.run(devices.collect());
    assert!(outcome.results.iter().all(OperationResult::is_accepted));
    let view = node.view();
    let range = ListRange::Devices { namespace: &namespace, prefix: "" };
    let first = view.list(range, view.revision(), None, 1_000, |_, _| true).await.unwrap();
    assert!((400..450).contains(&first.records.len()), "{}", first.records.len());
    let rest = view.list(range, view.revision(), first.next_after.as_deref(), 1_000, |_, _| true).await.unwrap();
    let ids: Vec<_> = first.records.iter().chain(&rest.records).map(|(id, _)| id.clone()).collect();
    assert_eq!(ids, (0..600).map(|n| format!("d{n:03}")).collect::<Vec<_>>());
    assert_eq!(rest.next_after, None);
    let filter = EventFilter { kinds: vec!["device.*".to_owned()], ..EventFilter::of(EventScope::All) };
    let first = view.events(filter.clone(), 1, view.revision(), 0, 1_000).await.unwrap();
    let (revision, index) = first.next.expect("there is more");
    let taken: usize = first.entries.iter().map(|(entry, _)| entry.events.len()).sum();
    assert!((400..450).contains(&taken), "{taken}");
    let rest = view.events(filter, revision, view.revision(), index, 1_000).await.unwrap();
    let left: usize = rest.entries.iter().map(|(entry, _)| entry.events.len()).sum();
    assert_eq!((taken + left, rest.next), (600, None));
}
