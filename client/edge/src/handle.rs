//! What applications, the local services and the bridges hold of a running agent: reads of the replica with what waits merged
//! on top, and reports into its queue.
//!
//! It does not know who keeps the store, nor the link. Invariants:
//!
//! - A report is answered when it is durable, or refused and without effect.
//! - While a write waits for room on the disk, nobody waits behind it for a status, and reports are refused.

use std::sync::Arc;

use muster_proto::edge::v1::AgentStatus;
use muster_proto::v1;
use muster_proto::v1::sync_operation::Operation;
use tokio::runtime::RuntimeFlavor;
use tokio::sync::{mpsc, oneshot};

use crate::bridge::{Standing, Standings};
use crate::keeper::Job;
use crate::published::Published;
use crate::store::{Listed, Reader, Room, StoreError};
use crate::submission::{Refused, Submission};

/// What an application reports of a twin.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The twin's name; that of its device or module will do.
    pub name: String,
    /// Merge patch of the reported section.
    pub reported_json: String,
    /// If not 0: the reported section's expected version.
    pub expected_version: u64,
    /// Repeated with the same id, it has one effect; may be empty.
    pub request_id: String,
    /// Judge only.
    pub validate_only: bool,
}

/// Reads and reports. Clones are cheap.
#[derive(Clone)]
pub struct Handle {
    pub(super) edge: Arc<str>,
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) published: Arc<Published>,
    pub(super) reader: Reader,
    pub(super) standings: Standings,
    pub(super) room: Arc<Room>,
}

impl Handle {
    /// The edge's name.
    #[must_use]
    pub fn edge(&self) -> &str {
        &self.edge
    }

    /// Queues a report; returns the twin with it merged in, when it is durable here.
    ///
    /// # Errors
    /// When it breaks a rule, its twin is not held, or the queue is full. Nothing has changed then.
    pub async fn report(&self, report: Report) -> Result<v1::Resource, Refused> {
        let name = muster_domain::Key::parse(&report.name).and_then(|key| key.twin());
        let name = name.ok_or_else(|| Refused::NotHeld(report.name.clone()))?.to_string();
        let operation = Operation::Report(v1::SyncReport { name, reported_json: report.reported_json });
        self.submit(operation, report.expected_version, report.request_id, report.validate_only).await
    }

    /// Queues the status of an asset's parts; as [`Self::report`].
    ///
    /// # Errors
    /// As [`Self::report`].
    pub async fn report_asset(
        &self,
        name: &str,
        status: v1::AssetStatus,
        request_id: String,
        validate_only: bool,
    ) -> Result<v1::Resource, Refused> {
        let status = v1::SyncAssetStatus { name: name.to_owned(), status: Some(status) };
        self.submit(Operation::AssetStatus(status), 0, request_id, validate_only).await
    }

    /// Queues what was discovered below this edge; as [`Self::report`].
    ///
    /// # Errors
    /// As [`Self::report`], and when the cluster is not known to understand it.
    pub(crate) async fn discover(
        &self,
        operation: Operation,
        request_id: String,
        validate_only: bool,
    ) -> Result<v1::Resource, Refused> {
        self.submit(operation, 0, request_id, validate_only).await
    }

    async fn submit(
        &self,
        operation: Operation,
        expected_version: u64,
        request_id: String,
        is_dry_run: bool,
    ) -> Result<v1::Resource, Refused> {
        if self.room.is_awaited() {
            return Err(Refused::DiskFull(self.room.free_min_bytes()));
        }
        let (reply, answer) = oneshot::channel();
        let operation = v1::SyncOperation { queued_ms: 0, operation: Some(operation) };
        let submission = Submission { operation, expected_version, request_id, is_dry_run, reply };
        self.jobs.send(Job::Submit(Box::new(submission))).await.map_err(|_| Refused::Stopping)?;
        answer.await.map_err(|_| Refused::Stopping)?
    }

    /// A resource that the edge holds, with what waits for it merged on top.
    ///
    /// # Errors
    /// When its stored copy is damaged or cannot be read.
    pub fn resource(&self, name: &str) -> Result<Option<v1::Resource>, StoreError> {
        match self.published.read(|now| now.pending.get(name).cloned()) {
            Some(resource) => Ok(Some((*resource).clone())),
            None => self.held(name),
        }
    }

    /// A resource as the cluster has it, without what waits.
    pub(crate) fn held(&self, name: &str) -> Result<Option<v1::Resource>, StoreError> {
        Ok(self.beside_writes(|| self.reader.item(name))?.and_then(|item| item.resource))
    }

    /// As [`Reader::names`].
    pub(crate) fn names(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.beside_writes(|| self.reader.names(after, limit))
    }

    /// As [`Reader::list`], with what waits merged on top.
    pub(crate) fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        is_wanted: impl Fn(&str) -> bool,
        keep: impl Fn(&v1::SyncItem) -> bool,
    ) -> Result<Listed, StoreError> {
        let mut listed = self.beside_writes(|| self.reader.list(prefix, after, limit, is_wanted, keep))?;
        self.published.read(|now| {
            for item in &mut listed.items {
                if let Some(resource) = now.pending.get(&item.name) {
                    item.resource = Some((**resource).clone());
                }
            }
        });
        Ok(listed)
    }

    /// A read of the store may wait behind a write that waits for room; it holds up no other call then.
    fn beside_writes<T>(&self, read: impl FnOnce() -> T) -> T {
        let has_workers = || {
            tokio::runtime::Handle::try_current()
                .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
        };
        if self.room.is_awaited() && has_workers() { tokio::task::block_in_place(read) } else { read() }
    }

    /// How the edge is; `None` when the agent is gone.
    pub async fn status(&self) -> Option<AgentStatus> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.jobs.send(Job::Status(reply)).await.ok()?;
            answer.await.ok()
        };
        let status: AgentStatus = tokio::select! {
            status = asked => status?,
            () = self.room.awaited() => self.status_without_room(),
        };
        let mqtt = self.standings.mqtt.as_ref().map(Standing::get);
        let folder = self.standings.folder.as_ref().map(Standing::get);
        Some(AgentStatus { mqtt, folder, ..status })
    }

    /// What is known while a write waits for room.
    fn status_without_room(&self) -> AgentStatus {
        let (cluster_id, cursor) = self.published.read(|now| (now.cluster_id.clone(), now.cursor));
        AgentStatus {
            edge: self.edge.to_string(),
            cluster_id,
            cursor,
            message: "the disk of the store is full: a write waits for room, and all that is not told here with it"
                .to_owned(),
            disk_low: true,
            awaits_room: true,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..AgentStatus::default()
        }
    }

    pub(crate) fn published(&self) -> &Published {
        &self.published
    }
}
