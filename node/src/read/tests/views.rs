//! The views of queries against the records they are made of: cell by cell, after every batch, and made anew.

use std::collections::BTreeMap;

use muster_query::Value;
use muster_query::column::{Cell, Snapshot};

use super::*;
use crate::views::{SCHEMA, Views, Which, document};

const COLLECTIONS: [Which; 3] = [Which::Devices, Which::Modules, Which::Assets];

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
    for seed in 1..=6 {
        let mut node = Node::new();
        let mut at = 0;
        for batch in commands(seed, 240).chunks(7) {
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
