//! `WatchService` at the edge: what the replica holds, and how it changes from mark to mark.
//!
//! - Changes are told when a mark agreed, in the order of revisions: what a watcher has heard of up to a revision is the scope
//!   as of that revision. Of a resource that changed several times between two marks the last state is told.
//! - A watch begins now: a past that the edge does not keep is `COMPACTED`. So is what a slow watcher fell behind of.
//! - What waits in the queue is not told; it comes as the cluster's change.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream, select_all};
use muster_proto::v1;
use muster_proto::v1::watch_response::Content;
use muster_proto::v1::watch_service_server::WatchService;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tonic::{Code, Request, Response, Status};

use super::refusal::{told, unreadable};
use super::watch_request::{self, Asked};
use super::{Local, watch_request::kind};
use crate::published::Marked;

/// Resources in one part of a list.
const LISTED_MAX: usize = 200;

#[tonic::async_trait]
impl WatchService for Local {
    type WatchStream = BoxStream<'static, Result<v1::WatchResponse, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let request = request.into_inner();
        let interval = watch_request::interval(request.progress_interval_ms)?;
        let asked = watch_request::watches(request.watches)?;
        // From here on no mark is missed.
        let marks: Vec<_> = asked.iter().map(|_| self.handle.published().marks()).collect();
        let header = self.fresh(request.read).await?;
        if !request.cluster_id.is_empty() && request.cluster_id != header.cluster_id {
            let message = format!("this edge belongs to cluster {}", header.cluster_id);
            return Err(told(Code::InvalidArgument, "INVALID_FIELD", &message, "cluster_id", ""));
        }
        let mut watches = Vec::new();
        for (asked, marks) in asked.into_iter().zip(marks) {
            watches.push(Watch::open(self, asked, marks, header.clone(), interval)?);
        }
        let frames = watches.into_iter().map(|watch| {
            stream::unfold(Some(watch), |watch| async move {
                let mut watch = watch?;
                match watch.next().await {
                    Ok(content) => {
                        let watch_id = watch.asked.spec.id;
                        Some((Ok(v1::WatchResponse { watch_id, content: Some(content) }), Some(watch)))
                    }
                    Err(status) => Some((Err(status), None)),
                }
            })
            .boxed()
        });
        let mut stop = self.stop.clone();
        let stopped = async move { stop.wait_for(|stop| *stop).await.is_ok() };
        Ok(Response::new(select_all(frames).take_until(Box::pin(stopped)).boxed()))
    }
}

struct Watch {
    local: Local,
    asked: Asked,
    marks: Receiver<Arc<Marked>>,
    interval: Duration,
    started: Option<v1::WatchStarted>,
    /// The name behind which the list goes on.
    listing: Option<String>,
    /// Everything up to here was told.
    told: u64,
}

impl Watch {
    fn open(
        local: &Local,
        asked: Asked,
        marks: Receiver<Arc<Marked>>,
        header: v1::ResponseHeader,
        interval: Duration,
    ) -> Result<Self, Status> {
        let told = header.revision;
        let from = asked.spec.from_revision;
        if from != 0 && from <= told {
            return Err(compacted(from, told + 1));
        }
        let from_revision = if from == 0 { told + 1 } else { from };
        let started = Some(v1::WatchStarted { header: Some(header), from_revision });
        let listing = asked.spec.list_first.then(String::new);
        let told = from_revision - 1;
        Ok(Self { local: local.clone(), asked, marks, interval, started, listing, told })
    }

    async fn next(&mut self) -> Result<Content, Status> {
        if let Some(started) = self.started.take() {
            return Ok(Content::Started(started));
        }
        if let Some(after) = self.listing.take() {
            return self.list(&after).map(Content::Listed);
        }
        loop {
            match tokio::time::timeout(self.interval, self.marks.recv()).await {
                Err(_) => return Ok(Content::Progress(v1::WatchProgress { revision: self.told })),
                Ok(Ok(marked)) if marked.revision <= self.told => {}
                Ok(Ok(marked)) => {
                    self.told = marked.revision;
                    if let Some(events) = self.events(&marked) {
                        return Ok(Content::Events(events));
                    }
                }
                Ok(Err(RecvError::Lagged(_))) => {
                    return Err(compacted(self.told + 1, self.local.header().revision + 1));
                }
                Ok(Err(RecvError::Closed)) => return Err(Status::unavailable("the agent is stopping")),
            }
        }
    }

    fn list(&mut self, after: &str) -> Result<v1::WatchListed, Status> {
        let place = Some(after).filter(|after| !after.is_empty());
        let listed = self.local.handle.list("", place, LISTED_MAX, |name| self.asked.wants(name), |_| true);
        let listed = listed.map_err(|error| unreadable(&error))?;
        let complete = listed.next_after.is_none();
        self.listing = listed.next_after;
        let resources = listed.items.into_iter().filter_map(|item| item.resource).collect();
        Ok(v1::WatchListed { resources, revision: self.told, complete })
    }

    fn events(&self, marked: &Marked) -> Option<v1::WatchEvents> {
        let spec = &self.asked.spec;
        let mut events: Vec<v1::WatchEvent> = Vec::new();
        let (mut revision, mut index) = (marked.previous, 0);
        for changed in &marked.changes {
            index = if changed.revision == revision { index + 1 } else { 0 };
            revision = changed.revision;
            let kind = kind(changed);
            if !self.asked.wants_change(changed, &kind) {
                continue;
            }
            let event = v1::Event { revision, index, kind, resource: changed.name.clone(), ..v1::Event::default() };
            let before = changed.before.clone().filter(|_| spec.before);
            let after = changed.after.clone().filter(|_| spec.after);
            events.push(v1::WatchEvent { event: Some(event), before, after });
        }
        let revision = marked.revision;
        (!events.is_empty()).then_some(v1::WatchEvents { events, revision, continues: false })
    }
}

fn compacted(wanted: u64, oldest: u64) -> Status {
    let message = format!(
        "an edge keeps no past: revision {wanted} is not kept, the oldest that can be watched from is {oldest}"
    );
    told(Code::OutOfRange, "COMPACTED", &message, "from_revision", "")
}
