//! Dates, in UTC by the Gregorian calendar: days are counted one by one.

use serde_json::{Value as Json, json};

use super::V;

const DAY: i64 = 86_400_000;
/// The years 0 to 9999.
pub(crate) const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month, day and the milliseconds of the day.
fn civil(ms: i64) -> (i64, i64, i64, i64) {
    let mut days = ms.div_euclid(DAY);
    let (mut year, mut month) = (1970, 1);
    let in_year = |year: i64| (1..=12).map(|month| days_in(year, month)).sum::<i64>();
    while days < 0 {
        year -= 1;
        days += in_year(year);
    }
    while days >= in_year(year) {
        days -= in_year(year);
        year += 1;
    }
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    (year, month, days + 1, ms.rem_euclid(DAY))
}

fn millis(year: i64, month: i64, day: i64, rest: i64) -> i64 {
    let in_year = |year: i64| (1..=12).map(|month| days_in(year, month)).sum::<i64>();
    let years: i64 =
        if year >= 1970 { (1970..year).map(in_year).sum() } else { -(year..1970).map(in_year).sum::<i64>() };
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    (years + months + day - 1) * DAY + rest
}

/// Milliseconds of RFC 3339 text, or the number itself.
pub(crate) fn moment(value: &Json) -> Option<i64> {
    if value.is_number() {
        return super::numbers::whole(value).filter(|ms| RANGE.contains(ms));
    }
    read(value.as_str()?).filter(|ms| RANGE.contains(ms))
}

/// RFC 3339: `2026-11-26T22:05:21`, perhaps a fraction, then `Z` or `+hh:mm`.
fn read(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let digits = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse::<i64>().ok() } else { None }
    };
    let is = |at: usize, sign: &str| text.get(at..=at) == Some(sign);
    if !(is(4, "-") && is(7, "-") && is(10, "T") && is(13, ":") && is(16, ":")) {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    // A leap second is the last one of its minute again.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let (milli, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
            (format!("{:0<3}", &rest[..end])[..3].parse::<i64>().ok()?, &rest[end..])
        }
        None => (0, rest),
    };
    let local = millis(year, month, day, ((hour * 60 + minute) * 60 + second.min(59)) * 1_000 + milli);
    Some(local - offset(zone)? * 60_000)
}

/// Minutes east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let two = |part: &str, most: i64| {
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { part.parse::<i64>().ok().filter(|number| *number <= most) } else { None }
    };
    Some(sign * (two(hours, 23)? * 60 + two(minutes, 59)?))
}

pub(crate) fn text(ms: i64) -> String {
    let (year, month, day, rest) = civil(ms);
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

fn fixed(unit: &str) -> Option<i64> {
    Some(match unit {
        "millisecond" => 1,
        "second" => 1_000,
        "minute" => 60_000,
        "hour" => 3_600_000,
        "day" => DAY,
        "week" => 7 * DAY,
        _ => return None,
    })
}

fn months(unit: &str) -> i64 {
    match unit {
        "month" => 1,
        "quarter" => 3,
        _ => 12,
    }
}

pub(crate) fn add(unit: &str, count: i64, ms: i64) -> Option<i64> {
    if let Some(length) = fixed(unit) {
        return ms.checked_add(count.checked_mul(length)?);
    }
    let (year, month, day, rest) = civil(ms);
    let all = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(count.checked_mul(months(unit))?)?;
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
    if !(0..=9_999).contains(&year) {
        return None;
    }
    Some(millis(year, month, day.min(days_in(year, month)), rest))
}

pub(crate) fn difference(unit: &str, from: i64, to: i64) -> i64 {
    if let Some(length) = fixed(unit) {
        return (to - from) / length;
    }
    // The last month is whole when the day and time of day are reached.
    let (a, b) = (civil(from), civil(to));
    let between = (b.0 * 12 + b.1) - (a.0 * 12 + a.1);
    let is_short = if between > 0 { (b.2, b.3) < (a.2, a.3) } else { (b.2, b.3) > (a.2, a.3) };
    let whole = if is_short { between - between.signum() } else { between };
    whole / months(unit)
}

pub(crate) fn part(unit: &str, ms: i64) -> i64 {
    let (year, month, day, rest) = civil(ms);
    match unit {
        "millisecond" => rest % 1_000,
        "second" => rest / 1_000 % 60,
        "minute" => rest / 60_000 % 60,
        "hour" => rest / 3_600_000,
        "day" => day,
        "month" => month,
        "quarter" => (month - 1) / 3 + 1,
        "year" => year,
        // 1970-01-01 was a Thursday.
        "weekday" => (ms.div_euclid(DAY) + 3).rem_euclid(7) + 1,
        _ => week(ms),
    }
}

/// The week of ISO 8601: the one that holds the year's first Thursday is the first.
fn week(ms: i64) -> i64 {
    let day = ms.div_euclid(DAY);
    let thursday = day - (day + 3).rem_euclid(7) + 3;
    let (year, ..) = civil(thursday * DAY);
    (thursday - millis(year, 1, 1, 0) / DAY) / 7 + 1
}

pub(crate) fn truncated(unit: &str, ms: i64) -> i64 {
    let (year, month, ..) = civil(ms);
    match unit {
        "week" => (ms.div_euclid(DAY) - (ms.div_euclid(DAY) + 3).rem_euclid(7)) * DAY,
        "month" => millis(year, month, 1, 0),
        "quarter" => millis(year, (month - 1) / 3 * 3 + 1, 1, 0),
        "year" => millis(year, 1, 1, 0),
        _ => ms - ms.rem_euclid(fixed(unit).unwrap_or(1)),
    }
}

pub(crate) fn whole(count: i64) -> V {
    Some(json!(count))
}

/// A time, when it lies in the years 0 to 9999.
pub(crate) fn time(ms: i64) -> V {
    RANGE.contains(&ms).then(|| json!(ms))
}
