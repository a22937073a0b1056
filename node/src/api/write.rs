//! What every changing RPC does between its message and its answer: caller, request id, body hash, permission,
//! proposal, and the record as the change left it.
//!
//! It knows no noun. Invariants:
//!
//! - Nothing is proposed that `authorize` has not let through.
//! - The body hash covers the RPC's name and the whole message but its request id, as it came in: before keys, uuids or
//!   secrets are made. So a retry is recognized, and the same id with another body is refused by apply.
//! - An answer shows the record as of the revision of the change, also to a retry that comes much later.
//! - With `validate_only` the answer shows the record as it is, unchanged: absent on creation.

use std::sync::Arc;

use muster_domain::{Command, Key, Operation, Reason, Record, Rejection};
use muster_proto::v1;
use prost::Message;

use super::fields;
use super::read::header;
use super::status::{Failure, unauthenticated};
use crate::authorize::{self, Caller};
use crate::node::Services;
use crate::outcome::{Accepted, OperationResult, Outcome};
use crate::read::{StoreError, View};

/// A message that asks for a change.
pub(crate) trait Mutation: Message {
    /// Takes the request id out of the message.
    fn take_request_id(&mut self) -> String;
    /// Whether it is only to be tried.
    fn validate_only(&self) -> bool;
}

macro_rules! mutations {
    ($($message:ident),* $(,)?) => {$(
        impl Mutation for v1::$message {
            fn take_request_id(&mut self) -> String {
                std::mem::take(&mut self.request_id)
            }
            fn validate_only(&self) -> bool {
                self.validate_only
            }
        }
    )*};
}

mutations!(
    CreateNamespaceRequest,
    UpdateNamespaceRequest,
    DeleteNamespaceRequest,
    CreateDeviceRequest,
    UpdateDeviceRequest,
    SetDeviceStatusRequest,
    DeleteDeviceRequest,
    RegenerateKeysRequest,
    BatchCreateDevicesRequest,
    BatchUpdateDevicesRequest,
    BatchDeleteDevicesRequest,
    CreateModuleRequest,
    UpdateModuleRequest,
    DeleteModuleRequest,
    ImportDevicesRequest,
    PatchTwinRequest,
    ReplaceTwinRequest,
    ReportPropertiesRequest,
    BatchPatchTwinsRequest,
    CreateAssetRequest,
    UpdateAssetRequest,
    SetAssetEnabledRequest,
    DeleteAssetRequest,
    UpdateAssetStatusRequest,
    UpdateRetentionRequest,
    CompactEventsRequest,
    CreateSavedQueryRequest,
    UpdateSavedQueryRequest,
    DeleteSavedQueryRequest,
    CreateEdgeRequest,
    UpdateEdgeRequest,
    DeleteEdgeRequest,
    CreateSiteRequest,
    UpdateSiteRequest,
    DeleteSiteRequest,
    ReportDiscoveredDeviceRequest,
    ReportDiscoveredAssetRequest,
    AcceptDiscoveredDeviceRequest,
    AcceptDiscoveredAssetRequest,
    DismissDiscoveredRequest,
    DeleteDiscoveredRequest,
);

macro_rules! mutations_without_dry_run {
    ($($message:ident),* $(,)?) => {$(
        impl Mutation for v1::$message {
            fn take_request_id(&mut self) -> String {
                std::mem::take(&mut self.request_id)
            }
            fn validate_only(&self) -> bool {
                false
            }
        }
    )*};
}

mutations_without_dry_run!(
    CreateTokenRequest,
    RevokeTokenRequest,
    CreateCursorRequest,
    AcknowledgeCursorRequest,
    DeleteCursorRequest,
    AdmitNodeRequest,
    PromoteMemberRequest,
    RemoveMemberRequest,
);

/// A change that is asked for, before it is known which.
pub(crate) struct Write {
    pub(crate) services: Arc<Services>,
    pub(crate) caller: Caller,
    request_id: String,
    body_hash: [u8; 16],
    validate_only: bool,
}

impl Write {
    /// Reads what all changing requests share; `rpc` tells apart RPCs that share a message.
    pub(crate) fn begin<M: Mutation>(
        services: &Arc<Services>,
        rpc: &str,
        request: tonic::Request<M>,
    ) -> Result<(Self, M), tonic::Status> {
        let (_, mut extensions, message) = request.into_parts();
        let caller = extensions.remove::<Caller>().ok_or_else(|| unauthenticated("the caller is not known"))?;
        Ok(Self::of(services, caller, rpc, message)?)
    }

    /// The same, for a message that came on a stream of `caller`.
    pub(crate) fn of<M: Mutation>(
        services: &Arc<Services>,
        caller: Caller,
        rpc: &str,
        mut message: M,
    ) -> Result<(Self, M), Failure> {
        let request_id = message.take_request_id();
        fields::check_request_id(&request_id)?;
        // Without a request id there is nothing to recognize, and nothing to pay for.
        let body_hash = if request_id.is_empty() { [0; 16] } else { body_hash(rpc, &message) };
        let validate_only = message.validate_only();
        let services = Arc::clone(services);
        Ok((Self { services, caller, request_id, body_hash, validate_only }, message))
    }

    /// Whether the change is only to be tried.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.validate_only
    }

    /// Carries a command out, or tries it.
    pub(crate) async fn run(&self, command: Command) -> Result<Outcome, Failure> {
        self.run_as(command, &self.request_id).await
    }

    /// Carries out one step of several, under a request id of its own that a retry finds again.
    pub(crate) async fn run_step(&self, command: Command, step: u64) -> Result<Outcome, Failure> {
        if self.request_id.is_empty() {
            return self.run_as(command, "").await;
        }
        self.run_as(command, &format!("{}/{step}", self.request_id)).await
    }

    async fn run_as(&self, command: Command, request_id: &str) -> Result<Outcome, Failure> {
        let command = authorize::command(&self.caller, command)?;
        if self.validate_only {
            return Ok(self.services.proposer.dry_run(command).await?);
        }
        Ok(self.services.proposer.propose(command, request_id, self.body_hash).await?)
    }

    /// Carries out a command of one operation and answers with what came of it.
    pub(crate) async fn single(self, operation: Operation) -> Result<Done, Failure> {
        let outcome = self.run(Command::single(operation)).await?;
        let (revision, accepted) = accepted(outcome)?;
        Ok(Done { services: self.services, revision, accepted })
    }

    /// Submits a command of one operation without waiting for its outcome.
    pub(crate) fn submit(
        self,
        operation: Operation,
    ) -> Result<tokio::sync::oneshot::Receiver<Result<Outcome, crate::propose::ProposeError>>, Failure> {
        let command = authorize::command(&self.caller, Command::single(operation))?;
        Ok(self.services.proposer.submit(command, &self.request_id, self.body_hash))
    }
}

/// The outcome of a command of one operation.
pub(crate) fn accepted(outcome: Outcome) -> Result<(u64, Accepted), Failure> {
    match outcome.results.into_iter().next() {
        Some(OperationResult::Accepted(accepted)) => Ok((outcome.revision, accepted)),
        Some(OperationResult::Rejected(rejection)) => Err(rejection.into()),
        None => Err(Failure::Propose(crate::propose::ProposeError::OutcomeUnknown(
            "the outcome names no operation".to_owned(),
        ))),
    }
}

/// A change that was made, or would have been.
pub(crate) struct Done {
    pub(crate) services: Arc<Services>,
    pub(crate) revision: u64,
    pub(crate) accepted: Accepted,
}

impl Done {
    pub(crate) fn header(&self) -> Option<v1::ResponseHeader> {
        Some(header(&self.services, self.revision))
    }

    /// What this node holds now.
    pub(crate) fn view(&self) -> View {
        self.services.reader.local()
    }

    /// The record of `key` as this change left it. `None` when there is none: after a dry run of a creation, and when
    /// this node has not caught up with the change within the time a call may take, or when a retry comes so late that
    /// the past was compacted.
    pub(crate) fn record(&self, key: &Key) -> Result<Option<Arc<Record>>, Failure> {
        let view = self.view();
        if view.revision() < self.revision {
            return Ok(None);
        }
        match view.get_at(key, self.revision) {
            Err(StoreError::Compacted { .. }) => Ok(None),
            found => Ok(found?),
        }
    }
}

/// What tells a retry from another use of its request id.
fn body_hash<M: Message>(rpc: &str, message: &M) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(rpc.len() as u64).to_be_bytes());
    hasher.update(rpc.as_bytes());
    // Maps are encoded in the order of their keys, so the same message gives the same bytes.
    hasher.update(&message.encode_to_vec());
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    hash
}

/// The part of a request that must not be missing.
pub(crate) fn required<T>(field: &str, part: Option<T>) -> Result<T, Rejection> {
    part.ok_or_else(|| Rejection::new(Reason::InvalidField, field, format!("{field} is required")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_hash_knows_the_rpc_and_the_body_but_not_the_request_id() {
        let mut first = v1::SetDeviceStatusRequest {
            name: "namespaces/plant1/devices/pump7".to_owned(),
            request_id: "a".to_owned(),
            ..v1::SetDeviceStatusRequest::default()
        };
        let mut second = v1::SetDeviceStatusRequest { request_id: "b".to_owned(), ..first.clone() };
        assert_eq!((first.take_request_id(), second.take_request_id()), ("a".to_owned(), "b".to_owned()));
        assert_eq!(body_hash("EnableDevice", &first), body_hash("EnableDevice", &second));
        assert_ne!(body_hash("EnableDevice", &first), body_hash("DisableDevice", &first));
        second.reason = "maintenance".to_owned();
        assert_ne!(body_hash("EnableDevice", &first), body_hash("EnableDevice", &second));
    }

    #[test]
    fn a_refused_operation_is_a_failure() {
        let refused = OperationResult::Rejected(Rejection::not_found("namespaces/plant1"));
        let outcome = Outcome { revision: 0, results: vec![refused] };
        assert!(matches!(accepted(outcome), Err(Failure::Rejected(r)) if r.reason == Reason::NotFound));
        assert!(matches!(accepted(Outcome::default()), Err(Failure::Propose(_))));
    }
}
