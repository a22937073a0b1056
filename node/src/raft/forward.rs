//! The sending side of forwarding: many small requests to one peer over one kept stream, batched by themselves.
//!
//! ```text
//! callers -> queue (bounded by permits) -> batch -> stream -> peer
//! callers <- by id                      <- batch <- stream <-
//! ```
//!
//! This file does not know what a request says. Invariants:
//! - Each caller learns whether its request was surely not sent, surely answered, or neither.
//! - No more requests, and no more bytes of them, are under way to one peer than there are permits; the caller beyond is told so at once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use muster_proto::peer::v1 as wire;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::peers::{Lane, Peer};
use crate::tasks;

/// The other node's answer was no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused with code {code}: {message}")]
pub struct ForwardRejected {
    /// A gRPC status code.
    pub code: i32,
    /// For people.
    pub message: String,
    /// Encoded `google.rpc.Status` details.
    pub details: Bytes,
}

/// What became of a forwarded request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ForwardError {
    /// It never reached the peer; it may be sent again, anywhere.
    #[error("the request was not sent: {0}")]
    NotSent(String),
    /// It was sent and may have had its effect, or may still have it.
    #[error("the outcome of the request is unknown: {0}")]
    UnknownOutcome(String),
    /// Too many requests are under way; not sent.
    #[error("too many forwarded requests are waiting for an answer")]
    Busy,
    /// The peer's handler answered, with a refusal.
    #[error(transparent)]
    Rejected(#[from] ForwardRejected),
}

type Answer = oneshot::Sender<Result<Bytes, ForwardError>>;

/// A request's share of both bounds, given back when it is answered.
struct InFlight {
    _count: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

struct Pending {
    payload: Bytes,
    answer: Answer,
    permit: InFlight,
}

/// The stream to one peer, opened when first needed and again after it broke.
pub(super) struct ForwardLink {
    permits: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
    queue: Mutex<Option<mpsc::Sender<Pending>>>,
    capacity: usize,
}

/// Bounds of one message.
const BATCH_ITEMS: usize = 512;
const BATCH_BYTES: usize = 1 << 20;
/// How long opening a stream may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

impl ForwardLink {
    pub(super) fn new(in_flight_max: usize, in_flight_bytes: usize) -> Self {
        let capacity = in_flight_max.max(1);
        // On 32 bits a semaphore holds a little less than 2^29 permits.
        let bytes_max = u32::try_from(in_flight_bytes.clamp(1, 256 << 20)).expect("at most 2^28");
        Self {
            permits: Arc::new(Semaphore::new(capacity)),
            bytes: Arc::new(Semaphore::new(bytes_max as usize)),
            bytes_max,
            queue: Mutex::new(None),
            capacity,
        }
    }

    pub(super) async fn send(&self, peer: &Arc<Peer>, payload: Bytes, limit: Duration) -> Result<Bytes, ForwardError> {
        let count = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| ForwardError::Busy)?;
        // One that is larger than the whole bound may still go, alone.
        let size = u32::try_from(payload.len()).map_or(self.bytes_max, |size| size.min(self.bytes_max));
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(size).map_err(|_| ForwardError::Busy)?;
        let permit = InFlight { _count: count, _bytes: bytes };
        let (answer, answered) = oneshot::channel();
        let pending = Pending { payload, answer, permit };
        // There is room for every permit, so a failure means that the stream's task has just ended.
        if let Err(unsent) = self.queue(peer, false).try_send(pending)
            && self.queue(peer, true).try_send(unsent.into_inner()).is_err()
        {
            return Err(ForwardError::NotSent("the stream ended".to_owned()));
        }
        match tokio::time::timeout(limit, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ForwardError::UnknownOutcome("the stream ended".to_owned())),
            Err(_) => Err(ForwardError::UnknownOutcome(format!("no answer within {limit:?}"))),
        }
    }

    fn queue(&self, peer: &Arc<Peer>, anew: bool) -> mpsc::Sender<Pending> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match &*queue {
            Some(queue) if !queue.is_closed() || !anew => queue.clone(),
            _ => {
                let (sender, receiver) = mpsc::channel(self.capacity);
                tasks::spawn("forward", run(Arc::clone(peer), receiver));
                *queue = Some(sender.clone());
                sender
            }
        }
    }
}

/// Serves one stream until it breaks or the link is dropped.
async fn run(peer: Arc<Peer>, mut queue: mpsc::Receiver<Pending>) {
    let opened = open(&peer).await;
    // From here on the peer may be replaced or removed, which ends this task.
    drop(peer);
    let mut waiting = HashMap::new();
    let reason = match opened {
        Ok((requests, replies)) => converse(&mut queue, requests, replies, &mut waiting).await,
        Err(status) => status.message().to_owned(),
    };
    for (_, (answer, _)) in waiting.drain() {
        give(answer, Err(ForwardError::UnknownOutcome(reason.clone())));
    }
    queue.close();
    while let Some(pending) = queue.recv().await {
        give(pending.answer, Err(ForwardError::NotSent(reason.clone())));
    }
}

async fn open(peer: &Peer) -> Result<(mpsc::Sender<wire::ForwardRequest>, Streaming<wire::ForwardReply>), Status> {
    let mut client = peer.client(Lane::Forward).map_err(|error| Status::unavailable(error.to_string()))?;
    let (sender, receiver) = mpsc::channel(8);
    let reply = super::peers::deadline(OPEN_TIMEOUT, client.forward(ReceiverStream::new(receiver))).await?;
    Ok((sender, reply.into_inner()))
}

/// Sends what is queued and hands out what comes back. Returns why the stream ended.
async fn converse(
    queue: &mut mpsc::Receiver<Pending>,
    requests: mpsc::Sender<wire::ForwardRequest>,
    mut replies: Streaming<wire::ForwardReply>,
    waiting: &mut HashMap<u64, (Answer, InFlight)>,
) -> String {
    let mut next_id = 0;
    let mut ready = Vec::with_capacity(BATCH_ITEMS);
    let mut outgoing = VecDeque::new();
    loop {
        // Replies are read even while the peer takes no more requests: both sides waiting to write would be a deadlock.
        tokio::select! {
            reply = replies.message() => match reply {
                Ok(Some(reply)) => reply.results.into_iter().for_each(|result| answer(waiting, result)),
                Ok(None) => return "the peer ended the stream".to_owned(),
                Err(status) => return status.message().to_owned(),
            },
            room = requests.reserve(), if !outgoing.is_empty() => match (room, outgoing.pop_front()) {
                (Ok(room), Some(request)) => room.send(request),
                _ => return "the peer ended the stream".to_owned(),
            },
            count = queue.recv_many(&mut ready, BATCH_ITEMS), if outgoing.is_empty() => {
                if count == 0 {
                    return "this node closed the stream".to_owned();
                }
                outgoing.extend(batches(&mut ready, &mut next_id, waiting));
            }
        }
    }
}

/// Splits what is ready into messages of bounded size and notes who waits for which answer.
fn batches(
    ready: &mut Vec<Pending>,
    next_id: &mut u64,
    waiting: &mut HashMap<u64, (Answer, InFlight)>,
) -> Vec<wire::ForwardRequest> {
    let mut out = vec![wire::ForwardRequest::default()];
    let mut bytes = 0;
    for Pending { payload, answer, permit } in ready.drain(..) {
        if bytes + payload.len() > BATCH_BYTES && bytes > 0 {
            out.push(wire::ForwardRequest::default());
            bytes = 0;
        }
        bytes += payload.len();
        let id = *next_id;
        *next_id += 1;
        waiting.insert(id, (answer, permit));
        if let Some(batch) = out.last_mut() {
            batch.items.push(wire::ForwardItem { id, payload });
        }
    }
    out
}

fn answer(waiting: &mut HashMap<u64, (Answer, InFlight)>, result: wire::ForwardResult) {
    let Some((answer, permit)) = waiting.remove(&result.id) else { return };
    // Before the answer: whoever gets it may use the room at once.
    drop(permit);
    give(
        answer,
        match result.result {
            Some(wire::forward_result::Result::Payload(payload)) => Ok(payload),
            Some(wire::forward_result::Result::Rejection(no)) => {
                if no.code == tonic::Code::ResourceExhausted as i32 && no.details.is_empty() && no.message == BUSY {
                    Err(ForwardError::Busy)
                } else {
                    let wire::ForwardRejection { code, message, details } = no;
                    Err(ForwardError::Rejected(ForwardRejected { code, message, details }))
                }
            }
            None => Err(ForwardError::UnknownOutcome("the answer was empty".to_owned())),
        },
    );
}

/// What a node says that has no room for another forwarded request.
pub(super) const BUSY: &str = "too many forwarded requests are under way";

/// A caller that no longer waits does not matter.
fn give(answer: Answer, result: Result<Bytes, ForwardError>) {
    answer.send(result).ok();
}
