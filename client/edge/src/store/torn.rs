//! A store that is torn or changed anywhere opens as it was after one of its transactions, or is said to be damaged.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use muster_proto::stored::v1::{EdgeAgentQueued, EdgeAgentState};
use muster_proto::v1;
use muster_proto::v1::sync_operation::Operation;
use tempfile::TempDir;

use super::*;
use crate::queue::Entry;

const EDGE: &str = "namespaces/plant1/edges/press-hall";
const BLOCK: usize = 4_096;

/// All that a store holds.
#[derive(Debug, Clone, PartialEq, Default)]
struct Held {
    state: EdgeAgentState,
    items: BTreeMap<String, v1::SyncItem>,
    queue: Vec<Entry>,
}

fn open(folder: &Path) -> Result<(Store, Loaded), StoreError> {
    Store::open(folder, EDGE, &mut || [3; 16])
}

fn name(number: u64) -> String {
    format!("namespaces/plant1/devices/d{number:03}/twin")
}

fn put(number: u64, revision: u64) -> Write {
    let json = format!(r#"{{"text":"{}"}}"#, format!("{number}-{revision}-").repeat(20));
    let desired = Some(v1::SectionDocument { json, version: revision, ..Default::default() });
    let twin = v1::Twin { name: name(number), desired, ..Default::default() };
    let resource = Some(v1::Resource { resource: Some(v1::resource::Resource::Twin(twin)) });
    Write::PutItem(Box::new(v1::SyncItem { name: name(number), revision, resource }))
}

fn enqueue(key: u64) -> Write {
    let report = v1::SyncReport { name: name(key), reported_json: format!(r#"{{"k":{key}}}"#) };
    let operation = Some(v1::SyncOperation { queued_ms: 5, operation: Some(Operation::Report(report)) });
    Write::Enqueue(key, Box::new(EdgeAgentQueued { operation, request_id: format!("r{key}") }))
}

/// What the store holds; `None` for an item whose copy is damaged and reported so.
fn held(store: &Store, loaded: Loaded) -> (Held, Vec<String>) {
    let mut items = BTreeMap::new();
    for number in 0..400 {
        match store.reader().item(&name(number)) {
            Ok(Some(item)) => drop(items.insert(item.name.clone(), item)),
            Ok(None) => {}
            Err(StoreError::DamagedItem(name)) => assert!(loaded.damaged.contains(&name), "{name} was not reported"),
            Err(error) => panic!("it opened, and then: {error}"),
        }
    }
    for (name, revision) in loaded.index.range(&crate::index::Range::ALL) {
        assert_eq!(items.get(name).map(|item| item.revision), Some(revision), "the index is that of the items");
    }
    (Held { state: loaded.state, items, queue: loaded.queue }, loaded.damaged)
}

/// A store with several transactions, what it held after each of them, and its file: closed in order, or as a crash leaves it.
fn written(folder: &Path) -> (Vec<Held>, [Vec<u8>; 2]) {
    let (store, loaded) = open(folder).expect("a new store");
    let mut versions = Vec::new();
    let state = loaded.state.clone();
    for round in 1..=4_u64 {
        let mut writes: Vec<Write> = (0..300).filter(|number| number % round == 0).map(|at| put(at, round)).collect();
        writes.push(Write::RemoveItem(name(round)));
        writes.extend((5 * round - 4..=5 * round).map(enqueue));
        let newest = 5 * round;
        writes.push(Write::State(Box::new(EdgeAgentState {
            newest,
            newest_key: newest,
            cursor: round,
            ..state.clone()
        })));
        store.commit(&writes, true).expect("written");
        let loaded = load::load(&store.database, &store.path, EDGE).expect("sound");
        versions.push(held(&store, loaded).0);
    }
    let path = store.path.clone();
    let crashed = fs::read(&path).expect("the file");
    drop(store);
    (versions, [fs::read(&path).expect("the file"), crashed])
}

/// Opens a store of these bytes; what it came to.
fn check(folder: &Path, bytes: &[u8], versions: &[Held], what: &str) -> bool {
    fs::write(folder.join("edge.redb"), bytes).expect("writable");
    let opened = catch_unwind(AssertUnwindSafe(|| open(folder).map(|(store, loaded)| held(&store, loaded))));
    match opened {
        Ok(Ok((held, damaged))) => {
            let is_version = |version: &&Held| {
                let mut items = version.items.clone();
                items.retain(|name, _| !damaged.contains(name));
                (&version.state, &version.queue, &items) == (&held.state, &held.queue, &held.items)
            };
            assert!(versions.iter().any(|version| is_version(&version)), "{what}: it serves what never was");
            true
        }
        Ok(Err(StoreError::Damaged { .. })) => false,
        Ok(Err(error)) => panic!("{what}: said as {error:?}"),
        Err(_) => panic!("{what}: it panicked"),
    }
}

#[test]
fn a_store_torn_at_any_block_is_consistent_or_said_to_be_damaged() {
    let folder = TempDir::new().expect("a folder");
    let (versions, files) = written(folder.path());
    let (mut opened, mut refused) = (0, 0);
    for (kind, whole) in ["closed", "crashed"].into_iter().zip(&files) {
        assert!(check(folder.path(), whole, &versions[3..], kind), "{kind}: whole, and the newest");
        for (block, start) in (0..whole.len()).step_by(BLOCK).enumerate() {
            let end = (start + BLOCK).min(whole.len());
            // Each block is changed at another place.
            let at = start + (block * 997 + 13) % (end - start);
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            let mut zeroed = whole.clone();
            zeroed[start..end].fill(0);
            let mut stale = whole.clone();
            stale.copy_within(0..end - start, start);
            for (what, bytes) in
                [("flipped", &flipped[..]), ("zeroed", &zeroed), ("another block", &stale), ("torn", &whole[..start])]
            {
                let told = check(folder.path(), bytes, &versions, &format!("{kind}, block {block} {what}"));
                if told { opened += 1 } else { refused += 1 }
            }
        }
    }
    assert!(refused > 20 && opened > 20, "{refused} were refused, {opened} opened");
}
