//! A repair that is under way: the scope as of one mark, and what the edge still wants of it.
//!
//! - Nothing but the scope as of the mark is told: a name outside of it is absent, whether such a resource exists or not.
//! - What an edge may want at a time is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use muster_domain::scope::item_hash;
use muster_domain::{Reason, Rejection};
use muster_proto::v1;

use super::SyncError;
use super::content;
use super::repair::{self, Entry};
use super::scope::{Due, Name};
use crate::read::View;

/// Names of one fetch.
const FETCH_MAX: usize = 256;
/// Names that are wanted at a time.
const WANTED_MAX: usize = 65_536;
/// Bytes of a name that is asked for; no resource has a longer one.
pub(super) const NAME_BYTES_MAX: usize = 1_024;

/// See the module.
pub(super) struct Repair {
    revision: u64,
    items: Arc<Vec<(Name, u64)>>,
    wanted: VecDeque<Due>,
    /// All of it by content, once that was asked for as a whole.
    contents: Option<Arc<Vec<Entry>>>,
}

impl Repair {
    pub(super) fn new(revision: u64, items: BTreeMap<Name, u64>) -> Self {
        Self { revision, items: Arc::new(items.into_iter().collect()), wanted: VecDeque::new(), contents: None }
    }

    /// Of the mark.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// What differs in ranges that were checked.
    pub(super) async fn differences(
        &self,
        view: &View,
        compare: v1::SyncCompare,
    ) -> Result<v1::SyncDifferences, SyncError> {
        let (revision, ranges, contents) = (self.revision, compare.ranges, compare.contents);
        let items = Arc::clone(&self.items);
        if let Some(entries) = self.contents.clone().filter(|_| contents) {
            let differ = move |_: &View| Ok(repair::differences(&entries, &ranges, true));
            return Ok(v1::SyncDifferences { revision, differences: view.beside(differ).await? });
        }
        let concerned: Vec<(Name, u64)> = ranges.iter().flat_map(|range| within(&items, range).to_vec()).collect();
        let entries = if contents {
            content::entries(view, revision, concerned).await?
        } else {
            let hashed = move |(name, revision): (Name, u64)| {
                let hash = item_hash(&name, revision);
                Entry { name, revision, hash }
            };
            view.beside(move |_| Ok(concerned.into_iter().map(hashed).collect())).await?
        };
        let differences = repair::differences(&entries, &ranges, contents);
        Ok(v1::SyncDifferences { revision, differences })
    }

    /// Everything by content, in the order of names; read once.
    pub(super) async fn contents(&mut self, view: &View) -> Result<Arc<Vec<Entry>>, SyncError> {
        if let Some(entries) = &self.contents {
            return Ok(Arc::clone(entries));
        }
        let entries = Arc::new(content::entries(view, self.revision, (*self.items).clone()).await?);
        self.contents = Some(Arc::clone(&entries));
        Ok(entries)
    }

    /// What a name is as of the mark.
    pub(super) fn due(&self, name: &str) -> Due {
        let found = self.items.binary_search_by(|(own, _)| (**own).cmp(name));
        Due { name: name.into(), revision: found.ok().map(|at| self.items[at].1) }
    }

    /// Notes names that the edge asks for.
    pub(super) fn want(&mut self, names: Vec<String>) -> Result<(), Rejection> {
        let count = names.len();
        if count == 0 || count > FETCH_MAX {
            let message = format!("fetch.names must have 1 to {FETCH_MAX} elements, and has {count}");
            return Err(Rejection::new(Reason::TooMany, "fetch.names", message));
        }
        if self.wanted.len() + count > WANTED_MAX {
            let message = format!("more than {WANTED_MAX} items are asked for: await some of them");
            return Err(Rejection::new(Reason::TooMany, "fetch.names", message));
        }
        for (at, name) in names.into_iter().enumerate() {
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                let field = format!("fetch.names[{at}]");
                let message = format!("{field} must have 1 to {NAME_BYTES_MAX} bytes, and has {}", name.len());
                return Err(Rejection::new(Reason::InvalidField, field, message));
            }
            let due = self.due(&name);
            self.wanted.push_back(due);
        }
        Ok(())
    }

    /// The next items that are wanted, at most `most`, and as of when.
    pub(super) fn wanted(&self, most: usize) -> Option<(u64, Vec<Due>)> {
        let next: Vec<Due> = self.wanted.iter().take(most).cloned().collect();
        (!next.is_empty()).then_some((self.revision, next))
    }

    /// So many of them were sent.
    pub(super) fn sent(&mut self, count: usize) {
        drop(self.wanted.drain(..count.min(self.wanted.len())));
    }
}

fn within<'i>(items: &'i [(Name, u64)], range: &v1::SyncRange) -> &'i [(Name, u64)] {
    let from = items.partition_point(|(name, _)| **name < *range.start);
    let to = if range.end.is_empty() { items.len() } else { items.partition_point(|(name, _)| **name < *range.end) };
    &items[from..to.max(from)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repair() -> Repair {
        let items = [("namespaces/p/devices/a", 3), ("namespaces/p/devices/b", 5)];
        Repair::new(9, items.into_iter().map(|(name, revision)| (Name::from(name), revision)).collect())
    }

    #[test]
    fn a_name_outside_of_the_scope_is_absent() {
        let mut repair = repair();
        repair.want(vec!["namespaces/p/devices/b".to_owned(), "cluster".to_owned()]).expect("two names");
        let (revision, due) = repair.wanted(10).expect("two are wanted");
        let told: Vec<_> = due.iter().map(|due| due.revision).collect();
        assert_eq!((revision, told), (9, vec![Some(5), None]));
        repair.sent(2);
        assert!(repair.wanted(10).is_none());
    }

    #[test]
    fn what_is_asked_for_is_bounded() {
        let field = |names: Vec<String>| repair().want(names).err().map(|refusal| refusal.field);
        assert_eq!(field(vec![]).as_deref(), Some("fetch.names"));
        assert_eq!(field(vec!["a".to_owned(); 257]).as_deref(), Some("fetch.names"));
        assert_eq!(field(vec![String::new()]).as_deref(), Some("fetch.names[0]"));
        let mut repair = repair();
        let refused = (0..300).find_map(|_| repair.want(vec!["a".to_owned(); 256]).err());
        assert_eq!(refused.map(|refusal| refusal.reason), Some(Reason::TooMany));
        assert_eq!(repair.wanted.len(), WANTED_MAX);
    }
}
