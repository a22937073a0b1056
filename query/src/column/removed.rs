//! Ids of removed rows, for as long as a snapshot may ask for them.
//!
//! - Removals are kept by age. A snapshot may ask for what was removed after it was taken, so removals of one age may be forgotten
//!   when no snapshot of that age or an earlier one is held, even if there is never a moment without any snapshot.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Row;

/// Removals of one age.
const AGE: usize = 1_024;

/// An id, and the place it had.
type Place = (Arc<str>, Row);

#[derive(Debug, Default)]
struct Age {
    /// Held by every snapshot of this age.
    held: Arc<()>,
    places: Vec<Place>,
}

impl Age {
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.held) > 1
    }
}

/// What was removed and is not forgotten yet.
#[derive(Debug, Default)]
pub(super) struct Removed {
    past: VecDeque<Age>,
    present: Age,
    /// How many removals of all ages have a place: an id may come and go in one.
    removals: HashMap<Place, usize>,
}

impl Removed {
    /// What a snapshot of now has to hold.
    pub(super) fn holder(&self) -> Arc<()> {
        Arc::clone(&self.present.held)
    }

    /// Notes a row that was just removed.
    pub(super) fn note(&mut self, id: &str, row: Row) {
        let place = (Arc::from(id), row);
        *self.removals.entry(place.clone()).or_default() += 1;
        self.present.places.push(place);
    }

    /// Takes out places for which no snapshot can ask any more, unless the id is there again.
    pub(super) fn take_unheld(&mut self) -> Vec<Place> {
        let mut unheld = Vec::new();
        while let Some(age) = self.past.pop_front_if(|age| !age.is_held()) {
            unheld.extend(age.places);
        }
        if self.past.is_empty() && !self.present.is_held() {
            unheld.append(&mut self.present.places);
        } else if self.present.places.len() >= AGE {
            self.past.push_back(std::mem::take(&mut self.present));
        }
        unheld.retain(|place| self.is_last_removal(place));
        unheld
    }

    fn is_last_removal(&mut self, place: &Place) -> bool {
        let Some(left) = self.removals.get_mut(place) else { return false };
        *left -= 1;
        let is_last = *left == 0;
        if is_last {
            self.removals.remove(place);
        }
        is_last
    }

    pub(super) fn memory_bytes(&self) -> usize {
        // An id is kept once for both lists, beside its two counters.
        let of = |age: &Age| {
            let ids: usize = age.places.iter().map(|(id, _)| 16 + id.len()).sum();
            size_of::<Age>() + 16 + age.places.capacity() * size_of::<Place>() + ids
        };
        let ages: usize = self.past.iter().map(of).sum();
        ages + of(&self.present) + self.removals.capacity() * (size_of::<(Place, usize)>() + 1)
    }
}

#[cfg(test)]
mod tests {
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
                assert_eq!(
                    oldest.row(&format!("device {at}")).map(|row| oldest.id(row)),
                    Some(&*format!("device {at}"))
                );
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
        assert!(table.removed.take_unheld().is_empty() && table.removed.removals.is_empty(), "all is forgotten");
    }
}
