//! Carries the outcome of a submitted entry back to its caller, exactly once.
//!
//! openraft moves the responder through its queues and may drop it anywhere; this file turns every way it can end into
//! one call. It does not know what the outcome means.

use std::sync::{Arc, Mutex, PoisonError};

use openraft::errors::ClientWriteError;
use openraft::raft::ClientWriteResult;
use openraft::raft::responder::Responder;

use super::types::TypeConfig;
use super::{Outcomes, SubmitError};

type Done<T> = Box<dyn FnOnce(Option<T>) + Send>;

/// A responder that calls a closure: with the result, or with `None` when openraft dropped it unanswered.
pub(super) struct FnResponder<T>(Option<Done<T>>);

impl<T> FnResponder<T> {
    fn new(done: impl FnOnce(Option<T>) + Send + 'static) -> Self {
        Self(Some(Box::new(done)))
    }
}

impl<T: Send + 'static> Responder<TypeConfig, T> for FnResponder<T> {
    fn on_complete(mut self, result: T) {
        if let Some(done) = self.0.take() {
            done(Some(result));
        }
    }
}

impl<T> Drop for FnResponder<T> {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(None);
        }
    }
}

type Report = Box<dyn FnOnce(Result<Outcomes, SubmitError>) + Send>;

enum Stage {
    /// Not yet known whether openraft took the entry.
    Handing(Report),
    /// openraft dropped the responder while the entry was handed over.
    Dropped(Report),
    Accepted(Report),
    Reported,
}

/// The caller's side of a responder: knows whether the entry was ever accepted, so that a drop on the way in is told
/// apart from a lost outcome.
#[derive(Clone)]
pub(super) struct Completion(Arc<Mutex<Stage>>);

impl Completion {
    /// A pair that reports to `report` exactly once.
    pub(super) fn new(
        report: impl FnOnce(Result<Outcomes, SubmitError>) + Send + 'static,
    ) -> (Self, FnResponder<ClientWriteResult<TypeConfig>>) {
        let this = Self(Arc::new(Mutex::new(Stage::Handing(Box::new(report)))));
        let other = this.clone();
        (this, FnResponder::new(move |result| other.answered(result)))
    }

    fn answered(&self, result: Option<ClientWriteResult<TypeConfig>>) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (std::mem::replace(&mut *stage, Stage::Reported), result) {
            (Stage::Handing(report), None) => *stage = Stage::Dropped(report),
            (Stage::Handing(report) | Stage::Accepted(report), result) => {
                drop(stage);
                report(outcome(result));
            }
            (Stage::Dropped(_) | Stage::Reported, _) => {}
        }
    }

    /// openraft took the entry: from here on a lost answer means that the outcome is unknown.
    pub(super) fn accepted(&self) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *stage, Stage::Reported) {
            Stage::Handing(report) => *stage = Stage::Accepted(report),
            Stage::Dropped(report) => {
                drop(stage);
                report(Err(SubmitError::Unknown));
            }
            Stage::Accepted(_) | Stage::Reported => {}
        }
    }

    /// openraft never took the entry.
    pub(super) fn refused(&self, error: SubmitError) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *stage, Stage::Reported) {
            Stage::Handing(report) | Stage::Dropped(report) | Stage::Accepted(report) => {
                drop(stage);
                report(Err(error));
            }
            Stage::Reported => {}
        }
    }
}

fn outcome(result: Option<ClientWriteResult<TypeConfig>>) -> Result<Outcomes, SubmitError> {
    match result {
        Some(Ok(response)) => Ok(response.data.0),
        Some(Err(ClientWriteError::ForwardToLeader(forward))) => {
            Err(SubmitError::NotLeader { leader: forward.leader_id.zip(forward.leader_node) })
        }
        // Discarded from this log, but another node may have committed it.
        Some(Err(_)) | None => Err(SubmitError::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::Completion;
    use crate::raft::SubmitError;

    #[test]
    fn a_drop_on_the_way_in_is_reported_as_refused() {
        let (tx, rx) = mpsc::sync_channel(2);
        let (completion, responder) = Completion::new(move |result| tx.send(result).unwrap());
        drop(responder);
        assert!(rx.try_recv().is_err(), "not yet known");
        completion.refused(SubmitError::Busy);
        assert!(matches!(rx.try_recv(), Ok(Err(SubmitError::Busy))));
    }

    #[test]
    fn a_drop_after_acceptance_is_unknown() {
        let (tx, rx) = mpsc::sync_channel(2);
        let (completion, responder) = Completion::new(move |result| tx.send(result).unwrap());
        completion.accepted();
        drop(responder);
        assert!(matches!(rx.try_recv(), Ok(Err(SubmitError::Unknown))));
        assert!(rx.try_recv().is_err(), "reported once only");
    }

    #[test]
    fn a_drop_that_overtakes_the_acceptance_is_unknown() {
        let (tx, rx) = mpsc::sync_channel(2);
        let (completion, responder) = Completion::new(move |result| tx.send(result).unwrap());
        drop(responder);
        completion.accepted();
        assert!(matches!(rx.try_recv(), Ok(Err(SubmitError::Unknown))));
    }
}
