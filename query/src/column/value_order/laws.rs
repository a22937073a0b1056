//! Whatever changes, and of whatever age the snapshot: no wanted row is missing, none is proven that is not wanted, and the first rows
//! are among those that a walk finds.

use proptest::prelude::*;

use super::*;
use crate::Value;
use crate::column::tests::shown;
use crate::column::{Lookup, Options, Table};
use crate::evaluate::laws::any_value;
use crate::evaluate::{Datum, order};
use crate::syntax::ast::BinaryOp;

const OPS: [BinaryOp; 5] =
    [BinaryOp::Equal, BinaryOp::Less, BinaryOp::LessOrEqual, BinaryOp::Greater, BinaryOp::GreaterOrEqual];

#[derive(Debug, Clone)]
enum Step {
    Put(u32, Option<Value>),
    Remove(u32),
    /// Takes a snapshot, and asks it and one that was taken before.
    Ask(usize),
    /// From now on each text is kept for itself.
    KeepEach,
    /// All orders are given up.
    Forget,
}

/// Few values, so that some are the same, and those where rules meet.
fn value() -> impl Strategy<Value = Value> {
    let of = |values: Vec<Value>| prop::sample::select(values);
    let numbers = [0, 1, -1, 7, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN].map(Value::Int);
    let doubles = [0.0, -0.0, 1.0, 1.5, 9_007_199_254_740_992.0, 1e300, -1e300].map(Value::Float);
    let texts = ["", "a", "a\0", "ab", "abcdefghi", "abcdefghij", "b", "ä"].map(|text| Value::String(text.to_owned()));
    prop_oneof![
        4 => of(numbers.into_iter().chain(doubles).collect()),
        4 => of(texts.into()),
        1 => any_value().prop_filter_map("a value", |value| value),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (0_u32..40, prop::option::weighted(0.9, value())).prop_map(|(id, value)| Step::Put(id, value)),
        3 => (0_u32..40).prop_map(Step::Remove),
        5 => any::<usize>().prop_map(Step::Ask),
        1 => Just(Step::KeepEach),
        1 => Just(Step::Forget),
    ];
    prop::collection::vec(step, 1..200)
}

fn condition(op: BinaryOp, value: &Value, constant: &Value) -> bool {
    order::condition(op, &Datum::from(value), &Datum::from(constant)) == Some(true)
}

/// All rows that have a value.
fn values(snapshot: &Snapshot, column: ColumnId) -> Vec<(Row, Value)> {
    let of = |row| Some((row, shown(snapshot.cell(column, row))?));
    snapshot.live().iter().filter_map(of).collect()
}

fn rows_are_found(snapshot: &Snapshot, column: ColumnId, constants: &[Value]) {
    let Some(ordered) = snapshot.ordered(column) else { return };
    let check = |wanted: &[Wanted<'_>], is_wanted: &dyn Fn(&Value) -> bool| {
        let (proven, others) = ordered.rows(wanted);
        assert!(ordered.count(wanted) >= proven.len() + others.len());
        let mut all = [&proven[..], &others[..]].concat();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "no row twice");
        for (row, value) in values(snapshot, column) {
            assert!(!is_wanted(&value) || all.contains(&row), "{value:?} is missing in {wanted:?}");
            assert!(is_wanted(&value) || !proven.contains(&row), "{value:?} is not wanted: {wanted:?}");
        }
        assert!(proven.iter().all(|row| snapshot.live().contains(*row)), "{wanted:?}");
    };
    let of = |op, constant| Wanted::compared(op, constant);
    for constant in constants {
        for op in OPS {
            if let Some(wanted) = of(op, constant) {
                check(&[wanted], &|value| condition(op, value, constant));
            }
        }
        if let Value::String(text) = constant {
            let begins = |value: &Value| matches!(value, Value::String(other) if other.starts_with(text.as_str()));
            check(&[Wanted::beginning(text)], &begins);
        }
        for other in constants {
            for (low, high) in [(BinaryOp::GreaterOrEqual, BinaryOp::Less), (BinaryOp::Greater, BinaryOp::LessOrEqual)]
            {
                let both = of(low, constant).zip(of(high, other)).and_then(|(low, high)| low.and(high));
                let is_wanted = |value: &Value| condition(low, value, constant) && condition(high, value, other);
                both.into_iter().for_each(|both| check(&[both], &is_wanted));
            }
            if let (Some(one), Some(two)) = (of(BinaryOp::Equal, constant), of(BinaryOp::Equal, other)) {
                let equal = |value: &Value, constant: &Value| condition(BinaryOp::Equal, value, constant);
                check(&[one, two], &|value| equal(value, constant) || equal(value, other));
            }
        }
    }
    check(&[Wanted::Classes(Class::Null, Class::Other)], &|_| true);
    check(&[Wanted::Classes(Class::False, Class::True)], &|value| matches!(value, Value::Bool(_)));
}

fn first_rows_are_found(snapshot: &Snapshot, column: ColumnId) {
    let Some(ordered) = snapshot.ordered(column) else { return };
    let all = values(snapshot, column);
    for (k, descending, by_id, one_in) in
        [(1, false, true, 1), (3, true, true, 1), (3, false, false, 2), (5, true, false, 3), (7, false, true, 2)]
    {
        let keep = |row: Row| snapshot.live().contains(row) && row.0 % one_in == 0;
        let Some(found) = ordered.first(k, descending, by_id, usize::MAX, keep) else { continue };
        let mut expected: Vec<&(Row, Value)> = all.iter().filter(|(row, _)| keep(*row)).collect();
        let by_value = |a: &(Row, Value), b: &(Row, Value)| {
            let order = order::compare(&Datum::from(&a.1), &Datum::from(&b.1));
            if descending { order.reverse() } else { order }
        };
        expected.sort_by(|a, b| by_value(a, b).then_with(|| snapshot.id(a.0).cmp(snapshot.id(b.0))));
        let Some(last) = expected.get(k.min(expected.len()).wrapping_sub(1)) else { continue };
        let is_first = |at: usize, one: &(Row, Value)| at < k || (!by_id && by_value(one, last).is_le());
        for (at, one) in expected.iter().enumerate().filter(|(at, one)| is_first(*at, one)) {
            assert!(found.contains(&one.0), "{at} of the first {k}: {one:?} in {found:?}");
        }
        assert!(found.iter().all(|row| keep(*row)));
    }
}

fn ask(snapshot: &Snapshot, constants: &[Value]) {
    let Lookup::Column(column) = snapshot.lookup(&["p".to_owned()]) else { return };
    snapshot.wish_order(column);
    rows_are_found(snapshot, column, constants);
    first_rows_are_found(snapshot, column);
}

fn run(steps: Vec<Step>, constants: &[Value], changes: usize) {
    let orders = OrderOptions { rows: 0, questions: 1, most: 2, changes, one_in: 1 };
    let mut table = Table::new(Options { chunk_rows: 64, max_columns: 10, orders });
    let node = table.child(Table::ROOT, "p");
    let mut held: Vec<Snapshot> = Vec::new();
    for step in steps {
        match step {
            Step::Put(id, value) => {
                let row = table.insert(&format!("id{id}"));
                match value {
                    Some(value) => table.put(row, node, &value),
                    None => {
                        table.clear_below(row, node);
                        table.set(row, node, crate::column::Leaf::Absent);
                    }
                }
            }
            Step::Remove(id) => table.remove(&format!("id{id}")),
            Step::Ask(which) => {
                held.push(table.snapshot());
                ask(&held[held.len() - 1], constants);
                ask(&held[which % held.len()], constants);
            }
            Step::KeepEach => {
                if let Some(stored) = table.columns.first_mut().filter(|column| column.shared.texts.is_dictionary) {
                    stored.keep_each_text();
                }
            }
            Step::Forget => {
                table.columns.iter().for_each(|column| column.shared.order.kept.forget());
            }
        }
    }
    held.iter().for_each(|snapshot| ask(snapshot, constants));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn orders_of_columns_miss_nothing(steps in steps(), constants in prop::collection::vec(value(), 3), changes in 0_usize..20) {
        run(steps, &constants, changes);
    }
}

/// A column that changes more than is noted gets a new order, later and later.
#[test]
fn too_many_changes_give_an_order_up() {
    let orders = OrderOptions { rows: 0, questions: 1, most: 2, changes: 100, one_in: 1 };
    let mut table = Table::new(Options { chunk_rows: 64, max_columns: 10, orders });
    let node = table.child(Table::ROOT, "p");
    let row = table.insert("one");
    table.put(row, node, &Value::Int(-1));
    let before = table.snapshot();
    let Lookup::Column(column) = before.lookup(&["p".to_owned()]) else { panic!("a column") };
    assert!(before.wish_order(column) && before.ordered(column).is_some() && table.memory().orders > 0);
    for value in 0..=i64::try_from(crate::column::kept::CHANGES_MAX).expect("small") {
        table.put(row, node, &Value::Int(value));
    }
    let after = table.snapshot();
    assert!(after.ordered(column).is_none());
    assert!(!after.wish_order(column), "once is not enough any more");
    assert!(after.wish_order(column));
    ask(&after, &[Value::Int(50_000), Value::Int(3)]);
    ask(&before, &[Value::Int(-1), Value::Int(3)]);
}

/// The order that was not used for the longest time makes place.
#[test]
fn orders_are_few() {
    let orders = OrderOptions { rows: 0, questions: 1, most: 2, changes: 100, one_in: 1 };
    let mut table = Table::new(Options { chunk_rows: 64, max_columns: 10, orders });
    let row = table.insert("one");
    for name in ["a", "b", "c"] {
        let node = table.child(Table::ROOT, name);
        table.put(row, node, &Value::Int(1));
    }
    let snapshot = table.snapshot();
    let [a, b, c] = ["a", "b", "c"].map(|name| match snapshot.lookup(&[name.to_owned()]) {
        Lookup::Column(column) => column,
        other => panic!("{name} is {other:?}"),
    });
    assert!(snapshot.wish_order(a) && snapshot.wish_order(b) && snapshot.ordered(a).is_some());
    assert!(snapshot.wish_order(c));
    let are_there = [a, b, c].map(|column| snapshot.ordered(column).is_some());
    assert_eq!(are_there, [true, false, true]);
}
