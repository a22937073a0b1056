//! Digests of small stores: with twins not written yet, of an earlier revision, and with one record that differs.

use muster_domain::{At, EventKind, evolve};

use super::{digest, record_hashes};
use crate::store::states::{read_record, seal};
use crate::store::verify::tests::{Store, twin};
use crate::store::{columns, keys};

#[test]
fn twins_that_are_not_written_yet_count_as_if_they_were() {
    let written = Store::new(0);
    let expected = digest(&written.db, written.revision).unwrap();
    assert_eq!((expected.chain, expected.records, expected.ranges.len()), (written.chain, 2, 2));
    // Three changes behind: the family has an older twin. Four: it has none.
    for unwritten in 1..=4 {
        let store = Store::new(unwritten);
        assert_eq!(digest(&store.db, store.revision).unwrap(), expected, "{unwritten} changes behind");
        let from_twin = record_hashes(&store.db, store.revision, &keys::state(&twin()), 10).unwrap();
        assert_eq!(from_twin, record_hashes(&written.db, 5, &keys::state(&twin()), 10).unwrap());
        assert_eq!((from_twin.len(), from_twin[0].revision), (1, 5));
    }
}

#[test]
fn a_store_that_has_gone_on_tells_the_same_of_an_earlier_revision() {
    for unwritten in [0, 2, 4] {
        let mut store = Store::new(unwritten);
        let before = digest(&store.db, 5).unwrap();
        let earlier = digest(&store.db, 3).unwrap();
        let mut last = read_record(&Store::new(0).db, &keys::state(&twin())).unwrap().map(|record| (*record).clone());
        for n in 10..14 {
            let patch = EventKind::TwinPatched { tags: None, desired: Some(format!("{{\"n\":{n}}}")) };
            last = Some(store.append(twin(), patch, last.as_ref(), unwritten == 0));
        }
        assert_eq!(digest(&store.db, 5).unwrap(), before, "{unwritten} changes behind");
        assert_eq!(digest(&store.db, 3).unwrap(), earlier);
        assert_ne!(digest(&store.db, store.revision).unwrap().state, before.state);
        assert!(digest(&store.db, store.revision + 1).is_err(), "nobody is there yet");
    }
}

#[test]
fn one_record_that_differs_is_found_in_its_range() {
    let (good, bad) = (Store::new(0), Store::new(0));
    let other = evolve(None, &EventKind::TwinCreated, At { revision: 5, time_ms: 1005 });
    bad.put(columns::STATES, keys::state(&twin()), seal(&other));
    let (good, bad) = (digest(&good.db, 5).unwrap(), digest(&bad.db, 5).unwrap());
    assert_eq!(good.chain, bad.chain);
    assert_ne!(good.state, bad.state);
    let differ: Vec<_> = good.ranges.iter().zip(&bad.ranges).filter(|(good, bad)| good != bad).collect();
    assert_eq!(differ.len(), 1);
    assert!(keys::state(&twin()).starts_with(&differ[0].0.0));
}
