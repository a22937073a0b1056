//! Proving that the edge holds the cluster's contents, when the cluster asks for it: at one mark everything is read from the
//! store and compared by what it holds, what differs is fetched, and the store is read again. Section 6 of `sync.md`.
//!
//! - What is said is read from the store, never remembered.
//! - It is a repair: until it is over nothing newer comes, so the store stays as it was at the mark but for what differs.

use muster_domain::scope::ScopeHash;
use muster_proto::v1;
use muster_proto::v1::sync_request::Message;
use prost::Message as _;

use super::repair::{FIRST_RANGES, Repair};
use super::{Protocol, Step};
use crate::contents::Contents;
use crate::index::Range;

/// A larger item is not shown to the cluster.
const SHOWN_BYTES_MAX: usize = 1 << 20;

/// A comparison of contents.
#[derive(Debug)]
pub(super) struct Verifying {
    id: u64,
    /// Absent while they are read.
    contents: Option<Contents>,
    /// The comparison is done, what differed is written, and it is read again.
    is_repaired: bool,
    differences: u64,
    /// The first item that differed, as it was held.
    first: Option<v1::SyncItem>,
}

impl Verifying {
    pub(super) fn is_read(&self) -> bool {
        self.contents.is_some()
    }

    pub(super) fn sum(&self, range: &Range) -> ScopeHash {
        self.contents.as_ref().map(|contents| contents.sum(range)).unwrap_or_default()
    }

    pub(super) fn holds(&self, entry: &v1::SyncEntry) -> bool {
        let own = self.contents.as_ref().and_then(|contents| contents.get(&entry.name));
        own.is_some_and(|own| own[..] == entry.hash[..])
    }

    pub(super) fn names(&self, range: &Range) -> impl Iterator<Item = String> {
        self.contents.iter().flat_map(|contents| contents.names(range)).map(str::to_owned)
    }

    /// Before it is written over.
    pub(super) fn note_difference(&mut self, name: &str) {
        self.differences += 1;
        if self.first.as_ref().is_none_or(|first| name < first.name.as_str()) {
            let held = self.contents.as_ref().and_then(|contents| contents.look(name));
            let mut held = held.unwrap_or_else(|| v1::SyncItem { name: name.to_owned(), ..v1::SyncItem::default() });
            if held.encoded_len() > SHOWN_BYTES_MAX {
                held.resource = None;
            }
            self.first = Some(held);
        }
    }

    /// What the store holds, as it was read.
    fn told(&self, mark: &v1::SyncMark) -> v1::SyncVerified {
        let sum = self.sum(&Range::ALL);
        let (items, content_hash) = (sum.items(), sum.to_bytes().to_vec().into());
        v1::SyncVerified { id: self.id, revision: mark.revision, items, content_hash, ..v1::SyncVerified::default() }
    }
}

impl Protocol {
    pub(super) fn begin_verifying(&mut self, id: u64, mark: v1::SyncMark, step: &mut Step) {
        let Some(link) = &mut self.link else { return };
        link.agrees = false;
        let verifying = Verifying { id, contents: None, is_repaired: false, differences: 0, first: None };
        link.repair = Some(Repair::new(mark, Vec::new(), Some(verifying)));
        step.reads_contents = true;
    }

    /// What the store holds. Of an older link, or asked for by nobody any more, it is of no use.
    pub(super) fn take_contents(&mut self, contents: Option<Contents>, step: &mut Step) {
        let Some(repair) = self.link.as_mut().and_then(|link| link.repair.as_mut()) else { return };
        let Some(verifying) = repair.verifying.as_mut().filter(|verifying| !verifying.is_read()) else { return };
        let Some(contents) = contents else { return step.close("the contents of the store cannot be read") };
        verifying.contents = Some(contents);
        if verifying.is_repaired {
            return self.end_verifying(step);
        }
        step.say(Message::Verified(verifying.told(&repair.mark)));
        repair.ranges = self.index.split(FIRST_RANGES);
        self.go_on_repairing(step);
    }

    /// Everything is compared, and what differed is here.
    pub(super) fn end_comparison(&mut self, step: &mut Step) {
        let Some(repair) = self.link.as_mut().and_then(|link| link.repair.as_mut()) else { return };
        let Some(verifying) = &mut repair.verifying else { return };
        if verifying.differences == 0 {
            return self.end_verifying(step);
        }
        // What is proved is what can be read after it was written.
        (verifying.is_repaired, verifying.contents) = (true, None);
        step.reads_contents = true;
    }

    fn end_verifying(&mut self, step: &mut Step) {
        let Some(link) = &mut self.link else { return };
        let Some(Repair { mark, verifying: Some(verifying), .. }) = link.repair.take() else { return };
        let told = verifying.told(&mark);
        let (differences, first_held) = (verifying.differences, verifying.first.map(Box::new));
        self.counts.verifications += 1;
        self.counts.verifications_differing += u64::from(differences > 0);
        if let Some(first) = &first_held {
            tracing::error!(differences, first = first.name, "the store held other contents than the cluster");
        }
        step.say(Message::Verified(v1::SyncVerified { is_over: true, differences, first_held, ..told }));
        link.tells = true;
        if self.agrees_with(&mark) {
            self.reach(&mark, step);
        } else {
            self.begin_repair(mark, step);
        }
    }

    /// An item is written while contents are compared.
    pub(super) fn note_content(&mut self, item: &v1::SyncItem) {
        if let Some(contents) = self.compared() {
            contents.put(item);
        }
    }

    pub(super) fn note_removed(&mut self, name: &str) {
        if let Some(contents) = self.compared() {
            contents.remove(name);
        }
    }

    fn compared(&mut self) -> Option<&mut Contents> {
        self.link.as_mut()?.repair.as_mut()?.verifying.as_mut()?.contents.as_mut()
    }
}
