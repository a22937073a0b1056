//! A stream of messages over as many nodes as it takes: one that breaks is opened again elsewhere.
//!
//! It knows no messages: what a new stream has to be asked for, so that nothing is missing or told twice, is known by those who
//! use it (`watches.rs`, `query_watches.rs`). What cannot be mended is an error.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::{Response, Status, Streaming};

use crate::connection::Client;
use crate::endpoints::Node;
use crate::error::CallError;
use crate::retry::{Kind, Verdict, judge};

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For the beginning of an answer.
    pub(crate) opening: Duration,
    /// For each message.
    pub(crate) silence: Duration,
}

#[derive(Debug)]
pub(crate) struct Resumed<M> {
    client: Client,
    operation: &'static str,
    open: Option<(Streaming<M>, Arc<Node>)>,
    /// Tries since the last message, and since when.
    attempts: u32,
    since: Option<Instant>,
}

/// Where and how a stream broke.
type Broken = (String, Status);

impl<M> Resumed<M> {
    /// Nothing is connected yet.
    pub(crate) fn new(client: Client, operation: &'static str) -> Self {
        Self { client, operation, open: None, attempts: 0, since: None }
    }

    /// The next message; waits for it. `call` opens a stream at a node. Dropping the future loses nothing.
    pub(crate) async fn next<F>(&mut self, patience: Patience, call: impl Fn(Arc<Node>) -> F) -> Result<M, CallError>
    where
        F: Future<Output = Result<Response<Streaming<M>>, Status>>,
    {
        loop {
            match self.receive(patience, &call).await {
                Ok(message) => {
                    (self.attempts, self.since) = (0, None);
                    return Ok(message);
                }
                Err((endpoint, status)) => self.recover(&endpoint, &status).await?,
            }
        }
    }

    async fn receive<F>(&mut self, patience: Patience, call: &impl Fn(Arc<Node>) -> F) -> Result<M, Broken>
    where
        F: Future<Output = Result<Response<Streaming<M>>, Status>>,
    {
        let (answers, node) = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => {
                let node = self.client.shared().endpoints.preferred();
                let opened = timeout(patience.opening, call(Arc::clone(&node))).await;
                let late = || Status::deadline_exceeded(format!("no answer within {:?}", patience.opening));
                let answers = opened.map_err(|_| late()).flatten().map_err(|status| (node.address.clone(), status))?;
                self.open.insert((answers.into_inner(), node))
            }
        };
        let failed = match timeout(patience.silence, answers.message()).await {
            Ok(Ok(Some(message))) => return Ok(message),
            Ok(Ok(None)) => Status::unavailable("the node ended the stream"),
            Ok(Err(status)) => status,
            Err(_) => Status::unavailable(format!("nothing was heard for {:?}", patience.silence)),
        };
        let endpoint = node.address.clone();
        self.open = None;
        Err((endpoint, failed))
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
                    self.client.leave(&node);
                }
                Some(if rounds == 0 { Duration::ZERO } else { policy.wait(rounds - 1, None) })
            }
        };
        match wait {
            Some(wait) if Instant::now() + wait < deadline => {
                sleep(wait).await;
                Ok(())
            }
            _ => Err(CallError::new(self.operation, false, endpoint, self.attempts, status)),
        }
    }
}
