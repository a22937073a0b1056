//! Muster's side: a real node on loopback, asked and changed through gRPC.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt};
use http::HeaderValue;
use muster_proto::v1;
use muster_proto::v1::device_service_client::DeviceServiceClient;
use muster_proto::v1::namespace_service_client::NamespaceServiceClient;
use muster_proto::v1::query_service_client::QueryServiceClient;
use muster_proto::v1::twin_service_client::TwinServiceClient;
use tokio::time::Instant;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use super::dataset::{Change, Fleet, Section};
use super::questions::Question;
use super::store::{Rows, Session, Size, Step, Store, cell, kernel_mib};
use crate::systems::muster::cluster::Cluster;

const NAMESPACE: &str = "fleet";
const PARENT: &str = "namespaces/fleet";
/// Devices of one import.
const BATCH: u32 = 500;
/// Imports under way at the same time.
const AT_ONCE: usize = 4;

/// Rows of a page, where the question does not say.
const PAGE: u16 = 1_000;

/// Where the node is.
#[derive(Debug, Clone)]
pub(super) struct Muster {
    url: String,
    token: HeaderValue,
    pid: u32,
}

/// A connection to a node.
#[derive(Debug, Clone)]
pub(super) struct Node {
    channel: Channel,
    token: HeaderValue,
    current: v1::QueryRequest,
}

impl Muster {
    /// The first node of a cluster.
    pub(super) fn of(cluster: &Cluster) -> Result<Self> {
        let url = cluster.urls().into_iter().next().context("a cluster has nodes")?;
        let (_, pid) = cluster.processes().into_iter().next().context("a cluster has nodes")?;
        Ok(Self { url, token: cluster.token(), pid })
    }

    fn connect(&self) -> Result<Node> {
        let channel = Endpoint::from_shared(self.url.clone())?.tcp_nodelay(true).timeout(Duration::from_secs(60));
        Ok(self.node(channel))
    }

    /// A connection without a bound on how long a stream lasts.
    pub(super) fn follower(&self) -> Result<Node> {
        Ok(self.node(Endpoint::from_shared(self.url.clone())?.tcp_nodelay(true)))
    }

    fn node(&self, channel: Endpoint) -> Node {
        Node { channel: channel.connect_lazy(), token: self.token.clone(), current: v1::QueryRequest::default() }
    }
}

impl Store for Muster {
    type Session = Node;

    async fn session(&self) -> Result<Node> {
        self.connect()
    }

    async fn load(&self, fleet: &Fleet) -> Result<Vec<Step>> {
        let begun = Instant::now();
        self.connect()?.load(fleet).await?;
        Ok(vec![Step::new("imports", begun.elapsed())])
    }

    async fn settle(&self) -> Result<()> {
        Ok(())
    }

    async fn sizes(&self) -> Result<Vec<Size>> {
        Ok(vec![Size { what: "memory of the node", mib: kernel_mib(self.pid, "status", "VmRSS")? }])
    }

    fn processes(&self) -> Result<Vec<u32>> {
        Ok(vec![self.pid])
    }
}

impl Node {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(token) = self.token.to_str().unwrap_or_default().parse() {
            request.metadata_mut().insert("authorization", token);
        }
        request
    }

    /// Creates the fleet.
    async fn load(&self, fleet: &Fleet) -> Result<()> {
        let namespace = v1::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
        NamespaceServiceClient::new(self.channel.clone()).create_namespace(self.request(namespace)).await?;
        let imports = (0..fleet.twins).step_by(BATCH as usize).map(|first| async move {
            let lines = (first..fleet.twins.min(first + BATCH)).map(|index| {
                let twin = fleet.twin(index);
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

    /// Merges a patch into a section, as a device reports and as a back end writes: imports would replace the section.
    async fn patch(&self, change: &Change) -> Result<()> {
        let (name, patch) = (format!("{PARENT}/devices/{}/twin", change.id), Some(change.patch.clone()));
        let mut client = TwinServiceClient::new(self.channel.clone());
        let made = match change.section {
            Section::Reported => {
                let reported_json = change.patch.clone();
                let request = v1::ReportPropertiesRequest { name, reported_json, ..Default::default() };
                client.report_properties(self.request(request)).await
            }
            Section::Tags => {
                let request = v1::PatchTwinRequest { name, tags_json: patch, ..Default::default() };
                client.patch_twin(self.request(request)).await
            }
            Section::Desired => {
                let request = v1::PatchTwinRequest { name, desired_json: patch, ..Default::default() };
                client.patch_twin(self.request(request)).await
            }
        };
        made.with_context(|| format!("change {}", change.id)).map(drop)
    }

    /// All pages of the current question; `each` sees every page.
    async fn pages(&self, mut each: impl FnMut(&v1::QueryResponse) -> Result<()>) -> Result<()> {
        let mut request = self.current.clone();
        let mut client = QueryServiceClient::new(self.channel.clone());
        loop {
            let page = client.query(self.request(request.clone())).await;
            let page = page.with_context(|| request.text.clone())?.into_inner();
            each(&page)?;
            if page.next_page_token.is_empty() {
                return Ok(());
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Follows a query until the stream is dropped.
    pub(super) async fn watch(&self, text: &str) -> Result<tonic::Streaming<v1::WatchQueryResponse>> {
        let request = v1::WatchQueryRequest { parent: PARENT.to_owned(), text: text.to_owned(), ..Default::default() };
        Ok(QueryServiceClient::new(self.channel.clone()).watch(self.request(request)).await?.into_inner())
    }
}

impl Session for Node {
    async fn turn_to(&mut self, question: &Question) -> Result<()> {
        self.current = v1::QueryRequest {
            parent: PARENT.to_owned(),
            text: question.muster.clone(),
            page_size: question.page.unwrap_or(PAGE).into(),
            ..Default::default()
        };
        Ok(())
    }

    async fn ask(&mut self) -> Result<Rows> {
        let mut rows = Vec::new();
        self.pages(|page| {
            for row in &page.rows_json {
                let row: serde_json::Value = serde_json::from_str(row)?;
                rows.push(page.columns.iter().map(|name| cell(row.get(name))).collect());
            }
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    async fn time(&mut self) -> Result<()> {
        self.pages(|_| Ok(())).await
    }

    async fn change(&mut self, changes: &[Change]) -> Result<()> {
        // Calls go out together, those about one device one after the other.
        let mut devices: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            devices.entry(&change.id).or_default().push(change);
        }
        let node = &*self;
        let calls = devices.into_values().map(|changes| async move {
            for change in changes {
                node.patch(change).await?;
            }
            anyhow::Ok(())
        });
        try_join_all(calls).await.map(drop)
    }
}
