//! Ids of removed rows, for as long as a snapshot may ask for them.
//!
//! - Removals are kept by age. A snapshot may ask for what was removed after it was taken, so removals of one age may be forgotten
//!   when no snapshot of that age or an earlier one is held, even if there is never a moment without any snapshot.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Row;

/// Removals of one age.
const AGE: usize = 1_024;

#[derive(Debug, Default)]
struct Age {
    /// Held by every snapshot of this age.
    held: Arc<()>,
    rows: Vec<(String, Row)>,
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
}

impl Removed {
    /// What a snapshot of now has to hold.
    pub(super) fn holder(&self) -> Arc<()> {
        Arc::clone(&self.present.held)
    }

    /// Notes a row that was just removed.
    pub(super) fn note(&mut self, id: &str, row: Row) {
        self.present.rows.push((id.to_owned(), row));
    }

    /// Takes out what no snapshot can ask for any more.
    pub(super) fn take_unheld(&mut self) -> Vec<(String, Row)> {
        let mut unheld = Vec::new();
        while let Some(age) = self.past.pop_front_if(|age| !age.is_held()) {
            unheld.extend(age.rows);
        }
        if self.past.is_empty() && !self.present.is_held() {
            unheld.append(&mut self.present.rows);
        } else if self.present.rows.len() >= AGE {
            self.past.push_back(std::mem::take(&mut self.present));
        }
        unheld
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let of = |age: &Age| {
            size_of::<Age>()
                + age.rows.capacity() * size_of::<(String, Row)>()
                + age.rows.iter().map(|(id, _)| id.len()).sum::<usize>()
        };
        self.past.iter().map(of).sum::<usize>() + of(&self.present)
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
            if round % 50 == 0 {
                for (was_there, snapshot) in &held {
                    assert_eq!(snapshot.row("flapping").is_some(), *was_there);
                }
            }
        }
        table.insert("flapping");
        held.clear();
        table.insert("other");
        table.remove("other");
        assert!(table.row("flapping").is_some() && table.row("other").is_none());
        assert!(table.snapshot().row("flapping").is_some());
    }
}
