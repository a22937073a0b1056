//! Queries that are valid, and what they become.

use super::{bare, condition};
use crate::syntax::ast::{ExprKind, Span};
use crate::syntax::{Limits, parse, path_text, print, print_condition};

fn canonical(text: &str) -> String {
    let select = parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
    let printed = print(&select);
    let again = parse(&printed, &Limits::default()).unwrap_or_else(|error| panic!("{printed}\n{error:?}"));
    assert_eq!(bare(&again), bare(&select), "{printed}");
    printed
}

fn printed(text: &str) -> String {
    let expr = condition(text);
    let printed = print_condition(&expr);
    assert_eq!(bare(&condition(&printed)), bare(&expr), "{printed}");
    printed
}

/// From the documentation and the samples of IoT Hub.
#[test]
fn queries_of_iot_hub_parse() {
    for text in [
        "SELECT * FROM devices",
        "select * from devices where tags.location.region = 'US'",
        "SELECT * FROM devices WHERE tags.location.region = 'US' AND properties.reported.telemetryConfig.sendFrequencyInSecs >= 60",
        "SELECT * FROM devices WHERE properties.reported.connectivity IN ['wired', 'wifi']",
        "SELECT * FROM devices WHERE properties.reported.connectivity NIN [\"wired\", \"wifi\"]",
        "SELECT * FROM devices WHERE is_defined(properties.reported.connectivity)",
        "SELECT * FROM devices WHERE is_defined(property_name)",
        "SELECT COUNT() AS totalNumberOfDevices FROM devices",
        "SELECT properties.reported.telemetryConfig.status AS status,\n    COUNT() AS numberOfDevices\n  FROM devices\n  GROUP BY properties.reported.telemetryConfig.status",
        "SELECT LastActivityTime FROM devices WHERE status = 'enabled'",
        "SELECT DeviceId, LastActivityTime FROM devices WHERE connectionState='Connected'",
        "SELECT deviceId, lastActivityTime AS at FROM devices WHERE status = 'enabled' AND connectionState = 'Connected'",
        "SELECT TOP 5 deviceId FROM devices",
        "SELECT * FROM devices.modules",
        "SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning'",
        "SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning' AND deviceId IN ['device1', 'device2']",
        "SELECT * FROM devices.jobs WHERE devices.jobs.deviceId = 'myDeviceId'",
        "SELECT * FROM devices.jobs WHERE devices.jobs.jobType = 'scheduleUpdateTwin' AND devices.jobs.status = 'completed' AND devices.jobs.createdTimeUtc > '2016-09-01'",
        "select deviceId from devices.modules where moduleId='$edgeAgent' and configurations.[[c12]].status='Applied'",
        "SELECT deviceId FROM devices.modules WHERE moduleId = '$edgeAgent' AND properties.desired.$version = properties.reported.lastDesiredVersion AND properties.reported.lastDesiredStatus.code = 200",
        "SELECT * FROM devices WHERE configurations.[[my-config]].status = 'Applied'",
        "SELECT deviceId FROM devices WHERE configurations.[[yogi's-config]].status = 'Applied'",
        "SELECT * FROM devices WHERE capabilities.iotEdge = true",
        "SELECT * FROM devices WHERE STARTSWITH(deviceId, 'edge') AND NOT (tags.[[group]] = null OR tags.a <> 0x1F)",
        "SELECT AVG(properties.reported.t) AS a, SUM(properties.reported.t) AS s, MIN(properties.reported.t), MAX(properties.reported.t) FROM devices",
        "SELECT * FROM devices WHERE tags.order = 1 AND tags.any = 2 AND tags.time = 3 AND tags.like = 'x' AND tags.2nd = 4",
    ] {
        canonical(text);
    }
    assert_eq!(printed("tags.building = 'b' AND deviceId IN ['a']"), "tags.building = 'b' AND deviceId IN ['a']");
}

/// Each clause, and how it is written canonically.
#[test]
fn every_clause_parses() {
    for (text, wanted) in [
        ("select distinct top 10 a b, c as d, e from DEVICES", "SELECT DISTINCT TOP 10 a AS b, c AS d, e FROM devices"),
        ("SELECT * FROM Devices . Modules -- all\n", "SELECT * FROM devices.modules"),
        (
            "SELECT * FROM assets JOIN device AS OF REVISION 18446744073709551615",
            "SELECT * FROM assets JOIN device AS OF REVISION 18446744073709551615",
        ),
        (
            "SELECT * FROM assets AS OF TIME '2026-11-26T22:05:21Z' WHERE a",
            "SELECT * FROM assets AS OF TIME '2026-11-26T22:05:21Z' WHERE a",
        ),
        (
            "SELECT a, COUNT(*) n FROM devices GROUP BY a, b + 1 HAVING COUNT() > 1 ORDER BY n DESC, a ASC, b",
            "SELECT a, COUNT(*) AS n FROM devices GROUP BY a, b + 1 HAVING COUNT() > 1 ORDER BY n DESC, a, b",
        ),
        ("SELECT COUNT(DISTINCT tags.a) FROM devices", "SELECT COUNT(DISTINCT tags.a) FROM devices"),
        (
            "SELECT a AS [[1]], b AS time FROM devices ORDER BY a",
            "SELECT a AS [[1]], b AS [[time]] FROM devices ORDER BY a",
        ),
    ] {
        assert_eq!(canonical(text), wanted);
    }
}

/// Section 4: precedence, and the fewest parentheses.
#[test]
fn operators_bind_as_specified() {
    for (text, wanted) in [
        ("a OR b AND NOT c = d + e * -f", "a OR b AND NOT c = d + e * - f"),
        ("(a OR b) AND c", "(a OR b) AND c"),
        ("((a AND b)) AND (c AND d)", "a AND b AND c AND d"),
        ("NOT (a AND b)", "NOT (a AND b)"),
        ("NOT NOT a", "NOT NOT a"),
        ("(NOT a) = b", "(NOT a) = b"),
        ("(a = b) = c", "(a = b) = c"),
        ("a - (b - c) - d", "a - (b - c) - d"),
        ("a / (b * c) % d", "a / (b * c) % d"),
        ("(a + b) * c", "(a + b) * c"),
        ("-(5) = - - a", "-(5) = - - a"),
        ("-(a + b)", "- (a + b)"),
        ("a <> b AND c!=d", "a != b AND c != d"),
        ("a NIN [1] OR a not in (1, 'x') OR a in tags.list", "a NOT IN [1] OR a NOT IN [1, 'x'] OR a IN tags.list"),
        ("a NOT BETWEEN 1 AND 2 AND b BETWEEN c AND d", "a NOT BETWEEN 1 AND 2 AND b BETWEEN c AND d"),
        ("a LIKE 'x!%' ESCAPE '!' AND b NOT LIKE \"_\"", "a LIKE 'x!%' ESCAPE '!' AND b NOT LIKE '_'"),
        ("a OR ANY x IN l SATISFIES x = 1 OR x = 2", "a OR ANY x IN l SATISFIES x = 1 OR x = 2"),
        ("(ALL x IN l SATISFIES x.a) AND b", "(ALL x IN l SATISFIES x.a) AND b"),
        ("NOT ANY x IN l SATISFIES NOT ANY y IN x SATISFIES y", "NOT ANY x IN l SATISFIES NOT ANY y IN x SATISFIES y"),
        ("any = 1 AND all.x = 2", "[[any]] = 1 AND [[all]].x = 2"),
        ("WITHIN(p, [[1, 2], [-3.5, 4], [[5]]])", "WITHIN(p, [ [1, 2], [-3.5, 4], [ [5]]])"),
        ("tags.[[a b]].[[1]] = [[c]].d", "tags.[[a b]].[[1]] = c.d"),
        ("f([[1st]], [[a]], [[[a]]])", "f([[1st]], a, [a])"),
        ("f([[a, b], [c, d]])", "f([ [a, b], [c, d]])"),
    ] {
        assert_eq!(printed(text), wanted, "{text}");
    }
}

#[test]
fn literals_are_exact() {
    for (text, wanted) in [
        ("9223372036854775807", ExprKind::Int(i64::MAX)),
        ("-9223372036854775808", ExprKind::Int(i64::MIN)),
        ("- 0x1f", ExprKind::Int(-31)),
        ("0x7FFFFFFFFFFFFFFF", ExprKind::Int(i64::MAX)),
        ("9007199254740993.0", ExprKind::Float(9_007_199_254_740_992.0)),
        ("1.5e-3", ExprKind::Float(0.0015)),
        ("1E+2", ExprKind::Float(100.0)),
        ("TRUE", ExprKind::Bool(true)),
        ("Undefined", ExprKind::Undefined),
        (r#"'\'\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00 "'"#, ExprKind::String("'\"\\/\u{8}\u{c}\n\r\té😀 \"".to_owned())),
        ("\"it's\"", ExprKind::String("it's".to_owned())),
    ] {
        assert_eq!(condition(text).kind, wanted, "{text}");
        printed(text);
    }
    assert_eq!(bare(&condition("-0.0").kind), "Float(-0.0)");
}

#[test]
fn places_are_those_of_the_text() {
    let ExprKind::Binary(_, left, right) = condition(" a.b  = -1 ").kind else { panic!("a comparison") };
    assert_eq!((left.span, right.span), (Span { start: 1, end: 4 }, Span { start: 8, end: 10 }));
}

#[test]
fn paths_are_written_with_brackets_where_needed() {
    let text = |names: &[&str]| path_text(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    assert_eq!(text(&["tags", "$a_1", "é"]), "tags.$a_1.é");
    assert_eq!(text(&["tags", "group", "my-name", "1", "a.b", ""]), "tags.[[group]].[[my-name]].[[1]].[[a.b]].[[]]");
}
