//! Live queries and differences: what makes one answer another one.
//!
//! Who follows is asked anew whether it may, before each message. It knows no columns and no log.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::watch_query_response::Kind;
use muster_query::plan::{Expr, Function, Output, Plan};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;

use super::query::{columns, namespace, question, view_of};
use super::read::Read;
use super::status::{Failure, Transport};
use crate::authorize;
use crate::queries::{Answered, Change, FollowEnd, Live, Place, Queries, Question, shown, shown_id};

/// Something is told at least so often.
const PROGRESS: Duration = Duration::from_secs(10);
/// Rows of an answer that is told again and again.
const ANSWER_ROWS_MAX: usize = 1_000;
/// An answer is found anew at most so often.
const ANSWER_INTERVAL: Duration = Duration::from_millis(100);

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Rows = BTreeMap<Arc<str>, Arc<str>>;

/// Refuses what is no set of rows that change one by one.
pub(super) fn check_rows(plan: &Plan, text: &str) -> Result<(), Failure> {
    let refuse = |what: &str| {
        let message = format!("{what} has no meaning in a live query or a difference:\n{text}");
        Err(Failure::Other(Transport::QueryInvalid, message))
    };
    if plan.as_of.is_some() {
        return refuse("AS OF");
    }
    if plan.relation.is_some() {
        return refuse("JOIN");
    }
    if plan.top.is_some() || !plan.order.is_empty() || plan.distinct {
        return refuse("TOP, DISTINCT or ORDER BY");
    }
    let elements = match &plan.output {
        Output::Groups { .. } => return refuse("GROUP BY or an aggregate"),
        Output::Rows(elements) => elements.as_slice(),
        Output::Documents => &[],
    };
    let moves = |expr: &Expr| holds(expr, &|expr| matches!(expr, Expr::Score | Expr::Call(Function::Now, _)));
    if plan.filter.iter().any(moves) || elements.iter().any(|element| moves(&element.expr)) {
        return refuse("NOW() or SCORE()");
    }
    Ok(())
}

fn holds(expr: &Expr, wanted: &dyn Fn(&Expr) -> bool) -> bool {
    let mut found = wanted(expr);
    expr.each_child(&mut |child| found = found || holds(child, wanted));
    found
}

/// A row that is not the same in two answers.
pub(super) struct Difference {
    pub(super) id: Arc<str>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// Up to `most` rows that are not the same in both answers, in the order of ids.
pub(super) async fn differences(
    queries: &Arc<Queries>,
    before: &Arc<Answered>,
    after: &Arc<Answered>,
    most: usize,
) -> Result<Vec<Difference>, Failure> {
    let (before, after) = (queries.all_rows(before).await?, queries.all_rows(after).await?);
    Ok(compared(&before, &after).take(most).collect())
}

fn compared<'r>(before: &'r Rows, after: &'r Rows) -> impl Iterator<Item = Difference> + 'r {
    let mut ids: Vec<&Arc<str>> = before.keys().chain(after.keys().filter(|id| !before.contains_key(*id))).collect();
    ids.sort_unstable();
    ids.into_iter().filter(|id| before.get(*id) != after.get(*id)).map(|id| Difference {
        id: Arc::clone(id),
        before: before.get(id).map(|row| row.to_string()),
        after: after.get(id).map(|row| row.to_string()),
    })
}

/// The messages of a live query.
pub(super) async fn rows(
    read: Read,
    request: v1::WatchQueryRequest,
) -> Result<Messages<v1::WatchQueryResponse>, Failure> {
    let namespace = namespace(&read, &request.parent)?;
    let question = question(&read, &namespace, &request.text, None)?;
    check_rows(&question.plan, &request.text)?;
    let place = live_place(&read)?;
    let view = view_of(&read, &namespace, request.read).await?;
    let services = Arc::clone(&read.services);
    if request.resume_revision > view.revision() {
        let message = format!("resume_revision {} lies in the future", request.resume_revision);
        let (transport, field) = (Transport::RevisionInFuture, "resume_revision".to_owned());
        return Err(Failure::At { transport, field, message });
    }
    let live = services.queries.live(&services.reader, &view, question.clone(), &request.text).await?;
    let (revision, now) = live.rows();
    let first = match request.resume_revision {
        0 => now.iter().map(|(id, row)| message(&read, revision, Kind::Enter, id, Some(row))).collect(),
        from => {
            let before = services.queries.answer(&view, question, Some(from)).await?;
            let before = services.queries.all_rows(&before).await?;
            let told = compared(&before, &now).map(|found| {
                let kind = kind(found.before.is_some(), found.after.is_some());
                message(&read, revision, kind, &found.id, found.after.as_deref())
            });
            told.collect::<Vec<_>>()
        }
    };
    let first = stream::iter(first.into_iter().chain([message(&read, revision, Kind::Progress, "", None)]).map(Ok));
    Ok(Box::pin(first.chain(followed(read, live, revision, place))))
}

fn live_place(read: &Read) -> Result<Place, Failure> {
    read.services.queries.live_place().map_err(|most| {
        let message = format!("this node has {most} live queries at a time (queries.live), and that many are open");
        Failure::Other(Transport::QueueFull, message)
    })
}

fn kind(was_in: bool, is_in: bool) -> Kind {
    match (was_in, is_in) {
        (_, false) => Kind::Leave,
        (false, true) => Kind::Enter,
        (true, true) => Kind::Update,
    }
}

fn message(read: &Read, revision: u64, kind: Kind, id: &str, row: Option<&str>) -> v1::WatchQueryResponse {
    v1::WatchQueryResponse {
        header: read.header(revision),
        kind: kind.into(),
        id: shown_id(id),
        row_json: row.unwrap_or_default().to_owned(),
    }
}

struct Followed {
    _place: Place,
    read: Read,
    live: Arc<Live>,
    told: watch::Receiver<u64>,
    revision: u64,
}

fn followed(
    read: Read,
    live: Arc<Live>,
    revision: u64,
    place: Place,
) -> impl Stream<Item = Result<v1::WatchQueryResponse, Status>> {
    let told = live.told();
    let followed = Followed { _place: place, read, live, told, revision };
    let batches = stream::unfold(Some(followed), |followed| async move {
        let mut followed = followed?;
        match followed.next().await {
            Ok(messages) => Some((messages.into_iter().map(Ok).collect::<Vec<_>>(), Some(followed))),
            Err(failure) => Some((vec![Err(Status::from(failure))], None)),
        }
    });
    batches.flat_map(stream::iter)
}

impl Followed {
    /// Waits for changes; whole revisions, each batch ended by its progress.
    async fn next(&mut self) -> Result<Vec<v1::WatchQueryResponse>, Failure> {
        let revision = self.revision;
        let waited = timeout(PROGRESS, self.told.wait_for(|told| *told > revision)).await.map(|told| told.map(drop));
        check_admitted(&self.read)?;
        if matches!(waited, Ok(Err(_))) {
            return Err(Failure::Other(Transport::Stopping, "the node is stopping".to_owned()));
        }
        let (revision, changes) = self.live.changes_after(self.revision).map_err(ended)?;
        self.revision = revision;
        let told = changes.iter().map(|change| self.changed(change));
        Ok(told.chain([message(&self.read, revision, Kind::Progress, "", None)]).collect())
    }

    fn changed(&self, change: &Change) -> v1::WatchQueryResponse {
        let kind = kind(change.was_in, change.row.is_some());
        message(&self.read, change.revision, kind, &change.id, change.row.as_deref())
    }
}

fn check_admitted(read: &Read) -> Result<(), Failure> {
    let services = &read.services;
    Ok(authorize::still(&read.caller, &services.reader, services.clock.now_ms())?)
}

fn ended(end: FollowEnd) -> Failure {
    match end {
        FollowEnd::Behind => {
            let message = "this stream is too slow for what changes; go on with resume_revision";
            Failure::Other(Transport::QueueFull, message.to_owned())
        }
        FollowEnd::Failed(why) => Failure::Other(Transport::QueryBudget, why),
    }
}

/// The messages of an answer that is told whenever it is another one.
pub(super) async fn answers(
    read: Read,
    request: v1::WatchQueryRequest,
) -> Result<Messages<v1::WatchAggregateResponse>, Failure> {
    let namespace = namespace(&read, &request.parent)?;
    if request.resume_revision != 0 {
        let message = "resume_revision has no meaning here: every message is the whole answer";
        return Err(Rejection::new(Reason::InvalidField, "resume_revision", message).into());
    }
    let question = question(&read, &namespace, &request.text, None)?;
    if question.plan.as_of.is_some() {
        let message = format!("AS OF has no meaning in a live query:\n{}", request.text);
        return Err(Failure::Other(Transport::QueryInvalid, message));
    }
    let place = live_place(&read)?;
    let view = view_of(&read, &namespace, request.read).await?;
    let (revision, rows) = answer(&read, &view, &question).await?;
    let first = answer_message(&read, &question, revision, Some(Arc::clone(&rows)));
    let following = Answers { _place: place, read, question, revision, rows };
    let rest = stream::unfold(Some(following), |following| async move {
        let mut following = following?;
        match following.next().await {
            Ok(message) => Some((Ok(message), Some(following))),
            Err(failure) => Some((Err(Status::from(failure)), None)),
        }
    });
    Ok(Box::pin(stream::iter([Ok(first)]).chain(rest)))
}

async fn answer(
    read: &Read,
    view: &crate::read::View,
    question: &Question,
) -> Result<(u64, Arc<Vec<String>>), Failure> {
    let queries = &read.services.queries;
    let answered = queries.answer(view, question.clone(), None).await?;
    if answered.selection.len() > ANSWER_ROWS_MAX {
        let message =
            format!("a live answer has at most {ANSWER_ROWS_MAX} rows, this has {}", answered.selection.len());
        return Err(Failure::Other(Transport::QueryBudget, message));
    }
    let rows = queries.rows(&answered, 0, ANSWER_ROWS_MAX).await?;
    Ok((answered.taken.revision, Arc::new(rows.iter().map(|row| shown(&row.value)).collect())))
}

fn answer_message(
    read: &Read,
    question: &Question,
    revision: u64,
    rows: Option<Arc<Vec<String>>>,
) -> v1::WatchAggregateResponse {
    let unchanged = rows.is_none();
    let rows_json = rows.map_or_else(Vec::new, Arc::unwrap_or_clone);
    v1::WatchAggregateResponse { header: read.header(revision), columns: columns(&question.plan), rows_json, unchanged }
}

struct Answers {
    _place: Place,
    read: Read,
    question: Question,
    revision: u64,
    rows: Arc<Vec<String>>,
}

impl Answers {
    /// Waits until the answer is another one, or until it is time to say that it is not.
    async fn next(&mut self) -> Result<v1::WatchAggregateResponse, Failure> {
        let mut positions = self.read.services.queries.positions();
        let renewed = timeout(PROGRESS, async {
            loop {
                let revision = self.revision;
                // Not more often than people look: an answer costs a pass over the fleet.
                tokio::time::sleep(ANSWER_INTERVAL).await;
                if positions.wait_for(|position| position.revision > revision).await.is_err() {
                    return Err(Failure::Other(Transport::Stopping, "the node is stopping".to_owned()));
                }
                let view = self.read.services.reader.local_for_followers();
                let (revision, rows) = answer(&self.read, &view, &self.question).await?;
                self.revision = revision;
                if *rows != *self.rows {
                    self.rows = Arc::clone(&rows);
                    return Ok(rows);
                }
            }
        });
        let renewed = renewed.await;
        check_admitted(&self.read)?;
        let rows = renewed.ok().transpose()?;
        Ok(answer_message(&self.read, &self.question, self.revision, rows))
    }
}
