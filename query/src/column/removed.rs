//! Ids of removed rows, for as long as a snapshot may ask for them.
//!
//! - Removals are kept by age. A snapshot may ask for what was removed after it was taken, so removals of one age may be forgotten
//!   when no snapshot of that age or an earlier one is held, even if there is never a moment without any snapshot.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Row;

/// Removals of one age.
const AGE: usize = 1_024;

/// An id, and the place it had.
type Place = (Box<str>, Row);

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
}

impl Removed {
    /// What a snapshot of now has to hold.
    pub(super) fn holder(&self) -> Arc<()> {
        Arc::clone(&self.present.held)
    }

    /// Notes a row that was just removed.
    pub(super) fn note(&mut self, id: &str, row: Row) {
        self.present.places.push((id.into(), row));
    }

    /// Takes out what no snapshot can ask for any more.
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
        unheld
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let of = |age: &Age| {
            let ids: usize = age.places.iter().map(|(id, _)| id.len()).sum();
            size_of::<Age>() + 16 + age.places.capacity() * size_of::<Place>() + ids
        };
        let ages: usize = self.past.iter().map(of).sum();
        ages + of(&self.present)
    }
}

#[cfg(test)]
mod tests;
