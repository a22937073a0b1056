//! Tables against a model that keeps every cell: through changes, removals, returning ids, and snapshots that are held meanwhile.

use std::collections::BTreeMap;

use super::stored::Stored;
use super::strings::DIFFERENT_MAX;
use super::*;
use crate::Value;
use crate::evaluate::Datum;
use crate::evaluate::order;
use crate::syntax::ast::BinaryOp;

/// Values by id and path.
pub(super) type Model = BTreeMap<String, BTreeMap<Vec<String>, Value>>;

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }
}

fn value(chance: &mut Chance, depth: u32) -> Value {
    match chance.below(if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => Value::Bool(chance.below(2) == 0),
        2 | 3 => Value::Int([0, 1, -3, i64::MAX, i64::MIN, 1 << 53][usize::try_from(chance.below(6)).unwrap_or(0)]),
        4 => Value::Float(
            [0.0, -0.0, 1.0, 0.5, 1e300, 9_007_199_254_740_992.0][usize::try_from(chance.below(6)).unwrap_or(0)],
        ),
        5 | 6 => Value::String(format!("text {}", chance.below(9))),
        7 => Value::Array(vec![value(chance, 0), value(chance, 0)]),
        _ => Value::object((0..chance.below(3)).map(|at| (format!("m{at}"), value(chance, depth - 1))).collect()),
    }
}

/// A value that fits the others of its column, mostly: then chunks hold one kind only.
fn alike(chance: &mut Chance, column: u64) -> Value {
    let (any, small) = (value(chance, 1), i64::try_from(chance.below(5)).unwrap_or(0) - 2);
    match column {
        _ if chance.below(300) == 0 => any,
        0 | 1 => Value::String(format!("text {}", chance.below(9 + column))),
        2 | 3 => Value::Int(
            [small, small + i64::MAX / 2, i64::MIN][usize::try_from(chance.below(12)).unwrap_or(0).saturating_sub(9)],
        ),
        4 | 5 => Value::Float(crate::evaluate::number::to_double(small) / 2.0),
        _ => Value::Bool(chance.below(3) == 0),
    }
}

pub(super) fn flat(path: &mut Vec<String>, value: &Value, out: &mut BTreeMap<Vec<String>, Value>) {
    if let Value::Object(members) = value {
        out.insert(path.clone(), Value::Object(Vec::new()));
        for (name, value) in members {
            path.push(name.clone());
            flat(path, value, out);
            path.pop();
        }
    } else {
        out.insert(path.clone(), value.clone());
    }
}

pub(super) fn shown(cell: Cell<'_>) -> Option<Value> {
    Some(match cell {
        Leaf::Absent => return None,
        Leaf::Null => Value::Null,
        Leaf::Bool(value) => Value::Bool(value),
        Leaf::Int(value) => Value::Int(value),
        Leaf::Float(value) => Value::Float(value),
        Leaf::String(text) => Value::String(text.to_owned()),
        Leaf::Array(text) => Value::from(&serde_json::from_str::<serde_json::Value>(text).expect("JSON text")),
        Leaf::Object => Value::Object(Vec::new()),
    })
}

pub(super) fn check(snapshot: &Snapshot, model: &Model) {
    assert_eq!(snapshot.len(), model.len());
    let ids: Vec<&str> = snapshot.id_order().iter().map(|row| snapshot.id(Row(*row))).collect();
    assert_eq!(ids, model.keys().map(String::as_str).collect::<Vec<_>>());
    let paths: Vec<Vec<String>> = snapshot.columns().into_iter().map(|column| column.path).collect();
    for (id, values) in model {
        let row = snapshot.row(id).expect("its row");
        for path in &paths {
            let found = match snapshot.lookup(path) {
                Lookup::Column(column) => shown(snapshot.cell(column, row)),
                Lookup::Nowhere => None,
                Lookup::Uncovered => panic!("there are few paths"),
            };
            let text = |value: &Value| value.to_text();
            assert_eq!(found.as_ref().map(text), values.get(path).map(text), "{id} {path:?}");
        }
        for path in values.keys() {
            assert!(matches!(snapshot.lookup(path), Lookup::Column(_)), "{path:?}");
        }
    }
    let mut columns: Vec<(&[String], ColumnId)> = Vec::new();
    for path in &paths {
        if let Lookup::Column(column) = snapshot.lookup(path) {
            kernels(snapshot, model, path, column);
            visits(snapshot, column);
            columns.push((path, column));
        }
    }
    pairs(snapshot, model, &columns[..columns.len().min(7)]);
    assert!(snapshot.row("never").is_none());
}

/// What a condition must be for a value.
type Expected<'e> = &'e dyn Fn(Option<&Value>) -> Option<bool>;

/// `IN` and `BETWEEN` of one column.
fn in_lists(snapshot: &Snapshot, column: ColumnId, constants: &[Value], same: &dyn Fn(&Truth, Expected<'_>, &str)) {
    let is =
        |op, value: Option<&Value>, constant: &Value| order::condition(op, &Datum::from(value), &Datum::from(constant));
    let texts: Vec<Value> = (0..10).map(|at| Value::String(format!("text {}", 2 * at))).collect();
    for list in [&constants[..1], &constants[2..4], constants, &texts] {
        // As `=` joined by `OR`.
        let expected = |value: Option<&Value>| {
            let each: Vec<Option<bool>> = list.iter().map(|one| is(BinaryOp::Equal, value, one)).collect();
            if each.contains(&Some(true)) {
                return Some(true);
            }
            each.iter().all(Option::is_some).then_some(false)
        };
        same(&snapshot.is_in(column, list), &expected, "in");
    }
    for (low, high) in [(2, 3), (4, 2), (2, 6), (6, 6), (0, 0), (1, 1)] {
        let (low, high) = (&constants[low], &constants[high]);
        let expected = |value: Option<&Value>| match (
            is(BinaryOp::GreaterOrEqual, value, low),
            is(BinaryOp::LessOrEqual, value, high),
        ) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        same(&snapshot.between(column, low, high), &expected, "between");
    }
}

const OPS: [BinaryOp; 6] = [
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::Less,
    BinaryOp::LessOrEqual,
    BinaryOp::Greater,
    BinaryOp::GreaterOrEqual,
];

/// Comparisons of two columns, row by row.
fn pairs(snapshot: &Snapshot, model: &Model, columns: &[(&[String], ColumnId)]) {
    for (left, a) in columns {
        for (right, b) in columns {
            for op in OPS {
                let truth = snapshot.compare_columns(*a, op, *b);
                assert!(truth.yes.count() + truth.no.count() <= model.len(), "only rows that live");
                for (id, values) in model {
                    let row = snapshot.row(id).expect("its row");
                    let (one, other) = (values.get(*left), values.get(*right));
                    let wanted = order::condition(op, &Datum::from(one), &Datum::from(other));
                    let found = (truth.yes.contains(row), truth.no.contains(row));
                    assert_eq!(found, (wanted == Some(true), wanted == Some(false)), "{one:?} {op:?} {other:?}");
                }
            }
        }
    }
}

/// Every value of some rows is visited once, upwards, and no other.
fn visits(snapshot: &Snapshot, column: ColumnId) {
    let mut some = snapshot.live().clone();
    for row in snapshot.live().iter().filter(|row| row.0 % 3 == 0) {
        some.remove(row);
    }
    for rows in [snapshot.live(), &some, &Mask::none(snapshot.slots())] {
        let mut found = Vec::new();
        snapshot.for_each(column, rows, |row, cell| found.push((row, format!("{cell:?}"))));
        let expected: Vec<(Row, String)> = rows
            .iter()
            .map(|row| (row, snapshot.cell(column, row)))
            .filter(|(_, cell)| *cell != Leaf::Absent)
            .map(|(row, cell)| (row, format!("{cell:?}")))
            .collect();
        assert_eq!(found, expected);
    }
}

/// Conditions, codes and first rows of one column, row by row.
fn kernels(snapshot: &Snapshot, model: &Model, path: &[String], column: ColumnId) {
    let rows: Vec<(Row, Option<&Value>)> =
        model.iter().map(|(id, values)| (snapshot.row(id).expect("its row"), values.get(path))).collect();
    let same = |truth: &Truth, expected: Expected<'_>, what: &str| {
        for (row, value) in &rows {
            let found = (truth.yes.contains(*row), truth.no.contains(*row));
            let wanted = expected(*value);
            assert_eq!(found, (wanted == Some(true), wanted == Some(false)), "{what} {path:?} {value:?}");
        }
        assert!(truth.yes.count() + truth.no.count() <= rows.len(), "only rows that live");
    };
    let constants = [
        Value::Null,
        Value::Bool(true),
        Value::Int(1),
        Value::Int(1 << 53),
        Value::Float(0.5),
        Value::Float(1.0),
        Value::String("text 4".to_owned()),
    ];
    for constant in &constants {
        for op in OPS {
            let expected = |value: Option<&Value>| order::condition(op, &Datum::from(value), &Datum::from(constant));
            same(&snapshot.compare(column, op, constant), &expected, "compare");
        }
    }
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    in_lists(snapshot, column, &constants, &same);
    same(
        &snapshot.starts_with(column, "text 4"),
        &|value| text(value).map(|text| text.starts_with("text 4")),
        "starts",
    );
    same(
        &snapshot.strings(column, &|text| Some(text.len() > 6)),
        &|value| text(value).map(|text| text.len() > 6),
        "strings",
    );
    same(&snapshot.kinds(column, &|kind| kind == Kind::Absent), &|value| Some(value.is_none()), "kinds");
    same(
        &snapshot.truth(column),
        &|value| match value {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        },
        "truth",
    );
    if let Some(codes) = snapshot.codes(column)
        && !snapshot.holds_objects(column)
    {
        for (a, left) in &rows {
            for (b, right) in &rows {
                let expected = order::same(&Datum::from(*left), &Datum::from(*right));
                assert_eq!(codes.code(*a) == codes.code(*b), expected, "{left:?} {right:?}");
            }
        }
        assert_eq!(codes.counts(snapshot.live()).iter().sum::<u64>(), rows.len() as u64);
    }
    for descending in [false, true] {
        let mut ordered: Vec<&(Row, Option<&Value>)> = rows.iter().collect();
        ordered.sort_by(|(_, a), (_, b)| {
            let order = order::compare(&Datum::from(*a), &Datum::from(*b));
            if descending { order.reverse() } else { order }
        });
        let found = snapshot.top(column, snapshot.live(), 3, descending).unwrap_or_default();
        for (row, value) in ordered.iter().take(3) {
            let is_there = found.contains(row)
                || found
                    .iter()
                    .filter(|found| {
                        let other = rows.iter().find(|(row, _)| row == *found).and_then(|(_, value)| *value);
                        order::compare(&Datum::from(other), &Datum::from(*value)).is_eq()
                    })
                    .count()
                    >= 1;
            assert!(is_there, "{value:?} is among the first by {path:?}");
        }
        // All that are equal to the last of the first are there too: the order by id decides later.
        if let Some((_, last)) = ordered.get(2.min(ordered.len().saturating_sub(1))) {
            for (row, value) in &rows {
                let order = order::compare(&Datum::from(*value), &Datum::from(*last));
                let order = if descending { order.reverse() } else { order };
                assert!(order.is_gt() || found.contains(row), "{value:?} is no later than {last:?}");
            }
        }
    }
}

/// A table after random changes, its model, and snapshots taken meanwhile with what they must be. `is_alike`: columns hold
/// mostly values of one kind. `keeps_each`: texts are kept as where too many are different.
fn changed(seed: u64, is_alike: bool, keeps_each: bool) -> (Table, Model, Vec<(Snapshot, Model)>) {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (mut table, mut model) = (Table::new(Options { chunk_rows: 64, max_columns: 1_000 }), Model::new());
    let mut held: Vec<(Snapshot, Model)> = Vec::new();
    if is_alike {
        // Every row has every value at first: all bits of a word are set.
        for (id, column) in (0..150).flat_map(|id| (0..7).map(move |column| (id, column))) {
            let (id, name, value) = (format!("id{id}"), format!("p{column}"), alike(&mut chance, column));
            let (row, node) = (table.insert(&id), table.child(Table::ROOT, &name));
            table.put(row, node, &value);
            flat(&mut vec![name], &value, model.entry(id).or_default());
        }
        held.push((table.snapshot(), model.clone()));
    }
    for step in 0..600 {
        let id = format!("id{}", chance.below(150));
        if chance.below(12) == 0 {
            table.remove(&id);
            model.remove(&id);
        } else {
            let column = chance.below(7);
            let name = format!("p{column}");
            let row = table.insert(&id);
            let node = table.child(Table::ROOT, &name);
            let values = model.entry(id).or_default();
            values.retain(|path, _| path[0] != name);
            if chance.below(9) == 0 {
                table.set(row, node, Leaf::Absent);
                table.clear_below(row, node);
            } else {
                let value = if is_alike { alike(&mut chance, column) } else { value(&mut chance, 2) };
                table.put(row, node, &value);
                flat(&mut vec![name], &value, values);
            }
        }
        if keeps_each && step % 100 == 30 {
            table
                .columns
                .iter_mut()
                .filter(|column| column.shared.texts.is_dictionary)
                .for_each(Stored::keep_each_text);
        }
        if chance.below(60) == 0 || step == 599 {
            held.push((table.snapshot(), model.clone()));
            if held.len() > 3 {
                held.remove(1);
            }
        }
    }
    (table, model, held)
}

#[test]
fn tables_and_their_snapshots_are_what_was_put_in() {
    for seed in 1..=8_u64 {
        for kind in 0..4 {
            let (_, _, held) = changed(seed, kind & 1 == 1, kind & 2 == 2);
            for (snapshot, model) in &held {
                check(snapshot, model);
            }
        }
    }
}

#[test]
fn checkpoints_are_what_was_put_in() {
    for seed in 1..=4_u64 {
        for kind in 0..4 {
            let (mut table, model, _) = changed(seed, kind & 1 == 1, kind & 2 == 2);
            let mut bytes = Vec::new();
            table.snapshot().write_to(&mut bytes).expect("a vector takes all");
            let mut read = Table::read_from(&mut &*bytes).expect("what was written");
            check(&read.snapshot(), &model);
        }
    }
}

#[test]
fn texts_that_are_all_different_are_found_as_those_that_are_few() {
    let mut table = Table::new(Options::default());
    let node = table.child(Table::ROOT, "serial");
    let rows = DIFFERENT_MAX + 2_000;
    let before = {
        for index in 0..rows {
            let row = table.insert(&format!("d{index}"));
            table.set(row, node, Leaf::String(&format!("SN{index:06}")));
        }
        table.snapshot()
    };
    // Overwritten texts are given up now and then; a snapshot keeps its own.
    for round in 0..4 {
        for index in (0..rows).step_by(2) {
            let row = table.insert(&format!("d{index}"));
            table.set(row, node, Leaf::String(&format!("NEW{index:06}-{round}")));
        }
    }
    let after = table.snapshot();
    let Lookup::Column(column) = after.lookup(&["serial".to_owned()]) else { panic!("a column") };
    assert_eq!(before.starts_with(column, "SN00001").yes.count(), 10);
    assert_eq!(after.starts_with(column, "SN00001").yes.count(), 5);
    assert_eq!(after.starts_with(column, "NEW000010-").yes.count(), 1);
    assert_eq!(after.compare(column, BinaryOp::Equal, &Value::String("SN000011".to_owned())).yes.count(), 1);
    assert_eq!(after.compare(column, BinaryOp::Less, &Value::String("O".to_owned())).yes.count(), rows / 2);
    assert!(after.codes(column).is_none(), "too many to group by");
    assert!(table.memory_bytes() < 200 * rows, "{} bytes for {rows} rows", table.memory_bytes());
}

#[test]
fn paths_beyond_the_bound_have_no_column_and_the_table_says_so() {
    let mut table = Table::new(Options { chunk_rows: 64, max_columns: 3 });
    let row = table.insert("d");
    for at in 0..6 {
        let node = table.child(Table::ROOT, &format!("p{at}"));
        table.set(row, node, Leaf::Int(at));
    }
    let snapshot = table.snapshot();
    let of = |name: &str| snapshot.lookup(&[name.to_owned()]);
    assert!(matches!(of("p0"), Lookup::Column(_)));
    assert_eq!((of("p5"), of("never")), (Lookup::Uncovered, Lookup::Uncovered));
}
