//! From every way a call can fail to its `tonic::Status`: the only place that picks codes and writes details.
//!
//! It does not know which call failed. Each status carries
//!
//! - `ErrorInfo`: a reason of a closed list (the domain's [`Reason`] or a [`Transport`] reason), domain `muster`,
//!   with the metadata `field`, `current_etag` (stale etags) and `floor` (what was compacted);
//! - `BadRequest` when a field is at fault, `RetryInfo` when the same call may work in a moment;
//! - `Help`: the reason's page below `node/docs/errors/`.
//!
//! Faults of the node are logged here with all they say; the caller learns no more than that there was one.

use std::collections::HashMap;
use std::time::Duration;

use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_query::PageTokenError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::broken_disk;
use crate::membership::MemberError;
use crate::propose::ProposeError;
use crate::read::{ReadError, StoreError};
use crate::secrets::SealError;

/// `ErrorInfo.domain` of every status.
pub const DOMAIN: &str = "muster";
/// Where the help pages are, from the top of the source tree.
pub const HELP_FOLDER: &str = "node/docs/errors";

/// Reasons that are not about what was asked, but about how it was asked or whether it could be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// No leader with a quorum is known.
    NoLeader,
    /// A queue is full.
    QueueFull,
    /// The disk is nearly full.
    DiskLow,
    /// The leader runs an older version.
    UnknownCommand,
    /// The change may have been made, or not.
    OutcomeUnknown,
    /// The node is stopping.
    Stopping,
    /// The request is larger than this cluster takes.
    MessageTooLarge,
    /// The request is not protobuf, or not that of the RPC.
    MessageMalformed,
    /// The caller did not say who it is, or could not prove it.
    Unauthenticated,
    /// The page token is damaged or was made for something else.
    PageTokenInvalid,
    /// The page token was good once.
    PageTokenExpired,
    /// The revision lies below the floor: its events are no longer kept.
    Compacted,
    /// The revision does not exist yet.
    RevisionInFuture,
    /// The node did not reach the revision asked for in time.
    MinRevisionTimeout,
    /// A forced deletion has made progress but is not done.
    DeletionUnfinished,
    /// A key cannot be opened on this node.
    SecretUnreadable,
    /// The node's storage failed.
    StorageFault,
    /// A learner lacks too much of the log to vote.
    MemberFarBehind,
    /// What would be left of the voters could not agree.
    QuorumAtRisk,
    /// Nobody would be left to vote.
    LastVoter,
    /// Another change of members is under way.
    MembershipBusy,
    /// The text is no query.
    QueryInvalid,
    /// The query takes more than it may.
    QueryBudget,
    /// The saved query has another text by now, or is gone.
    SavedQueryChanged,
    /// The node has just started, and cannot answer queries yet.
    ViewsNotReady,
    /// The edge has no session, or it has just ended.
    EdgeNotConnected,
    /// The edge's agent does not know what it is asked.
    EdgeTooOld,
    /// Nothing was heard of an edge, or of the node that serves it, for too long.
    EdgeSilent,
    /// An edge was so slow that what it was to be told is not kept any more.
    SyncOvertaken,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::NoLeader,
        Self::QueueFull,
        Self::DiskLow,
        Self::UnknownCommand,
        Self::OutcomeUnknown,
        Self::Stopping,
        Self::MessageTooLarge,
        Self::MessageMalformed,
        Self::Unauthenticated,
        Self::PageTokenInvalid,
        Self::PageTokenExpired,
        Self::Compacted,
        Self::RevisionInFuture,
        Self::MinRevisionTimeout,
        Self::DeletionUnfinished,
        Self::SecretUnreadable,
        Self::StorageFault,
        Self::MemberFarBehind,
        Self::QuorumAtRisk,
        Self::LastVoter,
        Self::MembershipBusy,
        Self::QueryInvalid,
        Self::QueryBudget,
        Self::SavedQueryChanged,
        Self::ViewsNotReady,
        Self::EdgeNotConnected,
        Self::EdgeTooOld,
        Self::EdgeSilent,
        Self::SyncOvertaken,
    ];

    /// The stable code, as in `google.rpc.ErrorInfo.reason`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoLeader => "NO_LEADER",
            Self::QueueFull => "QUEUE_FULL",
            Self::DiskLow => "DISK_LOW",
            Self::UnknownCommand => "UNKNOWN_COMMAND",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Stopping => "STOPPING",
            Self::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Self::MessageMalformed => "MESSAGE_MALFORMED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PageTokenInvalid => "PAGE_TOKEN_INVALID",
            Self::PageTokenExpired => "PAGE_TOKEN_EXPIRED",
            Self::Compacted => "COMPACTED",
            Self::RevisionInFuture => "REVISION_IN_FUTURE",
            Self::MinRevisionTimeout => "MIN_REVISION_TIMEOUT",
            Self::DeletionUnfinished => "DELETION_UNFINISHED",
            Self::SecretUnreadable => "SECRET_UNREADABLE",
            Self::StorageFault => "STORAGE_FAULT",
            Self::MemberFarBehind => "MEMBER_FAR_BEHIND",
            Self::QuorumAtRisk => "QUORUM_AT_RISK",
            Self::LastVoter => "LAST_VOTER",
            Self::MembershipBusy => "MEMBERSHIP_BUSY",
            Self::QueryInvalid => "QUERY_INVALID",
            Self::QueryBudget => "QUERY_BUDGET",
            Self::SavedQueryChanged => "SAVED_QUERY_CHANGED",
            Self::ViewsNotReady => "VIEWS_NOT_READY",
            Self::EdgeNotConnected => "EDGE_NOT_CONNECTED",
            Self::EdgeTooOld => "EDGE_TOO_OLD",
            Self::EdgeSilent => "EDGE_SILENT",
            Self::SyncOvertaken => "SYNC_OVERTAKEN",
        }
    }

    /// The canonical code.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::NoLeader | Self::Stopping | Self::MinRevisionTimeout | Self::MembershipBusy | Self::ViewsNotReady => {
                Code::Unavailable
            }
            Self::EdgeSilent | Self::SyncOvertaken => Code::Unavailable,
            Self::EdgeNotConnected | Self::EdgeTooOld => Code::FailedPrecondition,
            Self::QueueFull | Self::DiskLow | Self::QueryBudget => Code::ResourceExhausted,
            Self::UnknownCommand => Code::Unimplemented,
            Self::OutcomeUnknown => Code::Unknown,
            Self::MessageTooLarge | Self::MessageMalformed | Self::PageTokenInvalid | Self::QueryInvalid => {
                Code::InvalidArgument
            }
            Self::Unauthenticated => Code::Unauthenticated,
            Self::PageTokenExpired
            | Self::MemberFarBehind
            | Self::QuorumAtRisk
            | Self::LastVoter
            | Self::SavedQueryChanged => Code::FailedPrecondition,
            Self::RevisionInFuture | Self::Compacted => Code::OutOfRange,
            Self::DeletionUnfinished => Code::DeadlineExceeded,
            Self::SecretUnreadable | Self::StorageFault => Code::Internal,
        }
    }

    /// The field at fault; empty when none is.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::PageTokenInvalid | Self::PageTokenExpired => "page_token",
            Self::RevisionInFuture => "revision",
            Self::QueryInvalid | Self::QueryBudget => "text",
            Self::SavedQueryChanged => "saved_query",
            _ => "",
        }
    }

    /// How long to wait before the same call is worth another try.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::NoLeader => Some(Duration::from_millis(250)),
            Self::QueueFull | Self::MinRevisionTimeout => Some(Duration::from_millis(100)),
            Self::Stopping | Self::MembershipBusy | Self::ViewsNotReady => Some(Duration::from_millis(500)),
            Self::EdgeSilent | Self::SyncOvertaken => Some(Duration::from_millis(500)),
            Self::DiskLow => Some(Duration::from_secs(5)),
            Self::OutcomeUnknown
            | Self::UnknownCommand
            | Self::MessageTooLarge
            | Self::MessageMalformed
            | Self::Unauthenticated
            | Self::PageTokenInvalid
            | Self::PageTokenExpired
            | Self::Compacted
            | Self::RevisionInFuture
            | Self::DeletionUnfinished
            | Self::SecretUnreadable
            | Self::StorageFault
            | Self::MemberFarBehind
            | Self::QuorumAtRisk
            | Self::LastVoter
            | Self::QueryInvalid
            | Self::SavedQueryChanged
            | Self::EdgeNotConnected
            | Self::EdgeTooOld
            | Self::QueryBudget => None,
        }
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// There is no outcome.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// There is no view.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be opened.
    #[error(transparent)]
    Secret(#[from] SealError),
    /// The page token is not taken.
    #[error(transparent)]
    PageToken(#[from] PageTokenError),
    /// The same as the next, with the field at fault.
    #[error("{message}")]
    At {
        /// Which reason.
        transport: Transport,
        /// The field, as a path in the request.
        field: String,
        /// A sentence for the caller.
        message: String,
    },
    /// The members are not changed.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// What is asked for lies below the floor.
    #[error("{field} {revision} lies below the oldest revision kept, which is {floor}")]
    Compacted {
        /// The field that asks for it.
        field: String,
        /// The revision in it.
        revision: u64,
        /// The oldest revision that can be asked for.
        floor: u64,
    },
    /// Anything else, in a sentence for the caller.
    #[error("{1}")]
    Other(Transport, String),
}

/// The canonical code of a refusal.
#[must_use]
pub fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidField
        | Reason::InvalidId
        | Reason::InvalidJson
        | Reason::InvalidDocument
        | Reason::NullNotAllowed
        | Reason::TooLarge
        | Reason::TooMany => Code::InvalidArgument,
        Reason::NotFound | Reason::ParentNotFound => Code::NotFound,
        Reason::AlreadyExists => Code::AlreadyExists,
        Reason::EtagMismatch | Reason::BatchAborted | Reason::EpochFenced => Code::Aborted,
        Reason::DeviceDisabled
        | Reason::NamespaceNotEmpty
        | Reason::NamespaceDeleting
        | Reason::DeviceHasAssets
        | Reason::RequestIdReused
        | Reason::AlreadyInitialized
        | Reason::CursorBackwards => Code::FailedPrecondition,
        Reason::JoinTokenStale | Reason::NodeRemoved | Reason::FeatureLevelTooLow => Code::FailedPrecondition,
        Reason::EdgeReplaced
        | Reason::SequenceGap
        | Reason::ClusterMismatch
        | Reason::EdgeDisabled
        | Reason::SiteHasSites
        | Reason::DiscoveryFull
        | Reason::AlreadyAccepted => Code::FailedPrecondition,
        Reason::CursorFromTheFuture => Code::OutOfRange,
        Reason::PermissionDenied | Reason::OutsideScope => Code::PermissionDenied,
    }
}

/// What all failures come down to.
struct Told {
    code: Code,
    reason: &'static str,
    message: String,
    field: String,
    current_etag: String,
    /// For what was compacted: the oldest revision that is left.
    floor: Option<u64>,
    retry_after: Option<Duration>,
}

impl Told {
    fn transport(transport: Transport, message: String) -> Self {
        Self {
            code: transport.code(),
            reason: transport.reason(),
            message,
            field: transport.field().to_owned(),
            current_etag: String::new(),
            floor: None,
            retry_after: transport.retry_after(),
        }
    }

    /// A fault of the node: the log gets the whole of it, the caller where to look.
    fn fault(transport: Transport, error: &(dyn std::error::Error + 'static)) -> Self {
        broken_disk::end_if_met("answering a call", error);
        tracing::error!(reason = transport.reason(), error, "a call failed by a fault of this node");
        let message = match transport {
            Transport::SecretUnreadable => "this node cannot open the key; its log says why",
            _ => "this node's storage failed; its log says how",
        };
        Self::transport(transport, message.to_owned())
    }

    fn status(self) -> Status {
        let mut metadata = HashMap::new();
        if !self.current_etag.is_empty() {
            metadata.insert("current_etag".to_owned(), self.current_etag);
        }
        if let Some(floor) = self.floor {
            metadata.insert("floor".to_owned(), floor.to_string());
        }
        if !self.field.is_empty() {
            metadata.insert("field".to_owned(), self.field.clone());
        }
        let mut details = ErrorDetails::with_error_info(self.reason, DOMAIN, metadata);
        if !self.field.is_empty() {
            details.add_bad_request_violation(self.field, self.message.clone());
        }
        if let Some(delay) = self.retry_after {
            details.set_retry_info(Some(delay));
        }
        details.add_help_link(self.reason, format!("{HELP_FOLDER}/{}.md", self.reason));
        Status::with_error_details(self.code, self.message, details)
    }
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Rejected(rejection) => Self {
                code: code(rejection.reason),
                reason: rejection.reason.code(),
                message: rejection.message,
                field: rejection.field,
                current_etag: rejection.current,
                floor: None,
                retry_after: None,
            },
            Failure::Propose(error) => propose(error),
            Failure::Read(error) => read(&error),
            Failure::Store(StoreError::Compacted { floor }) => Self {
                floor: Some(floor),
                ..Self::transport(Transport::Compacted, StoreError::Compacted { floor }.to_string())
            },
            Failure::Compacted { ref field, floor, .. } => {
                let (message, field) = (failure.to_string(), field.clone());
                Self { field, floor: Some(floor), ..Self::transport(Transport::Compacted, message) }
            }
            Failure::Store(error) => Self::fault(Transport::StorageFault, &error),
            Failure::Secret(error) => Self::fault(Transport::SecretUnreadable, &error),
            Failure::PageToken(error) => {
                let transport = match error {
                    PageTokenError::Invalid => Transport::PageTokenInvalid,
                    PageTokenError::Expired { .. } => Transport::PageTokenExpired,
                };
                Self::transport(transport, error.to_string())
            }
            Failure::At { transport, field, message } => Self { field, ..Self::transport(transport, message) },
            Failure::Member(error) => member(error),
            Failure::Other(transport, message) => Self::transport(transport, message),
        }
    }
}

fn propose(error: ProposeError) -> Told {
    let message = error.to_string();
    match error {
        ProposeError::Busy { .. } => Told::transport(Transport::QueueFull, message),
        ProposeError::NoLeader => Told::transport(Transport::NoLeader, message),
        ProposeError::OutcomeUnknown(why) => {
            let message = format!("the change may have been applied; retry with the same request_id ({why})");
            Told::transport(Transport::OutcomeUnknown, message)
        }
        ProposeError::Stopping => Told::transport(Transport::Stopping, message),
        ProposeError::DiskLow => Told::transport(Transport::DiskLow, message),
        ProposeError::FeatureLevel(rejection) => Told::from(Failure::Rejected(*rejection)),
        ProposeError::UnknownCommand => Told::transport(Transport::UnknownCommand, message),
        ProposeError::TooLarge { .. } => Told::transport(Transport::MessageTooLarge, message),
        ProposeError::Read(error) => read(&error),
        ProposeError::Store(error) => Told::fault(Transport::StorageFault, &error),
    }
}

fn member(error: MemberError) -> Told {
    let transport = match &error {
        MemberError::FarBehind(_) => Transport::MemberFarBehind,
        MemberError::QuorumAtRisk(_) => Transport::QuorumAtRisk,
        MemberError::LastVoter(_) => Transport::LastVoter,
        MemberError::Busy(_) => Transport::MembershipBusy,
        MemberError::NoLeader => Transport::NoLeader,
        MemberError::Rejected(rejection) => return Failure::Rejected(rejection.clone()).into(),
    };
    Told::transport(transport, error.to_string())
}

fn read(error: &ReadError) -> Told {
    let transport = match error {
        ReadError::Busy => Transport::QueueFull,
        ReadError::NoQuorum => Transport::NoLeader,
        ReadError::MinRevision { .. } => Transport::MinRevisionTimeout,
        ReadError::Stopping => Transport::Stopping,
    };
    Told::transport(transport, error.to_string())
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        Told::from(failure).status()
    }
}

/// The same facts for one element of a batch or stream.
#[must_use]
pub fn item(failure: Failure) -> v1::ItemError {
    let told = Told::from(failure);
    v1::ItemError { code: told.code.into(), reason: told.reason.to_owned(), message: told.message, field: told.field }
}

/// A refusal as a status.
#[must_use]
pub fn rejection(rejection: Rejection) -> Status {
    Failure::Rejected(rejection).into()
}

/// A transport reason as a status.
#[must_use]
pub fn transport(transport: Transport, message: impl Into<String>) -> Status {
    Failure::Other(transport, message.into()).into()
}

/// For callers without credentials, or with credentials that prove nothing.
#[must_use]
pub fn unauthenticated(message: impl Into<String>) -> Status {
    transport(Transport::Unauthenticated, message)
}

mod agents;
#[cfg(test)]
mod tests;

pub use agents::OF_AGENTS;
