//! Any query over a small fleet: no panic, and the same answer from columns, from whole documents, and row by row of both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_query::column::{Options, Table};
use muster_query::execute::{self, Collected, Documents, Input, Interrupt, Stop};
use muster_query::plan::Plan;
use muster_query::{Collection, Schema, Value};

const DOCUMENTS: [&str; 5] = [
    r#"{"deviceId":"a","status":"enabled","tags":{"x":1,"y":"pump station","p":{"lat":52,"lon":4.9}},"properties":{"desired":{"fw":"1"},"reported":{"fw":"2","t":[1,2.5,"a"]}}}"#,
    r#"{"deviceId":"b","status":"disabled","tags":{"x":1.0,"y":null},"properties":{"desired":{},"reported":{"t":"2026-01-31T10:00:00Z"}}}"#,
    r#"{"deviceId":"c","status":"enabled","tags":{"x":9007199254740993,"y":""},"properties":{"desired":{"fw":true},"reported":{"fw":true}}}"#,
    r#"{"deviceId":"d","status":"enabled","tags":{},"properties":{"desired":{"fw":{"major":1}},"reported":{"t":-0.0}}}"#,
    r#"{"deviceId":"e","status":"enabled","tags":{"x":"1","y":"Station, pump"},"properties":{"desired":{"fw":1e300},"reported":{"t":1e300}}}"#,
];

struct Fleet(Vec<(String, Value)>);

impl Documents for Fleet {
    fn document(&self, _: &'static str, id: &str) -> Result<Option<Value>, String> {
        Ok(self.0.iter().find(|(own, _)| own == id).map(|(_, value)| value.clone()))
    }
}

impl Interrupt for Fleet {
    fn check(&self, _: usize, _: usize) -> Result<(), Stop> {
        Ok(())
    }
}

fn answer(fleet: &Fleet, collection: &Collection, plan: &Plan, max_columns: usize, changed: &[String]) -> Vec<String> {
    let mut table = Table::new(Options { chunk_rows: 64, max_columns, ..Options::default() });
    for (id, document) in &fleet.0 {
        let row = table.insert(id);
        table.put(row, Table::ROOT, document);
    }
    let snapshot = table.snapshot();
    let from = Collected { collection, snapshot: &snapshot, changed };
    let input = Input { plan, from, joined: None, documents: fleet, interrupt: fleet, now_ms: 1_800_000_000_000 };
    let selection = execute::select(&input).expect("nothing is bounded");
    let rows = execute::rows(&input, &selection, 0, usize::MAX).expect("nothing is bounded");
    rows.iter().map(|row| format!("{} {}", row.id, row.value.to_text())).collect()
}

fuzz_target!(|text: &str| {
    let devices = Collection {
        name: "devices",
        id: &["deviceId"],
        members: &["deviceId", "status", "tags", "properties"],
        shortcuts: &[("desired", &["properties", "desired"]), ("reported", &["properties", "reported"])],
        relations: &[],
        documents_only: Vec::new(),
    };
    let schema = Schema { collections: vec![devices] };
    let Ok(plan) = muster_query::compile(text, &schema) else { return };
    let parse = |text: &&str| {
        let value = Value::from(&serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
        let Some(Value::String(id)) = value.member("deviceId") else { panic!("an id") };
        (id.clone(), value.clone())
    };
    let fleet = Fleet(DOCUMENTS.iter().map(parse).collect());
    let all: Vec<String> = fleet.0.iter().map(|(id, _)| id.clone()).collect();
    let by_columns = answer(&fleet, &schema.collections[0], &plan, 1_000, &[]);
    assert_eq!(by_columns, answer(&fleet, &schema.collections[0], &plan, 0, &[]), "documents: {text}");
    assert_eq!(by_columns, answer(&fleet, &schema.collections[0], &plan, 1_000, &all), "instead of rows: {text}");
    assert_eq!(by_columns, answer(&fleet, &schema.collections[0], &plan, 6, &all[..2]), "mixed: {text}");
});
