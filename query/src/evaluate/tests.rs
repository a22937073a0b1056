//! Logic, comparison, arithmetic, arrays, places and words, over documents and groups.

use super::{Context, Datum, Document, GroupRow, evaluate, holds, key, number, order, words};
use crate::plan::{Constant, Expr, Path, Pattern, PlaceAt, Root, Words};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

fn json(text: &str) -> Value {
    Value::from(&serde_json::from_str::<serde_json::Value>(text).expect("JSON"))
}

/// `-` is undefined.
fn constant(text: &str) -> Expr {
    Expr::Constant(Constant((text != "-").then(|| json(text))))
}

fn path(root: Root, names: &[&str]) -> Expr {
    Expr::Path(Path { root, names: names.iter().map(|name| (*name).to_owned()).collect() })
}

fn over(row: &str, expr: &Expr) -> String {
    let row = json(row);
    let value = evaluate(expr, &Document::new(&row, None), &Context::default()).into_value();
    value.map_or("-".to_owned(), |value| value.to_text())
}

fn boxed(text: &str) -> Box<Expr> {
    Box::new(constant(text))
}

#[test]
fn comparison_is_as_the_table_says() {
    use BinaryOp::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let cases = [
        ("-", Equal, "-", "-"),
        ("-", NotEqual, "null", "-"),
        ("true", Greater, "false", "true"),
        ("1", Equal, "1.0", "true"),
        ("9007199254740993", Greater, "9007199254740992.0", "true"),
        ("9223372036854775807", Less, "9223372036854775808.0", "true"),
        ("-9223372036854775808", Equal, "-9223372036854775808.0", "true"),
        ("-9223372036854775808", Greater, "-1e300", "true"),
        ("2", Less, "2.5", "true"),
        ("-2", Greater, "-2.5", "true"),
        (r#""B""#, Less, r#""a""#, "true"),
        (r#""é""#, Greater, r#""z""#, "true"),
        (r#""a""#, LessOrEqual, r#""a""#, "true"),
        ("null", Equal, "null", "true"),
        ("null", NotEqual, "1", "true"),
        ("[1]", Equal, "null", "false"),
        ("[1]", NotEqual, "null", "true"),
        ("null", GreaterOrEqual, "null", "-"),
        ("null", Less, "1", "-"),
        ("[1]", Equal, "[1]", "-"),
        (r#"{"a":1}"#, NotEqual, "1", "-"),
        ("1", Equal, r#""1""#, "-"),
        ("true", NotEqual, "1", "-"),
    ];
    for (left, op, right, expected) in cases {
        assert_eq!(over("{}", &Expr::Compare(op, boxed(left), boxed(right))), expected, "{left} {op:?} {right}");
    }
}

#[test]
fn logic_has_three_values_and_what_is_no_boolean_is_undefined() {
    let values = ["true", "false", "-", "1", "null"];
    // Rows of the right side, columns of the left one.
    let and = ["true", "false", "-", "-", "-", "false", "false", "false", "false", "false"];
    let or = ["true", "true", "true", "true", "true", "true", "false", "-", "-", "-"];
    for (index, (a, b)) in [values[0], values[1]].iter().flat_map(|b| values.map(|a| (a, *b))).enumerate() {
        assert_eq!(over("{}", &Expr::And(vec![constant(a), constant(b)])), and[index], "{a} AND {b}");
        assert_eq!(over("{}", &Expr::Or(vec![constant(a), constant(b)])), or[index], "{a} OR {b}");
    }
    assert_eq!(over("{}", &Expr::And(vec![constant("-"), constant("-")])), "-");
    assert_eq!(over("{}", &Expr::And(vec![constant("-"), constant("true"), constant("false")])), "false");
    assert_eq!(over("{}", &Expr::Or(vec![constant("-"), constant("false"), constant("true")])), "true");
    for (operand, expected) in [("true", "false"), ("false", "true"), ("-", "-"), ("0", "-"), ("null", "-")] {
        assert_eq!(over("{}", &Expr::Not(boxed(operand))), expected, "NOT {operand}");
    }
    let row = Value::Null;
    assert!(!holds(&constant("-"), &Document::new(&row, None), &Context::default()));
    assert!(!holds(&constant("1"), &Document::new(&row, None), &Context::default()));
}

#[test]
fn arithmetic_is_exact_or_undefined() {
    use BinaryOp::{Add, Divide, Multiply, Remainder, Subtract};
    let (most, least) = ("9223372036854775807", "-9223372036854775808");
    let cases = [
        ("1", Add, "2", "3"),
        ("9007199254740993", Add, "1", "9007199254740994"),
        (most, Add, "1", "-"),
        (least, Subtract, "1", "-"),
        (most, Multiply, "2", "-"),
        ("1", Add, "0.5", "1.5"),
        ("6", Divide, "3", "2"),
        ("7", Divide, "2", "3.5"),
        ("-7", Remainder, "2", "-1"),
        ("7", Remainder, "-2", "1"),
        ("7.5", Remainder, "2", "1.5"),
        (least, Remainder, "-1", "0"),
        (least, Divide, "-1", "-"),
        ("1", Divide, "0", "-"),
        ("1", Remainder, "0", "-"),
        ("1.0", Divide, "0", "-"),
        ("1.5", Remainder, "0", "-"),
        ("1e308", Multiply, "10", "-"),
        (r#""a""#, Add, r#""b""#, "-"),
        ("null", Add, "1", "-"),
        ("true", Add, "1", "-"),
        ("-", Add, "1", "-"),
    ];
    for (left, op, right, expected) in cases {
        assert_eq!(over("{}", &Expr::Arithmetic(op, boxed(left), boxed(right))), expected, "{left} {op:?} {right}");
    }
    for (operand, expected) in [("1", "-1"), ("-1.5", "1.5"), (least, "-"), ("null", "-"), (r#""1""#, "-")] {
        assert_eq!(over("{}", &Expr::Negate(boxed(operand))), expected, "-({operand})");
    }
}

#[test]
fn paths_go_through_objects_only() {
    let row = r#"{"a":{"b":{"c":null}},"list":[{"c":1}]}"#;
    let at = |names: &[&str]| over(row, &path(Root::Row, names));
    assert_eq!(at(&["a", "b", "c"]), "null");
    assert_eq!(at(&["a", "B", "c"]), "-");
    assert_eq!(at(&["a", "b", "c", "d"]), "-");
    assert_eq!(at(&["list", "c"]), "-");
    assert_eq!(at(&["list"]), r#"[{"c":1}]"#);
}

#[test]
fn the_joined_row_has_paths_of_its_own() {
    let (row, joined) = (json(r#"{"a":1}"#), json(r#"{"a":2}"#));
    let whole = path(Root::Joined, &[]);
    let inner = path(Root::Joined, &["a"]);
    let context = Context::default();
    let both = Document::new(&row, Some(&joined));
    assert_eq!(evaluate(&inner, &both, &context).into_value().map(|value| value.to_text()), Some("2".to_owned()));
    assert!(evaluate(&whole, &both, &context).as_json().is_some());
    assert!(!evaluate(&whole, &Document::new(&row, None), &context).is_defined());
}

#[test]
fn lists_are_searched_by_comparison() {
    let among = |operand: &str, list: &str| {
        let constants = match json(list) {
            Value::Array(items) => items.into_iter().map(|item| Constant(Some(item))).collect(),
            _ => panic!("a list"),
        };
        let constant_list = over("{}", &Expr::In(boxed(operand), constants));
        assert_eq!(constant_list, over("{}", &Expr::InArray(boxed(operand), boxed(list))), "{operand} IN {list}");
        constant_list
    };
    assert_eq!(among("1", "[2,1.0]"), "true");
    assert_eq!(among("1", "[2,3]"), "false");
    assert_eq!(among("1", r#"[2,"1"]"#), "-");
    assert_eq!(among("1", r#"["1",1]"#), "true");
    assert_eq!(among("null", "[1,null]"), "true");
    assert_eq!(among("1", "[null]"), "false");
    assert_eq!(among("1", "[]"), "false");
    assert_eq!(among("-", "[]"), "false");
    assert_eq!(among("-", "[1]"), "-");
    assert_eq!(among("[1]", "[[1]]"), "-");
    assert_eq!(over("{}", &Expr::InArray(boxed("1"), boxed(r#"{"a":1}"#))), "-");
    assert_eq!(over("{}", &Expr::InArray(boxed("1"), boxed("-"))), "-");
}

#[test]
fn quantifiers_ask_each_element() {
    let ask = |all: bool, list: &str, op: BinaryOp| {
        let condition = Box::new(Expr::Compare(op, Box::new(path(Root::Variable(0), &["n"])), boxed("2")));
        over("{}", &Expr::Quantified { all, list: boxed(list), condition })
    };
    let list = r#"[{"n":1},{"n":3},{}]"#;
    assert_eq!(ask(false, list, BinaryOp::Greater), "true");
    assert_eq!(ask(false, list, BinaryOp::Equal), "false");
    assert_eq!(ask(true, list, BinaryOp::NotEqual), "false", "undefined for an element is not true");
    assert_eq!(ask(true, r#"[{"n":1}]"#, BinaryOp::NotEqual), "true");
    assert_eq!(ask(true, "[]", BinaryOp::Equal), "true");
    assert_eq!(ask(false, "[]", BinaryOp::Equal), "false");
    assert_eq!(ask(true, r#"{"n":1}"#, BinaryOp::Equal), "-");
    assert_eq!(ask(false, "-", BinaryOp::Equal), "-");
}

#[test]
fn inner_quantifiers_see_the_outer_variable() {
    // ANY x IN [[1, 2], [3]] SATISFIES ALL y IN x SATISFIES y < outer.limit
    let less = Expr::Compare(
        BinaryOp::Less,
        Box::new(path(Root::Variable(1), &["n"])),
        Box::new(path(Root::Variable(0), &["limit"])),
    );
    let inner =
        Expr::Quantified { all: true, list: Box::new(path(Root::Variable(0), &["of"])), condition: Box::new(less) };
    let ask =
        |list| over("{}", &Expr::Quantified { all: false, list: boxed(list), condition: Box::new(inner.clone()) });
    assert_eq!(ask(r#"[{"limit":1,"of":[{"n":1}]},{"limit":3,"of":[{"n":1},{"n":2}]}]"#), "true");
    assert_eq!(ask(r#"[{"limit":1,"of":[{"n":1}]},{"limit":2,"of":[{"n":1},{"n":2}]}]"#), "false");
}

#[test]
fn patterns_take_texts_only() {
    let like = |value| over("{}", &Expr::Like(boxed(value), Pattern::new("a%", None)));
    assert_eq!([like(r#""abc""#), like(r#""Abc""#), like("1"), like("-")], ["true", "false", "-", "-"]);
}

#[test]
fn places_are_near_by_the_great_circle() {
    // Berlin to Hamburg: 255.3 km.
    let near = |place: &str, metres: f64| {
        over("{}", &Expr::Near { place: PlaceAt::Value(boxed(place)), lat: 52.52, lon: 13.405, metres })
    };
    let hamburg = r#"{"lat":53.5511,"lon":9.9937}"#;
    assert_eq!(near(hamburg, 255_200.0), "false");
    assert_eq!(near(hamburg, 255_400.0), "true");
    assert_eq!(near(r#"{"latitude":53.5511,"longitude":9.9937}"#, 255_400.0), "true");
    assert_eq!(near(r#"{"type":"Point","coordinates":[9.9937,53.5511]}"#, 255_400.0), "true");
    assert_eq!(near(r#"{"type":"Point","coordinates":[53.5511,9.9937]}"#, 255_400.0), "false");
    assert_eq!(near(r#"{"lat":52.52,"lon":13.405}"#, 0.0), "true");
    for no_place in [
        "-",
        "null",
        "1",
        r#"{"lat":1}"#,
        r#"{"lat":"1","lon":2}"#,
        r#"{"lat":90.5,"lon":0}"#,
        r#"{"lat":0,"lon":180.5}"#,
        r#"{"type":"Line","coordinates":[1,2]}"#,
        r#"{"type":"Point","coordinates":[1]}"#,
        "[1,2]",
    ] {
        assert_eq!(near(no_place, 1e9), "-", "{no_place}");
    }
    // The far side of the earth is half its circumference away, across the date line as well.
    assert_eq!(
        over(
            "{}",
            &Expr::Near {
                place: PlaceAt::Value(boxed(r#"{"lat":0,"lon":-179}"#)),
                lat: 0.0,
                lon: 179.0,
                metres: 223_000.0
            }
        ),
        "true"
    );
}

#[test]
fn places_are_within_polygons_and_on_their_edges() {
    // An L: the square (2..4, 2..4) is not in it.
    let corners = vec![(0.0, 0.0), (0.0, 4.0), (2.0, 4.0), (2.0, 2.0), (4.0, 2.0), (4.0, 0.0)];
    let within = |lat: f64, lon: f64| {
        let place = PlaceAt::Value(boxed(&format!(r#"{{"lat":{lat},"lon":{lon}}}"#)));
        over("{}", &Expr::Within { place, corners: corners.clone() })
    };
    for (lat, lon) in
        [(1.0, 1.0), (1.0, 3.0), (3.0, 1.0), (2.0, 2.0), (0.0, 0.0), (2.0, 3.0), (4.0, 1.0), (0.0, 2.0), (2.0, 1.0)]
    {
        assert_eq!(within(lat, lon), "true", "{lat} {lon}");
    }
    for (lat, lon) in
        [(3.0, 3.0), (5.0, 1.0), (-1.0, 1.0), (1.0, 5.0), (1.0, -1.0), (2.0, 4.5), (2.0, -1.0), (4.0, 3.0), (0.0, 5.0)]
    {
        assert_eq!(within(lat, lon), "false", "{lat} {lon}");
    }
    assert_eq!(over("{}", &Expr::Within { place: PlaceAt::Value(boxed("1")), corners }), "-");
}

/// As doubles, decimal degrees on a slanting edge lie beside it by their last bit.
#[test]
fn a_place_that_is_written_on_a_slanting_edge_is_on_it() {
    let corners = vec![(42.33, 14.365), (42.32, 14.38), (42.3, 14.35)];
    let within = |lat: u32, lon: u32| {
        let document =
            format!(r#"{{"lat":{}.{:05},"lon":{}.{:05}}}"#, lat / 100_000, lat % 100_000, lon / 100_000, lon % 100_000);
        over("{}", &Expr::Within { place: PlaceAt::Value(boxed(&document)), corners: corners.clone() })
    };
    for step in 0..=500 {
        let (lat, lon) = (4_233_000 - 2 * step, 1_436_500 + 3 * step);
        assert_eq!(within(lat, lon), "true", "{step}");
        assert_eq!(within(lat, lon + 1), "false", "{step}");
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn texts_are_cut_into_words() {
    assert_eq!(words::tokens("Pump-7, Größe: ÄÖ_2!"), owned(&["pump", "7", "größe", "äö", "2"]));
    assert!(words::tokens(" -.,").is_empty());
}

#[test]
fn words_are_matched() {
    let matched = |words: &Words, text: &str| {
        let row = json(&format!(r#"{{"text":{text}}}"#));
        let matches = [(Path { root: Root::Row, names: owned(&["text"]) }, words.clone())];
        evaluate(&Expr::Match(0), &Document::new(&row, None), &Context::new(0, &matches)).truth()
    };
    let words = Words { words: owned(&["pump", "old"]), ..Words::default() };
    assert_eq!(matched(&words, r#""Old PUMP""#), Some(true));
    assert_eq!(matched(&words, r#""pumps old""#), Some(false));
    assert_eq!(matched(&words, "1"), None);
    assert_eq!(matched(&words, "null"), None);
    let beginning = Words { beginnings: owned(&["pu"]), ..Words::default() };
    assert_eq!(matched(&beginning, r#""old pump""#), Some(true));
    assert_eq!(matched(&beginning, r#""cpu""#), Some(false));
    let phrase = Words { phrases: vec![owned(&["old", "pump"])], ..Words::default() };
    assert_eq!(matched(&phrase, r#""an old, pump""#), Some(true));
    assert_eq!(matched(&phrase, r#""pump old""#), Some(false));
    let absent = Words { words: owned(&["pump"]), absent: vec![phrase, beginning.clone()], ..Words::default() };
    assert_eq!(matched(&absent, r#""pump""#), Some(false));
    let absent = Words { absent: vec![beginning], ..Words::default() };
    assert_eq!(matched(&absent, r#""motor""#), Some(true));
}

#[test]
fn groups_have_keys_and_aggregates() {
    let (keys, aggregates) = ([Some(Value::Int(1)), None], [Some(Value::Int(5))]);
    let group = GroupRow { keys: &keys, aggregates: &aggregates };
    let sum = Expr::Arithmetic(BinaryOp::Add, Box::new(Expr::Key(0)), Box::new(Expr::Aggregate(0)));
    let context = Context::default();
    assert!(matches!(evaluate(&sum, &group, &context), Datum::Int(6)));
    assert!(!evaluate(&Expr::Key(1), &group, &context).is_defined());
    assert!(!evaluate(&Expr::Key(2), &group, &context).is_defined());
    assert!(!evaluate(&path(Root::Row, &["a"]), &group, &context).is_defined());
}

#[test]
fn rows_may_have_a_rank() {
    let row = Value::Null;
    let ranked = Document { row: &row, joined: None, score: Some(1.5) };
    assert!(matches!(evaluate(&Expr::Score, &ranked, &Context::default()), Datum::Float(1.5)));
    assert!(!evaluate(&Expr::Score, &Document::new(&row, None), &Context::default()).is_defined());
}

#[test]
fn the_order_of_all_values() {
    let upwards = [
        "-",
        "null",
        "false",
        "true",
        "-1e300",
        "-9223372036854775808",
        "-1.5",
        "0",
        "1",
        "1.5",
        "9007199254740992.0",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808.0",
        "1e300",
        r#""""#,
        r#""\u0000""#,
        r#""\u0000a""#,
        r#""\u0001""#,
        r#""a""#,
        r#""a\u0000""#,
        r#""ab""#,
        r#""ü""#,
        "[1,2]",
        "[10]",
        r#"{"a":1}"#,
        r#"{"b":0}"#,
    ];
    let values: Vec<Option<Value>> = upwards.iter().map(|text| (*text != "-").then(|| json(text))).collect();
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            let (a, b) = (Datum::from(a.as_ref()), Datum::from(b.as_ref()));
            assert_eq!(order::compare(&a, &b), i.cmp(&j), "{} and {}", upwards[i], upwards[j]);
            let (mut up, mut down) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
            for (datum, (up, down)) in [&a, &b].into_iter().zip(up.iter_mut().zip(&mut down)) {
                key::encode(datum, up);
                key::encode_descending(datum, down);
            }
            assert_eq!(up[0].cmp(&up[1]), i.cmp(&j), "keys of {} and {}", upwards[i], upwards[j]);
            assert_eq!(down[0].cmp(&down[1]), j.cmp(&i), "turned keys of {} and {}", upwards[i], upwards[j]);
        }
    }
}

#[test]
fn what_is_the_same_stands_for_one_another() {
    for (a, b) in [
        ("1", "1.0"),
        ("0", "-0.0"),
        ("[1,{\"a\":2.0}]", "[1.0,{\"a\":2}]"),
        ("-9223372036854775808", "-9223372036854775808.0"),
    ] {
        let (a, b) = (json(a), json(b));
        assert!(order::same(&Datum::from(&a), &Datum::from(&b)), "{a:?} {b:?}");
        let mut keys = [Vec::new(), Vec::new()];
        key::encode_value(Some(&a), &mut keys[0]);
        key::encode_value(Some(&b), &mut keys[1]);
        assert_eq!(keys[0], keys[1], "{a:?} {b:?}");
    }
    for (a, b) in
        [("null", "-"), ("1", "\"1\""), ("9007199254740993", "9007199254740992.0"), ("[]", "{}"), ("1", "true")]
    {
        let (a, b) = ((a != "-").then(|| json(a)), (b != "-").then(|| json(b)));
        assert!(!order::same(&a.as_ref().into(), &b.as_ref().into()), "{a:?} {b:?}");
    }
    let stands = |text: &str| {
        let value = json(text);
        order::representative(Datum::from(&value)).map(|value| value.to_text()).unwrap_or_default()
    };
    let cases = [
        ("2.0", "2"),
        ("-0.0", "0"),
        ("2.5", "2.5"),
        ("9007199254740992.0", "9007199254740992"),
        ("9007199254740994.0", "9007199254740994.0"),
        ("[1.0,[2.0],{\"a\":3.0}]", "[1,[2],{\"a\":3}]"),
        ("\"2.0\"", "\"2.0\""),
    ];
    for (value, expected) in cases {
        assert_eq!(stands(value), expected, "{value}");
    }
}

#[test]
fn integers_are_taken_apart_into_double_and_rest() {
    for int in [0, 1, -1, 9_007_199_254_740_993, -9_007_199_254_740_993, i64::MAX, i64::MIN, i64::MAX - 1_000] {
        let (double, rest) = number::floor_double(int);
        let whole = number::whole(double).map(i128::from).unwrap_or_default();
        assert_eq!(whole + i128::from(rest), i128::from(int));
        assert!(rest < 1_024);
    }
}
