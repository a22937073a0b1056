//! Watching etcd, for the fan-out: every watcher takes all keys, and counts the events.

use bytes::Bytes;

use super::etcd::{Etcd, PUT, Put as PutMethod, pb, put_request};
use crate::fanout::{Feed, Heard, Put, Watched};
use crate::grpc::{Answers, Method, Requests};
use crate::workload::Choice;

const WATCH: &str = "/etcdserverpb.Watch/Watch";

impl Watched for Etcd {
    async fn watch(&self, client: usize) -> Result<impl Feed + Send + 'static, String> {
        let method: Method<pb::WatchRequest, pb::WatchResponse> =
            Method::new(self.connections().of(client), WATCH, None);
        // From the first byte on without an end: all keys.
        let all = Bytes::from_static(&[0]);
        let create = pb::WatchCreateRequest { key: all.clone(), range_end: all };
        let request_union = Some(pb::watch_request::RequestUnion::CreateRequest(create));
        let (requests, mut answers) = method.stream(&[pb::WatchRequest { request_union }]).await?;
        let first = answers.next().await?.ok_or("the watch ended at once")?;
        if !first.created {
            return Err("the watch did not begin".to_owned());
        }
        Ok(Watching { answers, _requests: requests })
    }

    fn put(&self, client: usize) -> impl Put + Send + 'static {
        let method = PutMethod::new(self.connections().of(client), PUT, None);
        Putting { method, choice: Choice::new(client, self.keys()) }
    }
}

struct Watching {
    answers: Answers<pb::WatchResponse>,
    /// Dropping it would end the watch.
    _requests: Requests,
}

impl Feed for Watching {
    async fn next(&mut self) -> Result<Heard, String> {
        let answer = self.answers.next().await?.ok_or("the watch ended")?;
        if answer.canceled {
            return Err("the watch was cancelled".to_owned());
        }
        let revision = answer.header.map(|header| header.revision.unsigned_abs()).unwrap_or_default();
        Ok(Heard { revision, events: answer.events.len() as u64 })
    }
}

struct Putting {
    method: PutMethod,
    choice: Choice,
}

impl Put for Putting {
    async fn put(&mut self) -> Result<u64, String> {
        let answer = self.method.call(&put_request(self.choice.device(), self.choice.count())).await?;
        let revision = answer.header.map(|header| header.revision.unsigned_abs());
        revision.filter(|revision| *revision > 0).ok_or("no revision".to_owned())
    }
}
