//! Watches that outlive nodes: a stream that breaks is opened again elsewhere, from where it was.
//!
//! - Every event comes once, in order, across all streams: a watch goes on after the last revision it heard of completely,
//!   and of a revision it heard in part it skips that part.
//! - A list that broke off begins anew; a second `started` of its watch says so.
//! - What cannot be mended is an error and ends the watcher: a refusal, or a revision below the floor (`COMPACTED`).

use std::sync::Arc;
use std::time::Duration;

use crate::connection::Client;
use crate::endpoints::Node;
use crate::error::CallError;
use crate::proto;
use crate::proto::watch_response::Content;
use crate::resumed::{Patience, Resumed};

const OPERATION: &str = "watch";
/// What the server takes for a progress interval of 0.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(5);

impl Client {
    /// Watches; see [`proto::WatchRequest`]. Nothing is connected before [`Watcher::next`].
    #[must_use]
    pub fn watch(&self, request: proto::WatchRequest) -> Watcher {
        let watches = request.watches.iter().cloned().map(Watch::new).collect();
        Watcher { client: self.clone(), request, watches, stream: Resumed::new(self.clone(), OPERATION) }
    }
}

/// One call's watches, over as many streams as it takes.
#[derive(Debug)]
pub struct Watcher {
    client: Client,
    request: proto::WatchRequest,
    watches: Vec<Watch>,
    stream: Resumed<proto::WatchResponse>,
}

impl Watcher {
    /// The next message; waits for it. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the server refuses, or when no endpoint answers within the client's deadline.
    pub async fn next(&mut self) -> Result<proto::WatchResponse, CallError> {
        loop {
            let opening = self.client.retry_policy().attempt_timeout;
            // A node that is alive tells progress; silence means that it is not, or not for us.
            let patience = Patience { opening, silence: self.interval() * 3 + opening };
            let (client, first, watches) = (&self.client, &self.request, &self.watches);
            let open = |node: Arc<Node>| async move {
                let watches = watches.iter().map(Watch::onwards).collect();
                let request = proto::WatchRequest { watches, ..first.clone() };
                let stub = proto::watch_service_client::WatchServiceClient::new(node.channel.clone());
                stub.max_decoding_message_size(crate::MESSAGE_BYTES_MAX).watch(client.authorized(request)).await
            };
            let message = self.stream.next(patience, open).await?;
            if let Some(message) = self.take(message) {
                return Ok(message);
            }
        }
    }

    /// For each watch its id and the first revision it has not told completely; `None` while it lists.
    pub fn positions(&self) -> impl Iterator<Item = (u64, Option<u64>)> + '_ {
        self.watches.iter().map(|watch| (watch.spec.id, watch.next.filter(|_| !watch.is_listing)))
    }

    fn interval(&self) -> Duration {
        match self.request.progress_interval_ms {
            0 => INTERVAL_DEFAULT,
            milliseconds => Duration::from_millis(milliseconds.into()),
        }
    }

    /// Notes what a message says; `None` when the caller knows it already.
    fn take(&mut self, message: proto::WatchResponse) -> Option<proto::WatchResponse> {
        if let Some(Content::Started(proto::WatchStarted { header: Some(header), .. })) = &message.content
            && self.request.cluster_id.is_empty()
        {
            // Revisions of another cluster mean nothing: from here on only this one will do.
            self.request.cluster_id.clone_from(&header.cluster_id);
        }
        let watch = self.watches.iter_mut().find(|watch| watch.spec.id == message.watch_id)?;
        let content = watch.take(message.content?)?;
        Some(proto::WatchResponse { content: Some(content), ..message })
    }
}

#[derive(Debug)]
struct Watch {
    spec: proto::WatchSpec,
    /// The first revision that was not told completely.
    next: Option<u64>,
    /// The first event of `next` that was not told.
    index: u32,
    is_listing: bool,
}

impl Watch {
    fn new(spec: proto::WatchSpec) -> Self {
        let is_listing = spec.list_first;
        Self { spec, next: None, index: 0, is_listing }
    }

    /// What to ask for now.
    fn onwards(&self) -> proto::WatchSpec {
        let mut spec = self.spec.clone();
        if let Some(next) = self.next.filter(|_| !self.is_listing) {
            spec.from_revision = next;
            spec.list_first = false;
            spec.cursor.clear();
        }
        spec
    }

    fn take(&mut self, content: Content) -> Option<Content> {
        match content {
            Content::Started(started) => {
                let is_new = self.next.is_none() || self.is_listing;
                if is_new {
                    self.next = Some(started.from_revision);
                }
                is_new.then_some(Content::Started(started))
            }
            Content::Listed(listed) => {
                self.is_listing = !listed.complete;
                Some(Content::Listed(listed))
            }
            Content::Events(events) => self.take_events(events),
            Content::Progress(progress) => {
                if self.next.is_none_or(|next| next <= progress.revision) {
                    (self.next, self.index) = (Some(progress.revision + 1), 0);
                }
                Some(Content::Progress(progress))
            }
        }
    }

    fn take_events(&mut self, mut events: proto::WatchEvents) -> Option<Content> {
        if let Some(next) = self.next {
            let index = self.index;
            let is_new = |event: &proto::Event| (event.revision, event.index) >= (next, index);
            events.events.retain(|told| told.event.as_ref().is_none_or(is_new));
        }
        if events.continues {
            let last = events.events.last().and_then(|told| told.event.as_ref());
            (self.next, self.index) = (Some(events.revision), last.map_or(self.index, |event| event.index + 1));
        } else {
            (self.next, self.index) = (Some(events.revision + 1), 0);
        }
        (!events.events.is_empty()).then_some(Content::Events(events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(told: &[(u64, u32)], revision: u64, continues: bool) -> Content {
        let event = |(revision, index): &(u64, u32)| proto::WatchEvent {
            event: Some(proto::Event { revision: *revision, index: *index, ..proto::Event::default() }),
            ..proto::WatchEvent::default()
        };
        Content::Events(proto::WatchEvents { events: told.iter().map(event).collect(), revision, continues })
    }

    fn heard(content: Option<Content>) -> Vec<(u64, u32)> {
        let Some(Content::Events(events)) = content else { return Vec::new() };
        events.events.into_iter().filter_map(|told| told.event).map(|event| (event.revision, event.index)).collect()
    }

    fn started(from_revision: u64) -> Content {
        Content::Started(proto::WatchStarted { from_revision, header: None })
    }

    #[test]
    fn a_revision_told_in_part_goes_on_where_it_broke_off() {
        let mut watch = Watch::new(proto::WatchSpec { cursor: "cursors/c".to_owned(), ..proto::WatchSpec::default() });
        assert!(watch.take(started(5)).is_some());
        assert_eq!(heard(watch.take(events(&[(5, 0), (7, 0), (7, 1)], 7, true))), [(5, 0), (7, 0), (7, 1)]);
        let again = watch.onwards();
        assert_eq!((again.from_revision, again.cursor.as_str()), (7, ""));
        assert!(watch.take(started(7)).is_none(), "the caller need not know");
        assert_eq!(heard(watch.take(events(&[(7, 0), (7, 1), (7, 2), (9, 0)], 11, false))), [(7, 2), (9, 0)]);
        assert_eq!(watch.onwards().from_revision, 12);
    }

    #[test]
    fn progress_moves_forward_only() {
        let mut watch = Watch::new(proto::WatchSpec::default());
        watch.take(started(5));
        watch.take(Content::Progress(proto::WatchProgress { revision: 9 }));
        assert_eq!(watch.onwards().from_revision, 10);
        watch.take(Content::Progress(proto::WatchProgress { revision: 4 }));
        assert_eq!(watch.onwards().from_revision, 10);
    }

    #[test]
    fn a_list_that_broke_off_begins_anew() {
        let mut watch = Watch::new(proto::WatchSpec { list_first: true, ..proto::WatchSpec::default() });
        let listed = |complete| Content::Listed(proto::WatchListed { revision: 9, complete, ..Default::default() });
        watch.take(started(10));
        watch.take(listed(false));
        assert!(watch.onwards().list_first);
        assert!(watch.take(started(12)).is_some(), "the caller has to drop what was listed");
        watch.take(listed(true));
        let again = watch.onwards();
        assert_eq!((again.list_first, again.from_revision), (false, 12));
    }
}
