//! The one atomic batch of an apply call.

use std::sync::Arc;

use muster_domain::{At, Record};
use muster_planted::{self as planted, Bug};
use rocksdb::{DB, WriteBatch};

use super::command::Decided;
use super::dedup::{self, OpenRows};
use super::position::Position;
use super::recent::Recorded;
use crate::request::Request;
use crate::store::codec::RevisionEntry;
use crate::store::error::{StoreError, rocks};
use crate::store::event_log::{self, ChainHash};
use crate::store::overlay::Changed;
use crate::store::states::{States, family, seal};
use crate::store::{columns, history, keys, unlogged};

/// A batch being filled.
pub(super) struct Writing<'a> {
    /// The store it will go to.
    pub(super) db: &'a DB,
    /// Outcomes noted so far.
    pub(super) rows: OpenRows,
    /// Commands of this batch that were accepted, and that were not.
    pub(super) accepted: u64,
    /// See `accepted`.
    pub(super) rejected: u64,
    batch: WriteBatch,
    /// The entries of this batch, when somebody follows.
    entries: Option<Vec<Recorded>>,
}

/// What a batch changed.
#[derive(Default)]
pub(super) struct Finished {
    /// Written records for the cache: key, record, stored length.
    pub(super) written: Vec<(Vec<u8>, Arc<Record>, usize)>,
    /// Twins that are not written yet.
    pub(super) twins: Vec<(Vec<u8>, Arc<Record>)>,
    /// The entries, when somebody follows.
    pub(super) entries: Vec<Recorded>,
}

impl<'a> Writing<'a> {
    /// `followed` says that the entries are wanted afterwards.
    pub(super) fn new(db: &'a DB, followed: bool) -> Self {
        let entries = followed.then(Vec::new);
        Self { db, rows: OpenRows::new(), accepted: 0, rejected: 0, batch: WriteBatch::default(), entries }
    }

    /// Adds a revision to the event log and to the history of what it changed; returns the chain hash after it.
    pub(super) fn append(
        &mut self,
        before: &ChainHash,
        request: &Request,
        at: At,
        decided: &mut Decided,
    ) -> Result<ChainHash, StoreError> {
        for (index, (event, record)) in decided.events.iter().zip(&decided.images).enumerate() {
            // A key that changes twice in one revision keeps its last image: a deletion before a re-creation leaves
            // none.
            let changes_again = || decided.events[index + 1..].iter().any(|later| later.key == event.key);
            if history::leaves_image(record) && !changes_again() {
                history::note(self.db, &mut self.batch, &keys::state(&event.key), record, &seal(record))?;
            }
        }
        for (key, before) in &decided.bases {
            history::note(self.db, &mut self.batch, &keys::state(key), before, &seal(before))?;
        }
        let entry = RevisionEntry {
            revision: at.revision,
            time_ms: at.time_ms,
            actor: if planted::is(Bug::ActorLost) { String::new() } else { request.principal.actor() },
            origin: request.origin.clone(),
            request_id: request.request_id.clone(),
            events: std::mem::take(&mut decided.events),
            previous: std::mem::take(&mut decided.previous),
        };
        let (chain, stored) = event_log::append(self.db, &mut self.batch, before, &entry)?;
        if let Some(entries) = &mut self.entries {
            entries.push((entry, stored));
        }
        Ok(chain)
    }

    /// Removes the outcomes of one bucket.
    pub(super) fn forget_requests(&mut self, bucket: u32) -> Result<(), StoreError> {
        self.rows.retain(|(of, _), _| *of != bucket);
        dedup::delete_bucket(self.db, &mut self.batch, bucket)
    }

    /// Writes everything at once: the changed records but twins, outcomes, the position and Raft's meta. Twins follow
    /// later; their events are in the batch.
    pub(super) fn finish(
        mut self,
        states: &States,
        changed: Changed,
        position: &Position,
        meta: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Finished, StoreError> {
        let mut finished = Finished { entries: self.entries.take().unwrap_or_default(), ..Finished::default() };
        let states_family = family(self.db, columns::STATES)?;
        for (key, record) in changed {
            if keys::is_twin(&key) {
                finished.twins.push((key, record));
                continue;
            }
            let stored = seal(&record);
            self.batch.put_cf(states_family, &key, &stored);
            self.index(states, &key, &record)?;
            finished.written.push((key, record, stored.len()));
        }
        let dedup_family = family(self.db, columns::DEDUP)?;
        for ((bucket, row), outcomes) in &self.rows {
            self.batch.put_cf(dedup_family, keys::dedup(*bucket, *row), outcomes.encode());
        }
        let meta_family = family(self.db, columns::META)?;
        if planted::is(Bug::PositionApart) {
            unlogged::write(self.db, std::mem::take(&mut self.batch)).map_err(rocks("write a batch of changes"))?;
        }
        self.batch.put_cf(meta_family, keys::APPLIED, position.encode());
        for (key, value) in meta {
            self.batch.put_cf(meta_family, key, value);
        }
        unlogged::write(self.db, self.batch).map_err(rocks("write a batch of changes"))?;
        Ok(finished)
    }

    /// Keeps the assets of a device, and the sites inside of a site, findable.
    fn index(&mut self, states: &States, key: &[u8], after: &Record) -> Result<(), StoreError> {
        let Some(parsed) = keys::parse_indexed(key) else { return Ok(()) };
        let before = states.get_encoded(key)?;
        let old = before.and_then(|before| keys::secondary(&parsed, &before.body));
        let new = keys::secondary(&parsed, &after.body);
        if old == new || (old.is_some() && planted::is(Bug::IndexMissed)) {
            return Ok(());
        }
        let secondary = family(self.db, columns::SECONDARY)?;
        if let Some(old) = old {
            self.batch.delete_cf(secondary, old);
        }
        if let Some(new) = new {
            self.batch.put_cf(secondary, new, b"");
        }
        Ok(())
    }
}
