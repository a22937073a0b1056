//! Keeps all live answers of one collection up to date, together.
//!
//! ```text
//! positions ─▶ one task a collection ─ ids of changed rows ─▶ matching ─▶ each answer that may be concerned is asked again for
//!              those rows ─▶ its log of changes ─▶ followers
//! ```
//!
//! It knows answers and views, no protobuf and no follower. Invariants:
//! - A revision is told by [`Collection::told`] only when every answer has taken in all that changed up to it.
//! - An answer that fails ends alone; a store that fails ends all.
//! - A collection that nobody follows costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use muster_query::{Value, execute};
use tokio::sync::{Notify, watch};

use super::budget::Spending;
use super::live::Live;
use super::matching::{Matching, Number};
use super::{AnswerError, Queries, Taken, shown};
use crate::read::{Reader, View};
use crate::tasks;
use crate::views::{Following, Which};

/// What those who follow a collection share.
pub(super) struct Collection {
    namespace: Arc<str>,
    which: Which,
    following: Following,
    joining: Mutex<Vec<Weak<Live>>>,
    /// Somebody joins.
    joined: Arc<Notify>,
    told: watch::Sender<u64>,
    /// The task has ended; nothing is kept up to date any more.
    over: AtomicBool,
}

/// What a row is in an answer now.
pub(super) type Now = Vec<(Arc<str>, Option<Arc<str>>)>;

impl Collection {
    /// Begins to keep; `reader` hands out what documents are read from.
    pub(super) fn start(queries: &Arc<Queries>, reader: &Arc<Reader>, namespace: &Arc<str>, which: Which) -> Arc<Self> {
        // Before any answer is taken, so that no change after one is missed.
        let following = queries.views().follow();
        let revision = queries.positions().borrow().revision;
        let (told, _) = watch::channel(revision);
        let (namespace, joining, joined) = (Arc::clone(namespace), Mutex::default(), Arc::default());
        let over = AtomicBool::new(false);
        let collection = Arc::new(Self { namespace, which, following, joining, joined, told, over });
        let keeping = Keeping::new(Arc::downgrade(&collection), revision);
        tasks::spawn("live-queries", keep_up(keeping, Arc::clone(queries), Arc::clone(reader)));
        collection
    }

    /// From the next step on the answer is kept up to date.
    pub(super) fn join(&self, live: &Arc<Live>) {
        self.lock().push(Arc::downgrade(live));
        self.joined.notify_one();
        if self.is_over() {
            self.fail_joining();
        }
    }

    /// Whether it keeps nothing up to date any more.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn fail_joining(&self) {
        let joining = std::mem::take(&mut *self.lock());
        joining.iter().filter_map(Weak::upgrade).for_each(|live| live.fail(ENDED.to_owned()));
    }

    /// The revision up to which all answers that have joined are known.
    pub(super) fn told(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// The same, now.
    pub(super) fn known(&self) -> u64 {
        *self.told.borrow()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Live>>> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed_since(&self, revision: u64) -> Option<Vec<String>> {
        Some(self.following.changed_since(&self.namespace, self.which, revision)?.1)
    }
}

/// Why answers fail when the task ends.
const ENDED: &str = "live queries of this node ended; ask again";

/// What the task remembers. Whoever follows is told when it is gone, for whatever reason.
struct Keeping {
    collection: Weak<Collection>,
    revision: u64,
    lives: BTreeMap<Number, Kept>,
    matching: Matching,
    next: Number,
}

struct Kept {
    live: Weak<Live>,
    question: super::Question,
    /// The rows of the answer, for when it is gone itself.
    rows: BTreeSet<Arc<str>>,
}

async fn keep_up(mut keeping: Keeping, queries: Arc<Queries>, reader: Arc<Reader>) {
    let mut positions = queries.positions();
    let Some(joined) = keeping.collection.upgrade().map(|collection| Arc::clone(&collection.joined)) else { return };
    loop {
        tokio::select! {
            changed = positions.changed() => if changed.is_err() { return },
            () = joined.notified() => {}
        }
        positions.borrow_and_update();
        let Some(collection) = keeping.collection.upgrade() else { return };
        let (queries, view) = (Arc::clone(&queries), reader.local_for_followers());
        let step = view.beside(move |view| {
            let stepped = keeping.step(&collection, &queries, view);
            Ok(stepped.map(|()| keeping))
        });
        keeping = match step.await.map_err(AnswerError::from).flatten() {
            Ok(kept) => kept,
            Err(error) => return tracing::error!(%error, "live queries end"),
        };
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.lives.values().filter_map(|kept| kept.live.upgrade()).for_each(|live| live.fail(ENDED.to_owned()));
        if let Some(collection) = self.collection.upgrade() {
            collection.over.store(true, Ordering::Release);
            collection.fail_joining();
        }
    }
}

impl Keeping {
    fn new(collection: Weak<Collection>, revision: u64) -> Self {
        Self { collection, revision, lives: BTreeMap::new(), matching: Matching::default(), next: 0 }
    }

    /// Takes in what changed since the last step, and those that have joined.
    fn step(&mut self, collection: &Collection, queries: &Queries, view: &View) -> Result<(), AnswerError> {
        self.forget_ended();
        let joining: Vec<Arc<Live>> =
            std::mem::take(&mut *collection.lock()).iter().filter_map(Weak::upgrade).collect();
        let Some(question) =
            self.lives.values().map(|kept| &kept.question).chain(joining.iter().map(|live| live.question())).next()
        else {
            self.revision = collection.known();
            return Ok(());
        };
        let taken = queries.take(view, question, None)?;
        // Only now: what changed until the tables were taken must be among them.
        match collection.changed_since(self.revision) {
            Some(ids) => {
                let concerned = taken.tables().first().map(|table| self.matching.concerned(table, &ids));
                for (number, ids) in concerned.unwrap_or_default() {
                    self.ask(number, queries, &taken, Some(&ids));
                }
            }
            // More has changed than is remembered.
            None => {
                for number in self.lives.keys().copied().collect::<Vec<_>>() {
                    self.ask(number, queries, &taken, None);
                }
            }
        }
        for live in &joining {
            let number = self.add(live);
            let ids = collection.changed_since(live.revision());
            self.ask(number, queries, &taken, ids.as_deref());
            live.set_joined();
        }
        self.revision = taken.revision;
        collection.told.send_replace(taken.revision);
        Ok(())
    }

    fn add(&mut self, live: &Arc<Live>) -> Number {
        let number = self.next;
        self.next += 1;
        let question = live.question().clone();
        self.matching.add(number, &question.plan);
        let rows: BTreeSet<_> = live.rows().1.into_keys().collect();
        rows.iter().for_each(|id| self.matching.note(number, id, true));
        self.lives.insert(number, Kept { live: Arc::downgrade(live), question, rows });
        number
    }

    /// Asks an answer again for some rows, or for all.
    fn ask(&mut self, number: Number, queries: &Queries, taken: &Taken, ids: Option<&[String]>) {
        let Some(kept) = self.lives.get_mut(&number) else { return };
        let Some(live) = kept.live.upgrade() else { return };
        let now = match ids {
            Some(ids) => among(&kept.question, queries, taken, ids),
            None => all(&kept.question, &live, queries, taken),
        };
        match now {
            Ok(now) => {
                for (id, row) in &now {
                    self.matching.note(number, id, row.is_some());
                    if row.is_some() {
                        kept.rows.insert(Arc::clone(id))
                    } else {
                        kept.rows.remove(id)
                    };
                }
                live.take_in(taken.revision, now, queries.live_limits.rows);
            }
            Err(error) => live.fail(error.to_string()),
        }
    }

    fn forget_ended(&mut self) {
        let ended = |kept: &Kept| kept.live.upgrade().is_none_or(|live| live.has_failed());
        let numbers: Vec<Number> =
            self.lives.iter().filter(|(_, kept)| ended(kept)).map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(Kept { question, rows, .. }) = self.lives.remove(&number) {
                self.matching.remove(number, &question.plan, &rows);
            }
        }
    }
}

/// What some rows are now.
fn among(question: &super::Question, queries: &Queries, taken: &Taken, ids: &[String]) -> Result<Now, AnswerError> {
    let spending = Spending::new(queries.budget, Arc::default());
    let now = taken.with_input(question, &spending, |input| execute::among(input, ids))??;
    let text = |row: Value| Arc::from(shown(&row));
    Ok(now.into_iter().map(|(id, row)| (Arc::from(id), row.map(text))).collect())
}

/// What all rows are now, and that those which the answer had beside these are none.
fn all(question: &super::Question, live: &Live, queries: &Queries, taken: &Taken) -> Result<Now, AnswerError> {
    let spending = Spending::new(queries.budget, Arc::default());
    let rows = taken.with_input(question, &spending, |input| {
        let selection = execute::select(input)?;
        execute::rows(input, &selection, 0, usize::MAX)
    })??;
    let mut now: BTreeMap<Arc<str>, Option<Arc<str>>> = live.rows().1.into_keys().map(|id| (id, None)).collect();
    now.extend(rows.into_iter().map(|row| (Arc::from(row.id), Some(Arc::from(shown(&row.value))))));
    Ok(now.into_iter().collect())
}
