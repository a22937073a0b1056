//! Snapshots find what was removed after them, and nothing is kept for longer than that.

use super::*;
use crate::column::{Leaf, Options, Table};

#[test]
fn removals_are_forgotten_though_some_snapshot_is_always_held() {
    let mut table = Table::new(Options::default());
    let mut held = VecDeque::new();
    let mut most = 0;
    for at in 0..40_000_u32 {
        let row = table.insert(&format!("device {at}"));
        let node = table.child(Table::ROOT, "a");
        table.set(row, node, Leaf::Int(i64::from(at)));
        if at % 100 == 0 {
            held.push_back((table.snapshot(), at));
        }
        if held.len() > 3 {
            // What was removed meanwhile is still there for the oldest one.
            let (oldest, at) = held.pop_front().expect("three");
            assert_eq!(oldest.row(&format!("device {at}")).map(|row| oldest.id(row)), Some(&*format!("device {at}")));
        }
        table.remove(&format!("device {at}"));
        most = most.max(table.memory_bytes());
    }
    assert!(most < 1_000_000, "{most} bytes for one row and what it was before");
    assert!(table.is_empty());
}

#[test]
fn an_id_that_comes_and_goes_in_one_place_is_found_by_each_snapshot_that_had_it() {
    let mut table = Table::new(Options::default());
    let mut held: VecDeque<(bool, crate::column::Snapshot)> = VecDeque::new();
    for round in 0..5_000 {
        table.insert("flapping");
        held.push_back((true, table.snapshot()));
        table.remove("flapping");
        held.push_back((false, table.snapshot()));
        if round > 4 {
            held.drain(..2);
        }
        for (was_there, snapshot) in &held {
            assert_eq!(snapshot.row("flapping").is_some(), *was_there, "round {round}");
        }
    }
    table.insert("flapping");
    assert!(table.ids.len() < 3 * AGE, "lives that nobody asks for are forgotten");
    held.clear();
    table.insert("other");
    table.remove("other");
    assert!(table.row("flapping").is_some() && table.row("other").is_none());
    assert!(table.snapshot().row("flapping").is_some());
}

#[test]
fn what_an_early_snapshot_may_ask_for_stays_though_later_ones_are_gone() {
    let mut table = Table::new(Options::default());
    let ids: Vec<String> = (0..3 * AGE).map(|at| format!("device {at}")).collect();
    for id in &ids {
        table.insert(id);
    }
    let early = table.snapshot();
    for (at, id) in ids.iter().enumerate() {
        table.remove(id);
        if at % 7 == 0 {
            drop(table.snapshot());
        }
    }
    for id in &ids {
        assert_eq!(early.row(id).map(|row| early.id(row)), Some(id.as_str()));
    }
    drop(early);
    table.insert("last");
    table.remove("last");
    table.insert("stays");
    assert!(table.removed.take_unheld().is_empty() && table.ids.len() == 1, "all but one is forgotten");
}
