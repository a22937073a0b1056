//! Merging, metadata and rules of twins, as tables.

use super::*;
use crate::twin::check::{Nulls, check_members, check_section_size};
use crate::{Limits, Reason};

fn at(revision: u64) -> At {
    At { revision, time_ms: 1_700_000_000_000 + revision }
}

fn object(text: &str) -> Document {
    Document::parse("json", text).expect(text)
}

fn json(section: &Section) -> String {
    let mut out = String::new();
    section.write_json(&mut out);
    out
}

#[test]
fn merge_follows_rfc_7396() {
    // Appendix A of the RFC, as far as it is about objects.
    for (target, patch, result) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        (r#"{"a":1}"#, r#"{"a":{"b":2}}"#, r#"{"a":{"b":2}}"#),
    ] {
        let twin = Twin::created(None, at(1)).replaced(None, Some(object(target)), None, at(2));
        let after = twin.merged(None, Some(object(patch)), None, at(3));
        assert_eq!(json(&after.desired), result, "{target} + {patch}");
        assert_eq!((after.desired.version, after.version, after.reported.version), (3, 3, 1));
    }
}

#[test]
fn metadata_shows_when_each_node_was_touched() {
    let twin = Twin::created(None, at(1)).replaced(None, Some(object(r#"{"a":{"x":1,"y":2},"b":3}"#)), None, at(2));
    let after = twin.merged(None, Some(object(r#"{"a":{"x":null}}"#)), None, At { revision: 3, time_ms: 0 });
    let mut metadata = String::new();
    after.desired.write_metadata(&mut metadata, true);
    let old = r#""$lastUpdated":"2023-11-14T22:13:20.002Z","$lastUpdatedVersion":2"#;
    let new = r#""$lastUpdated":"1970-01-01T00:00:00.000Z","$lastUpdatedVersion":3"#;
    assert_eq!(metadata, format!(r#"{{{new},"a":{{{new},"y":{{{old}}}}},"b":{{{old}}}}}"#));
}

#[test]
fn versions_go_on_after_deletion() {
    let twin = Twin::created(None, at(1)).merged(Some(object("{}")), None, None, at(2));
    let again = Twin::created(Some(&Body::Deleted(Twin::tombstone(Some(&Body::Twin(twin))))), at(9));
    assert_eq!((again.version, again.tags.version, again.desired.version, again.reported.version), (3, 3, 2, 2));
}

#[test]
fn rules_name_field_and_reason() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(11), "}".repeat(11));
    let long_name = format!(r#"{{"{}":1}}"#, "k".repeat(1025));
    let long_value = format!(r#"{{"a":"{}"}}"#, "v".repeat(4097));
    for (text, nulls, reason, field) in [
        (r#"{"a":{"b.c":1}}"#, Nulls::Remove, Reason::InvalidDocument, "desired_json.a.b.c"),
        (r#"{"$a":1}"#, Nulls::Remove, Reason::InvalidDocument, "desired_json.$a"),
        (r#"{"a b":1}"#, Nulls::Remove, Reason::InvalidDocument, "desired_json.a b"),
        ("{\"a\\u0007\":1}", Nulls::Remove, Reason::InvalidDocument, "desired_json.a\u{7}"),
        (r#"{"a":[{"b":4503599627370496}]}"#, Nulls::Remove, Reason::InvalidDocument, "desired_json.a[0].b"),
        (r#"{"a":-4503599627370497}"#, Nulls::Remove, Reason::InvalidDocument, "desired_json.a"),
        (r#"{"a":{"b":null}}"#, Nulls::Refused, Reason::NullNotAllowed, "desired_json.a.b"),
        (&long_value, Nulls::Remove, Reason::TooLarge, "desired_json.a"),
        (&deep, Nulls::Remove, Reason::InvalidDocument, "desired_json.a.a.a.a.a.a.a.a.a.a.a"),
    ] {
        let refusal = check_members("desired_json", &object(text), nulls, &Limits::default()).expect_err(text);
        assert_eq!((refusal.reason, refusal.field.as_str()), (reason, field), "{text}: {refusal}");
    }
    let refusal = check_members("tags_json", &object(&long_name), Nulls::Remove, &Limits::default());
    assert_eq!(refusal.expect_err("too long").reason, Reason::InvalidDocument);
    for text in [
        r#"{"a":[null,{"b":null}]}"#,
        r#"{"a":4503599627370495,"b":-4503599627370496,"c":1e300}"#,
        &format!("{}1{}", r#"{"a":"#.repeat(10), "}".repeat(10)),
    ] {
        assert_eq!(check_members("f", &object(text), Nulls::Refused, &Limits::default()), Ok(()), "{text}");
    }
}

#[test]
fn sizes_count_as_iot_hub_counts() {
    let twin = Twin::created(None, at(1)).replaced(
        Some(object("{\"ab\":1,\"c\":true,\"d\":{\"e\":\"x\\ny\"},\"f\":[1,\"é\"]}")),
        None,
        None,
        at(2),
    );
    assert_eq!(section_size(&twin.tags), (2 + 8) + (1 + 4) + (1 + 1 + 2) + (1 + 8 + 2));
}

#[test]
fn what_counts_nothing_is_bounded_all_the_same() {
    let empty = Twin::created(None, at(1)).reported;
    let refused = |text: &str, bytes_max| {
        let section = Twin::created(None, at(1)).merged(None, None, Some(object(text)), at(2)).reported;
        assert!(section_size(&section) <= 2, "{text:.40}");
        let refused = check_section_size("reported_json", &empty, &section, bytes_max).is_err();
        assert_eq!(check_section_size("reported_json", &section, &section, bytes_max), Ok(()), "it may stay");
        refused
    };
    for item in ["\"\"", "[]", "{}"] {
        let list = |items: usize| format!(r#"{{"a":[{}]}}"#, vec![item; items].join(","));
        assert!(refused(&list(1_000), 1_000), "{item}");
        assert!(!refused(&list(500), 1_000), "{item}");
    }
    let text = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "\u{7f}".repeat(bytes));
    assert!(refused(&text(3_000), 1_000));
    assert!(!refused(&text(1_500), 1_000));
}

#[test]
fn times_are_dates_of_the_gregorian_calendar() {
    for (time_ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
        (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
    ] {
        let mut out = String::new();
        render::write_time(&mut out, time_ms);
        assert_eq!(out, text);
    }
}
