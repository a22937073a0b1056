//! Who a certificate says its holder is.
//!
//! | URI in the subject alternative name | identity |
//! |---|---|
//! | `muster:role:ROLE/NAME` | a person or service with a built-in role: `viewer`, `operator` or `admin` |
//! | `muster:device:NAMESPACE/DEVICE` | a device |
//! | `muster:edge:NAMESPACE/EDGE` | the agent of an edge |
//! | `muster:peer:CLUSTER/NODE` | a member of the cluster with this UUID |
//!
//! Segments are percent-encoded outside `A-Z a-z 0-9 - . _ ~`, so that a device id may hold what the registry allows.
//!
//! Deliberately does not know whether a certificate is trusted: the TLS handshake has checked its chain before anyone
//! asks here; nor what an identity may do.
//!
//! - A certificate carries exactly one identity. With two it is refused, rather than one of them chosen.
//! - Encoding is canonical: a URI that does not read back to itself is refused, so no identity has two spellings.

use std::fmt;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const SCHEME: &str = "muster:";
/// The longest segment, in bytes after decoding; ids of the registry are shorter.
const SEGMENT_BYTES_MAX: usize = 256;

/// A built-in role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and changes what is registered.
    Operator,
    /// Also governs the cluster.
    Admin,
}

impl Role {
    /// As it is spelled in certificates, on the command line and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

/// Who the holder of a certificate is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertIdentity {
    /// A person or a service.
    Role {
        /// What it may do.
        role: Role,
        /// Names it in the history.
        name: String,
    },
    /// A device, which sees only its own twin.
    Device {
        /// Where it is registered.
        namespace: String,
        /// Its id there.
        device: String,
    },
    /// The agent of an edge, which opens its session.
    Edge {
        /// Where the edge is registered.
        namespace: String,
        /// Its id there.
        edge: String,
    },
    /// A member of a cluster.
    Peer {
        /// The cluster's UUID.
        cluster_id: String,
        /// Its number in the cluster.
        node_id: u64,
    },
}

/// Why a certificate gives no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not an X.509 certificate, or its alternative names do not parse.
    #[error("the certificate cannot be read")]
    Malformed,
    /// No alternative name starts with `muster:`.
    #[error("the certificate carries no muster: URI")]
    Missing,
    /// More than one does.
    #[error("the certificate carries {0} muster: URIs; exactly one is allowed")]
    Ambiguous(usize),
    /// The URI has none of the forms above.
    #[error("the certificate's URI is not a Muster identity: {0:?}")]
    Unknown(String),
}

impl CertIdentity {
    /// The identity in a certificate in DER form.
    ///
    /// # Errors
    /// When it carries none, several, or one that does not parse.
    pub fn from_der(certificate: &[u8]) -> Result<Self, IdentityError> {
        let (rest, certificate) = X509Certificate::from_der(certificate).map_err(|_| IdentityError::Malformed)?;
        if !rest.is_empty() {
            return Err(IdentityError::Malformed);
        }
        let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Malformed)?;
        let names = names.map_or(&[][..], |extension| &extension.value.general_names[..]);
        let uris = names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) if starts_with_scheme(uri) => Some(*uri),
            _ => None,
        });
        let uris: Vec<&str> = uris.collect();
        match uris[..] {
            [] => Err(IdentityError::Missing),
            [uri] => {
                Self::from_uri(uri).ok_or_else(|| IdentityError::Unknown(uri.chars().take(SEGMENT_BYTES_MAX).collect()))
            }
            _ => Err(IdentityError::Ambiguous(uris.len())),
        }
    }

    /// Reads one of the URIs above.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        let (kind, path) = uri.strip_prefix(SCHEME)?.split_once(':')?;
        let (first, second) = path.split_once('/')?;
        let (first, second) = (decode(first)?, decode(second)?);
        let identity = match kind {
            "role" => Self::Role { role: Role::parse(&first)?, name: second },
            "device" => Self::Device { namespace: first, device: second },
            "edge" => Self::Edge { namespace: first, edge: second },
            "peer" => Self::Peer { cluster_id: first, node_id: second.parse().ok().filter(|id| *id > 0)? },
            _ => return None,
        };
        (identity.to_uri() == uri).then_some(identity)
    }

    /// The URI that stands for this identity.
    #[must_use]
    pub fn to_uri(&self) -> String {
        let (kind, first, second) = match self {
            Self::Role { role, name } => ("role", role.as_str(), name.clone()),
            Self::Device { namespace, device } => ("device", namespace.as_str(), device.clone()),
            Self::Edge { namespace, edge } => ("edge", namespace.as_str(), edge.clone()),
            Self::Peer { cluster_id, node_id } => ("peer", cluster_id.as_str(), node_id.to_string()),
        };
        format!("{SCHEME}{kind}:{}/{}", encode(first), encode(&second))
    }
}

impl fmt::Display for CertIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_uri())
    }
}

/// URI schemes ignore case; ours must be lower case to be accepted, but counts as ours in any case.
fn starts_with_scheme(uri: &str) -> bool {
    uri.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

fn encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn decode(segment: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            u8::try_from(digit(bytes.next())? << 4 | digit(bytes.next())?).ok()?
        } else {
            byte
        };
        decoded.push(byte);
    }
    if decoded.is_empty() || decoded.len() > SEGMENT_BYTES_MAX {
        return None;
    }
    String::from_utf8(decoded).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back_to_itself() {
        let identities = [
            CertIdentity::Role { role: Role::Admin, name: "ops team".into() },
            CertIdentity::Role { role: Role::Viewer, name: "grafana".into() },
            CertIdentity::Device { namespace: "plant-1".into(), device: "a/b#c?%$=,:@(1)!*'+".into() },
            CertIdentity::Device { namespace: "plant-1".into(), device: "Prüfstand".into() },
            CertIdentity::Edge { namespace: "plant-1".into(), edge: "press-hall".into() },
            CertIdentity::Peer { cluster_id: "0f0e0d0c-0000-4000-8000-000000000000".into(), node_id: 3 },
        ];
        for identity in identities {
            assert_eq!(CertIdentity::from_uri(&identity.to_uri()), Some(identity));
        }
        let device = CertIdentity::Device { namespace: "n".into(), device: "a/b c".into() };
        assert_eq!(device.to_string(), "muster:device:n/a%2Fb%20c");
    }

    #[test]
    fn what_is_not_exactly_an_identity_is_none() {
        let long = format!("muster:device:n/{}", "d".repeat(SEGMENT_BYTES_MAX + 1));
        for bad in [
            "",
            "muster:",
            "muster:role:admin",
            "muster:role:/x",
            "muster:role:admin/",
            "muster:role:root/x",
            "muster:role:Admin/x",
            "MUSTER:role:admin/x",
            "muster:roles:admin/x",
            "muster:device:n/a/b",
            "muster:edge:n/",
            "muster:edges:n/e",
            "muster:device:n/a%2",
            "muster:device:n/a%zz",
            "muster:device:n/%61",
            "muster:device:n/a%2fb",
            "muster:device:n/a%00",
            "muster:device:n/%FF",
            "muster:peer:c/0",
            "muster:peer:c/-1",
            "muster:peer:c/+1",
            "muster:peer:c/01",
            "muster:peer:c/18446744073709551616",
            "spiffe:role:admin/x",
            &long,
        ] {
            assert_eq!(CertIdentity::from_uri(bad), None, "{bad}");
        }
    }

    #[test]
    fn rubbish_is_no_certificate() {
        assert_eq!(CertIdentity::from_der(b"rubbish"), Err(IdentityError::Malformed));
        assert_eq!(CertIdentity::from_der(b""), Err(IdentityError::Malformed));
    }
}
