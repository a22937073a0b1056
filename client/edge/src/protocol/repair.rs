//! Finding what differs after a mark that does not agree: ranges of names are compared, parts of those that differ again,
//! until what is to be dropped and fetched is known. Section 6 of `sync.md`.
//!
//! - The cluster sends nothing newer before the mark agrees. So the mark is the truth for as long as it is repaired: what the
//!   edge holds of a later revision is brought back to it, and comes again with the next mark, which is checked too.
//! - A repair ends with agreement, or it begins again; one that leads nowhere ends the link.
//!
//! A comparison of contents (`verify.rs`) goes the same way, with hashes of contents in place of revisions.

use std::collections::BTreeSet;

use muster_proto::v1;
use muster_proto::v1::sync_request::Message;

use super::verify::Verifying;
use super::{Protocol, Step};
use crate::index::{Index, Range};

/// Ranges of the first comparison.
pub(super) const FIRST_RANGES: usize = 16;
/// Ranges in one comparison.
const RANGES_MAX: usize = 256;
/// Names in one fetch, and names under way at a time.
const NAMES_MAX: usize = 256;
const FETCHING_MAX: usize = 512;
/// Repairs in a row without agreement.
const VAIN_REPAIRS_MAX: u32 = 3;
/// Comparisons in one repair: far more than a scope of millions needs.
const COMPARISONS_MAX: u32 = 10_000;

/// A repair under way.
#[derive(Debug)]
pub(super) struct Repair {
    pub(super) mark: v1::SyncMark,
    /// Ranges still to be compared.
    pub(super) ranges: Vec<Range>,
    /// Names still to be fetched, and those that are asked for.
    wanted: BTreeSet<String>,
    fetching: BTreeSet<String>,
    /// Comparisons without answer, and all that were made.
    unanswered: u32,
    comparisons: u32,
    /// Contents are compared, not revisions.
    pub(super) verifying: Option<Verifying>,
}

impl Repair {
    pub(super) fn new(mark: v1::SyncMark, ranges: Vec<Range>, verifying: Option<Verifying>) -> Self {
        let (wanted, fetching) = (BTreeSet::new(), BTreeSet::new());
        Self { mark, ranges, wanted, fetching, unanswered: 0, comparisons: 0, verifying }
    }

    fn is_done(&self) -> bool {
        let is_read = self.verifying.as_ref().is_none_or(Verifying::is_read);
        is_read && self.ranges.is_empty() && self.wanted.is_empty() && self.fetching.is_empty() && self.unanswered == 0
    }

    /// The edge's own sum over a range.
    fn sum(&self, index: &Index, range: Range) -> v1::SyncRange {
        let sum = match &self.verifying {
            Some(verifying) => verifying.sum(&range),
            None => index.range_sum(&range),
        };
        v1::SyncRange { start: range.start, end: range.end, items: sum.items(), hash: sum.to_bytes().to_vec().into() }
    }

    /// Whether the edge holds what an entry says.
    fn holds(&self, index: &Index, entry: &v1::SyncEntry) -> bool {
        match &self.verifying {
            Some(verifying) => verifying.holds(entry),
            None => index.revision(&entry.name) == Some(entry.revision),
        }
    }

    /// The next question, if there is one that may be asked now.
    fn question(&mut self, index: &Index) -> Option<Message> {
        if !self.ranges.is_empty() {
            let rest = self.ranges.split_off(self.ranges.len().min(RANGES_MAX));
            let ranges = std::mem::replace(&mut self.ranges, rest);
            self.unanswered += 1;
            self.comparisons += 1;
            let ranges = ranges.into_iter().map(|range| self.sum(index, range)).collect();
            let contents = self.verifying.is_some();
            return Some(Message::Compare(v1::SyncCompare { revision: self.mark.revision, ranges, contents }));
        }
        if self.wanted.is_empty() || self.fetching.len() + NAMES_MAX > FETCHING_MAX {
            return None;
        }
        let names: Vec<String> = self.wanted.iter().take(NAMES_MAX).cloned().collect();
        for name in &names {
            self.wanted.remove(name);
            self.fetching.insert(name.clone());
        }
        Some(Message::Fetch(v1::SyncFetch { names }))
    }
}

impl Protocol {
    pub(super) fn begin_repair(&mut self, mark: v1::SyncMark, step: &mut Step) {
        let Some(link) = &mut self.link else { return };
        link.agrees = false;
        link.tells = true;
        if link.vain_repairs >= VAIN_REPAIRS_MAX {
            return step.close(format!("{VAIN_REPAIRS_MAX} repairs did not lead to agreement"));
        }
        if mark.check {
            self.counts.repairs += 1;
        } else {
            self.counts.defects += 1;
        }
        tracing::info!(
            revision = mark.revision,
            items = self.index.sum().items(),
            items_of_the_cluster = mark.items,
            expected = mark.check,
            "the edge holds something else than the cluster: what differs is repaired"
        );
        let ranges = self.index.split(FIRST_RANGES);
        link.repair = Some(Repair::new(mark, ranges, None));
        self.go_on_repairing(step);
    }

    pub(super) fn take_differences(&mut self, differences: v1::SyncDifferences, step: &mut Step) {
        let Some(repair) = self.link.as_mut().and_then(|link| link.repair.as_mut()) else { return };
        if differences.revision != repair.mark.revision {
            return;
        }
        repair.unanswered = repair.unanswered.saturating_sub(1);
        if repair.comparisons > COMPARISONS_MAX {
            return step.close("a repair does not come to an end");
        }
        for difference in differences.differences {
            if difference.parts.is_empty() {
                self.take_entries(difference, step);
            } else {
                self.take_parts(difference.parts);
            }
        }
        self.go_on_repairing(step);
    }

    fn take_parts(&mut self, parts: Vec<v1::SyncRange>) {
        let Some(repair) = self.link.as_mut().and_then(|link| link.repair.as_mut()) else { return };
        for part in parts {
            let range = Range { start: part.start.clone(), end: part.end.clone() };
            if repair.sum(&self.index, range.clone()) != part {
                repair.ranges.push(range);
            }
        }
    }

    /// All that the cluster holds of a range: other names are dropped, what is lacking or of another revision is fetched.
    fn take_entries(&mut self, difference: v1::SyncDifference, step: &mut Step) {
        let Some(repair) = self.link.as_mut().and_then(|link| link.repair.as_mut()) else { return };
        let range = Range { start: difference.start, end: difference.end };
        let names: BTreeSet<&str> = difference.entries.iter().map(|entry| entry.name.as_str()).collect();
        let mut gone: BTreeSet<String> = self.index.range(&range).map(|(name, _)| name.to_owned()).collect();
        if let Some(verifying) = &repair.verifying {
            gone.extend(verifying.names(&range));
        }
        gone.retain(|name| !names.contains(name.as_str()));
        let is_lacking = |entry: &&v1::SyncEntry| !repair.holds(&self.index, entry);
        let lacking: Vec<String> =
            difference.entries.iter().filter(is_lacking).map(|entry| entry.name.clone()).collect();
        if let Some(verifying) = &mut repair.verifying {
            gone.iter().chain(&lacking).for_each(|name| verifying.note_difference(name));
        }
        self.counts.repaired_items += (gone.len() + lacking.len()) as u64;
        repair.wanted.extend(lacking);
        for name in &gone {
            self.remove_item(name, step);
        }
    }

    /// Whether the item was asked for: then it replaces what the edge has, whatever its revision.
    pub(super) fn note_fetched(&mut self, name: &str) -> bool {
        let Some(repair) = self.link.as_mut().and_then(|link| link.repair.as_mut()) else { return false };
        repair.wanted.remove(name);
        repair.fetching.remove(name)
    }

    /// Asks the next questions, or ends the repair.
    pub(super) fn go_on_repairing(&mut self, step: &mut Step) {
        let Some(link) = &mut self.link else { return };
        let Some(repair) = &mut link.repair else { return };
        while let Some(question) = repair.question(&self.index) {
            link.questions.push(question);
        }
        if !repair.is_done() {
            return;
        }
        if repair.verifying.is_some() {
            return self.end_comparison(step);
        }
        let mark = repair.mark.clone();
        link.repair = None;
        link.tells = true;
        link.vain_repairs += 1;
        if self.agrees_with(&mark) {
            self.reach(&mark, step);
        } else {
            self.begin_repair(mark, step);
        }
    }
}
