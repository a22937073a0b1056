//! `QueryService`: queries over a namespace. Live queries have a file of their own beside this one.
//!
//! It knows no language and no columns; [`crate::queries`] does. A caller may ask for a namespace when it may read all of it.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, stream};
use muster_domain::policy::ReadScope;
use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::query_service_server::QueryService;
use muster_query::plan::{Output, Plan};
use muster_query::{Position, QueryError, Scope};
use tonic::{Request, Response, Status};

use super::aggregate;
use super::fields;
use super::pages::{Asked, Page};
use super::query_text::{Said, Wording};
use super::query_watch;
use super::query_watch_aggregate;
use super::read::Read;
use super::status::{Failure, Transport};
use crate::node::Services;
use crate::queries::{AnswerError, Answered, Question, shown, shown_id};
use crate::read::View;
use crate::views::Which;

/// Stored bytes of one page at most, unless a single row is larger: answers stay below the 4 MiB that clients take by default.
pub(super) const PAGE_BYTES_MAX: usize = 3 << 20;
/// Differences of one answer at most.
const DIFFERENCES_MAX: i32 = 10_000;
const DIFFERENCES_DEFAULT: usize = 1_000;
/// The name that tokens and kept answers are bound to.
const RPC: &str = "Query";
/// Paths of one answer.
const PATHS_MAX: i32 = 1_000;
const PATHS_DEFAULT: usize = 100;

/// Queries.
pub(crate) struct QueryApi(pub(crate) Arc<Services>);

type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl QueryService for QueryApi {
    async fn query(&self, request: Request<v1::QueryRequest>) -> Result<Response<v1::QueryResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(page(&read, request).await?))
    }

    type QueryStreamStream = Streaming<v1::QueryResponse>;

    async fn query_stream(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> Result<Response<Self::QueryStreamStream>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(whole(read, request).await?))
    }

    async fn explain(&self, request: Request<v1::ExplainRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(explain(&read, request).await?))
    }

    type WatchStream = Streaming<v1::WatchQueryResponse>;

    async fn watch(&self, request: Request<v1::WatchQueryRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(query_watch::rows(read, request).await?))
    }

    type WatchAggregateStream = Streaming<v1::WatchAggregateResponse>;

    async fn watch_aggregate(
        &self,
        request: Request<v1::WatchQueryRequest>,
    ) -> Result<Response<Self::WatchAggregateStream>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(query_watch_aggregate::answers(read, request).await?))
    }

    async fn diff(&self, request: Request<v1::DiffQueryRequest>) -> Result<Response<v1::DiffQueryResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(diff(&read, request).await?))
    }

    async fn aggregate(
        &self,
        request: Request<v1::AggregateRequest>,
    ) -> Result<Response<v1::AggregateResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(aggregate::groups(&read, request).await?))
    }

    async fn list_paths(
        &self,
        request: Request<v1::ListPathsRequest>,
    ) -> Result<Response<v1::ListPathsResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(paths(&read, request).await?))
    }
}

/// The namespace that is asked, if the caller may read all of it.
pub(super) fn namespace(read: &Read, parent: &str) -> Result<String, Failure> {
    let namespace = fields::namespace("parent", parent)?;
    read.allow(ReadScope::Namespace(&namespace))?;
    Ok(namespace)
}

/// The question of a text.
pub(super) fn question(read: &Read, namespace: &str, said: &Said, now_ms: Option<u64>) -> Result<Question, Failure> {
    let compiled = read.services.queries.compile(namespace, &said.text, now_ms);
    compiled.map_err(|error| invalid(&error, said.field(), &said.text))
}

/// A mistake in the text of a field, shown at its place.
pub(super) fn invalid(error: &QueryError, field: impl Into<String>, text: &str) -> Failure {
    Failure::At { transport: Transport::QueryInvalid, field: field.into(), message: error.render(text) }
}

/// A view as fresh as asked in which the namespace exists.
pub(super) async fn view_of(read: &Read, namespace: &str, options: Option<v1::ReadOptions>) -> Result<View, Failure> {
    let view = read.view(options).await?;
    let parent = Key::Namespace(namespace.to_owned());
    if view.get(&parent)?.is_none() {
        return Err(Rejection { field: "parent".to_owned(), ..Rejection::not_found(&parent) }.into());
    }
    Ok(view)
}

async fn page(read: &Read, request: v1::QueryRequest) -> Result<v1::QueryResponse, Failure> {
    let namespace = namespace(read, &request.parent)?;
    let wording = Wording::of(&namespace, &request.text, &request.saved_query)?;
    let filters = [request.parent.as_str(), &request.text, &request.saved_query];
    let filters = if request.saved_query.is_empty() { &filters[..2] } else { &filters };
    let asked =
        Asked { rpc: RPC, filters, page_size: request.page_size, page_token: &request.page_token, read: request.read };
    let page = Page::open(read, asked).await?;
    let (row, now_ms, said_at, pinned) = match page.position {
        Some(Position::AtRow { row, now_ms }) => (row, Some(now_ms), None, Some(page.revision)),
        Some(Position::AtSavedRow { row, now_ms, said_at }) => (row, Some(now_ms), Some(said_at), Some(page.revision)),
        _ => (0, None, None, None),
    };
    let from = usize::try_from(row).unwrap_or(usize::MAX);
    page.check_pinned()?;
    if from == 0 {
        page.check_parent(&Key::Namespace(namespace.clone()))?;
    }
    let said = match said_at {
        Some(revision) => wording.said_at(read, revision).await?,
        None => wording.said(&page.view)?,
    };
    let queries = &read.services.queries;
    let question = question(read, &namespace, &said, now_ms)?;
    let now_ms = question.now_ms;
    // By the text itself: a saved query says another one before and after a change.
    let known = Scope::new(RPC, &read.caller.principal.actor(), &[&request.parent, &said.text]).hash();
    let kept = pinned.and_then(|revision| queries.kept().get(&(known, revision, now_ms)));
    let answered = match kept {
        Some(answered) => answered,
        None => queries.answer(&page.view, question, pinned).await?,
    };
    let revision = answered.taken.revision;
    let (rows, taken) = read_rows(read, &answered, from, page.size).await?;
    let (next, key) = (from + taken, (known, revision, now_ms));
    let next_page_token = if next < answered.selection.len() {
        if pinned.is_none() || queries.kept().get(&key).is_none() {
            queries.kept().put(key, Arc::clone(&answered));
        }
        let row = next as u64;
        let position = match said.at {
            Some(said_at) => Position::AtSavedRow { row, now_ms, said_at },
            None => Position::AtRow { row, now_ms },
        };
        page.told_at(revision).next_token(Some(position))?
    } else {
        queries.kept().remove(&key);
        String::new()
    };
    let columns = columns(&answered.question.plan);
    Ok(v1::QueryResponse { header: read.header(revision), columns, rows_json: rows, next_page_token })
}

/// Up to `most` rows as JSON, and how many of the answer that are. Fewer when their bytes fill a message.
async fn read_rows(
    read: &Read,
    answered: &Arc<Answered>,
    from: usize,
    most: usize,
) -> Result<(Vec<String>, usize), Failure> {
    let found = read.services.queries.rows(answered, from, from.saturating_add(most)).await?;
    let (mut rows, mut bytes) = (Vec::with_capacity(found.len()), 0);
    for row in found {
        let json = shown(&row.value);
        bytes += json.len();
        if bytes > PAGE_BYTES_MAX && !rows.is_empty() {
            break;
        }
        rows.push(json);
    }
    let taken = rows.len();
    Ok((rows, taken))
}

/// The names of the members that rows can have.
pub(super) fn columns(plan: &Plan) -> Vec<String> {
    match &plan.output {
        Output::Documents => Vec::new(),
        Output::Rows(elements) | Output::Groups { elements, .. } => {
            elements.iter().map(|element| element.name.clone()).collect()
        }
    }
}

async fn whole(read: Read, request: v1::QueryRequest) -> Result<Streaming<v1::QueryResponse>, Failure> {
    let namespace = namespace(&read, &request.parent)?;
    if !request.page_token.is_empty() {
        return Err(Rejection::new(Reason::InvalidField, "page_token", "page_token must be empty for a stream").into());
    }
    let size = match request.page_size {
        0 => read.services.settings.page_items_max,
        size => fields::page_size(size, read.services.settings.page_items_max)?,
    };
    let wording = Wording::of(&namespace, &request.text, &request.saved_query)?;
    let view = view_of(&read, &namespace, request.read).await?;
    let question = question(&read, &namespace, &wording.said(&view)?, None)?;
    let answered = read.services.queries.answer(&view, question, None).await?;
    let columns = columns(&answered.question.plan);
    let messages = stream::unfold(Some(0), move |from| {
        let (read, answered, columns) = (
            Read { services: Arc::clone(&read.services), caller: read.caller.clone() },
            Arc::clone(&answered),
            columns.clone(),
        );
        async move {
            let from = from?;
            // An answer without rows is one message, so that its revision is told.
            if from > 0 && from >= answered.selection.len() {
                return None;
            }
            let header = read.header(answered.taken.revision);
            match read_rows(&read, &answered, from, size).await {
                Ok((rows_json, taken)) => {
                    let next = from + taken;
                    let more = taken > 0 && next < answered.selection.len();
                    let message = v1::QueryResponse { header, columns, rows_json, next_page_token: String::new() };
                    Some((Ok(message), more.then_some(next)))
                }
                Err(failure) => Some((Err(Status::from(failure)), None)),
            }
        }
    });
    Ok(Box::pin(messages))
}

async fn explain(read: &Read, request: v1::ExplainRequest) -> Result<v1::ExplainResponse, Failure> {
    let namespace = namespace(read, &request.parent)?;
    let wording = Wording::of(&namespace, &request.text, &request.saved_query)?;
    let view = view_of(read, &namespace, request.read).await?;
    let said = wording.said(&view)?;
    let question = question(read, &namespace, &said, None)?;
    let queries = &read.services.queries;
    queries.ready().await?;
    let (mut revision, explanation) = queries.explain(&view, &question)?;
    let watchable_rows = query_watch::check_rows(&question.plan, &said).is_ok();
    let mut cost = None;
    if request.analyze {
        let answered = queries.answer(&view, question, None).await?;
        revision = answered.taken.revision;
        let spent = answered.cost();
        cost = Some(v1::QueryCost {
            rows_total: spent.rows_total as u64,
            rows_matched: spent.rows_matched as u64,
            rows_answered: answered.selection.len() as u64,
            documents_read: spent.documents_read as u64,
            took_micros: u64::try_from(answered.took.as_micros()).unwrap_or(u64::MAX),
            memory_bytes: spent.memory_bytes as u64,
        });
    }
    let (plan, residual) = (explanation.plan, explanation.residual);
    Ok(v1::ExplainResponse { header: read.header(revision), plan, residual, cost, watchable_rows })
}

async fn diff(read: &Read, request: v1::DiffQueryRequest) -> Result<v1::DiffQueryResponse, Failure> {
    let namespace = namespace(read, &request.parent)?;
    let limit = bounded("limit", request.limit, DIFFERENCES_MAX, DIFFERENCES_DEFAULT)?;
    let wording = Wording::of(&namespace, &request.text, &request.saved_query)?;
    let view = view_of(read, &namespace, None).await?;
    let to = if request.to_revision == 0 { view.revision() } else { request.to_revision };
    if request.from_revision == 0 || request.from_revision > to {
        let message = format!("from_revision is required, and at most to_revision, which is {to}");
        return Err(Rejection::new(Reason::InvalidField, "from_revision", message).into());
    }
    let said = wording.said(&view)?;
    let question = question(read, &namespace, &said, None)?;
    query_watch::check_rows(&question.plan, &said)?;
    let queries = &read.services.queries;
    let (before, after) = (
        queries.answer(&view, question.clone(), Some(request.from_revision)).await?,
        queries.answer(&view, question, Some(to)).await?,
    );
    let found = query_watch::differences(queries, &before, &after, limit + 1).await?;
    let truncated = found.len() > limit;
    let differences = found.into_iter().take(limit).map(|found| v1::RowDifference {
        id: shown_id(&found.id),
        before_json: found.before.unwrap_or_default(),
        after_json: found.after.unwrap_or_default(),
    });
    let differences = differences.collect();
    Ok(v1::DiffQueryResponse { header: read.header(to), differences, truncated })
}

async fn paths(read: &Read, request: v1::ListPathsRequest) -> Result<v1::ListPathsResponse, Failure> {
    let namespace = namespace(read, &request.parent)?;
    let limit = bounded("limit", request.limit, PATHS_MAX, PATHS_DEFAULT)?;
    let name = request.collection.to_ascii_lowercase();
    let Some(which) = Which::named(&name) else {
        let message = "collection must be devices, devices.modules or assets";
        return Err(Rejection::new(Reason::InvalidField, "collection", message).into());
    };
    let view = view_of(read, &namespace, None).await?;
    read.services.queries.ready().await?;
    let snapshot = read.services.queries.views().snapshot(&namespace, &[which]);
    let prefix = request.prefix;
    let found = view.beside(move |_| {
        let columns = snapshot.tables.iter().flat_map(|table| table.columns());
        let mut found: Vec<(String, u64)> = columns
            .map(|column| (muster_query::syntax::path_text(&column.path), column.rows as u64))
            .filter(|(path, rows)| *rows > 0 && path.starts_with(&prefix))
            .collect();
        found.sort();
        found.truncate(limit);
        Ok((snapshot.position.revision, found))
    });
    let (revision, found) = found.await?;
    let paths = found.into_iter().map(|(path, rows)| v1::PathSummary { path, rows }).collect();
    Ok(v1::ListPathsResponse { header: read.header(revision), paths })
}

pub(super) fn bounded(field: &str, value: i32, most: i32, default: usize) -> Result<usize, Rejection> {
    match usize::try_from(value) {
        Ok(0) => Ok(default),
        Ok(size) if value <= most => Ok(size),
        _ => Err(Rejection::new(Reason::InvalidField, field, format!("{field} must be 0 to {most}, is {value}"))),
    }
}

impl From<AnswerError> for Failure {
    fn from(error: AnswerError) -> Self {
        let message = error.to_string();
        match error {
            AnswerError::Query(_) => Self::Other(Transport::QueryInvalid, message),
            AnswerError::Budget(_) => Self::Other(Transport::QueryBudget, message),
            AnswerError::Compacted { revision, floor } => Self::Compacted { field: "text".to_owned(), revision, floor },
            AnswerError::Future { .. } => {
                Self::At { transport: Transport::RevisionInFuture, field: "text".to_owned(), message }
            }
            AnswerError::NotReady => Self::Other(Transport::ViewsNotReady, message),
            AnswerError::Scan(error) => error.into(),
        }
    }
}
