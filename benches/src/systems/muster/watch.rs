//! Watching our node, for the fan-out: events are counted, not looked into, as those of the peer.

use bytes::Bytes;
use muster_proto::v1;

use super::{Muster, patch_request};
use crate::fanout::{Feed, Heard, Put, Watched};
use crate::grpc::{Answers, Method};
use crate::workload::{Choice, NAMESPACE};

/// `muster.v1.WatchResponse`, with events left as bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(message, optional, tag = "2")]
    started: Option<Nothing>,
    #[prost(message, optional, tag = "4")]
    events: Option<Events>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
struct Events {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    events: Vec<Bytes>,
    #[prost(uint64, tag = "2")]
    revision: u64,
}

impl Watched for Muster {
    async fn watch(&self, client: usize) -> Result<impl Feed + Send + 'static, String> {
        let method: Method<v1::WatchRequest, Response> = self.calls.method(client, "/muster.v1.WatchService/Watch");
        let resource = format!("namespaces/{NAMESPACE}");
        let spec = v1::WatchSpec { id: 1, resource, ..Default::default() };
        let request = v1::WatchRequest { watches: vec![spec], ..Default::default() };
        let mut answers = method.answers(&request).await?;
        let first = answers.next().await?.ok_or("the watch ended at once")?;
        first.started.ok_or("the watch did not begin")?;
        Ok(Watching { answers })
    }

    fn put(&self, client: usize) -> impl Put + Send + 'static {
        let ids = self.layout.request_ids;
        Patching { method: self.calls.patch(client), choice: Choice::new(client, self.layout.keys), ids }
    }
}

struct Watching {
    answers: Answers<Response>,
}

impl Feed for Watching {
    async fn next(&mut self) -> Result<Heard, String> {
        loop {
            let answer = self.answers.next().await?.ok_or("the watch ended")?;
            if let Some(events) = answer.events {
                return Ok(Heard { revision: events.revision, events: events.events.len() as u64 });
            }
        }
    }
}

struct Patching {
    method: super::Patch,
    choice: Choice,
    ids: bool,
}

impl Put for Patching {
    async fn put(&mut self) -> Result<u64, String> {
        let answer = self.method.call(&patch_request(&mut self.choice, self.ids)).await?;
        answer.header.map(|header| header.revision).filter(|revision| *revision > 0).ok_or("no revision".to_owned())
    }
}
