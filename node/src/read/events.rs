//! Events in revision order, filtered.
//!
//! A page ends when it has as many events as asked for, when their bytes fill it, or when the scan behind it was long.

use muster_domain::Event;

use super::filter::{EventFilter, EventScope};
use super::{PAGE_BYTES_MAX, ScanError, View};
use crate::store::codec::{self, RevisionEntry};
use crate::store::error::StoreError;
use crate::store::{event_log, history};

/// Events looked at for one page, whole revisions at a time; a page that filters much out is cut here and goes on with the next.
const SCAN_MAX: usize = 20_000;

/// How much a page holds.
#[derive(Debug, Clone, Copy)]
pub struct PageLimits {
    /// Events at most.
    pub events: usize,
    /// Stored bytes at most, unless a single event is larger.
    pub bytes: usize,
}

/// One page.
#[derive(Debug, Clone, Default)]
pub struct EventPage {
    /// Revisions with the events that matched, and each event's index among all events of its revision.
    pub entries: Vec<(RevisionEntry, Vec<u32>)>,
    /// Where the next page begins: revision and index. `None` at the end.
    pub next: Option<(u64, u32)>,
}

impl View {
    /// Events from revision `from` to `to`, without the first `skip_in_first` events of `from`, at most `limit`.
    ///
    /// # Errors
    /// When the store fails, or too many scans are running.
    pub async fn events(
        &self,
        filter: EventFilter,
        from: u64,
        to: u64,
        skip_in_first: u32,
        limit: usize,
    ) -> Result<EventPage, ScanError> {
        self.events_within(filter, from, to, skip_in_first, PageLimits { events: limit, bytes: PAGE_BYTES_MAX }).await
    }

    /// The same, with a bound on the bytes as well.
    ///
    /// # Errors
    /// As [`View::events`].
    pub async fn events_within(
        &self,
        filter: EventFilter,
        from: u64,
        to: u64,
        skip_in_first: u32,
        limits: PageLimits,
    ) -> Result<EventPage, ScanError> {
        let view = self.clone();
        self.scans.run(move || view.collect_events(&filter, from, to, skip_in_first, limits)).await
    }

    fn collect_events(
        &self,
        filter: &EventFilter,
        from: u64,
        to: u64,
        skip_in_first: u32,
        limits: PageLimits,
    ) -> Result<EventPage, StoreError> {
        let to = to.min(self.revision());
        let page = EventPage::default();
        let (left, bytes_max) = (limits.events, limits.bytes);
        let mut filling = Filling { filter, from, skip_in_first, left, bytes_max, bytes: 0, seen: 0, page };
        match &filter.scope {
            EventScope::Resource(key) => {
                // In this order: an installed snapshot may replace the store in between.
                let Some(current) = self.states.get(key)? else { return Ok(EventPage::default()) };
                let db = self.states.db();
                history::changes(&db, key, &current, from, to, |change| {
                    Ok(filling.take(change.entry, change.indexes, change.events_read))
                })?;
            }
            EventScope::All | EventScope::Namespace(_) | EventScope::Prefix(_) => {
                event_log::visit(&self.states.db(), from, to, |entry| {
                    let events = entry.events.len();
                    Ok(filling.take(entry, 0_u32.., events))
                })?;
            }
        }
        Ok(filling.page)
    }
}

struct Filling<'a> {
    filter: &'a EventFilter,
    from: u64,
    skip_in_first: u32,
    left: usize,
    bytes_max: usize,
    bytes: usize,
    seen: usize,
    page: EventPage,
}

impl Filling<'_> {
    /// Takes what matches of a revision, of which `events_read` events were read; false when the page is full.
    fn take(&mut self, mut entry: RevisionEntry, indexes: impl IntoIterator<Item = u32>, events_read: usize) -> bool {
        if self.seen >= SCAN_MAX {
            self.page.next = Some((entry.revision, 0));
            return false;
        }
        self.seen += events_read.max(1);
        if !self.filter.wants_actor(&entry.actor) {
            return true;
        }
        let skip = if entry.revision == self.from { self.skip_in_first } else { 0 };
        // Each event of an answer repeats who asked.
        let around = entry.actor.len() + entry.origin.len() + entry.request_id.len();
        let mut taken = Vec::new();
        for (index, event) in indexes.into_iter().zip(std::mem::take(&mut entry.events)) {
            if index < skip || !self.filter.wants_event(&event) {
                continue;
            }
            let (event, bytes) = weigh(event);
            let bytes = self.bytes + around + bytes;
            if self.left == 0 || (self.bytes > 0 && bytes > self.bytes_max) {
                self.page.next = Some((entry.revision, index));
                break;
            }
            self.left -= 1;
            self.bytes = bytes;
            taken.push(index);
            entry.events.push(event);
        }
        if !taken.is_empty() {
            self.page.entries.push((entry, taken));
        }
        self.page.next.is_none()
    }
}

/// The event and about how many bytes it takes in the log.
fn weigh(event: Event) -> (Event, usize) {
    let nobody = String::new;
    let alone = RevisionEntry {
        revision: 0,
        time_ms: 0,
        actor: nobody(),
        origin: nobody(),
        request_id: nobody(),
        events: vec![event],
        previous: vec![0],
    };
    let bytes = codec::encode_revision(&alone).len();
    let mut events = alone.events;
    (events.remove(0), bytes)
}
