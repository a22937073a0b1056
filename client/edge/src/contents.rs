//! What the edge holds by content: a hash of all that each item holds. Revisions stand for contents everywhere else; here it is
//! seen whether they do.
//!
//! It is made from the store when it is asked for, and follows what is written from then on. An item whose stored copy is
//! damaged is not in it.

use std::collections::BTreeMap;
use std::fmt;

use muster_domain::scope::{ItemHash, ScopeHash, content_hash};
use muster_proto::v1;
use prost::Message;

use crate::index::Range;

/// Reads an item as the store holds it; `None` when it holds none that is whole.
pub type Look = Box<dyn Fn(&str) -> Option<v1::SyncItem> + Send>;

/// See the module.
pub struct Contents {
    hashes: BTreeMap<String, ItemHash>,
    look: Look,
}

impl Contents {
    /// Of these hashes; `look` reads the same store.
    #[must_use]
    pub fn new(hashes: BTreeMap<String, ItemHash>, look: Look) -> Self {
        Self { hashes, look }
    }

    /// The hash of an item by all it holds.
    #[must_use]
    pub fn hash(item: &v1::SyncItem) -> ItemHash {
        content_hash(&item.encode_to_vec())
    }

    pub(crate) fn put(&mut self, item: &v1::SyncItem) {
        self.hashes.insert(item.name.clone(), Self::hash(item));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.hashes.remove(name);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&ItemHash> {
        self.hashes.get(name)
    }

    /// Names in a range.
    pub(crate) fn names(&self, range: &Range) -> impl Iterator<Item = &str> {
        range.of(&self.hashes).map(|(name, _)| name.as_str())
    }

    /// The sum over a range.
    #[must_use]
    pub fn sum(&self, range: &Range) -> ScopeHash {
        let mut sum = ScopeHash::default();
        range.of(&self.hashes).for_each(|(_, hash)| sum.add(hash));
        sum
    }

    /// The item as the store holds it.
    pub(crate) fn look(&self, name: &str) -> Option<v1::SyncItem> {
        (self.look)(name)
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("items", &self.hashes.len()).finish_non_exhaustive()
    }
}
