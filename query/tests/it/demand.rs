//! What a plan demands holds for every row of its answer.

use std::collections::BTreeMap;

use muster_query::compile;
use muster_query::plan::Demand;
use muster_query::syntax::{Limits, parse};
use serde_json::Value as Json;

use super::engine::SCHEMA;
use super::generate::{self, Chance};
use super::naive::{self, Fleet};

fn demand(condition: &str) -> Option<(String, Vec<String>)> {
    let text = format!("SELECT deviceId FROM devices WHERE {condition}");
    let plan = compile(&text, &SCHEMA).unwrap_or_else(|error| panic!("{}", error.render(&text)));
    plan.demand().map(|Demand { path, texts }| (path.join("."), texts))
}

#[test]
fn equalities_with_texts_are_demands() {
    let is = |path: &str, texts: &[&str]| Some((path.to_owned(), texts.iter().map(|&text| text.to_owned()).collect()));
    assert_eq!(demand("tags.a = 'x'"), is("tags.a", &["x"]));
    assert_eq!(demand("'x' = tags.a"), is("tags.a", &["x"]));
    assert_eq!(demand("desired.a = 'x'"), is("properties.desired.a", &["x"]), "a short name means its path");
    assert_eq!(demand("tags.a IN ['y', 'x', 'y']"), is("tags.a", &["x", "y"]));
    assert_eq!(demand("tags.a = 'x' OR tags.a = 'y'"), is("tags.a", &["x", "y"]));
    assert_eq!(demand("tags.a IN ['x', 'y'] AND tags.b = 'z' AND tags.c > 1"), is("tags.b", &["z"]), "the fewest");
    assert_eq!(demand("(tags.a = 'x' AND tags.b > 1) OR tags.a = 'y'"), is("tags.a", &["x", "y"]));
}

#[test]
fn nothing_else_is_one() {
    for condition in [
        "tags.a != 'x'",
        "NOT tags.a = 'x'",
        "tags.a = 1",
        "tags.a = tags.b",
        "tags.a IN ['x', 1]",
        "tags.a = 'x' OR tags.b = 'x'",
        "tags.a = 'x' OR tags.b > 1",
        "LOWER(tags.a) = 'x'",
        "tags.a >= 'x'",
        "ANY(e IN tags.a WHERE e = 'x')",
    ] {
        let text = format!("SELECT deviceId FROM devices WHERE {condition}");
        let plan = compile(&text, &SCHEMA);
        // The form of ANY is that of the language; whatever it is, it is no demand.
        assert_eq!(plan.ok().and_then(|plan| plan.demand()), None, "{condition}");
    }
    let many: Vec<String> = (0..65).map(|at| format!("'{at}'")).collect();
    assert_eq!(demand(&format!("tags.a IN [{}]", many.join(", "))), None, "more than are worth it");
}

/// Paths with plain names that lead to plain texts in a document.
fn texts(value: &Json, path: &mut Vec<String>, out: &mut Vec<(String, String)>) {
    let plain = |text: &str| !text.is_empty() && text.chars().all(|char| char.is_ascii_alphabetic());
    match value {
        Json::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| plain(name)) {
                path.push(name.clone());
                texts(value, path, out);
                path.pop();
            }
        }
        Json::String(text) if plain(text) => out.push((path.join("."), text.clone())),
        _ => {}
    }
}

fn condition(chance: &mut Chance, leaves: &[(String, String)], depth: usize) -> String {
    let (path, text) = &leaves[chance.below(leaves.len())];
    let (_, other) = &leaves[chance.below(leaves.len())];
    match chance.below(if depth == 0 { 3 } else { 7 }) {
        0 => format!("{path} = '{text}'"),
        1 => format!("{path} IN ['{text}', '{other}']"),
        2 => format!("{path} != '{text}'"),
        3 | 4 => {
            format!("({} OR {})", condition(chance, leaves, depth - 1), condition(chance, leaves, depth - 1))
        }
        5 => format!("NOT ({})", condition(chance, leaves, depth - 1)),
        _ => format!("({} AND {})", condition(chance, leaves, depth - 1), condition(chance, leaves, depth - 1)),
    }
}

#[test]
fn every_row_of_an_answer_fulfils_the_demand_of_its_plan() {
    let (mut demands, mut rows) = (0, 0);
    for seed in 0..1_500 {
        let mut chance = Chance::new(seed);
        let mut documents = BTreeMap::new();
        let mut leaves = Vec::new();
        for _ in 0..12 {
            let id = generate::id(&mut chance, "devices");
            let document = generate::document(&mut chance, "devices", &id);
            texts(&document, &mut Vec::new(), &mut leaves);
            documents.insert(id, document);
        }
        if leaves.is_empty() {
            continue;
        }
        let text = format!("SELECT deviceId FROM devices WHERE {}", condition(&mut chance, &leaves, 3));
        let plan = compile(&text, &SCHEMA).unwrap_or_else(|error| panic!("{}", error.render(&text)));
        let Some(Demand { path, texts }) = plan.demand() else { continue };
        demands += 1;
        let select = parse(&text, &Limits::default()).expect("it has a plan");
        let fleet = Fleet { collections: [("devices", documents.clone())].into(), now_ms: 0 };
        for (id, _) in naive::answer(&fleet, &select) {
            let value = path.iter().try_fold(&documents[&id], |value, name| value.get(name));
            let found = value.and_then(Json::as_str).unwrap_or_default();
            assert!(texts.iter().any(|text| text == found), "seed {seed}: {text}\n{id} has {value:?}");
            rows += 1;
        }
    }
    assert!(demands > 300 && rows > 300, "{demands} demands, {rows} rows");
}
