//! What a listener shows and whom it lets in.
//!
//! Deliberately accepts nothing itself (`incoming.rs`).

use super::{Reloading, TlsError, provider};
use crate::config::{ClientTlsFiles, PeerTlsFiles};
use crate::identity::{CertIdentity, IdentityError};
use muster_planted::{self as planted, Bug};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, version};
use std::path::Path;
use std::sync::Arc;

/// Whom a listener is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Clients: a certificate is welcome but not required, since a token may follow.
    Clients,
    /// Members of this cluster, and nobody else.
    Peers {
        /// The cluster's UUID.
        cluster_id: String,
    },
}

/// Why a connection whose handshake succeeded is closed all the same.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("{0} is not a client")]
    NotAClient(CertIdentity),
    #[error("{0} is not a member of this cluster")]
    NotAPeer(CertIdentity),
    #[error("no certificate was shown")]
    NoCertificate,
}

impl Audience {
    /// The identity that counts on this connection.
    pub(super) fn admit(&self, chain: Option<&[CertificateDer<'_>]>) -> Result<Option<CertIdentity>, Refusal> {
        let identity = chain.and_then(<[_]>::first).map(|certificate| CertIdentity::from_der(certificate));
        match (self, identity) {
            (Self::Clients, None | Some(Err(IdentityError::Missing))) => Ok(None),
            (Self::Clients, Some(Ok(CertIdentity::Peer { cluster_id, node_id }))) => {
                Err(Refusal::NotAClient(CertIdentity::Peer { cluster_id, node_id }))
            }
            (Self::Clients, Some(identity)) => Ok(Some(identity?)),
            (Self::Peers { .. }, None) => Err(Refusal::NoCertificate),
            (Self::Peers { cluster_id: ours }, Some(identity)) => match identity? {
                CertIdentity::Peer { cluster_id, node_id } if cluster_id == *ours => {
                    Ok(Some(CertIdentity::Peer { cluster_id, node_id }))
                }
                other => Err(Refusal::NotAPeer(other)),
            },
        }
    }
}

/// A listener's certificates, reloaded when they change, and its audience.
#[derive(Debug)]
pub struct ServerTls {
    pub(super) audience: Audience,
    config: Arc<Reloading<ServerConfig>>,
}

impl ServerTls {
    /// For the listener of clients: HTTP/2, and HTTP/1.1 for gRPC-Web.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn clients(files: &ClientTlsFiles) -> Result<Self, TlsError> {
        let mut paths = vec![files.cert_file.clone(), files.key_file.clone()];
        paths.extend(files.client_ca_file.clone());
        let config = Reloading::new(paths, |files| {
            let verifier = match files.get(2) {
                Some(authorities) => {
                    verifier(authorities.authorities()?, &authorities.path, |builder| builder.allow_unauthenticated())?
                }
                None => WebPkiClientVerifier::no_client_auth(),
            };
            server_config(&files[0], &files[1], verifier, &[&version::TLS13, &version::TLS12], &[b"h2", b"http/1.1"])
        })?;
        Ok(Self { audience: Audience::Clients, config: Arc::new(config) })
    }

    /// For the listener of peers: TLS 1.3 and HTTP/2 only, certificate required.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn peers(files: &PeerTlsFiles, cluster_id: &str) -> Result<Self, TlsError> {
        let paths = vec![files.cert_file.clone(), files.key_file.clone(), files.ca_file.clone()];
        let config = Reloading::new(paths, |files| {
            let verifier = verifier(files[2].authorities()?, &files[2].path, |builder| builder)?;
            server_config(&files[0], &files[1], verifier, &[&version::TLS13], &[b"h2"])
        })?;
        Ok(Self { audience: Audience::Peers { cluster_id: cluster_id.to_owned() }, config: Arc::new(config) })
    }

    /// The files and what they give; [`Reloading::watch`] keeps it fresh.
    #[must_use]
    pub fn reloading(&self) -> &Arc<Reloading<ServerConfig>> {
        &self.config
    }
}

fn verifier(
    authorities: RootCertStore,
    path: &Path,
    adapt: impl FnOnce(rustls::server::ClientCertVerifierBuilder) -> rustls::server::ClientCertVerifierBuilder,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    adapt(WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider()))
        .build()
        .map_err(|error| TlsError::Authorities { path: path.to_owned(), reason: error.to_string() })
}

fn server_config(
    certificate: &super::material::PemFile,
    key: &super::material::PemFile,
    verifier: Arc<dyn ClientCertVerifier>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> Result<ServerConfig, TlsError> {
    let refused = |source| TlsError::Certificate { path: certificate.path.clone(), source };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(refused)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificate.certificates()?, key.key()?)
        .map_err(refused)?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    // No resumption of any kind: tickets for TLS 1.3, the session cache for TLS 1.2.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if planted::is(Bug::SessionsResumed) {
        config.send_tls13_tickets = 2;
        config.session_storage = rustls::server::ServerSessionMemoryCache::new(256);
    }
    Ok(config)
}
