//! Repairs against an edge that does what `sync.md` says: both sides end equal, and what travels is bounded by what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_domain::scope::item_hash;
use proptest::prelude::*;

use super::*;

type Items = BTreeMap<String, u64>;

fn entries(items: &Items) -> Vec<Entry> {
    let entry = |(name, revision): (&String, &u64)| Entry {
        name: Arc::from(name.as_str()),
        revision: *revision,
        hash: item_hash(name, *revision),
    };
    items.iter().map(entry).collect()
}

fn range_of(items: &Items, start: &str, end: &str) -> v1::SyncRange {
    let all = entries(items);
    let bounds = v1::SyncRange { start: start.to_owned(), end: end.to_owned(), items: 0, hash: Default::default() };
    let sum = sum(within(&all, &bounds));
    v1::SyncRange { items: sum.items(), hash: sum.to_bytes().to_vec().into(), ..bounds }
}

/// The edge's side. Names of entries and numbers of parts that travelled, and how often it asked.
fn repair(edge: &mut Items, cloud: &Items) -> (usize, usize) {
    let held = entries(cloud);
    let mut ranges = vec![range_of(edge, "", "")];
    let (mut travelled, mut rounds) = (0, 0);
    while !ranges.is_empty() {
        rounds += 1;
        assert_eq!(check(&ranges), Ok(()));
        let told = differences(&held, &ranges, false);
        ranges.clear();
        for difference in told {
            travelled += difference.entries.len() + difference.parts.len();
            if !difference.parts.is_empty() {
                let own = difference.parts.iter().map(|part| (part, range_of(edge, &part.start, &part.end)));
                ranges.extend(own.filter(|(part, own)| *part != own).map(|(_, own)| own));
                continue;
            }
            let wanted: BTreeMap<_, _> =
                difference.entries.iter().map(|entry| (entry.name.clone(), entry.revision)).collect();
            let end = difference.end;
            let is_in = |name: &str| *name >= *difference.start && (end.is_empty() || *name < *end);
            edge.retain(|name, _| !is_in(name) || wanted.contains_key(name));
            edge.extend(wanted);
        }
        ranges.truncate(RANGES_MAX);
        if ranges.is_empty() && *edge != *cloud {
            ranges = vec![range_of(edge, "", "")];
        }
        assert!(rounds < 100, "it comes to an end");
    }
    (travelled, rounds)
}

fn name(at: u16) -> String {
    format!("namespaces/p/devices/d{at:04}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn after_a_repair_both_sides_are_equal(
        common in 0_u16..3_000,
        only_cloud in proptest::collection::btree_map(0_u16..3_500, 2_u64..9, 0..20),
        only_edge in proptest::collection::btree_map(0_u16..3_500, 2_u64..9, 0..20),
        lost in proptest::collection::btree_set(0_u16..3_000, 0..20),
    ) {
        let both: Items = (0..common).map(|at| (name(at), 1)).collect();
        let mut cloud = both.clone();
        cloud.extend(only_cloud.iter().map(|(at, revision)| (name(*at), *revision)));
        let mut edge = both;
        edge.extend(only_edge.iter().map(|(at, revision)| (name(*at), *revision)));
        lost.iter().for_each(|at| { edge.remove(&name(*at)); });
        let places: BTreeSet<u16> = only_cloud.keys().chain(only_edge.keys()).chain(&lost).copied().collect();
        let (travelled, _) = repair(&mut edge, &cloud);
        prop_assert_eq!(&edge, &cloud);
        // Three levels at most for so few items: 16 parts on each way down, and the entries of its end.
        let bound = places.len() * (2 * PARTS + ENTRIES_MAX);
        prop_assert!(travelled <= bound, "{} travelled for {} differences", travelled, places.len());
    }
}

#[test]
fn an_empty_edge_and_an_empty_scope_are_repaired_too() {
    let full: Items = (0..1_000).map(|at| (name(at), 1)).collect();
    let mut edge = Items::new();
    repair(&mut edge, &full);
    assert_eq!(edge, full);
    repair(&mut edge, &Items::new());
    assert!(edge.is_empty());
}

#[test]
fn malformed_ranges_are_refused_by_name() {
    let range = |start: &str, end: &str| range_of(&Items::new(), start, end);
    let short = v1::SyncRange { hash: vec![0; 31].into(), ..range("", "") };
    for (ranges, field) in [
        (vec![], "compare.ranges"),
        (vec![range("", "b"); 257], "compare.ranges"),
        (vec![range("b", "a")], "compare.ranges[0]"),
        (vec![range("a", "a")], "compare.ranges[0]"),
        (vec![range("", "b"), range("a", "c")], "compare.ranges[1]"),
        (vec![range("", ""), range("a", "c")], "compare.ranges[1]"),
        (vec![short], "compare.ranges[0].hash"),
    ] {
        assert_eq!(check(&ranges).map_err(|refusal| refusal.field), Err(field.to_owned()));
    }
    assert_eq!(check(&[range("", "b"), range("b", "d"), range("e", "")]), Ok(()));
}
