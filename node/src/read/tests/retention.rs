//! The past above the floor, on nodes that sweep at different times, against the model that forgets nothing.

use muster_domain::Operation;
use muster_domain::retention::RetentionPolicy;

use super::compare::events;
use super::random::{self, NAMESPACES, Numbers};
use super::*;
use crate::outcome::Outcome;

/// Sometimes an operation that moves floors: of the cluster, or of a namespace with a policy of its own or without one.
fn housekeeping(numbers: &mut Numbers, newest: u64) -> Option<Operation> {
    let namespace = (numbers.below(2) == 0).then(|| NAMESPACES[numbers.below(2)].to_owned());
    let floor = newest.saturating_sub(numbers.below(40) as u64).max(1);
    match numbers.below(24) {
        0..=1 => Some(Operation::CompactEvents { namespace, floor }),
        2 => {
            let policy = RetentionPolicy { max_revisions: Some(1_000_000), ..RetentionPolicy::default() };
            let policy = (numbers.below(3) > 0).then_some(policy);
            Some(Operation::SetRetention { namespace, policy, etag: None })
        }
        _ => None,
    }
}

/// Everything at `floor - 1` and later is told as it was; what lies below is refused or right, but never wrong.
fn check(view: &View, model: &Model, floor: u64) {
    for key in random::keys() {
        for (revision, then) in model.iter().enumerate() {
            let revision = revision as u64;
            match view.get_at(&key, revision) {
                Ok(found) => assert_eq!(found.as_ref(), then.get(&key), "{key} at revision {revision}, floor {floor}"),
                Err(StoreError::Compacted { floor: told }) => {
                    assert!(revision + 1 < floor && told <= floor, "{key} at {revision}: floor {floor}, told {told}");
                }
                Err(error) => panic!("{key} at revision {revision}, floor {floor}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn the_past_above_the_floor_is_told_as_it_was_whenever_a_node_sweeps() {
    let mut highest = 0;
    for seed in 1..=4 {
        let mut numbers = Numbers::new(seed ^ 815);
        let (mut keeps, mut sweeps) = (Node::new(), Node::new());
        let mut model: Model = vec![BTreeMap::new()];
        for (at, mut operations) in commands(seed, 300).into_iter().enumerate() {
            operations.extend(housekeeping(&mut numbers, keeps.view().revision()));
            let payloads = [vec![request(START_MS + at as u64, operations)]];
            let outcomes: [Vec<Outcome>; 2] = [keeps.apply(&payloads), sweeps.apply(&payloads)];
            assert_eq!(outcomes[0], outcomes[1]);
            let view = keeps.view();
            if view.revision() == model.len() as u64 {
                let living = random::keys().into_iter().filter_map(|key| Some((key.clone(), view.get(&key).unwrap()?)));
                model.push(living.collect());
            }
            match numbers.below(10) {
                0..=2 => sweeps.sweep(1 + numbers.below(30), 1 + numbers.below(3)),
                3 => sweeps.reopen(),
                4 => sweeps.write_twins(),
                5 => sweeps.forget(),
                _ => {}
            }
            if at % 30 == 29 {
                check(&sweeps.view(), &model, sweeps.physical_floor());
            }
        }
        sweeps.write_twins();
        sweeps.sweep(usize::MAX, usize::MAX);
        let floor = sweeps.physical_floor();
        highest = highest.max(floor);
        assert_eq!(floor, keeps.physical_floor());
        let (one, other) = (keeps.view(), sweeps.view());
        assert_eq!(one.position().chain, other.position().chain);
        for key in random::keys() {
            assert_eq!(one.get(&key).unwrap(), other.get(&key).unwrap(), "states are not affected: {key}");
        }
        for revision in 0..=one.revision() {
            let expected = if revision + 1 < floor { None } else { one.chain_hash(revision).unwrap() };
            assert_eq!(other.chain_hash(revision).unwrap(), expected, "revision {revision}, floor {floor}");
        }
        check(&other, &model, floor);
        check_events_from(&one, &other, floor).await;
        drop((one, other));
        sweeps.reopen();
        check(&sweeps.view(), &model, floor);
    }
    assert!(highest > 100, "much was compacted: {highest}");
}

/// Lists of events are those of a node that never swept.
async fn check_events_from(one: &View, other: &View, floor: u64) {
    let newest = one.revision();
    let mut scopes = vec![EventScope::All, EventScope::Namespace(NAMESPACES[0].to_owned())];
    scopes.extend(random::keys().into_iter().map(EventScope::Resource));
    for scope in scopes {
        let expected = events(one, scope.clone(), floor, newest, 7).await;
        assert_eq!(events(other, scope.clone(), floor, newest, 7).await, expected, "{scope:?} from {floor}");
    }
    let filter = EventFilter::of(EventScope::All);
    if floor > 1 {
        let below = other.events(filter, floor - 1, newest, 0, 10).await;
        assert!(matches!(below, Err(ScanError::Store(StoreError::Compacted { floor: told })) if told == floor));
    }
}

#[test]
fn events_stay_until_the_twins_they_lead_to_are_written() {
    let mut node = Node::new();
    fill(&mut node, "plant", 1);
    let twin = Key::DeviceTwin("plant".to_owned(), "d".to_owned());
    let patch = |n: u64| {
        let desired = Some(format!(r#"{{"n":{n}}}"#));
        vec![Operation::PatchTwin { key: twin.clone(), tags: None, desired, etag: None }]
    };
    // So few that none of them is written by itself.
    for n in 0..5 {
        node.run(patch(n));
    }
    let newest = node.view().revision();
    node.run(vec![Operation::CompactEvents { namespace: None, floor: newest }]);
    assert_eq!(node.physical_floor(), newest);
    node.sweep(usize::MAX, usize::MAX);
    node.reopen();
    let after_a_kill = node.view().get(&twin).unwrap().expect("the twin");
    assert_eq!(after_a_kill.updated_revision, newest, "the last patch was folded from its event");
    node.run(patch(9));
    node.write_twins();
    node.sweep(usize::MAX, usize::MAX);
    assert!(node.view().chain_hash(newest - 2).unwrap().is_none(), "now they are gone");
    let then = node.view().get_at(&twin, newest).unwrap().expect("the twin as of the floor");
    assert_eq!(then, after_a_kill);
    let below = node.view().get_at(&twin, newest - 2);
    assert!(matches!(below, Err(StoreError::Compacted { floor }) if floor == newest), "{below:?}");
}
