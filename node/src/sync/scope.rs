//! What one connected edge's scope holds: names and revisions, their sum, and what changed since each mark that the edge has
//! not confirmed.
//!
//! ```text
//! marks     r1 ────────────▶ r2 ────────────▶ (now)
//! before    {a: 3, b: –}     {a: 9}            what the names that changed after a mark were as of it
//! ```
//!
//! It knows no store, no edge and no message: it is filled by the router, and read by the edge's session. Contents are not here
//! but in the store. Invariants:
//!
//! - `W6-mark`: what [`Scope::open_pass`] lists, laid over the scope as of the mark before, is the scope as of the new one.
//! - `W11-bounded`: for each mark there are at most the names that the scope holds now or held at the mark; a name that is again
//!   what it was takes no room.
//! - The sum is that of all items, always.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use muster_domain::scope::{ScopeHash, item_hash};
use muster_planted::{self as planted, Bug};

/// Full name of a resource.
pub(super) type Name = Arc<str>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Scope {
    items: BTreeMap<Name, u64>,
    sum: ScopeHash,
    /// Oldest first; the edge has confirmed none of them but perhaps the first.
    marks: VecDeque<Mark>,
}

#[derive(Debug)]
struct Mark {
    revision: u64,
    sum: ScopeHash,
    /// What names were as of the mark, of those that changed between it and the next one.
    before: BTreeMap<Name, Option<u64>>,
}

/// An item that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) name: Name,
    /// Its revision; nothing when it has left the scope.
    pub(super) revision: Option<u64>,
}

/// What lies between two marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pass {
    /// Of the mark that ends it.
    pub(super) revision: u64,
    /// In the order of revisions; what is gone comes last.
    pub(super) due: VecDeque<Due>,
    /// Of the whole scope as of the mark.
    pub(super) sum: ScopeHash,
}

impl Scope {
    /// A scope that holds these items.
    pub(super) fn new(items: impl IntoIterator<Item = (Name, u64)>) -> Self {
        let mut scope = Self::default();
        for (name, revision) in items {
            scope.set(&name, Some(revision));
        }
        scope
    }

    #[cfg(test)]
    pub(super) fn items(&self) -> BTreeMap<Name, u64> {
        self.items.clone()
    }

    /// How many items it holds.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Notes what a name is from now on. Whether that is something else than before.
    pub(super) fn set(&mut self, name: &Name, revision: Option<u64>) -> bool {
        let before = match revision {
            Some(revision) => self.items.insert(Arc::clone(name), revision),
            None => self.items.remove(name),
        };
        if before == revision {
            return false;
        }
        if let Some(before) = before {
            self.sum.remove(&item_hash(name, before));
        }
        if let Some(revision) = revision {
            self.sum.add(&item_hash(name, revision));
        }
        if let Some(mark) = self.marks.back_mut() {
            let then = *mark.before.entry(Arc::clone(name)).or_insert(before);
            if then == revision {
                mark.before.remove(name);
            }
        }
        true
    }

    /// From now on it holds exactly these items. Whether that is something else than before.
    pub(super) fn replace(&mut self, items: &BTreeMap<Name, u64>) -> bool {
        let gone: Vec<Name> = self.items.keys().filter(|name| !items.contains_key(*name)).cloned().collect();
        let mut is_changed = !gone.is_empty();
        for name in gone {
            self.set(&name, None);
        }
        for (name, revision) in items {
            is_changed |= self.set(name, Some(*revision));
        }
        is_changed
    }

    /// Names of items that begin with `prefix`.
    pub(super) fn names_from(&self, prefix: &str) -> Vec<Name> {
        let names = self.items.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        names.map(|(name, _)| name).take_while(|name| name.starts_with(prefix)).cloned().collect()
    }

    /// Whether anything changed since the newest mark.
    pub(super) fn is_dirty(&self) -> bool {
        self.marks.back().is_none_or(|mark| !mark.before.is_empty())
    }

    /// Begins to go from the newest mark to a mark of `revision`, which the scope is as of now. Without a mark yet: from what an
    /// edge holds that has all revisions up to `cursor`.
    pub(super) fn open_pass(&mut self, revision: u64, cursor: u64) -> Pass {
        let mut due: Vec<Due> = match self.marks.back() {
            Some(_) if planted::is(Bug::MarkBeforeItems) => Vec::new(),
            Some(mark) => mark.before.keys().map(|name| self.due(name)).collect(),
            None => {
                let newer = self.items.iter().filter(|(_, revision)| **revision > cursor);
                newer.map(|(name, _)| self.due(name)).collect()
            }
        };
        due.sort_by(|a, b| a.revision.unwrap_or(u64::MAX).cmp(&b.revision.unwrap_or(u64::MAX)));
        self.marks.push_back(Mark { revision, sum: self.sum, before: BTreeMap::new() });
        Pass { revision, due: due.into(), sum: self.sum }
    }

    fn due(&self, name: &Name) -> Due {
        Due { name: Arc::clone(name), revision: self.items.get(name).copied() }
    }

    /// Takes the newest mark back: it was not sent, and what led to it will be part of the next pass.
    pub(super) fn abandon_pass(&mut self) {
        let Some(abandoned) = self.marks.pop_back() else { return };
        let items = &self.items;
        if let Some(mark) = self.marks.back_mut() {
            for (name, before) in abandoned.before {
                mark.before.entry(name).or_insert(before);
            }
            mark.before.retain(|name, before| items.get(name).copied() != *before);
        }
    }

    /// Marks that are open, and names that are remembered for them.
    pub(super) fn unconfirmed(&self) -> (usize, usize) {
        // What changed since the newest is wanted whether it is confirmed or not.
        let older = self.marks.len().saturating_sub(1);
        (older, self.marks.iter().take(older).map(|mark| mark.before.len()).sum())
    }

    /// The edge has made a mark durable: what was before it need not be told any more.
    pub(super) fn confirm(&mut self, revision: u64) {
        while self.marks.len() > 1 && self.marks[1].revision <= revision {
            self.marks.pop_front();
        }
    }

    /// Sum of the scope as of a mark, while that is known.
    pub(super) fn sum_at(&self, mark: u64) -> Option<ScopeHash> {
        self.marks.iter().find(|known| known.revision == mark).map(|known| known.sum)
    }

    /// All items as of a mark, in the order of names, while that is known.
    pub(super) fn items_at(&self, mark: u64) -> Option<BTreeMap<Name, u64>> {
        let first = self.marks.iter().position(|known| known.revision == mark)?;
        let mut items = self.items.clone();
        for known in self.marks.range(first..).rev() {
            for (name, before) in &known.before {
                match before {
                    Some(revision) => items.insert(Arc::clone(name), *revision),
                    None => items.remove(name),
                };
            }
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests;
