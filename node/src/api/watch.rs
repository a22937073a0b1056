//! `WatchService.Watch`: each watch is a stream of frames of its own, and the call is all of them, fairly mixed.
//!
//! - Every beginning is checked before the first frame; what is refused then is the status of the call.
//! - A watch that fails later ends the call: its frames said how far it had come.
//! - Nothing is buffered: a frame is made when the connection can take it.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt, select_all};
use muster_domain::{Body, Reason, Rejection};
use muster_planted::{self as planted, Bug};
use muster_proto::v1;
use tonic::{Request, Status};

use super::history::check_floor;
use super::read::{Read, existing};
use super::status::{Failure, Transport};
use super::watch_request::{self, Start, WatchAsked};
use crate::authorize;
use crate::node::Services;
use crate::read::{Consistency, View, WalkPlace, WalkRange};
use crate::watch::{Audience, Content, FollowError, Follower, Following, Frame, Told};

/// Stored bytes of one part of a list.
const LISTED_BYTES: usize = 256 << 10;

/// The frames of a call.
pub(crate) async fn frames(
    services: &Arc<Services>,
    request: Request<v1::WatchRequest>,
) -> Result<BoxStream<'static, Result<Frame, Status>>, Failure> {
    let (read, request) = Read::begin(services, request)
        .map_err(|_| Failure::Other(Transport::Unauthenticated, "the caller is not known".to_owned()))?;
    check_cluster(services, &request.cluster_id)?;
    let interval = watch_request::interval(request.progress_interval_ms)?;
    let asked = watch_request::watches(&read, request.watches)?;
    let proves = super::fields::consistency(request.read)? != Consistency::Local;
    let view = read.view(request.read).await?;
    let mut watches = Vec::with_capacity(asked.len());
    for (at, asked) in asked.into_iter().enumerate() {
        watches.push(Watch::open(&read, &view, at, asked, interval, proves)?);
    }
    let frames = watches.into_iter().map(|watch| {
        stream::unfold(Some(watch), |watch| async move {
            let mut watch = watch?;
            match watch.next().await {
                Ok(frame) => Some((Ok(frame), Some(watch))),
                Err(failure) => Some((Err(Status::from(failure)), None)),
            }
        })
        .boxed()
    });
    Ok(select_all(frames).boxed())
}

fn check_cluster(services: &Services, expected: &str) -> Result<(), Rejection> {
    let own = &services.identity.cluster_id;
    if expected.is_empty() || expected == own {
        return Ok(());
    }
    let message = format!("this is cluster {own}: revisions of another cluster mean nothing here");
    Err(Rejection::new(Reason::InvalidField, "cluster_id", message))
}

/// One watch: it says that it begins, lists when that is asked for, and follows.
struct Watch {
    id: u64,
    services: Arc<Services>,
    audience: Audience,
    /// Not said yet: where it begins.
    started: Option<v1::WatchStarted>,
    listing: Option<Listing>,
    follower: Follower,
}

struct Listing {
    range: WalkRange,
    revision: u64,
    place: WalkPlace,
}

impl Watch {
    fn open(
        read: &Read,
        view: &View,
        at: usize,
        asked: WatchAsked,
        interval: Duration,
        proves: bool,
    ) -> Result<Self, Failure> {
        let newest = view.revision();
        let floor = view.event_floor_in(&asked.filter.scope)?;
        let mut listing = None;
        let from = match asked.start {
            Start::Now => newest + 1,
            Start::Revision(revision) => revision,
            Start::Cursor(key) => match &existing(view, &key)?.body {
                // One that has acknowledged nothing yet begins with the oldest event kept.
                Body::Cursor(cursor) if cursor.acknowledged == 0 => floor,
                Body::Cursor(cursor) => cursor.acknowledged + 1,
                _ => return Err(Rejection::not_found(&key).into()),
            },
            Start::List(range) => {
                listing = Some(Listing { range, revision: newest, place: WalkPlace::default() });
                newest + 1 + u64::from(planted::is(Bug::ListJoinsLate))
            }
        };
        check_floor(&format!("watches[{at}].from_revision"), from, floor)?;
        if proves && from > newest + 1 && !planted::is(Bug::ListJoinsLate) {
            let field = format!("watches[{at}].from_revision");
            let message = format!("{field} {from} lies in the future: the newest is {newest}");
            return Err(Failure::At { transport: Transport::RevisionInFuture, field, message });
        }
        let (services, caller) = (Arc::clone(&read.services), read.caller.clone());
        let admitted = {
            let services = Arc::clone(&services);
            Arc::new(move || authorize::still(&caller, &services.reader, services.clock.now_ms()))
        };
        let following = Following {
            filter: asked.filter,
            audience: asked.audience,
            images: asked.images,
            from,
            interval,
            proves,
            admitted,
        };
        let follower = Follower::open(&services.watches, following)?;
        let started = Some(v1::WatchStarted { header: read.header(newest), from_revision: from });
        Ok(Self { id: asked.id, services, audience: asked.audience, started, listing, follower })
    }

    async fn next(&mut self) -> Result<Frame, Failure> {
        let content = if let Some(started) = self.started.take() {
            Content::Started(started)
        } else if let Some(listing) = self.listing.take() {
            Content::Listed(self.list(listing).await?)
        } else {
            match self.follower.next().await? {
                Told::Events(events) => Content::Events(events),
                Told::Progress(revision) => Content::Progress(v1::WatchProgress { revision }),
            }
        };
        Ok(Frame { watch_id: self.id, content: Some(content) })
    }

    async fn list(&mut self, listing: Listing) -> Result<v1::WatchListed, Failure> {
        self.follower.check_admitted()?;
        let Listing { range, revision, place } = listing;
        let view = self.services.reader.local_for_followers();
        let page = view.walk(range.clone(), revision, place, LISTED_BYTES).await?;
        let parts = self.audience.parts();
        let shown =
            page.resources.iter().filter_map(|(key, record)| crate::convert::resource::to_proto(key, record, parts));
        let resources = shown.collect();
        let complete = page.next.is_none();
        self.listing = page.next.map(|place| Listing { range, revision, place });
        Ok(v1::WatchListed { resources, revision, complete })
    }
}

impl From<FollowError> for Failure {
    fn from(error: FollowError) -> Self {
        let message = error.to_string();
        match error {
            FollowError::Denied(rejection) => rejection.into(),
            FollowError::Full => Self::Other(Transport::QueueFull, message),
            FollowError::Stopping => Self::Other(Transport::Stopping, message),
            FollowError::NoQuorum => Self::Other(Transport::NoLeader, message),
            FollowError::Compacted { wanted, floor } => {
                Self::Compacted { field: "from_revision".to_owned(), revision: wanted, floor }
            }
            FollowError::Store(error) => error.into(),
        }
    }
}
