//! Retried requests: the first outcome of every request id, for as long as it is kept.
//!
//! A request is known by its actor and its `request_id`; which ones are known lies in memory, their outcomes in the `dedup`
//! family, one row for each Raft entry: a random key for each request would be a quarter of all that is written.
//!
//! - Requests go into buckets; a bucket ends after a minute of log time or [`BUCKET_REQUESTS_MAX`] requests, and the
//!   newest [`BUCKETS_MAX`] are kept. So an id is known for twenty minutes in which anything happened, or for two million
//!   requests if that is sooner; memory is bounded under any load and any clock.
//! - What is forgotten, and when, is a function of the log: it is replicated state, and part of snapshots.
//! - The same request id with another body is refused, never answered with the other's outcome.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;
use muster_domain::{Reason, Rejection};
use muster_planted::{self as planted, Bug};
use rocksdb::DB;

use super::position::Position;
use crate::outcome::{OperationResult, Outcome};
use crate::request::Request;
use crate::store::error::{StoreError, rocks};
use crate::store::states::family;
use crate::store::{codec, columns, envelope, keys};

/// Buckets that are kept.
const BUCKETS_MAX: usize = 20;
/// Requests after which a bucket ends early.
const BUCKET_REQUESTS_MAX: usize = 100_000;
/// Envelope type of a row of outcomes.
const OUTCOMES_TYPE: u16 = 19;

/// Who sent which request with which body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestIdentity {
    /// Hash of actor and request id.
    pub(super) request: u128,
    /// Hash of the body.
    pub(super) body: [u8; 16],
}

impl RequestIdentity {
    /// Of a request that carries an id.
    pub(super) fn of(request: &Request) -> Option<Self> {
        if request.request_id.is_empty() {
            return None;
        }
        let mut hasher = blake3::Hasher::new();
        if !planted::is(Bug::RequestsOfAll) {
            hasher.update(request.principal.actor().as_bytes());
        }
        hasher.update(&[0]);
        hasher.update(request.request_id.as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        Some(Self { request: u128::from_be_bytes(hash), body: request.body_hash })
    }
}

/// The first outcome of a request, and the body it belonged to.
pub(super) struct FirstOutcome {
    body: [u8; 16],
    outcome: Bytes,
}

/// Where an outcome lies: the bucket, the row, and which of its outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    bucket: u32,
    index: u32,
    row: u64,
}

/// The outcomes of one Raft entry: one row in the family, however many requests the entry carries.
#[derive(Debug, Default, Clone)]
pub(super) struct Row {
    content: Vec<u8>,
    outcomes: u32,
}

impl Row {
    /// Bytes before each outcome: request, body hash, length.
    const HEAD_BYTES: usize = 16 + 16 + 4;

    fn push(&mut self, identity: &RequestIdentity, outcome: &[u8]) -> u32 {
        let index = self.outcomes;
        let length = u32::try_from(outcome.len()).expect("an outcome is smaller than a message");
        self.content.extend_from_slice(&identity.request.to_be_bytes());
        self.content.extend_from_slice(&identity.body);
        self.content.extend_from_slice(&length.to_be_bytes());
        self.content.extend_from_slice(outcome);
        self.outcomes += 1;
        index
    }

    /// The stored form.
    pub(super) fn encode(&self) -> Vec<u8> {
        envelope::seal(OUTCOMES_TYPE, &self.content)
    }

    /// Request, body hash and outcome, one after the other.
    fn entries(content: &[u8]) -> impl Iterator<Item = (u128, [u8; 16], &[u8])> {
        let mut rest = content;
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk::<{ Self::HEAD_BYTES }>()?;
            let (request, head) = head.split_first_chunk::<16>()?;
            let (body, length) = head.split_first_chunk::<16>()?;
            let length = u32::from_be_bytes(*length.first_chunk::<4>()?);
            let (outcome, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
            rest = after;
            Some((u128::from_be_bytes(*request), *body, outcome))
        })
    }

    fn first_outcome(content: &[u8], index: u32) -> Option<FirstOutcome> {
        let (_, body, outcome) = Self::entries(content).nth(usize::try_from(index).ok()?)?;
        Some(FirstOutcome { body, outcome: Bytes::copy_from_slice(outcome) })
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        let [high @ .., _, _, _, _, _, _, _, _] = hash.to_be_bytes();
        self.0 = u64::from_be_bytes(high);
    }
}

type Shard = HashMap<u128, Place, BuildHasherDefault<AlreadyHashed>>;

/// The known requests lie in so many maps, so that none takes long to grow.
const SHARDS: usize = 64;
/// Entries of forgotten buckets that each new request removes from memory: more than one, so that it keeps up.
const REMOVED_PER_REQUEST: usize = 4;

/// Rows of the open batch, by bucket and number.
pub(super) type OpenRows = BTreeMap<(u32, u64), Row>;

/// The requests that are known.
pub(super) struct Dedup {
    /// One look-up tells whether an id is known; what is there but belongs to a forgotten bucket does not count.
    known: Vec<Shard>,
    /// The ids of each kept bucket.
    buckets: BTreeMap<u32, Vec<u128>>,
    /// Ids of forgotten buckets that are still in memory.
    leaving: Vec<u128>,
}

impl Default for Dedup {
    fn default() -> Self {
        let known = std::iter::repeat_with(Shard::default).take(SHARDS).collect();
        Self { known, buckets: BTreeMap::new(), leaving: Vec::new() }
    }
}

impl Dedup {
    pub(super) fn load(db: &DB) -> Result<Self, StoreError> {
        let mut dedup = Self::default();
        for item in db.iterator_cf(family(db, columns::DEDUP)?, rocksdb::IteratorMode::Start) {
            let (key, stored) = item.map_err(rocks("read request ids"))?;
            let Some((bucket, row)) = keys::parse_dedup(&key) else { continue };
            for (index, (request, _, _)) in (0_u32..).zip(Row::entries(open(&stored)?)) {
                dedup.insert(request, Place { bucket, index, row });
            }
        }
        Ok(dedup)
    }

    /// Notes the first outcome of a request; returns the buckets that are forgotten for it.
    pub(super) fn remember(
        &mut self,
        rows: &mut OpenRows,
        position: &mut Position,
        identity: &RequestIdentity,
        outcome: &[u8],
    ) -> Vec<u32> {
        let by_the_clock = planted::is(Bug::RequestsByTheClock);
        let minute = minute_of(if by_the_clock { planted::own_clock_ms() } else { position.time_ms });
        let is_full = self.buckets.get(&position.bucket).is_some_and(|bucket| bucket.len() >= BUCKET_REQUESTS_MAX);
        if is_full || minute != position.bucket_minute {
            position.bucket += 1;
            position.bucket_minute = minute;
        }
        let index = rows.entry((position.bucket, position.entries)).or_default().push(identity, outcome);
        self.insert(identity.request, Place { bucket: position.bucket, index, row: position.entries });
        let mut forgotten = Vec::new();
        while self.buckets.len() > BUCKETS_MAX
            && let Some((bucket, requests)) = self.buckets.pop_first()
        {
            forgotten.push(bucket);
            self.leaving.extend(requests);
        }
        self.remove_some();
        forgotten
    }

    /// The first outcome of this request, if it is known.
    pub(super) fn first_outcome(
        &self,
        db: &DB,
        rows: &OpenRows,
        identity: &RequestIdentity,
    ) -> Result<Option<FirstOutcome>, StoreError> {
        let Some(place) = self.known[shard_of(identity.request)].get(&identity.request) else { return Ok(None) };
        if !self.buckets.contains_key(&place.bucket) {
            return Ok(None);
        }
        let missing = || StoreError::Inconsistent("a known request has no outcome".to_owned());
        if let Some(row) = rows.get(&(place.bucket, place.row)) {
            return Row::first_outcome(&row.content, place.index).ok_or_else(missing).map(Some);
        }
        let stored = db
            .get_cf(family(db, columns::DEDUP)?, keys::dedup(place.bucket, place.row))
            .map_err(rocks("read an outcome"))?
            .ok_or_else(missing)?;
        Row::first_outcome(open(&stored)?, place.index).ok_or_else(missing).map(Some)
    }

    fn insert(&mut self, request: u128, place: Place) {
        self.known[shard_of(request)].insert(request, place);
        self.buckets.entry(place.bucket).or_default().push(request);
    }

    /// Removes a few requests of forgotten buckets from memory, unless they were made anew since.
    fn remove_some(&mut self) {
        for _ in 0..REMOVED_PER_REQUEST {
            let Some(request) = self.leaving.pop() else { return };
            let shard = &mut self.known[shard_of(request)];
            if shard.get(&request).is_some_and(|place| !self.buckets.contains_key(&place.bucket)) {
                shard.remove(&request);
            }
        }
        if self.leaving.is_empty() {
            self.leaving = Vec::new();
        }
    }
}

/// By the low bits of the hash; the maps themselves go by the high ones.
fn shard_of(request: u128) -> usize {
    usize::from(request.to_be_bytes()[15]) % SHARDS
}

fn open(stored: &[u8]) -> Result<&[u8], StoreError> {
    envelope::open(OUTCOMES_TYPE, stored)
        .map_err(|source| StoreError::Damaged { what: "a row of outcomes".to_owned(), source })
}

fn minute_of(time_ms: u64) -> u32 {
    u32::try_from(time_ms / 60_000).unwrap_or(u32::MAX)
}

/// The answer to a request that was applied before.
pub(super) fn answer_again(first: FirstOutcome, request: &Request) -> Bytes {
    if first.body == request.body_hash || planted::is(Bug::OtherBodyAnswered) {
        return first.outcome;
    }
    let rejection = Rejection::new(
        Reason::RequestIdReused,
        "request_id",
        format!("request_id `{}` was used with another body; use a new id for a new request", request.request_id),
    );
    let results = vec![OperationResult::Rejected(rejection); request.command.operations.len().max(1)];
    codec::encode_outcome(&Outcome { revision: 0, results })
}

/// Removes a bucket from the family, by one range tombstone however many requests it had.
pub(super) fn delete_bucket(db: &DB, batch: &mut rocksdb::WriteBatch, bucket: u32) -> Result<(), StoreError> {
    let end = bucket.saturating_add(1);
    batch.delete_range_cf(family(db, columns::DEDUP)?, bucket.to_be_bytes(), end.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::golden::golden;

    #[test]
    fn a_stored_row_is_that_of_earlier_versions() {
        let mut row = Row::default();
        row.push(&RequestIdentity { request: 1 << 100, body: [7; 16] }, b"first outcome");
        row.push(&RequestIdentity { request: 2, body: [8; 16] }, b"");
        let stored = golden("dedup-row.bin", row.encode());
        let content = open(&stored).expect("whole");
        let found: Vec<_> = Row::entries(content).collect();
        assert_eq!(found, [(1 << 100, [7; 16], &b"first outcome"[..]), (2, [8; 16], &b""[..])]);
    }
}
