//! Takes in what is reported: queues it, answers, acknowledges.
//!
//! - Messages about one resource are queued in the order in which they came; those about others do not wait for them.
//! - They are acknowledged in the order in which they came.
//! - A full queue refuses nothing here: its messages are tried again, the broker keeps what comes behind them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use muster_proto::v1;
use rand::Rng;
use rumqttc::{AsyncClient, Publish, PublishOptions, PublishProperties, QoS};
use serde_json::Value;
use tokio::sync::oneshot;

use super::message::{self, Meant};
use super::session::overrun;
use super::topics::{Place, Topics};
use super::{Ended, MqttBridge, is_taken};
use crate::bridge::Pause;
use crate::handle::Report;
use crate::submission::Refused;

/// Bytes of messages that are worked on. A broker is told how many messages it may send, but some begin a session that they
/// resume with more of them; packet identifiers bound how many.
const BYTES_MAX: usize = 64 << 20;
/// Messages of QoS 0 that are worked on; more of them are dropped, as QoS 0 allows.
const FLEETING_MAX: usize = 64;
/// The longest wait for room in the queue.
const LONGEST: Duration = Duration::from_secs(10);

/// A message whose answer is with the broker.
pub(super) struct Settled {
    publish: Publish,
    name: String,
    number: u64,
}

/// The newest message about a resource.
struct Lane {
    number: u64,
    /// Ends when it was queued or refused.
    queued: oneshot::Receiver<()>,
}

/// See the module.
pub(super) struct Incoming {
    bridge: Arc<MqttBridge>,
    client: AsyncClient,
    packet_max: Option<u32>,
    number: u64,
    lanes: BTreeMap<String, Lane>,
    unacknowledged: usize,
    bytes: usize,
    settling: FuturesOrdered<BoxFuture<'static, Settled>>,
}

impl Incoming {
    pub(super) fn new(bridge: Arc<MqttBridge>, client: AsyncClient, packet_max: Option<u32>) -> Self {
        let (lanes, settling) = (BTreeMap::new(), FuturesOrdered::new());
        Self { bridge, client, packet_max, number: 0, lanes, unacknowledged: 0, bytes: 0, settling }
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.settling.is_empty()
    }

    /// Takes a message to the queue. It knows its place and its topic as text.
    pub(super) fn take(&mut self, place: Place, topic: String, publish: Publish) -> Result<(), Ended> {
        metrics::counter!("muster_edge_mqtt_received_total").increment(1);
        self.bridge.standing.change(|status| status.received += 1);
        let bytes = bytes(&publish);
        if publish.qos == QoS::AtMostOnce {
            let is_full = self.settling.len() - self.unacknowledged >= FLEETING_MAX;
            if is_full || self.bytes + bytes > BYTES_MAX / 2 {
                metrics::counter!("muster_edge_mqtt_dropped_total").increment(1);
                return Ok(());
            }
        } else {
            self.unacknowledged += 1;
        }
        self.bytes += bytes;
        if self.bytes > BYTES_MAX {
            return Err(Ended::Connection("the broker sends more than it was told it may".to_owned()));
        }
        let properties = publish.properties.as_ref().map_or(&[][..], |properties| &properties.user_properties);
        let read = message::read(place, &publish.payload, properties, self.request_id(&topic, &publish));
        let name = read.as_ref().map_or_else(|_| String::new(), |meant| meant.name().to_owned());
        self.number += 1;
        let (done, queued) = oneshot::channel();
        let lane = Lane { number: self.number, queued };
        let before = self.lanes.insert(name.clone(), lane).map(|lane| lane.queued);
        let (bridge, client, packet_max) = (Arc::clone(&self.bridge), self.client.clone(), self.packet_max);
        let message = Message { bridge, client, packet_max, topic, publish };
        let number = self.number;
        self.settling.push_back(Box::pin(async move {
            let answer = match read {
                Ok(meant) => {
                    if let Some(before) = before {
                        // It ends by its other side being gone.
                        before.await.ok();
                    }
                    message.queue(meant).await
                }
                Err(rejection) => Err(rejection.into()),
            };
            drop(done);
            let publish = message.answer(answer).await;
            Settled { publish, name, number }
        }));
        self.tell_waiting();
        Ok(())
    }

    fn request_id(&self, topic: &str, publish: &Publish) -> String {
        match publish.qos {
            // It is never repeated, and has no identifier.
            QoS::AtMostOnce => String::new(),
            _ => {
                let chance = rand::rng().random();
                self.bridge.repeats().request_id(publish.pkid, publish.dup, topic, &publish.payload, chance)
            }
        }
    }

    /// The next message, in the order in which they came, that is done with; to be asked while it is busy.
    pub(super) async fn settled(&mut self) -> Settled {
        match self.settling.next().await {
            Some(settled) => settled,
            None => std::future::pending().await,
        }
    }

    pub(super) fn acknowledge(&mut self, settled: Settled) -> Result<(), Ended> {
        if self.lanes.get(&settled.name).is_some_and(|lane| lane.number == settled.number) {
            self.lanes.remove(&settled.name);
        }
        if settled.publish.qos != QoS::AtMostOnce {
            self.unacknowledged -= 1;
        }
        self.bytes -= bytes(&settled.publish);
        self.tell_waiting();
        self.client.try_ack(&settled.publish).map_err(|error| overrun(&error))
    }

    fn tell_waiting(&self) {
        let waiting = self.settling.len();
        metrics::gauge!("muster_edge_mqtt_waiting").set(u32::try_from(waiting).unwrap_or(u32::MAX));
        self.bridge.standing.change(|status| status.waiting = waiting as u64);
    }
}

/// What a message takes while it is worked on.
fn bytes(publish: &Publish) -> usize {
    let properties = publish.properties.as_ref().map_or(0, |properties| {
        let named = properties.user_properties.iter().map(|(name, value)| name.len() + value.len());
        let topic = properties.response_topic.as_ref().map_or(0, String::len);
        named.sum::<usize>() + topic + properties.correlation_data.as_ref().map_or(0, |data| data.len())
    });
    publish.topic.len() + publish.payload.len() + properties
}

/// A message on its way.
struct Message {
    bridge: Arc<MqttBridge>,
    client: AsyncClient,
    packet_max: Option<u32>,
    topic: String,
    publish: Publish,
}

impl Message {
    /// Returns when the operation is durable, or refused for good.
    async fn queue(&self, meant: Meant) -> Result<v1::Resource, Refused> {
        let handle = &self.bridge.handle;
        let mut pause = Pause::new(LONGEST);
        let meant = match meant {
            Meant::Report(report) => Ok(Report::from(*report)),
            Meant::Status { name, status, request_id } => Err((name, status, request_id)),
        };
        loop {
            let answer = match &meant {
                Ok(report) => handle.report(report.clone()).await,
                Err((name, status, request_id)) => {
                    handle.report_asset(name, (**status).clone(), request_id.clone(), false).await
                }
            };
            match answer {
                Err(Refused::Full(_) | Refused::DiskFull(_)) => tokio::time::sleep(pause.next()).await,
                // Not answered and not acknowledged: it comes again.
                Err(Refused::Stopping) => std::future::pending().await,
                answer => return answer,
            }
        }
    }

    /// Returns when the answer is with the broker, or the broker does not want it.
    async fn answer(self, answer: Result<v1::Resource, Refused>) -> Publish {
        let answer = match answer {
            Ok(resource) => message::accepted(&resource),
            Err(refused) => {
                metrics::counter!("muster_edge_mqtt_refused_total").increment(1);
                self.bridge.standing.change(|status| status.refused += 1);
                message::refused(&refused)
            }
        };
        self.publish_answer(&answer).await;
        self.publish
    }

    async fn publish_answer(&self, answer: &Value) {
        let asked = self.publish.properties.as_ref();
        let wanted = asked.and_then(|asked| asked.response_topic.clone());
        let topic = wanted.filter(|topic| self.bridge.topics.may_answer_to(topic));
        let topic = topic.unwrap_or_else(|| Topics::result(&self.topic));
        let correlation_data = asked.and_then(|asked| asked.correlation_data.clone());
        let answer = answer.to_string();
        let bytes = topic.len() + answer.len() + correlation_data.as_ref().map_or(0, |data| data.len());
        if !is_taken(self.packet_max, bytes) {
            // Sent all the same it would end the connection, and the message would come again.
            tracing::warn!(topic = self.topic, bytes, "the broker takes smaller packets only than that of an answer");
            return;
        }
        let properties = PublishProperties { correlation_data, ..PublishProperties::default() };
        let options = PublishOptions::at_least_once().properties(properties);
        match self.client.publish_tracked(topic, answer, options).await {
            Ok(notice) => {
                if let Err(error) = notice.wait_completion_async().await {
                    tracing::warn!(topic = self.topic, %error, "the broker does not take an answer");
                }
            }
            Err(error) => tracing::warn!(topic = self.topic, %error, "an answer cannot be published"),
        }
    }
}
