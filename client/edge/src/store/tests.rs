//! What a store keeps over restarts, and that it tells damage from emptiness.

use std::collections::BTreeMap;
use std::fs;

use muster_proto::stored::v1::EdgeAgentQueued;
use muster_proto::v1;
use muster_proto::v1::sync_operation::Operation;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::index::Range;

const EDGE: &str = "namespaces/plant1/edges/press-hall";

fn open(folder: &Path) -> Result<(Store, Loaded), StoreError> {
    let mut next = 0;
    let mut chance = || {
        next += 1;
        [next; 16]
    };
    Store::open(folder, EDGE, &mut chance)
}

fn item(name: &str, revision: u64) -> Write {
    let twin = v1::Twin { name: name.to_owned(), version: revision, ..v1::Twin::default() };
    let resource = Some(v1::Resource { resource: Some(v1::resource::Resource::Twin(twin)) });
    Write::PutItem(Box::new(v1::SyncItem { name: name.to_owned(), revision, resource }))
}

fn queued(key: u64) -> Write {
    let report = v1::SyncReport { name: "namespaces/plant1/devices/a/twin".to_owned(), reported_json: "{}".to_owned() };
    let operation = Some(v1::SyncOperation { queued_ms: 5, operation: Some(Operation::Report(report)) });
    Write::Enqueue(key, Box::new(EdgeAgentQueued { operation, request_id: String::new() }))
}

fn state(loaded: &Loaded, newest: u64) -> Write {
    let state = &loaded.state;
    Write::State(Box::new(muster_proto::stored::v1::EdgeAgentState { newest, newest_key: newest, ..state.clone() }))
}

#[test]
fn what_is_committed_comes_back() {
    let folder = TempDir::new().expect("a folder");
    let (store, loaded) = open(folder.path()).expect("a new store");
    assert_eq!((loaded.state.incarnation.as_ref(), loaded.state.session.as_ref()), (&[1; 16][..], &[2; 16][..]));
    store.commit(&[item("b", 4), item("a", 3), item("c", 5)], false).expect("written");
    let writes = [Write::RemoveItem("b".to_owned()), queued(1), queued(2), state(&loaded, 2)];
    store.commit(&writes, true).expect("written");
    drop(store);
    let (store, again) = open(folder.path()).expect("the same store");
    assert_eq!(again.state.incarnation, loaded.state.incarnation);
    assert_eq!(again.index.range(&Range::ALL).collect::<Vec<_>>(), [("a", 3), ("c", 5)]);
    assert_eq!(again.queue.iter().map(|entry| entry.key).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.reader().item("c").expect("read").map(|item| item.revision), Some(5));
    assert!(store.reader().item("b").expect("read").is_none());
}

#[test]
fn one_process_at_a_time() {
    let folder = TempDir::new().expect("a folder");
    let _store = open(folder.path()).expect("a new store");
    assert!(matches!(open(folder.path()), Err(StoreError::Busy { .. })));
}

#[test]
fn a_store_that_is_gone_torn_or_garbage_is_no_empty_store() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("edge.redb");
    drop(open(folder.path()).expect("a new store"));
    let whole = fs::read(&path).expect("the file");
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("torn", whole[..whole.len() / 2].to_vec()),
        ("a header", whole[..64].to_vec()),
        ("garbage", vec![0xa5; 8_192]),
    ] {
        fs::write(&path, bytes).expect("writable");
        let error = open(folder.path()).expect_err(what);
        assert!(matches!(error, StoreError::Damaged { .. }), "{what}: {error}");
    }
    fs::remove_file(&path).expect("removed");
    assert!(matches!(open(folder.path()), Err(StoreError::Gone { .. })));
    assert!(set_aside(folder.path(), "1").expect("reset").is_none());
    open(folder.path()).expect("a new store, on purpose");
}

#[test]
fn a_store_of_another_edge_or_another_incarnation_is_refused() {
    let folder = TempDir::new().expect("a folder");
    drop(open(folder.path()).expect("a new store"));
    let other = Store::open(folder.path(), "namespaces/plant1/edges/other", &mut || [9; 16]);
    assert!(matches!(other, Err(StoreError::OtherEdge { .. })));
    fs::write(folder.path().join("STORE"), "00").expect("writable");
    assert!(matches!(open(folder.path()), Err(StoreError::Damaged { .. })));
}

#[test]
fn an_operation_that_is_missing_is_found() {
    let folder = TempDir::new().expect("a folder");
    let (store, loaded) = open(folder.path()).expect("a new store");
    store.commit(&[queued(1), queued(2), queued(3), state(&loaded, 3)], true).expect("written");
    store.commit(&[Write::Unqueue(2)], true).expect("written");
    drop(store);
    let error = open(folder.path()).expect_err("operation 2 is missing");
    assert!(error.to_string().contains("operations 1 to 3 should"), "{error}");
}

#[test]
fn a_damaged_item_is_reported_and_left_out() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).expect("a new store");
    store.commit(&[item("a", 3), item("b", 4)], true).expect("written");
    let transaction = store.database.begin_write().expect("a transaction");
    transaction.open_table(ITEMS).expect("items").insert("b", &b"ME\x01\x01nonsense"[..]).expect("written");
    transaction.commit().expect("written");
    drop(store);
    let (store, loaded) = open(folder.path()).expect("the store as a whole is sound");
    assert_eq!(loaded.damaged, ["b"]);
    assert_eq!(loaded.index.range(&Range::ALL).collect::<Vec<_>>(), [("a", 3)]);
    assert!(matches!(store.reader().item("b"), Err(StoreError::DamagedItem(_))));
}

#[test]
fn a_store_set_aside_keeps_its_file() {
    let folder = TempDir::new().expect("a folder");
    let (_, loaded) = open(folder.path()).expect("a new store");
    let aside = set_aside(folder.path(), "7").expect("moved").expect("there was one");
    assert!(aside.exists());
    let again = Store::open(folder.path(), EDGE, &mut || [8; 16]).expect("a new one").1;
    assert_ne!(again.state.incarnation, loaded.state.incarnation);
}

/// What happens to a store of few names and keys.
#[derive(Debug, Clone)]
enum Act {
    Put(u8, u64),
    Remove(u8),
    Commit(bool),
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0_u8..8, 1_u64..100).prop_map(|(name, revision)| Act::Put(name, revision)),
        2 => (0_u8..8).prop_map(Act::Remove),
        3 => any::<bool>().prop_map(Act::Commit),
        1 => Just(Act::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_replica_is_what_was_committed_last(acts in prop::collection::vec(act(), 0..40)) {
        let folder = TempDir::new().expect("a folder");
        let mut store = open(folder.path()).expect("a new store").0;
        let (mut expected, mut open_writes) = (BTreeMap::new(), Vec::new());
        for act in acts {
            match act {
                Act::Put(name, revision) => open_writes.push(item(&format!("n{name}"), revision)),
                Act::Remove(name) => open_writes.push(Write::RemoveItem(format!("n{name}"))),
                Act::Commit(durable) => {
                    store.commit(&open_writes, durable).expect("written");
                    for write in open_writes.drain(..) {
                        match write {
                            Write::PutItem(item) => drop(expected.insert(item.name.clone(), item.revision)),
                            Write::RemoveItem(name) => drop(expected.remove(&name)),
                            other => panic!("not made here: {other:?}"),
                        }
                    }
                }
                Act::Reopen => {
                    // Closing in order keeps what was not synced as well.
                    open_writes.clear();
                    drop(store);
                    store = open(folder.path()).expect("the same store").0;
                }
            }
        }
        let listed = store.reader().list("n", None, 100, |_| true, |_| true).expect("read").items;
        let found: BTreeMap<_, _> = listed.into_iter().map(|item| (item.name, item.revision)).collect();
        prop_assert_eq!(&found, &expected);
        drop(store);
        let loaded = open(folder.path()).expect("the same store").1;
        let indexed: BTreeMap<_, _> =
            loaded.index.range(&Range::ALL).map(|(name, revision)| (name.to_owned(), revision)).collect();
        prop_assert_eq!(&indexed, &expected);
    }
}
