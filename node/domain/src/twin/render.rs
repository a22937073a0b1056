//! A section as JSON text, and its `$metadata` as IoT Hub shows it. Times are RFC 3339 in UTC with milliseconds.

use std::fmt::Write as _;

use super::{Members, Section, Touch, Value};
use crate::json::{write_float, write_int, write_list, write_string};

impl Section {
    /// Appends the document as JSON text, without `$version` and `$metadata`.
    pub fn write_json(&self, out: &mut String) {
        write_members(out, self.document.members());
    }

    /// Appends `$metadata`: each node's `$lastUpdated`, and with `versions` its `$lastUpdatedVersion`.
    pub fn write_metadata(&self, out: &mut String, versions: bool) {
        let touch = Touch { time_ms: self.updated_ms, version: self.updated_version };
        write_trace(out, touch, Some(self.document.members()), versions);
    }
}

fn write_members(out: &mut String, members: Members<'_>) {
    write_list(out, '{', '}', members, |out, member| {
        write_string(out, member.name());
        out.push(':');
        write_value(out, member.value());
    });
}

fn write_value(out: &mut String, value: Value<'_>) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(value) => write_int(out, value),
        Value::Float(value) => write_float(out, value),
        Value::String(value) => write_string(out, value),
        Value::Array(items) => write_list(out, '[', ']', items, |out, item| write_value(out, item.value())),
        Value::Object(members) => write_members(out, members),
    }
}

fn write_trace(out: &mut String, touch: Touch, members: Option<Members<'_>>, versions: bool) {
    out.push_str("{\"$lastUpdated\":\"");
    write_time(out, touch.time_ms);
    out.push('"');
    if versions {
        write!(out, ",\"$lastUpdatedVersion\":{}", touch.version).expect("writing to a String cannot fail");
    }
    for member in members.into_iter().flatten() {
        out.push(',');
        write_string(out, member.name());
        out.push(':');
        let inner = match member.value() {
            Value::Object(members) => Some(members),
            _ => None,
        };
        write_trace(out, member.touch(), inner, versions);
    }
    out.push('}');
}

/// Appends a time as `2026-11-20T17:25:59.123Z`.
pub fn write_time(out: &mut String, time_ms: u64) {
    let (days, day_ms) = (time_ms / 86_400_000, time_ms % 86_400_000);
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second, milli) = (day_ms / 3_600_000, day_ms / 60_000 % 60, day_ms / 1_000 % 60, day_ms % 1_000);
    write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
        .expect("writing to a String cannot fail");
}

/// Days since 1970-01-01 to a date of the Gregorian calendar, after Howard Hinnant's `civil_from_days`.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}
