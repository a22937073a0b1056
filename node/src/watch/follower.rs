//! One watch: from the first revision asked for to the head, and on.
//!
//! ```text
//!   next < the lane's window ── page of the log ──┐
//!   next in the window ───────── entries ─────────┼──▶ filter ──▶ message, next moves on
//!   next = head + 1 ──────────── wait ────────────┘
//! ```
//!
//! Invariants:
//! - Every revision below `next` was looked at once, in order, and what matched was told.
//! - Progress is told only when everything that matches up to it was; a linearizable watch first asks Raft, so that it is
//!   not told by a node that was cut off.
//! - Below the floor nothing is told: events may be missing there, so the watch ends and says so.
//! - The caller's right to go on is asked before each message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_domain::Rejection;
use muster_planted::{self as planted, Bug};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::frame::Events;
use super::lane::Since;
use super::published::{Audience, Images, Published};
use super::{Seat, Watches};
use crate::read::{Consistency, EventFilter, EventPage, PageLimits, ReadError, ScanError, StoreError};

/// Events and stored bytes of one message; a revision that is larger alone is told in parts.
const EVENTS_MAX: usize = 1_000;
const BYTES_MAX: usize = 256 << 10;
/// A watch that waits asks at least this often whether its caller may go on.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Failed proofs in a row after which a watch ends: another node may be better off.
const UNPROVED_MAX: u32 = 2;

/// What a watch is to tell, and to whom.
pub(crate) struct Following {
    pub(crate) filter: EventFilter,
    pub(crate) audience: Audience,
    pub(crate) images: Images,
    /// The first revision.
    pub(crate) from: u64,
    /// A quiet watch tells its progress this often.
    pub(crate) interval: Duration,
    /// Whether progress is proved to be that of the cluster, not only of this node.
    pub(crate) proves: bool,
    /// Whether the caller may go on.
    pub(crate) admitted: Arc<dyn Fn() -> Result<(), Rejection> + Send + Sync>,
}

/// Why a watch ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Denied(#[from] Rejection),
    #[error("all places for watches of this node are taken")]
    Full,
    #[error("the node is stopping")]
    Stopping,
    #[error("no leader with a quorum can be reached, so this node may have been left behind")]
    NoQuorum,
    #[error("revision {wanted} lies below the oldest revision kept, which is {floor}")]
    Compacted { wanted: u64, floor: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a watch tells.
pub(crate) enum Told {
    Events(Events),
    Progress(u64),
}

/// See the module.
pub(crate) struct Follower {
    asked: Following,
    seat: Seat,
    changes: watch::Receiver<u64>,
    next: u64,
    /// Events of revision `next` that were told already.
    skip: u32,
    told_at: Instant,
    unproved: u32,
}

impl Follower {
    /// Takes its place; nothing is read yet.
    pub(crate) fn open(watches: &Arc<Watches>, asked: Following) -> Result<Self, FollowError> {
        let seat = watches.sit(&asked.filter)?;
        let (changes, next) = (seat.lane.changes(), asked.from + u64::from(planted::is(Bug::ResumeOffByOne)));
        Ok(Self { asked, seat, changes, next, skip: 0, told_at: Instant::now(), unproved: 0 })
    }

    /// The next thing to tell; waits for it.
    pub(crate) async fn next(&mut self) -> Result<Told, FollowError> {
        let told = self.find().await?;
        self.told_at = Instant::now();
        Ok(told)
    }

    /// Refuses a caller who may not go on.
    pub(crate) fn check_admitted(&self) -> Result<(), FollowError> {
        if planted::is(Bug::AdmittedOnce) && self.next > self.asked.from {
            return Ok(());
        }
        Ok((self.asked.admitted)()?)
    }

    async fn find(&mut self) -> Result<Told, FollowError> {
        loop {
            self.check_admitted()?;
            if self.watches().is_closed() {
                return Err(FollowError::Stopping);
            }
            self.changes.mark_unchanged();
            // In this order: what the lane holds afterwards is complete up to here.
            let head = self.watches().head();
            let told = match self.seat.lane.since(self.next, EVENTS_MAX, BYTES_MAX) {
                Since::Entries(entries) => self.tell(entries).await?,
                Since::Behind => self.catch_up().await?,
                Since::Nothing => {
                    self.next = self.next.max(head + 1);
                    if self.is_quiet_too_long() && self.proved().await? {
                        return Ok(self.progress(head));
                    }
                    self.wait().await?;
                    None
                }
            };
            if let Some(events) = told {
                return Ok(Told::Events(events));
            }
            if self.is_quiet_too_long() && self.skip == 0 && self.is_behind() {
                return Ok(self.progress(head));
            }
        }
    }

    /// Never beyond what exists: a watch may wait for a revision that is still to come.
    fn progress(&self, head: u64) -> Told {
        Told::Progress((self.next - 1).min(head))
    }

    fn watches(&self) -> &Arc<Watches> {
        &self.seat.watches
    }

    fn is_quiet_too_long(&self) -> bool {
        self.told_at.elapsed() >= self.asked.interval
    }

    fn is_behind(&self) -> bool {
        self.next <= self.watches().head()
    }

    async fn wait(&mut self) -> Result<(), FollowError> {
        tokio::select! {
            changed = self.changes.changed() => changed.map_err(|_| FollowError::Stopping),
            () = sleep_until((self.told_at + self.asked.interval).min(Instant::now() + LOOK_AGAIN)) => Ok(()),
        }
    }

    /// Asks Raft whether this node is still with its cluster. False when something new came by asking.
    async fn proved(&mut self) -> Result<bool, FollowError> {
        if !self.asked.proves {
            return Ok(true);
        }
        match self.watches().reader.view(Consistency::Linearizable).await {
            Ok(view) => {
                self.unproved = 0;
                Ok(view.revision() < self.next)
            }
            Err(ReadError::Stopping) => Err(FollowError::Stopping),
            Err(_) => {
                self.unproved += 1;
                if self.unproved >= UNPROVED_MAX { Err(FollowError::NoQuorum) } else { Ok(false) }
            }
        }
    }

    /// Tells what is wanted of entries from the lane.
    async fn tell(&mut self, entries: Vec<Arc<Published>>) -> Result<Option<Events>, FollowError> {
        let mut chosen = Chosen::default();
        for entry in entries {
            let skip = if entry.revision() == self.next { self.skip } else { 0 };
            let wanted = (0_u32..)
                .zip(entry.events())
                .filter(|(index, event)| *index >= skip && self.asked.filter.wants(entry.actor(), event));
            let wanted: Vec<u32> = wanted.map(|(index, _)| index).collect();
            let room = EVENTS_MAX - chosen.events.len();
            if wanted.len() > room && !chosen.events.is_empty() {
                break;
            }
            (self.next, self.skip) = (entry.revision() + 1, 0);
            if let Some(index) = wanted.get(room) {
                // Larger than a message: the rest follows.
                (self.next, self.skip) = (entry.revision(), *index);
            }
            chosen.add(&entry, wanted.into_iter().take(room).map(|index| (index as usize, index)));
        }
        self.encode(chosen).await
    }

    /// Reads a page of the log.
    async fn catch_up(&mut self) -> Result<Option<Events>, FollowError> {
        let view = self.watches().reader.local_for_followers();
        let limits = PageLimits { events: EVENTS_MAX, bytes: BYTES_MAX };
        let last = view.revision();
        let page = view.events_within(self.asked.filter.clone(), self.next, last, self.skip, limits).await?;
        metrics::counter!("muster_watch_catch_up_pages_total").increment(1);
        // Asked afterwards: what lies above the floor now was there when the page was read.
        let floor = self.watches().reader.local().event_floor_in(&self.asked.filter.scope)?;
        if self.next + u64::from(planted::is(Bug::FloorIgnored)) < floor {
            return Err(FollowError::Compacted { wanted: self.next, floor });
        }
        let EventPage { mut entries, next } = page;
        let (mut next, mut skip) = next.unwrap_or((last + 1, 0));
        if skip > 0 && entries.len() > 1 && entries.last().is_some_and(|(entry, _)| entry.revision == next) {
            // Whole revisions, as long as there is one.
            entries.pop();
            skip = 0;
        }
        // Nothing was applied yet that is asked for: `next` may lie beyond the end.
        next = next.max(self.next);
        (self.next, self.skip) = (next, skip);
        let mut chosen = Chosen::default();
        for (entry, indexes) in entries {
            chosen.add(&Arc::new(Published::new(entry, 0)), indexes.into_iter().enumerate());
        }
        self.encode(chosen).await
    }

    async fn encode(&self, chosen: Chosen) -> Result<Option<Events>, FollowError> {
        let Some((last, _, _)) = chosen.events.last() else { return Ok(None) };
        let (revision, continues) = (last.revision(), last.revision() == self.next);
        // Quiet revisions after the last event are told with it.
        let revision = if continues { revision } else { self.next - 1 };
        let revision = if planted::is(Bug::ProgressEarly) { self.watches().head() } else { revision };
        let (audience, images) = (self.asked.audience, self.asked.images);
        let events = if images.any() {
            let view = self.watches().reader.local_for_followers();
            view.beside(move |view| {
                let encoded = |(entry, at, index): &Picked| entry.encoded_with(*at, *index, audience, images, view);
                chosen.events.iter().map(encoded).collect::<Result<Vec<Bytes>, _>>()
            })
            .await?
        } else {
            chosen.events.iter().map(|(entry, at, index)| entry.encoded(*at, *index, audience)).collect()
        };
        metrics::counter!("muster_watch_events_total").increment(events.len() as u64);
        Ok(Some(Events { events, revision, continues }))
    }
}

/// An entry, the place of an event in it, and the event's number in its revision.
type Picked = (Arc<Published>, usize, u32);

#[derive(Default)]
struct Chosen {
    events: Vec<Picked>,
}

impl Chosen {
    fn add(&mut self, entry: &Arc<Published>, wanted: impl Iterator<Item = (usize, u32)>) {
        self.events.extend(wanted.map(|(at, index)| (Arc::clone(entry), at, index)));
    }
}

impl From<ScanError> for FollowError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Store(error) => Self::Store(error),
            ScanError::Read(ReadError::Stopping) => Self::Stopping,
            ScanError::Read(_) => Self::NoQuorum,
        }
    }
}
