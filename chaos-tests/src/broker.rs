//! A real mosquitto in a folder, and clients of it.
//!
//! - It keeps its port over restarts, and writes its state at each change, so that it may be killed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, PublishOptions, PublishProperties, QoS};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::eventually::eventually;
use crate::ports;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(60);
/// No client of a test sends more at a time.
const REQUESTS_MAX: usize = 4_096;

/// See the module. The process ends with it.
pub struct Broker {
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Broker {
    /// Starts one that lets everybody in.
    ///
    /// # Errors
    /// When it cannot be found or started.
    pub async fn start(folder: PathBuf) -> anyhow::Result<Self> {
        Self::start_with(folder, "allow_anonymous true\n").await
    }

    /// Starts one whose listener has these settings.
    ///
    /// # Errors
    /// When it cannot be found or started.
    pub async fn start_with(folder: PathBuf, listener: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder)?;
        let port = ports::free()?;
        // As root it would become a user who cannot write here.
        let settings = format!(
            "user root\npersistence true\npersistence_location {}/\nautosave_on_changes true\nautosave_interval 1\n\
             max_queued_messages 0\nlistener {port} 127.0.0.1\n{listener}",
            folder.display()
        );
        fs::write(folder.join("mosquitto.conf"), settings)?;
        let mut broker = Self { folder, port, process: None };
        broker.start_again().await?;
        Ok(broker)
    }

    /// Starts it, after it was ended, with what it has kept.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let log = || File::options().create(true).append(true).open(self.folder.join("log"));
        let mut command = Command::new(program()?);
        command.arg("-v").arg("-c").arg(self.folder.join("mosquitto.conf"));
        command.stdin(Stdio::null()).stdout(log()?).stderr(log()?).kill_on_drop(true);
        self.process = Some(command.spawn().context("mosquitto")?);
        let port = self.port;
        eventually("the broker listens", PATIENCE, async || {
            let connecting = tokio::net::TcpStream::connect(("127.0.0.1", port));
            connecting.await.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let mut process = self.process.take().context("it runs")?;
        let pid = process.id().context("it runs")?;
        kill(Pid::from_raw(i32::try_from(pid)?), signal)?;
        process.wait().await?;
        Ok(())
    }

    /// Forgets everything that it had kept; it is ended.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn forget(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.folder.join("mosquitto.db"))?)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A client that hears what is published on `filters`. No two have the same id, which would end each other's connections.
    ///
    /// # Errors
    /// When it cannot connect.
    pub async fn client(&self, id: &str, filters: &[&str]) -> anyhow::Result<MqttClient> {
        let id = format!("{id}-{:08x}", rand::random::<u32>());
        MqttClient::connect(MqttOptions::new(id, ("127.0.0.1", self.port)), filters).await
    }

    /// Every message that it retains below a prefix, by topic.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn retained(&self, prefix: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let asker = self.client("asker", &[&format!("{prefix}/#"), "asker/fence"]).await?;
        asker.publish("asker/fence", "").await?;
        asker.heard("asker/fence").await?;
        let messages = asker.messages().into_iter().filter(|message| message.is_retained);
        Ok(messages.map(|message| (message.topic, message.payload)).collect())
    }
}

fn program() -> anyhow::Result<PathBuf> {
    if let Some(chosen) = std::env::var_os("MOSQUITTO_BINARY") {
        return Ok(chosen.into());
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    // Debian puts it where a user's path does not lead.
    let folders = std::env::split_paths(&paths).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let mut found = folders.map(|folder| folder.join("mosquitto")).filter(|path: &PathBuf| Path::is_file(path));
    found.next().context("mosquitto is not installed; `cargo xtask test` brings it")
}

/// A message as a client heard it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Its topic.
    pub topic: String,
    /// Its payload as text.
    pub payload: String,
    /// Whether it was retained before.
    pub is_retained: bool,
    /// What it answers.
    pub correlation: Option<String>,
}

impl Heard {
    /// Its payload as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_str(&self.payload).with_context(|| format!("{self:?}"))
    }
}

/// A client of a broker. It ends when it is dropped.
pub struct MqttClient {
    client: AsyncClient,
    messages: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
}

impl Drop for MqttClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MqttClient {
    /// Connects, and subscribes.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn connect(mut options: MqttOptions, filters: &[&str]) -> anyhow::Result<Self> {
        options.set_keep_alive(30).set_max_packet_size(Some(16 << 20));
        let (client, events) = AsyncClient::builder(options).capacity(REQUESTS_MAX).build();
        let messages = Arc::default();
        let task = tokio::spawn(listen(events, Arc::clone(&messages)));
        let own = Self { client, messages, task };
        for filter in filters {
            let notice = own.client.subscribe_tracked(*filter, QoS::AtLeastOnce).await?;
            tokio::time::timeout(PATIENCE, notice.wait_completion_async()).await??;
        }
        Ok(own)
    }

    /// Publishes at QoS 1, and returns when the broker has it.
    ///
    /// # Errors
    /// When the broker does not take it.
    pub async fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>) -> anyhow::Result<()> {
        self.publish_with(topic, payload, PublishOptions::at_least_once()).await
    }

    /// Publishes at QoS 0, and returns when it is sent.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn publish_once(&self, topic: &str, payload: impl Into<Vec<u8>>) -> anyhow::Result<()> {
        self.publish_with(topic, payload, PublishOptions::at_most_once()).await
    }

    /// Publishes with properties.
    ///
    /// # Errors
    /// When the broker does not take it.
    pub async fn ask(&self, topic: &str, payload: &str, properties: PublishProperties) -> anyhow::Result<()> {
        self.publish_with(topic, payload, PublishOptions::at_least_once().properties(properties)).await
    }

    /// Has the broker retain a message.
    ///
    /// # Errors
    /// When the broker does not take it.
    pub async fn retain(&self, topic: &str, payload: &str) -> anyhow::Result<()> {
        self.publish_with(topic, payload, PublishOptions::at_least_once().retained()).await
    }

    async fn publish_with(
        &self,
        topic: &str,
        payload: impl Into<Vec<u8>>,
        options: PublishOptions,
    ) -> anyhow::Result<()> {
        let notice = self.client.publish_tracked(topic, payload.into(), options).await?;
        tokio::time::timeout(PATIENCE, notice.wait_completion_async()).await??;
        Ok(())
    }

    /// Everything it has heard.
    #[must_use]
    pub fn messages(&self) -> Vec<Heard> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has heard on a topic.
    #[must_use]
    pub fn on(&self, topic: &str) -> Vec<Heard> {
        self.messages().into_iter().filter(|message| message.topic == topic).collect()
    }

    /// Forgets what it has heard.
    pub fn clear(&self) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits for a message on a topic, and returns the newest.
    ///
    /// # Errors
    /// When none comes.
    pub async fn heard(&self, topic: &str) -> anyhow::Result<Heard> {
        self.heard_that(topic, |_| true).await
    }

    /// Waits until the newest message on a topic pleases.
    ///
    /// # Errors
    /// When none does.
    pub async fn heard_that(&self, topic: &str, pleases: impl Fn(&Heard) -> bool) -> anyhow::Result<Heard> {
        eventually(&format!("a message on {topic}"), PATIENCE, async || {
            let newest = self.on(topic).into_iter().next_back();
            newest.filter(&pleases).ok_or_else(|| format!("{:?}", self.messages()))
        })
        .await
    }

    /// Waits for so many messages on a topic.
    ///
    /// # Errors
    /// When fewer come.
    pub async fn heard_many(&self, topic: &str, count: usize) -> anyhow::Result<Vec<Heard>> {
        eventually(&format!("{count} messages on {topic}"), PATIENCE, async || {
            let heard = self.on(topic);
            if heard.len() >= count { Ok(heard) } else { Err(format!("{} came", heard.len())) }
        })
        .await
    }
}

async fn listen(mut events: EventLoop, messages: Arc<Mutex<Vec<Heard>>>) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let correlation = publish.properties.and_then(|properties| properties.correlation_data);
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let heard = Heard {
                    topic: text(&publish.topic),
                    payload: text(&publish.payload),
                    is_retained: publish.retain,
                    correlation: correlation.as_deref().map(text),
                };
                messages.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
            }
            Ok(_) => {}
            // It comes back; a broker that is away is what some tests are about.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
