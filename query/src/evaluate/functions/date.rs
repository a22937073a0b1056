//! Functions of time: milliseconds since the epoch, RFC 3339 text, and the calendar of UTC, in the years 0 to 9999.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use crate::evaluate::Datum;
use crate::plan::Unit;

use super::whole;

/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z, milliseconds: the years that RFC 3339 can write.
const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

/// `TO_MILLIS`; what is no text is undefined here.
pub(super) fn to_millis(text: &Datum<'_>) -> Datum<'static> {
    text.as_text().and_then(parse_rfc3339).map_or(Datum::Undefined, Datum::Int)
}

/// `FROM_MILLIS`
pub(super) fn from_millis(n: &Datum<'_>) -> Datum<'static> {
    let text = whole(n).filter(|ms| RANGE.contains(ms)).and_then(|ms| {
        let at = civil(ms)?;
        let (date, time) = (at.date(), at.time());
        Some(format!("{date}T{:02}:{:02}:{:02}.{:03}Z", time.hour(), time.minute(), time.second(), time.millisecond()))
    });
    text.map_or(Datum::Undefined, Datum::owned_text)
}

/// `DATE_ADD`: a day that the month reached does not have becomes its last one.
pub(super) fn add(unit: Unit, n: &Datum<'_>, t: &Datum<'_>) -> Datum<'static> {
    let sum = whole(n).zip(moment(t)).and_then(|(n, ms)| match months(unit) {
        Some(months) => add_months(ms, n.checked_mul(months)?),
        None => ms.checked_add(n.checked_mul(milliseconds(unit)?)?),
    });
    in_range(sum)
}

/// `DATE_DIFF`: from the first to the second.
pub(super) fn difference(unit: Unit, t: &Datum<'_>, u: &Datum<'_>) -> Datum<'static> {
    let units = moment(t).zip(moment(u)).and_then(|(t, u)| match months(unit) {
        Some(months) => Some(months_between(civil(t)?, civil(u)?) / months),
        None => Some((u - t) / milliseconds(unit)?),
    });
    units.map_or(Datum::Undefined, Datum::Int)
}

/// `DATE_PART`
pub(super) fn part(unit: Unit, t: &Datum<'_>) -> Datum<'static> {
    let Some(at) = moment(t).and_then(civil) else { return Datum::Undefined };
    Datum::Int(match unit {
        Unit::Millisecond => i64::from(at.millisecond()),
        Unit::Second => i64::from(at.second()),
        Unit::Minute => i64::from(at.minute()),
        Unit::Hour => i64::from(at.hour()),
        Unit::Day => i64::from(at.day()),
        Unit::Week => i64::from(at.date().iso_week_date().week()),
        Unit::Month => i64::from(at.month()),
        Unit::Quarter => i64::from((at.month() - 1) / 3 + 1),
        Unit::Year => i64::from(at.year()),
        Unit::Weekday => i64::from(at.weekday().to_monday_one_offset()),
    })
}

/// `DATE_TRUNC`
pub(super) fn truncate(unit: Unit, t: &Datum<'_>) -> Datum<'static> {
    let start = moment(t).and_then(|ms| {
        let date = civil(ms)?.date();
        match unit {
            Unit::Week => {
                let days = i64::from(date.weekday().to_monday_zero_offset());
                let day = milliseconds(Unit::Day)?;
                Some(ms - ms.rem_euclid(day) - days * day)
            }
            Unit::Month => midnight(date.year(), date.month()),
            Unit::Quarter => midnight(date.year(), (date.month() - 1) / 3 * 3 + 1),
            Unit::Year => midnight(date.year(), 1),
            _ => Some(ms - ms.rem_euclid(milliseconds(unit)?)),
        }
    });
    in_range(start)
}

/// RFC 3339 as milliseconds since the epoch, digits below cut off (towards the past). Stricter than the parser of the
/// calendar, which takes much of ISO 8601 too.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (head, rest) = bytes.split_at_checked(19)?;
    let shape = b"0000-00-00T00:00:00".iter().zip(head).all(|(wanted, byte)| match wanted {
        b'0' => byte.is_ascii_digit(),
        _ => wanted.eq_ignore_ascii_case(byte),
    });
    let digits = rest.strip_prefix(b".").map(|rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    // Nine digits are what the calendar takes; more of them lie far below a millisecond.
    let (fraction, zone) = match digits {
        Some(0) => return None,
        Some(digits) => (&rest[..=digits.min(9)], &rest[digits + 1..]),
        None => (&rest[..0], rest),
    };
    let zone_shape = match zone {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()) && (*h1, *h2) <= (b'2', b'3') && *m1 <= b'5'
        }
        _ => false,
    };
    if !(shape && zone_shape) {
        return None;
    }
    let joined = [head, fraction, zone].concat();
    let at: Timestamp = std::str::from_utf8(&joined).ok()?.parse().ok()?;
    let ms = at.as_nanosecond().div_euclid(1_000_000);
    i64::try_from(ms).ok().filter(|ms| RANGE.contains(ms))
}

/// Text or milliseconds.
fn moment(t: &Datum<'_>) -> Option<i64> {
    match t {
        Datum::Str(text) => parse_rfc3339(text),
        _ => whole(t).filter(|ms| RANGE.contains(ms)),
    }
}

fn in_range(ms: Option<i64>) -> Datum<'static> {
    ms.filter(|ms| RANGE.contains(ms)).map_or(Datum::Undefined, Datum::Int)
}

fn civil(ms: i64) -> Option<DateTime> {
    Some(Offset::UTC.to_datetime(Timestamp::from_millisecond(ms).ok()?))
}

fn millis(at: DateTime) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(at).ok()?.as_millisecond())
}

fn midnight(year: i16, month: i8) -> Option<i64> {
    millis(DateTime::from_parts(Date::new(year, month, 1).ok()?, Time::midnight()))
}

fn add_months(ms: i64, months: i64) -> Option<i64> {
    let at = civil(ms)?;
    let month = (i64::from(at.year()) * 12 + i64::from(at.month()) - 1).checked_add(months)?;
    let year = i16::try_from(month.div_euclid(12)).ok()?;
    let first = Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?;
    let date = Date::new(year, first.month(), at.day().min(first.days_in_month())).ok()?;
    millis(DateTime::from_parts(date, at.time()))
}

/// Whole months: the last one counts when its day and time are reached.
fn months_between(from: DateTime, to: DateTime) -> i64 {
    let months = |at: DateTime| i64::from(at.year()) * 12 + i64::from(at.month());
    let within = |at: DateTime| (at.day(), at.time());
    let between = months(to) - months(from);
    match within(to).cmp(&within(from)) {
        std::cmp::Ordering::Less if between > 0 => between - 1,
        std::cmp::Ordering::Greater if between < 0 => between + 1,
        _ => between,
    }
}

/// How many months a unit of the calendar has.
fn months(unit: Unit) -> Option<i64> {
    match unit {
        Unit::Month => Some(1),
        Unit::Quarter => Some(3),
        Unit::Year => Some(12),
        _ => None,
    }
}

/// How long a unit is that is always as long.
fn milliseconds(unit: Unit) -> Option<i64> {
    match unit {
        Unit::Millisecond => Some(1),
        Unit::Second => Some(1_000),
        Unit::Minute => Some(60_000),
        Unit::Hour => Some(3_600_000),
        Unit::Day => Some(86_400_000),
        Unit::Week => Some(7 * 86_400_000),
        _ => None,
    }
}
