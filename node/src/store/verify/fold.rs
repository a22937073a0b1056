//! Events folded with the domain's `evolve` against the records that are stored.
//!
//! - Each stored record must be the fold of its events up to the revision it names.
//! - A record may be older than its last event only where the store says so: twins behind the mark (`replay.rs`).
//! - Memory is bounded: records are checked in groups, chosen by a hash of their keys, with one pass over the log for each.

use std::collections::BTreeMap;

use muster_domain::{At, Event, Record, evolve};
use rocksdb::{DB, IteratorMode};

use super::{Verified, VerifyError, differs};
use crate::store::error::rocks;
use crate::store::states::{decode, family, read_record};
use crate::store::{columns, event_log, keys, replay};

/// Records checked in one pass: some hundred MB of memory.
const GROUP: u64 = 200_000;

/// One record on its way through its events.
struct Folding {
    /// As far as the events go; `None` when it began before the log does.
    record: Option<Record>,
    /// Whether the fold began with the record's first event, or with an image of it.
    from_start: bool,
    /// Revision of the stored record; 0 when there is none.
    stored: u64,
    /// Revision of the last event.
    last: u64,
    compared: bool,
}

pub(super) fn check(db: &DB, verified: &mut Verified, progress: &mut impl FnMut(u64, u64)) -> Result<(), VerifyError> {
    let states = family(db, columns::STATES)?;
    let mut records = 0;
    for item in db.iterator_cf(states, IteratorMode::Start) {
        item.map_err(rocks("read the records"))?;
        records += 1;
    }
    let groups = records / GROUP + 1;
    // A store from before twins were written later has no mark, and all of them.
    let mark = replay::marked(db)?.unwrap_or(verified.revision);
    for group in 0..groups {
        let all = verified.revision * groups;
        let done = verified.revision * group;
        let mut pass =
            Pass { db, group, groups, mark, first: verified.first_revision, folding: BTreeMap::new(), events: 0 };
        pass.fold(verified.revision, |revision| progress(done + revision, all))?;
        pass.finish(verified)?;
        verified.events += pass.events;
    }
    Ok(())
}

struct Pass<'a> {
    db: &'a DB,
    group: u64,
    groups: u64,
    mark: u64,
    first: u64,
    folding: BTreeMap<Vec<u8>, Folding>,
    events: u64,
}

impl Pass<'_> {
    fn is_mine(&self, key: &[u8]) -> bool {
        // FNV-1a: spreads keys evenly, and alike in every pass.
        let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        hash % self.groups == self.group
    }

    fn fold(&mut self, revision: u64, mut progress: impl FnMut(u64)) -> Result<(), VerifyError> {
        let mut found = None;
        event_log::visit(self.db, self.first, revision, |entry| {
            let at = At { revision: entry.revision, time_ms: entry.time_ms };
            let mut touched = Vec::new();
            for (event, previous) in entry.events.iter().zip(&entry.previous) {
                let key = keys::state(&event.key);
                if self.is_mine(&key) {
                    self.event(&key, event, *previous, at)?;
                    touched.push(key);
                }
            }
            progress(entry.revision);
            for key in touched {
                if let Err(difference) = self.compare(&key, entry.revision) {
                    found = Some(difference);
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        found.map_or(Ok(()), Err)
    }

    fn event(
        &mut self,
        key: &[u8],
        event: &Event,
        previous: u64,
        at: At,
    ) -> Result<(), crate::store::error::StoreError> {
        self.events += 1;
        if !self.folding.contains_key(key) {
            let stored = read_record(self.db, key)?.map_or(0, |record| record.updated_revision);
            let (record, from_start) = self.base(key, previous)?;
            let folding = Folding { record, from_start, stored, last: 0, compared: false };
            self.folding.insert(key.to_vec(), folding);
        }
        if let Some(folding) = self.folding.get_mut(key) {
            folding.last = at.revision;
            if folding.from_start {
                folding.record = Some(evolve(folding.record.as_ref(), &event.kind, at));
            }
        }
        Ok(())
    }

    /// What the first event in the log changes: nothing, or an image of the record from when its events were removed.
    fn base(&self, key: &[u8], previous: u64) -> Result<(Option<Record>, bool), crate::store::error::StoreError> {
        if previous == 0 || previous >= self.first {
            return Ok((None, previous == 0));
        }
        let image = self.db.get_pinned_cf(family(self.db, columns::HISTORY)?, keys::history(key, previous));
        match image.map_err(rocks("read history"))? {
            Some(image) => Ok((Some(decode(key, &image)?), true)),
            None => Ok((None, false)),
        }
    }

    /// Once a record's events up to the stored one are folded, the two are the same.
    fn compare(&mut self, key: &[u8], revision: u64) -> Result<(), VerifyError> {
        let Some(folding) = self.folding.get_mut(key) else { return Ok(()) };
        let name = || keys::parse_state(key).map_or_else(|| format!("{key:02x?}"), |key| key.to_string());
        if revision > folding.stored && (!keys::is_twin(key) || revision <= self.mark) {
            let what = format!("an event changed it here, the stored record is at revision {}", folding.stored);
            return Err(differs(revision, name(), what));
        }
        if revision != folding.stored {
            return Ok(());
        }
        folding.compared = true;
        if folding.from_start && read_record(self.db, key)?.as_deref() != folding.record.as_ref() {
            return Err(differs(revision, name(), "the stored record is not what its events lead to"));
        }
        Ok(())
    }

    /// Every stored record came by.
    fn finish(&self, verified: &mut Verified) -> Result<(), VerifyError> {
        for item in self.db.iterator_cf(family(self.db, columns::STATES)?, IteratorMode::Start) {
            let (key, value) = item.map_err(rocks("read the records"))?;
            if !self.is_mine(&key) {
                continue;
            }
            let name = || keys::parse_state(&key).map_or_else(|| format!("{key:02x?}"), |key| key.to_string());
            match self.folding.get(&*key) {
                Some(folding) if folding.compared && folding.from_start => verified.records += 1,
                Some(folding) if folding.compared => verified.records_older += 1,
                Some(folding) => {
                    let what = format!("no event of it is at its stored revision; its last is at {}", folding.last);
                    return Err(differs(folding.stored, name(), what));
                }
                None => {
                    let record = decode(&key, &value)?;
                    if record.updated_revision >= self.first || self.first == 1 {
                        return Err(differs(record.updated_revision, name(), "it is stored, but no event made it"));
                    }
                    verified.records_older += 1;
                }
            }
        }
        Ok(())
    }
}
