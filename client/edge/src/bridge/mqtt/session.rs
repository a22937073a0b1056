//! One connection: asks the broker what it holds of the bridge's topics, then keeps that equal to the scope; takes in what is
//! reported from the first moment on.
//!
//! How does the bridge know that it was told of everything? It publishes to a topic that it listens to itself, and the broker
//! sends that behind what it was already sending. A broker that does not is waited for, for a moment.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rand::Rng;
use rumqttc::{
    AsyncClient, Publish, PublishOptions, QoS, RetainForwardRule, SubscribeFilterInput, SubscribeNoticeError,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::topics::Place;
use super::{Ended, MqttBridge};

/// How long the bridge waits for what it published to itself.
const FENCE_WAIT: Duration = Duration::from_secs(5);
/// For a subscription that is not answered.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Session {
    bridge: Arc<MqttBridge>,
    client: AsyncClient,
    incoming: Incoming,
    outgoing: Outgoing,
    /// What was published to the fence.
    fence: String,
    /// When the wait for the subscription, then for the fence, is over; `None` when everything is known.
    learning_until: Option<Instant>,
    is_owner_told: bool,
}

impl Session {
    pub(super) fn new(bridge: Arc<MqttBridge>, client: AsyncClient, packet_max: Option<u32>) -> Self {
        Self {
            incoming: Incoming::new(Arc::clone(&bridge), client.clone(), packet_max),
            outgoing: Outgoing::new(Arc::clone(&bridge), client.clone(), packet_max),
            fence: format!("{:016x}", rand::rng().random::<u64>()),
            learning_until: Some(Instant::now() + SUBSCRIBE_WAIT),
            is_owner_told: false,
            bridge,
            client,
        }
    }

    /// Works until the connection is of no use.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Publish>) -> Ended {
        match self.work(&mut inbox).await {
            Ok(()) => Ended::Connection("the connection ended".to_owned()),
            Err(ended) => ended,
        }
    }

    async fn work(&mut self, inbox: &mut mpsc::Receiver<Publish>) -> Result<(), Ended> {
        let mut subscribing = Some(self.subscribe()?);
        loop {
            let until = self.learning_until.unwrap_or_else(Instant::now);
            tokio::select! {
                publish = inbox.recv() => match publish {
                    Some(publish) => self.take(publish)?,
                    None => return Ok(()),
                },
                subscribed = asked(&mut subscribing), if subscribing.is_some() => {
                    subscribing = None;
                    subscribed.map_err(|error| Ended::Subscription(format!("its topics: {error}")))?;
                    self.set_fence()?;
                },
                () = tokio::time::sleep_until(until), if self.learning_until.is_some() => {
                    if subscribing.is_some() {
                        return Err(Ended::Connection("the broker does not answer a subscription".to_owned()));
                    }
                    self.everything_is_known()?;
                },
                settled = self.incoming.settled(), if self.incoming.is_busy() => self.incoming.acknowledge(settled)?,
                worked = self.outgoing.work() => worked?,
            }
        }
    }

    fn subscribe(&self) -> Result<BoxFuture<'static, Result<(), SubscribeNoticeError>>, Ended> {
        let topics = &self.bridge.topics;
        let own = topics.own_filters().into_iter().map(|filter| {
            // Of the owner it is told whether others had it retained, also while it listens.
            let is_owner = filter == topics.owner();
            // Not what the bridge publishes now, but what it published before.
            SubscribeFilterInput::new(filter, QoS::AtMostOnce).no_local(true).preserve_retain(is_owner)
        });
        let told = topics.in_filters().into_iter().map(|filter| {
            // A report that somebody had the broker retain is no new report with each connection.
            SubscribeFilterInput::new(filter, QoS::AtLeastOnce).retain_forward_rule(RetainForwardRule::Never)
        });
        let fence = SubscribeFilterInput::new(topics.fence(), QoS::AtMostOnce);
        let filters: Vec<_> = own.chain(told).chain([fence]).collect();
        let notice = self.client.try_subscribe_many_tracked(filters).map_err(|error| overrun(&error))?;
        Ok(async move { notice.wait_completion_async().await }.boxed())
    }

    fn set_fence(&mut self) -> Result<(), Ended> {
        self.learning_until = Some(Instant::now() + FENCE_WAIT);
        let options = PublishOptions::at_least_once();
        let sent = self.client.try_publish(self.bridge.topics.fence(), self.fence.clone(), options);
        sent.map_err(|error| overrun(&error))
    }

    fn take(&mut self, publish: Publish) -> Result<(), Ended> {
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        match self.bridge.topics.place(&topic) {
            Some(Place::Out(name)) if publish.retain => self.outgoing.learn(topic, name, &publish.payload),
            // Only who has it retained claims the topics: anybody may ask for answers to this topic.
            Some(Place::Owner) if publish.retain => self.heed_owner(&publish.payload)?,
            Some(Place::Fence) if self.learning_until.is_some() && publish.payload == self.fence.as_bytes() => {
                self.everything_is_known()?;
            }
            Some(place @ (Place::Report(_) | Place::Status(_))) => self.incoming.take(place, topic, publish)?,
            // What somebody else says on the bridge's topics, or an old fence.
            Some(Place::Out(_) | Place::Owner | Place::Fence) | None => {
                self.client.try_ack(&publish).map_err(|error| overrun(&error))?;
            }
        }
        Ok(())
    }

    fn heed_owner(&mut self, payload: &[u8]) -> Result<(), Ended> {
        let edge = String::from_utf8_lossy(payload).into_owned();
        if edge.is_empty() {
            return Ok(());
        }
        if edge != self.bridge.handle.edge() {
            return Err(Ended::OtherEdge { topic: self.bridge.topics.owner(), edge });
        }
        self.is_owner_told = true;
        Ok(())
    }

    fn everything_is_known(&mut self) -> Result<(), Ended> {
        self.learning_until = None;
        if !self.is_owner_told {
            let (topic, edge) = (self.bridge.topics.owner(), self.bridge.handle.edge().to_owned());
            let options = PublishOptions::at_least_once().retained();
            self.client.try_publish(topic, edge, options).map_err(|error| overrun(&error))?;
        }
        self.outgoing.open();
        Ok(())
    }
}

async fn asked<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// The way to the connection is full, which it never is while it is being worked off.
pub(super) fn overrun(error: &rumqttc::ClientError) -> Ended {
    Ended::Connection(format!("the connection takes no more: {error}"))
}
