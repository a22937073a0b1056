//! What the index names against what every query would say of every row.

use muster_query::Value;
use muster_query::column::{Options, Table};
use serde_json::json;

use super::*;

fn plan(condition: &str) -> Plan {
    let text = format!("SELECT deviceId FROM devices WHERE {condition}");
    muster_query::compile(&text, &SCHEMA).unwrap_or_else(|error| panic!("{}", error.render(&text)))
}

fn put(table: &mut Table, id: &str, tags: &serde_json::Value) {
    let row = table.insert(id);
    table.put(row, Table::ROOT, &Value::from(&json!({"deviceId": id, "tags": tags})));
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[test]
fn those_are_named_whose_demand_is_fulfilled_or_who_hold_the_row_or_demand_nothing() {
    let mut table = Table::new(Options::default());
    put(&mut table, "d1", &json!({"site": "a", "line": 1}));
    put(&mut table, "d2", &json!({"site": "b"}));
    put(&mut table, "d3", &json!({"site": 1}));
    let snapshot = table.snapshot();
    let plans = [plan("tags.site = 'a'"), plan("tags.site IN ['b', 'a']"), plan("tags.line > 0"), plan("etag = 'a'")];
    let mut matching = Matching::default();
    for (number, plan) in (0..).zip(&plans) {
        matching.add(number, plan);
    }
    let d3: Arc<str> = Arc::from("d3");
    matching.note(0, &d3, true);
    let of = |matching: &Matching| matching.concerned(&snapshot, &ids(&["d1", "d2", "d3", "gone"]));
    let all = ids(&["d1", "d2", "d3", "gone"]);
    let expected = [(0, ids(&["d1", "d3"])), (1, ids(&["d1", "d2"])), (2, all.clone()), (3, all)];
    assert_eq!(of(&matching), expected.into());
    // A row that is gone concerns those that hold it.
    matching.note(0, &d3, false);
    matching.note(1, &Arc::from("gone"), true);
    assert_eq!(of(&matching)[&0], ids(&["d1"]));
    assert_eq!(of(&matching)[&1], ids(&["d1", "d2", "gone"]));
    let gone: Arc<str> = Arc::from("gone");
    for (number, plan) in (0..).zip(&plans) {
        matching.remove(number, plan, [&gone]);
    }
    assert!(of(&matching).is_empty());
    assert!(matching.demands.is_empty() && matching.open.is_empty() && matching.holders.is_empty());
}

#[test]
fn where_only_documents_tell_all_of_a_path_are_named() {
    // Members come in the order of their names.
    let mut table = Table::new(Options { max_columns: 3, ..Options::default() });
    put(&mut table, "d1", &json!({"known": "x", "more": "a", "others": "b"}));
    let mut matching = Matching::default();
    matching.add(7, &plan("tags.others = 'b'"));
    matching.add(8, &plan("tags.known = 'y'"));
    assert_eq!(matching.concerned(&table.snapshot(), &ids(&["d1"])), [(7, ids(&["d1"]))].into());
}
