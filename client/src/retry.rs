//! What may be repeated, how often, and how long to wait in between. It does no calls itself.
//!
//! - A read may always be repeated.
//! - A write is repeated only with a request id; then the server answers a repetition with the first outcome.
//! - Waiting doubles from try to try and is drawn at random from zero to its bound ("full jitter"), so that clients that
//!   lost the same node do not come back together. A wait the server asks for is honoured as the least one.

use std::time::Duration;

use rand::Rng;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::error::is_transport_fault;
use crate::proto;

/// How a client repeats calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Bound of a whole call, all tries and waits together.
    pub deadline: Duration,
    /// Bound of one try.
    pub attempt_timeout: Duration,
    /// Bound of the first wait.
    pub first_wait: Duration,
    /// Bound of any wait, but for one the server asks for.
    pub wait_max: Duration,
    /// Tries at most; 1 turns repeating off.
    pub attempts_max: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            attempt_timeout: Duration::from_secs(10),
            first_wait: Duration::from_millis(50),
            wait_max: Duration::from_secs(2),
            attempts_max: 64,
        }
    }
}

impl RetryPolicy {
    /// The wait before the next try, after `rounds` rounds over all endpoints have failed.
    pub(crate) fn wait(&self, rounds: u32, asked: Option<Duration>) -> Duration {
        let bound = self.first_wait.saturating_mul(1 << rounds.min(16)).min(self.wait_max);
        let jittered = bound.mul_f64(rand::rng().random_range(0.0..=1.0));
        asked.map_or(jittered, |asked| asked.saturating_add(jittered))
    }
}

/// Whether a call changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// A write with a request id.
    Write,
}

/// What a failed try means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// An answer: repeating it would give the same one.
    Final,
    /// This endpoint cannot, another may.
    Elsewhere,
    /// The server asks to come back later; any endpoint will say so.
    Later(Duration),
}

/// Judges a failed try.
pub(crate) fn judge(kind: Kind, status: &Status) -> Verdict {
    match status.code() {
        Code::Unavailable => Verdict::Elsewhere,
        Code::ResourceExhausted => match status.get_details_retry_info().and_then(|retry| retry.retry_delay) {
            Some(delay) => Verdict::Later(delay),
            None => Verdict::Final,
        },
        // The outcome is unknown. Both kinds may repeat it: a read has no effect, a write has its request id. A node that
        // gives a call up because its time is over says `CANCELLED`.
        Code::DeadlineExceeded | Code::Unknown | Code::Cancelled => match kind {
            Kind::Read | Kind::Write => Verdict::Elsewhere,
        },
        // A connection that broke under the call: tonic gives it one of several codes.
        Code::Internal if is_transport_fault(status) => Verdict::Elsewhere,
        _ => Verdict::Final,
    }
}

/// Whether a write may have taken effect after a try that failed with `status`; `before` says so of the tries before it.
///
/// A refusal by a rule is the outcome of all tries, because the server knows the request id. Any other failure speaks of its
/// own try alone: a node out of reach does not undo what the one before it may have done.
pub(crate) fn leaves_doubt(status: &Status, before: bool) -> bool {
    match status.code() {
        Code::DeadlineExceeded | Code::Unknown | Code::Cancelled | Code::Internal | Code::DataLoss => true,
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange => is_transport_fault(status),
        Code::Unavailable => before,
        _ => before || is_transport_fault(status),
    }
}

/// A request id: 128 random bits in the usual form of a UUID.
#[must_use]
pub fn new_request_id() -> String {
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

/// A request that changes something and therefore names itself.
pub(crate) trait Mutation {
    /// The request's id.
    fn request_id(&mut self) -> &mut String;

    /// Gives the request an id if it has none.
    fn name_itself(&mut self) {
        if self.request_id().is_empty() {
            *self.request_id() = new_request_id();
        }
    }
}

macro_rules! mutations {
    ($($request:ident)*) => {$(
        impl Mutation for proto::$request {
            fn request_id(&mut self) -> &mut String {
                &mut self.request_id
            }
        }
    )*};
}

mutations! {
    CreateNamespaceRequest UpdateNamespaceRequest DeleteNamespaceRequest
    CreateDeviceRequest UpdateDeviceRequest SetDeviceStatusRequest DeleteDeviceRequest RegenerateKeysRequest
    BatchCreateDevicesRequest BatchUpdateDevicesRequest BatchDeleteDevicesRequest ImportDevicesRequest
    CreateModuleRequest UpdateModuleRequest DeleteModuleRequest
    PatchTwinRequest ReplaceTwinRequest BatchPatchTwinsRequest ReportPropertiesRequest
    CreateAssetRequest UpdateAssetRequest DeleteAssetRequest SetAssetEnabledRequest UpdateAssetStatusRequest
    CreateTokenRequest RevokeTokenRequest
    CreateCursorRequest AcknowledgeCursorRequest DeleteCursorRequest
    AdmitNodeRequest PromoteMemberRequest RemoveMemberRequest
    UpdateRetentionRequest CompactEventsRequest
    CreateSavedQueryRequest UpdateSavedQueryRequest DeleteSavedQueryRequest
    CreateEdgeRequest UpdateEdgeRequest DeleteEdgeRequest
    CreateSiteRequest UpdateSiteRequest DeleteSiteRequest
    ReportDiscoveredDeviceRequest ReportDiscoveredAssetRequest AcceptDiscoveredDeviceRequest AcceptDiscoveredAssetRequest
    DismissDiscoveredRequest DeleteDiscoveredRequest
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn answers_are_final_and_faults_are_not() {
        for code in [Code::InvalidArgument, Code::NotFound, Code::AlreadyExists, Code::Aborted, Code::PermissionDenied]
        {
            assert_eq!(judge(Kind::Read, &Status::new(code, "")), Verdict::Final);
        }
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Unknown, Code::Cancelled] {
            assert_eq!(judge(Kind::Write, &Status::new(code, "")), Verdict::Elsewhere);
        }
        assert_eq!(judge(Kind::Read, &Status::internal("a bug")), Verdict::Final);
    }

    #[test]
    fn a_doubt_lasts_until_the_server_decides() {
        let unreachable = Status::unavailable("connection refused");
        for code in [Code::DeadlineExceeded, Code::Cancelled, Code::Internal] {
            assert!(leaves_doubt(&Status::new(code, "Timeout expired"), false), "{code:?}");
        }
        assert!(!leaves_doubt(&unreachable, false), "a node that was not reached did nothing");
        assert!(leaves_doubt(&unreachable, true), "but it does not undo what another may have done");
        assert!(leaves_doubt(&Status::resource_exhausted("disk full"), true));
        assert!(!leaves_doubt(&Status::aborted("etag is stale"), true), "the rule decides all tries");
    }

    #[test]
    fn exhausted_is_repeated_only_when_the_server_says_when() {
        assert_eq!(judge(Kind::Write, &Status::resource_exhausted("disk full")), Verdict::Final);
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(20)));
        let status = Status::with_error_details(Code::ResourceExhausted, "queue full", details);
        assert_eq!(judge(Kind::Write, &status), Verdict::Later(Duration::from_millis(20)));
    }

    #[test]
    fn waits_grow_to_their_bound_and_never_undercut_the_server() {
        let policy = RetryPolicy::default();
        for round in 0..40 {
            assert!(policy.wait(round, None) <= policy.wait_max);
        }
        let asked = Duration::from_secs(3);
        assert!(policy.wait(0, Some(asked)) >= asked);
    }

    #[test]
    fn request_ids_are_uuids_and_differ() {
        let (one, two) = (new_request_id(), new_request_id());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "4");
    }

    #[test]
    fn an_id_given_is_kept() {
        let mut request = proto::PatchTwinRequest { request_id: "mine".to_owned(), ..Default::default() };
        request.name_itself();
        assert_eq!(request.request_id, "mine");
        request.request_id.clear();
        request.name_itself();
        assert!(!request.request_id.is_empty());
    }
}
