//! Live queries of whole answers: told again whenever they are others. It knows no columns and no log.

use std::sync::Arc;

use futures::stream;
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;

use super::query::{columns, namespace, question, view_of};
use super::query_text::{Said, Wording};
use super::query_watch::{Messages, PROGRESS, check_admitted, ended, live_place};
use super::read::Read;
use super::status::{Failure, Transport};
use crate::queries::{FollowEnd, LiveTotal, Place, Total};

/// The messages of an answer.
pub(super) async fn answers(
    read: Read,
    request: v1::WatchQueryRequest,
) -> Result<Messages<v1::WatchAggregateResponse>, Failure> {
    let namespace = namespace(&read, &request.parent)?;
    if request.resume_revision != 0 {
        let message = "resume_revision has no meaning here: every message is the whole answer";
        return Err(Rejection::new(Reason::InvalidField, "resume_revision", message).into());
    }
    let wording = Wording::of(&namespace, &request.text, &request.saved_query)?;
    let place = live_place(&read)?;
    let view = view_of(&read, &namespace, request.read).await?;
    let said = wording.said(&view)?;
    let question = question(&read, &namespace, &said, None)?;
    if question.plan.as_of.is_some() {
        let message = format!("AS OF has no meaning in a live query:\n{}", said.text);
        return Err(Failure::At { transport: Transport::QueryInvalid, field: said.field().to_owned(), message });
    }
    let columns = columns(&question.plan);
    let services = Arc::clone(&read.services);
    let total = services.queries.live_total(&services.reader, &view, question, &said.text).await?;
    let mut latest = total.latest();
    // The first answer is told at once.
    latest.mark_changed();
    let following = Following { _place: place, _total: total, read, wording, said, columns, latest, told: None };
    let messages = stream::unfold(Some(following), |following| async move {
        let mut following = following?;
        match following.next().await {
            Ok(message) => Some((Ok(message), Some(following))),
            Err(failure) => Some((Err(Status::from(failure)), None)),
        }
    });
    Ok(Box::pin(messages))
}

struct Following {
    _place: Place,
    /// Kept up to date as long as it is held.
    _total: Arc<LiveTotal>,
    read: Read,
    wording: Wording,
    said: Said,
    columns: Vec<String>,
    latest: watch::Receiver<Total>,
    /// The rows told last.
    told: Option<Arc<Vec<String>>>,
}

impl Following {
    /// Waits until the answer is another one, or until it is time to say that it is not.
    async fn next(&mut self) -> Result<v1::WatchAggregateResponse, Failure> {
        if let Ok(Err(_)) = timeout(PROGRESS, self.latest.changed()).await {
            return Err(Failure::Other(Transport::Stopping, "the node is stopping".to_owned()));
        }
        check_admitted(&self.read)?;
        let Total { revision, rows, failed } = self.latest.borrow_and_update().clone();
        if let Some(why) = failed {
            return Err(ended(FollowEnd::Failed(why.to_string())));
        }
        self.wording.check_still(&self.read.services.reader.local(), &self.said)?;
        let is_other = self.told.as_ref().is_none_or(|told| !Arc::ptr_eq(told, &rows));
        self.told = Some(Arc::clone(&rows));
        Ok(v1::WatchAggregateResponse {
            header: self.read.header(revision),
            columns: self.columns.clone(),
            rows_json: if is_other { rows.to_vec() } else { Vec::new() },
            unchanged: !is_other,
        })
    }
}
