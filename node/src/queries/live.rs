//! Live queries: an answer that is kept up to date, shared by all who follow the same text.
//!
//! ```text
//! positions ─▶ task of one text ─ ids of changed rows ─▶ asked again ─▶ what is another row now ─▶ log of changes ─▶ followers
//! ```
//!
//! It knows answers and views, no protobuf and no caller. Invariants:
//! - Whoever folds the changes from an answer on has the answer as of the revision of the last change, whole.
//! - A follower is given nothing twice and misses nothing; one that is slower than the log holds is told so, and can go on from
//!   its revision by comparing answers.
//! - A text that nobody follows costs nothing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use muster_query::{Value, execute};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::budget::Spending;
use super::{AnswerError, Answered, LiveLimits, Queries, Question, shown};
use crate::read::{Reader, View};
use crate::tasks;
use crate::views::{Following, Which};

/// Changes that wait for slow followers of one text.
const CHANGES_MAX: usize = 50_000;

/// A row that is another one than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    /// As in its table.
    pub(crate) id: Arc<str>,
    /// Whether it was in the answer before.
    pub(crate) was_in: bool,
    /// The row as JSON; nothing when it has left.
    pub(crate) row: Option<Arc<str>>,
}

/// The live answer of one text.
pub(crate) struct Live {
    which: Which,
    question: Question,
    state: Mutex<State>,
    told: watch::Sender<u64>,
}

struct State {
    /// As of when `rows` is the answer.
    revision: u64,
    rows: BTreeMap<Arc<str>, Arc<str>>,
    changes: VecDeque<Change>,
    /// Changes after this revision are all in `changes`.
    complete_after: u64,
    failed: Option<String>,
}

/// Why a follower does not go on.
#[derive(Debug)]
pub(crate) enum FollowEnd {
    /// It is too far behind.
    Behind,
    /// The live answer ended.
    Failed(String),
}

/// All live answers of a node.
pub(crate) struct Lives {
    by_text: Mutex<LiveByText>,
    places: Arc<Semaphore>,
}

/// The place of one follower among those that a node has at a time.
pub(crate) type Place = OwnedSemaphorePermit;

/// By namespace and text.
type LiveByText = HashMap<(Arc<str>, String), Weak<Live>>;

impl Lives {
    pub(super) fn new(most: usize) -> Self {
        Self { by_text: Mutex::default(), places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))) }
    }

    /// The live answer of a text, if somebody follows it already.
    fn find(&self, namespace: &str, text: &str) -> Option<Arc<Live>> {
        let lives = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        let live = lives.get(&(Arc::from(namespace), text.to_owned()))?.upgrade()?;
        let failed = live.lock().failed.is_some();
        (!failed).then_some(live)
    }

    fn put(&self, namespace: &Arc<str>, text: &str, live: &Arc<Live>) {
        let mut lives = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        lives.retain(|_, live| live.strong_count() > 0);
        lives.insert((Arc::clone(namespace), text.to_owned()), Arc::downgrade(live));
    }
}

impl Queries {
    /// A place for one more live query, or how many there may be when there are as many already.
    pub(crate) fn live_place(&self) -> Result<Place, usize> {
        Arc::clone(&self.lives.places).try_acquire_owned().map_err(|_| self.live_limits.queries)
    }

    /// The live answer of a text as of the view or later.
    pub(crate) async fn live(
        self: &Arc<Self>,
        reader: &Arc<Reader>,
        view: &View,
        question: Question,
        text: &str,
    ) -> Result<Arc<Live>, AnswerError> {
        if let Some(live) = self.lives.find(&question.namespace, text) {
            live.reach(view.revision()).await;
            return Ok(live);
        }
        // Before the answer is taken, so that no change after it is missed.
        let following = self.views().follow();
        let answered = self.answer(view, question, None).await?;
        let rows = self.all_rows(&answered).await?;
        let live = Arc::new(Live::new(&answered, rows));
        self.lives.put(&live.question.namespace, text, &live);
        let work = keep_up(Arc::downgrade(&live), Arc::clone(self), Arc::clone(reader), Arc::new(following));
        tasks::spawn("live-query", work);
        Ok(live)
    }

    /// All rows of an answer by id, within the bounds of live answers.
    pub(crate) async fn all_rows(
        self: &Arc<Self>,
        answered: &Arc<Answered>,
    ) -> Result<BTreeMap<Arc<str>, Arc<str>>, AnswerError> {
        let LiveLimits { rows: rows_max, bytes: bytes_max, .. } = self.live_limits;
        if answered.selection.len() > rows_max {
            return Err(AnswerError::Budget(format!("the answer has more than {rows_max} rows")));
        }
        let rows = self.rows(answered, 0, usize::MAX).await?;
        let rows: BTreeMap<Arc<str>, Arc<str>> =
            rows.into_iter().map(|row| (Arc::from(row.id), Arc::from(shown(&row.value)))).collect();
        let bytes: usize = rows.iter().map(|(id, row)| id.len() + row.len() + 64).sum();
        if bytes > bytes_max {
            return Err(AnswerError::Budget(format!("the answer takes more than {} MiB", bytes_max >> 20)));
        }
        Ok(rows)
    }
}

impl Live {
    fn new(answered: &Answered, rows: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        let revision = answered.taken.revision;
        let which = Which::named(answered.question.plan.collection).unwrap_or(Which::Devices);
        let state = State { revision, rows, changes: VecDeque::new(), complete_after: revision, failed: None };
        let (told, _) = watch::channel(revision);
        Self { which, question: answered.question.clone(), state: Mutex::new(state), told }
    }

    /// The answer now, and as of when.
    pub(crate) fn rows(&self) -> (u64, BTreeMap<Arc<str>, Arc<str>>) {
        let state = self.lock();
        (state.revision, state.rows.clone())
    }

    /// Changes after `revision`, and up to which revision they are told.
    pub(crate) fn changes_after(&self, revision: u64) -> Result<(u64, Vec<Change>), FollowEnd> {
        let state = self.lock();
        if let Some(failed) = &state.failed {
            return Err(FollowEnd::Failed(failed.clone()));
        }
        if revision < state.complete_after {
            return Err(FollowEnd::Behind);
        }
        let from = state.changes.partition_point(|change| change.revision <= revision);
        Ok((state.revision, state.changes.range(from..).cloned().collect()))
    }

    /// Tells the revision up to which the answer is known, whenever it grows.
    pub(crate) fn told(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// Waits until the answer is as of `revision` or later.
    async fn reach(&self, revision: u64) {
        let mut told = self.told.subscribe();
        // The sender is `self`, so it cannot go away; a live answer that failed says so to who asks for changes.
        drop(told.wait_for(|told| *told >= revision).await);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what rows are now.
    fn take_in(&self, revision: u64, now: impl IntoIterator<Item = (Arc<str>, Option<Arc<str>>)>) {
        let mut state = self.lock();
        for (id, row) in now {
            let before = match &row {
                Some(row) => state.rows.insert(Arc::clone(&id), Arc::clone(row)),
                None => state.rows.remove(&id),
            };
            if before != row {
                state.changes.push_back(Change { revision, id, was_in: before.is_some(), row });
            }
        }
        while state.changes.len() > CHANGES_MAX
            && let Some(change) = state.changes.pop_front()
        {
            state.complete_after = change.revision;
        }
        state.revision = revision;
        drop(state);
        self.told.send_replace(revision);
    }

    fn fail(&self, why: String) {
        self.lock().failed = Some(why);
        // Wakes all who wait, whatever they wait for.
        self.told.send_replace(u64::MAX);
    }
}

/// Keeps an answer up to date for as long as somebody follows it.
async fn keep_up(live: Weak<Live>, queries: Arc<Queries>, reader: Arc<Reader>, following: Arc<Following>) {
    let mut positions = queries.positions();
    loop {
        if positions.changed().await.is_err() {
            return;
        }
        positions.borrow_and_update();
        let Some(live) = live.upgrade() else { return };
        if let Err(error) = renew(&live, &queries, &reader, &following).await {
            live.fail(error.to_string());
            return;
        }
    }
}

async fn renew(
    live: &Arc<Live>,
    queries: &Arc<Queries>,
    reader: &Arc<Reader>,
    following: &Arc<Following>,
) -> Result<(), AnswerError> {
    let from = live.lock().revision;
    if let Some((position, ids)) = following.changed_since(&live.question.namespace, live.which, from)
        && ids.is_empty()
    {
        live.take_in(position.revision, None);
        return Ok(());
    }
    if let Some((revision, now)) = ask_again(live, queries, reader, following, from).await? {
        live.take_in(revision, now);
        return Ok(());
    }
    // More has changed than is remembered: the whole answer is found again.
    let answered = queries.answer(&reader.local_for_followers(), live.question.clone(), None).await?;
    let rows = queries.all_rows(&answered).await?;
    let gone: Vec<Arc<str>> = live.lock().rows.keys().filter(|id| !rows.contains_key(*id)).cloned().collect();
    let gone = gone.into_iter().map(|id| (id, None));
    live.take_in(answered.taken.revision, gone.chain(rows.into_iter().map(|(id, row)| (id, Some(row)))));
    Ok(())
}

type Now = Vec<(Arc<str>, Option<Arc<str>>)>;

/// What all rows that changed after `from` are now; nothing when not all of them are remembered.
async fn ask_again(
    live: &Arc<Live>,
    queries: &Arc<Queries>,
    reader: &Arc<Reader>,
    following: &Arc<Following>,
    from: u64,
) -> Result<Option<(u64, Now)>, AnswerError> {
    let (live, queries, following) = (Arc::clone(live), Arc::clone(queries), Arc::clone(following));
    let view = reader.local_for_followers();
    let asked = view.beside(move |view| {
        let spending = Spending::new(queries.budget, Arc::default());
        let asked = queries.take(view, &live.question, None).and_then(|taken| {
            // Only now: what changed until the tables were taken must be among them.
            let changed = following.changed_since(&live.question.namespace, live.which, from);
            let Some((_, ids)) = changed else { return Ok(None) };
            let now = taken.with_input(&live.question, &spending, |input| execute::among(input, &ids))??;
            let text = |row: Value| Arc::from(shown(&row));
            let now: Now = now.into_iter().map(|(id, row)| (Arc::from(id), row.map(text))).collect();
            Ok(Some((taken.revision, now)))
        });
        Ok(asked)
    });
    asked.await?
}
