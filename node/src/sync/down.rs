//! The way down: a pass of items, a mark, and so on, as fast as the edge takes them.
//!
//! ```text
//! scope ─ open_pass ─▶ items of the pass, as of its revision, as the window allows ─▶ mark ─▶ (check: wait) ─▶ next pass
//!                                                                                   └▶ repair: compare, fetch, agree
//! ```
//!
//! It does not know who listens. Invariants:
//!
//! - `W6-mark`: a mark follows only when all of its pass was sent, each item as of the mark's revision.
//! - At most `window` items are sent beyond those that the edge has said it received.
//! - `W11-bounded`: what is kept for a slow edge is one pass and the marks it has not confirmed, which are bounded.
//! - While a mark is checked or repaired, or contents are compared at it, nothing newer is sent.

use std::sync::Arc;

use muster_domain::scope::ScopeHash;
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::sync_response::Message as Told;

use super::SyncError;
use super::content::{self, ITEMS_MAX};
use super::repairing::Repair;
use super::router::{Namespace, Shared};
use super::scope::{Due, Pass};
use super::verify::Verify;
use crate::read::{Reader, ScanError, StoreError};

/// Marks that the edge need not have confirmed, and the names that are remembered for them.
const UNCONFIRMED_MAX: (usize, usize) = (64, 4_096);

/// See the module.
pub(super) struct Down {
    namespace: Arc<Namespace>,
    shared: Arc<Shared>,
    cursor: u64,
    window: u64,
    sent: u64,
    received: u64,
    pass: Option<Open>,
    newest: Option<Marked>,
    /// The mark that the edge is to check, or repairs.
    held: Option<u64>,
    /// The next mark is to be checked.
    checks: bool,
    repair: Option<Repair>,
    /// Contents are compared at one of the next marks.
    pub(super) verify: Option<Verify>,
    /// Goes out next.
    marked: Option<Marked>,
}

struct Open {
    pass: Pass,
    /// Anything of it was sent.
    is_begun: bool,
}

#[derive(Clone, Copy)]
struct Marked {
    revision: u64,
    sum: ScopeHash,
}

impl Down {
    /// For an edge that has everything up to `cursor`.
    pub(super) fn new(namespace: Arc<Namespace>, shared: Arc<Shared>, cursor: u64, window: u32) -> Self {
        Self {
            namespace,
            shared,
            cursor,
            window: u64::from(window),
            sent: 0,
            received: 0,
            pass: None,
            newest: None,
            held: None,
            checks: true,
            repair: None,
            verify: None,
            marked: None,
        }
    }

    /// Waits until something may have changed.
    pub(super) async fn changed(&self) {
        self.shared.changed().await;
    }

    /// Whether scopes are not kept up to date any more.
    pub(super) fn is_over(&self) -> bool {
        self.namespace.is_over()
    }

    /// The next message, if there is one that may be sent now.
    pub(super) async fn next(&mut self, reader: &Reader) -> Result<Option<Told>, SyncError> {
        if let Some(marked) = self.marked.take() {
            return Ok(Some(mark(marked, true)));
        }
        if let Some(wanted) = self.repair.as_ref().map(|repair| repair.wanted(ITEMS_MAX)) {
            if let Some((revision, due)) = wanted.filter(|_| self.room() > 0) {
                return self.send_wanted(reader, revision, due).await.map(Some);
            }
            return Ok(None);
        }
        if self.held.is_some() {
            return Ok(None);
        }
        let verifies = self.verify.as_ref().is_some_and(|verify| verify.mark.is_none());
        if self.pass.is_none() && !self.open_pass(verifies) {
            let newest = self.newest.filter(|newest| verifies && self.is_as_of(newest.revision));
            return Ok(newest.and_then(|newest| self.verify_at(newest)));
        }
        self.go_on(reader).await
    }

    /// Whether the scope is what it was at the newest mark.
    fn is_as_of(&self, mark: u64) -> bool {
        self.shared.read_at(self.namespace.told(), |scope, revision| !scope.is_dirty() && revision == mark)
    }

    /// What goes before a mark at which contents are compared; the mark then comes next.
    fn verify_at(&mut self, marked: Marked) -> Option<Told> {
        let verify = self.verify.as_mut().filter(|verify| verify.wants(marked.revision))?;
        let question = verify.question(marked.revision);
        (self.held, self.marked, self.checks) = (Some(marked.revision), Some(marked), false);
        Some(question)
    }

    /// Something to be heard by: a mark of now, or nothing at all while none may be sent.
    pub(super) async fn heartbeat(&mut self, reader: &Reader) -> Result<Told, SyncError> {
        if self.held.is_none() && self.pass.is_none() && self.open_pass(true) {
            if let Some(told) = self.go_on(reader).await? {
                return Ok(told);
            }
        } else if let Some(marked) = self.newest.filter(|_| self.held.is_none() && self.pass.is_none()) {
            return Ok(mark(marked, false));
        }
        Ok(Told::Items(v1::SyncItems::default()))
    }

    /// Begins a pass if anything changed, or for a mark alone.
    fn open_pass(&mut self, even_if_empty: bool) -> bool {
        let (told, cursor) = (self.namespace.told(), self.cursor);
        let newest = self.newest.map(|mark| mark.revision);
        let pass = self.shared.read_at(told, |scope, revision| {
            let (marks, names) = scope.unconfirmed();
            let may = marks < UNCONFIRMED_MAX.0 && names < UNCONFIRMED_MAX.1;
            let should = scope.is_dirty() || (even_if_empty && newest != Some(revision));
            (may && should).then(|| scope.open_pass(revision, cursor))
        });
        self.pass = pass.map(|pass| Open { pass, is_begun: false });
        self.pass.is_some()
    }

    async fn go_on(&mut self, reader: &Reader) -> Result<Option<Told>, SyncError> {
        let room = self.room();
        let Some(open) = &mut self.pass else { return Ok(None) };
        let revision = open.pass.revision;
        if open.pass.due.is_empty() {
            let marked = Marked { revision, sum: open.pass.sum };
            self.pass = None;
            self.newest = Some(marked);
            metrics::histogram!("muster_sync_scope_entries").record(marked.sum.items() as f64);
            if let Some(question) = self.verify_at(marked) {
                return Ok(Some(question));
            }
            let checks = std::mem::take(&mut self.checks);
            self.held = checks.then_some(revision);
            return Ok(Some(mark(marked, checks)));
        }
        if room == 0 {
            return Ok(None);
        }
        open.is_begun = true;
        let due: Vec<Due> = open.pass.due.iter().take(room.min(ITEMS_MAX)).cloned().collect();
        match content::read(&reader.local_for_followers(), revision, due).await {
            Ok(items) => {
                drop(open.pass.due.drain(..items.len()));
                Ok(Some(self.items(items)))
            }
            Err(ScanError::Store(StoreError::Compacted { .. })) => {
                // The edge was so slow that the pass's moment is not kept any more: another pass, to now.
                self.pass = None;
                self.shared.read(|scope| scope.abandon_pass());
                Ok(Some(Told::Items(v1::SyncItems::default())))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn send_wanted(&mut self, reader: &Reader, revision: u64, due: Vec<Due>) -> Result<Told, SyncError> {
        let due: Vec<Due> = due.into_iter().take(self.room()).collect();
        let items = content::read(&reader.local_for_followers(), revision, due).await?;
        if let Some(repair) = &mut self.repair {
            repair.sent(items.len());
        }
        metrics::counter!("muster_sync_repaired_items_total").increment(items.len() as u64);
        Ok(self.items(items))
    }

    fn items(&mut self, items: Vec<v1::SyncItem>) -> Told {
        self.sent += items.len() as u64;
        metrics::counter!("muster_sync_items_total").increment(items.len() as u64);
        Told::Items(v1::SyncItems { items })
    }

    /// Items that may be sent now.
    fn room(&self) -> usize {
        usize::try_from((self.received + self.window).saturating_sub(self.sent)).unwrap_or(usize::MAX)
    }

    /// Items in the scope.
    pub(super) fn len(&self) -> u64 {
        self.shared.read(|scope| scope.len() as u64)
    }

    /// Takes in what the edge has made durable.
    pub(super) fn received(&mut self, received: &v1::SyncReceived) -> Result<(), Rejection> {
        if received.items > self.sent {
            let message = format!("received.items is {}, and {} were sent", received.items, self.sent);
            return Err(Rejection::new(Reason::InvalidField, "received.items", message));
        }
        let newest = self.newest.map_or(self.cursor, |mark| mark.revision.max(self.cursor));
        if received.cursor > newest {
            let message = format!("received.cursor is {}, and the newest mark is {newest}", received.cursor);
            return Err(Rejection::new(Reason::InvalidField, "received.cursor", message));
        }
        self.received = self.received.max(received.items);
        // Before the first mark nothing can agree or not.
        let Some(marked) = self.newest.filter(|mark| mark.revision >= received.cursor) else { return Ok(()) };
        self.shared.read(|scope| scope.confirm(received.cursor));
        match self.held {
            // Word of the mark may be under way from before contents were asked for.
            Some(held) if self.verify.as_ref().is_some_and(|verify| verify.mark == Some(held)) => {}
            Some(held) if received.cursor >= held && received.agrees => (self.held, self.repair) = (None, None),
            None if !received.agrees && received.cursor == marked.revision => self.disagrees(marked.revision),
            None if !received.agrees && self.is_mark(received.cursor) => self.checks = true,
            _ => {}
        }
        Ok(())
    }

    /// The edge does not agree with a mark that it was not asked to check: one side has a defect, or is damaged.
    fn disagrees(&mut self, mark: u64) {
        metrics::counter!("muster_sync_disagreements_total").increment(1);
        tracing::warn!(mark, "an edge does not hold its scope though it was told everything");
        if self.pass.as_ref().is_some_and(|open| open.is_begun) {
            // What it holds is newer than the mark by now: the next one is checked.
            self.checks = true;
        } else {
            if self.pass.take().is_some() {
                self.shared.read(|scope| scope.abandon_pass());
            }
            self.held = Some(mark);
        }
    }

    fn is_mark(&self, revision: u64) -> bool {
        self.shared.read(|scope| scope.sum_at(revision).is_some())
    }

    /// Where the edge's sums differ from the scope as of a mark.
    pub(super) async fn compare(&mut self, reader: &Reader, compare: v1::SyncCompare) -> Result<Told, SyncError> {
        super::repair::check(&compare.ranges)?;
        if !compare.contents
            && let Some(verify) = &mut self.verify
        {
            verify.put_off();
        }
        let repair = self.repair_at(compare.revision, "compare.revision")?;
        Ok(Told::Differences(repair.differences(&reader.local_for_followers(), compare).await?))
    }

    /// The repair at a mark, from now on under way.
    pub(super) fn repair_at(&mut self, mark: u64, field: &str) -> Result<&mut Repair, Rejection> {
        let repair = match self.repair.take().filter(|repair| repair.revision() == mark) {
            Some(repair) => repair,
            None => {
                let is_sent = self.newest.is_some_and(|newest| mark <= newest.revision);
                let items = self.shared.read(|scope| scope.items_at(mark)).filter(|_| is_sent);
                let items = items.ok_or_else(|| {
                    let message = format!("{field} must be that of a mark which was not confirmed as agreeing");
                    Rejection::new(Reason::InvalidField, field, message)
                })?;
                if self.verify.is_none() {
                    metrics::counter!("muster_sync_repairs_total").increment(1);
                }
                // Nothing newer until it agrees; if it holds newer things already, the next mark is to be checked as well.
                self.checks |= self.held != Some(mark);
                self.held = Some(mark);
                Repair::new(mark, items)
            }
        };
        Ok(self.repair.insert(repair))
    }

    /// Items that the edge lacks.
    pub(super) fn fetch(&mut self, fetch: v1::SyncFetch) -> Result<(), Rejection> {
        match &mut self.repair {
            Some(repair) => repair.want(fetch.names),
            None => Err(Rejection::new(Reason::InvalidField, "fetch", "fetch comes after compare")),
        }
    }
}

fn mark(marked: Marked, check: bool) -> Told {
    let (items, scope_hash) = (marked.sum.items(), marked.sum.to_bytes().to_vec().into());
    Told::Mark(v1::SyncMark { revision: marked.revision, items, scope_hash, check })
}
