//! IoT Hub's rules for twin documents: names, values, depth and sizes (`reference` numbers in [`Limits`]).
//!
//! Sizes count as IoT Hub counts: member names plus values; a number 8 bytes, a boolean 4, a string its UTF-8 length
//! without control characters; null in an array counts 4. Versions and metadata are free.

use super::{Document, Members, Section, Value};
use crate::limits::{INTEGER_MAX, INTEGER_MIN};
use crate::{Limits, Reason, Rejection};

/// Whether null may stand for "remove".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    Remove,
    Refused,
}

/// Checks the names, values and depth of a patch or of a whole section given at `field`.
pub(super) fn check_members(field: &str, document: &Document, nulls: Nulls, limits: &Limits) -> Result<(), Rejection> {
    check_object(document.members(), nulls, 1, limits).map_err(|refusal| refusal.within(field))
}

fn check_object(members: Members<'_>, nulls: Nulls, depth: u64, limits: &Limits) -> Result<(), Rejection> {
    for member in members {
        let name = member.name();
        check_name(name, limits)?;
        if depth > limits.depth_max {
            let rule = format!("nested deeper than {} levels", limits.depth_max);
            return Err(Rejection::new(Reason::InvalidDocument, name, rule));
        }
        check_value(member.value(), nulls, depth, limits).map_err(|refusal| refusal.within(name))?;
    }
    Ok(())
}

fn check_value(value: Value<'_>, nulls: Nulls, depth: u64, limits: &Limits) -> Result<(), Rejection> {
    match value {
        Value::Null if nulls == Nulls::Refused => {
            let rule = "null is not allowed where a whole section is given; leave the member out to remove it";
            Err(Rejection::new(Reason::NullNotAllowed, "", rule))
        }
        Value::Null | Value::Bool(_) | Value::Float(_) => Ok(()),
        Value::Int(value) => check_integer(value),
        Value::String(_) => check_leaf_size(value, limits),
        Value::Array(items) => {
            check_leaf_size(value, limits)?;
            check_items(items, depth + 1, limits)
        }
        Value::Object(members) => check_object(members, nulls, depth + 1, limits),
    }
}

fn check_items(items: Members<'_>, depth: u64, limits: &Limits) -> Result<(), Rejection> {
    items.enumerate().try_for_each(|(index, item)| {
        check_item(item.value(), depth, limits).map_err(|refusal| refusal.within(&format!("[{index}]")))
    })
}

/// Inside arrays null is a value, and everything counts to the array's size.
fn check_item(value: Value<'_>, depth: u64, limits: &Limits) -> Result<(), Rejection> {
    if depth > limits.depth_max {
        let rule = format!("nested deeper than {} levels", limits.depth_max);
        return Err(Rejection::new(Reason::InvalidDocument, "", rule));
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::String(_) => Ok(()),
        Value::Int(value) => check_integer(value),
        Value::Array(items) => check_items(items, depth + 1, limits),
        Value::Object(members) => members.into_iter().try_for_each(|member| {
            check_name(member.name(), limits)?;
            check_item(member.value(), depth + 1, limits).map_err(|refusal| refusal.within(member.name()))
        }),
    }
}

fn check_name(name: &str, limits: &Limits) -> Result<(), Rejection> {
    let refuse = |rule: String| {
        let shown: String = name.chars().take(64).collect();
        Err(Rejection::new(Reason::InvalidDocument, shown, rule))
    };
    if name.is_empty() {
        return refuse("a member name must not be empty".to_owned());
    }
    if name.len() as u64 > limits.key_bytes_max {
        return refuse(format!("a member name must have at most {} bytes, has {}", limits.key_bytes_max, name.len()));
    }
    if name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.' && byte != b'$') {
        return Ok(());
    }
    match name.chars().find(|c| c.is_control() || matches!(c, '.' | '$' | ' ')) {
        Some(c) => {
            refuse(format!("a member name must not hold control characters, '.', '$' or space, but holds {c:?}"))
        }
        None => Ok(()),
    }
}

fn check_integer(value: i64) -> Result<(), Rejection> {
    if (INTEGER_MIN..=INTEGER_MAX).contains(&value) {
        return Ok(());
    }
    let rule = format!("an integer must be within {INTEGER_MIN} and {INTEGER_MAX}, is {value}");
    Err(Rejection::new(Reason::InvalidDocument, "", rule))
}

fn check_leaf_size(value: Value<'_>, limits: &Limits) -> Result<(), Rejection> {
    let size = value_size(value);
    if size <= limits.value_bytes_max {
        return Ok(());
    }
    let rule = format!("a value must have at most {} bytes, has {size}", limits.value_bytes_max);
    Err(Rejection::new(Reason::TooLarge, "", rule))
}

/// Refuses a section that grew past its limit. One that is past it already may shrink.
///
/// IoT Hub counts nothing for an empty text, list or object and for control characters. They take memory all the same, on
/// every replica, so a section of N bytes also holds at most N / 2 + 16 values and 2 N bytes of names and texts.
pub(super) fn check_section_size(
    field: &str,
    before: &Section,
    after: &Section,
    bytes_max: u64,
) -> Result<(), Rejection> {
    let too_large = |rule: String| Err(Rejection::new(Reason::TooLarge, field, rule));
    let size = section_size(after);
    if size > bytes_max && size > section_size(before) {
        return too_large(format!("{field} would make the section {size} bytes, its limit is {bytes_max}"));
    }
    let (before, after) = (&before.document, &after.document);
    let (values, values_max) = (after.values(), bytes_max / 2 + 16);
    if values > values_max && values > before.values() {
        return too_large(format!("{field} would give the section {values} values, its limit is {values_max}"));
    }
    let (text, text_max) = (after.text_bytes(), bytes_max.saturating_mul(2));
    if text > text_max && text > before.text_bytes() {
        return too_large(format!("{field} would give the section {text} bytes of text, its limit is {text_max}"));
    }
    Ok(())
}

/// Size of a section, bytes.
#[must_use]
pub fn section_size(section: &Section) -> u64 {
    section.document.all().map(|member| member.name().len() as u64 + own_size(member.value())).sum()
}

/// Size of a value with all it holds, bytes.
fn value_size(value: Value<'_>) -> u64 {
    match value {
        Value::Array(members) | Value::Object(members) => {
            members.map(|member| member.name().len() as u64 + value_size(member.value())).sum()
        }
        leaf => own_size(leaf),
    }
}

/// Size of a value without what it holds, bytes.
fn own_size(value: Value<'_>) -> u64 {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Int(_) | Value::Float(_) => 8,
        Value::String(text) => text_size(text),
        Value::Array(_) | Value::Object(_) => 0,
    }
}

fn text_size(text: &str) -> u64 {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return text.len() as u64;
    }
    text.chars().filter(|c| !c.is_control()).map(|c| c.len_utf8() as u64).sum()
}
