//! Requests that other nodes forward to this one, and how a refusal travels back.
//!
//! The peer listener has authenticated the node that forwards; it vouches for the caller named in the request.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use muster_domain::{Reason, Rejection};
use tonic::Code;

use crate::store::codec;

use super::{Attempt, Begun, Encoded, ProposeError, Proposer, packer};
use crate::raft::{ForwardHandler, ForwardRejected};

/// Answers forwarded requests.
pub struct Forwarded {
    proposer: Arc<Proposer>,
}

impl Forwarded {
    /// For `proposer`.
    #[must_use]
    pub fn new(proposer: Arc<Proposer>) -> Self {
        Self { proposer }
    }
}

/// A handler that is put in place after the peer service has started, because the proposer needs Raft first.
#[derive(Default)]
pub struct LateHandler {
    handler: OnceLock<Forwarded>,
}

impl LateHandler {
    /// Puts the handler in place; only the first one counts.
    pub fn set(&self, handler: Forwarded) {
        if self.handler.set(handler).is_err() {
            tracing::warn!("a handler of forwarded requests was set twice");
        }
    }
}

impl ForwardHandler for LateHandler {
    fn handle(&self, from: u64, request: Bytes) -> BoxFuture<'static, Result<Bytes, ForwardRejected>> {
        match self.handler.get() {
            Some(handler) => handler.handle(from, request),
            None => async { Err(rejected(Code::FailedPrecondition, NOT_LEADER)) }.boxed(),
        }
    }
}

/// Not the leader: surely not accepted.
const NOT_LEADER: &str = "NOT_LEADER";
/// A queue was full: surely not accepted.
const QUEUE_FULL: &str = "QUEUE_FULL";
/// The leader's disk is nearly full: surely not accepted.
const DISK_LOW: &str = "DISK_LOW";
/// Larger than the leader allows.
const TOO_LARGE: &str = "TOO_LARGE";
/// The leader does not know the command: surely not accepted.
const UNKNOWN_COMMAND: &str = "UNKNOWN_COMMAND";
/// Above the cluster's feature level: surely not accepted. The message follows it.
const FEATURE_LEVEL: &str = "FEATURE_LEVEL ";
/// May have been accepted.
const UNKNOWN: &str = "UNKNOWN";
/// The leader is stopping: surely not accepted.
const STOPPING: &str = "STOPPING";

fn rejected(code: Code, message: &str) -> ForwardRejected {
    ForwardRejected { code: code as i32, message: message.to_owned(), details: Bytes::new() }
}

impl ForwardHandler for Forwarded {
    fn handle(&self, _from: u64, request: Bytes) -> BoxFuture<'static, Result<Bytes, ForwardRejected>> {
        // Begun before the future is first polled, so that requests keep the order in which they arrived.
        let Ok(decoded) = codec::decode_request(&request) else {
            // What this node does not understand must not enter the log: every node of its version would stop at it.
            return async { Err(rejected(Code::FailedPrecondition, UNKNOWN_COMMAND)) }.boxed();
        };
        let encoded = Encoded { feature_level: decoded.command.feature_level(), bytes: request };
        let begun = match self.proposer.begin_attempt(encoded) {
            Begun::Elsewhere(_) => Begun::Ended(Attempt::NotAccepted(ProposeError::NoLeader)),
            begun => begun,
        };
        async move {
            let attempt = match begun {
                Begun::Ended(attempt) => attempt,
                Begun::Here(pending) => packer::ended(pending.await),
                Begun::Elsewhere(_) => Attempt::NotAccepted(ProposeError::NoLeader),
            };
            match attempt {
                Attempt::Done(outcome) => Ok(outcome),
                Attempt::NotAccepted(_) => Err(rejected(Code::FailedPrecondition, NOT_LEADER)),
                Attempt::Unknown(_) => Err(rejected(Code::Unknown, UNKNOWN)),
                Attempt::Failed(ProposeError::Busy { .. }) => Err(rejected(Code::ResourceExhausted, QUEUE_FULL)),
                Attempt::Failed(ProposeError::DiskLow) => Err(rejected(Code::ResourceExhausted, DISK_LOW)),
                Attempt::Failed(ProposeError::TooLarge { .. }) => Err(rejected(Code::InvalidArgument, TOO_LARGE)),
                Attempt::Failed(ProposeError::FeatureLevel(rejection)) => {
                    Err(rejected(Code::FailedPrecondition, &format!("{FEATURE_LEVEL}{}", rejection.message)))
                }
                Attempt::Failed(_) => Err(rejected(Code::Unavailable, STOPPING)),
            }
        }
        .boxed()
    }
}

/// What a refusal by the leader means here.
pub(super) fn read_rejection(rejection: &ForwardRejected) -> Attempt {
    if let Some(message) = rejection.message.strip_prefix(FEATURE_LEVEL) {
        let rejection = Rejection::new(Reason::FeatureLevelTooLow, "", message);
        return Attempt::Failed(ProposeError::FeatureLevel(Box::new(rejection)));
    }
    match rejection.message.as_str() {
        NOT_LEADER | STOPPING => Attempt::NotAccepted(ProposeError::NoLeader),
        QUEUE_FULL => Attempt::Failed(ProposeError::Busy { queue: "leader's propose" }),
        UNKNOWN_COMMAND => Attempt::Failed(ProposeError::UnknownCommand),
        DISK_LOW => Attempt::Failed(ProposeError::DiskLow),
        TOO_LARGE => Attempt::Failed(ProposeError::TooLarge { bytes: 0, max: 0 }),
        _ => Attempt::Unknown(rejection.message.clone()),
    }
}
