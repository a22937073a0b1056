//! `PatchTwinStream`: patches come in as fast as the caller sends them and are answered in their order.
//!
//! - At most [`IN_FLIGHT_MAX`] patches are under way; beyond that the stream is not read, so the sender feels it.
//! - Patches are submitted in the order in which they came. Each is a change of its own.
//! - A refused patch is answered with its error and the stream goes on. A broken stream ends.
//! - When the caller leaves, nothing more is read; what was submitted takes effect or not, as with any lost answer.
//! - The body hash is that of the single call, so that a patch may be retried there under its request id.

use std::sync::Arc;

use futures::{Stream, StreamExt};
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use tokio::sync::oneshot;
use tonic::Status;

use super::malformed::clarify;
use super::status::{Failure, item};
use super::twin;
use super::write::{Write, accepted};
use crate::authorize::Caller;
use crate::node::Services;
use crate::outcome::Outcome;
use crate::propose::ProposeError;

/// Patches under way on one stream; the API says so.
const IN_FLIGHT_MAX: usize = 4_096;

type Pending = oneshot::Receiver<Result<Outcome, ProposeError>>;

/// The answers to `patches`.
pub(crate) fn answers<S>(
    services: Arc<Services>,
    caller: Caller,
    patches: S,
) -> impl Stream<Item = Result<v1::PatchTwinStreamResponse, Status>> + Send
where
    S: Stream<Item = Result<v1::PatchTwinRequest, Status>> + Send,
{
    // `map` submits when a patch is read, in order; `buffered` only waits for the outcomes, in order too.
    let begun = patches.enumerate().map(move |(at, patch)| {
        let sequence = at as u64;
        let begun = patch.map(|patch| submit(&services, &caller, patch));
        async move {
            match begun.map_err(clarify)? {
                Ok(pending) => Ok(answer(sequence, outcome(pending).await)),
                Err(failure) => Ok(answer(sequence, Err(failure))),
            }
        }
    });
    begun.buffered(IN_FLIGHT_MAX)
}

fn submit(services: &Arc<Services>, caller: &Caller, patch: v1::PatchTwinRequest) -> Result<Pending, Failure> {
    let (write, patch) = Write::of(services, caller.clone(), "PatchTwin", patch)?;
    if write.is_dry_run() {
        let message = "validate_only is not available on a stream: use PatchTwin";
        return Err(Rejection::new(Reason::InvalidField, "validate_only", message).into());
    }
    let (_, operation) = twin::patch(patch)?;
    write.submit(operation)
}

async fn outcome(pending: Pending) -> Result<Outcome, Failure> {
    let outcome = pending.await.unwrap_or_else(|_| {
        Err(ProposeError::OutcomeUnknown("the node stopped before the outcome was known".to_owned()))
    });
    Ok(outcome?)
}

fn answer(sequence: u64, outcome: Result<Outcome, Failure>) -> v1::PatchTwinStreamResponse {
    match outcome.and_then(accepted) {
        Ok((revision, accepted)) => v1::PatchTwinStreamResponse {
            sequence,
            revision,
            etag: accepted.etag,
            version: accepted.version,
            error: None,
        },
        Err(failure) => {
            let error = Some(item(failure));
            v1::PatchTwinStreamResponse { sequence, error, ..v1::PatchTwinStreamResponse::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Accepted, OperationResult};

    #[test]
    fn answers_say_what_became_of_a_patch() {
        let made = Accepted { etag: "7".to_owned(), version: 3, ..Accepted::default() };
        let outcome = Outcome { revision: 7, results: vec![OperationResult::Accepted(made)] };
        let told = answer(4, Ok(outcome));
        assert_eq!((told.sequence, told.revision, told.etag.as_str(), told.version), (4, 7, "7", 3));
        assert_eq!(told.error, None);

        let refused = OperationResult::Rejected(Rejection::not_found("namespaces/plant1/devices/pump7/twin"));
        let told = answer(5, Ok(Outcome { revision: 0, results: vec![refused] }));
        assert_eq!((told.sequence, told.revision), (5, 0));
        assert_eq!(told.error.map(|error| error.reason), Some("NOT_FOUND".to_owned()));

        let told = answer(6, Err(ProposeError::Busy { queue: "propose" }.into()));
        assert_eq!(told.error.map(|error| error.reason), Some("QUEUE_FULL".to_owned()));
    }
}
