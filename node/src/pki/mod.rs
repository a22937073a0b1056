//! Certificates and keys for a cluster: what `musterd pki` and a first start without configuration write.
//!
//! Two authorities that never vouch for each other: one for clients and for what clients talk to, one for peers. A
//! device's certificate therefore cannot open the door that peers use.
//!
//! ```text
//! DIR/cluster-id                       client-ca.{crt,key}   peer-ca.{crt,key}   (take both keys offline afterwards)
//! DIR/secrets.key  admin.token         admin.{crt,key}       a client certificate with the role admin
//! DIR/nodes/NAME/  server.{crt,key}  peer.{crt,key}  client-ca.crt  peer-ca.crt  secrets.key  admin.token
//! ```
//!
//! Deliberately does not know who uses the files (`tls/`), nor the time: it is passed in.
//!
//! - Files are the owner's alone, and nothing is ever overwritten.
//! - Keys are ECDSA P-256. Authorities last ten years, everything else 397 days, the longest that strict clients take.

mod authority;
mod layout;

pub use authority::{Authority, AuthorityKind, Issued, Leaf, peer_server_name};
pub use layout::{NodeNames, Paths, init, issue_client, issue_node, renew_if_due};

use crate::secrets::SealError;
use std::io;
use std::path::{Path, PathBuf};

/// Why certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// There is a file of this name; it stays.
    #[error("{} exists already and is not overwritten; choose another folder or name", .0.display())]
    Exists(PathBuf),
    /// The file system said no.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A name cannot stand in a certificate or as a file name.
    #[error("{what} {value:?} is not usable: {rule}")]
    Name {
        /// What kind of name.
        what: &'static str,
        /// As given.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The authority's files do not hold a certificate and its key.
    #[error("{} and its key are not a certificate authority: {reason}", path.display())]
    NotAnAuthority {
        /// The certificate file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The certificate could not be built or signed.
    #[error("cannot make the certificate")]
    Certificate(#[source] rcgen::Error),
    /// The key file for sealing is not usable.
    #[error(transparent)]
    Secrets(#[from] SealError),
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PkiError {
    move |source| match source.kind() {
        io::ErrorKind::AlreadyExists => PkiError::Exists(path.to_owned()),
        _ => PkiError::Io { action, path: path.to_owned(), source },
    }
}
