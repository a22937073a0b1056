//! Calls that the public client does not make: raw bytes, other certificates, plain connections, HTTP.
//!
//! It judges no answer; the tests do.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::{Buf, BufMut};
use muster_chaos::cluster::Cluster;
use muster_client::{Client, ClientConfig, RetryPolicy, proto};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

/// No call of a test takes longer, unless the node hangs.
const CALL_MAX: Duration = Duration::from_secs(20);

/// Settings of a client that tries once, without credentials.
pub(crate) fn once(cluster: &Cluster) -> anyhow::Result<ClientConfig> {
    let retry = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    Ok(cluster.client_config(&[1])?.retry(retry))
}

/// A channel to a listener of node 1 that trusts `authority` and shows `identity`, both named by files below `pki`.
pub(crate) fn channel(
    cluster: &Cluster,
    address: &str,
    (authority, server_name): (&str, &str),
    identity: Option<&str>,
) -> anyhow::Result<Channel> {
    let read = |name: &str| std::fs::read(cluster.pki().join(name)).with_context(|| name.to_owned());
    let mut tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(authority)?)).domain_name(server_name);
    if let Some(identity) = identity {
        tls = tls.identity(Identity::from_pem(read(&format!("{identity}.crt"))?, read(&format!("{identity}.key"))?));
    }
    Ok(Endpoint::from_shared(address.to_owned())?.tls_config(tls)?.connect_lazy())
}

/// A channel to the clients' listener, without a certificate.
pub(crate) fn anonymous(cluster: &Cluster) -> anyhow::Result<Channel> {
    channel(cluster, &cluster.endpoint(1), ("client-ca.crt", "localhost"), None)
}

/// Sends `message` as it is to the method at `path`, and hears the first message of the answer.
pub(crate) async fn call(
    channel: &Channel,
    path: &str,
    token: Option<&str>,
    message: Vec<u8>,
) -> Result<Vec<u8>, Status> {
    let mut grpc = Grpc::new(channel.clone());
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().map_err(|_| Status::invalid_argument("not a header"))?;
        request.metadata_mut().insert("authorization", value);
    }
    let path = PathAndQuery::try_from(path).map_err(|error| Status::invalid_argument(error.to_string()))?;
    in_time(async {
        grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
        grpc.unary(request, path, AsIs).await.map(tonic::Response::into_inner)
    })
    .await
}

/// Ends what takes too long.
pub(crate) async fn in_time<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = || Status::deadline_exceeded(format!("the node did not answer within {CALL_MAX:?}"));
    tokio::time::timeout(CALL_MAX, call).await.unwrap_or_else(|_| Err(late()))
}

/// Whether the connection broke, rather than that a server answered.
pub(crate) fn is_cut(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// Makes a token and returns its id and its text.
pub(crate) async fn token(
    admin: &Client,
    role: proto::Role,
    namespace: &str,
    of: &str,
) -> anyhow::Result<(String, String)> {
    let (device_id, edge_id) = if role == proto::Role::Edge { ("", of) } else { (of, "") };
    let token = proto::Token {
        role: role.into(),
        namespace: namespace.to_owned(),
        device_id: device_id.to_owned(),
        edge_id: edge_id.to_owned(),
        ..Default::default()
    };
    let request = proto::CreateTokenRequest { token: Some(token), ..Default::default() };
    let made = admin.cluster().create_token(request).await?;
    Ok((made.token.context("a token")?.token_id, made.secret))
}

/// An address in the settings file of node 1: the one in `section`.
pub(crate) fn listener(cluster: &Cluster, section: &str) -> anyhow::Result<String> {
    let folder = cluster.data_dir(1).parent().context("a folder")?.to_owned();
    let settings = std::fs::read_to_string(folder.join("node.toml"))?;
    let (_, behind) = settings.split_once(&format!("[{section}]")).with_context(|| section.to_owned())?;
    let (_, address) = behind.split_once("address = \"").context("an address")?;
    Ok(address.split('"').next().unwrap_or_default().to_owned())
}

/// Fetches a page of node 1 over HTTP.
pub(crate) async fn http_get(cluster: &Cluster, path: &str) -> anyhow::Result<String> {
    let address = listener(cluster, "http")?;
    let mut stream = tokio::net::TcpStream::connect(&address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    tokio::time::timeout(CALL_MAX, stream.read_to_string(&mut answer)).await??;
    ensure!(answer.starts_with("HTTP/1.1 "), "not an answer: {answer}");
    Ok(answer)
}

/// Messages as bytes, neither made nor understood.
#[derive(Debug, Clone, Copy)]
struct AsIs;

impl Codec for AsIs {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for AsIs {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for AsIs {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining()).to_vec()))
    }
}
