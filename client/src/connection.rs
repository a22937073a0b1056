//! The client itself: its settings, its secrets and its channels.
//!
//! - `http://` is refused for anything but loopback: a token must not cross a network in the clear.
//! - Tokens and keys never appear in `Debug` output or errors.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};

use crate::endpoints::{Endpoints, Node};
use crate::retry::RetryPolicy;

/// Largest message the client takes or sends, bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Settings that no client can be made from.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No endpoint was given.
    #[error("no endpoint is given")]
    NoEndpoint,
    /// Not an address.
    #[error("`{endpoint}` is not an endpoint: write https://HOST:PORT, or unix:PATH for the socket of an edge agent")]
    Endpoint {
        /// What was given.
        endpoint: String,
    },
    /// Plaintext beyond this machine.
    #[error("`{endpoint}` is not encrypted; http:// is for loopback addresses only")]
    Plaintext {
        /// What was given.
        endpoint: String,
    },
    /// An encrypted endpoint without a certificate authority to trust.
    #[error("`{endpoint}` needs the certificate of the cluster's authority (CA file)")]
    NoAuthority {
        /// What was given.
        endpoint: String,
    },
    /// A file that cannot be read.
    #[error("the {what} file {} cannot be read: {cause}", path.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A token with characters that no token has.
    #[error("the token is not one: it must look like mst_…")]
    Token,
    /// Certificates that TLS refuses.
    #[error("the certificates cannot be used: {0}")]
    Tls(String),
}

/// Settings of a client.
#[derive(Clone)]
pub struct ClientConfig {
    endpoints: Vec<String>,
    ca_pem: Option<Vec<u8>>,
    identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    token: Option<String>,
    server_name: Option<String>,
    connect_timeout: Duration,
    retry: RetryPolicy,
}

impl ClientConfig {
    /// Endpoints in order of preference: `https://HOST:PORT`, `http://` on loopback, or `unix:PATH`.
    pub fn new<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            ca_pem: None,
            identity_pem: None,
            token: None,
            server_name: None,
            connect_timeout: Duration::from_secs(3),
            retry: RetryPolicy::default(),
        }
    }

    /// The authority whose server certificates are trusted, as PEM. No other authority is.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// As [`Self::ca_pem`], from a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ca_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let pem = read("CA", path.as_ref())?;
        Ok(self.ca_pem(pem))
    }

    /// The client's own certificate and key, as PEM.
    #[must_use]
    pub fn identity_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity_pem = Some((certificate.into(), key.into()));
        self
    }

    /// As [`Self::identity_pem`], from files.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn identity_files(self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let certificate = read("certificate", certificate.as_ref())?;
        let key = read("key", key.as_ref())?;
        Ok(self.identity_pem(certificate, key))
    }

    /// The API token, `mst_…`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// As [`Self::token`], from a file; white space around it does not count.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn token_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let bytes = read("token", path.as_ref())?;
        let text = String::from_utf8(bytes).map_err(|_| ConfigError::Token)?;
        Ok(self.token(text.trim()))
    }

    /// The name servers must prove instead of the endpoint's host.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Bound of one connection attempt; 3 seconds unless said otherwise.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How calls are repeated.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// A channel that connects when first used.
    fn channel(&self, address: &str) -> Result<Channel, ConfigError> {
        let not_one = || ConfigError::Endpoint { endpoint: address.to_owned() };
        if address.starts_with("unix:") {
            // A socket of this machine, such as an edge agent's: who may open it is the file system's business.
            let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| not_one())?;
            return Ok(endpoint.connect_timeout(self.connect_timeout).connect_lazy());
        }
        let uri: Uri = address.parse().map_err(|_| not_one())?;
        let host = uri.host().ok_or_else(not_one)?.to_owned();
        let endpoint = Endpoint::from(uri.clone())
            .user_agent(concat!("muster-client/", env!("CARGO_PKG_VERSION")))
            .map_err(|_| not_one())?
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        let endpoint = match uri.scheme_str() {
            Some("https") => {
                let tls = self.tls(address)?;
                endpoint.tls_config(tls).map_err(|error| ConfigError::Tls(causes(&error)))?
            }
            Some("http") if is_loopback(&host) => endpoint,
            Some("http") => return Err(ConfigError::Plaintext { endpoint: address.to_owned() }),
            _ => return Err(not_one()),
        };
        Ok(endpoint.connect_lazy())
    }

    fn tls(&self, address: &str) -> Result<ClientTlsConfig, ConfigError> {
        let ca_pem = self.ca_pem.as_ref().ok_or_else(|| ConfigError::NoAuthority { endpoint: address.to_owned() })?;
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca_pem));
        if let Some((certificate, key)) = &self.identity_pem {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        if let Some(name) = &self.server_name {
            tls = tls.domain_name(name.clone());
        }
        Ok(tls)
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("endpoints", &self.endpoints)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|cause| ConfigError::File { what, path: path.to_owned(), cause })
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Whether `host` is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A client of one cluster. Clones share its connections. It must be made inside a tokio runtime.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: ClientConfig,
    pub(crate) endpoints: Endpoints,
    pub(crate) authorization: Option<MetadataValue<Ascii>>,
}

impl Client {
    /// Makes a client; nothing is connected before the first call.
    ///
    /// # Errors
    /// When the settings cannot work: no endpoint, no authority, a bad token, unusable certificates.
    pub fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        if config.endpoints.is_empty() {
            return Err(ConfigError::NoEndpoint);
        }
        let mut nodes = Vec::with_capacity(config.endpoints.len());
        for address in &config.endpoints {
            nodes.push(Node { address: address.clone(), channel: config.channel(address)? });
        }
        let authorization = match &config.token {
            Some(token) => {
                let mut value: MetadataValue<Ascii> =
                    format!("Bearer {token}").parse().map_err(|_| ConfigError::Token)?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Ok(Self { shared: Arc::new(Shared { endpoints: Endpoints::new(nodes), config, authorization }) })
    }

    /// The endpoints in use, learned ones included.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.shared.endpoints.addresses()
    }

    /// How its calls are repeated.
    #[must_use]
    pub fn retry_policy(&self) -> &RetryPolicy {
        &self.shared.config.retry
    }

    /// Adds an endpoint that was learned, if it is new and allowed.
    pub(crate) fn learn(&self, address: &str) {
        if self.shared.endpoints.lacks(address) {
            // What a member announces may be of no use from here, for example a plaintext address of another host.
            if let Ok(channel) = self.shared.config.channel(address) {
                self.shared.endpoints.add(Node { address: address.to_owned(), channel });
            }
        }
    }

    /// Sends the next call elsewhere.
    pub(crate) fn leave(&self, node: &Node) {
        self.shared.endpoints.leave(node, || self.shared.config.channel(&node.address).ok());
    }

    /// A client of one node alone, with the same credentials. `address` is `HOST:PORT`; the node is taken to speak as the
    /// first endpoint does.
    pub(crate) fn only(&self, address: &str, retry: RetryPolicy) -> Result<Self, ConfigError> {
        let encrypted = self.endpoints().first().is_some_and(|endpoint| endpoint.starts_with("https://"));
        let scheme = if encrypted { "https" } else { "http" };
        let endpoints = vec![format!("{scheme}://{address}")];
        Self::new(ClientConfig { endpoints, retry, ..self.shared.config.clone() })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoints", &self.endpoints()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: ClientConfig) -> String {
        Client::new(config).expect_err("must be refused").to_string()
    }

    #[tokio::test]
    async fn settings_that_cannot_work_are_refused() {
        assert!(refusal(ClientConfig::new(Vec::<String>::new())).contains("no endpoint"));
        assert!(refusal(ClientConfig::new(["nonsense"])).contains("HOST:PORT"));
        assert!(refusal(ClientConfig::new(["http://10.0.0.1:7420"])).contains("not encrypted"));
        assert!(refusal(ClientConfig::new(["https://127.0.0.1:7420"])).contains("CA file"));
        assert!(refusal(ClientConfig::new(["http://localhost:1"]).token("a\nb")).contains("mst_"));
    }

    #[tokio::test]
    async fn secrets_stay_out_of_debug_output() {
        let config = ClientConfig::new(["http://[::1]:7420"]).token("mst_secret");
        assert!(!format!("{config:?}").contains("mst_secret"));
        let client = Client::new(config).expect("loopback may be plaintext");
        assert!(!format!("{client:?}").contains("mst_secret"));
    }
}
