//! One session: what its edge says is taken in, and what is to be said is said, pulled by the connection.
//!
//! ```text
//! edge ─▶ operations ─▶ up ──▶ operations_result ─┐
//!         received, compare, fetch ─▶ down ──▶ items, marks, differences ─┴─▶ next() ─▶ connection
//! ```
//!
//! There is no queue to the edge: a message is made when the connection takes it. What the edge sends is read one message at a
//! time. It knows messages, and neither how scopes are kept nor how commands are decided. Invariants:
//!
//! - The caller's right to go on, the edge's existence and its epoch are looked at before each message and every few seconds.
//! - A session that hears nothing for three heartbeats ends.
//! - Contents are compared for one question, or several at once, at a time; an edge that does not answer is left.
//! - Of two sessions of an edge on one node the older one ends (`E3-fencing`).

use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use muster_domain::{Body, Key, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::sync_request::Message as Asked;
use muster_proto::v1::sync_response::Message as Told;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::down::Down;
use super::opening::{Hello, Opened};
use super::sessions::{Ending, Seat};
use super::up::{Landed, Up};
use super::verify::Verify;
use super::verifying::{Ask, Unverified, VERIFY_MAX};
use super::{EdgeSync, SyncError, uplink};
use crate::authorize::{self, Caller};
use crate::failpoint::{self, Point};
use crate::read::{Consistency, ReadError};

/// What comes from an edge.
pub(crate) type Inbound = BoxStream<'static, Result<v1::SyncRequest, tonic::Status>>;

/// How often a session that is quiet is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// Failed proofs in a row after which a session ends: another node may be better off.
const UNPROVED_MAX: u32 = 2;
/// When an edge may come back that a fault of this node sends away.
const COME_BACK_MS: u32 = 1_000;
/// Heartbeats after which an edge that is silent is dead.
const SILENT_HEARTBEATS: u32 = 3;

/// See the module.
pub(crate) struct Session {
    sync: Arc<EdgeSync>,
    caller: Caller,
    namespace: String,
    edge: String,
    epoch: u64,
    inbound: Inbound,
    seat: Seat,
    ending: watch::Receiver<Option<Ending>>,
    down: Down,
    up: Up,
    /// Answers that are ready.
    ready: Option<Told>,
    /// Heartbeats since the edge was heard. A link that is slow does not take them, so they tell nothing of it.
    unanswered: u32,
    told_at: Instant,
    looked_at: Instant,
    unproved: u32,
    is_over: bool,
    /// Comparisons of contents so far; nothing when the edge does not know how.
    comparisons: Option<u64>,
    verifying: Option<Box<Verifying>>,
}

/// Who waits for the comparison that is under way.
struct Verifying {
    asks: Vec<Ask>,
    began: Instant,
}

/// What a session waits for.
enum Woken {
    Ending,
    Heard(Option<Result<v1::SyncRequest, tonic::Status>>),
    Landed(Landed),
    Changed,
}

impl Session {
    /// Begins; `welcome` is the first message.
    pub(super) fn new(
        sync: &Arc<EdgeSync>,
        caller: Caller,
        inbound: Inbound,
        hello: Hello,
        opened: &Opened,
        seat: Seat,
        down: Down,
    ) -> Self {
        let epoch = opened.record.epoch;
        let window = sync.settings.window_operations as usize;
        let up = Up::new(&hello.namespace, &hello.edge, epoch, window, opened.record.last_sequence);
        let now = Instant::now();
        let (ending, ready) = (seat.ending(), Some(Told::Welcome(opened.welcome(sync))));
        Self {
            sync: Arc::clone(sync),
            caller,
            namespace: hello.namespace,
            edge: hello.edge,
            epoch,
            inbound,
            seat,
            ending,
            down,
            up,
            ready,
            unanswered: 0,
            told_at: now,
            looked_at: now,
            unproved: 0,
            is_over: false,
            comparisons: hello.verifies.then_some(0),
            verifying: None,
        }
    }

    /// The next message; waits for it. `None` when the session has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<v1::SyncResponse>, SyncError> {
        let told = if self.is_over { None } else { self.find().await? };
        self.told_at = Instant::now();
        if let Some(point) = told.as_ref().and_then(point) {
            failpoint::reach(point);
        }
        Ok(told.map(|told| v1::SyncResponse { message: Some(told) }))
    }

    async fn find(&mut self) -> Result<Option<Told>, SyncError> {
        loop {
            if self.ending.borrow().is_some() || self.down.is_over() {
                return self.end();
            }
            self.look()?;
            if let Some(told) = self.ready.take() {
                return Ok(Some(told));
            }
            // One message in for each one out: neither way waits for the other to be done.
            if let Some(heard) = self.inbound.next().now_or_never() {
                if !self.take(heard).await? {
                    return Ok(None);
                }
                if self.ready.is_some() {
                    continue;
                }
            }
            self.up.launch(&self.sync, &self.caller)?;
            if let Some(landed) = self.up.landed().now_or_never() {
                self.settle(landed).await?;
                continue;
            }
            self.begin_verifying()?;
            if let Some(told) = self.down.next(&self.sync.reader).await? {
                return Ok(Some(told));
            }
            if self.told_at.elapsed() >= self.sync.settings.heartbeat {
                return self.heartbeat().await.map(Some);
            }
            match self.wait().await {
                Woken::Ending => return self.end(),
                Woken::Heard(heard) => {
                    if !self.take(heard).await? {
                        return Ok(None);
                    }
                }
                Woken::Landed(landed) => self.settle(landed).await?,
                Woken::Changed => {}
            }
        }
    }

    /// Makes the answer to operations that are done, and goes on with those that wait.
    async fn settle(&mut self, landed: Landed) -> Result<(), SyncError> {
        if let Some(outcome) = landed {
            failpoint::reach(Point::SyncApplied);
            let result = self.up.settle(&self.sync.reader, outcome).await?;
            self.ready = result.map(Told::OperationsResult);
        }
        Ok(self.up.launch(&self.sync, &self.caller)?)
    }

    async fn wait(&mut self) -> Woken {
        let look = (self.looked_at + LOOK_AGAIN).min(self.told_at + self.sync.settings.heartbeat);
        tokio::select! {
            biased;
            _ = self.ending.changed() => Woken::Ending,
            landed = self.up.landed() => Woken::Landed(landed),
            heard = self.inbound.next() => Woken::Heard(heard),
            () = self.down.changed() => Woken::Changed,
            () = self.seat.asked(), if self.verifying.is_none() => Woken::Changed,
            () = sleep_until(look) => Woken::Changed,
        }
    }

    /// Begins to compare contents if somebody asked; ends the session of an edge that does not come to an end with it.
    fn begin_verifying(&mut self) -> Result<(), SyncError> {
        if let Some(verifying) = &self.verifying {
            return if verifying.began.elapsed() > VERIFY_MAX { Err(SyncError::Silent) } else { Ok(()) };
        }
        let asks = self.seat.take_asks();
        let Some(from) = asks.iter().map(|ask| ask.revision).max() else { return Ok(()) };
        match &mut self.comparisons {
            Some(comparisons) => {
                *comparisons += 1;
                self.down.verify = Some(Verify::new(*comparisons, from));
                self.verifying = Some(Box::new(Verifying { asks, began: Instant::now() }));
            }
            None => {
                let message = "the edge's agent is of a version that does not compare contents";
                let refused = Unverified::TooOld(message.to_owned());
                // Who asked may be gone.
                asks.into_iter().for_each(|ask| drop(ask.answer.send(Err(refused.clone()))));
            }
        }
        Ok(())
    }

    /// Tells those who wait what came of it.
    async fn verified(&mut self, verified: v1::SyncVerified) -> Result<(), SyncError> {
        let Some(found) = self.down.verified(&self.sync.reader, verified).await? else { return Ok(()) };
        let mut agent_version = String::new();
        self.seat.note(|presence| agent_version.clone_from(&presence.agent_version));
        let found = v1::VerifyEdgeResponse { agent_version, ..found };
        if !found.agree {
            let (edge, differences) = (self.edge.as_str(), found.differences);
            let first = found.first_difference.as_ref().map_or("", |first| first.name.as_str());
            tracing::warn!(edge, differences, first, repaired = found.agree_now, "an edge held other contents");
        }
        let asks = self.verifying.take().map(|verifying| verifying.asks);
        asks.into_iter().flatten().for_each(|ask| drop(ask.answer.send(Ok(found.clone()))));
        Ok(())
    }

    /// Refuses to go on when the caller may not, or the edge is gone, disabled or elsewhere by now.
    fn look(&mut self) -> Result<(), SyncError> {
        let reader = &self.sync.reader;
        authorize::still(&self.caller, reader, self.sync.clock.now_ms())?;
        self.looked_at = Instant::now();
        let view = reader.local();
        let key = Key::Edge(self.namespace.clone(), self.edge.clone());
        match view.get(&key)?.as_deref().map(|record| &record.body) {
            Some(Body::Edge(edge)) if edge.definition.enabled => {}
            Some(Body::Edge(_)) => {
                return Err(Rejection::new(Reason::EdgeDisabled, "edge", format!("{key} was disabled")).into());
            }
            _ => return Err(Rejection::not_found(key).into()),
        }
        let session = Key::EdgeSession(self.namespace.clone(), self.edge.clone());
        let epoch = view.get(&session)?.map_or(0, |record| record.version());
        if epoch > self.epoch { Err(self.fenced(epoch)) } else { Ok(()) }
    }

    fn fenced(&self, newest: u64) -> SyncError {
        let message = format!("the edge has opened a session of epoch {newest} since; this one has {}", self.epoch);
        Rejection::new(Reason::EpochFenced, "epoch", message).into()
    }

    /// Says that the session is over, where that is a message.
    fn end(&mut self) -> Result<Option<Told>, SyncError> {
        let ending = *self.ending.borrow_and_update();
        match ending {
            Some(Ending::Replaced) => Err(self.fenced(self.epoch + 1)),
            Some(Ending::Stopping(after_ms)) => Ok(Some(self.goodbye("the node is stopping", after_ms))),
            None => Ok(Some(self.goodbye("the node does not follow this namespace any more", COME_BACK_MS))),
        }
    }

    fn goodbye(&mut self, reason: &str, reconnect_after_ms: u32) -> Told {
        self.is_over = true;
        Told::Goodbye(v1::SyncGoodbye { reason: reason.to_owned(), reconnect_after_ms })
    }

    /// Takes in what the edge says; false when it has ended.
    async fn take(&mut self, heard: Option<Result<v1::SyncRequest, tonic::Status>>) -> Result<bool, SyncError> {
        let Some(message) = heard.transpose().map_err(SyncError::Broken)? else {
            self.is_over = true;
            return Ok(false);
        };
        self.unanswered = 0;
        match message.message {
            Some(Asked::Operations(operations)) => {
                self.up.take(uplink::read(&self.namespace, &self.edge, operations)?)?;
                failpoint::reach(Point::SyncOperations);
            }
            Some(Asked::Received(received)) => {
                self.down.received(&received)?;
                let items = self.down.len();
                self.seat.note(|presence| {
                    presence.cursor = received.cursor;
                    presence.agrees = received.agrees;
                    presence.items = items;
                    presence.queued_operations = received.queued_operations;
                    presence.dropped_operations = received.dropped_operations;
                });
            }
            Some(Asked::Compare(compare)) => self.ready = Some(self.down.compare(&self.sync.reader, compare).await?),
            Some(Asked::Fetch(fetch)) => self.down.fetch(fetch)?,
            Some(Asked::Verified(verified)) => self.verified(verified).await?,
            Some(Asked::Hello(_)) => return Err(invalid("hello", "hello comes once, as the first message").into()),
            None => return Err(invalid("message", "the message is none that this version knows").into()),
        }
        Ok(true)
    }

    /// Something to be heard by. Proves that this node was not cut off from its cluster: an edge that only listens would never
    /// find out.
    async fn heartbeat(&mut self) -> Result<Told, SyncError> {
        if self.unanswered >= SILENT_HEARTBEATS {
            return Err(SyncError::Silent);
        }
        self.unanswered += 1;
        match self.sync.reader.view(Consistency::Linearizable).await {
            Ok(_) => self.unproved = 0,
            Err(ReadError::Stopping) => return Err(SyncError::Stopping),
            Err(error) => {
                self.unproved += 1;
                if self.unproved >= UNPROVED_MAX {
                    return Err(error.into());
                }
                return Ok(Told::Items(v1::SyncItems::default()));
            }
        }
        self.down.heartbeat(&self.sync.reader).await
    }
}

/// The place at which a test may end the process before a message goes out.
fn point(told: &Told) -> Option<Point> {
    Some(match told {
        Told::Welcome(_) => Point::SyncWelcome,
        Told::Items(items) if items.items.is_empty() => return None,
        Told::Items(_) => Point::SyncItems,
        Told::Mark(_) => Point::SyncMark,
        Told::OperationsResult(_) => Point::SyncResult,
        Told::Differences(_) => Point::SyncDifferences,
        Told::Verify(_) => Point::SyncVerify,
        Told::Goodbye(_) => return None,
    })
}

fn invalid(field: &str, message: &str) -> Rejection {
    Rejection::new(Reason::InvalidField, field, message)
}
