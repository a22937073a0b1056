//! Whole answers, such as counts and groups, that are found again whenever something changes: once for all who follow a text.
//!
//! It knows no protobuf and no caller. Invariants:
//! - An answer that is told is that of its revision, and followers are never told an earlier one after a later one.
//! - A text that nobody follows costs nothing; one that many follow costs as much as one that one does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::{AnswerError, Queries, Question, shown};
use crate::read::{Reader, View};
use crate::tasks;

/// Rows of an answer that is told again and again.
const ROWS_MAX: usize = 1_000;
/// An answer is found anew at most so often: it costs a pass over the fleet, and people do not look more often.
const INTERVAL: Duration = Duration::from_millis(100);

/// An answer, and as of when it is true.
#[derive(Debug, Clone)]
pub(crate) struct Total {
    pub(crate) revision: u64,
    pub(crate) rows: Arc<Vec<String>>,
    /// Why there will be no further one.
    pub(crate) failed: Option<Arc<str>>,
}

/// The answer of one text, kept up to date while somebody holds it.
pub(crate) struct LiveTotal {
    question: Question,
    /// Told when the rows are others.
    latest: watch::Sender<Total>,
    /// Told whenever it was looked at again.
    known: watch::Sender<u64>,
}

#[derive(Default)]
pub(crate) struct Totals(Mutex<TotalByText>);

/// By namespace and text.
type TotalByText = HashMap<(Arc<str>, String), Weak<LiveTotal>>;

impl Totals {
    fn find(&self, namespace: &Arc<str>, text: &str) -> Option<Arc<LiveTotal>> {
        let totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total = totals.get(&(Arc::clone(namespace), text.to_owned()))?.upgrade()?;
        let has_failed = total.latest.borrow().failed.is_some();
        (!has_failed).then_some(total)
    }

    fn put(&self, text: &str, total: &Arc<LiveTotal>) {
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if totals.len().is_power_of_two() {
            totals.retain(|_, total| total.strong_count() > 0);
        }
        totals.insert((Arc::clone(&total.question.namespace), text.to_owned()), Arc::downgrade(total));
    }
}

impl LiveTotal {
    /// Tells the answer whenever its rows are others.
    pub(crate) fn latest(&self) -> watch::Receiver<Total> {
        self.latest.subscribe()
    }

    /// Waits until the answer is as of `revision` or later.
    async fn reach(&self, revision: u64) {
        let mut known = self.known.subscribe();
        // The sender is `self`, so it cannot go away; one that failed is known up to the highest number.
        drop(known.wait_for(|known| *known >= revision).await);
    }

    fn take_in(&self, revision: u64, rows: Vec<String>) {
        self.latest.send_if_modified(|latest| {
            latest.revision = revision;
            let is_other = *latest.rows != rows;
            if is_other {
                latest.rows = Arc::new(rows);
            }
            is_other
        });
        self.known.send_replace(revision);
    }

    fn fail(&self, why: &str) {
        self.latest.send_modify(|latest| latest.failed = Some(Arc::from(why)));
        self.known.send_replace(u64::MAX);
    }
}

impl Queries {
    /// The answer of a text, as of the view or later, and then kept up to date.
    pub(crate) async fn live_total(
        self: &Arc<Self>,
        reader: &Arc<Reader>,
        view: &View,
        question: Question,
        text: &str,
    ) -> Result<Arc<LiveTotal>, AnswerError> {
        if let Some(total) = self.totals.find(&question.namespace, text) {
            total.reach(view.revision()).await;
            return Ok(total);
        }
        let (revision, rows) = self.total(view, question.clone()).await?;
        let (latest, _) = watch::channel(Total { revision, rows: Arc::new(rows), failed: None });
        let (known, _) = watch::channel(revision);
        let total = Arc::new(LiveTotal { question, latest, known });
        self.totals.put(text, &total);
        tasks::spawn("live-answer", keep_up(Arc::downgrade(&total), Arc::clone(self), Arc::clone(reader)));
        Ok(total)
    }

    async fn total(self: &Arc<Self>, view: &View, question: Question) -> Result<(u64, Vec<String>), AnswerError> {
        let answered = self.answer(view, question, None).await?;
        let rows = answered.selection.len();
        if rows > ROWS_MAX {
            return Err(AnswerError::Budget(format!("a live answer has at most {ROWS_MAX} rows, this has {rows}")));
        }
        let rows = self.rows(&answered, 0, ROWS_MAX).await?;
        Ok((answered.taken.revision, rows.iter().map(|row| shown(&row.value)).collect()))
    }
}

async fn keep_up(total: Weak<LiveTotal>, queries: Arc<Queries>, reader: Arc<Reader>) {
    let mut positions = queries.positions();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(revision) = total.upgrade().map(|total| *total.known.borrow()) else { return };
        let moved = positions.wait_for(|position| position.revision > revision).await.is_ok();
        let Some(total) = total.upgrade() else { return };
        if !moved {
            return total.fail("the node is stopping");
        }
        match queries.total(&reader.local_for_followers(), total.question.clone()).await {
            Ok((revision, rows)) => total.take_in(revision, rows),
            Err(error) => return total.fail(&error.to_string()),
        }
    }
}
