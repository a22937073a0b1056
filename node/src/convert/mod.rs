//! Messages of the public API and the domain's types, one file per noun. Assets and endpoints are stored as these
//! messages too: one conversion for both.
//!
//! It checks form only (an enum number that is not known, a field that is absent but needed to know what is meant, a key
//! that is not base64); what values are allowed is the domain's business. It knows no storage, no Raft and no caller.
//! Invariants:
//! - From domain to message and back gives the same value, for every value the domain accepts.
//! - What was once accepted in `asset`, `asset_status` and `endpoints` is accepted for ever, because it lies on disk.
//! - A refusal names the field by its path in a request.
//! - No answer holds keys, hashes or secrets, except through [`keys::open`].

use muster_domain::{Reason, Rejection};
use prost_types::Timestamp;

pub mod asset;
mod asset_parts;
pub mod asset_resource;
pub mod asset_status;
pub mod cursor;
pub mod device;
pub mod discovery;
pub mod edge;
pub mod endpoints;
pub mod event;
pub mod event_json;
pub mod import;
pub mod keys;
pub mod module;
pub mod namespace;
pub mod resource;
pub mod retention;
pub mod saved_query;
pub mod site;
pub mod token;
pub mod twin;

/// A moment, milliseconds since the epoch, as a message.
#[must_use]
pub fn timestamp(ms: u64) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(ms / 1_000).expect("a thousandth of u64::MAX fits into i64"),
        nanos: i32::try_from(ms % 1_000).expect("it is below 1,000") * 1_000_000,
    }
}

/// Like [`timestamp`], where 0 means that there is none.
#[must_use]
pub fn optional_timestamp(ms: u64) -> Option<Timestamp> {
    (ms > 0).then(|| timestamp(ms))
}

/// Milliseconds since the epoch; finer parts are cut off.
///
/// # Errors
/// Names `field` when the moment lies before 1970, too far ahead to count, or has impossible nanoseconds.
pub fn millis(field: &str, moment: &Timestamp) -> Result<u64, Rejection> {
    let seconds = u64::try_from(moment.seconds).ok();
    let nanos = u64::try_from(moment.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    seconds
        .zip(nanos)
        .and_then(|(seconds, nanos)| seconds.checked_mul(1_000)?.checked_add(nanos / 1_000_000))
        .ok_or_else(|| invalid(field, format!("{field} must be a moment from 1970-01-01 on")))
}

fn invalid(field: &str, message: impl Into<String>) -> Rejection {
    Rejection::new(Reason::InvalidField, field, message)
}

fn unknown(field: &str, number: i32) -> Rejection {
    invalid(field, format!("{field} has the unknown value {number}"))
}

/// A value of an enumeration.
pub(crate) fn choice<E: TryFrom<i32>>(field: &str, value: i32) -> Result<E, Rejection> {
    E::try_from(value).map_err(|_| unknown(field, value))
}

/// Converts the elements of the list `name`; a refusal names the element.
fn each<From, To>(
    name: &str,
    items: Vec<From>,
    convert: impl Fn(From) -> Result<To, Rejection>,
) -> Result<Vec<To>, Rejection> {
    let items = items.into_iter().enumerate();
    items.map(|(at, item)| convert(item).map_err(|refusal| refusal.within(&format!("{name}[{at}]")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_round_trip_to_the_millisecond() {
        for ms in [0, 1, 999, 1_000, 1_795_000_000_123, u64::MAX] {
            assert_eq!(millis("at", &timestamp(ms)), Ok(ms));
        }
        assert_eq!(optional_timestamp(0), None);
    }

    #[test]
    fn impossible_moments_are_refused() {
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MAX, 0)] {
            let refusal = millis("at", &Timestamp { seconds, nanos }).expect_err("not a moment we can keep");
            assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidField, "at"));
        }
    }
}
