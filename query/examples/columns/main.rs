//! What a fleet of a million costs in columns, and how fast the engine answers over them, in process: `cargo run -p muster-query
//! --example columns [-- ROWS]`. Times are medians of 21 runs in milliseconds.
#![allow(clippy::print_stdout, reason = "it reports")]

mod kernels;

use std::time::Instant;

use muster_query::column::{Leaf, Options, Snapshot, Table};
use muster_query::execute::{self, Collected, Documents, Input, Interrupt, Stop};
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

const QUERIES: [(&str, &str); 11] = [
    ("selective conjunction", "SELECT COUNT() FROM devices WHERE tags.building = 'b17' AND reported.battery < 20"),
    ("range count", "SELECT COUNT() FROM devices WHERE reported.temperature >= 20 AND reported.temperature < 25"),
    ("boolean count", "SELECT COUNT() FROM devices WHERE reported.connected = true"),
    ("group by region", "SELECT tags.region, COUNT() AS n FROM devices GROUP BY tags.region"),
    (
        "grouped average",
        "SELECT tags.model, AVG(reported.temperature) AS a, MIN(reported.temperature) AS b, MAX(reported.temperature) AS c \
         FROM devices WHERE reported.connected = true GROUP BY tags.model",
    ),
    ("existence", "SELECT COUNT() FROM devices WHERE IS_DEFINED(reported.alarm)"),
    ("path against path", "SELECT COUNT() FROM devices WHERE desired.fw != reported.fw"),
    ("top 20", "SELECT TOP 20 deviceId, reported.battery FROM devices ORDER BY reported.battery"),
    ("prefix", "SELECT deviceId FROM devices WHERE STARTSWITH(tags.serial, 'SN0042')"),
    ("words", "SELECT COUNT() FROM devices WHERE MATCH(tags.name, 'pump station')"),
    ("one by id", "SELECT deviceId, tags.building FROM devices WHERE deviceId = 'device-0500000'"),
];

fn chance(index: u64, salt: u64) -> u64 {
    let mut z = index.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 31)
}

fn document(index: u64) -> Value {
    let text = |text: String| Value::String(text);
    let of = |salt: u64, count: u64| chance(index, salt) % count;
    let object =
        |members: Vec<(&str, Value)>| Value::object(members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect());
    let number = |value: u64| Value::Int(i64::try_from(value).unwrap_or_default());
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let real = |value: u64| Value::Float(value as f64 / 10.0 + 0.05);
    let mut reported = vec![
        ("battery", number(of(1, 101))),
        ("temperature", real(of(2, 600))),
        ("connected", Value::Bool(of(3, 10) < 7)),
        ("fw", text(format!("1.{}", of(4, 8)))),
        ("signal", number(of(5, 70))),
        ("uptime", number(of(6, 10_000_000))),
    ];
    if of(7, 200) == 0 {
        reported.push(("alarm", text("overheat".to_owned())));
    }
    object(vec![
        ("deviceId", text(format!("device-{index:07}"))),
        ("status", text("enabled".to_owned())),
        (
            "tags",
            object(vec![
                ("building", text(format!("b{}", of(8, 200)))),
                ("region", text(format!("region-{}", of(9, 12)))),
                ("model", text(format!("model-{}", of(10, 40)))),
                ("name", text(format!("pump station {index} hall {}", of(11, 50)))),
                ("serial", text(format!("SN{:010}", chance(index, 12) % 10_000_000_000))),
                ("floor", number(of(13, 30))),
            ]),
        ),
        (
            "properties",
            object(vec![
                (
                    "desired",
                    object(vec![("fw", text(format!("1.{}", of(14, 8)))), ("interval", number(of(15, 4) * 30))]),
                ),
                ("reported", object(reported)),
            ]),
        ),
    ])
}

fn schema() -> Schema {
    let devices = Collection {
        name: "devices",
        id: &["deviceId"],
        members: &["deviceId", "status", "tags", "properties"],
        shortcuts: &[("desired", &["properties", "desired"]), ("reported", &["properties", "reported"])],
        relations: &[],
        documents_only: Vec::new(),
    };
    Schema { collections: vec![devices] }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn ask(schema: &Schema, snapshot: &Snapshot, text: &str) -> (usize, f64) {
    let plan = muster_query::compile(text, schema).expect("a query");
    let collection = schema.collection("devices").expect("a collection");
    let (mut rows, mut times) = (0, Vec::new());
    for _ in 0..21 {
        let start = Instant::now();
        let from = Collected { collection, snapshot, changed: &[] };
        let input = Input { plan: &plan, from, joined: None, documents: &Nothing, interrupt: &Nothing, now_ms: 0 };
        let selection = execute::select(&input).expect("an answer");
        rows = execute::rows(&input, &selection, 0, 1_000).expect("rows").len();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    (rows, median(times))
}

fn main() {
    let rows: u64 = std::env::args().nth(1).and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let resident = kernels::resident();
    let (schema, mut table) = (schema(), Table::new(Options::default()));
    let start = Instant::now();
    for index in 0..rows {
        let row = table.insert(&format!("device-{index:07}"));
        table.put(row, Table::ROOT, &document(index));
    }
    println!("{rows} rows loaded in {:.2} s", start.elapsed().as_secs_f64());
    let memory = table.memory();
    println!(
        "{} MiB counted: chunks {}, texts {}, ids {}, paths {} KiB; {} MiB more resident than before",
        memory.total() >> 20,
        memory.chunks >> 10,
        memory.texts >> 10,
        memory.ids >> 10,
        memory.paths >> 10,
        kernels::resident().saturating_sub(resident) >> 20,
    );
    let properties = table.child(Table::ROOT, "properties");
    let reported = table.child(properties, "reported");
    let (battery, temperature) = (table.child(reported, "battery"), table.child(reported, "temperature"));
    kernels::writer(&mut table, rows, [battery, temperature]);
    for held_every in [0, 5_000, 100] {
        let (mut held, patches, start) = (None, 200_000_u64, Instant::now());
        for index in 0..patches {
            let id = chance(index, 77) % rows;
            let row = table.row(&format!("device-{id:07}")).expect("it is there");
            table.set(row, battery, Leaf::Int(i64::try_from(index % 100).unwrap_or_default()));
            #[allow(clippy::cast_precision_loss, reason = "small numbers")]
            table.set(row, temperature, Leaf::Float(index as f64 / 7.0));
            if held_every > 0 && index % held_every == 0 {
                held = Some(table.snapshot());
            }
        }
        let nanos = start.elapsed().as_secs_f64() * 1e9;
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let each = nanos / patches as f64;
        println!("patch of two leaves: {each:.0} ns with a snapshot every {held_every} patches (0: none)");
        drop(held);
    }
    let (snapshots, start) = (100_000_u32, Instant::now());
    for index in 0..snapshots {
        // A change, so that no snapshot is the last one again; in one place, so that what it copies is little.
        table.set(muster_query::column::Row(0), battery, Leaf::Int(i64::from(index % 2)));
        drop(table.snapshot());
    }
    println!(
        "one change, a snapshot and its end: {:.0} ns",
        start.elapsed().as_secs_f64() * 1e9 / f64::from(snapshots)
    );
    paced(&mut table, rows, battery, temperature);
    let snapshot = table.snapshot();
    let start = Instant::now();
    drop(snapshot.id_order());
    println!("order of ids, once: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    for (name, text) in QUERIES {
        let (rows, time) = ask(&schema, &snapshot, text);
        println!("{name:<24} {time:>9.3} ms  {rows} rows");
    }
    kernels::report(&snapshot);
    kernels::checkpoint(&table);
}

/// Patches of two leaves as fast as they go, with a snapshot every 10 ms that is held until the next.
fn paced(table: &mut Table, rows: u64, battery: muster_query::column::Node, temperature: muster_query::column::Node) {
    let (mut held, patches) = (table.snapshot(), 300_000_u64);
    let (start, mut last) = (Instant::now(), Instant::now());
    for index in 0..patches {
        let row = muster_query::column::Row::at(usize::try_from(chance(index, 99) % rows).unwrap_or_default());
        table.set(row, battery, Leaf::Int(i64::try_from(index % 100).unwrap_or_default()));
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        table.set(row, temperature, Leaf::Float(index as f64 / 3.0));
        if index % 64 == 0 && last.elapsed().as_millis() >= 10 {
            (held, last) = (table.snapshot(), Instant::now());
        }
    }
    drop(held);
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let each = start.elapsed().as_secs_f64() * 1e9 / patches as f64;
    println!("patch of two leaves by row: {each:.0} ns with a snapshot every 10 ms, held for as long");
}
