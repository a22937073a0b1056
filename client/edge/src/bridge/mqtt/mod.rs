//! The bridge to a broker of MQTT 5: what is wanted of twins and how assets are defined goes out as retained messages, what
//! is reported comes in and is answered.
//!
//! ```text
//!   connect      address, credentials, session              topics    what a topic is for
//!   session      one connection: learn, then work           message   what is meant, what is answered
//!     outgoing     retained messages = the scope            repeats   what a broker sends again is queued once
//!     incoming     queue, answer, acknowledge
//! ```
//!
//! - A message is acknowledged after its operation is durable in the queue, or was refused, and the answer is with the broker.
//! - What is published is worked out from what is held when a connection begins and whenever it changes: a broker that was
//!   away gets the newest state once, and nothing is kept for it meanwhile.
//! - A broker that is away, slow or wrong costs bounded memory and nobody else's time.

mod connect;
mod incoming;
mod message;
mod outgoing;
mod repeats;
mod session;
mod topics;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_domain::Key;
use muster_proto::edge::v1::MqttStatus;
use rumqttc::{AsyncClient, Event, EventLoop, Outgoing, Packet, Publish};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::{Pause, Standing};
use crate::config::{Broker, Mqtt};
use crate::handle::Handle;
use crate::queue::Entry;
pub(crate) use repeats::Repeats;
use session::Session;
use topics::Topics;

/// The longest wait for a broker. A connection that held for as long was a good one.
const LONGEST: Duration = Duration::from_secs(30);
/// What a packet holds besides topic, payload and what is counted with them, generously.
const PACKET_OVERHEAD_BYTES: usize = 64;
/// Messages between the connection and the session.
const INBOX_MAX: usize = 64;

/// Whether the broker takes a packet with so many bytes in it, by what it said when it was connected to.
fn is_taken(packet_max: Option<u32>, bytes: usize) -> bool {
    packet_max.is_none_or(|max| u32::try_from(bytes + PACKET_OVERHEAD_BYTES).is_ok_and(|bytes| bytes <= max))
}

/// Why a connection ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// A file of the settings cannot be used.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The broker or the way to it.
    #[error("{0}")]
    Connection(String),
    /// The broker allows less than the bridge needs.
    #[error("the broker refuses a subscription to {0}")]
    Subscription(String),
    /// Two edges would clear each other's messages.
    #[error("{topic} says that these topics are those of {edge}: set another mqtt.prefix, or clear that message")]
    OtherEdge {
        /// The topic that says so.
        topic: String,
        /// Whose.
        edge: String,
    },
}

/// The bridge before it runs, and what all its parts share.
pub(crate) struct MqttBridge {
    handle: Handle,
    config: Mqtt,
    broker: Broker,
    client_id: String,
    topics: Topics,
    standing: Standing<MqttStatus>,
    repeats: Mutex<Repeats>,
}

/// Makes the bridge; `None` when it is off.
///
/// # Errors
/// When a file of the settings cannot be used. That the broker cannot be reached is none.
pub(crate) fn prepare(
    handle: &Handle,
    config: &Mqtt,
    repeats: Repeats,
    standing: Option<&Standing<MqttStatus>>,
) -> Result<Option<Arc<MqttBridge>>, Ended> {
    let (Some(broker), Some(standing)) = (config.broker(), standing) else { return Ok(None) };
    let client_id = config.client_id(handle.edge());
    connect::options(config, &broker, &client_id)?;
    let namespace = Key::parse(handle.edge()).and_then(|edge| edge.namespace().map(str::to_owned)).unwrap_or_default();
    metrics::gauge!("muster_edge_mqtt_connected").set(0.0);
    Ok(Some(Arc::new(MqttBridge {
        handle: handle.clone(),
        topics: Topics::new(&config.prefix, &namespace),
        config: config.clone(),
        broker,
        client_id,
        standing: standing.clone(),
        repeats: Mutex::new(repeats),
    })))
}

/// What the queue knows of messages that may come again.
pub(crate) fn known(queue: &[Entry]) -> Repeats {
    Repeats::restored(queue.iter().map(|entry| entry.request_id.as_str()))
}

impl MqttBridge {
    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a connection until told to stop.
    pub(crate) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        if !super::replica_is_whole(&self.handle, &mut stop).await {
            return;
        }
        let mut pause = Pause::new(LONGEST);
        loop {
            let begun = Instant::now();
            let ended = tokio::select! {
                ended = self.connection() => ended,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            metrics::gauge!("muster_edge_mqtt_connected").set(0.0);
            metrics::counter!("muster_edge_mqtt_connections_ended_total").increment(1);
            self.standing.change(|status| {
                (status.connected, status.waiting) = (false, 0);
                status.message = ended.to_string();
            });
            if begun.elapsed() > LONGEST {
                pause.reset();
            }
            tracing::info!(broker = self.config.broker, "not connected to the broker: {ended}");
            if !super::slept(pause.next(), &mut stop).await {
                return;
            }
        }
    }

    /// One connection, from its beginning to its end.
    async fn connection(self: &Arc<Self>) -> Ended {
        let options = match connect::options(&self.config, &self.broker, &self.client_id) {
            Ok(options) => options,
            Err(ended) => return ended,
        };
        let (client, mut events) = AsyncClient::builder(options).capacity(connect::REQUESTS_MAX).build();
        let welcome = loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(welcome))) => break welcome,
                Ok(_) => {}
                Err(error) => return Ended::Connection(error.to_string()),
            }
        };
        tracing::info!(broker = self.config.broker, client_id = self.client_id, "connected to the broker");
        metrics::gauge!("muster_edge_mqtt_connected").set(1.0);
        self.standing.change(|status| {
            status.connected = true;
            status.connections += 1;
            status.message.clear();
        });
        self.repeats().connected(welcome.session_present);
        let packet_max = welcome.properties.and_then(|properties| properties.max_packet_size);
        let (publishes, inbox) = mpsc::channel(INBOX_MAX);
        let session = Session::new(Arc::clone(self), client, packet_max);
        tokio::select! {
            ended = self.drive(events, publishes) => ended,
            ended = session.run(inbox) => ended,
        }
    }

    /// Moves packets until the connection ends.
    async fn drive(&self, mut events: EventLoop, publishes: mpsc::Sender<Publish>) -> Ended {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    // The session ends this connection when it ends.
                    publishes.send(publish).await.ok();
                }
                Ok(Event::Incoming(Packet::PingResp)) => self.repeats().ping_answered(),
                Ok(Event::Outgoing(Outgoing::PingReq)) => self.repeats().pinged(),
                Ok(Event::Outgoing(Outgoing::PubAck(packet))) => self.repeats().acknowledged(packet),
                Ok(Event::Incoming(_) | Event::Outgoing(_) | Event::Auth(_)) => {}
                Err(error) => return Ended::Connection(error.to_string()),
            }
        }
    }
}
