//! Contents are compared when the cluster asks: what differs under the same name and revision is found, named and mended.

use muster_edge::contents::Contents;
use muster_edge::index::Range;
use muster_proto::v1;
use muster_proto::v1::resource::Resource;
use muster_proto::v1::sync_request::Message as Said;
use proptest::prelude::*;

use super::world::{Disk, Fault, World};

fn twin(device: u8) -> String {
    format!("namespaces/plant1/devices/d{device:02}/twin")
}

/// Changes what is held of a twin, and neither its name nor its revision.
fn damage(disk: &mut Disk, device: u8) {
    let item = disk.items.get_mut(&twin(device)).expect("held");
    let Some(Resource::Twin(held)) = item.resource.as_mut().and_then(|resource| resource.resource.as_mut()) else {
        panic!("a twin")
    };
    held.desired.as_mut().expect("desired").json = r#"{"flipped":1}"#.to_owned();
}

/// An edge in step that holds 30 devices, the twins of some of them damaged.
fn damaged(fault: Fault, devices: &[u8]) -> World {
    let mut world = World::new(fault);
    for device in 0..30 {
        world.cloud.put_device(&format!("d{device:02}"), "{}");
    }
    world.settle();
    world.set_online(false);
    let mut disk = world.disk.clone();
    devices.iter().for_each(|device| damage(&mut disk, *device));
    world.start_from(disk);
    world.set_online(true);
    world.settle();
    world
}

fn verify(world: &mut World) -> Vec<v1::SyncVerified> {
    world.cloud.verified.clear();
    let id = world.messages as u64 + 1;
    assert!(world.verify(id), "in step");
    world.settle();
    let verified = world.cloud.verified.clone();
    assert!(verified.iter().all(|verified| verified.id == id), "{verified:?}");
    verified
}

fn cluster(world: &World) -> (u64, Vec<u8>) {
    let hashes = world.cloud.scope.iter().map(|(name, item)| (name.clone(), Contents::hash(item))).collect();
    let sum = Contents::new(hashes, Box::new(|_| None)).sum(&Range::ALL);
    (sum.items(), sum.to_bytes().to_vec())
}

fn told(verified: &v1::SyncVerified) -> (u64, Vec<u8>) {
    (verified.items, verified.content_hash.to_vec())
}

#[test]
fn the_same_contents_have_the_same_sum_and_nothing_is_fetched() {
    let mut world = damaged(Fault::Nothing, &[]);
    let sent = world.cloud.items_sent;
    let verified = verify(&mut world);
    assert_eq!(verified.len(), 2);
    for told in &verified {
        assert_eq!((told.revision, self::told(told)), (world.cloud.revision, cluster(&world)));
    }
    assert_eq!((verified[0].is_over, verified[1].is_over), (false, true));
    assert_eq!((verified[1].differences, &verified[1].first_held), (0, &None));
    assert_eq!(world.cloud.items_sent, sent);
    world.check_in_step(&"verified");
    world.cloud.put_device("d03", r#"{"fw":"2"}"#);
    world.settle();
    world.check_in_step(&"it goes on");
    let counts = world.edge.counts();
    assert_eq!((counts.verifications, counts.verifications_differing, counts.repaired_items), (1, 0, 0));
}

#[test]
fn a_difference_under_the_same_revision_is_named_and_mended() {
    let mut world = damaged(Fault::Nothing, &[21, 7]);
    assert_eq!(*world.edge.index().sum(), world.cloud.sum(), "by revisions nothing is wrong");
    assert_ne!(world.disk.items, world.cloud.scope);
    let held = world.disk.items[&twin(7)].clone();
    let verified = verify(&mut world);
    assert_eq!(verified.len(), 2);
    assert_ne!(told(&verified[0]), cluster(&world), "as it was before anything was compared");
    assert_eq!(told(&verified[1]), cluster(&world), "as it is read when it is mended");
    assert_eq!(verified[1].differences, 2);
    assert_eq!(verified[1].first_held.as_deref(), Some(&held), "the first in the order of names, as it was held");
    world.check_in_step(&"mended");
    let counts = world.edge.counts();
    assert_eq!((counts.verifications_differing, counts.repaired_items, counts.repairs), (1, 2, 0));
    assert_eq!(verify(&mut world)[1].differences, 0);
}

#[test]
fn a_fault_at_any_step_of_it_leaves_nothing_half_done() {
    let story = |fault: Fault| {
        let mut world = damaged(fault, &[7, 8, 21]);
        if world.verify(1) {
            // Applications go on meanwhile.
            world.report("d03", r#"{"a":1}"#);
            world.settle();
        }
        world
    };
    let whole = story(Fault::Nothing);
    let cuts = (1..=whole.messages).flat_map(|at| [false, true].map(|arrives| Fault::Cut { at, arrives }));
    let crashes = (1..=whole.writes).flat_map(|at| [false, true].map(|after| Fault::Crash { at, after }));
    for fault in cuts.chain(crashes) {
        let mut world = story(fault);
        let verified = verify(&mut world);
        assert!(verified[1].is_over && told(&verified[1]) == cluster(&world), "{fault:?}: {verified:?}");
        world.check_in_step(&fault);
    }
}

#[test]
fn contents_that_come_late_are_of_no_use() {
    use muster_edge::protocol::{Input, Step};
    let mut world = damaged(Fault::Nothing, &[]);
    let mut step = Step::default();
    let contents = Contents::new(Default::default(), Box::new(|_| None));
    world.edge.take(Input::Contents(Some(contents)), world.now_ms, &mut step);
    let said = |frame: &v1::SyncRequest| matches!(frame.message, Some(Said::Verified(_)));
    assert!(!step.frames.iter().any(said) && step.close.is_none(), "nobody asked for them");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_set_of_differences_is_counted_and_mended(devices in prop::collection::btree_set(0_u8..30, 0..12)) {
        let devices: Vec<u8> = devices.into_iter().collect();
        let mut world = damaged(Fault::Nothing, &devices);
        let verified = verify(&mut world);
        prop_assert_eq!(verified[1].differences, devices.len() as u64);
        let first = verified[1].first_held.as_ref().map(|held| held.name.clone());
        prop_assert_eq!(first, devices.first().map(|device| twin(*device)));
        world.check_in_step(&devices);
    }
}
