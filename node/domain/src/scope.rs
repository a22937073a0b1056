//! What both ends of edge sync compute to see that they hold the same: a hash of each item and the sum of many. Section 6 of
//! `proto/muster/v1/sync.md` says it in words.
//!
//! It does not know what is in a scope, nor what an item holds: a resource has one content at a revision, so name and revision
//! stand for it. Invariants:
//!
//! - The bytes are the same on every machine and in every version: edges and clusters of different ages compare them.
//! - A sum does not depend on the order of its items, and taking away an item that was added leaves no trace of it.

/// The hash of one item.
pub type ItemHash = [u8; 32];

const ITEM: &[u8] = b"muster.sync.item.1";
const CONTENT: &[u8] = b"muster.sync.content.1";
const LANES: usize = 4;

/// The hash of the item with this name at this revision.
#[must_use]
pub fn item_hash(name: &str, revision: u64) -> ItemHash {
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    let mut hasher = blake3::Hasher::new();
    hasher.update(ITEM).update(&length.to_be_bytes()).update(name.as_bytes()).update(&revision.to_be_bytes());
    *hasher.finalize().as_bytes()
}

/// The hash of an item by all it holds: an encoded `SyncItem`, its fields ascending.
#[must_use]
pub fn content_hash(encoded: &[u8]) -> ItemHash {
    *blake3::Hasher::new().update(CONTENT).update(encoded).finalize().as_bytes()
}

/// The sum over the items of a scope, or of a range of it; kept up to date item by item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeHash {
    lanes: [u64; LANES],
    items: u64,
}

impl ScopeHash {
    /// One more item.
    pub fn add(&mut self, item: &ItemHash) {
        for (lane, part) in self.lanes.iter_mut().zip(parts(item)) {
            *lane = lane.wrapping_add(part);
        }
        self.items = self.items.wrapping_add(1);
    }

    /// One item less, which was added before.
    pub fn remove(&mut self, item: &ItemHash) {
        for (lane, part) in self.lanes.iter_mut().zip(parts(item)) {
            *lane = lane.wrapping_sub(part);
        }
        self.items = self.items.wrapping_sub(1);
    }

    /// All items of `other` as well.
    pub fn merge(&mut self, other: &Self) {
        for (lane, part) in self.lanes.iter_mut().zip(other.lanes) {
            *lane = lane.wrapping_add(part);
        }
        self.items = self.items.wrapping_add(other.items);
    }

    /// How many items are in it.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// As it travels: the four lanes, each little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, lane) in bytes.chunks_exact_mut(8).zip(self.lanes) {
            place.copy_from_slice(&lane.to_le_bytes());
        }
        bytes
    }

    /// The sum that travelled as these bytes, of so many items.
    #[must_use]
    pub fn from_parts(items: u64, bytes: &[u8; 32]) -> Self {
        Self { lanes: parts(bytes), items }
    }
}

fn parts(bytes: &[u8; 32]) -> [u64; LANES] {
    let mut lanes = [0; LANES];
    for (lane, part) in lanes.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut eight = [0; 8];
        eight.copy_from_slice(part);
        *lane = u64::from_le_bytes(eight);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ItemHash, ScopeHash, content_hash, item_hash};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Worked out with another implementation of BLAKE3: edges in the field depend on exactly these bytes.
    const FIXED: [(&str, u64, &str); 3] = [
        ("namespaces/plant/devices/pump-1", 7, "37e6a5cb007bdfde83618ec03ede86429de06ad006cc2f480ab1cae0ca346c31"),
        (
            "namespaces/plant/devices/pump-1/twin",
            (1 << 53) + 1,
            "b72c5d20528c9c47a6e83adbf30124b5793d2518afe9a59e0326291064d8617c",
        ),
        ("namespaces/plant/assets/\u{e9}", 1, "e929a44ab7842511e591cb43311086169b236dd2e61fd29621ff425dd726c2db"),
    ];

    #[test]
    fn hashes_of_items_and_their_sum_are_these_bytes_for_good() {
        let mut sum = ScopeHash::default();
        for (name, revision, expected) in FIXED {
            assert_eq!(hex(&item_hash(name, revision)), expected, "{name} at {revision}");
            sum.add(&item_hash(name, revision));
        }
        assert_eq!(hex(&sum.to_bytes()), "d73ca7360a8ca1370edc94df63f0300eb141fdba9cd5a77d2ed6364e06349089");
        assert_eq!(sum.items(), 3);
        let content = content_hash(b"\x0a\x01a\x10\x05");
        assert_eq!(hex(&content), "75387344128939ea14374506acf91cd2a9bf2901e19069a48b8ec9786bd958bf");
    }

    #[test]
    fn an_empty_scope_is_zero() {
        assert_eq!((ScopeHash::default().to_bytes(), ScopeHash::default().items()), ([0; 32], 0));
    }

    fn sum(items: &[ItemHash]) -> ScopeHash {
        let mut sum = ScopeHash::default();
        items.iter().for_each(|item| sum.add(item));
        sum
    }

    proptest! {
        #[test]
        fn a_sum_does_not_depend_on_the_order(items: Vec<[u8; 32]>) {
            let reversed: Vec<_> = items.iter().rev().copied().collect();
            prop_assert_eq!(sum(&items), sum(&reversed));
        }

        #[test]
        fn what_is_taken_away_leaves_no_trace(kept: Vec<[u8; 32]>, gone: Vec<[u8; 32]>) {
            let mut all = sum(&kept);
            all.merge(&sum(&gone));
            gone.iter().for_each(|item| all.remove(item));
            prop_assert_eq!(all, sum(&kept));
        }

        #[test]
        fn a_sum_survives_its_bytes(items: Vec<[u8; 32]>) {
            let all = sum(&items);
            prop_assert_eq!(ScopeHash::from_parts(all.items(), &all.to_bytes()), all);
        }
    }
}
