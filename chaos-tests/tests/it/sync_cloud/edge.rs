//! An edge that does what `sync.md` says and keeps what it must: a store that survives its links, and links one at a time.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use muster_chaos::cluster::Cluster;
use muster_client::{Client, names, proto};
use muster_domain::scope::{ScopeHash, item_hash};
use proto::sync_request::Message as Asked;
use proto::sync_response::Message as Told;
use proto::sync_service_client::SyncServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use super::{NAMESPACE, PATIENCE};
use crate::wire;

/// What an edge has made durable.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) edge: String,
    pub(super) token_id: String,
    pub(super) token: String,
    pub(super) cluster_id: String,
    pub(super) incarnation: [u8; 16],
    pub(super) epoch: u64,
    pub(super) session: [u8; 16],
    pub(super) sent_sequence: u64,
    pub(super) cursor: u64,
    /// It says that it compares contents.
    pub(super) verifies: bool,
    pub(super) items: BTreeMap<String, (u64, proto::Resource)>,
}

impl Store {
    /// A new store of an edge, with a token for it.
    pub(super) async fn new(client: &Client, edge: &str) -> anyhow::Result<Self> {
        let (token_id, token) = wire::token(client, proto::Role::Edge, NAMESPACE, edge).await?;
        Ok(Self {
            edge: names::edge(NAMESPACE, edge),
            token_id,
            token,
            cluster_id: String::new(),
            incarnation: rand::random(),
            epoch: 0,
            session: rand::random(),
            sent_sequence: 0,
            cursor: 0,
            verifies: false,
            items: BTreeMap::new(),
        })
    }

    pub(super) fn hello(&self) -> proto::SyncHello {
        proto::SyncHello {
            edge: self.edge.clone(),
            cluster_id: self.cluster_id.clone(),
            incarnation: self.incarnation.to_vec().into(),
            epoch: self.epoch,
            session: self.session.to_vec().into(),
            cursor: self.cursor,
            window_items: 256,
            agent_version: "by hand".to_owned(),
            sent_sequence: self.sent_sequence,
            verifies: self.verifies,
        }
    }

    /// Connects to a node.
    pub(super) async fn connect(&mut self, cluster: &Cluster, node: u64) -> Result<Link, Status> {
        self.connect_with(cluster, node, 256).await
    }

    /// The same, with a window of items.
    pub(super) async fn connect_with(&mut self, cluster: &Cluster, node: u64, window: u32) -> Result<Link, Status> {
        let hello = proto::SyncHello { window_items: window, ..self.hello() };
        let mut link = Link::open(cluster, node, &self.token, Asked::Hello(hello)).await?;
        let Some(Told::Welcome(welcome)) = link.next().await? else {
            return Err(Status::internal("the first message is no welcome"));
        };
        self.epoch = welcome.epoch;
        self.session = rand::random();
        self.cluster_id = welcome.header.as_ref().map(|header| header.cluster_id.clone()).unwrap_or_default();
        link.welcome = welcome;
        Ok(link)
    }

    /// The sum of what it holds from `start` on and below `end`.
    pub(super) fn range(&self, start: &str, end: &str) -> proto::SyncRange {
        let mut sum = ScopeHash::default();
        let within = self.items.range(start.to_owned()..).take_while(|(name, _)| end.is_empty() || name.as_str() < end);
        within.for_each(|(name, (revision, _))| sum.add(&item_hash(name, *revision)));
        let hash = sum.to_bytes().to_vec().into();
        proto::SyncRange { start: start.to_owned(), end: end.to_owned(), items: sum.items(), hash }
    }

    /// Writes items.
    pub(super) fn write(&mut self, items: Vec<proto::SyncItem>) {
        for item in items {
            match item.resource {
                None => drop(self.items.remove(&item.name)),
                Some(resource) => {
                    let is_newer = self.items.get(&item.name).is_none_or(|(revision, _)| item.revision > *revision);
                    if is_newer {
                        self.items.insert(item.name, (item.revision, resource));
                    }
                }
            }
        }
    }

    /// Whether it agrees with a mark.
    pub(super) fn agrees(&self, mark: &proto::SyncMark) -> bool {
        let own = self.range("", "");
        (own.items, own.hash) == (mark.items, mark.scope_hash.clone())
    }

    /// Names of what it holds, without the namespace.
    pub(super) fn names(&self) -> Vec<&str> {
        let namespace = "namespaces/plant1/";
        self.items.keys().map(|name| name.strip_prefix(namespace).unwrap_or(name)).collect()
    }

    /// What is desired of a device.
    pub(super) fn desired(&self, device: &str) -> Option<&str> {
        match self.items.get(&names::twin(NAMESPACE, device))?.1.resource.as_ref()? {
            proto::resource::Resource::Twin(twin) => Some(twin.desired.as_ref()?.json.as_str()),
            _ => None,
        }
    }

    /// Follows a link until a mark of `revision` or later that it agrees with; answers with the items that came.
    pub(super) async fn follow(&mut self, link: &mut Link, revision: u64) -> anyhow::Result<Vec<proto::SyncItem>> {
        let mut came = Vec::new();
        loop {
            match link.next().await?.context("the node ended the link")? {
                Told::Items(items) => {
                    came.extend(items.items.clone());
                    self.write(items.items);
                }
                Told::Mark(mark) => {
                    let agrees = self.agrees(&mark);
                    self.cursor = mark.revision;
                    link.received(self.cursor, agrees).await?;
                    ensure!(agrees, "does not agree with {mark:?}: {:?}", self.names());
                    if mark.revision >= revision {
                        return Ok(came);
                    }
                }
                Told::OperationsResult(result) => link.results.push(result),
                other => bail!("unexpected: {other:?}"),
            }
        }
    }
}

/// A stream to a node.
pub(super) struct Link {
    up: mpsc::Sender<proto::SyncRequest>,
    down: Streaming<proto::SyncResponse>,
    pub(super) welcome: proto::SyncWelcome,
    pub(super) items: u64,
    pub(super) results: Vec<proto::SyncOperationsResult>,
}

impl Link {
    /// Opens a stream with this first message.
    pub(super) async fn open(cluster: &Cluster, node: u64, token: &str, first: Asked) -> Result<Self, Status> {
        let channel = wire::channel(cluster, &cluster.endpoint(node), ("client-ca.crt", "localhost"), None)
            .map_err(|error| Status::internal(error.to_string()))?;
        let (up, messages) = mpsc::channel(64);
        up.try_send(proto::SyncRequest { message: Some(first) })
            .map_err(|error| Status::internal(error.to_string()))?;
        let mut request = Request::new(ReceiverStream::new(messages));
        let bearer = format!("Bearer {token}").parse().map_err(|_| Status::internal("not a header"))?;
        request.metadata_mut().insert("authorization", bearer);
        let down = wire::in_time(SyncServiceClient::new(channel).sync(request)).await?.into_inner();
        Ok(Self { up, down, welcome: proto::SyncWelcome::default(), items: 0, results: Vec::new() })
    }

    /// The next message; `None` at the end. Counts items.
    pub(super) async fn next(&mut self) -> Result<Option<Told>, Status> {
        let late = || Status::deadline_exceeded("the node says nothing");
        let next = tokio::time::timeout(PATIENCE, self.down.message()).await.map_err(|_| late())??;
        let told = next.and_then(|message| message.message);
        if let Some(Told::Items(items)) = &told {
            self.items += items.items.len() as u64;
        }
        Ok(told)
    }

    /// The next mark, and the items before it.
    pub(super) async fn mark(&mut self) -> anyhow::Result<(Vec<proto::SyncItem>, proto::SyncMark)> {
        let mut came = Vec::new();
        loop {
            match self.next().await?.context("the node ended the link")? {
                Told::Items(items) => came.extend(items.items),
                Told::Mark(mark) => return Ok((came, mark)),
                Told::OperationsResult(result) => self.results.push(result),
                other => bail!("unexpected: {other:?}"),
            }
        }
    }

    pub(super) async fn say(&self, message: Asked) -> anyhow::Result<()> {
        Ok(self.up.send(proto::SyncRequest { message: Some(message) }).await?)
    }

    /// Says what was received, all that came on this link.
    pub(super) async fn received(&self, cursor: u64, agrees: bool) -> anyhow::Result<()> {
        let (items, queued_operations, dropped_operations) = (self.items, 3, 1);
        let received = proto::SyncReceived { items, cursor, agrees, queued_operations, dropped_operations };
        self.say(Asked::Received(received)).await
    }

    /// Sends reports of a device, numbered from `first` on.
    pub(super) async fn report(&self, first: u64, reports: &[(&str, String)]) -> anyhow::Result<()> {
        let operations = reports.iter().map(|(device, json)| report(device, json)).collect();
        let epoch = self.welcome.epoch;
        self.say(Asked::Operations(proto::SyncOperations { epoch, first_sequence: first, operations })).await
    }

    /// Waits for the result of an operation; all results that came until then.
    pub(super) async fn answered(&mut self, sequence: u64) -> anyhow::Result<Vec<proto::SyncOperationsResult>> {
        while self.results.last().is_none_or(|result| result.last_sequence < sequence) {
            match self.next().await?.context("the node ended the link")? {
                Told::OperationsResult(result) => self.results.push(result),
                Told::Items(_) | Told::Mark(_) => {}
                other => bail!("unexpected: {other:?}"),
            }
        }
        Ok(self.results.clone())
    }

    /// How the link ends: with the status, or `None`. What comes before is left aside.
    pub(super) async fn end(&mut self) -> Option<Status> {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    }
}

pub(super) fn report(device: &str, json: &str) -> proto::SyncOperation {
    let report = proto::SyncReport { name: names::twin(NAMESPACE, device), reported_json: json.to_owned() };
    proto::SyncOperation { queued_ms: 1, operation: Some(proto::sync_operation::Operation::Report(report)) }
}
