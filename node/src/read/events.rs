//! Events in revision order, filtered.

use muster_domain::{Event, Key};

use super::View;
use crate::store::codec::RevisionEntry;
use crate::store::error::StoreError;
use crate::store::{event_log, history};

/// Revisions looked at for one page; a page that filters much out is cut here and goes on with the next.
const SCAN_MAX: usize = 20_000;

/// Whose events.
#[derive(Debug, Clone, PartialEq)]
pub enum EventScope {
    /// All.
    All,
    /// Everything in a namespace, and the namespace itself.
    Namespace(String),
    /// One resource.
    Resource(Key),
}

/// Which events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFilter {
    /// Whose.
    pub scope: EventScope,
    /// Kinds, or families such as `twin.*`; empty means all.
    pub kinds: Vec<String>,
    /// Only of this actor.
    pub actor: Option<String>,
}

impl EventFilter {
    fn wants(&self, event: &Event) -> bool {
        let in_scope = match &self.scope {
            EventScope::All => true,
            EventScope::Namespace(namespace) => event.key.namespace() == Some(namespace),
            EventScope::Resource(key) => event.key == *key,
        };
        in_scope && (self.kinds.is_empty() || self.kinds.iter().any(|kind| matches_kind(kind, event.kind.name())))
    }
}

fn matches_kind(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(family) => kind.starts_with(family),
        None => kind == pattern,
    }
}

/// One page.
#[derive(Debug, Clone, Default)]
pub struct EventPage {
    /// Revisions with the events that matched, and each event's index in its revision.
    pub entries: Vec<(RevisionEntry, Vec<u32>)>,
    /// Where the next page begins: revision and index. `None` at the end.
    pub next: Option<(u64, u32)>,
}

impl View {
    /// Events from revision `from` to `to`, without the first `skip_in_first` events of `from`, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn events(
        &self,
        filter: &EventFilter,
        from: u64,
        to: u64,
        skip_in_first: u32,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        let mut filling = Filling { filter, from, skip_in_first, left: limit, page: EventPage::default() };
        let db = self.states.db();
        let to = to.min(self.revision());
        let mut seen = 0;
        let mut visit = |entry: RevisionEntry| {
            let revision = entry.revision;
            if seen >= SCAN_MAX {
                filling.page.next = Some((revision, 0));
                return Ok(false);
            }
            seen += 1;
            Ok(filling.take(entry))
        };
        match &filter.scope {
            EventScope::Resource(key) => {
                let Some(current) = self.states.get(key)? else { return Ok(EventPage::default()) };
                // One more than fits, so that it is seen where the next page begins.
                let enough = if filter.kinds.is_empty() && filter.actor.is_none() { limit + 1 } else { SCAN_MAX + 1 };
                for entry in history::changes(&db, key, &current, from, to, enough)? {
                    if !visit(entry)? {
                        break;
                    }
                }
            }
            EventScope::All | EventScope::Namespace(_) => event_log::visit(&db, from, to, visit)?,
        }
        Ok(filling.page)
    }
}

struct Filling<'a> {
    filter: &'a EventFilter,
    from: u64,
    skip_in_first: u32,
    left: usize,
    page: EventPage,
}

impl Filling<'_> {
    /// Takes what matches of a revision; false when the page is full.
    fn take(&mut self, mut entry: RevisionEntry) -> bool {
        if self.filter.actor.as_ref().is_some_and(|actor| *actor != entry.actor) {
            return true;
        }
        let skip = if entry.revision == self.from { self.skip_in_first } else { 0 };
        let mut indexes = Vec::new();
        let mut events = Vec::new();
        for (index, event) in (0_u32..).zip(std::mem::take(&mut entry.events)) {
            if index < skip || !self.filter.wants(&event) {
                continue;
            }
            if self.left == 0 {
                self.page.next = Some((entry.revision, index));
                break;
            }
            self.left -= 1;
            indexes.push(index);
            events.push(event);
        }
        if !events.is_empty() {
            entry.events = events;
            self.page.entries.push((entry, indexes));
        }
        self.page.next.is_none()
    }
}
