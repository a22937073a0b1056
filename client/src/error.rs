//! What a call that failed tells its caller: which call, where, after how many tries, why, and what may be done about it.
//!
//! Decoding of `google.rpc` details ends here; nothing else in the client looks into them.

use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// A rule that a field of the request breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field in the request.
    pub field: String,
    /// The rule.
    pub description: String,
}

/// A call that failed for good: it was refused, or the retries did not help.
#[derive(Debug, Clone)]
pub struct CallError(Box<Failure>);

#[derive(Debug, Clone)]
struct Failure {
    operation: &'static str,
    code: Code,
    message: String,
    reason: Option<String>,
    current_etag: Option<String>,
    floor: Option<u64>,
    violations: Vec<FieldViolation>,
    help: Option<String>,
    retry_after: Option<Duration>,
    transport: bool,
    outcome_unknown: bool,
    endpoint: String,
    attempts: u32,
}

impl CallError {
    /// `outcome_unknown`: whether any of the tries may have taken effect; see [`crate::retry::leaves_doubt`].
    pub(crate) fn new(
        operation: &'static str,
        outcome_unknown: bool,
        endpoint: &str,
        attempts: u32,
        status: &Status,
    ) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let metadata =
            |key: &str| info.and_then(|info| info.metadata.get(key)).filter(|value| !value.is_empty()).cloned();
        Self(Box::new(Failure {
            operation,
            code: status.code(),
            message: message(status),
            reason: info.map(|info| info.reason.clone()).filter(|reason| !reason.is_empty()),
            current_etag: metadata("current_etag").or_else(|| metadata("current")).or_else(|| metadata("etag")),
            floor: metadata("floor").and_then(|floor| floor.parse().ok()),
            violations: details.bad_request().map_or_else(Vec::new, |bad_request| {
                let violation = |violation: &tonic_types::FieldViolation| FieldViolation {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                };
                bad_request.field_violations.iter().map(violation).collect()
            }),
            help: details.help().and_then(|help| help.links.first()).map(|link| link.url.clone()),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
            transport: is_transport_fault(status),
            outcome_unknown,
            endpoint: endpoint.to_owned(),
            attempts,
        }))
    }

    /// The canonical code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The server's stable reason, such as `ETAG_MISMATCH`; none when the answer did not come from a server.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The server's message, or what broke on the way.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// For a stale etag: the current one.
    #[must_use]
    pub fn current_etag(&self) -> Option<&str> {
        self.0.current_etag.as_deref()
    }

    /// For a past that was compacted: the oldest revision that can be asked for.
    #[must_use]
    pub fn floor(&self) -> Option<u64> {
        self.0.floor
    }

    /// Fields at fault with their rules.
    #[must_use]
    pub fn field_violations(&self) -> &[FieldViolation] {
        &self.0.violations
    }

    /// Address of the page that explains the reason.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// How long the server asked to wait before another try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The endpoint that was asked last; empty when none was.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// How often it was tried.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the same call may succeed later without a change by the caller. Repeat a write with its `request_id`.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        let code = self.0.code;
        self.0.transport
            || matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled)
            || (code == Code::ResourceExhausted && self.0.retry_after.is_some())
    }

    /// Whether the write may have taken effect all the same, by this try or one before it. A read changes nothing, so this is
    /// never so for a read.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }
}

/// The text that says most: a transport fault's own message is often only "transport error", with the cause behind it.
fn message(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        cause = error.source();
    }
    if text.is_empty() { status.code().description().to_owned() } else { text }
}

/// A status made on this side out of a broken connection, rather than sent by a server.
pub(crate) fn is_transport_fault(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = &*self.0;
        write!(f, "{} failed: {}", failure.operation, failure.message)?;
        for violation in &failure.violations {
            // Many refusals are one violation whose sentence is the message already.
            if !failure.message.contains(&violation.description) {
                write!(f, "; {}: {}", violation.field, violation.description)?;
            } else if !violation.field.is_empty() && !failure.message.contains(&violation.field) {
                write!(f, " (field {})", violation.field)?;
            }
        }
        write!(f, " [{}", code_name(failure.code))?;
        if let Some(reason) = &failure.reason {
            write!(f, ", {reason}")?;
        }
        if !failure.endpoint.is_empty() {
            write!(f, ", from {}", failure.endpoint)?;
        }
        if failure.attempts > 1 {
            write!(f, ", after {} tries", failure.attempts)?;
        }
        write!(f, "]")?;
        if let Some(etag) = failure.current_etag.as_deref().filter(|etag| !failure.message.contains(etag)) {
            write!(f, "; the current etag is `{etag}`")?;
        }
        if self.is_outcome_unknown() {
            write!(f, "; whether it took effect is unknown: repeat it with the same request id, or look")?;
        }
        if let Some(help) = &failure.help {
            write!(f, "; see {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallError {}

/// The code as the gRPC documentation spells it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn details_of_the_server_arrive() {
        let mut details = ErrorDetails::new();
        let metadata = HashMap::from([("current_etag".to_owned(), "42".to_owned())]);
        details.set_error_info("ETAG_MISMATCH", "muster", metadata);
        details.add_bad_request_violation("etag", "must be the current one");
        details.add_help_link("what to do", "https://example.org/etag");
        let status = Status::with_error_details(Code::Aborted, "etag is stale", details);
        let error = CallError::new("PatchTwin", false, "https://n1:7420", 2, &status);
        assert_eq!(error.reason(), Some("ETAG_MISMATCH"));
        assert_eq!(error.current_etag(), Some("42"));
        assert_eq!(error.field_violations()[0].field, "etag");
        assert!(!error.is_retryable());
        assert!(!error.is_outcome_unknown());
        assert_eq!(
            error.to_string(),
            "PatchTwin failed: etag is stale; etag: must be the current one [ABORTED, ETAG_MISMATCH, from https://n1:7420, \
             after 2 tries]; the current etag is `42`; see https://example.org/etag"
        );
    }
}
