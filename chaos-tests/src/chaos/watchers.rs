//! Watchers that listen through the whole run, one that begins at each node and a slow one, and the log itself, read at the end.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_client::{Client, names, proto};
use proto::watch_response::Content;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::clients::{number, value_in};
use crate::history::facts::{Fact, What};
use crate::invariants::watchers_hear_everything::{Heard, Message};
use crate::workload::NAMESPACE;

/// The run is over for a watcher that hears nothing for so long.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Kinds that a watch leaves out unless it names them (`WatchSpec.kinds`).
const ECHO_KINDS: [&str; 3] = ["cursor.acknowledged", "edge_session.uplink_applied", "discovery.counted"];

/// A watcher at work.
pub struct Watcher(JoinHandle<anyhow::Result<Vec<Message>>>);

impl Watcher {
    /// Listens to everything from the first revision on, up to the mark at the end. With a pause after each message
    /// it is slow.
    #[must_use]
    pub fn start(client: Client, pause: Duration) -> Self {
        Self(tokio::spawn(async move {
            let mut messages = Vec::new();
            listen(
                &client,
                |said| match said {
                    Said::Event(event) => messages.push(Message::Event(heard(event))),
                    Said::Progress(revision) => messages.push(Message::Progress(revision)),
                },
                pause,
            )
            .await?;
            Ok(messages)
        }))
    }

    /// What it heard, once it has heard the mark at the end.
    ///
    /// # Errors
    /// When it never hears it.
    pub async fn finish(self) -> anyhow::Result<Vec<Message>> {
        timeout(SILENCE_MAX * 2, self.0).await.context("a watcher never heard the end")??
    }
}

/// Writes the event at which watchers end: the deletion of a device that exists for nothing else.
///
/// # Errors
/// When the cluster refuses.
pub async fn mark_the_end(client: &Client) -> anyhow::Result<()> {
    let (parent, device_id) = (names::namespace(NAMESPACE), END.to_owned());
    client.devices().create(proto::CreateDeviceRequest { parent, device_id, ..Default::default() }).await?;
    let name = names::device(NAMESPACE, END);
    client.devices().delete(proto::DeleteDeviceRequest { name, ..Default::default() }).await?;
    Ok(())
}

const END: &str = "the-end";

/// The whole log, as the checks ask for it and as watchers have to hear it. It is read as history, not by a watch: one way of
/// telling events is held against another.
///
/// # Errors
/// When it cannot be read, or an event of the load has no value.
pub async fn log(client: &Client) -> anyhow::Result<(Vec<Fact>, Vec<Heard>)> {
    let (mut facts, mut all, mut page_token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let request = proto::ListEventsRequest { from_revision: 1, page_size: 1_000, page_token, ..Default::default() };
        let page = client.history().list_events(request).await?;
        for event in &page.events {
            facts.push(fact(event)?);
            if !ECHO_KINDS.contains(&event.kind.as_str()) {
                all.push(heard(event));
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok((facts, all));
        }
    }
}

enum Said<'a> {
    Event(&'a proto::Event),
    Progress(u64),
}

/// Hears everything up to the mark at the end.
async fn listen(client: &Client, mut take: impl FnMut(Said<'_>), pause: Duration) -> anyhow::Result<()> {
    let spec = proto::WatchSpec { id: 1, from_revision: 1, ..Default::default() };
    let request = proto::WatchRequest { watches: vec![spec], progress_interval_ms: 500, ..Default::default() };
    let mut watcher = client.watch(request);
    let end = names::device(NAMESPACE, END);
    loop {
        let message = timeout(SILENCE_MAX, watcher.next()).await.context("a watcher heard nothing for a minute")??;
        match message.content {
            Some(Content::Events(events)) => {
                for event in events.events.iter().filter_map(|told| told.event.as_ref()) {
                    take(Said::Event(event));
                    if event.kind == "device.deleted" && event.resource == end {
                        return Ok(());
                    }
                }
            }
            Some(Content::Progress(progress)) => take(Said::Progress(progress.revision)),
            Some(Content::Started(_) | Content::Listed(_)) | None => {}
        }
        tokio::time::sleep(pause).await;
    }
}

fn heard(event: &proto::Event) -> Heard {
    let mut hasher = DefaultHasher::new();
    (&event.kind, &event.resource, &event.actor, &event.request_id, &event.data_json).hash(&mut hasher);
    event.time.map(|time| (time.seconds, time.nanos)).hash(&mut hasher);
    Heard { revision: event.revision, index: event.index, content: hasher.finish() }
}

fn fact(event: &proto::Event) -> anyhow::Result<Fact> {
    let device = device_of(&event.resource);
    let what = match (device, event.kind.as_str()) {
        (None, _) => What::Other,
        (Some(_), "device.created") => What::Created,
        (Some(_), "device.deleted") => What::Deleted,
        (Some(_), "twin.patched") => {
            let data: serde_json::Value = serde_json::from_str(&event.data_json)?;
            let desired = data.get("desired").map(ToString::to_string).unwrap_or_default();
            let value = value_in(&desired)?;
            ensure!(value != 0, "a patch without a value at revision {}: {}", event.revision, event.data_json);
            What::Patched(value)
        }
        _ => What::Other,
    };
    Ok(Fact { revision: event.revision, index: event.index, device: device.unwrap_or_default(), what })
}

/// `namespaces/chaos/devices/c3` or its twin.
fn device_of(resource: &str) -> Option<u32> {
    let rest = resource.strip_prefix(&names::device(NAMESPACE, ""))?;
    number(rest.split('/').next()?)
}
