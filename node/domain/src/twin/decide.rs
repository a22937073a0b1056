//! From an operation on a twin to its change.

use std::sync::Arc;

use super::check::{Nulls, check_members, check_section_size};
use super::{Document, Twin};
use crate::decide::{check_etag, living};
use crate::device::DeviceStatus;
use crate::{At, Body, Change, Event, EventKind, Key, Limits, Operation, Reason, Record, Rejection, States};

/// Decides operations on twins.
pub(crate) fn decide(
    states: &dyn States,
    operation: &Operation,
    at: At,
    limits: &Limits,
) -> Result<Vec<Change>, Rejection> {
    let change = match operation {
        Operation::PatchTwin { key, tags, desired, etag } => {
            let before = usable_twin(states, key)?;
            check_etag(etag.as_deref(), &before)?;
            patch(key, &before, tags.as_deref(), desired.as_deref(), at, limits)?
        }
        Operation::ReplaceTwin { key, tags, desired, etag } => {
            let before = usable_twin(states, key)?;
            check_etag(etag.as_deref(), &before)?;
            replace_change(key.clone(), &before, tags.clone(), desired.clone(), None, at, limits)?
        }
        Operation::ReportProperties { key, reported, expected_version, .. } => {
            let before = usable_twin(states, key)?;
            report(key, &before, reported, *expected_version, at, limits)?
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![change])
}

/// The twin's record, if its device exists and is enabled.
fn usable_twin(states: &dyn States, key: &Key) -> Result<Arc<Record>, Rejection> {
    let record = living(states, key).ok_or_else(|| Rejection::not_found(key))?;
    if let (Some(namespace), Some(device)) = (key.namespace(), key.device()) {
        let device_key = Key::Device(namespace.to_owned(), device.to_owned());
        let device = living(states, &device_key).ok_or_else(|| Rejection::not_found(&device_key))?;
        if matches!(&device.body, Body::Device(device) if device.definition.status == DeviceStatus::Disabled) {
            let message = format!("{device_key} is disabled; enable it first");
            return Err(Rejection::new(Reason::DeviceDisabled, "name", message));
        }
    }
    Ok(record)
}

fn patch(
    key: &Key,
    before: &Record,
    tags: Option<&str>,
    desired: Option<&str>,
    at: At,
    limits: &Limits,
) -> Result<Change, Rejection> {
    if tags.is_none() && desired.is_none() {
        return Err(nothing_given());
    }
    let twin = twin_of(before, key)?;
    let tags_patch = section_given("tags_json", tags, Nulls::Remove, limits)?;
    let desired_patch = section_given("desired_json", desired, Nulls::Remove, limits)?;
    let after = twin.merged(tags_patch, desired_patch, None, at);
    let kind = EventKind::TwinPatched { tags: tags.map(str::to_owned), desired: desired.map(str::to_owned) };
    finish(key.clone(), kind, before, twin, after, at, limits)
}

fn report(
    key: &Key,
    before: &Record,
    reported: &str,
    expected_version: u64,
    at: At,
    limits: &Limits,
) -> Result<Change, Rejection> {
    let twin = twin_of(before, key)?;
    if expected_version != 0 && expected_version != twin.reported.version {
        let given = expected_version.to_string();
        return Err(Rejection::etag("expected_version", &given, twin.reported.version.to_string()));
    }
    let patch = section_given("reported_json", Some(reported), Nulls::Remove, limits)?;
    let after = twin.merged(None, None, patch, at);
    finish(key.clone(), EventKind::TwinReported(reported.to_owned()), before, twin, after, at, limits)
}

/// Replaces the sections that are given; `before` is the twin's record.
///
/// # Errors
/// When a section is not a JSON object, breaks a rule or is too large, or when none is given.
pub fn replace_change(
    key: Key,
    before: &Record,
    tags: Option<String>,
    desired: Option<String>,
    reported: Option<String>,
    at: At,
    limits: &Limits,
) -> Result<Change, Rejection> {
    if tags.is_none() && desired.is_none() && reported.is_none() {
        return Err(nothing_given());
    }
    let twin = twin_of(before, &key)?;
    let after = twin.replaced(
        section_given("tags_json", tags.as_deref(), Nulls::Refused, limits)?,
        section_given("desired_json", desired.as_deref(), Nulls::Refused, limits)?,
        section_given("reported_json", reported.as_deref(), Nulls::Refused, limits)?,
        at,
    );
    finish(key, EventKind::TwinReplaced { tags, desired, reported }, before, twin, after, at, limits)
}

fn nothing_given() -> Rejection {
    Rejection::new(Reason::InvalidField, "tags_json", "give at least one of tags_json and desired_json")
}

fn section_given(
    field: &str,
    text: Option<&str>,
    nulls: Nulls,
    limits: &Limits,
) -> Result<Option<Document>, Rejection> {
    let Some(text) = text else { return Ok(None) };
    let members = Document::parse(field, text)?;
    check_members(field, &members, nulls, limits)?;
    Ok(Some(members))
}

fn twin_of<'a>(record: &'a Record, key: &Key) -> Result<&'a Twin, Rejection> {
    match &record.body {
        Body::Twin(twin) => Ok(twin),
        _ => Err(Rejection::not_found(key)),
    }
}

fn finish(
    key: Key,
    kind: EventKind,
    record: &Record,
    before: &Twin,
    after: Twin,
    at: At,
    limits: &Limits,
) -> Result<Change, Rejection> {
    for (field, before, after, bytes_max) in [
        ("tags_json", &before.tags, &after.tags, limits.tags_bytes_max),
        ("desired_json", &before.desired, &after.desired, limits.desired_bytes_max),
        ("reported_json", &before.reported, &after.reported, limits.reported_bytes_max),
    ] {
        if !Arc::ptr_eq(before, after) {
            check_section_size(field, before, after, bytes_max)?;
        }
    }
    let after = Record {
        created_revision: record.created_revision,
        created_ms: record.created_ms,
        updated_revision: at.revision,
        updated_ms: at.time_ms,
        body: Body::Twin(after),
    };
    Ok(Change { event: Event { key, kind }, after: Arc::new(after), previous: record.updated_revision })
}
