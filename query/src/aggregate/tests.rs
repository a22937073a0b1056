//! Each aggregate over lists written as JSON; `-` is undefined.

use super::Accumulator;
use crate::evaluate::Datum;
use crate::plan::{Aggregate, Constant, Expr};
use crate::value::Value;

fn x() -> Expr {
    Expr::Constant(Constant(None))
}

fn values(json: &str) -> Vec<Value> {
    match Value::from(&serde_json::from_str::<serde_json::Value>(json).expect("JSON")) {
        Value::Array(items) => items,
        _ => panic!("a list"),
    }
}

fn shown(value: Option<Value>) -> String {
    value.map_or("-".to_owned(), |value| value.to_text())
}

/// The result of the values in order and turned around: the same.
#[track_caller]
fn over(aggregate: &Aggregate, json: &str) -> String {
    let values = values(json);
    let data: Vec<Datum<'_>> = values.iter().map(Datum::from).collect();
    let add = |data: &mut dyn Iterator<Item = &Datum<'_>>| {
        let mut accumulator = Accumulator::new(aggregate);
        data.for_each(|value| accumulator.add(value));
        accumulator
    };
    let straight = shown(add(&mut data.iter()).finish());
    assert_eq!(shown(add(&mut data.iter().rev()).finish()), straight, "turned around");
    straight
}

const MIXED: &str = r#"[3, 1.5, null, "b", "a", true, false, [1], {"a":1}, 3.0]"#;

#[test]
fn rows_and_values_are_counted() {
    assert_eq!(over(&Aggregate::Rows, MIXED), "10");
    assert_eq!(over(&Aggregate::Count(x()), MIXED), "9");
    assert_eq!(over(&Aggregate::CountDistinct(x()), MIXED), "8", "3 and 3.0 are the same");
    assert_eq!(over(&Aggregate::CountDistinct(x()), r#"[[1],[1.0],{"a":1},{"a":1.0},"[1]"]"#), "3");
    for aggregate in [Aggregate::Rows, Aggregate::Count(x()), Aggregate::CountDistinct(x())] {
        assert_eq!(over(&aggregate, "[]"), "0");
        let mut none = Accumulator::new(&aggregate);
        none.add(&Datum::Undefined);
        assert_eq!(shown(none.finish()), if aggregate == Aggregate::Rows { "1" } else { "0" });
    }
}

#[test]
fn sums_are_exact() {
    let sum = |json| over(&Aggregate::Sum(x()), json);
    assert_eq!(sum("[]"), "0");
    assert_eq!(sum("[\"1\", null, true]"), "0");
    assert_eq!(sum(MIXED), "7.5");
    assert_eq!(sum("[1, 2, 3]"), "6");
    assert_eq!(sum("[1, 2.0]"), "3.0");
    assert_eq!(sum("[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]"), "2.1");
    assert_eq!(sum("[1e300, 1, -1e300]"), "1.0");
    assert_eq!(sum("[1e308, 1e308, -1e308]"), "1e+308");
    assert_eq!(sum("[1e308, 1e308]"), "-");
    assert_eq!(sum("[5e-324, 5e-324]"), "1e-323");
    assert_eq!(sum("[-5e-324, 1e-323]"), "5e-324");
    assert_eq!(sum("[9223372036854775807, 1, -1]"), "9223372036854775807");
    assert_eq!(sum("[9223372036854775807, 1]"), Value::Float(9_223_372_036_854_775_808.0).to_text());
    assert_eq!(sum("[9007199254740993, 0.0]"), "9007199254740992.0", "a tie goes to the even one");
    assert_eq!(sum("[9007199254740993, 1e-300]"), "9007199254740994.0", "and is none with something below");
    assert_eq!(sum("[-9007199254740993, -1e-300]"), "-9007199254740994.0");
    assert_eq!(sum("[0.5, -0.5]"), "0.0");
}

#[test]
fn averages_are_the_rounded_sum_by_the_count() {
    let average = |json| over(&Aggregate::Average(x()), json);
    assert_eq!(average("[]"), "-");
    assert_eq!(average("[null, \"1\"]"), "-");
    assert_eq!(average("[1, 3]"), "2.0");
    assert_eq!(average("[1, 2, \"x\", null]"), "1.5");
    assert_eq!(average("[0.1, 0.2, 0.3]"), "0.19999999999999998", "0.6 is the double nearest to the sum");
    assert_eq!(
        average("[9223372036854775807, 9223372036854775807]"),
        Value::Float(9_223_372_036_854_775_808.0).to_text()
    );
}

#[test]
fn the_least_and_the_greatest_are_found() {
    let least = |json| over(&Aggregate::Min(x()), json);
    let greatest = |json| over(&Aggregate::Max(x()), json);
    assert_eq!((least("[]"), greatest("[null, [1]]")), ("-".to_owned(), "-".to_owned()));
    assert_eq!((least(MIXED), greatest(MIXED)), ("false".to_owned(), r#""b""#.to_owned()));
    assert_eq!((least("[3, 2.0, 7]"), greatest("[3, 7.0, 2.5]")), ("2".to_owned(), "7".to_owned()));
    assert_eq!(greatest("[9007199254740993, 9007199254740992.0]"), "9007199254740993");
    assert_eq!(least("[1152921504606846976, 1152921504606846978]"), "1152921504606846976");
}

#[test]
fn percentiles_are_values_at_ranks() {
    let at = |percent, json| over(&Aggregate::Percentile(x(), percent), json);
    let ten = "[10, 9, 8, 7, 6, 5, 4, 3, 2, 1, \"x\", null]";
    for (percent, expected) in
        [(0.0, "1"), (10.0, "1"), (10.1, "2"), (50.0, "5"), (90.0, "9"), (99.9, "10"), (100.0, "10")]
    {
        assert_eq!(at(percent, ten), expected, "{percent}");
    }
    assert_eq!(at(50.0, "[]"), "-");
    assert_eq!(at(50.0, "[1.5, 2.0, 3]"), "2");
    assert_eq!(at(50.0, "[9007199254740993, 9007199254740992.0, 9007199254740994.0]"), "9007199254740993");
    assert_eq!(at(100.0, "[-9007199254740993, -9007199254740994]"), "-9007199254740993");
}

#[test]
fn ranks_are_those_of_decimal_numbers() {
    let rank = super::percentile::rank;
    let cases =
        [(7.0, 100, 7), (99.9, 1_000, 999), (99.9, 1_001, 1_000), (0.1, 1_000, 1), (1e-9, 5, 1), (33.3, 1_000, 333)];
    for (percent, count, expected) in cases {
        assert_eq!(rank(percent, count), Some(expected), "{percent} of {count}");
    }
    assert_eq!(rank(100.0, u64::MAX), Some(u64::MAX));
    assert_eq!(rank(99.999_999_999_999_99, 10), Some(10));
    assert_eq!(rank(f64::MIN_POSITIVE, 3), Some(1));
    assert_eq!(rank(50.0, 0), None);
}

#[test]
fn histograms_count_by_bucket() {
    let of = |width: Value, json| over(&Aggregate::Histogram(x(), Constant(Some(width))), json);
    assert_eq!(
        of(Value::Int(5), "[1, 4, 5, -1, 7.5, 100, \"1\", null]"),
        r#"[{"count":1,"from":-5},{"count":2,"from":0},{"count":2,"from":5},{"count":1,"from":100}]"#
    );
    assert_eq!(of(Value::Float(0.5), "[0.7, 1]"), r#"[{"count":1,"from":0.5},{"count":1,"from":1}]"#);
    assert_eq!(of(Value::Int(5), "[]"), "[]");
}

#[test]
fn many_at_once_are_as_one_after_the_other() {
    let (doubles, ints) = ([1.5, -2.0, 3.25, 3.25, -0.0], [3, -7, 3, i64::MAX, 0]);
    let width = Constant(Some(Value::Int(2)));
    for aggregate in [
        Aggregate::Rows,
        Aggregate::Count(x()),
        Aggregate::CountDistinct(x()),
        Aggregate::Sum(x()),
        Aggregate::Average(x()),
        Aggregate::Min(x()),
        Aggregate::Max(x()),
        Aggregate::Percentile(x(), 40.0),
        Aggregate::Histogram(x(), width),
    ] {
        let (mut single, mut batch) = (Accumulator::new(&aggregate), Accumulator::new(&aggregate));
        doubles.iter().for_each(|value| single.add(&Datum::Float(*value)));
        ints.iter().for_each(|value| single.add(&Datum::Int(*value)));
        batch.add_doubles(&doubles);
        batch.add_ints(&ints);
        assert_eq!(shown(batch.finish()), shown(single.finish()), "{aggregate:?}");
    }
    let mut counted = Accumulator::new(&Aggregate::Count(x()));
    counted.add_rows(5);
    assert_eq!(shown(counted.finish()), "5");
}

#[test]
fn what_grows_is_counted() {
    for aggregate in [Aggregate::CountDistinct(x()), Aggregate::Percentile(x(), 50.0)] {
        let mut accumulator = Accumulator::new(&aggregate);
        (0..10_000).for_each(|value| accumulator.add(&Datum::Int(value)));
        assert!(accumulator.memory_bytes() >= 80_000, "{aggregate:?}: {}", accumulator.memory_bytes());
    }
    let text = "x".repeat(1_000);
    let mut greatest = Accumulator::new(&Aggregate::Max(x()));
    greatest.add(&Datum::text(&text));
    assert!(greatest.memory_bytes() >= 1_000);
    let mut sum = Accumulator::new(&Aggregate::Sum(x()));
    (0..10_000).for_each(|value| sum.add(&Datum::Int(value)));
    assert_eq!(sum.memory_bytes(), 0, "sums of integers take no memory");
}
