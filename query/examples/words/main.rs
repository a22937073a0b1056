//! What an index of words over a million names costs, and how fast `MATCH` answers with and without it, in process: `cargo run -p
//! muster-query --example words [-- ROWS]`. Times are medians of 21 runs in milliseconds.
#![allow(clippy::print_stdout, reason = "it reports")]

use std::time::Instant;

use muster_query::column::{Leaf, Options, Snapshot, Table};
use muster_query::execute::{self, Collected, Documents, Input, Interrupt, Stop};
use muster_query::text::Limits;
use muster_query::{Collection, Schema, Value};

struct Nothing;

impl Documents for Nothing {
    fn document(&self, _: &'static str, _: &str) -> Result<Option<Value>, String> {
        Ok(None)
    }
}

impl Interrupt for Nothing {
    fn check(&self, _: usize, _: usize) -> Result<(), Stop> {
        Ok(())
    }
}

/// Words of names: the rarer the later.
const WORDS: [&str; 24] = [
    "pump", "valve", "motor", "sensor", "station", "hall", "north", "south", "line", "unit", "tank", "boiler", "mixer",
    "press", "gate", "door", "fan", "lamp", "meter", "camera", "robot", "belt", "crane", "tower",
];

const QUERIES: [(&str, &str); 10] = [
    (
        "rare word, ranked, top 20",
        "SELECT TOP 20 deviceId, SCORE() AS s FROM devices WHERE MATCH(name, 'turbine') ORDER BY s DESC",
    ),
    ("rare word, counted", "SELECT COUNT() AS n FROM devices WHERE MATCH(name, 'turbine')"),
    (
        "two words, ranked",
        "SELECT TOP 20 deviceId, SCORE() AS s FROM devices WHERE MATCH(name, 'pump station*') ORDER BY s DESC",
    ),
    ("common word, counted", "SELECT COUNT() AS n FROM devices WHERE MATCH(name, 'pump')"),
    (
        "common word, ranked",
        "SELECT TOP 20 deviceId, SCORE() AS s FROM devices WHERE MATCH(name, 'pump') ORDER BY s DESC",
    ),
    ("phrase, counted", "SELECT COUNT() AS n FROM devices WHERE MATCH(name, '\"pump station\"')"),
    ("beginning of numbers, counted", "SELECT COUNT() AS n FROM devices WHERE MATCH(name, '12*')"),
    ("one number", "SELECT deviceId FROM devices WHERE MATCH(name, '123456')"),
    ("absent word, counted", "SELECT COUNT() AS n FROM devices WHERE MATCH(name, 'turbine -pump')"),
    (
        "with another condition",
        "SELECT TOP 20 deviceId, SCORE() AS s FROM devices WHERE MATCH(name, 'turbine') AND floor < 5 ORDER BY s DESC",
    ),
];

fn chance(index: u64, salt: u64) -> u64 {
    let mut z = index.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Two to six words, one of them often a number of its own; one name in 500 has a rare word.
fn name(index: u64, version: u64) -> String {
    let of = |salt: u64, count: usize| usize::try_from(chance(index, salt + 100 * version)).unwrap_or(0) % count;
    let mut words: Vec<String> = (0..2 + of(1, 4))
        .map(|at| WORDS[of(10 + at as u64, WORDS.len()).min(of(20 + at as u64, WORDS.len()))].to_owned())
        .collect();
    if of(2, 3) > 0 {
        words.push(index.to_string());
    }
    if of(3, 500) == 0 {
        words.insert(0, "turbine".to_owned());
    }
    words.join(" ")
}

fn schema() -> Schema {
    let devices = Collection {
        name: "devices",
        id: &["deviceId"],
        members: &["deviceId", "name", "floor"],
        shortcuts: &[],
        relations: &[],
        documents_only: Vec::new(),
    };
    Schema { collections: vec![devices] }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn ask(schema: &Schema, snapshot: &Snapshot, text: &str) -> (Vec<String>, f64) {
    let plan = muster_query::compile(text, schema).expect("a query");
    let collection = schema.collection("devices").expect("a collection");
    let (mut rows, mut times) = (Vec::new(), Vec::new());
    for _ in 0..21 {
        let start = Instant::now();
        let from = Collected { collection, snapshot, changed: &[] };
        let input = Input { plan: &plan, from, joined: None, documents: &Nothing, interrupt: &Nothing, now_ms: 0 };
        let selection = execute::select(&input).expect("an answer");
        let written = execute::rows(&input, &selection, 0, 1_000).expect("rows");
        times.push(start.elapsed().as_secs_f64() * 1e3);
        rows = written.iter().map(|row| row.value.to_text()).collect();
    }
    (rows, median(times))
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok()).unwrap_or(0) << 10
}

fn make(table: &mut Table) {
    let start = Instant::now();
    let work = table.word_work(&Limits::default());
    let locked = start.elapsed().as_secs_f64() * 1e6;
    for work in work {
        let made = work.run().expect("an index");
        println!(
            "index: {:.1} ms beside ({locked:.0} us at the table), {} texts, {:?} changed, {} KiB",
            start.elapsed().as_secs_f64() * 1e3,
            made.texts,
            made.changed,
            made.memory_bytes >> 10
        );
    }
}

fn main() {
    let rows: u64 = std::env::args().nth(1).and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let (schema, mut table) = (schema(), Table::new(Options::default()));
    let (node, floor) = (table.child(Table::ROOT, "name"), table.child(Table::ROOT, "floor"));
    for index in 0..rows {
        let row = table.insert(&format!("device-{index:07}"));
        table.set(row, node, Leaf::String(&name(index, 0)));
        table.set(row, floor, Leaf::Int(i64::try_from(chance(index, 9) % 30).unwrap_or_default()));
    }
    println!("{rows} names, such as {:?}, {:?}; {} MiB resident", name(1, 0), name(2, 0), resident() >> 20);
    let snapshot = table.snapshot();
    let scanned: Vec<_> = QUERIES.iter().map(|(_, text)| ask(&schema, &snapshot, text)).collect();
    drop(snapshot);
    make(&mut table);
    println!("{} MiB resident", resident() >> 20);
    let snapshot = table.snapshot();
    for ((name, text), (rows, before)) in QUERIES.iter().zip(&scanned) {
        let (found, time) = ask(&schema, &snapshot, text);
        assert_eq!(&found, rows, "{text}");
        println!(
            "{name:<32} {before:>9.3} ms without, {time:>9.3} ms with  {} rows, {:.60}",
            rows.len(),
            rows.first().map_or("", String::as_str)
        );
    }
    drop(snapshot);
    for round in 1..=12 {
        change(&mut table, node, rows, round, 1_000);
        let snapshot = table.snapshot();
        let (_, time) = ask(&schema, &snapshot, QUERIES[0].1);
        print!("1,000 changed: ranked top 20 in {time:.3} ms, then ");
        drop(snapshot);
        make(&mut table);
    }
    change(&mut table, node, rows, 20, 1);
    let snapshot = table.snapshot();
    println!("one changed: ranked top 20 in {:.3} ms", ask(&schema, &snapshot, QUERIES[0].1).1);
    let start = Instant::now();
    change(&mut table, node, rows, 21, 50_000);
    println!(
        "a text noted as changed: {:.0} ns each, with what its change costs",
        start.elapsed().as_secs_f64() * 1e9 / 5e4
    );
    let snapshot = table.snapshot();
    println!("50,000 changed: ranked top 20 in {:.3} ms", ask(&schema, &snapshot, QUERIES[0].1).1);
    drop(snapshot);
    make(&mut table);
    println!("{} MiB resident, {} KiB counted for words", resident() >> 20, table.memory().words >> 10);
}

fn change(table: &mut Table, node: muster_query::column::Node, rows: u64, round: u64, count: u64) {
    for at in 0..count {
        let index = chance(at, 1_000 + round) % rows;
        let row = table.row(&format!("device-{index:07}")).expect("it is there");
        table.set(row, node, Leaf::String(&name(index, round)));
    }
}
