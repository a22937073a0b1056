//! Stores that agree with themselves, and stores in which one thing was changed.

use std::sync::Arc;

use muster_domain::namespace::NamespaceDefinition;
use muster_domain::{At, Event, EventKind, Key, Record, evolve};
use rocksdb::{DB, WriteBatch};

use super::{Verified, VerifyError, verify};
use crate::store::codec::RevisionEntry;
use crate::store::event_log::{self, ChainHash, Swept};
use crate::store::state_db::{StateDb, StateOptions};
use crate::store::states::{family, seal};
use crate::store::{columns, keys, replay};

/// A small store, written as a node writes it.
pub(crate) struct Store {
    _dir: tempfile::TempDir,
    pub(crate) db: Arc<DB>,
    pub(crate) revision: u64,
    pub(crate) chain: ChainHash,
}

pub(crate) fn twin() -> Key {
    Key::DeviceTwin("plant".to_owned(), "d".to_owned())
}

fn namespace() -> Key {
    Key::Namespace("plant".to_owned())
}

impl Store {
    /// A namespace and a twin that was patched; the twin's last `unwritten` changes are in the log only.
    pub(crate) fn new(unwritten: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = StateDb::open(dir.path(), StateOptions::default()).unwrap().db();
        let mut store = Self { _dir: dir, db, revision: 0, chain: [0; 32] };
        let patch = |n: u32| EventKind::TwinPatched { tags: None, desired: Some(format!("{{\"n\":{n}}}")) };
        store.append(namespace(), EventKind::NamespaceCreated(NamespaceDefinition::default()), None, true);
        let mut last = None;
        let kinds = [EventKind::TwinCreated, patch(1), patch(2), patch(3)];
        let written = kinds.len() - unwritten;
        for (number, kind) in kinds.into_iter().enumerate() {
            last = Some(store.append(twin(), kind, last.as_ref(), number < written));
        }
        replay::mark(&store.db, store.revision - unwritten as u64).unwrap();
        store
    }

    pub(crate) fn append(&mut self, key: Key, kind: EventKind, before: Option<&Record>, write: bool) -> Record {
        self.revision += 1;
        let at = At { revision: self.revision, time_ms: 1000 + self.revision };
        let record = evolve(before, &kind, at);
        let mut batch = WriteBatch::default();
        if write {
            batch.put_cf(family(&self.db, columns::STATES).unwrap(), keys::state(&key), seal(&record));
        }
        let entry = RevisionEntry {
            revision: at.revision,
            time_ms: at.time_ms,
            actor: "user:a".to_owned(),
            origin: String::new(),
            request_id: String::new(),
            events: vec![Event { key, kind }],
            previous: vec![before.map_or(0, |before| before.updated_revision)],
        };
        (self.chain, _) = event_log::append(&self.db, &mut batch, &self.chain, &entry).unwrap();
        self.db.write(batch).unwrap();
        record
    }

    fn verify(&self) -> Result<Verified, VerifyError> {
        verify(&self.db, self.revision, &self.chain, |_, _| {})
    }

    fn refused(&self) -> String {
        self.verify().expect_err("it differs").to_string()
    }

    pub(crate) fn put(&self, name: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.db.put_cf(family(&self.db, name).unwrap(), key, value).unwrap();
    }

    fn value(&self, name: &str, key: impl AsRef<[u8]>) -> Vec<u8> {
        self.db.get_cf(family(&self.db, name).unwrap(), key).unwrap().unwrap()
    }
}

#[test]
fn a_good_store_is_found_good_also_with_twins_that_are_not_written_yet() {
    for unwritten in 0..=3 {
        let found = Store::new(unwritten).verify().unwrap();
        assert_eq!((found.first_revision, found.revision, found.records, found.events), (1, 5, 2, 5));
    }
}

#[test]
fn a_changed_event_is_noticed_even_when_its_checksum_was_made_to_fit() {
    let store = Store::new(0);
    let value = store.value(columns::EVENTS, keys::event(3));
    let (chain, stored) = value.split_at(32);
    let mut body = stored[crate::store::envelope::HEADER_BYTES..].to_vec();
    let at = body.iter().position(|byte| *byte == b'a').unwrap();
    body[at] = b'b';
    let forged = crate::store::envelope::seal(event_log::REVISION_TYPE, &body);
    store.put(columns::EVENTS, keys::event(3), [chain, &forged].concat());
    assert!(store.refused().contains("revision 3"), "{}", store.refused());
    // And with its hash made to fit as well, at the next one.
    store.put(columns::EVENTS, keys::event(3), [&value[..32], stored].concat());
    store.verify().unwrap();
    let before = store.value(columns::EVENTS, keys::event(2));
    let hash = event_log::chain(before[..32].try_into().unwrap(), &forged);
    store.put(columns::EVENTS, keys::event(3), [&hash[..], &forged].concat());
    assert!(store.refused().contains("revision 4"), "{}", store.refused());
}

#[test]
fn a_flipped_byte_a_missing_event_and_another_position_are_noticed() {
    let store = Store::new(0);
    let good = store.value(columns::EVENTS, keys::event(4));
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    store.put(columns::EVENTS, keys::event(4), bad);
    assert!(matches!(store.verify(), Err(VerifyError::Store(_))));
    store.db.delete_cf(family(&store.db, columns::EVENTS).unwrap(), keys::event(4)).unwrap();
    assert!(store.refused().contains("revision 4") && store.refused().contains("missing"));
    store.put(columns::EVENTS, keys::event(4), good);
    assert!(verify(&store.db, 4, &store.chain, |_, _| {}).is_err());
    assert!(verify(&store.db, 5, &[1; 32], |_, _| {}).is_err());
    store.verify().unwrap();
}

#[test]
fn a_record_that_its_events_do_not_lead_to_is_named() {
    let store = Store::new(0);
    let good = store.value(columns::STATES, keys::state(&twin()));
    let at = At { revision: 5, time_ms: 1005 };
    let other = evolve(None, &EventKind::TwinCreated, at);
    store.put(columns::STATES, keys::state(&twin()), seal(&other));
    assert!(store.refused().contains("revision 5, namespaces/plant/devices/d/twin"), "{}", store.refused());
    let older = evolve(None, &EventKind::TwinCreated, At { revision: 2, time_ms: 1002 });
    store.put(columns::STATES, keys::state(&twin()), seal(&older));
    assert!(store.refused().contains("revision 3"), "older than the mark: {}", store.refused());
    store.put(columns::STATES, keys::state(&twin()), good);
    let stray = keys::state(&Key::Namespace("stray".to_owned()));
    store.put(columns::STATES, &stray, store.value(columns::STATES, keys::state(&namespace())));
    assert!(store.refused().contains("no event made it"), "{}", store.refused());
}

#[test]
fn a_stray_secondary_key_is_noticed() {
    let store = Store::new(0);
    for stray in [keys::asset_by_device("plant", "d", "pump"), keys::site_by_parent("plant", "works", "floor")] {
        store.put(columns::SECONDARY, &stray, b"");
        assert!(store.refused().contains("secondary"), "{}", store.refused());
        store.db.delete_cf(family(&store.db, columns::SECONDARY).unwrap(), stray).unwrap();
    }
    store.verify().expect("whole again");
}

#[test]
fn a_log_whose_beginning_was_removed_is_checked_from_where_it_begins() {
    let store = Store::new(0);
    let chain_before = event_log::chain_hash(&store.db, 3).unwrap().unwrap();
    let mut batch = WriteBatch::default();
    event_log::put_swept(&store.db, &mut batch, &Swept { revision: 4, chain_before }).unwrap();
    store.db.write(batch).unwrap();
    for revision in 1..=3 {
        store.db.delete_cf(family(&store.db, columns::EVENTS).unwrap(), keys::event(revision)).unwrap();
    }
    let found = store.verify().unwrap();
    assert_eq!((found.first_revision, found.records, found.records_older), (4, 0, 2));
    // With an image of the twin where its events end, the rest of them lead to it.
    let image = evolve(None, &EventKind::TwinCreated, At { revision: 2, time_ms: 1002 });
    let patch = EventKind::TwinPatched { tags: None, desired: Some("{\"n\":1}".to_owned()) };
    let image = evolve(Some(&image), &patch, At { revision: 3, time_ms: 1003 });
    store.put(columns::HISTORY, keys::history(&keys::state(&twin()), 3), seal(&image));
    let found = store.verify().unwrap();
    assert_eq!((found.records, found.records_older), (1, 1));
    store.db.delete_cf(family(&store.db, columns::EVENTS).unwrap(), keys::event(4)).unwrap();
    assert!(store.refused().contains("revision 4"), "the mark says that it is there: {}", store.refused());
}
