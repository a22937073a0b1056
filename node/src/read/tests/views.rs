//! The views of queries against the records they are made of: cell by cell, after every batch, and made anew.

use std::collections::BTreeMap;

use muster_query::Value;
use muster_query::column::{Cell, Snapshot};

use super::*;
use crate::views::{DOCUMENTS, SCHEMA, Views, Which, document};

const COLLECTIONS: [Which; 3] = Which::ALL;

/// All documents of a collection, from the records.
fn documents(view: &View, namespace: &str, which: Which) -> BTreeMap<String, Value> {
    let get = |key: Key| view.get(&key).unwrap();
    let own = |text: &str| text.to_owned();
    let mut found = BTreeMap::new();
    for key in random::keys() {
        let Some((of, in_namespace, id)) = Which::row_of(&key) else { continue };
        if of != which || in_namespace != namespace {
            continue;
        }
        let document = match &key {
            Key::Device(ns, device) => get(key.clone())
                .zip(get(Key::DeviceTwin(own(ns), own(device))))
                .and_then(|(record, twin)| document::device(device, &record, &twin)),
            Key::Module(ns, device, module) => get(key.clone())
                .zip(get(Key::ModuleTwin(own(ns), own(device), own(module))))
                .and_then(|(record, twin)| document::module(device, module, &record, &twin)),
            Key::Asset(_, asset) => get(key.clone()).and_then(|record| document::asset(asset, &record)),
            _ => None,
        };
        found.extend(document.map(|document| (id, document)));
    }
    found
}

/// Every path of a document with what a cell says of it, but those that only documents tell.
fn cells(which: Which, document: &Value) -> BTreeMap<Vec<String>, String> {
    fn walk(
        path: &mut Vec<String>,
        value: &Value,
        told: &dyn Fn(&[String]) -> bool,
        out: &mut BTreeMap<Vec<String>, String>,
    ) {
        let Value::Object(members) = value else { return };
        for (name, value) in members {
            path.push(name.clone());
            if !told(path) {
                let shown = if matches!(value, Value::Object(_)) { "{}".to_owned() } else { value.to_text() };
                out.insert(path.clone(), shown);
                walk(path, value, told, out);
            }
            path.pop();
        }
    }
    let name = ["devices", "devices.modules", "assets"][COLLECTIONS.iter().position(|known| *known == which).unwrap()];
    let collection = SCHEMA.collection(name).unwrap();
    let mut out = BTreeMap::new();
    walk(&mut Vec::new(), document, &|path| collection.is_documents_only(path), &mut out);
    out
}

fn row_cells(snapshot: &Snapshot, id: &str) -> BTreeMap<Vec<String>, String> {
    let row = snapshot.row(id).expect("the row is there");
    let columns = snapshot.columns().into_iter().filter_map(|column| {
        let muster_query::column::Lookup::Column(found) = snapshot.lookup(&column.path) else { return None };
        let shown = match snapshot.cell(found, row) {
            Cell::Absent => return None,
            Cell::Null => Value::Null,
            Cell::Bool(value) => Value::Bool(value),
            Cell::Int(value) => Value::Int(value),
            Cell::Float(value) => Value::Float(value),
            Cell::String(text) => Value::String(text.to_owned()),
            Cell::Array(text) => return Some((column.path, text.to_owned())),
            Cell::Object => return Some((column.path, "{}".to_owned())),
        };
        Some((column.path, shown.to_text()))
    });
    columns.collect()
}

fn check(views: &Views, view: &View) -> usize {
    let mut rows = 0;
    for namespace in random::NAMESPACES {
        let taken = views.snapshot(namespace, &COLLECTIONS);
        assert_eq!(taken.position.revision, view.revision());
        for (which, snapshot) in COLLECTIONS.into_iter().zip(&taken.tables) {
            let expected = documents(view, namespace, which);
            let ids: Vec<&str> =
                snapshot.id_order().iter().map(|row| snapshot.id(muster_query::column::Row(*row))).collect();
            assert_eq!(ids, expected.keys().map(String::as_str).collect::<Vec<_>>(), "{which:?} of {namespace}");
            for (id, document) in &expected {
                assert_eq!(row_cells(snapshot, id), cells(which, document), "{which:?} {id}");
                rows += 1;
            }
        }
    }
    rows
}

#[test]
fn views_hold_what_the_records_say() {
    let mut rows = 0;
    for seed in 1_u8..=6 {
        let mut node = Node::new();
        let mut at = 0;
        for batch in commands(seed.into(), 240).chunks(7) {
            let payloads: Vec<_> = batch
                .chunks(3)
                .map(|commands| {
                    let requests = commands.iter().map(|operations| {
                        at += 1;
                        request(START_MS + at, operations.clone())
                    });
                    requests.collect::<Vec<_>>()
                })
                .collect();
            node.apply(&payloads);
            rows += check(&node.views(), &node.view());
        }
        // A start makes them from all that is stored.
        node.reopen();
        rows += check(&node.views(), &node.view());
    }
    assert!(rows > 500, "there was something to compare: {rows}");
}

/// Applies commands in batches and compares after the last one.
fn apply(node: &mut Node, at: &mut u64, commands: &[Vec<Operation>]) {
    for batch in commands.chunks(7) {
        let requests = batch.iter().map(|operations| {
            *at += 1;
            request(START_MS + *at, operations.clone())
        });
        node.apply(&[requests.collect::<Vec<_>>()]);
    }
}

fn save(node: &Node) -> u64 {
    node.views().save(&node.checkpoint()).unwrap().expect("there is something to write")
}

#[test]
fn a_start_from_a_checkpoint_ends_with_what_the_records_say() {
    let mut rows = 0;
    for seed in 11_u8..=16 {
        let (mut node, mut at) = (Node::new(), 0);
        for part in commands(seed.into(), 240).chunks(40) {
            let (first, second) = part.split_at(part.len() * (usize::from(seed) % 4) / 4);
            apply(&mut node, &mut at, first);
            let revision = node.view().revision();
            if node.views().saved() != revision {
                save(&node);
            }
            apply(&mut node, &mut at, second);
            node.reopen();
            assert_eq!(node.views().saved(), revision, "the checkpoint was used");
            rows += check(&node.views(), &node.view());
            // And goes on from there.
            node.forget();
            rows += check(&node.views(), &node.view());
        }
    }
    assert!(rows > 500, "there was something to compare: {rows}");
}

#[test]
fn views_that_are_made_beside_take_in_what_is_applied_meanwhile() {
    let mut rows = 0;
    for seed in 21_u8..=26 {
        let (mut node, mut at) = (Node::new(), 0);
        let all = commands(seed.into(), 240);
        for part in all.chunks(60) {
            apply(&mut node, &mut at, &part[..15]);
            if seed % 2 == 0 {
                save(&node);
            }
            apply(&mut node, &mut at, &part[15..30]);
            // As at a start and after an installed snapshot, when twins have just been folded up to the position.
            node.write_twins();
            let (views, states, position) = (node.views(), node.states(), node.view().position);
            // Applied both before the records are read, which then show a later state, and after that.
            let node = std::cell::RefCell::new((&mut node, &mut at));
            let go_on = |commands| {
                let (node, at) = &mut *node.borrow_mut();
                apply(node, at, commands);
                assert!(!*views.ready().borrow(), "nobody is served meanwhile");
            };
            views.rebuild_around(&states, position, || go_on(&part[30..45]), || go_on(&part[45..]));
            let node = node.into_inner().0;
            assert!(*views.ready().borrow());
            rows += check(&views, &node.view());
        }
    }
    assert!(rows > 100, "there was something to compare: {rows}");
}

#[test]
fn a_checkpoint_that_is_damaged_or_of_another_history_is_left_aside() {
    let (mut node, mut at) = (Node::new(), 0);
    apply(&mut node, &mut at, &commands(31, 120));
    save(&node);
    // Of a revision that is still to come here, and of one that was here, with another past.
    let foreign = [(32, 200), (33, 60)].map(|(seed, count)| {
        let (mut other, mut at) = (Node::new(), 0);
        apply(&mut other, &mut at, &commands(seed, count));
        save(&other);
        (other.view().revision(), std::fs::read(other.checkpoint().path()).unwrap())
    });
    assert!(foreign[0].0 > node.view().revision() && (1..node.view().revision()).contains(&foreign[1].0));
    let path = node.checkpoint().path().to_owned();
    let whole = std::fs::read(&path).unwrap();
    let mut spoilt = vec![whole[..whole.len() / 2].to_vec(), Vec::new(), [&whole[..], b"x"].concat()];
    spoilt.extend(foreign.map(|(_, bytes)| bytes));
    // Format, documents, revision, chain, number of namespaces, a name, the tables.
    for place in [0, 8, 12, 16, 25, 56, 63, 120, whole.len() / 3, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        spoilt.push(bytes);
    }
    for bytes in spoilt {
        std::fs::write(&path, bytes).unwrap();
        node.reopen();
        assert_eq!(node.views().saved(), 0, "it was not used");
        check(&node.views(), &node.view());
    }
    std::fs::write(&path, whole).unwrap();
    node.reopen();
    assert_eq!(node.views().saved(), node.view().revision());
    assert!(check(&node.views(), &node.view()) > 0, "there was something to compare");
}

#[test]
fn a_checkpoint_from_before_the_floor_is_of_no_use() {
    let (mut node, mut at) = (Node::new(), 0);
    apply(&mut node, &mut at, &commands(41, 120));
    save(&node);
    apply(&mut node, &mut at, &commands(42, 120));
    let floor = node.view().revision() - 3;
    node.run(vec![Operation::CompactEvents { namespace: None, floor }]);
    node.sweep(1_000, 100);
    node.reopen();
    assert_eq!(node.views().saved(), 0);
    assert!(check(&node.views(), &node.view()) > 0, "there was something to compare");
}

#[test]
fn what_columns_hold_is_what_checkpoints_of_this_version_hold() {
    let (mut node, mut at) = (Node::new(), 0);
    apply(&mut node, &mut at, &commands(51, 240));
    let mut hasher = blake3::Hasher::new();
    for namespace in random::NAMESPACES {
        let taken = node.views().snapshot(namespace, &COLLECTIONS);
        for snapshot in &taken.tables {
            for row in snapshot.id_order().iter() {
                let id = snapshot.id(muster_query::column::Row(*row)).to_owned();
                hasher.update(format!("{id} {:?}", row_cells(snapshot, &id)).as_bytes());
            }
        }
    }
    let hash = hasher.finalize().to_hex();
    assert_eq!(
        (DOCUMENTS, &hash[..16]),
        (2, "a1c2e31247c4ef4e"),
        "columns hold something else of the same records: raise DOCUMENTS"
    );
}
