//! Retried requests: the first outcome of every request id, for ten minutes of log time.
//!
//! A request is known by its actor and its `request_id`; which ones are known lies in memory, their outcomes in the `dedup`
//! family, one row for each Raft entry: a random key for each request would be a quarter of all that is written. Both are replicated state: what is forgotten, and when, is a function of the log.
//!
//! - Forgetting is by whole minutes, oldest first: after [`WINDOW_MINUTES`], or earlier when there are more than
//!   [`REQUESTS_MAX`], so that memory is bounded under any load.
//! - The same request id with another body is refused, never answered with the other's outcome.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use muster_domain::{Reason, Rejection};
use rocksdb::DB;

use super::position::Position;
use crate::outcome::{OperationResult, Outcome};
use crate::request::Request;
use crate::store::error::{StoreError, rocks};
use crate::store::states::family;
use crate::store::{codec, columns, envelope, keys};

/// Minutes of log time that a request id is known.
pub(super) const WINDOW_MINUTES: u32 = 10;
/// Requests known at most; beyond, the oldest minute is forgotten early.
pub(super) const REQUESTS_MAX: usize = 2_000_000;
/// Envelope type of a row of outcomes.
const OUTCOMES_TYPE: u16 = 19;

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

/// Where an outcome lies: the row, and which of its outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    row: u64,
    index: u32,
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
        self.content.extend_from_slice(&identity.request);
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

    /// Request and first outcome, one after the other.
    fn entries(content: &[u8]) -> impl Iterator<Item = ([u8; 16], FirstOutcome)> {
        let mut rest = content;
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk::<{ Self::HEAD_BYTES }>()?;
            let (request, head) = head.split_first_chunk::<16>()?;
            let (body, length) = head.split_first_chunk::<16>()?;
            let length = u32::from_be_bytes(*length.first_chunk::<4>()?);
            let (outcome, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
            rest = after;
            Some((*request, FirstOutcome { body: *body, outcome: Bytes::copy_from_slice(outcome) }))
        })
    }
}

/// Rows of the open batch, by minute and number.
pub(super) type OpenRows = BTreeMap<(u32, u64), Row>;

/// The requests that are known, by the minute they were applied in.
#[derive(Default)]
pub(super) struct Dedup {
    minutes: BTreeMap<u32, HashMap<[u8; 16], Place>>,
    requests: usize,
}

impl Dedup {
    pub(super) fn load(db: &DB) -> Result<Self, StoreError> {
        let mut dedup = Self::default();
        for item in db.iterator_cf(family(db, columns::DEDUP)?, rocksdb::IteratorMode::Start) {
            let (key, stored) = item.map_err(rocks("read request ids"))?;
            let Some((minute, row)) = keys::parse_dedup(&key) else { continue };
            for (index, (request, _)) in (0_u32..).zip(Row::entries(open(&stored)?)) {
                dedup.insert(minute, request, Place { row, index });
            }
        }
        Ok(dedup)
    }

    fn insert(&mut self, minute: u32, request: [u8; 16], place: Place) {
        self.minutes.entry(minute).or_default().insert(request, place);
        self.requests += 1;
    }

    /// Notes the first outcome of a request.
    pub(super) fn remember(
        &mut self,
        rows: &mut OpenRows,
        position: Position,
        identity: &RequestIdentity,
        outcome: &[u8],
    ) {
        let (minute, row) = (minute_of(position.time_ms), position.entries);
        let index = rows.entry((minute, row)).or_default().push(identity, outcome);
        self.insert(minute, identity.request, Place { row, index });
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
        rows: &OpenRows,
        identity: &RequestIdentity,
    ) -> Result<Option<FirstOutcome>, StoreError> {
        let known =
            self.minutes.iter().rev().find_map(|(minute, requests)| Some((*minute, *requests.get(&identity.request)?)));
        let Some((minute, place)) = known else { return Ok(None) };
        let missing = || StoreError::Inconsistent("a known request has no outcome".to_owned());
        let index = usize::try_from(place.index).map_err(|_| missing())?;
        if let Some(row) = rows.get(&(minute, place.row)) {
            let (_, first) = Row::entries(&row.content).nth(index).ok_or_else(missing)?;
            return Ok(Some(first));
        }
        let stored = db
            .get_cf(family(db, columns::DEDUP)?, keys::dedup(minute, place.row))
            .map_err(rocks("read an outcome"))?
            .ok_or_else(missing)?;
        let (_, first) = Row::entries(open(&stored)?).nth(index).ok_or_else(missing)?;
        Ok(Some(first))
    }
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
