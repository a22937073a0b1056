//! Brings the twins in the `states` family up to the position: the events behind the mark are folded again.
//!
//! Twins are written later than their events (`unwritten.rs`), so a node that was killed, or a snapshot, has a family
//! in which some twins are older than the position says. It knows how events fold (the domain's `evolve`) and nothing
//! of what they mean. Invariants:
//!
//! - A twin that is newer than an event already holds it: writing may have been cut short anywhere before the mark.
//! - Folding gives the record that was there when the event was applied; a difference would be a different state.

use std::collections::BTreeMap;

use muster_domain::{At, Record, evolve};
use rocksdb::{DB, WriteBatch};

use crate::store::error::{StoreError, rocks};
use crate::store::states::{family, read_record, seal};
use crate::store::{columns, envelope, event_log, keys, unlogged};

/// Envelope type of the mark.
const MARK_TYPE: u16 = 20;
/// Twins folded before they are written: bounds memory.
const CHUNK: usize = 8_192;

/// Says that all twins up to `revision` lie in the family.
pub(crate) fn mark(db: &DB, revision: u64) -> Result<(), StoreError> {
    let mut batch = WriteBatch::default();
    put_mark(db, &mut batch, revision)?;
    unlogged::write(db, batch).map_err(rocks("mark the twins as written"))
}

fn put_mark(db: &DB, batch: &mut WriteBatch, revision: u64) -> Result<(), StoreError> {
    batch.put_cf(family(db, columns::META)?, keys::TWINS_WRITTEN, encode_mark(revision));
    Ok(())
}

/// The revision up to which all twins lie in the family, if it was ever said.
pub(crate) fn marked(db: &DB) -> Result<Option<u64>, StoreError> {
    let stored = db.get_cf(family(db, columns::META)?, keys::TWINS_WRITTEN).map_err(rocks("read the mark of twins"))?;
    stored.map(|stored| decode_mark(&stored)).transpose()
}

fn encode_mark(revision: u64) -> Vec<u8> {
    envelope::seal(MARK_TYPE, &revision.to_be_bytes())
}

/// The revision that a stored mark names.
pub(crate) fn decode_mark(stored: &[u8]) -> Result<u64, StoreError> {
    let body = envelope::open(MARK_TYPE, stored)
        .map_err(|source| StoreError::Damaged { what: "the mark of twins".to_owned(), source })?;
    let revision = body.try_into().map(u64::from_be_bytes);
    revision.map_err(|_| StoreError::Inconsistent("the mark of twins has another length".to_owned()))
}

/// Folds what is missing up to `revision`, the position, and returns how many revisions that were.
///
/// # Errors
/// When the store fails, or holds no event where there must be one.
pub(crate) fn catch_up(db: &DB, revision: u64) -> Result<u64, StoreError> {
    let Some(from) = marked(db)? else {
        // A store from before twins were written later, or an empty one: everything is there.
        mark(db, revision)?;
        return Ok(0);
    };
    let mut folding = Folding { db, twins: BTreeMap::new() };
    let mut last = from;
    event_log::visit(db, from + 1, revision, |entry| {
        if entry.revision != last + 1 {
            return Ok(false);
        }
        last = entry.revision;
        let at = At { revision: entry.revision, time_ms: entry.time_ms };
        for event in entry.events.iter().filter(|event| event.key.is_twin()) {
            folding.fold(keys::state(&event.key), &event.kind, at)?;
        }
        if folding.twins.len() >= CHUNK {
            folding.write(last)?;
        }
        Ok(true)
    })?;
    if last < revision {
        return Err(StoreError::Inconsistent(format!("revision {} is missing in the event log", last + 1)));
    }
    folding.write(revision)?;
    Ok(revision.saturating_sub(from))
}

struct Twin {
    /// The revision of the record as it was found: events up to it are in it.
    found: u64,
    record: Option<Record>,
}

struct Folding<'a> {
    db: &'a DB,
    twins: BTreeMap<Vec<u8>, Twin>,
}

impl Folding<'_> {
    fn fold(&mut self, key: Vec<u8>, event: &muster_domain::EventKind, at: At) -> Result<(), StoreError> {
        let twin = match self.twins.entry(key) {
            std::collections::btree_map::Entry::Occupied(twin) => twin.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let record = read_record(self.db, place.key())?;
                let found = record.as_ref().map_or(0, |record| record.updated_revision);
                place.insert(Twin { found, record: record.map(|record| (*record).clone()) })
            }
        };
        if at.revision > twin.found {
            twin.record = Some(evolve(twin.record.as_ref(), event, at));
        }
        Ok(())
    }

    fn write(&mut self, revision: u64) -> Result<(), StoreError> {
        let states = family(self.db, columns::STATES)?;
        let mut batch = WriteBatch::default();
        for (key, twin) in std::mem::take(&mut self.twins) {
            if let Some(record) = &twin.record {
                batch.put_cf(states, &key, seal(record));
            }
        }
        put_mark(self.db, &mut batch, revision)?;
        unlogged::write(self.db, batch).map_err(rocks("write folded twins"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::golden::golden;

    #[test]
    fn the_stored_mark_is_that_of_earlier_versions() {
        let stored = golden("twins-written-mark.bin", encode_mark(4_711));
        assert_eq!(decode_mark(&stored).expect("whole"), 4_711);
        assert!(decode_mark(&stored[1..]).is_err());
    }
}
