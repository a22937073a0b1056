//! Live queries: an answer that is kept up to date, shared by all who follow the same text.
//!
//! It knows answers, no protobuf and no caller; who keeps it up to date is [`super::keeping`]. Invariants:
//! - Whoever folds the changes from an answer on has the answer as of the revision of the last change, whole.
//! - A follower is given nothing twice and misses nothing; one that is slower than the log holds is told so, and can go on from
//!   its revision by comparing answers.
//! - A text that nobody follows costs nothing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::keeping::{Collection, Now};
use super::{AnswerError, Answered, LiveLimits, Queries, Question, shown};
use crate::read::{Reader, View};
use crate::views::Which;

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
    question: Question,
    collection: Arc<Collection>,
    /// Whether what the collection tells counts for this answer.
    joined: AtomicBool,
    state: Mutex<State>,
    /// The revision of the newest change; the highest number when it failed.
    changed: watch::Sender<u64>,
}

struct State {
    /// As of when `rows` is the answer, if the collection has told nothing later.
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
    collections: Mutex<Collections>,
    places: Arc<Semaphore>,
}

/// The place of one follower among those that a node has at a time.
pub(crate) type Place = OwnedSemaphorePermit;

/// By namespace and text.
type LiveByText = HashMap<(Arc<str>, String), Weak<Live>>;

/// By namespace.
type Collections = HashMap<(Arc<str>, Which), Weak<Collection>>;

impl Lives {
    pub(super) fn new(most: usize) -> Self {
        let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { by_text: Mutex::default(), collections: Mutex::default(), places }
    }

    /// The live answer of a text, if somebody follows it already.
    fn find(&self, namespace: &str, text: &str) -> Option<Arc<Live>> {
        let lives = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        let live = lives.get(&(Arc::from(namespace), text.to_owned()))?.upgrade()?;
        (!live.has_failed()).then_some(live)
    }

    fn put(&self, namespace: &Arc<str>, text: &str, live: &Arc<Live>) {
        let mut lives = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        // Now and then, or many that come at once would look through all each time.
        if lives.len().is_power_of_two() {
            lives.retain(|_, live| live.strong_count() > 0);
        }
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
        let collection = self.collection(reader, &question);
        let answered = self.answer(view, question, None).await?;
        let rows = self.all_rows(&answered).await?;
        let live = Arc::new(Live::new(&answered, rows, collection));
        self.lives.put(&live.question.namespace, text, &live);
        live.collection.join(&live);
        Ok(live)
    }

    /// What keeps answers of the question's collection up to date.
    fn collection(self: &Arc<Self>, reader: &Arc<Reader>, question: &Question) -> Arc<Collection> {
        let which = Which::named(question.plan.collection).unwrap_or(Which::Devices);
        let mut collections = self.lives.collections.lock().unwrap_or_else(PoisonError::into_inner);
        collections.retain(|_, collection| collection.strong_count() > 0);
        let key = (Arc::clone(&question.namespace), which);
        let found = collections.get(&key).and_then(Weak::upgrade).filter(|collection| !collection.is_over());
        found.unwrap_or_else(|| {
            let collection = Collection::start(self, reader, &question.namespace, which);
            collections.insert(key, Arc::downgrade(&collection));
            collection
        })
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
    fn new(answered: &Answered, rows: BTreeMap<Arc<str>, Arc<str>>, collection: Arc<Collection>) -> Self {
        let revision = answered.taken.revision;
        let state = State { revision, rows, changes: VecDeque::new(), complete_after: revision, failed: None };
        let (changed, _) = watch::channel(revision);
        let (joined, state) = (AtomicBool::new(false), Mutex::new(state));
        Self { question: answered.question.clone(), collection, joined, state, changed }
    }

    pub(super) fn question(&self) -> &Question {
        &self.question
    }

    /// The answer now, and as of when.
    pub(crate) fn rows(&self) -> (u64, BTreeMap<Arc<str>, Arc<str>>) {
        let told = self.told();
        let state = self.lock();
        (state.revision.max(told), state.rows.clone())
    }

    /// As of when the answer is known.
    pub(super) fn revision(&self) -> u64 {
        let told = self.told();
        self.lock().revision.max(told)
    }

    /// Changes after `revision`, and up to which revision they are told.
    pub(crate) fn changes_after(&self, revision: u64) -> Result<(u64, Vec<Change>), FollowEnd> {
        // Before the lock: what the collection has told by now is among the changes.
        let told = self.told();
        let state = self.lock();
        if let Some(failed) = &state.failed {
            return Err(FollowEnd::Failed(failed.clone()));
        }
        if revision < state.complete_after {
            return Err(FollowEnd::Behind);
        }
        let from = state.changes.partition_point(|change| change.revision <= revision);
        Ok((state.revision.max(told), state.changes.range(from..).cloned().collect()))
    }

    /// Tells the revision of the newest change, whenever there is one.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits until the answer is as of `revision` or later, or has failed, which it says to who asks for changes.
    async fn reach(&self, revision: u64) {
        let (mut told, mut changed) = (self.collection.told(), self.changed.subscribe());
        while self.revision() < revision && !self.has_failed() {
            let ended = tokio::select! {
                told = told.changed() => told.is_err(),
                changed = changed.changed() => changed.is_err(),
            };
            if ended {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> u64 {
        if self.joined.load(Ordering::Acquire) { self.collection.known() } else { 0 }
    }

    /// What the collection tells from now on counts for this answer.
    pub(super) fn set_joined(&self) {
        self.joined.store(true, Ordering::Release);
    }

    /// Takes in what rows are as of `revision`; more than `most` rows are too many.
    pub(super) fn take_in(&self, revision: u64, now: Now, most: usize) {
        let mut state = self.lock();
        let mut has_changed = false;
        for (id, row) in now {
            let before = match &row {
                Some(row) => state.rows.insert(Arc::clone(&id), Arc::clone(row)),
                None => state.rows.remove(&id),
            };
            if before != row {
                state.changes.push_back(Change { revision, id, was_in: before.is_some(), row });
                has_changed = true;
            }
        }
        while state.changes.len() > CHANGES_MAX
            && let Some(change) = state.changes.pop_front()
        {
            state.complete_after = change.revision;
        }
        state.revision = revision;
        let is_too_large = state.rows.len() > most;
        drop(state);
        if is_too_large {
            self.fail(format!("the answer has more than {most} rows"));
        } else if has_changed {
            self.changed.send_replace(revision);
        }
    }

    pub(super) fn fail(&self, why: String) {
        self.lock().failed.get_or_insert(why);
        // Wakes all who wait, whatever they wait for.
        self.changed.send_replace(u64::MAX);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }
}
