//! Queries on a node: text to plan, plan and views to an answer as of one revision, pages of it.
//!
//! ```text
//! text ─ compile ─▶ plan ─ take ─▶ Taken: tables, view, revision, what changed since ─ select ─▶ Answered ─ rows ─▶ page
//! ```
//!
//! It knows views and records, no protobuf and no caller; who may ask what is decided before. Invariants:
//! - An answer is exact as of the revision it names, also when that lies in the past.
//! - A query never holds up a write: it works on a snapshot, on a thread of its own.
//! - What it takes is bounded by [`QueryBudget`].

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use muster_query::execute::{self, Collected, Cost, Explanation, Input, Row, Selection, Stop};
use muster_query::plan::{AsOf, Plan};
use muster_query::{QueryError, Value};

use tokio::sync::watch;

use crate::apply::Position;
use crate::clock::Clock;
use crate::read::{EventScope, ScanError, StoreError, View};
use crate::views::{SCHEMA, ViewSnapshot, Views, Which};

mod budget;
mod documents;
mod kept;
mod live;

pub use budget::{LiveLimits, QueryBudget};
use budget::{Spending, Waiting};
pub(crate) use documents::PastDocuments;
use kept::Kept;
use live::Lives;
pub(crate) use live::{Change, FollowEnd, Live, Place};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The text is no query.
    #[error("{}", .0.message)]
    Query(#[from] QueryError),
    /// A budget is used up.
    #[error("{0}")]
    Budget(String),
    /// The past is gone.
    #[error("revision {revision} lies below the oldest revision kept, which is {floor}")]
    Compacted {
        /// As of which it was asked for.
        revision: u64,
        /// The oldest one that can be.
        floor: u64,
    },
    /// It lies in the future.
    #[error("revision {revision} lies in the future: the newest is {newest}")]
    Future {
        /// As of which it was asked for.
        revision: u64,
        /// The newest.
        newest: u64,
    },
    /// The views are not made yet.
    #[error("this node is still reading its fleet into memory after a start; other nodes may answer")]
    NotReady,
    /// The store failed, or too many scans are running.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

impl From<StoreError> for AnswerError {
    fn from(error: StoreError) -> Self {
        Self::Scan(ScanError::Store(error))
    }
}

impl From<Stop> for AnswerError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Budget(message) => Self::Budget(message),
            Stop::Fault(message) => Self::Scan(ScanError::Store(StoreError::Inconsistent(message))),
        }
    }
}

/// What answers queries.
pub struct Queries {
    views: Arc<Views>,
    clock: Arc<dyn Clock>,
    positions: watch::Receiver<Position>,
    budget: QueryBudget,
    live_limits: LiveLimits,
    kept: Kept,
    lives: Lives,
}

/// A query that is being answered: everything that its answer depends on.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) namespace: Arc<str>,
    pub(crate) plan: Arc<Plan>,
    /// What `NOW()` is.
    pub(crate) now_ms: u64,
}

/// Tables at one revision, and what is not the same in them as at the revision asked for.
pub(crate) struct Taken {
    pub(crate) revision: u64,
    view: View,
    snapshot: ViewSnapshot,
    /// For each table, ordered.
    changed: Vec<Vec<String>>,
}

/// An answer, before it is written out.
pub(crate) struct Answered {
    pub(crate) question: Question,
    pub(crate) taken: Taken,
    pub(crate) selection: Selection,
    pub(crate) took: std::time::Duration,
}

impl Queries {
    /// Over the views of a node.
    #[must_use]
    pub fn new(
        views: Arc<Views>,
        positions: watch::Receiver<Position>,
        clock: Arc<dyn Clock>,
        budget: QueryBudget,
        live_limits: LiveLimits,
    ) -> Arc<Self> {
        let lives = Lives::new(live_limits.queries);
        Arc::new(Self { views, clock, positions, budget, live_limits, kept: Kept::default(), lives })
    }

    /// Waits until the views are made, after a start or an installed snapshot.
    pub(crate) async fn ready(&self) -> Result<(), AnswerError> {
        let mut ready = self.views.ready();
        let made = tokio::time::timeout(self.budget.time, ready.wait_for(|ready| *ready)).await;
        if matches!(made, Ok(Ok(_))) { Ok(()) } else { Err(AnswerError::NotReady) }
    }

    /// The newest position, and a way to wait for a later one.
    pub(crate) fn positions(&self) -> watch::Receiver<Position> {
        self.positions.clone()
    }

    /// The views behind it.
    #[must_use]
    pub fn views(&self) -> &Arc<Views> {
        &self.views
    }

    /// The plan of a text.
    ///
    /// # Errors
    /// When it is no query.
    pub(crate) fn compile(&self, namespace: &str, text: &str, now_ms: Option<u64>) -> Result<Question, QueryError> {
        let plan = muster_query::compile(text, &SCHEMA)?;
        let now_ms = now_ms.unwrap_or_else(|| self.clock.now_ms());
        Ok(Question { namespace: Arc::from(namespace), plan: Arc::new(plan), now_ms })
    }

    /// The whole answer as of `pinned`, of what the query names, or of now.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        view: &View,
        question: Question,
        pinned: Option<u64>,
    ) -> Result<Arc<Answered>, AnswerError> {
        self.ready().await?;
        let (queries, gone) = (Arc::clone(self), Arc::new(AtomicBool::new(false)));
        let waiting = Waiting(Arc::clone(&gone));
        let answered = view.beside(move |view| Ok(queries.answer_here(view, question, pinned, gone))).await?;
        drop(waiting);
        answered.map(Arc::new)
    }

    fn answer_here(
        &self,
        view: &View,
        question: Question,
        pinned: Option<u64>,
        gone: Arc<AtomicBool>,
    ) -> Result<Answered, AnswerError> {
        let spending = Spending::new(self.budget, gone);
        let taken = self.take(view, &question, pinned)?;
        let selection = taken.with_input(&question, &spending, execute::select)??;
        let took = spending.elapsed();
        metrics::histogram!("muster_query_seconds").record(took);
        Ok(Answered { question, taken, selection, took })
    }

    /// Tables for a question.
    pub(crate) fn take(&self, view: &View, question: &Question, pinned: Option<u64>) -> Result<Taken, AnswerError> {
        let which = collections(&question.plan);
        let snapshot = self.views.snapshot(&question.namespace, &which);
        let newest = snapshot.position.revision;
        let floor = view.event_floor_in(&EventScope::Namespace(question.namespace.to_string()))?;
        let revision = match (pinned, question.plan.as_of) {
            (Some(revision), _) | (None, Some(AsOf::Revision(revision))) => revision,
            (None, Some(AsOf::TimeMs(time_ms))) => {
                view.revision_at(time_ms, floor)?.ok_or(AnswerError::Compacted { revision: 0, floor })?
            }
            (None, None) => newest,
        };
        if revision > newest {
            return Err(AnswerError::Future { revision, newest });
        }
        let mut changed = vec![Vec::new(); which.len()];
        if revision < newest {
            if revision < floor {
                return Err(AnswerError::Compacted { revision, floor });
            }
            let most = self.budget.changed_rows;
            let keys = view.changed_keys(&question.namespace, revision, newest, most)?.ok_or_else(|| {
                AnswerError::Budget(format!(
                    "more than {most} resources changed since revision {revision}, which is too much to go back over"
                ))
            })?;
            for (which, changed) in which.iter().zip(&mut changed) {
                let rows = keys.iter().filter_map(Which::row_of).filter(|(of, _, _)| of == which);
                *changed = rows.map(|(_, _, id)| id).collect();
                changed.sort_unstable();
                changed.dedup();
            }
        }
        Ok(Taken { revision, view: view.clone(), snapshot, changed })
    }

    /// Rows of an answer.
    pub(crate) async fn rows(
        self: &Arc<Self>,
        answered: &Arc<Answered>,
        from: usize,
        to: usize,
    ) -> Result<Vec<Row>, AnswerError> {
        let (queries, answered) = (Arc::clone(self), Arc::clone(answered));
        let view = answered.taken.view.clone();
        let rows = view.beside(move |_| {
            let spending = Spending::new(queries.budget, Arc::default());
            let write = |input: &Input<'_>| execute::rows(input, &answered.selection, from, to);
            Ok(answered.taken.with_input(&answered.question, &spending, write))
        });
        Ok(rows.await???)
    }

    /// How a question would be answered.
    pub(crate) fn explain(&self, view: &View, question: &Question) -> Result<(u64, Explanation), AnswerError> {
        let spending = Spending::new(self.budget, Arc::default());
        let taken = self.take(view, question, None)?;
        Ok((taken.revision, taken.with_input(question, &spending, execute::explain)?))
    }

    /// Answers that further pages will be asked of.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }
}

impl Taken {
    /// Calls `with` with what is needed to answer.
    pub(crate) fn with_input<T>(
        &self,
        question: &Question,
        spending: &Spending,
        with: impl FnOnce(&Input<'_>) -> T,
    ) -> Result<T, AnswerError> {
        let documents = PastDocuments::new(&self.view, &question.namespace, self.revision);
        let collected = |at: usize, name: &str| {
            let collection = SCHEMA.collection(name)?;
            let (snapshot, changed) = (self.snapshot.tables.get(at)?, self.changed.get(at)?);
            Some(Collected { collection, snapshot, changed })
        };
        let from = collected(0, question.plan.collection)
            .ok_or_else(|| StoreError::Inconsistent(format!("there is no table {}", question.plan.collection)))?;
        let joined = question.plan.relation.and_then(|relation| collected(1, relation.collection));
        let plan = &question.plan;
        Ok(with(&Input { plan, from, joined, documents: &documents, interrupt: spending, now_ms: question.now_ms }))
    }
}

impl Answered {
    /// What it cost.
    pub(crate) fn cost(&self) -> Cost {
        self.selection.cost
    }
}

/// The collections a plan reads: that in `FROM`, then that in `JOIN`.
fn collections(plan: &Plan) -> Vec<Which> {
    let names = [Some(plan.collection), plan.relation.map(|relation| relation.collection)];
    names.into_iter().flatten().map(|name| Which::named(name).unwrap_or(Which::Devices)).collect()
}

/// The id of a row as clients see it.
pub(crate) fn shown_id(id: &str) -> String {
    id.replace('\0', "/")
}

/// A row as JSON text.
pub(crate) fn shown(value: &Value) -> String {
    value.to_text()
}
