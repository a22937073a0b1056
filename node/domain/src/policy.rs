//! Who may change and read what. The same function is asked before a command is proposed and again when it is applied.
//! It knows no credentials: a [`Principal`] arrives authenticated.
//!
//! - Deny by default: what no arm allows is refused.

use muster_planted::{self as planted, Bug};

use crate::{Body, Command, Key, Operation, Reason, Record, Rejection};

/// Built-in roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads everything but keys.
    Viewer,
    /// Reads and changes everything in namespaces, keys included.
    Operator,
    /// Everything.
    Admin,
    /// Its own twin: reads it without tags, reports.
    Device,
    /// Its own scope: reads it, and sends what changed there in its sessions.
    Edge,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A node of the cluster, for what the cluster does by itself.
    Node(u64),
    /// A person or program with a role.
    User {
        /// Name in the certificate, or the token's description-free id.
        name: String,
        /// What it may do.
        role: Role,
        /// Only in this namespace; `None` means everywhere.
        namespace: Option<String>,
        /// The token it came with; checked against the replicated tokens when a command is applied.
        token: Option<String>,
    },
    /// A device, by certificate or token.
    Device {
        /// Its namespace.
        namespace: String,
        /// Its id.
        device: String,
        /// The token it came with.
        token: Option<String>,
    },
    /// An edge, by certificate or token.
    Edge {
        /// Its namespace.
        namespace: String,
        /// Its id.
        edge: String,
        /// The token it came with.
        token: Option<String>,
    },
}

impl Principal {
    /// The name written into events: `node:1`, `user:alice`, `token:ci`, `device:plant1/pump7`, `edge:plant1/hall4`.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Node(id) => format!("node:{id}"),
            Self::User { token: Some(token), .. } => format!("token:{token}"),
            Self::User { name, .. } => format!("user:{name}"),
            Self::Device { namespace, device, .. } => format!("device:{namespace}/{device}"),
            Self::Edge { namespace, edge, .. } => format!("edge:{namespace}/{edge}"),
        }
    }

    /// The token it came with, if it came with one.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        match self {
            Self::Node(_) => None,
            Self::User { token, .. } | Self::Device { token, .. } | Self::Edge { token, .. } => token.as_deref(),
        }
    }
}

/// What an operation changes, as far as permission goes.
enum WriteScope<'a> {
    /// The cluster's settings and its tokens.
    Cluster,
    /// A namespace itself.
    Namespace,
    /// Something that concerns all namespaces.
    AllNamespaces,
    /// Something in the namespace.
    Within(&'a str),
}

impl<'a> WriteScope<'a> {
    fn of(operation: &'a Operation) -> Self {
        match operation {
            Operation::InitializeCluster { .. }
            | Operation::RaiseFeatureLevel { .. }
            | Operation::RestoreCluster { .. }
            | Operation::CreateToken { .. }
            | Operation::RevokeToken { .. }
            | Operation::AdmitNode { .. }
            | Operation::UseJoinToken { .. }
            | Operation::PromoteNode { .. }
            | Operation::RemoveNode { .. }
            | Operation::SetRetention { .. }
            | Operation::CompactEvents { .. } => Self::Cluster,
            Operation::CreateCursor { namespace, .. }
            | Operation::AcknowledgeCursor { namespace, .. }
            | Operation::DeleteCursor { namespace, .. } => match namespace.as_str() {
                "" => Self::AllNamespaces,
                namespace => Self::Within(namespace),
            },
            Operation::CreateNamespace { .. }
            | Operation::UpdateNamespace { .. }
            | Operation::DeleteNamespace { .. } => Self::Namespace,
            Operation::CreateSavedQuery { namespace, .. }
            | Operation::UpdateSavedQuery { namespace, .. }
            | Operation::DeleteSavedQuery { namespace, .. }
            | Operation::CreateSite { namespace, .. }
            | Operation::UpdateSite { namespace, .. }
            | Operation::DeleteSite { namespace, .. }
            | Operation::CreateEdge { namespace, .. }
            | Operation::UpdateEdge { namespace, .. }
            | Operation::DeleteEdge { namespace, .. }
            | Operation::OpenEdgeSession { namespace, .. }
            | Operation::ApplyUplink { namespace, .. }
            | Operation::ReportDiscoveredDevice { namespace, .. }
            | Operation::ReportDiscoveredAsset { namespace, .. }
            | Operation::CreateDevice { namespace, .. }
            | Operation::UpdateDevice { namespace, .. }
            | Operation::SetDeviceStatus { namespace, .. }
            | Operation::DeleteDevice { namespace, .. }
            | Operation::CreateModule { namespace, .. }
            | Operation::UpdateModule { namespace, .. }
            | Operation::DeleteModule { namespace, .. }
            | Operation::CreateAsset { namespace, .. }
            | Operation::UpdateAsset { namespace, .. }
            | Operation::DeleteAsset { namespace, .. }
            | Operation::UpdateAssetStatus { namespace, .. } => Self::Within(namespace),
            Operation::ImportDevice(line) => Self::Within(&line.namespace),
            Operation::AcceptDiscovered { key, .. }
            | Operation::DismissDiscovered { key, .. }
            | Operation::DeleteDiscovered { key, .. }
            | Operation::RegenerateKeys { key, .. }
            | Operation::PatchTwin { key, .. }
            | Operation::ReplaceTwin { key, .. }
            | Operation::ReportProperties { key, .. } => key.namespace().map_or(Self::Cluster, Self::Within),
        }
    }
}

/// Whether `principal` may do all of `command`.
///
/// # Errors
/// [`Reason::PermissionDenied`] for the first operation that it may not do.
pub fn permit(principal: &Principal, command: &Command) -> Result<(), Rejection> {
    let looked_at = if planted::is(Bug::FirstPermits) { 1 } else { command.operations.len() };
    if command.operations.iter().take(looked_at).all(|operation| may_do(principal, operation)) {
        return Ok(());
    }
    Err(denied(principal, "change this"))
}

fn may_do(principal: &Principal, operation: &Operation) -> bool {
    match principal {
        Principal::Node(_) => matches!(
            operation,
            Operation::InitializeCluster { .. }
                | Operation::RestoreCluster { .. }
                | Operation::RaiseFeatureLevel { .. }
                | Operation::UseJoinToken { .. }
                | Operation::RemoveNode { .. }
                | Operation::CompactEvents { .. }
        ),
        Principal::User { role: Role::Viewer | Role::Device | Role::Edge, .. } => false,
        Principal::User { role: Role::Admin, namespace: None, .. } => true,
        Principal::User { role: Role::Operator, namespace: None, .. } => {
            !matches!(WriteScope::of(operation), WriteScope::Cluster)
        }
        Principal::User { role: Role::Operator | Role::Admin, namespace: Some(own), .. } => {
            let any = planted::is(Bug::NamespaceOfRole);
            matches!(WriteScope::of(operation), WriteScope::Within(namespace) if namespace == own || any)
        }
        Principal::Device { namespace, device, .. } => match operation {
            Operation::ReportProperties { key, from_device: true, .. } => {
                is_twin(key) && key.namespace() == Some(namespace) && key.device() == Some(device)
            }
            _ => false,
        },
        // What it sends is judged by its scope, which only `decide` knows.
        Principal::Edge { namespace: own, edge: own_edge, .. } => match operation {
            Operation::OpenEdgeSession { namespace, edge, .. }
            | Operation::ApplyUplink { namespace, edge, .. }
            | Operation::ReportDiscoveredDevice { namespace, edge, .. }
            | Operation::ReportDiscoveredAsset { namespace, edge, .. } => namespace == own && edge == own_edge,
            _ => false,
        },
    }
}

fn is_twin(key: &Key) -> bool {
    matches!(key, Key::DeviceTwin(..) | Key::ModuleTwin(..))
}

/// What a read touches, as far as permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadScope<'a> {
    /// The cluster's status.
    Cluster,
    /// All namespaces: a list of them, the history of everything.
    AllNamespaces,
    /// A namespace and anything in it but keys.
    Namespace(&'a str),
    /// The identity of one device or of its modules.
    Device {
        /// Its namespace.
        namespace: &'a str,
        /// Its id.
        device: &'a str,
    },
    /// The twin of one device or of one of its modules.
    Twin {
        /// Its namespace.
        namespace: &'a str,
        /// The device's id.
        device: &'a str,
        /// Whether tags are part of the answer.
        section_tags: bool,
    },
    /// What an edge holds.
    EdgeScope {
        /// Its namespace.
        namespace: &'a str,
        /// The edge's id.
        edge: &'a str,
    },
    /// Keys of devices and modules.
    Keys {
        /// Their namespace.
        namespace: &'a str,
    },
    /// API tokens.
    Tokens,
}

/// Whether `principal` may read `scope`.
///
/// # Errors
/// [`Reason::PermissionDenied`] when it may not.
pub fn may_read(principal: &Principal, scope: ReadScope<'_>) -> Result<(), Rejection> {
    if reads(principal, scope) { Ok(()) } else { Err(denied(principal, "read this")) }
}

fn reads(principal: &Principal, scope: ReadScope<'_>) -> bool {
    match principal {
        Principal::Node(_) | Principal::User { role: Role::Device | Role::Edge, .. } => false,
        Principal::Device { namespace: own, device: own_device, .. } => matches!(
            scope,
            ReadScope::Twin { namespace, device, section_tags: false } if namespace == own && device == own_device
        ),
        Principal::Edge { namespace: own, edge: own_edge, .. } => matches!(
            scope,
            ReadScope::EdgeScope { namespace, edge } if namespace == own && edge == own_edge
        ),
        Principal::User { role, namespace: own, .. } => {
            let is_own = |namespace: &str| own.as_deref().is_none_or(|own| own == namespace);
            match scope {
                ReadScope::Cluster => true,
                ReadScope::AllNamespaces => own.is_none(),
                ReadScope::Namespace(namespace)
                | ReadScope::Device { namespace, .. }
                | ReadScope::Twin { namespace, .. }
                | ReadScope::EdgeScope { namespace, .. } => is_own(namespace),
                ReadScope::Keys { namespace } => matches!(role, Role::Operator | Role::Admin) && is_own(namespace),
                ReadScope::Tokens => *role == Role::Admin && own.is_none(),
            }
        }
    }
}

/// Whether the token that `principal` came with still says so: it exists, has not expired and has the same role and
/// scope. `token` is the replicated record of [`Principal::token`]. A principal without a token always passes.
///
/// # Errors
/// [`Reason::PermissionDenied`] when it does not.
pub fn token_still_valid(token: Option<&Record>, principal: &Principal, at_ms: u64) -> Result<(), Rejection> {
    if principal.token().is_none() {
        return Ok(());
    }
    let Some(Record { body: Body::Token(token), .. }) = token else {
        if planted::is(Bug::RevokedStillValid) {
            return Ok(());
        }
        return Err(denied(principal, "go on: its token does not exist any more"));
    };
    if token.expires_ms.is_some_and(|expires_ms| expires_ms <= at_ms) {
        return Err(denied(principal, "go on: its token has expired"));
    }
    let same = match principal {
        Principal::Node(_) => false,
        Principal::User { role, namespace, .. } => token.role == *role && token.namespace == *namespace,
        Principal::Device { namespace, device, .. } => {
            token.role == Role::Device
                && token.namespace.as_ref() == Some(namespace)
                && token.device.as_ref() == Some(device)
        }
        Principal::Edge { namespace, edge, .. } => {
            token.role == Role::Edge && token.namespace.as_ref() == Some(namespace) && token.edge.as_ref() == Some(edge)
        }
    };
    if same { Ok(()) } else { Err(denied(principal, "go on: its token has another role or scope now")) }
}

fn denied(principal: &Principal, what: &str) -> Rejection {
    Rejection::new(Reason::PermissionDenied, "", format!("{} may not {what}", principal.actor()))
}
