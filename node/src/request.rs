//! A request to change something, as the node that took it hands it to the leader. It knows no encoding
//! ([`crate::store::codec`]), no queue and no network.
//!
//! - It is encoded once: the same bytes are forwarded, logged and applied.
//! - It carries no time: the leader stamps that beside it.

use muster_domain::Command;
use muster_domain::policy::Principal;

/// A command with who asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Who asks; policy is checked against it again when the command is applied.
    pub principal: Principal,
    /// The caller's `ip:port`.
    pub origin: String,
    /// The caller's name for this request, under which a retry finds the first outcome; may be empty.
    pub request_id: String,
    /// BLAKE3 of the caller's message without its request id, cut to 16 bytes: tells a retry from a reused id.
    pub body_hash: [u8; 16],
    /// What is asked for.
    pub command: Command,
}
