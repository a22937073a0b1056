//! Opening a session: from `hello` to an epoch that the log has granted. Section 3 of `sync.md`.
//!
//! - A field that is malformed is named, and nothing was proposed.
//! - `welcome` says what the record says as of the revision that granted the epoch.

use muster_domain::edge::EdgeSession;
use muster_domain::policy::ReadScope;
use muster_domain::{Body, Command, Key, Limits, Operation, Reason, Rejection};
use muster_proto::v1;

use super::up::{refusals, session_at};
use super::{EdgeSync, SyncError};
use crate::authorize::{self, Caller};
use crate::failpoint::{self, Point};
use crate::outcome::OperationResult;
use crate::read::Consistency;

/// The largest window of items.
const WINDOW_MAX: u32 = 65_536;
/// Characters of an agent's version.
const VERSION_CHARS_MAX: usize = 64;

/// A `hello` that is well formed.
#[derive(Debug, Clone)]
pub(super) struct Hello {
    pub(super) namespace: String,
    pub(super) edge: String,
    pub(super) cursor: u64,
    pub(super) window: u32,
    pub(super) agent_version: String,
    /// It compares contents when it is asked.
    pub(super) verifies: bool,
    cluster_id: String,
    incarnation: [u8; 16],
    epoch: u64,
    session: [u8; 16],
    sent_sequence: u64,
}

/// A session that the log has opened.
pub(super) struct Opened {
    pub(super) record: EdgeSession,
    pub(super) revision: u64,
    limits: Option<Limits>,
}

impl Hello {
    /// Reads the first message of an edge.
    pub(super) fn read(message: v1::SyncRequest) -> Result<Self, Rejection> {
        let Some(v1::sync_request::Message::Hello(hello)) = message.message else {
            return Err(invalid("message", "the first message must be hello"));
        };
        let Some(Key::Edge(namespace, edge)) = Key::parse(&hello.edge) else {
            return Err(invalid("hello.edge", "hello.edge must be namespaces/{namespace}/edges/{edge}"));
        };
        muster_domain::ids::check_namespace("hello.edge", &namespace)?;
        muster_domain::ids::check_edge("hello.edge", &edge)?;
        if hello.window_items == 0 || hello.window_items > WINDOW_MAX {
            let message = format!("hello.window_items must be 1 to {WINDOW_MAX}, and is {}", hello.window_items);
            return Err(invalid("hello.window_items", &message));
        }
        if hello.agent_version.chars().count() > VERSION_CHARS_MAX {
            let message = format!("hello.agent_version must have at most {VERSION_CHARS_MAX} characters");
            return Err(invalid("hello.agent_version", &message));
        }
        if hello.cluster_id.is_empty() && hello.cursor > 0 {
            return Err(invalid("hello.cluster_id", "hello.cluster_id is required with a cursor"));
        }
        let session = sixteen("hello.session", &hello.session)?;
        if session == [0; 16] {
            return Err(invalid("hello.session", "hello.session must be random, and is all zero"));
        }
        Ok(Self {
            namespace,
            edge,
            cursor: hello.cursor,
            window: hello.window_items,
            agent_version: hello.agent_version,
            verifies: hello.verifies,
            cluster_id: hello.cluster_id,
            incarnation: sixteen("hello.incarnation", &hello.incarnation)?,
            epoch: hello.epoch,
            session,
            sent_sequence: hello.sent_sequence,
        })
    }

    /// Asks for an epoch. Says how far this node is known to be linearizable, too.
    pub(super) async fn open(&self, sync: &EdgeSync, caller: &Caller) -> Result<Opened, SyncError> {
        authorize::read(caller, ReadScope::EdgeScope { namespace: &self.namespace, edge: &self.edge })?;
        if !self.cluster_id.is_empty() && self.cluster_id != sync.cluster_id {
            let message =
                format!("this is cluster {}, and the edge's state is of {}", sync.cluster_id, self.cluster_id);
            return Err(Rejection::new(Reason::ClusterMismatch, "hello.cluster_id", message).into());
        }
        let newest = sync.reader.view(Consistency::Linearizable).await?.revision();
        if self.cursor > newest {
            let message =
                format!("hello.cursor is {}, and the newest revision of this cluster is {newest}", self.cursor);
            return Err(Rejection::new(Reason::CursorFromTheFuture, "hello.cursor", message).into());
        }
        let operation = Operation::OpenEdgeSession {
            namespace: self.namespace.clone(),
            edge: self.edge.clone(),
            incarnation: self.incarnation,
            known_epoch: self.epoch,
            session: self.session,
            sent_sequence: self.sent_sequence,
            node_id: sync.node_id,
        };
        let command = authorize::command(caller, Command::single(operation))?;
        failpoint::reach(Point::SyncHello);
        let outcome = sync.proposer.propose(command, "", [0; 16]).await?;
        failpoint::reach(Point::SyncOpened);
        if let Some(OperationResult::Rejected(rejection)) = outcome.results.into_iter().next() {
            return Err(rejection.within("hello").into());
        }
        let revision = outcome.revision;
        sync.reader.reach(revision).await?;
        let record = session_at(&sync.reader, &self.namespace, &self.edge, revision)?;
        let limits = limits(sync, revision)?;
        Ok(Opened { record, revision, limits })
    }
}

impl Opened {
    /// The first message to the edge.
    pub(super) fn welcome(&self, sync: &EdgeSync) -> v1::SyncWelcome {
        v1::SyncWelcome {
            header: Some(sync.status.header(self.revision)),
            epoch: self.record.epoch,
            last_sequence: self.record.last_sequence,
            refusals: refusals(&self.record, 0),
            window_operations: sync.settings.window_operations,
            heartbeat_ms: u32::try_from(sync.settings.heartbeat.as_millis()).unwrap_or(u32::MAX),
            limits: self.limits.map(|limits| v1::SyncLimits {
                reported_bytes_max: limits.reported_bytes_max,
                value_bytes_max: limits.value_bytes_max,
                key_bytes_max: limits.key_bytes_max,
                depth_max: limits.depth_max,
            }),
            // As far as this node has come: the level only rises, so less is never wrong.
            feature_level: sync.status.feature_level(),
        }
    }
}

/// What the cluster was founded with.
fn limits(sync: &EdgeSync, revision: u64) -> Result<Option<Limits>, SyncError> {
    let record = sync.reader.local().get_at(&Key::Cluster, revision)?;
    Ok(match record.as_deref().map(|record| &record.body) {
        Some(Body::Cluster(cluster)) => Some(cluster.limits),
        _ => None,
    })
}

fn sixteen(field: &str, bytes: &[u8]) -> Result<[u8; 16], Rejection> {
    bytes.try_into().map_err(|_| invalid(field, &format!("{field} must have 16 bytes, and has {}", bytes.len())))
}

fn invalid(field: &str, message: &str) -> Rejection {
    Rejection::new(Reason::InvalidField, field, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> v1::SyncHello {
        v1::SyncHello {
            edge: "namespaces/plant/edges/hall4".to_owned(),
            incarnation: vec![1; 16].into(),
            session: vec![2; 16].into(),
            window_items: 64,
            ..v1::SyncHello::default()
        }
    }

    fn read(hello: v1::SyncHello) -> Result<Hello, String> {
        let message = v1::SyncRequest { message: Some(v1::sync_request::Message::Hello(hello)) };
        Hello::read(message).map_err(|refusal| refusal.field)
    }

    #[test]
    fn a_hello_is_read() {
        let read = read(hello()).expect("well formed");
        assert_eq!((read.namespace.as_str(), read.edge.as_str(), read.incarnation), ("plant", "hall4", [1; 16]));
    }

    #[test]
    fn what_is_malformed_is_named() {
        let given = hello;
        for (hello, field) in [
            (v1::SyncHello { edge: "namespaces/plant/devices/pump".to_owned(), ..given() }, "hello.edge"),
            (v1::SyncHello { edge: "namespaces/plant/edges/a b".to_owned(), ..given() }, "hello.edge"),
            (v1::SyncHello { incarnation: vec![1; 15].into(), ..given() }, "hello.incarnation"),
            (v1::SyncHello { session: vec![1; 17].into(), ..given() }, "hello.session"),
            (v1::SyncHello { session: vec![0; 16].into(), ..given() }, "hello.session"),
            (v1::SyncHello { window_items: 0, ..given() }, "hello.window_items"),
            (v1::SyncHello { window_items: 65_537, ..given() }, "hello.window_items"),
            (v1::SyncHello { agent_version: "x".repeat(65), ..given() }, "hello.agent_version"),
            (v1::SyncHello { cursor: 1, ..given() }, "hello.cluster_id"),
        ] {
            assert_eq!(read(hello).map(|_| ()), Err(field.to_owned()));
        }
        let other = v1::SyncRequest { message: Some(v1::sync_request::Message::Fetch(v1::SyncFetch::default())) };
        assert_eq!(Hello::read(other).err().map(|refusal| refusal.field), Some("message".to_owned()));
    }
}
