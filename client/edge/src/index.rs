//! What the edge holds, by name and revision, and the sum over it. It knows no contents: the store keeps those.
//!
//! - The sum is that of the entries at any time; it is kept up to date entry by entry.
//! - Names are ordered as byte strings, as both ends order them.

use std::collections::BTreeMap;
use std::ops::Bound;

use muster_domain::scope::{ScopeHash, item_hash};

/// Names and revisions of items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    revisions: BTreeMap<String, u64>,
    sum: ScopeHash,
}

/// Names from `start` on and below `end`; an empty `end` is the end of all names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first name that may be in it.
    pub start: String,
    /// The first name behind it, or empty.
    pub end: String,
}

impl Range {
    /// All names.
    pub const ALL: Self = Self { start: String::new(), end: String::new() };

    fn bounds(&self) -> (Bound<&str>, Bound<&str>) {
        let end = if self.end.is_empty() { Bound::Unbounded } else { Bound::Excluded(self.end.as_str()) };
        (Bound::Included(self.start.as_str()), end)
    }

    fn is_backwards(&self) -> bool {
        !self.end.is_empty() && self.start > self.end
    }

    /// Entries of a map of names that lie in it, in order.
    pub(crate) fn of<'m, T>(
        &self,
        map: &'m BTreeMap<String, T>,
    ) -> impl Iterator<Item = (&'m String, &'m T)> + use<'m, T> {
        // A range that ends before it begins holds nothing; the map would not take it.
        let (bounds, some) = if self.is_backwards() { (Self::ALL, 0) } else { (self.clone(), usize::MAX) };
        map.range::<str, _>(bounds.bounds()).take(some)
    }
}

impl Index {
    /// Notes that the item is held at this revision.
    pub fn insert(&mut self, name: &str, revision: u64) {
        self.remove(name);
        self.sum.add(&item_hash(name, revision));
        self.revisions.insert(name.to_owned(), revision);
    }

    /// Notes that the item is not held any more; returns the revision at which it was.
    pub fn remove(&mut self, name: &str) -> Option<u64> {
        let revision = self.revisions.remove(name)?;
        self.sum.remove(&item_hash(name, revision));
        Some(revision)
    }

    /// The revision at which the item is held.
    #[must_use]
    pub fn revision(&self, name: &str) -> Option<u64> {
        self.revisions.get(name).copied()
    }

    /// The sum over everything.
    #[must_use]
    pub fn sum(&self) -> &ScopeHash {
        &self.sum
    }

    /// Entries of a range, in the order of names.
    pub fn range(&self, range: &Range) -> impl Iterator<Item = (&str, u64)> {
        range.of(&self.revisions).map(|(name, revision)| (name.as_str(), *revision))
    }

    /// The sum over a range.
    #[must_use]
    pub fn range_sum(&self, range: &Range) -> ScopeHash {
        let mut sum = ScopeHash::default();
        self.range(range).for_each(|(name, revision)| sum.add(&item_hash(name, revision)));
        sum
    }

    /// All names in at most `parts` ranges of about the same size, which follow each other without a gap.
    #[must_use]
    pub fn split(&self, parts: usize) -> Vec<Range> {
        let (held, parts) = (self.revisions.len(), parts.max(1));
        let size = held.div_ceil(parts).max(1);
        let mut starts = vec![String::new()];
        starts.extend(self.revisions.keys().skip(size).step_by(size).cloned());
        let ends = starts.iter().skip(1).cloned().chain([String::new()]).collect::<Vec<_>>();
        starts.into_iter().zip(ends).map(|(start, end)| Range { start, end }).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(entries: &BTreeMap<String, u64>) -> Index {
        let mut index = Index::default();
        entries.iter().for_each(|(name, revision)| index.insert(name, *revision));
        index
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_entries_whatever_came_before(
            changes in prop::collection::vec(("[a-d]{1,2}", prop::option::of(1_u64..9)), 0..60),
        ) {
            let (mut index, mut expected) = (Index::default(), BTreeMap::new());
            for (name, revision) in changes {
                match revision {
                    Some(revision) => {
                        index.insert(&name, revision);
                        expected.insert(name, revision);
                    }
                    None => prop_assert_eq!(index.remove(&name), expected.remove(&name)),
                }
            }
            prop_assert_eq!(&index, &self::index(&expected));
            prop_assert_eq!(index.range_sum(&Range::ALL), *index.sum());
        }

        #[test]
        fn parts_cover_everything_once(names in prop::collection::btree_set("[a-e]{1,3}", 0..50), parts in 1_usize..20) {
            let index = index(&names.iter().map(|name| (name.clone(), 1)).collect());
            let ranges = index.split(parts);
            prop_assert!(ranges.len() <= parts.max(1));
            prop_assert_eq!((ranges[0].start.as_str(), ranges[ranges.len() - 1].end.as_str()), ("", ""));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            let found: Vec<_> = ranges.iter().flat_map(|range| index.range(range)).map(|(name, _)| name.to_owned()).collect();
            prop_assert_eq!(found, names.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_empty() {
        let index = index(&BTreeMap::from([("b".to_owned(), 1)]));
        let range = Range { start: "c".to_owned(), end: "a".to_owned() };
        assert_eq!(index.range(&range).count(), 0);
    }
}
