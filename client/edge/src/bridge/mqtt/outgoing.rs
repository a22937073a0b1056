//! Keeps the broker's retained messages equal to what the edge holds: publishes what differs, clears what is not held.
//!
//! - Bounded: a hash for each message of the scope, names that are due, and a few messages that the broker has not answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use muster_domain::scope::{ItemHash, content_hash};
use muster_proto::v1;
use muster_proto::v1::resource::Resource;
use rumqttc::{AsyncClient, PublishNoticeError, PublishOptions};

use super::session::overrun;
use super::{Ended, MqttBridge, is_taken};
use crate::bridge::feed::Feed;
use crate::store::StoreError;

/// Messages that the broker has not answered.
const SENDING_MAX: usize = 64;
/// Names that are read from the store together.
const NAMES_AT_ONCE: usize = 256;

/// See the module.
pub(super) struct Outgoing {
    bridge: Arc<MqttBridge>,
    client: AsyncClient,
    packet_max: Option<u32>,
    feed: Feed,
    /// Whether it is known what the broker holds.
    is_open: bool,
    /// Of each retained message that the broker holds, by topic.
    told: BTreeMap<String, ItemHash>,
    due: BTreeSet<String>,
    /// The name behind which all that is held has to be looked at.
    walk: Option<String>,
    sending: FuturesUnordered<BoxFuture<'static, (String, Result<(), PublishNoticeError>)>>,
}

impl Outgoing {
    pub(super) fn new(bridge: Arc<MqttBridge>, client: AsyncClient, packet_max: Option<u32>) -> Self {
        Self {
            feed: Feed::open(bridge.handle.published()),
            bridge,
            client,
            packet_max,
            is_open: false,
            told: BTreeMap::new(),
            due: BTreeSet::new(),
            walk: None,
            sending: FuturesUnordered::new(),
        }
    }

    /// A message that the broker holds, of the resource `name`.
    pub(super) fn learn(&mut self, topic: String, name: String, payload: &[u8]) {
        self.told.insert(topic, content_hash(payload));
        self.due.insert(name);
    }

    /// It is known now what the broker holds.
    pub(super) fn open(&mut self) {
        self.is_open = true;
    }

    /// Waits for something to do, and does a part of it. What it waits for is not lost when the wait is given up.
    pub(super) async fn work(&mut self) -> Result<(), Ended> {
        let is_idle = self.due.is_empty() && self.walk.is_none();
        let has_room = self.sending.len() < SENDING_MAX;
        tokio::select! {
            Some((topic, result)) = self.sending.next(), if !self.sending.is_empty() => self.note(&topic, result),
            () = self.feed.wait(), if self.is_open && is_idle => {
                let due = self.feed.take();
                self.due.extend(due.names);
                self.walk = due.everything.then(String::new);
            }
            () = std::future::ready(()), if self.is_open && !is_idle && has_room => self.send_some()?,
            else => std::future::pending().await,
        }
        Ok(())
    }

    fn note(&self, topic: &str, result: Result<(), PublishNoticeError>) {
        match result {
            Ok(()) => {
                metrics::counter!("muster_edge_mqtt_published_total").increment(1);
                self.bridge.standing.change(|status| status.published += 1);
            }
            Err(error) => self.not_taken(&format!("the broker does not take {topic}: {error}")),
        }
    }

    fn not_taken(&self, message: &str) {
        tracing::warn!("{message}");
        metrics::counter!("muster_edge_mqtt_not_taken_total").increment(1);
        self.bridge.standing.change(|status| status.message = message.to_owned());
    }

    fn send_some(&mut self) -> Result<(), Ended> {
        while self.sending.len() < SENDING_MAX {
            let Some(name) = self.next_name() else { return Ok(()) };
            self.send(&name)?;
        }
        Ok(())
    }

    fn next_name(&mut self) -> Option<String> {
        if self.due.is_empty()
            && let Some(after) = self.walk.take()
        {
            match self.bridge.handle.names(&after, NAMES_AT_ONCE) {
                Ok(names) => {
                    self.walk = names.last().cloned();
                    self.due.extend(names);
                }
                Err(error) => tracing::error!(%error, "what the broker has to be told cannot be read"),
            }
        }
        self.due.pop_first()
    }

    /// Publishes a resource as it is now, or clears it, unless that is what the broker holds.
    fn send(&mut self, name: &str) -> Result<(), Ended> {
        let Some(topic) = self.bridge.topics.out(name) else { return Ok(()) };
        let payload = match self.bridge.handle.held(name) {
            Ok(held) => held.as_ref().and_then(payload),
            // The cluster sends it again; what was told of it stays.
            Err(StoreError::DamagedItem(_)) => return Ok(()),
            Err(error) => {
                tracing::error!(%error, name, "what the broker has to be told cannot be read");
                return Ok(());
            }
        };
        let is_news = match &payload {
            Some(payload) => self.told.insert(topic.clone(), content_hash(payload)) != Some(content_hash(payload)),
            None => self.told.remove(&topic).is_some(),
        };
        if is_news { self.publish(topic, payload.unwrap_or_default()) } else { Ok(()) }
    }

    fn publish(&mut self, topic: String, payload: Vec<u8>) -> Result<(), Ended> {
        let bytes = topic.len() + payload.len();
        if !is_taken(self.packet_max, bytes) {
            self.not_taken(&format!("the broker takes smaller packets only than that of {topic}, of {bytes} bytes"));
            return Ok(());
        }
        let options = PublishOptions::at_least_once().retained();
        let notice = self.client.try_publish_tracked(topic.as_str(), payload, options);
        let notice = notice.map_err(|error| overrun(&error))?;
        self.sending.push(Box::pin(async move { (topic, notice.wait_completion_async().await) }));
        Ok(())
    }
}

/// What is published of a resource; the same resource has always the same bytes.
fn payload(resource: &v1::Resource) -> Option<Vec<u8>> {
    match resource.resource.as_ref()? {
        Resource::Twin(twin) => {
            let desired = twin.desired.clone().unwrap_or_default();
            let members = desired.json.trim().strip_prefix('{').unwrap_or("}");
            // No member of a twin begins with `$`. The rest stays as it was written.
            let comma = if members.trim_start().starts_with('}') { "" } else { "," };
            Some(format!("{{\"$version\":{}{comma}{members}", desired.version).into_bytes())
        }
        Resource::Asset(asset) => Some(muster_client::json::asset_definition(asset).to_string().into_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twin(json: &str) -> v1::Resource {
        let desired = v1::SectionDocument { json: json.to_owned(), version: 7, ..Default::default() };
        let twin = v1::Twin { desired: Some(desired), ..Default::default() };
        v1::Resource { resource: Some(Resource::Twin(twin)) }
    }

    #[test]
    fn a_payload_is_the_desired_section_with_its_version() {
        for (json, expected) in [
            (r#"{"fw":"2","n":9007199254740993}"#, r#"{"$version":7,"fw":"2","n":9007199254740993}"#),
            ("{}", r#"{"$version":7}"#),
            ("", r#"{"$version":7}"#),
        ] {
            let bytes = payload(&twin(json)).expect("a payload");
            assert_eq!(String::from_utf8(bytes).expect("text"), expected);
        }
        let device = v1::Resource { resource: Some(Resource::Device(v1::Device::default())) };
        assert_eq!(payload(&device), None);
    }
}
