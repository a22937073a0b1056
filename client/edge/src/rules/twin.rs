//! The reported section of a twin with the traces of its changes, read from a message and written into one.
//!
//! Tags and desired are the cluster's: they are shown as they came, so no rule needs them here.

use std::sync::Arc;

use muster_domain::json::Json;
use muster_domain::twin::{Builder, Document, NameTwice, Section, Touch, Twin};
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use prost_types::Timestamp;
use serde_json::Value;

/// A twin whose reported section is that of the message.
pub(super) fn from_proto(shown: &v1::Twin) -> Result<Twin, Rejection> {
    let reported = shown.reported.clone().unwrap_or_default();
    let text = if reported.json.is_empty() { "{}" } else { &reported.json };
    let json = Json::parse_object("reported_json", text)?;
    let traces: Value = serde_json::from_str(&reported.metadata_json).unwrap_or(Value::Null);
    let document = traced(&json, &traces).map_err(|twice| {
        Rejection::new(Reason::InvalidJson, "reported_json", format!("member {:?} appears twice", twice.0))
    })?;
    let section = Section {
        version: reported.version,
        updated_ms: reported.update_time.as_ref().map_or(0, millis),
        updated_version: reported.version,
        document,
    };
    let none = Arc::new(Section::default());
    Ok(Twin { version: shown.version, tags: Arc::clone(&none), desired: none, reported: Arc::new(section) })
}

/// The message with the twin's reported section in place of its own.
pub(super) fn to_proto(shown: &v1::Twin, twin: &Twin, updated_ms: u64) -> v1::Twin {
    let (mut json, mut metadata_json) = (String::new(), String::new());
    twin.reported.write_json(&mut json);
    if shown.reported.as_ref().is_none_or(|reported| !reported.metadata_json.is_empty()) {
        twin.reported.write_metadata(&mut metadata_json, false);
    }
    let update_time = Some(twin.reported.updated_ms).filter(|ms| *ms > 0).map(timestamp);
    let reported = v1::SectionDocument { json, version: twin.reported.version, metadata_json, update_time };
    let update_time = if updated_ms > 0 { Some(timestamp(updated_ms)) } else { shown.update_time };
    v1::Twin { version: twin.version, reported: Some(reported), update_time, ..shown.clone() }
}

fn traced(members: &std::collections::BTreeMap<String, Json>, traces: &Value) -> Result<Document, NameTwice> {
    let mut builder = Builder::default();
    for (name, value) in members {
        add(&mut builder, name, value, traces.get(name).unwrap_or(&Value::Null))?;
    }
    builder.finish()
}

fn add(builder: &mut Builder, name: &str, value: &Json, trace: &Value) -> Result<(), NameTwice> {
    let touch = touch(trace);
    match value {
        Json::Null => builder.null(name, touch),
        Json::Bool(value) => builder.bool(name, touch, *value),
        Json::Int(value) => builder.int(name, touch, *value),
        Json::Float(value) => builder.float(name, touch, *value),
        Json::String(value) => builder.string(name, touch, value),
        Json::Array(items) => {
            builder.open_array(name, touch);
            items.iter().try_for_each(|item| add(builder, "", item, &Value::Null))?;
            builder.close()?;
        }
        Json::Object(members) => {
            builder.open_object(name, touch);
            members
                .iter()
                .try_for_each(|(name, value)| add(builder, name, value, trace.get(name).unwrap_or(&Value::Null)))?;
            builder.close()?;
        }
    }
    Ok(())
}

fn touch(trace: &Value) -> Touch {
    let time = trace.get("$lastUpdated").and_then(Value::as_str).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let time_ms = time.map_or(0, |time| u64::try_from(time.as_millisecond()).unwrap_or(0));
    Touch { time_ms, version: trace.get("$lastUpdatedVersion").and_then(Value::as_u64).unwrap_or(0) }
}

/// Milliseconds since the epoch; a moment before it counts as the epoch.
pub(super) fn millis(moment: &Timestamp) -> u64 {
    let seconds = u64::try_from(moment.seconds).unwrap_or(0);
    seconds.saturating_mul(1_000).saturating_add(u64::try_from(moment.nanos).unwrap_or(0) / 1_000_000)
}

/// A moment as a message.
pub(crate) fn timestamp(ms: u64) -> Timestamp {
    let nanos = i32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000;
    Timestamp { seconds: i64::try_from(ms / 1_000).unwrap_or(i64::MAX), nanos }
}
