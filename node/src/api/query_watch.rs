//! Live queries of rows, and differences: what makes one answer another one.
//!
//! Who follows is asked anew whether it may, before each message. It knows no columns and no log.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use muster_proto::v1;
use muster_proto::v1::watch_query_response::Kind;
use muster_query::plan::{Expr, Function, Output, Plan};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;

use super::query::{namespace, question, view_of};
use super::query_text::{Said, Wording};
use super::read::Read;
use super::status::{Failure, Transport};
use crate::authorize;
use crate::queries::{Answered, Change, FollowEnd, Live, Place, Queries, shown_id};

/// Something is told at least so often.
pub(super) const PROGRESS: Duration = Duration::from_secs(5);

pub(super) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Rows = BTreeMap<Arc<str>, Arc<str>>;

/// Refuses what is no set of rows that change one by one.
pub(super) fn check_rows(plan: &Plan, said: &Said) -> Result<(), Failure> {
    let refuse = |what: &str| {
        let message = format!("{what} has no meaning in a live query or a difference:\n{}", said.text);
        Err(Failure::At { transport: Transport::QueryInvalid, field: said.field().to_owned(), message })
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
    let wording = Wording::of(&namespace, &request.text, &request.saved_query)?;
    let place = live_place(&read)?;
    let view = view_of(&read, &namespace, request.read).await?;
    let said = wording.said(&view)?;
    let question = question(&read, &namespace, &said, None)?;
    check_rows(&question.plan, &said)?;
    let services = Arc::clone(&read.services);
    if request.resume_revision > view.revision() {
        let message = format!("resume_revision {} lies in the future", request.resume_revision);
        let (transport, field) = (Transport::RevisionInFuture, "resume_revision".to_owned());
        return Err(Failure::At { transport, field, message });
    }
    if request.resume_revision != 0 {
        wording.check_same_at(&view, &said, request.resume_revision).await?;
    }
    let live = services.queries.live(&services.reader, &view, question.clone(), &said.text).await?;
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
    // Only now: the first answer may be as of a later revision than its text.
    wording.check_still(&services.reader.local(), &said)?;
    let changed = live.changed();
    let followed = Followed { _place: place, read, wording, said, live, changed, revision };
    Ok(Box::pin(first.chain(following(followed))))
}

pub(super) fn live_place(read: &Read) -> Result<Place, Failure> {
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
    wording: Wording,
    said: Said,
    live: Arc<Live>,
    changed: watch::Receiver<u64>,
    revision: u64,
}

fn following(followed: Followed) -> impl Stream<Item = Result<v1::WatchQueryResponse, Status>> {
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
    /// Waits for changes, or until it is time to say that there are none; whole revisions, each batch ended by its progress.
    async fn next(&mut self) -> Result<Vec<v1::WatchQueryResponse>, Failure> {
        let revision = self.revision;
        let changed = self.changed.wait_for(|changed| *changed > revision);
        let waited = timeout(PROGRESS, changed).await.map(|changed| changed.map(drop));
        check_admitted(&self.read)?;
        if matches!(waited, Ok(Err(_))) {
            return Err(Failure::Other(Transport::Stopping, "the node is stopping".to_owned()));
        }
        let (revision, changes) = self.live.changes_after(self.revision).map_err(ended)?;
        self.wording.check_still(&self.read.services.reader.local(), &self.said)?;
        self.revision = revision;
        let told = changes.iter().map(|change| self.changed(change));
        Ok(told.chain([message(&self.read, revision, Kind::Progress, "", None)]).collect())
    }

    fn changed(&self, change: &Change) -> v1::WatchQueryResponse {
        let kind = kind(change.was_in, change.row.is_some());
        message(&self.read, change.revision, kind, &change.id, change.row.as_deref())
    }
}

pub(super) fn check_admitted(read: &Read) -> Result<(), Failure> {
    let services = &read.services;
    Ok(authorize::still(&read.caller, &services.reader, services.clock.now_ms())?)
}

pub(super) fn ended(end: FollowEnd) -> Failure {
    match end {
        FollowEnd::Behind => {
            let message = "this stream is too slow for what changes; go on with resume_revision";
            Failure::Other(Transport::QueueFull, message.to_owned())
        }
        FollowEnd::Failed(why) => Failure::Other(Transport::QueryBudget, why),
    }
}
