//! Selective questions from text to rows written out: compiled, found and projected each time, as a caller does.

use std::time::Instant;

use muster_query::Schema;
use muster_query::column::Snapshot;
use muster_query::execute::{self, Collected, Input};

use super::{Nothing, median};

const QUESTIONS: [(&str, &str); 14] = [
    ("point by id", "SELECT * FROM devices WHERE deviceId = 'device-0500000'"),
    ("selective conjunction", "SELECT deviceId FROM devices WHERE tags.building = 'b43' AND reported.battery < 20"),
    ("  counted", "SELECT COUNT() FROM devices WHERE tags.building = 'b43' AND reported.battery < 20"),
    ("prefix of a serial", "SELECT deviceId FROM devices WHERE STARTSWITH(tags.serial, 'SN0042')"),
    ("equal serial", "SELECT deviceId FROM devices WHERE tags.serial = 'SN0042424242'"),
    (
        "top 20 of a region",
        "SELECT TOP 20 deviceId, reported.battery FROM devices WHERE tags.region = 'region-3' \
         ORDER BY reported.battery, deviceId",
    ),
    ("top 20 of all", "SELECT TOP 20 deviceId, reported.uptime FROM devices ORDER BY reported.uptime DESC"),
    ("range, counted", "SELECT COUNT() FROM devices WHERE reported.temperature >= 40 AND reported.temperature <= 41"),
    ("narrow range", "SELECT deviceId FROM devices WHERE reported.uptime >= 5000000 AND reported.uptime < 5001000"),
    ("IN of 50 texts, counted", ""),
    ("IN of 5 serials", "SELECT deviceId FROM devices WHERE tags.serial IN ['SN0042424242', 'a', 'b', 'c', 'd']"),
    (
        "nested OR, counted",
        "SELECT COUNT() FROM devices WHERE (tags.building = 'b43' AND reported.battery < 20) OR \
         (tags.model = 'model-7' AND NOT reported.connected AND reported.signal > 60 AND reported.temperature > 55)",
    ),
    ("path against path, counted", "SELECT COUNT() FROM devices WHERE desired.fw != reported.fw"),
    ("existence", "SELECT deviceId FROM devices WHERE IS_DEFINED(reported.alarm) AND reported.battery < 5"),
];

/// Median and least time of each question, in microseconds.
pub(crate) fn report(schema: &Schema, snapshot: &Snapshot) {
    println!("questions, from text to at most 100 rows:");
    for (name, text) in QUESTIONS {
        let list: Vec<String> = (0..50).map(|at| format!("'b{at}'")).collect();
        let of_many = format!("SELECT COUNT() FROM devices WHERE tags.building IN [{}]", list.join(", "));
        let text = if text.is_empty() { &of_many } else { text };
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..41 {
            let start = Instant::now();
            found = ask(schema, snapshot, text);
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
        let least = times.iter().copied().fold(f64::MAX, f64::min);
        println!("{name:<28} {:>9.1} us, least {least:>9.1}  {found} rows", median(times));
    }
}

/// One question many times, for a profiler.
pub(crate) fn again_and_again(schema: &Schema, snapshot: &Snapshot, name: &str) {
    let (name, text) = QUESTIONS.iter().find(|(of, _)| of.contains(name)).expect("a question with that in its name");
    let (times, start) = (3_000, Instant::now());
    let found = (0..times).map(|_| ask(schema, snapshot, text)).sum::<usize>() / times;
    println!("{name}: {:.1} us, {found} rows", start.elapsed().as_secs_f64() * 1e6 / 3_000.0);
}

fn ask(schema: &Schema, snapshot: &Snapshot, text: &str) -> usize {
    let plan = muster_query::compile(text, schema).expect("a query");
    let collection = schema.collection("devices").expect("a collection");
    let from = Collected { collection, snapshot, changed: &[] };
    let input = Input { plan: &plan, from, joined: None, documents: &Nothing, interrupt: &Nothing, now_ms: 0 };
    let selection = execute::select(&input).expect("an answer");
    std::hint::black_box(execute::rows(&input, &selection, 0, 100).expect("rows"));
    selection.len()
}
