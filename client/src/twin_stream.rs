//! A stream of patches as two halves: one sends, the other hears the answers, which come in the order sent.
//!
//! - At most [`IN_FLIGHT_MAX`] patches wait for their answer; then sending waits. Use the halves from two tasks, or hear
//!   an answer for each patch sent.
//! - A stream is bound to one node and is not repeated by itself. When it breaks, [`PatchReceiver::unanswered`] holds the
//!   patches whose outcome is unknown, with their request ids: send them again, on a new stream or one by one, and each
//!   takes effect once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::connection::Client;
use crate::error::CallError;
use crate::proto::{PatchTwinRequest, PatchTwinStreamResponse};
use crate::retry::{Mutation, Verdict, judge};
use crate::twins::stub;

/// Patches that may be without answer on one stream; the server stops reading at 4,096.
pub(crate) const IN_FLIGHT_MAX: usize = 1024;
const OPERATION: &str = "patch_twin_stream";

#[derive(Debug)]
struct Window {
    room: Semaphore,
    unanswered: Mutex<VecDeque<PatchTwinRequest>>,
}

/// The half that sends. Dropping it ends the stream; answers still come.
#[derive(Debug)]
pub struct PatchSender {
    patches: mpsc::Sender<PatchTwinRequest>,
    window: Arc<Window>,
    sent: u64,
}

/// The half that hears the answers.
#[derive(Debug)]
pub struct PatchReceiver {
    answers: Streaming<PatchTwinStreamResponse>,
    window: Arc<Window>,
    endpoint: String,
}

/// Opens a stream at the first endpoint that takes one; nothing was sent before, so trying again is safe.
pub(crate) async fn open(client: &Client) -> Result<(PatchSender, PatchReceiver), CallError> {
    let endpoints = &client.shared().endpoints;
    let policy = client.retry_policy();
    let deadline = tokio::time::Instant::now() + policy.deadline;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let node = endpoints.preferred();
        let (patches, outgoing) = mpsc::channel(IN_FLIGHT_MAX);
        let request = client.authorized(ReceiverStream::new(outgoing));
        let status =
            match tokio::time::timeout(policy.attempt_timeout, stub(node.channel.clone()).patch_twin_stream(request))
                .await
            {
                Ok(Ok(answers)) => {
                    let window = Arc::new(Window { room: Semaphore::new(IN_FLIGHT_MAX), unanswered: Mutex::default() });
                    let sender = PatchSender { patches, window: Arc::clone(&window), sent: 0 };
                    let endpoint = node.address.clone();
                    return Ok((sender, PatchReceiver { answers: answers.into_inner(), window, endpoint }));
                }
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded(format!("no answer within {:?}", policy.attempt_timeout)),
            };
        let wait = policy.wait(attempts, None);
        let again = attempts < policy.attempts_max && tokio::time::Instant::now() + wait < deadline;
        // Opening has no effect, so it is judged as a read.
        if judge(crate::retry::Kind::Read, &status) == Verdict::Final || !again {
            return Err(CallError::new(OPERATION, false, &node.address, attempts, &status));
        }
        client.leave(&node);
        tokio::time::sleep(wait).await;
    }
}

impl PatchSender {
    /// Sends a patch, with a request id of its own if it has none, and returns its position on the stream, from 0.
    /// Waits while too many are without answer.
    ///
    /// # Errors
    /// Gives the patch back when the stream has ended; the receiver says why.
    pub async fn send(&mut self, mut patch: PatchTwinRequest) -> Result<u64, Box<PatchTwinRequest>> {
        patch.name_itself();
        let Ok(room) = self.window.room.acquire().await else { return Err(Box::new(patch)) };
        let Ok(slot) = self.patches.reserve().await else { return Err(Box::new(patch)) };
        // The receiver gives the room back with the answer.
        room.forget();
        self.window.unanswered.lock().unwrap_or_else(PoisonError::into_inner).push_back(patch.clone());
        slot.send(patch);
        self.sent += 1;
        Ok(self.sent - 1)
    }
}

impl PatchReceiver {
    /// The next answer; `None` when the sender is gone and all is answered.
    ///
    /// # Errors
    /// When the stream broke; see [`Self::unanswered`].
    pub async fn next(&mut self) -> Result<Option<PatchTwinStreamResponse>, CallError> {
        match self.answers.message().await {
            Ok(Some(answer)) => {
                self.window.unanswered.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                self.window.room.add_permits(1);
                Ok(Some(answer))
            }
            Ok(None) => {
                self.window.room.close();
                Ok(None)
            }
            Err(status) => {
                self.window.room.close();
                Err(CallError::new(OPERATION, true, &self.endpoint, 1, &status))
            }
        }
    }

    /// Patches that were sent and not answered, in order, with the request ids they went out with.
    #[must_use]
    pub fn unanswered(&self) -> Vec<PatchTwinRequest> {
        self.window.unanswered.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Drop for PatchReceiver {
    fn drop(&mut self) {
        // Nobody will make room any more.
        self.window.room.close();
    }
}
