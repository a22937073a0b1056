//! The event log: one entry per revision, each with the chain hash up to it.
//!
//! `H(r) = BLAKE3(H(r-1) ‖ stored entry)`, over the stored bytes, never over re-encoded ones; `H(0)` is 32 zeros.
//! It does not know what events mean.

use bytes::BytesMut;
use rocksdb::{DB, Direction, IteratorMode, WriteBatch};

use crate::store::codec::{self, RevisionEntry};
use crate::store::error::{StoreError, rocks};
use crate::store::states::family;
use crate::store::{columns, envelope, keys};

/// Envelope type of a revision entry.
pub const REVISION_TYPE: u16 = 17;
/// A chain hash.
pub type ChainHash = [u8; 32];

/// Adds an entry to `batch` and returns the chain hash after it, and how many bytes the entry takes.
pub(crate) fn append(
    db: &DB,
    batch: &mut WriteBatch,
    before: &ChainHash,
    entry: &RevisionEntry,
) -> Result<(ChainHash, usize), StoreError> {
    let stored = envelope::seal(REVISION_TYPE, &codec::encode_revision(entry));
    let chain = chain(before, &stored);
    let mut value = BytesMut::with_capacity(chain.len() + stored.len());
    value.extend_from_slice(&chain);
    value.extend_from_slice(&stored);
    batch.put_cf(family(db, columns::EVENTS)?, keys::event(entry.revision), &value);
    Ok((chain, stored.len()))
}

/// The next link of the chain.
#[must_use]
pub fn chain(before: &ChainHash, stored: &[u8]) -> ChainHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(stored);
    *hasher.finalize().as_bytes()
}

/// The entry of `revision`, if there is one.
///
/// # Errors
/// When the store fails or the entry is damaged.
pub fn entry(db: &DB, revision: u64) -> Result<Option<RevisionEntry>, StoreError> {
    let value =
        db.get_pinned_cf(family(db, columns::EVENTS)?, keys::event(revision)).map_err(rocks("read an event"))?;
    value.map(|value| decode(revision, &value)).transpose()
}

/// The chain hash at `revision`, if the log reaches there.
///
/// # Errors
/// As [`entry`].
pub fn chain_hash(db: &DB, revision: u64) -> Result<Option<ChainHash>, StoreError> {
    let value =
        db.get_pinned_cf(family(db, columns::EVENTS)?, keys::event(revision)).map_err(rocks("read an event"))?;
    value.map(|value| Ok(split(revision, &value)?.0)).transpose()
}

/// Calls `visit` with each entry from `first` to `last`, until it returns false.
///
/// # Errors
/// As [`entry`], and what `visit` returns.
pub fn visit(
    db: &DB,
    first: u64,
    last: u64,
    mut visit: impl FnMut(RevisionEntry) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let start = keys::event(first);
    let family = family(db, columns::EVENTS)?;
    for item in db.iterator_cf(family, IteratorMode::From(&start, Direction::Forward)) {
        let (key, value) = item.map_err(rocks("read events"))?;
        let revision = keys::revision_at_end(&key).unwrap_or(u64::MAX);
        if revision > last || !visit(decode(revision, &value)?)? {
            break;
        }
    }
    Ok(())
}

fn decode(revision: u64, value: &[u8]) -> Result<RevisionEntry, StoreError> {
    let what = || format!("revision {revision}");
    let (_, stored) = split(revision, value)?;
    let body = envelope::open(REVISION_TYPE, stored).map_err(|source| StoreError::Damaged { what: what(), source })?;
    codec::decode_revision(body).map_err(|source| StoreError::Undecodable { what: what(), source })
}

fn split(revision: u64, value: &[u8]) -> Result<(ChainHash, &[u8]), StoreError> {
    let (chain, stored) = value
        .split_first_chunk::<32>()
        .ok_or_else(|| StoreError::Inconsistent(format!("the entry of revision {revision} has no chain hash")))?;
    Ok((*chain, stored))
}
