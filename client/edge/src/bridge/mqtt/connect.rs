//! How the broker is reached: address, credentials, TLS, and what is asked of the session.
//!
//! Files are read for each connection: certificates and passwords change while the agent runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rumqttc::tokio_rustls::rustls::pki_types::pem::PemObject;
use rumqttc::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rumqttc::tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use rumqttc::{
    AckMode, MqttOptions, PersistedAckMode, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey,
    TlsConfiguration, Transport,
};

use super::Ended;
use crate::config::{Broker, Mqtt};

/// Messages that the broker may send before it hears that one arrived.
const UNACKNOWLEDGED_MAX: u16 = 32;
/// Messages of the bridge that the broker has not acknowledged.
const IN_FLIGHT_MAX: u16 = 128;
/// A broker does not send what is larger. It is more than [`super::message::PAYLOAD_BYTES_MAX`], so that what is too large
/// for a report is answered.
const PACKET_BYTES_MAX: u32 = 4 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The broker keeps the session for as long as it likes.
const SESSION_NEVER_EXPIRES: u32 = u32::MAX;
/// Requests of the bridge on their way to the connection; it never makes as many.
pub(super) const REQUESTS_MAX: usize = 4_096;

/// What the broker is told when the bridge connects.
///
/// # Errors
/// When a file cannot be used.
pub(super) fn options(config: &Mqtt, broker: &Broker, client_id: &str) -> Result<MqttOptions, Ended> {
    let mut options = MqttOptions::new(client_id, (broker.host.as_str(), broker.port));
    options
        .set_keep_alive(config.keep_alive_s)
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_NEVER_EXPIRES))
        .set_session_store(NothingOfOurs { client_id: client_id.to_owned() })
        .set_ack_mode(AckMode::Manual)
        .set_receive_maximum(Some(UNACKNOWLEDGED_MAX))
        .set_outgoing_inflight_upper_limit(IN_FLIGHT_MAX)
        .set_max_packet_size(Some(PACKET_BYTES_MAX))
        .set_connect_timeout(CONNECT_TIMEOUT);
    if let (Some(username), Some(file)) = (&config.username, &config.password_file) {
        let password = std::fs::read(file).map_err(|cause| unusable(file, &cause))?;
        options.set_credentials(username.as_str(), password.trim_ascii_end().to_vec());
    }
    if let Some(ca) = &config.ca_file {
        let identity = config.cert_file.as_deref().zip(config.key_file.as_deref());
        let tls = Arc::new(tls(ca, identity)?);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    Ok(options)
}

fn unusable(path: &Path, cause: &dyn std::fmt::Display) -> Ended {
    Ended::File { path: path.to_owned(), cause: cause.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Ended> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|cause| unusable(path, &cause))?;
    if found.is_empty() { Err(unusable(path, &"holds no certificate")) } else { Ok(found) }
}

fn tls(ca: &Path, identity: Option<(&Path, &Path)>) -> Result<ClientConfig, Ended> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|cause| unusable(ca, &cause))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| unusable(ca, &cause))?
        .with_root_certificates(roots);
    let Some((cert, key)) = identity else { return Ok(builder.with_no_client_auth()) };
    let own = PrivateKeyDer::from_pem_file(key).map_err(|cause| unusable(key, &cause))?;
    builder.with_client_auth_cert(certificates(cert)?, own).map_err(|cause| unusable(cert, &cause))
}

/// The client's half of the session: it is always empty. What the bridge had published and not heard of is worked out anew
/// from what it holds, because by then it may be another state; what it had received the broker repeats.
#[derive(Debug)]
struct NothingOfOurs {
    client_id: String,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, SessionStoreError>>;

impl SessionStore for NothingOfOurs {
    fn load<'a>(&'a self, _: &'a SessionStoreKey) -> Answer<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: self.client_id.clone(),
            clean_start: false,
            session_expiry_interval: Some(SESSION_NEVER_EXPIRES),
            outgoing_inflight_upper_limit: Some(IN_FLIGHT_MAX),
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(async move { Ok(Some(session)) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
