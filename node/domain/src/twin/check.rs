//! IoT Hub's rules for twin documents: names, values, depth and sizes (`reference` numbers in [`Limits`]).
//!
//! Sizes count as IoT Hub counts: member names plus values; a number 8 bytes, a boolean 4, a string its UTF-8 length
//! without control characters; null in an array counts 4. Versions and metadata are free.

use std::collections::BTreeMap;

use super::{Members, Section, Value};
use crate::json::Json;
use crate::limits::{INTEGER_MAX, INTEGER_MIN};
use crate::{Limits, Reason, Rejection};

/// Whether null may stand for "remove".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    Remove,
    Refused,
}

/// Checks the names, values and depth of a patch or of a whole section given at `field`.
pub(super) fn check_members(
    field: &str,
    members: &BTreeMap<String, Json>,
    nulls: Nulls,
    limits: &Limits,
) -> Result<(), Rejection> {
    check_object(members, nulls, 1, limits).map_err(|refusal| refusal.within(field))
}

fn check_object(members: &BTreeMap<String, Json>, nulls: Nulls, depth: u64, limits: &Limits) -> Result<(), Rejection> {
    for (name, value) in members {
        check_name(name, limits)?;
        if depth > limits.depth_max {
            let rule = format!("nested deeper than {} levels", limits.depth_max);
            return Err(Rejection::new(Reason::InvalidDocument, name.clone(), rule));
        }
        check_value(value, nulls, depth, limits).map_err(|refusal| refusal.within(name))?;
    }
    Ok(())
}

fn check_value(value: &Json, nulls: Nulls, depth: u64, limits: &Limits) -> Result<(), Rejection> {
    match value {
        Json::Null if nulls == Nulls::Refused => {
            let rule = "null is not allowed where a whole section is given; leave the member out to remove it";
            Err(Rejection::new(Reason::NullNotAllowed, "", rule))
        }
        Json::Null | Json::Bool(_) => Ok(()),
        Json::Int(value) => check_integer(*value),
        Json::Float(_) => Ok(()),
        Json::String(_) => check_leaf_size(value, limits),
        Json::Array(items) => {
            check_leaf_size(value, limits)?;
            items.iter().enumerate().try_for_each(|(index, item)| {
                check_item(item, depth + 1, limits).map_err(|refusal| refusal.within(&format!("[{index}]")))
            })
        }
        Json::Object(members) => check_object(members, nulls, depth + 1, limits),
    }
}

/// Inside arrays null is a value, and everything counts to the array's size.
fn check_item(value: &Json, depth: u64, limits: &Limits) -> Result<(), Rejection> {
    if depth > limits.depth_max {
        let rule = format!("nested deeper than {} levels", limits.depth_max);
        return Err(Rejection::new(Reason::InvalidDocument, "", rule));
    }
    match value {
        Json::Null | Json::Bool(_) | Json::Float(_) | Json::String(_) => Ok(()),
        Json::Int(value) => check_integer(*value),
        Json::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            check_item(item, depth + 1, limits).map_err(|refusal| refusal.within(&format!("[{index}]")))
        }),
        Json::Object(members) => members.iter().try_for_each(|(name, item)| {
            check_name(name, limits)?;
            check_item(item, depth + 1, limits).map_err(|refusal| refusal.within(name))
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

fn check_leaf_size(value: &Json, limits: &Limits) -> Result<(), Rejection> {
    let size = json_size(value);
    if size <= limits.value_bytes_max {
        return Ok(());
    }
    let rule = format!("a value must have at most {} bytes, has {size}", limits.value_bytes_max);
    Err(Rejection::new(Reason::TooLarge, "", rule))
}

/// Refuses a section that grew past its limit. One that is past it already may shrink.
pub(super) fn check_section_size(
    field: &str,
    before: &Section,
    after: &Section,
    bytes_max: u64,
) -> Result<(), Rejection> {
    let size = section_size(after);
    if size <= bytes_max || size <= section_size(before) {
        return Ok(());
    }
    let rule = format!("{field} would make the section {size} bytes, its limit is {bytes_max}");
    Err(Rejection::new(Reason::TooLarge, field, rule))
}

/// Size of a section, bytes.
#[must_use]
pub fn section_size(section: &Section) -> u64 {
    members_size(&section.members)
}

/// Size of an object's members, bytes.
#[must_use]
pub fn members_size(members: &Members) -> u64 {
    members.iter().map(|(name, node)| name.len() as u64 + value_size(&node.value)).sum()
}

fn value_size(value: &Value) -> u64 {
    match value {
        Value::Bool(_) => 4,
        Value::Int(_) | Value::Float(_) => 8,
        Value::String(text) => text_size(text),
        Value::Array(items) => items.iter().map(json_size).sum(),
        Value::Object(members) => members_size(members),
    }
}

fn json_size(value: &Json) -> u64 {
    match value {
        Json::Null | Json::Bool(_) => 4,
        Json::Int(_) | Json::Float(_) => 8,
        Json::String(text) => text_size(text),
        Json::Array(items) => items.iter().map(json_size).sum(),
        Json::Object(members) => members.iter().map(|(name, item)| name.len() as u64 + json_size(item)).sum(),
    }
}

fn text_size(text: &str) -> u64 {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return text.len() as u64;
    }
    text.chars().filter(|c| !c.is_control()).map(|c| c.len_utf8() as u64).sum()
}
