//! A certificate authority: made, loaded, and asked to issue.
//!
//! Deliberately does not know where files lie (`layout.rs`).
//!
//! - An authority signs certificates and nothing below it may: its path length is 0.
//! - The use of a key is in its certificate: servers authenticate as servers, clients as clients, peers as both.

use super::PkiError;
use crate::identity::CertIdentity;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const AUTHORITY_LIFE: Duration = Duration::from_secs(3_653 * 24 * 60 * 60);
/// How long a server, client or peer certificate lasts.
pub(super) const LEAF_LIFE: Duration = Duration::from_secs(397 * 24 * 60 * 60);

/// Whom an authority vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityKind {
    /// Clients, and the servers that clients talk to.
    Clients,
    /// Members of the cluster among themselves.
    Peers,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug)]
pub enum Leaf<'a> {
    /// The listener for clients, reached under these DNS names and IP addresses.
    Server {
        /// DNS names and IP addresses.
        names: &'a [String],
    },
    /// A client with this identity.
    Client(&'a CertIdentity),
    /// A member of a cluster, as server and as client of its peers.
    Peer {
        /// UUID of the cluster.
        cluster_id: &'a str,
        /// The member's number.
        node_id: u64,
    },
}

/// A certificate and its key.
#[derive(Debug)]
pub struct Issued {
    /// In PEM form.
    pub certificate_pem: String,
    /// PKCS #8 in PEM form.
    pub key_pem: Zeroizing<String>,
}

/// A certificate authority with its key.
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(..)")
    }
}

/// The DNS name under which members of a cluster know each other. It never resolves: peers dial addresses, and verify
/// that whoever answers belongs to the cluster.
#[must_use]
pub fn peer_server_name(cluster_id: &str) -> String {
    format!("{cluster_id}.peer.muster.internal")
}

impl Authority {
    /// Makes an authority and its self-signed certificate.
    ///
    /// # Errors
    /// When the certificate cannot be built.
    pub fn create(
        kind: AuthorityKind,
        cluster_id: &str,
        serial: [u8; 16],
        now_ms: u64,
    ) -> Result<(Self, Issued), PkiError> {
        let name = match kind {
            AuthorityKind::Clients => "clients",
            AuthorityKind::Peers => "peers",
        };
        let mut params = params(&format!("Muster {name} CA {cluster_id}"), serial, now_ms, AUTHORITY_LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = generate_key()?;
        let certificate_pem = params.self_signed(&key).map_err(PkiError::Certificate)?.pem();
        let issued = Issued { certificate_pem: certificate_pem.clone(), key_pem: Zeroizing::new(key.serialize_pem()) };
        Ok((Self { certificate_pem, issuer: Issuer::new(params, key) }, issued))
    }

    /// Reads an authority's certificate and key.
    ///
    /// # Errors
    /// When a file cannot be read, or is not what it should be.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, PkiError> {
        let read = |path: &Path| std::fs::read_to_string(path).map_err(super::failed("read", path));
        let (certificate_pem, key_pem) = (read(certificate)?, Zeroizing::new(read(key)?));
        let refused =
            |error: rcgen::Error| PkiError::NotAnAuthority { path: certificate.to_owned(), reason: error.to_string() };
        let key = KeyPair::from_pem(&key_pem).map_err(refused)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(refused)?;
        if !issuer.key_usages().contains(&KeyUsagePurpose::KeyCertSign) {
            let reason = "it may not sign certificates".to_owned();
            return Err(PkiError::NotAnAuthority { path: certificate.to_owned(), reason });
        }
        Ok(Self { certificate_pem, issuer })
    }

    /// Its certificate, for those who trust it.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Makes a key and signs its certificate.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue(&self, leaf: Leaf<'_>, serial: [u8; 16], now_ms: u64) -> Result<Issued, PkiError> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let (subject, names, usages) = match leaf {
            Leaf::Server { names } => {
                let subject = names.first().map_or("muster", String::as_str).to_owned();
                (subject, names.iter().map(|name| server_name(name)).collect::<Result<_, _>>()?, vec![ServerAuth])
            }
            Leaf::Client(identity) => (subject_of(identity), vec![uri(identity)?], vec![ClientAuth]),
            Leaf::Peer { cluster_id, node_id } => {
                let identity = CertIdentity::Peer { cluster_id: cluster_id.to_owned(), node_id };
                let names = vec![server_name(&peer_server_name(cluster_id))?, uri(&identity)?];
                (subject_of(&identity), names, vec![ServerAuth, ClientAuth])
            }
        };
        let mut params = params(&subject, serial, now_ms, LEAF_LIFE);
        params.subject_alt_names = names;
        params.extended_key_usages = usages;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = generate_key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(PkiError::Certificate)?;
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: Zeroizing::new(key.serialize_pem()) })
    }
}

fn generate_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Certificate)
}

fn params(common_name: &str, mut serial: [u8; 16], now_ms: u64, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    // `date_time_ymd` is the way to a date that does not need the `time` crate as a dependency of ours.
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(now_ms);
    // A day back, for machines whose clocks are behind.
    params.not_before = now - DAY;
    params.not_after = now + life;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Muster");
    // X.509 bounds a common name at 64 characters; identities live in the alternative names, in full.
    params.distinguished_name.push(DnType::CommonName, common_name.chars().take(64).collect::<String>());
    // Serial numbers are positive, and a leading zero byte would not be their shortest form.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params
}

fn subject_of(identity: &CertIdentity) -> String {
    match identity {
        CertIdentity::Role { name, .. } => name.clone(),
        CertIdentity::Device { device, .. } => device.clone(),
        CertIdentity::Edge { edge, .. } => edge.clone(),
        CertIdentity::Peer { node_id, .. } => format!("node {node_id}"),
    }
}

fn uri(identity: &CertIdentity) -> Result<SanType, PkiError> {
    let uri = identity.to_uri();
    // What does not read back would be refused at the door later: refuse it now.
    if CertIdentity::from_uri(&uri).as_ref() != Some(identity) {
        let rule = "1 to 256 bytes without control characters";
        return Err(PkiError::Name { what: "identity", value: uri, rule });
    }
    uri.try_into().map(SanType::URI).map_err(PkiError::Certificate)
}

pub(super) fn server_name(name: &str) -> Result<SanType, PkiError> {
    if let Ok(address) = name.parse() {
        return Ok(SanType::IpAddress(address));
    }
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let rest = name.strip_prefix("*.").unwrap_or(name);
    if name.len() > 253 || !rest.split('.').all(label) {
        let rule = "a DNS name or an IP address";
        return Err(PkiError::Name { what: "server name", value: name.to_owned(), rule });
    }
    name.to_owned().try_into().map(SanType::DnsName).map_err(PkiError::Certificate)
}
