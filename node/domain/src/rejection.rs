//! Every way to say no. A rejection is an answer: the same on every replica, and it changes nothing.

use std::fmt;

/// The closed list of reasons; each has a stable code and a help page in `node/docs/errors/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A field breaks its rule.
    InvalidField,
    /// An id has illegal characters or length.
    InvalidId,
    /// Text is not JSON, or not the JSON that is asked for.
    InvalidJson,
    /// A document breaks one of the twin's rules on keys, values or nesting.
    InvalidDocument,
    /// A null where none is allowed.
    NullNotAllowed,
    /// Something is larger than its limit.
    TooLarge,
    /// More elements than allowed.
    TooMany,
    /// The resource does not exist.
    NotFound,
    /// The namespace, device, endpoint, site or edge that is referred to does not exist.
    ParentNotFound,
    /// The id is taken.
    AlreadyExists,
    /// The etag or version given is not the current one.
    EtagMismatch,
    /// The device is disabled.
    DeviceDisabled,
    /// The namespace still holds something.
    NamespaceNotEmpty,
    /// The namespace is being deleted.
    NamespaceDeleting,
    /// Assets refer to the device.
    DeviceHasAssets,
    /// The caller may not do this.
    PermissionDenied,
    /// The request id was used with another body.
    RequestIdReused,
    /// The element was fine; another of the same all-or-nothing batch was not.
    BatchAborted,
    /// The cluster was initialized before.
    AlreadyInitialized,
    /// A cursor only moves forward.
    CursorBackwards,
    /// The join token was used, has expired, was withdrawn or is another node's.
    JoinTokenStale,
    /// The node was removed from the cluster.
    NodeRemoved,
    /// Not all members know this operation yet.
    FeatureLevelTooLow,
    /// Another store, or another copy of the edge's store, has connected since.
    EdgeReplaced,
    /// The edge has a newer session.
    EpochFenced,
    /// Operations of the edge are missing before these.
    SequenceGap,
    /// The resource is not in the scope of the edge.
    OutsideScope,
    /// The edge's state is of another cluster.
    ClusterMismatch,
    /// The edge has seen what this cluster has not.
    CursorFromTheFuture,
    /// The edge is disabled.
    EdgeDisabled,
    /// Other sites are inside of the site.
    SiteHasSites,
    /// The edge has as many discovered devices and assets as may be kept.
    DiscoveryFull,
    /// The real resource that was made from the discovered one lives.
    AlreadyAccepted,
}

impl Reason {
    /// All reasons, in the order of their numbers in the stored format.
    pub const ALL: [Self; 33] = [
        Self::InvalidField,
        Self::InvalidId,
        Self::InvalidJson,
        Self::InvalidDocument,
        Self::NullNotAllowed,
        Self::TooLarge,
        Self::TooMany,
        Self::NotFound,
        Self::ParentNotFound,
        Self::AlreadyExists,
        Self::EtagMismatch,
        Self::DeviceDisabled,
        Self::NamespaceNotEmpty,
        Self::NamespaceDeleting,
        Self::DeviceHasAssets,
        Self::PermissionDenied,
        Self::RequestIdReused,
        Self::BatchAborted,
        Self::AlreadyInitialized,
        Self::CursorBackwards,
        Self::JoinTokenStale,
        Self::NodeRemoved,
        Self::FeatureLevelTooLow,
        Self::EdgeReplaced,
        Self::EpochFenced,
        Self::SequenceGap,
        Self::OutsideScope,
        Self::ClusterMismatch,
        Self::CursorFromTheFuture,
        Self::EdgeDisabled,
        Self::SiteHasSites,
        Self::DiscoveryFull,
        Self::AlreadyAccepted,
    ];

    /// The stable code, as in `google.rpc.ErrorInfo.reason`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidField => "INVALID_FIELD",
            Self::InvalidId => "INVALID_ID",
            Self::InvalidJson => "INVALID_JSON",
            Self::InvalidDocument => "INVALID_DOCUMENT",
            Self::NullNotAllowed => "NULL_NOT_ALLOWED",
            Self::TooLarge => "TOO_LARGE",
            Self::TooMany => "TOO_MANY",
            Self::NotFound => "NOT_FOUND",
            Self::ParentNotFound => "PARENT_NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::EtagMismatch => "ETAG_MISMATCH",
            Self::DeviceDisabled => "DEVICE_DISABLED",
            Self::NamespaceNotEmpty => "NAMESPACE_NOT_EMPTY",
            Self::NamespaceDeleting => "NAMESPACE_DELETING",
            Self::DeviceHasAssets => "DEVICE_HAS_ASSETS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::BatchAborted => "BATCH_ABORTED",
            Self::AlreadyInitialized => "ALREADY_INITIALIZED",
            Self::CursorBackwards => "CURSOR_BACKWARDS",
            Self::JoinTokenStale => "JOIN_TOKEN_STALE",
            Self::NodeRemoved => "NODE_REMOVED",
            Self::FeatureLevelTooLow => "FEATURE_LEVEL_TOO_LOW",
            Self::EdgeReplaced => "EDGE_REPLACED",
            Self::EpochFenced => "EPOCH_FENCED",
            Self::SequenceGap => "SEQUENCE_GAP",
            Self::OutsideScope => "OUTSIDE_SCOPE",
            Self::ClusterMismatch => "CLUSTER_MISMATCH",
            Self::CursorFromTheFuture => "CURSOR_FROM_THE_FUTURE",
            Self::EdgeDisabled => "EDGE_DISABLED",
            Self::SiteHasSites => "SITE_HAS_SITES",
            Self::DiscoveryFull => "DISCOVERY_FULL",
            Self::AlreadyAccepted => "ALREADY_ACCEPTED",
        }
    }

    /// The reason with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// A refusal that names the field and the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    /// Which kind of refusal.
    pub reason: Reason,
    /// Path of the field at fault, such as `desired_json.pump.speed`; empty when no one field is.
    pub field: String,
    /// A sentence that says what is wrong and what would be right.
    pub message: String,
    /// For [`Reason::EtagMismatch`]: the current etag or version.
    pub current: String,
}

impl Rejection {
    /// A refusal for `reason` at `field`.
    #[must_use]
    pub fn new(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into(), current: String::new() }
    }

    /// The same, one level further out: `prefix` is put before the field's path.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.field = match (prefix.is_empty(), self.field.is_empty()) {
            (true, _) => self.field,
            (false, true) => prefix.to_owned(),
            (false, false) if self.field.starts_with('[') => format!("{prefix}{}", self.field),
            (false, false) => format!("{prefix}.{}", self.field),
        };
        self
    }

    /// A stale etag; `current` is the one to use.
    #[must_use]
    pub fn etag(field: &str, given: &str, current: impl Into<String>) -> Self {
        let current = current.into();
        let message = format!("{field} is `{given}` but the current one is `{current}`");
        Self { reason: Reason::EtagMismatch, field: field.to_owned(), message, current }
    }

    /// `name` does not exist.
    #[must_use]
    pub fn not_found(name: impl fmt::Display) -> Self {
        Self::new(Reason::NotFound, "name", format!("{name} does not exist"))
    }

    /// `name` exists already; its id was given in `field`.
    #[must_use]
    pub fn already_exists(field: &str, name: impl fmt::Display) -> Self {
        Self::new(Reason::AlreadyExists, field, format!("{name} exists already"))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.code(), self.message)?;
        if self.field.is_empty() { Ok(()) } else { write!(f, " (field {})", self.field) }
    }
}
