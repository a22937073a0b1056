//! The newest events of a namespace for a part of this node that keeps something up to date by them, as entries of the log
//! instead of messages.
//!
//! It does not know what its owner keeps. It takes no place among the watches of callers. Invariants:
//!
//! - Every event of the namespace from [`Tail::first`] on is handed over, in order, until [`Tailed::Lost`] says that events are
//!   not kept any more: what was kept by them must be made anew.
//! - When [`Tailed::upto`] is reached, nothing of the namespace is missing up to it.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::Event;
use tokio::sync::watch;
use tokio::time::timeout;

use super::follower::FollowError;
use super::lane::Since;
use super::published::Published;
use super::{Seat, Watches};
use crate::read::{EventFilter, EventScope, PageLimits};

/// Entries of one step.
const ENTRIES_MAX: usize = 4_096;
/// Their stored bytes.
const BYTES_MAX: usize = 4 << 20;
/// Events of one page of the log: more than one scan looks at, so that a page holds whole revisions.
const PAGE: PageLimits = PageLimits { events: usize::MAX, bytes: 64 << 20 };

/// How often the head is looked at while nothing comes.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// See the module.
pub(crate) struct Tail {
    seat: Seat,
    filter: EventFilter,
    changes: watch::Receiver<u64>,
    next: u64,
}

/// What comes next.
pub(crate) enum Tailed {
    /// All events up to a revision.
    Events(Tailing),
    /// Events are missing.
    Lost,
}

/// Events of whole revisions.
pub(crate) struct Tailing {
    entries: Vec<Arc<Published>>,
    upto: u64,
}

impl Tailing {
    /// As if these had come.
    #[cfg(test)]
    pub(crate) fn of(entries: Vec<crate::read::RevisionEntry>, upto: u64) -> Self {
        let entries = entries.into_iter().map(|entry| Arc::new(Published::new(entry, 0))).collect();
        Self { entries, upto }
    }

    /// Nothing is missing up to here.
    pub(crate) fn upto(&self) -> u64 {
        self.upto
    }

    /// The events with their revisions, in order. Some may be of other namespaces.
    pub(crate) fn events(&self) -> impl Iterator<Item = (u64, &Event)> {
        self.entries.iter().flat_map(|entry| entry.events().iter().map(|event| (entry.revision(), event)))
    }
}

impl Tail {
    /// From the newest revision on.
    pub(crate) fn open(watches: &Arc<Watches>, namespace: &str) -> Self {
        let filter = EventFilter::of(EventScope::Namespace(namespace.to_owned()));
        let seat = watches.take_seat(&filter, None);
        let changes = seat.lane.changes();
        let next = watches.head() + 1;
        Self { seat, filter, changes, next }
    }

    /// The first revision whose events come.
    pub(crate) fn first(&self) -> u64 {
        self.next
    }

    /// After events were lost: goes on after this revision.
    pub(crate) fn skip_to(&mut self, revision: u64) {
        self.next = self.next.max(revision + 1);
    }

    /// Waits for what comes next. May be dropped while it waits, without a loss.
    pub(crate) async fn next(&mut self) -> Result<Tailed, FollowError> {
        loop {
            if self.seat.watches.is_closed() {
                return Err(FollowError::Stopping);
            }
            self.changes.mark_unchanged();
            // In this order: what the lane holds afterwards is complete up to here.
            let head = self.seat.watches.head();
            match self.seat.lane.since(self.next, ENTRIES_MAX, BYTES_MAX) {
                Since::Entries(entries) => {
                    let last = entries.last().map_or(self.next, |entry| entry.revision());
                    self.next = last + 1;
                    return Ok(Tailed::Events(Tailing { entries, upto: last }));
                }
                Since::Nothing if head >= self.next => {
                    self.next = head + 1;
                    return Ok(Tailed::Events(Tailing { entries: Vec::new(), upto: head }));
                }
                Since::Nothing => self.wait().await?,
                Since::Behind if self.seat.watches.reader.local().revision() < self.next => self.wait().await?,
                Since::Behind => return self.catch_up().await,
            }
        }
    }

    /// A lane wakes only those whom its entries concern: from time to time the head is looked at all the same.
    async fn wait(&mut self) -> Result<(), FollowError> {
        match timeout(LOOK_AGAIN, self.changes.changed()).await {
            Ok(changed) => changed.map_err(|_| FollowError::Stopping),
            Err(_) => Ok(()),
        }
    }

    /// Reads a page of the log.
    async fn catch_up(&mut self) -> Result<Tailed, FollowError> {
        let reader = &self.seat.watches.reader;
        let view = reader.local_for_followers();
        let last = view.revision();
        let page = view.events_within(self.filter.clone(), self.next, last, 0, PAGE).await?;
        // Asked afterwards: what lies above the floor now was there when the page was read.
        if self.next < reader.local().event_floor_in(&self.filter.scope)? {
            return Ok(Tailed::Lost);
        }
        let entries = page.entries.into_iter().map(|(entry, _)| Arc::new(Published::new(entry, 0))).collect();
        let upto = page.next.map_or(last, |(next, _)| next - 1);
        self.next = upto + 1;
        Ok(Tailed::Events(Tailing { entries, upto }))
    }
}
