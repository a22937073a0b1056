//! The agent as a whole: starts its parts, hands out handles, and stops them in order. What a handle does is not known here.

use std::sync::Arc;
use std::time::Duration;

use muster_client::Client;
use rand::Rng;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bridge::{self, Standing, Standings};
use crate::config::{Config, ConfigError};
use crate::handle::Handle;
use crate::keeper;
use crate::store::{Room, Store, StoreError};
use crate::{local, observe, session};

/// How long calls under way, the link and the store may take to end.
const STOP_MAX: Duration = Duration::from_secs(10);

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
