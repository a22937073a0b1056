//! Encrypted connections: the two listeners, and the way to a peer.
//!
//! ```text
//!   client ──TLS, certificate optional──▶ Incoming ──▶ gRPC server      (certificates of the clients' authority)
//!   peer   ──TLS 1.3, certificate and identity required──▶ Incoming ──▶ peer server      (the peers' authority)
//!   PeerConnector ──▶ another member's listener, which must prove that it belongs to the same cluster
//! ```
//!
//! Deliberately does not know what an identity may do (`authorize`), nor how certificates are made (`pki/`).
//!
//! - One cryptographic provider, `ring`, is named everywhere; nothing depends on a process-wide default.
//! - No session is ever resumed: a resumed session would carry an identity that was checked hours ago.
//! - Certificates are read again when their files change. What cannot be used is reported and the last good one stays.
//! - Handshakes and connections are bounded in number and in time.

mod connector;
mod incoming;
mod material;
mod reload;
mod server;
#[cfg(test)]
mod tests;

pub use connector::PeerConnector;
pub use incoming::{Connection, ConnectionInfo, Incoming, IncomingLimits};
pub use reload::{RELOAD_INTERVAL, Reloading};
pub use server::{Audience, ServerTls};

use crate::identity::CertIdentity;
use rustls::crypto::CryptoProvider;
use std::path::PathBuf;
use std::sync::Arc;

/// Why certificates and keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no usable {what}: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Why it was not found.
        reason: String,
    },
    /// Certificate, key and authorities do not go together.
    #[error("the certificate {} cannot be used", path.display())]
    Certificate {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The authorities cannot be used to verify.
    #[error("the authorities in {} cannot be used: {reason}", path.display())]
    Authorities {
        /// Their file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The node's own certificate is another's.
    #[error("{} is not a certificate of this cluster's member {node_id}: {reason}", path.display())]
    NotThisMember {
        /// The certificate's file.
        path: PathBuf,
        /// This node.
        node_id: u64,
        /// What it says instead.
        reason: String,
    },
}

/// The provider of this process. Called once by `main`, for libraries that ask for a default; our own code names it.
pub fn install_provider() {
    // An error means that one is installed already, which can only be this one.
    let _installed_now = CryptoProvider::install_default(rustls::crypto::ring::default_provider()).is_ok();
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Which node the certificate of a call's connection names; `None` when it has none, which only a listener without TLS
/// lets in.
pub fn certified_peer(extensions: &tonic::Extensions) -> Option<u64> {
    match extensions.get::<ConnectionInfo>()?.identity.as_ref()? {
        CertIdentity::Peer { node_id, .. } => Some(*node_id),
        _ => None,
    }
}
