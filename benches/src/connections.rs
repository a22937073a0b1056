//! Connections, opened up front and dealt out to the clients in turn.
//!
//! The same settings for every system, so that none is measured with a better transport than the other. Knows HTTP/2
//! and TLS, and no gRPC.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Bytes a server may send ahead on one stream.
const STREAM_WINDOW: u32 = 1 << 20;
/// Bytes a server may send ahead on one connection.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// How long opening a connection may take.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// An open HTTP/2 connection, and where it leads.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Bytes>,
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
}

/// Open connections over one or several endpoints, in turn.
#[derive(Debug, Clone)]
pub(crate) struct Connections(Vec<Connection>);

impl Connections {
    /// Opens `count` connections, spread evenly over the endpoints (`http://…`, or `https://…` with `tls`).
    pub(crate) async fn open(endpoints: &[String], count: usize, tls: Option<&Tls>) -> Result<Self> {
        ensure!(!endpoints.is_empty() && count > 0, "no endpoint to connect to");
        let mut connections = Vec::with_capacity(count);
        for url in endpoints.iter().cycle().take(count) {
            let opened = timeout(OPEN_WITHIN, open(url, tls)).await.with_context(|| format!("{url} is too slow"))?;
            connections.push(opened.with_context(|| format!("connect to {url}"))?);
        }
        Ok(Self(connections))
    }

    /// The connection of a client; clients share connections evenly.
    pub(crate) fn of(&self, client: usize) -> Connection {
        self.0[client % self.0.len()].clone()
    }
}

/// How to connect to nodes that speak TLS.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// Servers must show a certificate for `localhost` by this authority, in PEM.
    pub(crate) fn new(authority: &[u8]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate.context("read the certificate authority")?).context("use it")?;
        }
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("choose protocol versions")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

async fn open(url: &str, tls: Option<&Tls>) -> Result<Connection> {
    let parts = url.parse::<Uri>()?.into_parts();
    let scheme = parts.scheme.context("no scheme")?;
    let authority = parts.authority.context("no address")?;
    let tcp = TcpStream::connect(authority.as_str()).await?;
    tcp.set_nodelay(true)?;
    let sender = match tls {
        None => handshake(tcp).await?,
        Some(tls) => handshake(tls.0.connect(ServerName::try_from("localhost")?, tcp).await?).await?,
    };
    Ok(Connection { sender, scheme, authority })
}

/// Begins HTTP/2, and drives the connection in a task of its own until it is dropped or breaks.
async fn handshake(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<SendRequest<Bytes>> {
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .enable_push(false)
        .handshake(io)
        .await?;
    // A broken connection shows as an error of the calls on it, which is where it is counted.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}
