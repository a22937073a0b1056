//! A queue has an end, and what happens there does not disturb the numbers.

use muster_edge::protocol::QueuePolicy;

use super::world::{Fault, World};

fn story(fault: Fault, policy: QueuePolicy) -> World {
    let mut world = World::with(fault, 6, policy);
    world.cloud.put_device("d01", "{}");
    world.settle();
    // Three are sent, the window of the cluster, and their results do not arrive.
    for number in 0..4 {
        world.report("d01", &format!(r#"{{"n":{number}}}"#));
    }
    world.set_online(false);
    for number in 4..12 {
        world.report("d01", &format!(r#"{{"n":{number}}}"#));
    }
    world.set_online(true);
    world.settle();
    world
}

fn effects(world: &World) -> Vec<&str> {
    world.cloud.effects.iter().map(|effect| effect.text.as_str()).collect()
}

#[test]
fn a_full_queue_refuses() {
    let world = story(Fault::Nothing, QueuePolicy::Refuse);
    world.check_in_step(&"refuse");
    assert_eq!(world.told.len(), 6);
    assert_eq!(world.edge.state().dropped, 0);
}

#[test]
fn or_it_drops_the_oldest_that_was_never_sent() {
    let world = story(Fault::Nothing, QueuePolicy::DropOldest);
    assert_eq!(world.told.len(), 12);
    let left: Vec<String> = [0, 1, 2, 9, 10, 11].iter().map(|number| format!(r#"{{"n":{number}}}"#)).collect();
    assert_eq!(effects(&world), left, "what may have been sent keeps its number");
    assert_eq!(world.edge.state().dropped, 6);
    assert_eq!(world.cloud.effects.iter().map(|effect| effect.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn faults_while_it_drops_make_no_gap_and_no_second_effect() {
    let whole = story(Fault::Nothing, QueuePolicy::DropOldest);
    let crashes = (1..=whole.writes).flat_map(|at| [false, true].map(|after| Fault::Crash { at, after }));
    let cuts = (1..=whole.messages).flat_map(|at| [false, true].map(|arrives| Fault::Cut { at, arrives }));
    for fault in crashes.chain(cuts) {
        let world = story(fault, QueuePolicy::DropOldest);
        let effects = effects(&world);
        let numbers: Vec<u64> = world.cloud.effects.iter().map(|effect| effect.sequence).collect();
        assert_eq!(numbers, (1..=world.disk.state.acknowledged).collect::<Vec<_>>(), "{fault:?}");
        assert!(
            effects.is_sorted_by_key(|text| text[5..text.len() - 1].parse::<u64>().expect("a number")),
            "{fault:?}: {effects:?}"
        );
        let unique: std::collections::BTreeSet<_> = effects.iter().collect();
        assert_eq!(unique.len(), effects.len(), "{fault:?}: {effects:?}");
        // All that the application was told of is either in effect or counted as dropped.
        let dropped = usize::try_from(world.disk.state.dropped).expect("small");
        let told_and_lost = world.told.iter().filter(|text| !effects.contains(&text.as_str())).count();
        assert!(told_and_lost <= dropped, "{fault:?}: {told_and_lost} lost, {dropped} counted");
        assert!(world.disk.queue.is_empty(), "{fault:?}");
    }
}
