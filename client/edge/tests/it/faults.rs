//! One story, told without a fault, and then with one at each of its messages and each of its writes.

use muster_edge::protocol::{Input, Loss, Step};
use muster_proto::v1;
use muster_proto::v1::sync_response::Message as Heard;

use super::world::{Fault, World};

/// Connects, reports, goes offline, reports, loses a device to another edge, comes back.
fn story(fault: Fault) -> World {
    let mut world = World::new(fault);
    for device in 0..12 {
        world.cloud.put_device(&format!("d{device:02}"), "{}");
    }
    world.settle();
    for number in 0..5 {
        world.report("d03", &format!(r#"{{"a":{number}}}"#));
        world.report("d04", &format!(r#"{{"b":{number}}}"#));
    }
    world.cloud.put_device("d03", r#"{"fw":"2"}"#);
    world.settle();
    world.cloud.put_device("d12", "{}");
    world.cloud.move_away("d05");
    world.settle();
    world.set_online(false);
    for number in 10..15 {
        world.report("d03", &format!(r#"{{"a":{number},"c":null}}"#));
        world.report("d06", &format!(r#"{{"refused":{number}}}"#));
    }
    world.cloud.move_away("d06");
    world.cloud.put_device("d07", r#"{"fw":"3"}"#);
    world.set_online(true);
    world.settle();
    world
}

#[test]
fn without_faults_everything_arrives_and_only_what_left_the_scope_is_repaired() {
    let world = story(Fault::Nothing);
    world.check_in_step(&"no fault");
    assert_eq!(world.told.len(), 20);
    assert_eq!(world.cloud.effects.len(), 15);
    let refused: Vec<_> = world.edge.state().refusals.iter().map(|refusal| refusal.reason.as_str()).collect();
    assert_eq!(refused, ["OUTSIDE_SCOPE"; 5], "kept at the edge");
    assert_eq!(world.edge.state().refused, 5);
    let counts = world.edge.counts();
    assert_eq!((counts.sessions, counts.repairs, counts.repaired_items), (2, 1, 2), "d06 and its twin were dropped");
    assert!(world.cloud.comparisons >= 1);
}

#[test]
fn a_link_that_breaks_at_any_message_loses_and_doubles_nothing() {
    let messages = story(Fault::Nothing).messages;
    assert!(messages > 60, "the story has {messages} messages");
    for at in 1..=messages {
        for arrives in [false, true] {
            let fault = Fault::Cut { at, arrives };
            let world = story(fault);
            world.check_in_step(&fault);
            assert_eq!(world.told.len(), 20, "{fault:?}: a broken link is no reason to refuse a report");
            assert!(world.edge.counts().sessions >= 2, "{fault:?}");
        }
    }
}

#[test]
fn a_crash_at_any_write_loses_and_doubles_nothing() {
    let writes = story(Fault::Nothing).writes;
    assert!(writes > 40, "the story has {writes} writes");
    for at in 1..=writes {
        for after in [false, true] {
            let fault = Fault::Crash { at, after };
            let world = story(fault);
            assert_eq!(world.crashes, 1, "{fault:?}");
            world.check_in_step(&fault);
            assert!(world.told.len() >= 19, "{fault:?}: one report at most was not answered");
        }
    }
}

#[test]
fn a_copy_of_the_store_ends_when_the_other_has_connected() {
    let mut world = World::new(Fault::Nothing);
    world.cloud.put_device("d01", "{}");
    world.settle();
    let copy = world.disk.clone();
    world.set_online(false);
    world.set_online(true);
    world.report("d01", r#"{"a":1}"#);
    world.settle();
    world.check_in_step(&"the one");
    let newest = world.disk.clone();
    world.start_from(copy);
    assert!(world.report("d01", r#"{"fork":1}"#), "it does not know yet");
    world.settle();
    let stopped = world.edge.stopped().expect("the copy stops");
    assert_eq!(stopped.reason, "EDGE_REPLACED");
    assert_eq!(world.disk.state.stopped_reason, "EDGE_REPLACED", "it is remembered over restarts");
    assert!(world.edge.next_link_ms().is_none(), "and does not connect any more");
    world.start_from(newest);
    world.report("d01", r#"{"a":2}"#);
    world.settle();
    assert_eq!(
        world.cloud.effects.iter().map(|effect| effect.text.as_str()).collect::<Vec<_>>(),
        [r#"{"a":1}"#, r#"{"a":2}"#]
    );
}

#[test]
fn a_welcome_that_is_lost_is_no_copy() {
    // The hello is the first message, the welcome the second.
    for arrives in [false, true] {
        let fault = Fault::Cut { at: 2, arrives };
        let mut world = World::new(fault);
        world.cloud.put_device("d01", "{}");
        world.settle();
        world.check_in_step(&fault);
        assert_eq!(world.cloud.open_epoch(), 2);
    }
}

#[test]
fn a_welcome_of_an_epoch_that_was_is_not_gone_on_with() {
    let mut world = World::new(Fault::Nothing);
    world.cloud.put_device("d01", "{}");
    world.settle();
    world.set_online(false);
    let epoch = world.edge.state().epoch;
    for (told, is_newer) in [(epoch, false), (epoch - 1, false), (epoch + 1, true)] {
        let mut step = Step::default();
        world.edge.take(Input::Opened, world.now_ms, &mut step);
        let header = Some(v1::ResponseHeader {
            cluster_id: world.edge.state().cluster_id.clone(),
            revision: world.cloud.revision,
            ..v1::ResponseHeader::default()
        });
        let welcome = Heard::Welcome(v1::SyncWelcome { header, epoch: told, ..v1::SyncWelcome::default() });
        let mut step = Step::default();
        let frame = Box::new(v1::SyncResponse { message: Some(welcome) });
        world.edge.take(Input::Heard(frame), world.now_ms, &mut step);
        assert_eq!(step.close.is_none(), is_newer, "epoch {told} after {epoch}: {:?}", step.close);
        assert_eq!(world.edge.state().epoch, if is_newer { told } else { epoch });
        world.edge.take(Input::Lost(Loss::default()), world.now_ms, &mut step);
    }
}

#[test]
fn another_cluster_or_one_that_forgot_stops_the_edge() {
    let connected = || {
        let mut world = World::new(Fault::Nothing);
        world.cloud.put_device("d01", "{}");
        world.settle();
        world.report("d01", r#"{"a":1}"#);
        world.settle();
        world.set_online(false);
        world
    };
    let mut world = connected();
    world.cloud.restore_elsewhere();
    world.set_online(true);
    world.settle();
    assert_eq!(world.edge.stopped().expect("stopped").reason, "CLUSTER_MISMATCH");
    assert_eq!(world.disk.state.stopped_reason, "", "an address can be put right without a new store");

    let mut world = connected();
    world.cloud.forget_sequences();
    world.set_online(true);
    world.settle();
    assert_eq!(world.edge.stopped().expect("stopped").reason, "SEQUENCE_FORGOTTEN");

    let mut world = connected();
    let mut older = world.disk.clone();
    older.state.newest = 0;
    older.state.acknowledged = 0;
    older.state.sent = 0;
    world.start_from(older);
    world.set_online(true);
    world.settle();
    assert_eq!(world.edge.stopped().expect("stopped").reason, "EDGE_REPLACED");
}

#[test]
fn a_link_that_is_silent_for_three_heartbeats_is_ended() {
    let mut world = World::new(Fault::Nothing);
    world.cloud.put_device("d01", "{}");
    world.settle();
    world.wait(3_000);
    assert_eq!(world.edge.counts().losses, 0, "a heartbeat is 1 s here");
    world.wait(1);
    assert_eq!(world.edge.counts().losses, 1);
    assert!(world.edge.last_loss().contains("nothing was heard"), "{}", world.edge.last_loss());
    world.settle();
    world.check_in_step(&"it came back");
    assert_eq!(world.edge.counts().sessions, 2);
}

#[test]
fn an_edge_below_the_floor_gets_everything_and_drops_what_is_gone() {
    let mut world = World::new(Fault::Nothing);
    for device in 0..20 {
        world.cloud.put_device(&format!("d{device:02}"), "{}");
    }
    world.settle();
    world.set_online(false);
    world.cloud.move_away("d07");
    world.cloud.put_device("d20", "{}");
    world.cloud.floor = world.cloud.revision;
    let sent = world.cloud.items_sent;
    world.set_online(true);
    world.settle();
    world.check_in_step(&"all of it again");
    assert_eq!(world.cloud.items_sent - sent, 40, "more than a window, so credit is given before the first mark");
    assert_eq!(world.edge.counts().repaired_items, 2, "what left meanwhile");
}
