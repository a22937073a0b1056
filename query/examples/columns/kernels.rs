//! The columns alone, without a plan: what each kind of condition, group and order costs over all rows.

use std::time::Instant;

use muster_query::Value;
use muster_query::column::{Cell, ColumnId, Leaf, Lookup, Snapshot, Table, Truth};
use muster_query::syntax::ast::BinaryOp::{GreaterOrEqual, Less, NotEqual};

fn column(snapshot: &Snapshot, path: &[&str]) -> ColumnId {
    let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
    match snapshot.lookup(&path) {
        Lookup::Column(column) => column,
        other => panic!("{path:?} is {other:?}"),
    }
}

fn time(name: &str, mut run: impl FnMut() -> usize) {
    let (mut found, mut times) = (0, Vec::new());
    for _ in 0..21 {
        let start = Instant::now();
        found = std::hint::black_box(run());
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let least = times.iter().copied().fold(f64::MAX, f64::min);
    println!("{name:<32} {:>9.3} ms, least {least:.3}  {found}", super::median(times));
}

/// The least, the greatest and the sum of a column by group.
fn by_group(snapshot: &Snapshot, rows: &Truth, key: ColumnId, numbers: ColumnId) -> usize {
    let codes = snapshot.codes(key).expect("few values");
    let mut groups = vec![(f64::MAX, f64::MIN, 0.0, 0_u64); codes.counts(&rows.yes).len()];
    snapshot.for_each(numbers, &rows.yes, |row, cell| {
        let Cell::Float(value) = cell else { return };
        let group = &mut groups[codes.code(row)];
        *group = (group.0.min(value), group.1.max(value), group.2 + value, group.3 + 1);
    });
    std::hint::black_box(&groups).iter().filter(|group| group.3 > 0).count()
}

pub(crate) fn report(snapshot: &Snapshot) {
    let reported = |name| column(snapshot, &["properties", "reported", name]);
    let tags = |name| column(snapshot, &["tags", name]);
    let (battery, temperature, connected) = (reported("battery"), reported("temperature"), reported("connected"));
    let desired = column(snapshot, &["properties", "desired", "fw"]);
    let text = |text: &str| Value::String(text.to_owned());
    println!("columns alone:");
    time("Q1 text = and int <", || {
        let one = snapshot.compare(tags("building"), muster_query::syntax::ast::BinaryOp::Equal, &text("b17"));
        one.and(&snapshot.compare(battery, Less, &Value::Int(20))).yes.count()
    });
    time("Q2 double >= and <", || {
        let one = snapshot.compare(temperature, GreaterOrEqual, &Value::Int(20));
        one.and(&snapshot.compare(temperature, Less, &Value::Int(25))).yes.count()
    });
    time("Q2 double between", || snapshot.between(temperature, &Value::Int(20), &Value::Float(24.9)).yes.count());
    time("Q3 boolean", || snapshot.truth(connected).yes.count());
    time("Q4 count by text", || snapshot.codes(tags("region")).expect("few").counts(snapshot.live()).len());
    let rows = snapshot.truth(connected);
    time("Q5 min, max, sum by text", || by_group(snapshot, &rows, tags("model"), temperature));
    time("   sum of a column", || {
        let mut sum = 0.0;
        snapshot.for_each(temperature, snapshot.live(), |_, cell| {
            if let Cell::Float(value) = cell {
                sum += value;
            }
        });
        usize::from(std::hint::black_box(sum) > 0.0)
    });
    time("Q6 beginning of a serial", || snapshot.starts_with(tags("serial"), "SN0042").yes.count());
    time("Q7 is there", || {
        snapshot.kinds(reported("alarm"), &|kind| kind != muster_query::column::Kind::Absent).yes.count()
    });
    time("Q8 text != text", || snapshot.compare_columns(desired, NotEqual, reported("fw")).yes.count());
    time("Q9 candidates of the first 20", || {
        snapshot.top(battery, snapshot.live(), 20, false).map_or(0, |rows| rows.len())
    });
    time("   the same, few equal", || {
        snapshot.top(reported("uptime"), snapshot.live(), 20, false).map_or(0, |rows| rows.len())
    });
    time("   IN of 50 texts", || {
        let wanted: Vec<Value> = (0..50).map(|at| text(&format!("b{at}"))).collect();
        snapshot.is_in(tags("building"), &wanted).yes.count()
    });
    time("   groups by int", || snapshot.codes(battery).expect("few").counts(snapshot.live()).len());
}

/// What it takes to find rows by their ids, and to change two leaves of known rows, in an order without order.
pub(crate) fn writer(table: &mut Table, rows: u64, leaves: [muster_query::column::Node; 2]) {
    let ids: Vec<String> = (0..200_000).map(|at| format!("device-{:07}", super::chance(at, 5) % rows)).collect();
    let start = Instant::now();
    let found: Vec<_> = ids.iter().filter_map(|id| table.row(id)).collect();
    println!("a row by its id: {:.0} ns", each(start, ids.len()));
    let start = Instant::now();
    for (row, value) in found.iter().zip(0_u32..) {
        table.set(*row, leaves[0], Leaf::Int(i64::from(value % 100)));
        table.set(*row, leaves[1], Leaf::Float(f64::from(value) / 7.0));
    }
    println!("two leaves of a known row: {:.0} ns", each(start, found.len()));
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn each(start: Instant, count: usize) -> f64 {
    start.elapsed().as_secs_f64() * 1e9 / count as f64
}

/// The memory of the process in bytes, where the system tells.
pub(crate) fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    1024 * line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// What writing a table and reading it back takes.
pub(crate) fn checkpoint(table: &Table) {
    let mut bytes = Vec::new();
    let start = Instant::now();
    table.snapshot().write_to(&mut bytes).expect("a vector takes all");
    println!("checkpoint: {} MiB written in {:.2} s", bytes.len() >> 20, start.elapsed().as_secs_f64());
    let start = Instant::now();
    let read = Table::read_from(&mut &*bytes).expect("what was written");
    println!("checkpoint: {} rows read in {:.2} s", read.len(), start.elapsed().as_secs_f64());
}
