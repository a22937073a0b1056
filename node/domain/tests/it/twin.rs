//! Twins as operations see them; their documents' rules are tested beside the code.

use muster_domain::device::DeviceStatus;
use muster_domain::{Body, Key, Operation, Reason};

use crate::memory::{Memory, create_device, device_definition, twin_key};

fn patch(key: Key, desired: &str, etag: Option<&str>) -> Operation {
    Operation::PatchTwin { key, tags: None, desired: Some(desired.into()), etag: etag.map(str::to_owned) }
}

fn report(key: Key, reported: &str, expected_version: u64) -> Operation {
    Operation::ReportProperties { key, reported: reported.into(), expected_version, from_device: true }
}

fn memory() -> Memory {
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", device_definition()));
    memory
}

fn desired(memory: &Memory) -> String {
    match &memory.record(&twin_key("plant", "press")).body {
        Body::Twin(twin) => twin.desired.to_json().to_string(),
        other => panic!("not a twin: {other:?}"),
    }
}

#[test]
fn patch_and_replace() {
    let mut memory = memory();
    memory.accept(patch(twin_key("plant", "press"), r#"{"a":{"b":1,"c":2}}"#, None));
    memory.accept(patch(twin_key("plant", "press"), r#"{"a":{"b":null},"d":[1]}"#, None));
    assert_eq!(desired(&memory), r#"{"a":{"c":2},"d":[1]}"#);
    let replace = Operation::ReplaceTwin {
        key: twin_key("plant", "press"),
        tags: None,
        desired: Some(r#"{"e":true}"#.into()),
        etag: None,
    };
    memory.accept(replace);
    assert_eq!(desired(&memory), r#"{"e":true}"#);
}

#[test]
fn bad_documents_are_refused_and_change_nothing() {
    let mut memory = memory();
    let before = memory.clone();
    let deep = format!("{}1{}", r#"{"a":"#.repeat(12), "}".repeat(12));
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(5_000));
    let heavy: Vec<String> = (0..10).map(|n| format!(r#""k{n}":"{}""#, "x".repeat(4_000))).collect();
    for (document, reason) in [
        ("", Reason::InvalidJson),
        ("[]", Reason::InvalidJson),
        (r#"{"a":1,"a":2}"#, Reason::InvalidJson),
        (r#"{"a.b":1}"#, Reason::InvalidDocument),
        (r#"{"$a":1}"#, Reason::InvalidDocument),
        (r#"{"a b":1}"#, Reason::InvalidDocument),
        (r#"{"a\u0007":1}"#, Reason::InvalidDocument),
        (r#"{"a":4503599627370496}"#, Reason::InvalidDocument),
        (deep.as_str(), Reason::InvalidDocument),
        (large.as_str(), Reason::TooLarge),
        (format!("{{{}}}", heavy.join(",")).as_str(), Reason::TooLarge),
    ] {
        let operation = patch(twin_key("plant", "press"), document, None);
        let refusal = memory.carry_out(&operation).expect_err(document);
        assert_eq!(refusal.reason, reason, "{refusal}");
        assert!(refusal.field.starts_with("desired_json"), "{refusal}");
    }
    let replace = Operation::ReplaceTwin {
        key: twin_key("plant", "press"),
        tags: Some(r#"{"a":null}"#.into()),
        desired: None,
        etag: None,
    };
    memory.refuse(replace, Reason::NullNotAllowed, "tags_json.a");
    assert_eq!(memory.records, before.records);
}

#[test]
fn a_missing_or_disabled_device_takes_no_patch() {
    let mut memory = memory();
    memory.refuse(patch(twin_key("plant", "nothing"), "{}", None), Reason::NotFound, "name");
    let (namespace, device) = ("plant".into(), "press".into());
    let status = DeviceStatus::Disabled;
    memory.accept(Operation::SetDeviceStatus { namespace, device, status, reason: String::new(), etag: None });
    memory.refuse(patch(twin_key("plant", "press"), "{}", None), Reason::DeviceDisabled, "name");
    memory.refuse(report(twin_key("plant", "press"), "{}", 0), Reason::DeviceDisabled, "name");
}

#[test]
fn a_stale_etag_or_version_is_refused_with_the_current_one() {
    let mut memory = memory();
    let key = || twin_key("plant", "press");
    let etag = memory.record(&key()).etag();
    memory.accept(patch(key(), r#"{"a":1}"#, Some(&etag)));
    let refusal = memory.carry_out(&patch(key(), r#"{"a":2}"#, Some(&etag))).expect_err("stale");
    assert_eq!((refusal.reason, refusal.current), (Reason::EtagMismatch, memory.record(&key()).etag()));
    memory.accept(report(key(), r#"{"a":1}"#, 1));
    let refusal = memory.carry_out(&report(key(), r#"{"a":2}"#, 1)).expect_err("stale");
    assert_eq!((refusal.field.as_str(), refusal.current.as_str()), ("expected_version", "2"));
}
