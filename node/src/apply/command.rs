//! One command against the overlay: policy, then each operation in turn, all or each for itself.

use muster_domain::{At, Body, Change, Event, Key, Limits, Operation, Reason, Record, Rejection, States, policy};
use muster_planted::{self as planted, Bug};
use std::sync::Arc;

use crate::outcome::{Accepted, OperationResult};
use crate::request::Request;
use crate::store::overlay::Overlay;

/// What a command leads to.
pub(super) struct Decided {
    /// One for each operation.
    pub(super) results: Vec<OperationResult>,
    /// The events, in order; empty when nothing changed.
    pub(super) events: Vec<Event>,
    /// The record after each event, for the history.
    pub(super) images: Vec<Arc<Record>>,
    /// For each event, the revision of its record's change before.
    pub(super) previous: Vec<u64>,
    /// Records below the floor that changed, as they were before: the past above the floor begins with them.
    pub(super) bases: Vec<(Key, Arc<Record>)>,
    /// Retention that the command set.
    pub(super) retentions: Vec<(Key, Arc<Record>)>,
    /// New limits, when the command set them.
    pub(super) limits: Option<Limits>,
}

impl Decided {
    fn new(results: Vec<OperationResult>) -> Self {
        Self {
            results,
            events: Vec::new(),
            images: Vec::new(),
            previous: Vec::new(),
            bases: Vec::new(),
            retentions: Vec::new(),
            limits: None,
        }
    }
}

/// Decides `request` and puts its changes into the overlay. Events below `floor` may be gone.
pub(super) fn decide(overlay: &mut Overlay<'_>, request: &Request, at: At, limits: &Limits, floor: u64) -> Decided {
    if let Err(rejection) = permit(overlay, request, at) {
        return refused(request.command.operations.len(), &rejection);
    }
    overlay.begin();
    let mut decided = Decided::new(Vec::new());
    for (index, operation) in request.command.operations.iter().enumerate() {
        match muster_domain::decide(overlay, operation, at, limits) {
            Ok(changes) => accept(overlay, &mut decided, operation, changes, floor),
            Err(rejection) if request.command.atomic => {
                if !planted::is(Bug::HalfABatch) {
                    overlay.roll_back();
                }
                return aborted(request.command.operations.len(), index, rejection);
            }
            Err(rejection) => decided.results.push(OperationResult::Rejected(rejection)),
        }
    }
    decided
}

/// Policy again, against the replicated tokens: between the early check and now the token may have been revoked.
fn permit(overlay: &Overlay<'_>, request: &Request, at: At) -> Result<(), Rejection> {
    if let Some(token) = request.principal.token() {
        let record = overlay.get(&Key::Token(token.to_owned()));
        policy::token_still_valid(record.as_deref(), &request.principal, at.time_ms)?;
    }
    if !request.command.is_within_limits() {
        return Err(Rejection::new(Reason::TooMany, "requests", "a command has 1 to 1,000 operations"));
    }
    policy::permit(&request.principal, &request.command)
}

fn accept(overlay: &mut Overlay<'_>, decided: &mut Decided, operation: &Operation, changes: Vec<Change>, floor: u64) {
    let mut accepted = summarize(&changes);
    if changes.is_empty() {
        keep_current(overlay, operation, &mut accepted);
    }
    for change in changes {
        if (1..floor).contains(&change.previous) {
            decided.bases.extend(overlay.get(&change.event.key).map(|before| (change.event.key.clone(), before)));
        }
        overlay.put(&change);
        if let Body::Cluster(cluster) = &change.after.body {
            decided.limits = Some(cluster.limits);
        }
        if let Body::Retention(_) = &change.after.body {
            decided.retentions.push((change.event.key.clone(), Arc::clone(&change.after)));
        }
        decided.images.push(change.after);
        decided.previous.push(change.previous);
        decided.events.push(change.event);
    }
    decided.results.push(OperationResult::Accepted(accepted));
}

fn summarize(changes: &[Change]) -> Accepted {
    let mut accepted = Accepted::default();
    if let Some(first) = changes.first() {
        accepted.version = first.after.version();
        if first.after.is_alive() {
            accepted.etag = first.after.etag();
        }
    }
    for change in changes {
        match (&change.event.key, &change.after.body) {
            (_, Body::Twin(twin)) => {
                accepted.tags_version = twin.tags.version;
                accepted.desired_version = twin.desired.version;
                accepted.reported_version = twin.reported.version;
            }
            (Key::Namespace(_), Body::Deleted(_)) => accepted.finished = true,
            (
                Key::Device(..)
                | Key::Asset(..)
                | Key::Module(..)
                | Key::SavedQuery(..)
                | Key::Site(..)
                | Key::Edge(..)
                | Key::DiscoveredDevice(..)
                | Key::DiscoveredAsset(..),
                Body::Deleted(_),
            ) => accepted.deleted += 1,
            _ => {}
        }
    }
    accepted
}

/// An operation that changed nothing answers with the etag and version that are there.
fn keep_current(overlay: &Overlay<'_>, operation: &Operation, accepted: &mut Accepted) {
    let Operation::ImportDevice(line) = operation else { return };
    if let Some(record) = overlay.get(&Key::Device(line.namespace.clone(), line.device.clone())) {
        accepted.etag = record.etag();
        accepted.version = record.version();
    }
}

fn refused(operations: usize, rejection: &Rejection) -> Decided {
    let results = vec![OperationResult::Rejected(rejection.clone()); operations.max(1)];
    Decided::new(results)
}

fn aborted(operations: usize, at_fault: usize, rejection: Rejection) -> Decided {
    let other = Rejection::new(
        Reason::BatchAborted,
        "",
        format!("not applied, because element {at_fault} of the all-or-nothing batch was refused"),
    );
    let mut results = vec![OperationResult::Rejected(other); operations];
    if let Some(result) = results.get_mut(at_fault) {
        *result = OperationResult::Rejected(rejection);
    }
    Decided::new(results)
}
