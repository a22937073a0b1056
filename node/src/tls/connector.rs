//! The way to a peer: lazy channels that prove who we are and check who answers.
//!
//! Deliberately does not know what is said on a channel (`raft/`).
//!
//! - The name that is verified is the cluster's ([`crate::pki::peer_server_name`]), not the address dialled: addresses
//!   move, and nobody outside the cluster holds a certificate with that name.
//! - A connection made after certificates changed uses the new ones; one that stands keeps what it began with.

use super::server::{Audience, Refusal};
use super::{Reloading, TlsError, provider};
use crate::config::{PeerListener, PeerTlsFiles};
use crate::detour;
use crate::identity::CertIdentity;
use crate::pki::peer_server_name;
use crate::raft::{self, BoxError};
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, version};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Channel;

/// Makes channels to peers.
#[derive(Clone, Debug)]
pub struct PeerConnector {
    connect_timeout: Duration,
    keepalive_interval: Duration,
    keepalive_timeout: Duration,
    tls: Option<PeerTls>,
}

#[derive(Clone, Debug)]
struct PeerTls {
    config: Arc<Reloading<ClientConfig>>,
    server_name: ServerName<'static>,
    audience: Audience,
}

impl PeerConnector {
    /// With TLS where the listener's configuration has it, in plain text otherwise.
    ///
    /// # Errors
    /// When a file cannot be read or used, or this node's own certificate is not that of member `node_id`.
    pub fn new(listener: &PeerListener, cluster_id: &str, node_id: u64) -> Result<Self, TlsError> {
        let tls = listener.tls.as_ref().map(|files| PeerTls::new(files, cluster_id, node_id)).transpose()?;
        Ok(Self {
            connect_timeout: Duration::from_millis(listener.connect_timeout_ms),
            keepalive_interval: Duration::from_millis(listener.keepalive_interval_ms),
            keepalive_timeout: Duration::from_millis(listener.keepalive_timeout_ms),
            tls,
        })
    }

    /// The files and what they give, to be watched; `None` in plain text.
    #[must_use]
    pub fn reloading(&self) -> Option<&Arc<Reloading<ClientConfig>>> {
        self.tls.as_ref().map(|tls| &tls.config)
    }
}

impl raft::PeerConnector for PeerConnector {
    fn channel(&self, peer_addr: &str) -> Result<Channel, BoxError> {
        // The scheme is plain to tonic, because the connector below is the one that encrypts.
        let endpoint = raft::endpoint(&format!("http://{peer_addr}"))?
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(self.keepalive_interval)
            .keep_alive_timeout(self.keepalive_timeout)
            .keep_alive_while_idle(true);
        let Some(tls) = self.tls.clone() else { return Ok(endpoint.connect_lazy()) };
        let address = peer_addr.to_owned();
        Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let (tls, address) = (tls.clone(), address.clone());
            async move { tls.connect(&address).await.map(TokioIo::new) }
        })))
    }
}

impl PeerTls {
    fn new(files: &PeerTlsFiles, cluster_id: &str, node_id: u64) -> Result<Self, TlsError> {
        let own = CertIdentity::Peer { cluster_id: cluster_id.to_owned(), node_id };
        let cert_path = files.cert_file.clone();
        let not_ours = move |reason: String| TlsError::NotThisMember { path: cert_path.clone(), node_id, reason };
        let server_name =
            ServerName::try_from(peer_server_name(cluster_id)).map_err(|error| not_ours(error.to_string()))?;
        let paths = vec![files.cert_file.clone(), files.key_file.clone(), files.ca_file.clone()];
        let config = Reloading::new(paths, move |files| {
            let chain = files[0].certificates()?;
            match CertIdentity::from_der(&chain[0]) {
                Ok(identity) if identity == own => {}
                Ok(other) => return Err(not_ours(format!("it is {other}"))),
                Err(error) => return Err(not_ours(error.to_string())),
            }
            let authorities = Arc::new(files[2].authorities()?);
            let verifier = WebPkiServerVerifier::builder_with_provider(authorities, provider()).build();
            let verifier = verifier
                .map_err(|error| TlsError::Authorities { path: files[2].path.clone(), reason: error.to_string() })?;
            let refused = |source| TlsError::Certificate { path: files[0].path.clone(), source };
            let mut config = ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&version::TLS13])
                .map_err(refused)?
                .with_webpki_verifier(verifier)
                .with_client_auth_cert(chain, files[1].key()?)
                .map_err(refused)?;
            config.resumption = Resumption::disabled();
            config.alpn_protocols = vec![b"h2".to_vec()];
            Ok(config)
        })?;
        let audience = Audience::Peers { cluster_id: cluster_id.to_owned() };
        Ok(Self { config: Arc::new(config), server_name, audience })
    }

    async fn connect(&self, address: &str) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(&*detour::of(address)).await?;
        tcp.set_nodelay(true)?;
        let connector = TlsConnector::from(self.config.current());
        let stream = connector.connect(self.server_name.clone(), tcp).await?;
        let refused = |refusal: Refusal| io::Error::new(io::ErrorKind::PermissionDenied, refusal);
        self.audience.admit(stream.get_ref().1.peer_certificates()).map_err(refused)?;
        Ok(stream)
    }
}
