//! Questions to a peer, one at a time, over one kept stream: what heartbeats and read indexes travel on.
//!
//! ```text
//! ask -> question with id -> stream -> peer answers in order
//!     <- answer with id   <-        <-
//! ```
//!
//! A call of its own for each question costs several times as much: headers both ways, timers, a task. This file does not
//! know what is asked. Invariants:
//! - A stream on which a question failed, was late or was given up is never used again: no answer is taken for that to
//!   another question.
//! - A kept stream may have broken since, so a question that fails on one is asked once more on a new one, within the same
//!   deadline. What is asked this way must bear being asked twice.
//! - Nobody waits beyond the deadline, opening included; a peer that does not answer has said nothing.

use std::future::Future;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, Streaming};

use super::peers::{Client, Lane, Peer, deadline};
use crate::tasks::StopSignal;

/// One kind of question.
pub(super) trait Topic {
    type Question: Clone + Send + 'static;
    type Answer: Send + 'static;

    /// Opens the stream.
    fn open(
        client: &mut Client,
        questions: ReceiverStream<Self::Question>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Answer>>, Status>> + Send;

    /// Puts the id into a question.
    fn number(question: &mut Self::Question, id: u64);

    /// Which question an answer is for.
    fn answers(answer: &Self::Answer) -> u64;
}

/// A conversation with one peer.
pub(super) struct Dialogue<T: Topic> {
    kept: Option<Line<T>>,
    next_id: u64,
}

impl<T: Topic> Default for Dialogue<T> {
    fn default() -> Self {
        Self { kept: None, next_id: 0 }
    }
}

impl<T: Topic> Dialogue<T> {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What the peer says instead of an answer, or why it cannot be reached in time.
    pub(super) async fn ask(
        &mut self,
        peer: &Peer,
        limit: Duration,
        mut question: T::Question,
    ) -> Result<T::Answer, Status> {
        let id = self.next_id;
        self.next_id += 1;
        T::number(&mut question, id);
        // Taken out, so that it is gone when this ends in any other way than with an answer, even by being dropped.
        let kept = self.kept.take();
        let (line, answer) = deadline(limit, converse(kept, peer, question)).await?;
        self.kept = Some(line);
        if T::answers(&answer) == id {
            return Ok(answer);
        }
        self.kept = None;
        Err(Status::internal("the peer answered another question"))
    }
}

async fn converse<T: Topic>(
    kept: Option<Line<T>>,
    peer: &Peer,
    question: T::Question,
) -> Result<(Line<T>, T::Answer), Status> {
    if let Some(mut line) = kept
        && let Ok(answer) = line.ask(question.clone()).await
    {
        return Ok((line, answer));
    }
    let mut line = Line::open(peer, question).await?;
    let answer = line.answer().await?;
    Ok((line, answer))
}

/// An open stream.
struct Line<T: Topic> {
    questions: mpsc::Sender<T::Question>,
    answers: Streaming<T::Answer>,
}

impl<T: Topic> Line<T> {
    /// Opens a stream with its first question in it.
    async fn open(peer: &Peer, first: T::Question) -> Result<Self, Status> {
        let mut client = peer.client(Lane::Control).map_err(|error| Status::unavailable(error.to_string()))?;
        let (questions, receiver) = mpsc::channel(1);
        questions.try_send(first).map_err(|_| Status::internal("a new channel is full"))?;
        let answers = T::open(&mut client, ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Self { questions, answers })
    }

    async fn ask(&mut self, question: T::Question) -> Result<T::Answer, Status> {
        self.questions.send(question).await.map_err(|_| ended())?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<T::Answer, Status> {
        self.answers.message().await?.ok_or_else(ended)
    }
}

fn ended() -> Status {
    Status::unavailable("the peer ended the stream")
}

/// The other side: answers each question before it takes the next, until the stream ends or this node stops.
pub(super) fn answers<Q, A, F>(
    questions: Streaming<Q>,
    stop: StopSignal,
    answer: impl FnMut(Q) -> F + Send + 'static,
) -> impl Stream<Item = Result<A, Status>> + Send + 'static
where
    Q: Send + 'static,
    A: Send + 'static,
    F: Future<Output = Result<A, Status>> + Send + 'static,
{
    questions.and_then(answer).take_until(stop.stopped())
}
