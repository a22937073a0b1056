//! One edge as the load plays it: what it holds, and its stream to a node (`sync.md` beside `muster/v1/sync.proto`).
//!
//! It keeps in memory what a real edge keeps on its disk, because it is the cluster that is measured. It does not repair: an
//! edge that does not agree fails the measurement.

use std::collections::HashMap;

use http::HeaderValue;
use muster_domain::scope::{ScopeHash, item_hash};
use muster_proto::v1;
use v1::sync_request::Message as Asked;
use v1::sync_response::Message as Told;

use crate::connections::{Connections, Tls};
use crate::grpc::{Answers, Method, Requests};

/// Items that a node may send unasked.
const WINDOW_ITEMS: u32 = 256;

type Sync = Method<v1::SyncRequest, v1::SyncResponse>;

/// What an edge keeps.
pub(crate) struct Edge {
    name: String,
    token: HeaderValue,
    cluster_id: String,
    incarnation: [u8; 16],
    session: [u8; 16],
    epoch: u64,
    pub(crate) cursor: u64,
    pub(crate) sent_sequence: u64,
    items: HashMap<String, u64>,
    sum: ScopeHash,
}

/// An open stream.
pub(crate) struct Link {
    requests: Requests,
    answers: Answers<v1::SyncResponse>,
    received: u64,
    pub(crate) welcome: v1::SyncWelcome,
}

/// What a message meant.
pub(crate) enum News {
    /// Items came, with these revisions.
    Items(Vec<u64>),
    /// Everything up to here, and both sides agree.
    Mark(u64),
    /// Operations up to this one have taken effect; how many were refused is an error of the load.
    Done(u64),
}

impl Edge {
    /// An edge with an empty store. `name` is that of the resource.
    pub(crate) fn new(name: String, token: HeaderValue) -> Self {
        Self {
            name,
            token,
            cluster_id: String::new(),
            incarnation: rand::random(),
            session: rand::random(),
            epoch: 0,
            cursor: 0,
            sent_sequence: 0,
            items: HashMap::new(),
            sum: ScopeHash::default(),
        }
    }

    /// Opens a connection of its own and a session on it.
    pub(crate) async fn connect(&mut self, url: &str, tls: Option<&Tls>) -> Result<Link, String> {
        let connections = Connections::open(&[url.to_owned()], 1, tls).await.map_err(|error| format!("{error:#}"))?;
        let method = Sync::new(connections.of(0), "/muster.v1.SyncService/Sync", Some(&self.token));
        let hello = v1::SyncHello {
            edge: self.name.clone(),
            cluster_id: self.cluster_id.clone(),
            incarnation: self.incarnation.to_vec().into(),
            epoch: self.epoch,
            session: self.session.to_vec().into(),
            cursor: self.cursor,
            window_items: WINDOW_ITEMS,
            agent_version: "bench".to_owned(),
            sent_sequence: self.sent_sequence,
            verifies: false,
        };
        let (requests, mut answers) = method.stream(&[said(Asked::Hello(hello))]).await?;
        let first = answers.next().await?.and_then(|told| told.message);
        let Some(Told::Welcome(welcome)) = first else { return Err(format!("no welcome: {first:?}")) };
        self.epoch = welcome.epoch;
        self.session = rand::random();
        self.cluster_id = welcome.header.as_ref().map(|header| header.cluster_id.clone()).unwrap_or_default();
        Ok(Link { requests, answers, received: 0, welcome })
    }

    /// Waits for what the node says next, keeps it, and answers marks.
    pub(crate) async fn next(&mut self, link: &mut Link) -> Result<News, String> {
        let told = link.answers.next().await?.ok_or("the node ended the stream")?;
        match told.message {
            Some(Told::Items(items)) => {
                link.received += items.items.len() as u64;
                let revisions = items.items.iter().map(|item| item.revision).collect();
                items.items.into_iter().for_each(|item| self.keep(item));
                link.hear(self.cursor, true)?;
                Ok(News::Items(revisions))
            }
            Some(Told::Mark(mark)) => {
                let agrees = (self.sum.items(), self.sum.to_bytes().as_slice()) == (mark.items, &mark.scope_hash);
                if !agrees {
                    return Err(format!("{} holds {} items at a mark of {}", self.name, self.items.len(), mark.items));
                }
                self.cursor = mark.revision;
                link.hear(self.cursor, agrees)?;
                Ok(News::Mark(mark.revision))
            }
            Some(Told::OperationsResult(result)) => {
                if let Some(refusal) = result.refusals.first() {
                    return Err(format!("operation {}: {}", refusal.sequence, refusal.message));
                }
                Ok(News::Done(result.last_sequence))
            }
            Some(Told::Goodbye(goodbye)) => Err(goodbye.reason),
            other => Err(format!("not expected: {other:?}")),
        }
    }

    /// Follows the stream until a mark that it agrees with.
    pub(crate) async fn settle(&mut self, link: &mut Link) -> Result<u64, String> {
        loop {
            if let News::Mark(revision) = self.next(link).await? {
                return Ok(revision);
            }
        }
    }

    fn keep(&mut self, item: v1::SyncItem) {
        let before = match item.resource {
            Some(_) => {
                self.sum.add(&item_hash(&item.name, item.revision));
                self.items.insert(item.name.clone(), item.revision)
            }
            None => self.items.remove(&item.name),
        };
        if let Some(before) = before {
            self.sum.remove(&item_hash(&item.name, before));
        }
    }
}

impl Link {
    fn hear(&mut self, cursor: u64, agrees: bool) -> Result<(), String> {
        let received = v1::SyncReceived { items: self.received, cursor, agrees, ..Default::default() };
        self.requests.send(&[said(Asked::Received(received))])
    }

    /// Sends operations, the first of which has this number.
    pub(crate) fn operate(&mut self, first_sequence: u64, operations: Vec<v1::SyncOperation>) -> Result<(), String> {
        let operations = v1::SyncOperations { epoch: self.welcome.epoch, first_sequence, operations };
        self.requests.send(&[said(Asked::Operations(operations))])
    }
}

fn said(message: Asked) -> v1::SyncRequest {
    v1::SyncRequest { message: Some(message) }
}
