//! Each function with arguments as JSON text; `-` is undefined.

use crate::evaluate::{Context, Document, evaluate};
use crate::plan::{Constant, Expr, Function, Unit};
use crate::value::Value;

use Function::*;

fn constant(json: &str) -> Expr {
    let value = (json != "-").then(|| Value::from(&serde_json::from_str::<serde_json::Value>(json).expect("JSON")));
    Expr::Constant(Constant(value))
}

fn called(function: Function, arguments: &[&str]) -> String {
    let call = Expr::Call(function, arguments.iter().map(|argument| constant(argument)).collect());
    let context = Context::new(1_800_000_000_000, &[]);
    let value = evaluate(&call, &Document::new(&Value::Null, None), &context).into_value();
    value.map_or("-".to_owned(), |value| value.to_text())
}

#[track_caller]
fn check(function: Function, cases: &[(&[&str], &str)]) {
    for (arguments, expected) in cases {
        assert_eq!(called(function, arguments), *expected, "{function:?}{arguments:?}");
    }
}

#[test]
fn types_are_told_and_undefined_has_none() {
    let values = ["-", "null", "true", "1", "1.5", r#""a""#, "[1]", r#"{"a":1}"#];
    let told = |function| values.map(|value| called(function, &[value]) == "true");
    assert_eq!(told(IsDefined), [false, true, true, true, true, true, true, true]);
    assert_eq!(told(IsNull), [false, true, false, false, false, false, false, false]);
    assert_eq!(told(IsBool), [false, false, true, false, false, false, false, false]);
    assert_eq!(told(IsNumber), [false, false, false, true, true, false, false, false]);
    assert_eq!(told(IsString), [false, false, false, false, false, true, false, false]);
    assert_eq!(told(IsArray), [false, false, false, false, false, false, true, false]);
    assert_eq!(told(IsObject), [false, false, false, false, false, false, false, true]);
    assert_eq!(told(IsPrimitive), [false, true, true, true, true, true, false, false]);
    for function in [IsDefined, IsNull, IsBool, IsNumber, IsString, IsArray, IsObject, IsPrimitive] {
        assert_eq!(called(function, &["-"]), "false", "{function:?} is never undefined");
    }
}

#[test]
fn parts_of_texts_are_found() {
    check(
        StartsWith,
        &[(&[r#""abc""#, r#""ab""#], "true"), (&[r#""abc""#, r#""B""#], "false"), (&["1", r#""1""#], "-")],
    );
    check(
        EndsWith,
        &[(&[r#""abc""#, r#""bc""#], "true"), (&[r#""abc""#, r#""""#], "true"), (&[r#""a""#, "null"], "-")],
    );
    check(Contains, &[(&[r#""abc""#, r#""b""#], "true"), (&[r#""abc""#, r#""x""#], "false"), (&["-", r#""x""#], "-")]);
    check(
        IndexOf,
        &[
            (&[r#""aübü""#, r#""bü""#], "2"),
            (&[r#""abc""#, r#""x""#], "-1"),
            (&[r#""a""#, r#""""#], "0"),
            (&["1", "1"], "-"),
        ],
    );
}

#[test]
fn texts_are_made() {
    check(
        Concat,
        &[(&[r#""a""#, r#""b""#, r#""c""#], r#""abc""#), (&[r#""a""#, "1"], "-"), (&[r#""a""#, r#""b""#, "-"], "-")],
    );
    check(Length, &[(&[r#""aü😀""#], "3"), (&[r#""""#], "0"), (&["[1]"], "-")]);
    check(Lower, &[(&[r#""AbÜ""#], r#""abü""#), (&[r#""abc""#], r#""abc""#), (&["1"], "-")]);
    check(Upper, &[(&[r#""aßü""#], r#""ASSÜ""#), (&[r#""ABC""#], r#""ABC""#), (&["null"], "-")]);
    check(
        Substring,
        &[
            (&[r#""aübc""#, "1"], r#""übc""#),
            (&[r#""aübc""#, "1", "2"], r#""üb""#),
            (&[r#""aübc""#, "1.0", "2.0"], r#""üb""#),
            (&[r#""abc""#, "3"], r#""""#),
            (&[r#""abc""#, "9", "9"], r#""""#),
            (&[r#""abc""#, "1", "99"], r#""bc""#),
            (&[r#""abc""#, "-1"], "-"),
            (&[r#""abc""#, "0", "-1"], "-"),
            (&[r#""abc""#, "0.5"], "-"),
            (&[r#""abc""#, "0", "null"], "-"),
            (&["1", "0"], "-"),
        ],
    );
}

#[test]
fn integers_stay_integers() {
    check(Abs, &[(&["-3"], "3"), (&["-3.5"], "3.5"), (&["-9223372036854775808"], "-"), (&[r#""1""#], "-")]);
    check(Sign, &[(&["-3"], "-1"), (&["0"], "0"), (&["2.5"], "1.0"), (&["0.0"], "0.0"), (&["-0.5"], "-1.0")]);
    check(Ceiling, &[(&["3"], "3"), (&["2.1"], "3.0"), (&["-2.9"], "-2.0"), (&["true"], "-")]);
    check(Floor, &[(&["3"], "3"), (&["2.9"], "2.0"), (&["-2.1"], "-3.0")]);
    check(Round, &[(&["3"], "3"), (&["2.5"], "3.0"), (&["-2.5"], "-3.0"), (&["2.4"], "2.0")]);
    check(Square, &[(&["-3"], "9"), (&["1.5"], "2.25"), (&["4000000000"], "-"), (&["null"], "-")]);
}

#[test]
fn curves_are_doubles() {
    check(Sqrt, &[(&["9"], "3.0"), (&["-1"], "-"), (&[r#""9""#], "-")]);
    check(Exp, &[(&["0"], "1.0"), (&["1000"], "-")]);
    check(Power, &[(&["2", "10"], "1024.0"), (&["2", "-1"], "0.5"), (&["-8", "0.5"], "-"), (&["0", "-1"], "-")]);
}

#[test]
fn buckets_begin_below_their_numbers() {
    check(
        Bucket,
        &[
            (&["7", "5"], "5"),
            (&["-7", "5"], "-10"),
            (&["5", "5"], "5"),
            (&["9007199254740993", "2"], "9007199254740992"),
            (&["7.5", "5"], "5.0"),
            (&["0.7", "0.25"], "0.5"),
            (&["7", "0"], "-"),
            (&["7", "-5"], "-"),
            (&["-9223372036854775807", "10"], "-"),
            (&[r#""7""#, "5"], "-"),
        ],
    );
}

#[test]
fn texts_that_are_numbers_become_some() {
    check(
        AsNumber,
        &[
            (&["5"], "5"),
            (&["5.5"], "5.5"),
            (&[r#""5""#], "5"),
            (&[r#""-5.5e1""#], "-55.0"),
            (&[r#""9007199254740993""#], "9007199254740993"),
            (&[r#"" 5""#], "-"),
            (&[r#""5 ""#], "-"),
            (&[r#""05""#], "-"),
            (&[r#""+5""#], "-"),
            (&[r#""0x5""#], "-"),
            (&[r#""1e999""#], "-"),
            (&[r#""""#], "-"),
            (&[r#""NaN""#], "-"),
            (&["true"], "-"),
        ],
    );
}

#[test]
fn arrays_have_a_length() {
    check(ArrayLength, &[(&["[]"], "0"), (&["[1,[2]]"], "2"), (&[r#"{"a":1}"#], "-"), (&[r#""ab""#], "-")]);
}

#[test]
fn now_is_the_context() {
    check(Now, &[(&[], "1800000000000")]);
}

#[test]
fn times_are_read_and_written() {
    check(
        ToMillis,
        &[
            (&[r#""2026-11-26T22:05:21.123Z""#], "1795730721123"),
            (&[r#""2026-11-26T22:05:21Z""#], "1795730721000"),
            (&[r#""2026-11-26t23:05:21.1234567890123+01:00""#], "1795730721123"),
            (&[r#""1970-01-01T00:00:00Z""#], "0"),
            (&[r#""1969-12-31T23:59:59.9999Z""#], "-1"),
            (&[r#""0000-01-01T00:00:00Z""#], "-62167219200000"),
            (&[r#""2024-02-29T00:00:00-00:30""#], "1709166600000"),
            (&[r#""2023-02-29T00:00:00Z""#], "-"),
            (&[r#""2026-11-26 22:05:21Z""#], "-"),
            (&[r#""2026-11-26T22:05:21""#], "-"),
            (&[r#""2026-11-26T22:05Z""#], "-"),
            (&[r#""2026-11-26T22:05:21.Z""#], "-"),
            (&[r#""2026-11-26T22:05:21+0100""#], "-"),
            (&[r#""2026-11-26T22:05:21+24:00""#], "-"),
            (&[r#""2026-11-26T25:05:21Z""#], "-"),
            (&[r#""2026-11-26""#], "-"),
            (&[r#""2026-11-26T22:05:21Zü""#], "-"),
            (&[r#""ü026-11-26T22:05:21Z""#], "-"),
            (&["5"], "-"),
        ],
    );
    check(
        FromMillis,
        &[
            (&["1795730721123"], r#""2026-11-26T22:05:21.123Z""#),
            (&["0"], r#""1970-01-01T00:00:00.000Z""#),
            (&["-1"], r#""1969-12-31T23:59:59.999Z""#),
            (&["1e3"], r#""1970-01-01T00:00:01.000Z""#),
            (&["-62167219200000"], r#""0000-01-01T00:00:00.000Z""#),
            (&["253402300800000"], "-"),
            (&["9223372036854775807"], "-"),
            (&["0.5"], "-"),
            (&[r#""0""#], "-"),
        ],
    );
}

/// Functions of time answer in milliseconds; here both sides are written as text.
#[track_caller]
fn check_time(function: Function, arguments: &[&str], expected: &str) {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|text| if text.contains('T') { format!("{text:?}") } else { (*text).to_owned() })
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let expected = if expected == "-" { "-".to_owned() } else { called(ToMillis, &[&format!("{expected:?}")]) };
    assert_eq!(called(function, &arguments), expected, "{function:?}{arguments:?}");
}

#[test]
fn times_are_moved() {
    let at = "2024-01-31T10:20:30.500Z";
    check_time(DateAdd(Unit::Millisecond), &["500", at], "2024-01-31T10:20:31.000Z");
    check_time(DateAdd(Unit::Second), &["-31", at], "2024-01-31T10:19:59.500Z");
    check_time(DateAdd(Unit::Minute), &["40", at], "2024-01-31T11:00:30.500Z");
    check_time(DateAdd(Unit::Hour), &["24", at], "2024-02-01T10:20:30.500Z");
    check_time(DateAdd(Unit::Day), &["1", at], "2024-02-01T10:20:30.500Z");
    check_time(DateAdd(Unit::Week), &["-1", at], "2024-01-24T10:20:30.500Z");
    check_time(DateAdd(Unit::Month), &["1", at], "2024-02-29T10:20:30.500Z");
    check_time(DateAdd(Unit::Month), &["-2", at], "2023-11-30T10:20:30.500Z");
    check_time(DateAdd(Unit::Quarter), &["1", at], "2024-04-30T10:20:30.500Z");
    check_time(DateAdd(Unit::Year), &["-1", "2024-02-29T00:00:00Z"], "2023-02-28T00:00:00Z");
    check_time(DateAdd(Unit::Day), &["1", "0"], "1970-01-02T00:00:00Z");
    check_time(DateAdd(Unit::Day), &["1.5", at], "-");
    check_time(DateAdd(Unit::Year), &["9000", at], "-");
    check_time(DateAdd(Unit::Year), &["9223372036854775807", at], "-");
    check_time(DateAdd(Unit::Week), &["9223372036854775807", at], "-");
    check_time(DateAdd(Unit::Day), &["1", "true"], "-");
}

#[test]
fn times_are_cut() {
    let at = "2024-05-15T10:20:30.500Z";
    check_time(DateTrunc(Unit::Millisecond), &[at], at);
    check_time(DateTrunc(Unit::Second), &[at], "2024-05-15T10:20:30Z");
    check_time(DateTrunc(Unit::Minute), &[at], "2024-05-15T10:20:00Z");
    check_time(DateTrunc(Unit::Hour), &[at], "2024-05-15T10:00:00Z");
    check_time(DateTrunc(Unit::Day), &[at], "2024-05-15T00:00:00Z");
    check_time(DateTrunc(Unit::Week), &[at], "2024-05-13T00:00:00Z");
    check_time(DateTrunc(Unit::Week), &["2024-05-13T00:00:00Z"], "2024-05-13T00:00:00Z");
    check_time(DateTrunc(Unit::Week), &["1969-12-31T12:00:00Z"], "1969-12-29T00:00:00Z");
    check_time(DateTrunc(Unit::Month), &[at], "2024-05-01T00:00:00Z");
    check_time(DateTrunc(Unit::Quarter), &[at], "2024-04-01T00:00:00Z");
    check_time(DateTrunc(Unit::Year), &[at], "2024-01-01T00:00:00Z");
    check_time(DateTrunc(Unit::Day), &["1969-12-31T12:00:00Z"], "1969-12-31T00:00:00Z");
    check_time(DateTrunc(Unit::Week), &["0000-01-01T00:00:00Z"], "-");
}

#[test]
fn times_have_parts() {
    let at = r#""2024-12-30T10:20:30.500Z""#;
    let parts = [
        (Unit::Millisecond, "500"),
        (Unit::Second, "30"),
        (Unit::Minute, "20"),
        (Unit::Hour, "10"),
        (Unit::Day, "30"),
        (Unit::Week, "1"),
        (Unit::Month, "12"),
        (Unit::Quarter, "4"),
        (Unit::Year, "2024"),
        (Unit::Weekday, "1"),
    ];
    for (unit, expected) in parts {
        check(DatePart(unit), &[(&[at], expected), (&["-"], "-"), (&[r#""soon""#], "-")]);
    }
    check(DatePart(Unit::Weekday), &[(&["0"], "4"), (&["-1"], "3"), (&["259200000"], "7")]);
}

#[test]
fn times_are_apart_in_whole_units() {
    let cases = [
        (Unit::Millisecond, "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z", "1000"),
        (Unit::Second, "2024-01-01T00:00:00Z", "2024-01-01T00:00:01.999Z", "1"),
        (Unit::Day, "2024-01-01T12:00:00Z", "2024-01-03T11:00:00Z", "1"),
        (Unit::Week, "2024-01-01T00:00:00Z", "2024-01-15T00:00:00Z", "2"),
        (Unit::Month, "2024-01-31T00:00:00Z", "2024-02-29T00:00:00Z", "0"),
        (Unit::Month, "2024-01-15T10:00:00Z", "2024-03-15T09:59:59Z", "1"),
        (Unit::Month, "2024-01-15T10:00:00Z", "2024-03-15T10:00:00Z", "2"),
        (Unit::Quarter, "2024-01-15T00:00:00Z", "2024-12-15T00:00:00Z", "3"),
        (Unit::Year, "2020-02-29T00:00:00Z", "2024-02-28T00:00:00Z", "3"),
        (Unit::Hour, "2024-01-01T00:00:00Z", "2024-01-01T00:59:00Z", "0"),
        (Unit::Minute, "2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z", "60"),
    ];
    for (unit, from, to, expected) in cases {
        let (from, to) = (format!("{from:?}"), format!("{to:?}"));
        check(DateDiff(unit), &[(&[&from, &to], expected)]);
        let turned = if expected == "0" { "0".to_owned() } else { format!("-{expected}") };
        check(DateDiff(unit), &[(&[&to, &from], &turned)]);
    }
    check(DateDiff(Unit::Day), &[(&["0", "86400000"], "1"), (&["0", "null"], "-")]);
}

#[test]
fn a_wrong_number_of_arguments_is_undefined() {
    check(Length, &[(&[], "-"), (&[r#""a""#, r#""b""#], "-")]);
    check(Power, &[(&["1"], "-"), (&["1", "2", "3"], "-")]);
}
