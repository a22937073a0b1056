//! EXPLAIN tells by which way rows are found, once columns are ordered by their values.

use std::collections::{BTreeMap, BTreeSet};

use muster_query::column::{Options, OrderOptions};
use muster_query::execute;
use serde_json::json;

use super::engine::{Engine, Moment, SCHEMA, World};

const ROWS: i64 = 1_000;

fn world() -> World {
    let document = |at: i64| {
        let id = format!("device-{at:04}");
        let document = json!({
            "deviceId": id,
            "tags": { "building": format!("b{}", at % 200), "serial": format!("SN{at}") },
            "properties": { "reported": { "battery": at % 100, "connected": at % 2 == 0 } },
        });
        (id, document)
    };
    let devices: BTreeMap<_, _> = (0..ROWS).map(document).collect();
    [("devices", devices), ("devices.modules", BTreeMap::new()), ("assets", BTreeMap::new())].into()
}

/// The last step of the explanation, before and after a query was asked often enough, and how many rows the answer had each time.
fn steps(query: &str) -> [String; 2] {
    let orders = OrderOptions { rows: 100, questions: 2, ..OrderOptions::default() };
    let mut engine = Engine::new(Options { chunk_rows: 64, orders, ..Options::default() });
    let world = world();
    for (collection, documents) in &world {
        documents.iter().for_each(|(id, document)| engine.put(collection, id, Some(document)));
    }
    let (snapshots, changed) = (engine.snapshots(), BTreeMap::<&'static str, BTreeSet<String>>::new());
    let moment = Moment { snapshots: &snapshots, world: &world, changed: &changed, now_ms: 0 };
    let plan = muster_query::compile(query, &SCHEMA).expect("a query");
    let step = || {
        let explanation = moment.with(&plan, execute::explain);
        explanation.plan.lines().last().unwrap_or_default().trim().to_owned()
    };
    let answer = || moment.answer(&plan, 100).iter().map(|row| row.value.to_text()).collect::<Vec<_>>();
    let (before, first) = (step(), answer());
    let answers = [answer(), answer()];
    assert_eq!(answers, [first.clone(), first], "{query}");
    [before, step()]
}

#[test]
fn the_way_to_the_rows_is_told() {
    let scan = "scan devices: 1000 rows";
    for (query, before, after) in [
        ("deviceId = 'device-0007'", "look up devices: 1 by id of 1000 rows", "look up devices: 1 by id of 1000 rows"),
        (
            "tags.building = 'b43' AND reported.battery < 90",
            scan,
            "look up devices: 5 by the order of tags.building of 1000 rows",
        ),
        ("STARTSWITH(tags.serial, 'SN99')", scan, "look up devices: 11 by the order of tags.serial of 1000 rows"),
        (
            "reported.battery >= 98 AND reported.battery < 99 AND reported.connected",
            scan,
            "look up devices: 10 by the order of properties.reported.battery of 1000 rows",
        ),
        (
            "tags.building = 'b1' OR tags.building IN ['b2', 'b3', 'none']",
            scan,
            "look up devices: 5 by the order of tags.building and 10 by the order of tags.building of 1000 rows",
        ),
        ("reported.connected", scan, scan),
        ("reported.nothing = 1", "look up devices: 0 by id of 1000 rows", "look up devices: 0 by id of 1000 rows"),
    ] {
        let found = steps(&format!("SELECT deviceId FROM devices WHERE {query}"));
        assert_eq!(found, [before, after], "{query}");
    }
    let top = "SELECT TOP 2 deviceId FROM devices WHERE reported.connected ORDER BY reported.battery DESC, deviceId";
    let along = "look up devices: downwards along the order of properties.reported.battery, as far as there are enough";
    assert_eq!(steps(top), [scan, along]);
}
