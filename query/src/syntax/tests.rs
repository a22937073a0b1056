//! The parser against texts: what they become, and where mistakes are shown.

use super::ast::{Elements, Expr, ExprKind, Select};
use super::*;
use crate::error::{Code, QueryError};

fn query(text: &str) -> Select {
    parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{text}\n{}", error.render(text)))
}

fn mistake(text: &str) -> QueryError {
    parse(text, &Limits::default()).map(|select| format!("{select:?}")).expect_err(text)
}

/// The words that an error underlines.
fn shown<'t>(text: &'t str, error: &QueryError) -> &'t str {
    &text[error.span.start as usize..error.span.end as usize]
}

/// What it was understood as, with all parentheses.
fn understood(condition: &str) -> String {
    fn write(expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Binary(op, a, b) => format!("({} {op:?} {})", write(a), write(b)),
            ExprKind::Not(inner) => format!("(not {})", write(inner)),
            ExprKind::Negate(inner) => format!("(minus {})", write(inner)),
            ExprKind::Between(a, b, c) => format!("(between {} {} {})", write(a), write(b), write(c)),
            ExprKind::In(a, b) => format!("(in {} {})", write(a), write(b)),
            _ => print_condition(expr),
        }
    }
    let parsed = parse_condition(condition, &Limits::default());
    write(&parsed.unwrap_or_else(|error| panic!("{condition}\n{}", error.render(condition))))
}

#[test]
fn operators_bind_as_the_language_says() {
    for (text, expected) in [
        ("a OR b AND c", "(a Or (b And c))"),
        ("NOT a AND b", "((not a) And b)"),
        ("NOT a = b", "(not (a Equal b))"),
        ("a + b * c - d", "((a Add (b Multiply c)) Subtract d)"),
        ("a - b - c", "((a Subtract b) Subtract c)"),
        ("-a * b", "((minus a) Multiply b)"),
        ("a -1", "(a Subtract 1)"),
        ("- 1 < a", "(-1 Less a)"),
        ("a BETWEEN 1 AND 2 AND b", "((between a 1 2) And b)"),
        ("a NOT BETWEEN 1 AND 2", "(not (between a 1 2))"),
        ("a NIN [1, 2]", "(not (in a [ 1, 2 ]))"),
        ("a NOT IN (1)", "(not (in a [ 1 ]))"),
        ("a IN b.c", "(in a b.c)"),
        ("a + 1 IN [2]", "(in (a Add 1) [ 2 ])"),
        ("ANY x IN a SATISFIES x = 1 OR x = 2", "ANY x IN a SATISFIES (x = 1) OR (x = 2)"),
    ] {
        assert_eq!(understood(text), expected, "{text}");
    }
}

#[test]
fn values_are_read_exactly() {
    for (text, expected) in [
        ("-9223372036854775808", "-9223372036854775808"),
        ("0x1F", "31"),
        ("1.50", "1.5"),
        ("1e3", "1000.0"),
        (r#""a'\"\u00fc\ud83d\ude00\n""#, r#"'a\'"ü😀\n'"#),
        ("'\"'", "'\"'"),
        ("TRUE", "true"),
        ("Undefined", "undefined"),
    ] {
        assert_eq!(understood(text), expected, "{text}");
    }
}

#[test]
fn every_clause_is_read() {
    let text = "SELECT DISTINCT TOP 5 tags.[[my-site]] AS site, COUNT(*) n, COUNT(DISTINCT a.group) FROM Assets JOIN device \
                AS OF TIME '2026-01-01T00:00:00Z' WHERE a LIKE 'x!%' ESCAPE '!' GROUP BY b, c HAVING n > 1 ORDER BY n DESC, b ASC -- end";
    let select = query(text);
    assert!(select.distinct && select.top == Some(5) && select.from.collection.text == "assets");
    assert!(select.from.join.is_some() && select.from.as_of.is_some() && select.having.is_some());
    assert_eq!((select.group_by.len(), select.order_by.len()), (2, 2));
    let Elements::List(elements) = &select.elements else { panic!("elements") };
    let aliases: Vec<_> =
        elements.iter().map(|element| element.alias.as_ref().map(|alias| alias.text.as_str())).collect();
    assert_eq!(aliases, [Some("site"), Some("n"), None]);
}

#[test]
fn queries_of_iot_hub_are_queries() {
    for text in [
        "SELECT * FROM devices",
        "SELECT COUNT() as numberOfDevices FROM devices",
        "SELECT DeviceId, LastActivityTime FROM devices WHERE status = 'enabled'",
        "SELECT * FROM devices WHERE tags.location.region = 'US'",
        "SELECT * FROM devices WHERE tags.location.region = 'US' AND properties.reported.telemetryConfig.sendFrequencyInSecs >= 60",
        "SELECT * FROM devices WHERE properties.reported.connectivity IN ['wired', 'wifi']",
        "SELECT * FROM devices WHERE is_defined(properties.reported.connectivity)",
        "SELECT properties.reported.telemetryConfig.status AS status, COUNT() AS numberOfDevices FROM devices GROUP BY properties.reported.telemetryConfig.status",
        "SELECT * FROM devices WHERE configurations.[[yogi's-config]].status = 'Applied'",
        "SELECT LastActivityTime FROM devices WHERE status = 'enabled'",
        "SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning' AND deviceId IN ['device1', 'device2']",
        "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'myJobId'",
        "select top 10 * from devices where tags.a nin [1, 0x10] and not (tags.b <> null)",
    ] {
        query(text);
    }
}

#[test]
fn mistakes_are_shown_at_their_place() {
    for (text, place, said) in [
        ("SELCT * FROM devices", "SELCT", "did you mean `SELECT`?"),
        ("SELECT * FORM devices", "FORM", "did you mean `FROM`?"),
        ("SELECT * FROM devices WHRE a", "WHRE", "did you mean `WHERE`?"),
        ("SELECT a FROM devices GRUOP BY a", "GRUOP", "did you mean `GROUP`?"),
        ("SELECT * FROM devices WHERE a == 1", "==", "write `=`"),
        ("SELECT * FROM devices WHERE a && b", "&&", "write `AND`"),
        ("SELECT * FROM devices WHERE !a", "!", "write `NOT`"),
        ("SELECT * FROM devices WHERE a = 'x", "'", "it ends with '"),
        ("SELECT * FROM devices WHERE a = \"\\x\"", "\\x", "surrogates in pairs"),
        ("SELECT a, FROM devices", "FROM", "an element"),
        ("SELECT * FROM devices WHERE a IN [1, ]", "]", "a value"),
        ("SELECT * FROM devices WHERE a < b < c", "<", "chained"),
        ("SELECT * FROM devices WHERE [[a = 1", "[[", "ends with `]]`"),
        ("SELECT TOP 0 * FROM devices", "0", "TOP takes"),
        ("SELECT * FROM devices WHERE a = 9223372036854775808", "9223372036854775808", "64 bits"),
        ("SELECT * FROM devices WHERE a = 1e999", "1e999", "any double"),
        ("SELECT * FROM devices WHERE group = 1", "group", "[[group]]"),
        ("SELECT * FROM devices WHERE a = 12abc", "12abc", "digit"),
        ("SELECT * FROM devices WHERE", "", "found the end"),
        ("SELECT * FROM devices WHERE (a", "", "expected `)`"),
        ("SELECT * FROM devices WHERE a LIKE b", "b", "a pattern"),
        ("SELECT * FROM devices AS OF YESTERDAY", "YESTERDAY", "REVISION"),
    ] {
        let error = mistake(text);
        assert_eq!(
            (shown(text, &error), error.code == Code::TooLarge),
            (place, false),
            "{text}\n{}",
            error.render(text)
        );
        assert!(error.render(text).contains(said), "{text}\n{}", error.render(text));
    }
}

#[test]
fn the_place_is_underlined_in_its_line() {
    let text = "SELECT *\n\tFROM devices\n\tWHERE ü == 1";
    assert_eq!(
        mistake(text).render(text),
        "`==` is no operator\nline 3, column 10:\n  \tWHERE ü == 1\n  \t        ^^\nhelp: write `=`"
    );
    let long = format!("SELECT * FROM devices WHERE {} == 1", "a".repeat(4_000));
    let rendered = mistake(&long).render(&long);
    assert!(rendered.lines().all(|line| line.chars().count() < 150), "{rendered}");
}

#[test]
fn what_is_too_large_is_refused_at_once() {
    for text in [
        format!("SELECT * FROM devices WHERE {}a{}", "(".repeat(4_000), ")".repeat(4_000)),
        format!("SELECT * FROM devices WHERE {}a", "NOT ".repeat(2_000)),
        format!("SELECT * FROM devices WHERE {}a", "-".repeat(8_000).replace("--", "- -")),
        format!("SELECT * FROM devices WHERE {}", "[".repeat(8_000)),
        format!("SELECT * FROM devices WHERE a{}", "+a".repeat(4_000)),
        format!("SELECT * FROM devices WHERE a IN [{}1]", "1,".repeat(1_000)),
        format!("SELECT {}a FROM devices", "a,".repeat(100)),
        format!("SELECT a FROM devices GROUP BY a{}", ",a".repeat(16)),
        "x".repeat(1 << 20),
    ] {
        let error = mistake(&text);
        assert_eq!(error.code, Code::TooLarge, "{}", error.message);
    }
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-c]{1,2}", "[a-z][a-z0-9 -]{0,3}x", Just("group".to_owned()), Just("ü$_1".to_owned())]
    }

    fn literal() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<i64>().prop_map(|value| value.to_string()),
            any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| format!("{value:?}")),
            any::<String>().prop_map(|text| {
                print_condition(&Expr { kind: ExprKind::String(text), span: ast::Span::default() })
            }),
            Just("null".to_owned()),
            Just("undefined".to_owned()),
            Just("true".to_owned()),
        ]
    }

    fn condition() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            literal(),
            proptest::collection::vec(name(), 1..3).prop_map(|names| format!("a.{}", path_text(&names))),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let ops = proptest::sample::select(vec!["AND", "OR", "=", "!=", "<", ">=", "+", "-", "*", "/", "%"]);
            prop_oneof![
                (inner.clone(), ops, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
                inner.clone().prop_map(|a| format!("NOT ({a})")),
                inner.clone().prop_map(|a| format!("-({a})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) IN [{b}, 1]")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) BETWEEN ({b}) AND 2")),
                inner.clone().prop_map(|a| format!("LOWER({a}, 1)")),
                inner.clone().prop_map(|a| format!("({a}) LIKE 'x%'")),
                inner.prop_map(|a| format!("ANY x IN a.b SATISFIES {a}")),
            ]
        })
    }

    /// Without places, which differ between texts.
    fn plain(condition: &Expr) -> String {
        let text = format!("{condition:?}");
        let mut out = String::new();
        for part in text.split("Span {") {
            out.push_str(part.split_once('}').map_or(part, |(_, rest)| rest));
        }
        out
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same(text in condition()) {
            let limits = Limits { depth: 200, ..Limits::default() };
            if let Ok(parsed) = parse_condition(&text, &limits) {
                let printed = print_condition(&parsed);
                let again = parse_condition(&printed, &limits);
                prop_assert!(again.is_ok(), "{} became {}: {:?}", text, printed, again);
                prop_assert_eq!(plain(&parsed), plain(&again.expect("was looked at")), "{} became {}", text, printed);
            }
        }

        #[test]
        fn nothing_makes_the_parser_panic(text in any::<String>(), at in any::<prop::sample::Index>()) {
            let query = "SELECT DISTINCT TOP 5 tags.[[x-y]] AS s, COUNT(*) FROM assets JOIN device WHERE a LIKE '%' AND b IN [1,'\\u00fc'] ORDER BY c";
            let mut mixed = query.to_owned();
            let mut place = at.index(query.len());
            while !mixed.is_char_boundary(place) { place -= 1 }
            mixed.insert_str(place, &text);
            for text in [&text, &mixed] {
                if let Err(error) = parse(text, &Limits::default()) {
                    prop_assert!(!error.render(text).is_empty());
                }
            }
        }
    }
}
