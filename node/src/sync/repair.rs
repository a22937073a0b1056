//! Finding where an edge's items and the scope differ, by sums over ranges of names. Section 6 of `sync.md`.
//!
//! A function of what both sides hold: it knows no session and no store. Invariants:
//!
//! - `E5-convergence`: an edge that drops and fetches what it is told, and asks again for the parts, ends with what is held here.
//! - What is told of a range that agrees is nothing, of one that differs at most [`ENTRIES_MAX`] entries or [`PARTS`] parts.

use muster_domain::scope::{ItemHash, ScopeHash};
use muster_domain::{Reason, Rejection};
use muster_proto::v1;

use super::scope::Name;

/// Items of a range up to which each is told by its name.
pub(super) const ENTRIES_MAX: usize = 64;
/// Parts of a larger range.
pub(super) const PARTS: usize = 16;
/// Ranges of one comparison.
pub(super) const RANGES_MAX: usize = 256;

/// An item as it is compared.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) revision: u64,
    pub(super) hash: ItemHash,
}

/// Refuses ranges that are not in order, or sums that are none.
pub(super) fn check(ranges: &[v1::SyncRange]) -> Result<(), Rejection> {
    if ranges.is_empty() || ranges.len() > RANGES_MAX {
        let message = format!("compare.ranges must have 1 to {RANGES_MAX} elements, and has {}", ranges.len());
        return Err(Rejection::new(Reason::TooMany, "compare.ranges", message));
    }
    let mut reached = Some("");
    for (at, range) in ranges.iter().enumerate() {
        let is_after = reached.is_some_and(|reached| range.start.as_str() >= reached);
        if !is_after || (!range.end.is_empty() && range.end <= range.start) {
            let field = format!("compare.ranges[{at}]");
            let message = format!("{field} must begin where the one before ends or later, and end after its start");
            return Err(Rejection::new(Reason::InvalidField, field, message));
        }
        if range.hash.len() != size_of::<ItemHash>() {
            let field = format!("compare.ranges[{at}].hash");
            let message = format!("{field} must have 32 bytes, and has {}", range.hash.len());
            return Err(Rejection::new(Reason::InvalidField, field, message));
        }
        reached = Some(range.end.as_str()).filter(|end| !end.is_empty());
    }
    Ok(())
}

/// The entries that lie in a range.
pub(super) fn within<'e>(held: &'e [Entry], range: &v1::SyncRange) -> &'e [Entry] {
    let from = held.partition_point(|entry| *entry.name < *range.start);
    let to = match range.end.as_str() {
        "" => held.len(),
        end => held.partition_point(|entry| *entry.name < *end),
    };
    &held[from..to.max(from)]
}

/// What differs between `held`, in the order of names, and ranges that [`check`] let through.
pub(super) fn differences(held: &[Entry], ranges: &[v1::SyncRange], contents: bool) -> Vec<v1::SyncDifference> {
    let told = ranges.iter().filter_map(|range| {
        let own = within(held, range);
        let sum = sum(own);
        let agrees = sum.items() == range.items && sum.to_bytes()[..] == range.hash[..];
        (!agrees).then(|| difference(own, range, contents))
    });
    told.collect()
}

fn difference(own: &[Entry], range: &v1::SyncRange, contents: bool) -> v1::SyncDifference {
    let (start, end) = (range.start.clone(), range.end.clone());
    if own.len() <= ENTRIES_MAX {
        let entries = own.iter().map(|entry| entry_to_proto(entry, contents)).collect();
        return v1::SyncDifference { start, end, entries, parts: Vec::new() };
    }
    let size = own.len().div_ceil(PARTS);
    let begins: Vec<&str> =
        own.chunks(size).enumerate().map(|(at, part)| if at == 0 { start.as_str() } else { &*part[0].name }).collect();
    let ends = begins.iter().skip(1).copied().chain([end.as_str()]);
    let parts = own.chunks(size).zip(begins.iter().zip(ends)).map(|(part, (start, end))| {
        let sum = sum(part);
        let hash = sum.to_bytes().to_vec().into();
        v1::SyncRange { start: (*start).to_owned(), end: end.to_owned(), items: sum.items(), hash }
    });
    let parts = parts.collect();
    v1::SyncDifference { start, end, entries: Vec::new(), parts }
}

fn entry_to_proto(entry: &Entry, contents: bool) -> v1::SyncEntry {
    let hash = if contents { entry.hash.to_vec().into() } else { Default::default() };
    v1::SyncEntry { name: entry.name.to_string(), revision: entry.revision, hash }
}

fn sum(entries: &[Entry]) -> ScopeHash {
    let mut sum = ScopeHash::default();
    entries.iter().for_each(|entry| sum.add(&entry.hash));
    sum
}

#[cfg(test)]
mod tests;
