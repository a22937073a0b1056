//! Muster's side: a real node on loopback, asked and changed through gRPC.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::HeaderValue;
use muster_proto::v1;
use muster_proto::v1::device_service_client::DeviceServiceClient;
use muster_proto::v1::namespace_service_client::NamespaceServiceClient;
use muster_proto::v1::query_service_client::QueryServiceClient;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use super::dataset;

const NAMESPACE: &str = "fleet";
const PARENT: &str = "namespaces/fleet";
/// Devices of one import.
const BATCH: u32 = 500;
/// Imports under way at the same time.
const AT_ONCE: usize = 4;

/// A connection to a node.
#[derive(Clone)]
pub(super) struct Node {
    channel: Channel,
    token: HeaderValue,
}

impl Node {
    pub(super) fn connect(url: &str, token: HeaderValue) -> Result<Self> {
        let channel = Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true).timeout(Duration::from_secs(60));
        Ok(Self { channel: channel.connect_lazy(), token })
    }

    /// A connection of its own, without a bound on how long a stream lasts.
    pub(super) fn elsewhere(&self, url: &str) -> Result<Self> {
        let channel = Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true).connect_lazy();
        Ok(Self { channel, token: self.token.clone() })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(token) = self.token.to_str().unwrap_or_default().parse() {
            request.metadata_mut().insert("authorization", token);
        }
        request
    }

    /// Creates the fleet.
    pub(super) async fn load(&self, twins: u32) -> Result<()> {
        let namespace = v1::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
        NamespaceServiceClient::new(self.channel.clone()).create_namespace(self.request(namespace)).await?;
        use futures::{StreamExt, TryStreamExt};
        let imports = (0..twins).step_by(BATCH as usize).map(|first| async move {
            let lines = (first..twins.min(first + BATCH)).map(|index| {
                let twin = dataset::twin(index);
                let authentication =
                    v1::Authentication { r#type: v1::AuthenticationType::None.into(), ..Default::default() };
                v1::ImportDevice {
                    mode: v1::ImportMode::Create.into(),
                    device_id: twin.id,
                    device: Some(v1::Device { authentication: Some(authentication), ..Default::default() }),
                    tags_json: Some(twin.tags),
                    desired_json: Some(twin.desired),
                    reported_json: Some(twin.reported),
                    ..Default::default()
                }
            });
            self.import(lines.collect()).await
        });
        futures::stream::iter(imports).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn import(&self, devices: Vec<v1::ImportDevice>) -> Result<()> {
        let expected = devices.len();
        let request = v1::ImportDevicesRequest { parent: PARENT.to_owned(), devices, ..Default::default() };
        let mut client = DeviceServiceClient::new(self.channel.clone()).max_encoding_message_size(16 << 20);
        let results = client.import_devices(self.request(request)).await?.into_inner().results;
        ensure!(results.len() == expected, "{} results for {expected} lines", results.len());
        match results.into_iter().find_map(|result| result.error) {
            Some(error) => anyhow::bail!("a line was refused: {}", error.message),
            None => Ok(()),
        }
    }

    /// Changes reported members of some devices in one call.
    pub(super) async fn change(&self, changes: Vec<(u32, String)>) -> Result<()> {
        let line = |(index, reported): (u32, String)| v1::ImportDevice {
            mode: v1::ImportMode::UpdateTwin.into(),
            device_id: dataset::id(index),
            reported_json: Some(reported),
            ..Default::default()
        };
        self.import(changes.into_iter().map(line).collect()).await
    }

    /// The rows of an answer, each with its members in the order of the query.
    pub(super) async fn ask(&self, text: &str) -> Result<Vec<Vec<String>>> {
        let mut request = v1::QueryRequest {
            parent: PARENT.to_owned(),
            text: text.to_owned(),
            page_size: 1_000,
            ..Default::default()
        };
        let mut client = QueryServiceClient::new(self.channel.clone());
        let mut rows = Vec::new();
        loop {
            let page = client.query(self.request(request.clone())).await.with_context(|| text.to_owned())?.into_inner();
            for row in &page.rows_json {
                let row: serde_json::Value = serde_json::from_str(row)?;
                let member = |name: &String| match row.get(name) {
                    Some(serde_json::Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => String::new(),
                };
                rows.push(page.columns.iter().map(member).collect());
            }
            if page.next_page_token.is_empty() {
                return Ok(rows);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// One page as it comes, for timing.
    pub(super) async fn time(&self, text: &str) -> Result<()> {
        let request = v1::QueryRequest {
            parent: PARENT.to_owned(),
            text: text.to_owned(),
            page_size: 1_000,
            ..Default::default()
        };
        QueryServiceClient::new(self.channel.clone()).query(self.request(request)).await?;
        Ok(())
    }

    /// Follows a query until the task is dropped; the number of messages is not looked at.
    pub(super) async fn watch(&self, text: &str) -> Result<tonic::Streaming<v1::WatchQueryResponse>> {
        let request = v1::WatchQueryRequest { parent: PARENT.to_owned(), text: text.to_owned(), ..Default::default() };
        Ok(QueryServiceClient::new(self.channel.clone()).watch(self.request(request)).await?.into_inner())
    }
}
