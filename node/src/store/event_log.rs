//! The event log: one entry per revision, each with the chain hash up to it.
//!
//! `H(r) = BLAKE3(H(r-1) ‖ stored entry)`, over the stored bytes, never over re-encoded ones; `H(0)` is 32 zeros.
//! It does not know what events mean.

use bytes::BytesMut;
use muster_planted::{self as planted, Bug};
use rocksdb::{DB, Direction, IteratorMode, ReadOptions, WriteBatch};

use crate::store::codec::{self, RevisionEntry};
use crate::store::error::{StoreError, rocks};
use crate::store::states::family;
use crate::store::{columns, envelope, keys};

/// Envelope type of a revision entry.
pub const REVISION_TYPE: u16 = 17;
/// Envelope type of the mark from which on events are left.
const SWEPT_TYPE: u16 = 21;
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
    if !planted::is(Bug::ChainUnlinked) {
        hasher.update(before);
    }
    hasher.update(stored);
    *hasher.finalize().as_bytes()
}

/// From which revision on a node has events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// The oldest revision in the log; 1 while nothing was removed.
    pub revision: u64,
    /// The chain hash before it.
    pub chain_before: ChainHash,
}

/// How far the log was swept on this node; the replicated floors are never lower.
///
/// # Errors
/// When the store fails or the mark is damaged.
pub fn swept(db: &DB) -> Result<Swept, StoreError> {
    let stored = db.get_cf(family(db, columns::META)?, keys::SWEPT).map_err(rocks("read the mark of events"))?;
    let Some(stored) = stored else { return Ok(Swept { revision: 1, chain_before: [0; 32] }) };
    let body = envelope::open(SWEPT_TYPE, &stored)
        .map_err(|source| StoreError::Damaged { what: "the mark of events".to_owned(), source })?;
    Swept::decode(body).ok_or_else(|| StoreError::Inconsistent("the mark of events has another length".to_owned()))
}

/// Moves the mark.
pub(crate) fn put_swept(db: &DB, batch: &mut WriteBatch, swept: &Swept) -> Result<(), StoreError> {
    batch.put_cf(family(db, columns::META)?, keys::SWEPT, swept.encode());
    Ok(())
}

impl Swept {
    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(40);
        body.extend_from_slice(&self.revision.to_be_bytes());
        body.extend_from_slice(&self.chain_before);
        envelope::seal(SWEPT_TYPE, &body)
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let (revision, chain_before) = body.split_first_chunk::<8>()?;
        Some(Self { revision: u64::from_be_bytes(*revision), chain_before: chain_before.try_into().ok()? })
    }
}

/// Why `revision`, which should be in the log, is not: it was compacted, or the store contradicts itself.
pub(crate) fn missing(db: &DB, revision: u64) -> StoreError {
    match swept(db) {
        Ok(swept) if revision < swept.revision => StoreError::Compacted { floor: swept.revision },
        Ok(_) => StoreError::Inconsistent(format!("revision {revision} is missing in the event log")),
        Err(error) => error,
    }
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

/// The store that events lie in.
pub type Db = DB;

/// Calls `visit` with each revision from `first` to `last` and the length of what is stored of it, bytes.
///
/// # Errors
/// As [`visit`].
pub fn lengths(db: &DB, first: u64, last: u64, mut visit: impl FnMut(u64, u64)) -> Result<(), StoreError> {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    let start = keys::event(first);
    let items =
        db.iterator_cf_opt(family(db, columns::EVENTS)?, options, IteratorMode::From(&start, Direction::Forward));
    for (next, item) in (first..).zip(items) {
        let (key, value) = item.map_err(rocks("read events"))?;
        if next > last {
            break;
        }
        if keys::revision_at_end(&key) != Some(next) {
            return Err(missing(db, next));
        }
        visit(next, value.len() as u64);
    }
    Ok(())
}

/// The chain hash at `revision`, if the log reaches there.
///
/// # Errors
/// As [`entry`].
pub fn chain_hash(db: &DB, revision: u64) -> Result<Option<ChainHash>, StoreError> {
    let value =
        db.get_pinned_cf(family(db, columns::EVENTS)?, keys::event(revision)).map_err(rocks("read an event"))?;
    if let Some(value) = value {
        return Ok(Some(split(revision, &value)?.0));
    }
    let swept = swept(db)?;
    Ok((revision + 1 == swept.revision && revision > 0).then_some(swept.chain_before))
}

/// Calls `visit` with each entry from `first` to `last`, until it returns false. The log may end before `last`.
///
/// # Errors
/// As [`entry`], [`StoreError::Compacted`] when `first` was removed, and what `visit` returns.
pub fn visit(
    db: &DB,
    first: u64,
    last: u64,
    mut visit: impl FnMut(RevisionEntry) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let start = keys::event(first);
    let family = family(db, columns::EVENTS)?;
    let items = db.iterator_cf(family, IteratorMode::From(&start, Direction::Forward));
    for (next, item) in (first.max(1)..).zip(items) {
        let (key, value) = item.map_err(rocks("read events"))?;
        if next > last {
            break;
        }
        let revision = keys::revision_at_end(&key).unwrap_or(u64::MAX);
        if revision != next {
            // Revisions have no gaps, so what is not there was removed.
            return Err(missing(db, next));
        }
        if !visit(decode(revision, &value)?)? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::golden::golden;
    use crate::store::state_db::{StateDb, StateOptions};

    #[test]
    fn what_lies_in_the_log_is_what_earlier_versions_wrote() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let state = StateDb::open(dir.path(), StateOptions::default()).expect("opens");
        let db = state.db();
        let entry_written = RevisionEntry {
            revision: 4_711,
            time_ms: 1_795_000_000_123,
            actor: "user:bob".to_owned(),
            origin: "10.1.2.3:45678".to_owned(),
            request_id: "0b7c9e1a-6f".to_owned(),
            events: Vec::new(),
            previous: Vec::new(),
        };
        let mut batch = WriteBatch::default();
        let (chain, _) = append(&db, &mut batch, &[0xC4; 32], &entry_written).expect("appends");
        db.write(batch).expect("writes");
        let value = db.get_cf(family(&db, columns::EVENTS).expect("there"), keys::event(4_711)).expect("reads");
        let stored = golden("event-log-entry.bin", value.expect("there"));
        assert_eq!(decode(4_711, &stored).expect("whole"), entry_written);
        assert_eq!(split(4_711, &stored).expect("whole").0, chain);
        assert_eq!(entry(&db, 4_711).expect("reads"), Some(entry_written));

        let mark = Swept { revision: 4_711, chain_before: [0xC4; 32] };
        let stored = golden("events-swept-mark.bin", mark.encode());
        assert_eq!(Swept::decode(envelope::open(SWEPT_TYPE, &stored).expect("whole")), Some(mark));
    }
}
