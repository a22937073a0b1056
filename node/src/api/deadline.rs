//! How long a caller says it will wait (`grpc-timeout`). Tonic ends the call then; this is for handlers that want to
//! answer before.

use std::time::Duration;

use tonic::Request;

/// What the caller said; `None` when it said nothing that can be read.
pub(crate) fn of<M>(request: &Request<M>) -> Option<Duration> {
    parse(request.metadata().get("grpc-timeout")?.to_str().ok()?)
}

/// Up to eight digits and a unit, after gRPC's protocol.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts_are_read() {
        for (text, millis) in [("5S", 5_000), ("250m", 250), ("2M", 120_000), ("99999999u", 99_999)] {
            assert_eq!(parse(text).map(|wait| wait.as_millis()), Some(millis), "{text}");
        }
        for bad in ["", "S", "5", "5x", "-5S", "123456789S", "5é"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
