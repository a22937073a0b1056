//! The way up: operations of an edge become commands, in order, and what became of them is told from the log.
//!
//! ```text
//! operations ─▶ waiting ─▶ one command in flight ─▶ outcome ─▶ the record of the session says how far it came ─▶ result
//! ```
//!
//! It knows no connection. One command of a session is in flight at a time, so a follower that forwards them keeps their order; while
//! it is, what comes is gathered into the next. Invariants:
//!
//! - `E1-exactly-once`, `E2-order`: kept by the log; here an operation is only ever proposed under the number it came with.
//! - A result is read from the record as of the command's revision, never made up from what was sent.
//! - At most `window` operations wait or are in flight.

use std::collections::VecDeque;
use std::time::Duration;

use muster_domain::edge::{EdgeSession, UplinkChange};
use muster_domain::{Body, Command, Key, Operation, Reason, Rejection};
use muster_proto::v1;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::EdgeSync;
use super::SyncError;
use super::uplink::Operations;
use crate::authorize::{self, Caller};
use crate::failpoint::{self, Point};
use crate::outcome::{OperationResult, Outcome};
use crate::propose::ProposeError;
use crate::read::Reader;

/// Operations of one command.
const COMMAND_OPERATIONS_MAX: usize = 256;
/// How long a command is tried again while there is no leader, or a queue is full; then the edge may find a better node.
const TRY_MAX: Duration = Duration::from_secs(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// See the module.
pub(super) struct Up {
    namespace: String,
    edge: String,
    epoch: u64,
    window: usize,
    /// The last operation that came.
    received: u64,
    waiting: VecDeque<UplinkChange>,
    flying: Option<Flying>,
}

/// An outcome; nothing when a command is to be proposed again.
pub(super) type Landed = Option<Result<Outcome, ProposeError>>;

/// A command whose outcome is awaited.
struct Flying {
    first: u64,
    changes: Vec<UplinkChange>,
    began: Instant,
    state: State,
}

enum State {
    Proposed(oneshot::Receiver<Result<Outcome, ProposeError>>),
    /// To be proposed again at this time.
    Resting(Instant),
}

impl Up {
    /// Operations up to `last_sequence` are done.
    pub(super) fn new(namespace: &str, edge: &str, epoch: u64, window: usize, last_sequence: u64) -> Self {
        let (namespace, edge) = (namespace.to_owned(), edge.to_owned());
        let (waiting, flying) = (VecDeque::new(), None);
        Self { namespace, edge, epoch, window, received: last_sequence, waiting, flying }
    }

    /// Takes operations in; those that came before in this session are left out.
    pub(super) fn take(&mut self, operations: Operations) -> Result<(), Rejection> {
        if operations.epoch != self.epoch {
            let message = format!("operations.epoch is {}, and this session has {}", operations.epoch, self.epoch);
            return Err(Rejection::new(Reason::EpochFenced, "operations.epoch", message));
        }
        let next = self.received + 1;
        if operations.first > next {
            let field = "operations.first_sequence";
            let message = format!("{field} is {}, and operation {next} has not come yet", operations.first);
            return Err(Rejection::new(Reason::SequenceGap, field, message));
        }
        let known = usize::try_from(next - operations.first).unwrap_or(usize::MAX);
        self.waiting.extend(operations.changes.into_iter().skip(known));
        self.received = self.received.max(operations.last);
        let unanswered = self.waiting.len() + self.flying.as_ref().map_or(0, |flying| flying.changes.len());
        if unanswered > self.window {
            let message = format!("more than {} operations are unanswered: await operations_result", self.window);
            return Err(Rejection::new(Reason::TooMany, "operations", message));
        }
        Ok(())
    }

    /// Proposes what waits, if nothing is in flight.
    pub(super) fn launch(&mut self, sync: &EdgeSync, caller: &Caller) -> Result<(), Rejection> {
        if self.flying.is_none() && !self.waiting.is_empty() {
            let first = self.received - self.waiting.len() as u64 + 1;
            let count = self.waiting.len().min(COMMAND_OPERATIONS_MAX);
            let changes = self.waiting.drain(..count).collect();
            let state = State::Resting(Instant::now());
            self.flying = Some(Flying { first, changes, began: Instant::now(), state });
        }
        let Some(Flying { first, changes, state, .. }) = &mut self.flying else { return Ok(()) };
        if matches!(state, State::Resting(until) if *until <= Instant::now()) {
            let operation = Operation::ApplyUplink {
                namespace: self.namespace.clone(),
                edge: self.edge.clone(),
                epoch: self.epoch,
                first_sequence: *first,
                changes: changes.clone(),
            };
            let command = authorize::command(caller, Command::single(operation))?;
            // Without a request id: the sequence is one already.
            *state = State::Proposed(sync.proposer.submit(command, "", [0; 16]));
            failpoint::reach(Point::SyncUplink);
        }
        Ok(())
    }

    /// Waits for the outcome in flight, or until it is to be proposed again (`None`). May be dropped while it waits.
    pub(super) async fn landed(&mut self) -> Landed {
        match self.flying.as_mut().map(|flying| &mut flying.state) {
            Some(State::Proposed(outcome)) => {
                let unknown = || ProposeError::OutcomeUnknown("the proposal ended without an outcome".to_owned());
                Some(outcome.await.unwrap_or_else(|_| Err(unknown())))
            }
            Some(State::Resting(until)) => {
                sleep_until(*until).await;
                None
            }
            None => std::future::pending().await,
        }
    }

    /// What is to be told about an outcome; nothing when the command will be tried again.
    pub(super) async fn settle(
        &mut self,
        reader: &Reader,
        outcome: Result<Outcome, ProposeError>,
    ) -> Result<Option<v1::SyncOperationsResult>, SyncError> {
        let Some(flying) = &mut self.flying else { return Ok(None) };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) if is_passing(&error) && flying.began.elapsed() < TRY_MAX => {
                // It may have been applied: then the log skips it the next time.
                flying.state = State::Resting(Instant::now() + PAUSE);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(OperationResult::Rejected(rejection)) = outcome.results.into_iter().next() {
            return Err(rejection.into());
        }
        reader.reach(outcome.revision).await?;
        let first = flying.first;
        let count = flying.changes.len() as u64;
        let session = session_at(reader, &self.namespace, &self.edge, outcome.revision)?;
        self.flying = None;
        if session.epoch != self.epoch {
            let message = "the record is of another session by now";
            return Err(Rejection::new(Reason::EpochFenced, "epoch", message).into());
        }
        metrics::counter!("muster_sync_operations_total").increment(count);
        let refusals: Vec<_> = refusals(&session, first);
        metrics::counter!("muster_sync_refusals_total").increment(refusals.len() as u64);
        let revision = outcome.revision;
        Ok(Some(v1::SyncOperationsResult { last_sequence: session.last_sequence, refusals, revision }))
    }
}

/// The record of an edge's session as of a revision.
pub(super) fn session_at(
    reader: &Reader,
    namespace: &str,
    edge: &str,
    revision: u64,
) -> Result<EdgeSession, SyncError> {
    let key = Key::EdgeSession(namespace.to_owned(), edge.to_owned());
    let record = reader.local().get_at(&key, revision)?;
    match record.as_deref().map(|record| &record.body) {
        Some(Body::EdgeSession(session)) => Ok((**session).clone()),
        _ => Err(Rejection::not_found(key).into()),
    }
}

/// Refusals from an operation on, as messages.
pub(super) fn refusals(session: &EdgeSession, first: u64) -> Vec<v1::SyncRefusal> {
    let newer = session.refusals.iter().filter(|refusal| refusal.sequence >= first);
    let told = newer.map(|refusal| v1::SyncRefusal {
        sequence: refusal.sequence,
        reason: refusal.reason.code().to_owned(),
        message: refusal.message.clone(),
    });
    told.collect()
}

/// Whether the same command may be taken in a moment.
fn is_passing(error: &ProposeError) -> bool {
    matches!(
        error,
        ProposeError::Busy { .. } | ProposeError::NoLeader | ProposeError::OutcomeUnknown(_) | ProposeError::DiskLow
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(epoch: u64, first: u64, count: usize) -> Operations {
        let key = Key::DeviceTwin("p".to_owned(), "d".to_owned());
        let changes = vec![UplinkChange::Report { key, patch: "{}".to_owned() }; count];
        Operations { epoch, first, last: first + count as u64 - 1, changes }
    }

    fn refused(up: &mut Up, operations: Operations) -> Option<Reason> {
        up.take(operations).err().map(|refusal| refusal.reason)
    }

    #[test]
    fn operations_come_in_order_without_a_gap_in_their_epoch_and_within_the_window() {
        let mut up = Up::new("p", "e", 3, 10, 5);
        assert_eq!(refused(&mut up, operations(2, 6, 1)), Some(Reason::EpochFenced));
        assert_eq!(refused(&mut up, operations(3, 7, 1)), Some(Reason::SequenceGap));
        assert_eq!(refused(&mut up, operations(3, 6, 4)), None);
        assert_eq!((up.received, up.waiting.len()), (9, 4));
        assert_eq!(refused(&mut up, operations(3, 8, 4)), None, "two of them are here already");
        assert_eq!((up.received, up.waiting.len()), (11, 6));
        assert_eq!(refused(&mut up, operations(3, 2, 3)), None, "all of them are done");
        assert_eq!((up.received, up.waiting.len()), (11, 6));
        assert_eq!(refused(&mut up, operations(3, 12, 5)), Some(Reason::TooMany));
    }
}
