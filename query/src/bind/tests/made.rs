//! What binding makes of expressions: constants computed, logic flat, lists and ranges as comparisons, words cut.

use super::*;

#[test]
fn constants_are_computed() {
    assert_eq!(folded("1 + 2 * 3"), Some("7".to_owned()));
    assert_eq!(folded("7 / 2"), Some("3.5".to_owned()));
    assert_eq!(folded("LOWER('ABC') = 'abc' AND NOT false"), Some("true".to_owned()));
    assert_eq!(folded("1 = '1'"), None);
    assert_eq!(folded("SQRT(-1)"), None);
    assert_eq!(folded("3 IN [1, 2, 1 + 2]"), Some("true".to_owned()));
    assert_eq!(folded("2 BETWEEN 1 AND 3"), Some("true".to_owned()));
    assert_eq!(folded("'abc' LIKE 'a%'"), Some("true".to_owned()));
    assert_eq!(folded("ANY x IN [1, 2] SATISFIES ALL y IN [3, 4] SATISFIES x < y"), Some("true".to_owned()));
    assert_eq!(folded("TO_MILLIS('1970-01-01T00:00:01Z')"), Some("1000".to_owned()));
    assert_eq!(folded("tags.a = 1 AND false"), Some("false".to_owned()));
    assert_eq!(folded("tags.a = 1 OR true"), Some("true".to_owned()));
    assert_eq!(folded("SCORE()"), Some("0.0".to_owned()));
    assert_eq!(
        filter("NOW() > 1"),
        Expr::Compare(BinaryOp::Greater, Box::new(Expr::Call(Function::Now, vec![])), Box::new(int(1)))
    );
    check_refused(
        Code::Invalid,
        &[
            ("SELECT * FROM devices WHERE tags.a = 1 / 0", "1 / 0", "undefined"),
            (
                "SELECT * FROM devices WHERE tags.a > 9223372036854775807 + 1 - 5",
                "9223372036854775807 + 1",
                "range of numbers",
            ),
            ("SELECT * FROM devices WHERE tags.a = 'a' + 'b'", "'a' + 'b'", "no number"),
            ("SELECT * FROM devices WHERE tags.a = 5 % 0", "5 % 0", "divides by zero"),
        ],
    );
}

#[test]
fn logic_becomes_flat() {
    let a = |name| Expr::Call(Function::IsDefined, vec![at(Root::Row, &["tags", name])]);
    let both = filter("IS_DEFINED(tags.a) AND (IS_DEFINED(tags.b) AND IS_DEFINED(tags.c)) AND true");
    assert_eq!(both, Expr::And(vec![a("a"), a("b"), a("c")]));
    let either = filter("IS_DEFINED(tags.a) OR IS_DEFINED(tags.b) OR (IS_DEFINED(tags.c) OR false)");
    assert_eq!(either, Expr::Or(vec![a("a"), a("b"), a("c")]));
    // What may be no boolean does not become the result.
    let truth = Expr::Constant(Constant(Some(Value::Bool(true))));
    assert_eq!(filter("tags.a AND true"), Expr::And(vec![truth, at(Root::Row, &["tags", "a"])]));
    let undefined = Expr::Constant(Constant(None));
    assert_eq!(
        filter("tags.a AND null AND 1 AND undefined"),
        Expr::And(vec![at(Root::Row, &["tags", "a"]), undefined])
    );
}

#[test]
fn lists_and_ranges_become_comparisons() {
    let a = || Box::new(at(Root::Row, &["tags", "a"]));
    let between = filter("tags.a BETWEEN 1 AND 2");
    let at_least = Expr::Compare(BinaryOp::GreaterOrEqual, a(), Box::new(int(1)));
    let at_most = Expr::Compare(BinaryOp::LessOrEqual, a(), Box::new(int(2)));
    assert_eq!(between, Expr::And(vec![at_least, at_most]));
    let list = |values: &[i64]| values.iter().map(|value| Constant(Some(Value::Int(*value)))).collect::<Vec<_>>();
    assert_eq!(filter("tags.a IN [1, 2]"), Expr::In(a(), list(&[1, 2])));
    assert_eq!(filter("tags.a NOT IN [1, 2]"), Expr::Not(Box::new(Expr::In(a(), list(&[1, 2])))));
    let b = Box::new(at(Root::Row, &["tags", "b"]));
    let equal = Expr::Compare(BinaryOp::Equal, a(), b.clone());
    assert_eq!(filter("tags.a IN [1, tags.b, 2]"), Expr::Or(vec![Expr::In(a(), list(&[1, 2])), equal]));
    assert_eq!(filter("tags.a IN tags.b"), Expr::InArray(a(), b.clone()));
    assert_eq!(filter("ARRAY_CONTAINS(tags.b, tags.a)"), Expr::InArray(a(), b));
}

#[test]
fn words_are_cut_once() {
    let plan = plan(
        r#"SELECT SCORE() AS s FROM devices WHERE MATCH(tags.text, 'Old pum* "In The House" -new -"two words" "one" pump-7')
           AND NOT MATCH(status, '-off') ORDER BY s DESC"#,
    );
    let wanted = Words {
        words: owned(&["old", "one", "pump", "7"]),
        beginnings: owned(&["pum"]),
        phrases: vec![owned(&["in", "the", "house"])],
        absent: vec![
            Words { words: owned(&["new"]), ..Words::default() },
            Words { phrases: vec![owned(&["two", "words"])], ..Words::default() },
        ],
    };
    assert_eq!(plan.matches[0], (path(Root::Row, &["tags", "text"]), wanted));
    assert_eq!(plan.matches[1].1.absent, [Words { words: owned(&["off"]), ..Words::default() }]);
    assert_eq!(plan.order[0].expr, Expr::Score);
    assert_eq!(plan.filter, Some(Expr::And(vec![Expr::Match(0), Expr::Not(Box::new(Expr::Match(1)))])));
}

#[test]
fn units_become_part_of_functions() {
    let t = || at(Root::Row, &["tags", "t"]);
    let call = |function, arguments| {
        Expr::Compare(BinaryOp::Equal, Box::new(Expr::Call(function, arguments)), Box::new(int(1)))
    };
    assert_eq!(filter("DATE_PART('weekday', tags.t) = 1"), call(Function::DatePart(Unit::Weekday), vec![t()]));
    assert_eq!(filter("date_trunc('Day', tags.t) = 1"), call(Function::DateTrunc(Unit::Day), vec![t()]));
    assert_eq!(filter("DATE_ADD('month', 2, tags.t) = 1"), call(Function::DateAdd(Unit::Month), vec![int(2), t()]));
    assert_eq!(filter("DATE_DIFF('week', tags.t, 0) = 1"), call(Function::DateDiff(Unit::Week), vec![t(), int(0)]));
}
