//! The agent as a whole: starts its parts, hands out handles, and stops them in order.

use std::sync::Arc;
use std::time::Duration;

use muster_client::Client;
use muster_proto::edge::v1::AgentStatus;
use muster_proto::v1;
use muster_proto::v1::sync_operation::Operation;
use rand::Rng;
use tokio::runtime::RuntimeFlavor;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bridge::{self, Standing, Standings};
use crate::config::{Config, ConfigError};
use crate::keeper::{self, Job};
use crate::published::Published;
use crate::store::{Listed, Reader, Room, Store, StoreError};
use crate::submission::{Refused, Submission};
use crate::{local, observe, session};

/// How long calls under way, the link and the store may take to end.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How often a call that waits looks whether it waits behind a write without room.
const ROOM_LOOK: Duration = Duration::from_millis(100);

/// Why an agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its settings cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The way to the cluster cannot work.
    #[error(transparent)]
    Client(#[from] muster_client::ConfigError),
    /// Its store is not sound.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An address or socket cannot be listened on.
    #[error("cannot listen on {place}: {cause}")]
    Listen {
        /// Where.
        place: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The bridge to a broker cannot work.
    #[error("the bridge to the broker: {0}")]
    Mqtt(#[from] bridge::mqtt::Ended),
    /// The bridge to files cannot work.
    #[error(transparent)]
    Folder(#[from] bridge::folder::FolderError),
}

/// A running agent.
pub struct Agent {
    handle: Handle,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    ended: oneshot::Receiver<Result<(), StoreError>>,
}

impl Agent {
    /// Starts an agent inside a tokio runtime: opens the store, serves the socket, and connects as soon as it can.
    ///
    /// # Errors
    /// When the settings, the store or an address cannot be used. That the cluster cannot be reached is none.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        config.check()?;
        let client = Client::new(config.client()?)?;
        let (folder, name) = (&config.edge.store_dir, &config.edge.name);
        let room = Arc::new(Room::new(folder, config.disk.free_min_bytes));
        let (store, loaded) = Store::open_in(&room, folder, name, &mut || rand::rng().random())?;
        room.put_by();
        let reader = store.reader();
        let known = bridge::mqtt::known(&loaded.queue);
        let started = keeper::start(store, loaded, config.settings(), config.limits(), Arc::clone(&room))?;
        let handle = Handle {
            edge: config.edge.name.as_str().into(),
            jobs: started.jobs.clone(),
            published: started.published,
            reader,
            standings: standings(config),
            room,
        };
        let folder = bridge::folder::prepare(&handle, &config.folder, handle.standings.folder.as_ref())?;
        let mqtt = bridge::mqtt::prepare(&handle, &config.mqtt, known, handle.standings.mqtt.as_ref())?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = local::serve(&handle, config, &stopped)?;
        tasks.extend(observe::serve(&handle, config, &stopped)?);
        tasks.extend(folder.map(|folder| tokio::spawn(folder.run(stopped.clone()))));
        tasks.extend(mqtt.map(|mqtt| tokio::spawn(mqtt.run(stopped.clone()))));
        tasks.push(tokio::spawn(session::run(client, started.jobs, stopped)));
        Ok(Self { handle, stop, tasks, ended: started.ended })
    }

    /// For those who read and report.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns when the store fails: the agent is of no use then.
    pub async fn failed(&mut self) -> StoreError {
        match (&mut self.ended).await {
            Ok(Err(error)) => error,
            // The keeper outlives every handle, and this agent has one.
            Ok(Ok(())) | Err(_) => std::future::pending().await,
        }
    }

    /// Stops: no more calls are taken, the link is closed, and what was answered is durable already.
    ///
    /// # Errors
    /// When the store failed before.
    pub async fn stop(self) -> Result<(), StoreError> {
        let Self { handle, stop, tasks, ended } = self;
        stop.send_replace(true);
        let deadline = Instant::now() + STOP_MAX;
        for mut task in tasks {
            // One that waits behind a write that finds no room does not end.
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
        drop(handle);
        match tokio::time::timeout_at(deadline, ended).await {
            Ok(Ok(result)) => result,
            // Somebody keeps a handle; the store is sound at any time.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}

fn standings(config: &Config) -> Standings {
    let Standings { mut mqtt, mut folder } = Standings::default();
    if let Some(broker) = &config.mqtt.broker {
        let standing = mqtt.insert(Standing::default());
        standing.change(|status| status.broker.clone_from(broker));
    }
    if let Some(path) = &config.folder.path {
        let standing = folder.insert(Standing::default());
        standing.change(|status| status.path = path.display().to_string());
    }
    Standings { mqtt, folder }
}

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
    edge: Arc<str>,
    jobs: mpsc::Sender<Job>,
    published: Arc<Published>,
    reader: Reader,
    standings: Standings,
    room: Arc<Room>,
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
            () = self.awaits_room() => self.status_without_room(),
        };
        let mqtt = self.standings.mqtt.as_ref().map(Standing::get);
        let folder = self.standings.folder.as_ref().map(Standing::get);
        Some(AgentStatus { mqtt, folder, ..status })
    }

    /// Returns when a write waits for room: nobody is answered behind it.
    async fn awaits_room(&self) {
        while !self.room.is_awaited() {
            tokio::time::sleep(ROOM_LOOK).await;
        }
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
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..AgentStatus::default()
        }
    }

    pub(crate) fn published(&self) -> &Published {
        &self.published
    }
}
