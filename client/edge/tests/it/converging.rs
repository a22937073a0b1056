//! Whatever an edge holds and whatever the cluster did meanwhile: they end up with the same, and repairs touch what differs.

use proptest::prelude::*;

use super::world::{Fault, World};

#[derive(Debug, Clone)]
enum Event {
    Put(u8),
    Move(u8),
    Report(u8),
    Online(bool),
    Settle,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u8..30).prop_map(Event::Put),
        2 => (0_u8..30).prop_map(Event::Move),
        3 => (0_u8..30).prop_map(Event::Report),
        1 => any::<bool>().prop_map(Event::Online),
        2 => Just(Event::Settle),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Nothing),
        (1_usize..120, any::<bool>()).prop_map(|(at, arrives)| Fault::Cut { at, arrives }),
        (1_usize..120, any::<bool>()).prop_map(|(at, after)| Fault::Crash { at, after }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_the_edge_holds_what_the_cluster_holds(
        fault in fault(),
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut world = World::new(fault);
        for (number, event) in events.iter().enumerate() {
            match event {
                Event::Put(device) => world.cloud.put_device(&format!("d{device:02}"), &format!(r#"{{"n":{number}}}"#)),
                Event::Move(device) => world.cloud.move_away(&format!("d{device:02}")),
                Event::Report(device) => {
                    world.report(&format!("d{device:02}"), &format!(r#"{{"n":{number}}}"#));
                }
                Event::Online(is_online) => world.set_online(*is_online),
                Event::Settle => world.settle(),
            }
        }
        world.set_online(true);
        world.settle();
        world.check_in_step(&(fault, events));
    }

    #[test]
    fn any_damage_of_the_replica_is_found_and_mended(
        held in prop::collection::btree_set(0_u8..40, 0..40),
        lost in prop::collection::btree_set(0_u8..40, 0..6),
        stale in prop::collection::btree_set(0_u8..40, 0..6),
        ahead in prop::collection::btree_set(0_u8..40, 0..6),
        invented in prop::collection::btree_set(50_u8..90, 0..6),
    ) {
        let mut world = World::new(Fault::Nothing);
        for device in &held {
            world.cloud.put_device(&format!("d{device:02}"), "{}");
        }
        world.settle();
        world.set_online(false);
        let mut disk = world.disk.clone();
        let twin = |device: &u8| format!("namespaces/plant1/devices/d{device:02}/twin");
        let before = disk.items.clone();
        lost.iter().for_each(|device| drop(disk.items.remove(&twin(device))));
        for device in &stale {
            if let Some(item) = disk.items.get_mut(&twin(device)) {
                item.revision -= 1;
            }
        }
        for device in &ahead {
            if let Some(item) = disk.items.get_mut(&twin(device)) {
                item.revision += 1_000_000;
            }
        }
        for device in &invented {
            let item = muster_proto::v1::SyncItem { name: twin(device), revision: 1, resource: Some(Default::default()) };
            disk.items.insert(twin(device), item);
        }
        let damaged = before.iter().filter(|(name, item)| disk.items.get(*name) != Some(*item)).count()
            + disk.items.keys().filter(|name| !before.contains_key(*name)).count();
        world.start_from(disk);
        world.set_online(true);
        world.settle();
        world.check_in_step(&(lost, stale, ahead, invented));
        prop_assert_eq!(world.edge.counts().repaired_items, damaged as u64, "what differs, and nothing else");
        prop_assert_eq!(world.edge.counts().repairs, u64::from(damaged > 0));
    }
}
