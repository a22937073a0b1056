//! Live queries that outlive nodes: a stream that breaks is opened again elsewhere, from the revision it had told completely.
//!
//! - A change may be told again after a break, as the same row; folding what is told gives the answer, whole, at each progress.
//! - What cannot be mended is an error and ends the watcher: a refusal, or a revision below the floor (`COMPACTED`).

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::{Status, Streaming};

use crate::connection::Client;
use crate::error::CallError;
use crate::proto;
use crate::proto::watch_query_response::Kind as Told;
use crate::retry::{Kind, Verdict, judge};

const OPERATION: &str = "watch a query";
/// A node that is alive tells something at least every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);

impl Client {
    /// Follows a query; see [`proto::WatchQueryRequest`]. Nothing is connected before [`QueryWatcher::next`].
    #[must_use]
    pub fn watch_query(&self, request: proto::WatchQueryRequest) -> QueryWatcher {
        QueryWatcher { client: self.clone(), request, stream: None, attempts: 0, since: None }
    }
}

/// One live query, over as many streams as it takes.
#[derive(Debug)]
pub struct QueryWatcher {
    client: Client,
    request: proto::WatchQueryRequest,
    stream: Option<Open>,
    attempts: u32,
    since: Option<Instant>,
}

#[derive(Debug)]
struct Open {
    answers: Streaming<proto::WatchQueryResponse>,
    node: std::sync::Arc<crate::endpoints::Node>,
}

impl QueryWatcher {
    /// The next message; waits for it. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the server refuses, or when no endpoint answers within the client's deadline.
    pub async fn next(&mut self) -> Result<proto::WatchQueryResponse, CallError> {
        loop {
            match self.receive().await {
                Ok(message) => {
                    (self.attempts, self.since) = (0, None);
                    if message.kind() == Told::Progress {
                        let header = message.header.as_ref();
                        self.request.resume_revision = header.map_or(0, |header| header.revision);
                    }
                    return Ok(message);
                }
                Err((endpoint, status)) => self.recover(&endpoint, &status).await?,
            }
        }
    }

    async fn receive(&mut self) -> Result<proto::WatchQueryResponse, (String, Status)> {
        if self.stream.is_none() {
            self.stream = Some(self.open().await?);
        }
        let Some(open) = &mut self.stream else { return Err((String::new(), Status::internal("no stream"))) };
        let failed = match timeout(SILENCE, open.answers.message()).await {
            Ok(Ok(Some(message))) => return Ok(message),
            Ok(Ok(None)) => Status::unavailable("the node ended the stream"),
            Ok(Err(status)) => status,
            Err(_) => Status::unavailable(format!("nothing was heard for {SILENCE:?}")),
        };
        let endpoint = open.node.address.clone();
        self.stream = None;
        Err((endpoint, failed))
    }

    async fn open(&self) -> Result<Open, (String, Status)> {
        let node = self.client.shared().endpoints.preferred();
        // The first answer may take as long as a query may.
        let limit = self.client.retry_policy().deadline;
        let mut stub = proto::query_service_client::QueryServiceClient::new(node.channel.clone())
            .max_decoding_message_size(crate::MESSAGE_BYTES_MAX);
        match timeout(limit, stub.watch(self.client.authorized(self.request.clone()))).await {
            Ok(Ok(answers)) => Ok(Open { answers: answers.into_inner(), node }),
            Ok(Err(status)) => Err((node.address.clone(), status)),
            Err(_) => Err((node.address.clone(), Status::deadline_exceeded(format!("no answer within {limit:?}")))),
        }
    }

    /// Waits as long as it makes sense before the next try.
    async fn recover(&mut self, endpoint: &str, status: &Status) -> Result<(), CallError> {
        let policy = self.client.retry_policy().clone();
        let endpoints = &self.client.shared().endpoints;
        self.attempts += 1;
        let deadline = *self.since.get_or_insert_with(Instant::now) + policy.deadline;
        let rounds = self.attempts / u32::try_from(endpoints.count()).unwrap_or(1).max(1);
        let wait = match judge(Kind::Read, status) {
            Verdict::Final => None,
            Verdict::Later(delay) => Some(policy.wait(rounds, Some(delay))),
            Verdict::Elsewhere => {
                let node = endpoints.preferred();
                if node.address == endpoint {
                    endpoints.leave(&node);
                }
                Some(if rounds == 0 { Duration::ZERO } else { policy.wait(rounds - 1, None) })
            }
        };
        match wait {
            Some(wait) if Instant::now() + wait < deadline => {
                sleep(wait).await;
                Ok(())
            }
            _ => Err(CallError::new(OPERATION, false, endpoint, self.attempts, status)),
        }
    }
}
