//! Retried requests: the first outcome of every request id, for ten minutes of log time.
//!
//! A request is known by its actor and its `request_id`; which ones are known lies in memory (16 bytes each), their
//! outcomes in the `dedup` family. Both are replicated state: what is forgotten, and when, is a function of the log.
//!
//! - Forgetting is by whole minutes, oldest first: after [`WINDOW_MINUTES`], or earlier when there are more than
//!   [`REQUESTS_MAX`], so that memory is bounded under any load.
//! - The same request id with another body is refused, never answered with the other's outcome.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use muster_domain::{Reason, Rejection};
use rocksdb::DB;

use crate::outcome::{OperationResult, Outcome};
use crate::request::Request;
use crate::store::error::{StoreError, rocks};
use crate::store::states::family;
use crate::store::{codec, columns, envelope, keys};

/// Minutes of log time that a request id is known.
pub(super) const WINDOW_MINUTES: u32 = 10;
/// Requests known at most; beyond, the oldest minute is forgotten early.
pub(super) const REQUESTS_MAX: usize = 2_000_000;
/// Envelope type of a stored outcome.
pub(super) const OUTCOME_TYPE: u16 = 19;

/// Who sent which request with which body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestIdentity {
    /// Hash of actor and request id.
    pub(super) request: [u8; 16],
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
        hasher.update(request.principal.actor().as_bytes());
        hasher.update(&[0]);
        hasher.update(request.request_id.as_bytes());
        let mut identity = Self { request: [0; 16], body: request.body_hash };
        hasher.finalize_xof().fill(&mut identity.request);
        Some(identity)
    }
}

/// The first outcome of a request, and the body it belonged to.
pub(super) struct FirstOutcome {
    body: [u8; 16],
    outcome: Bytes,
}

impl FirstOutcome {
    fn parse(stored: &[u8]) -> Result<Self, StoreError> {
        let what = || "an outcome".to_owned();
        let content = envelope::open(OUTCOME_TYPE, stored)
            .map_err(|source| StoreError::Damaged { what: what(), source })?;
        let (body, outcome) = content
            .split_first_chunk::<16>()
            .ok_or_else(|| StoreError::Inconsistent("an outcome has no body hash".to_owned()))?;
        Ok(Self { body: *body, outcome: Bytes::copy_from_slice(outcome) })
    }

    /// The stored form.
    pub(super) fn encode(identity: &RequestIdentity, outcome: &[u8]) -> Vec<u8> {
        let mut content = Vec::with_capacity(16 + outcome.len());
        content.extend_from_slice(&identity.body);
        content.extend_from_slice(outcome);
        envelope::seal(OUTCOME_TYPE, &content)
    }
}

/// Outcomes of the open batch, by stored key.
pub(super) type PendingOutcomes = BTreeMap<[u8; 20], Vec<u8>>;

/// The requests that are known, by the minute they were applied in.
#[derive(Default)]
pub(super) struct Dedup {
    minutes: BTreeMap<u32, HashSet<[u8; 16]>>,
    requests: usize,
}

impl Dedup {
    pub(super) fn load(db: &DB) -> Result<Self, StoreError> {
        let mut dedup = Self::default();
        for item in db.iterator_cf(family(db, columns::DEDUP)?, rocksdb::IteratorMode::Start) {
            let (key, _) = item.map_err(rocks("read request ids"))?;
            if let Some((minute, request)) = keys::parse_dedup(&key) {
                dedup.insert(minute, request);
            }
        }
        Ok(dedup)
    }

    fn insert(&mut self, minute: u32, request: [u8; 16]) {
        self.minutes.entry(minute).or_default().insert(request);
        self.requests += 1;
    }

    /// Notes a request and returns the minute it is stored under.
    pub(super) fn remember(&mut self, time_ms: u64, request: [u8; 16]) -> u32 {
        let minute = minute_of(time_ms);
        self.insert(minute, request);
        minute
    }

    /// Forgets what is due and returns the minutes to delete.
    pub(super) fn expire(&mut self, time_ms: u64) -> Vec<u32> {
        let oldest_kept = minute_of(time_ms).saturating_sub(WINDOW_MINUTES - 1);
        let mut gone = Vec::new();
        while let Some(entry) = self.minutes.first_entry() {
            let minute = *entry.key();
            let too_many = self.requests > REQUESTS_MAX && minute < minute_of(time_ms);
            if minute >= oldest_kept && !too_many {
                break;
            }
            self.requests -= entry.remove().len();
            gone.push(minute);
        }
        gone
    }

    /// The first outcome of this request, if it is known.
    pub(super) fn first_outcome(
        &self,
        db: &DB,
        pending: &PendingOutcomes,
        identity: &RequestIdentity,
    ) -> Result<Option<FirstOutcome>, StoreError> {
        let known = self.minutes.iter().rev().find(|(_, requests)| requests.contains(&identity.request));
        let Some((minute, _)) = known else { return Ok(None) };
        let key = keys::dedup(*minute, &identity.request);
        if let Some(stored) = pending.get(&key) {
            return FirstOutcome::parse(stored).map(Some);
        }
        let stored = db.get_cf(family(db, columns::DEDUP)?, key).map_err(rocks("read an outcome"))?;
        match stored {
            Some(stored) => FirstOutcome::parse(&stored).map(Some),
            None => Err(StoreError::Inconsistent("a known request has no outcome".to_owned())),
        }
    }
}

fn minute_of(time_ms: u64) -> u32 {
    u32::try_from(time_ms / 60_000).unwrap_or(u32::MAX)
}

/// The answer to a request that was applied before.
pub(super) fn answer_again(first: FirstOutcome, request: &Request) -> Bytes {
    if first.body == request.body_hash {
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

/// Removes a minute from the family, by one range tombstone however many requests it had.
pub(super) fn delete_minute(db: &DB, batch: &mut rocksdb::WriteBatch, minute: u32) -> Result<(), StoreError> {
    let end = minute.saturating_add(1);
    batch.delete_range_cf(family(db, columns::DEDUP)?, minute.to_be_bytes(), end.to_be_bytes());
    Ok(())
}
