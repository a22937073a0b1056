//! Who calls, and whether they may: the door every RPC passes.
//!
//! ```text
//! layer: row of the RPC in the table ─▶ caller from certificate or token ─▶ least role ─▶ handler
//! handler: command() or read() with the resource at hand ─▶ Authorized<Command> ─▶ propose
//! ```
//!
//! - Denied by default: an RPC without a row in [`table`] is refused.
//! - Only [`command`] makes an [`Authorized`], and `propose` takes nothing else.
//! - The rules themselves are in `muster_domain::policy`; they are asked again when a command is applied.

use muster_domain::policy::{self, Principal, ReadScope};
use muster_domain::{Command, Key, Reason, Rejection};

use crate::read::Reader;

mod layer;
pub mod table;

pub use layer::{Authentication, AuthorizeLayer};

/// Who sent a request, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// Address of the caller as this node saw it.
    pub origin: String,
}

/// Something its caller may do.
#[derive(Debug, Clone)]
pub struct Authorized<T> {
    caller: Caller,
    what: T,
}

impl<T> Authorized<T> {
    /// The caller and what is authorized.
    #[must_use]
    pub fn into_parts(self) -> (Caller, T) {
        (self.caller, self.what)
    }
}

/// Authorizes a command.
///
/// # Errors
/// [`muster_domain::Reason::PermissionDenied`].
pub fn command(caller: &Caller, command: Command) -> Result<Authorized<Command>, Rejection> {
    policy::permit(&caller.principal, &command).inspect_err(|rejection| note_denied(caller, rejection))?;
    Ok(Authorized { caller: caller.clone(), what: command })
}

/// Authorizes a read.
///
/// # Errors
/// [`muster_domain::Reason::PermissionDenied`].
pub fn read(caller: &Caller, scope: ReadScope<'_>) -> Result<(), Rejection> {
    policy::may_read(&caller.principal, scope).inspect_err(|rejection| note_denied(caller, rejection))
}

fn note_denied(caller: &Caller, rejection: &Rejection) {
    metrics::counter!("muster_authorize_denied_total", "stage" => "resource").increment(1);
    tracing::info!(actor = caller.principal.actor(), origin = caller.origin, %rejection, "denied");
}

/// Whether a caller who was admitted may still go on: its token exists, has not expired and says the same as then. For
/// streams, which outlive the call that opened them.
///
/// # Errors
/// [`muster_domain::Reason::PermissionDenied`].
pub fn still(caller: &Caller, reader: &Reader, now_ms: u64) -> Result<(), Rejection> {
    let Some(token) = caller.principal.token() else { return Ok(()) };
    match reader.local().get(&Key::Token(token.to_owned())) {
        Ok(record) => policy::token_still_valid(record.as_deref(), &caller.principal, now_ms)
            .inspect_err(|rejection| note_denied(caller, rejection)),
        Err(error) => {
            tracing::error!(%error, "a token could not be read");
            Err(Rejection::new(Reason::PermissionDenied, "", "the token cannot be read now"))
        }
    }
}

/// What the cluster does by itself, such as its first command.
#[must_use]
pub fn by_node(node_id: u64, command: Command) -> Authorized<Command> {
    Authorized {
        caller: Caller { principal: Principal::Node(node_id), origin: format!("node {node_id}") },
        what: command,
    }
}
