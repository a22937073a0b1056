//! Operations on their way up: into the queue, over the link, and out of the queue with their results.
//!
//! - An operation that was not sent yet is numbered by its place, so one may be dropped without leaving a gap. The highest
//!   number that may have been sent is written before it is: a restarted agent drops nothing that may be on its way.
//! - Results and what they let the edge forget are one write.

use muster_planted::{self as planted, Bug};
use muster_proto::stored::v1::EdgeAgentQueued;
use muster_proto::v1;
use muster_proto::v1::sync_request::Message;
use prost::Message as _;

use super::{Protocol, QueuePolicy, Step, Write};
use crate::queue::Entry;

/// Operations in one message.
const FRAME_OPERATIONS_MAX: usize = 256;
/// Bytes of operations in one message; the limit is 1 MiB with everything around them.
const FRAME_BYTES_MAX: usize = 1_000_000;
/// Bytes of one operation, so that each fits into a message.
const OPERATION_BYTES_MAX: usize = 768 * 1024;
/// Refusals that are kept.
const REFUSALS_MAX: usize = 256;

/// Why an operation is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The queue holds as many operations as it may.
    #[error("{0} operations wait for the cluster, and no more may")]
    Operations(usize),
    /// Its bytes are used up.
    #[error("operations of {0} bytes wait for the cluster, and no more than {1} may")]
    Bytes(usize, usize),
    /// It could never be sent.
    #[error("the operation has {0} bytes, and at most {OPERATION_BYTES_MAX} can be sent")]
    Operation(usize),
}

impl Protocol {
    /// Puts an operation into the queue. When the step's writes are durable, the application may be told. Names of operations
    /// that were dropped for it are touched, its own is not: the caller knows it.
    ///
    /// # Errors
    /// When the queue is full and nothing may be dropped.
    pub fn submit(&mut self, operation: v1::SyncOperation, request_id: String, step: &mut Step) -> Result<u64, Full> {
        let key = self.state.newest_key + 1;
        let queued = EdgeAgentQueued { operation: Some(operation.clone()), request_id: request_id.clone() };
        let entry = Entry { key, operation: operation.into(), request_id };
        self.make_room(entry.bytes(), step)?;
        step.writes.push(Write::Enqueue(key, Box::new(queued)));
        self.queue.push(entry);
        let state = self.state_mut();
        state.newest_key = key;
        state.newest += 1;
        Ok(state.newest)
    }

    fn make_room(&mut self, bytes: usize, step: &mut Step) -> Result<(), Full> {
        let (operations_max, bytes_max) = (self.settings.queue_operations_max, self.settings.queue_bytes_max);
        if bytes > OPERATION_BYTES_MAX.min(bytes_max) {
            return Err(Full::Operation(bytes));
        }
        loop {
            let full = if self.queue.waiting() >= operations_max {
                Full::Operations(self.queue.waiting())
            } else if self.queue.waiting_bytes() + bytes > bytes_max {
                Full::Bytes(self.queue.waiting_bytes(), bytes_max)
            } else {
                return Ok(());
            };
            if self.settings.queue_policy == QueuePolicy::Refuse || !self.drop_oldest(step) {
                return Err(full);
            }
        }
    }

    /// Drops the oldest operation that was never sent; those after it move up by one number.
    fn drop_oldest(&mut self, step: &mut Step) -> bool {
        let known_sent = if planted::is(Bug::EdgeDropsSent) { 0 } else { self.state.sent };
        let unanswered_sent = known_sent.saturating_sub(self.state.acknowledged);
        let place = usize::try_from(unanswered_sent).unwrap_or(usize::MAX);
        if place >= self.queue.waiting() {
            return false;
        }
        let Some(entry) = self.queue.drop_waiting(place) else { return false };
        step.touched.insert(entry.name().to_owned());
        step.unmade.insert(entry.name().to_owned());
        step.writes.push(Write::Unqueue(entry.key));
        let state = self.state_mut();
        state.newest -= 1;
        state.dropped += 1;
        true
    }

    /// Sends what the window allows.
    pub(super) fn send_operations(&mut self, step: &mut Step) {
        while let Some((first, operations)) = self.next_operations() {
            let last = first + operations.len() as u64 - 1;
            if let Some(link) = &mut self.link {
                link.next_sequence = last + 1;
            }
            if planted::is(Bug::EdgeForgetsEarly) {
                let skip = usize::try_from(first - self.state.acknowledged - 1).unwrap_or(usize::MAX);
                let waiting = self.queue.waiting_from(skip);
                step.writes.extend(waiting.take(operations.len()).map(|entry| Write::Unqueue(entry.key)));
            }
            if last > self.state.sent {
                self.state_mut().sent = last;
            }
            let epoch = self.state.epoch;
            step.say(Message::Operations(v1::SyncOperations { epoch, first_sequence: first, operations }));
        }
    }

    fn next_operations(&self) -> Option<(u64, Vec<v1::SyncOperation>)> {
        let link = self.link.as_ref().filter(|link| link.is_open)?;
        let first = link.next_sequence;
        let end = self.state.newest.min(self.state.acknowledged.saturating_add(link.window_operations)) + 1;
        let room = usize::try_from(end.saturating_sub(first)).unwrap_or(usize::MAX).min(FRAME_OPERATIONS_MAX);
        let skip = usize::try_from(first.checked_sub(self.state.acknowledged + 1)?).ok()?;
        let (mut bytes, mut operations) = (0, Vec::new());
        for entry in self.queue.waiting_from(skip).take(room) {
            bytes += entry.operation.encoded_len() + 8;
            if bytes > FRAME_BYTES_MAX && !operations.is_empty() {
                break;
            }
            operations.push((*entry.operation).clone());
        }
        (!operations.is_empty()).then_some((first, operations))
    }

    /// Takes in that all operations up to `last` have taken effect as of `revision`, but for the refused ones.
    pub(super) fn take_result(&mut self, last: u64, refusals: &[v1::SyncRefusal], revision: u64, step: &mut Step) {
        let known = self.state.acknowledged;
        if last > self.state.newest {
            return step.close(format!("operation {last} is answered, and the newest is {}", self.state.newest));
        }
        if last <= known {
            return;
        }
        let new: Vec<_> =
            refusals.iter().filter(|refusal| refusal.sequence > known && refusal.sequence <= last).collect();
        let places: Vec<usize> =
            new.iter().filter_map(|refusal| usize::try_from(refusal.sequence - known - 1).ok()).collect();
        let count = usize::try_from(last - known).unwrap_or(usize::MAX);
        let (refused, last_key) = self.queue.answered(count, &places, revision);
        let state = self.state_mut();
        state.acknowledged = last;
        state.acknowledged_revision = state.acknowledged_revision.max(revision);
        state.acknowledged_key = last_key.unwrap_or(state.acknowledged_key);
        state.sent = state.sent.max(last);
        state.refused += new.len() as u64;
        state.refusals.extend(new.into_iter().cloned());
        let too_many = state.refusals.len().saturating_sub(REFUSALS_MAX);
        state.refusals.drain(..too_many);
        step.unmade.extend(refused.iter().map(|entry| entry.name().to_owned()));
        self.forget(refused, step);
        let overdue = self.queue.trim_settling(self.settings.queue_operations_max);
        self.forget(overdue, step);
        if let Some(link) = &mut self.link {
            link.next_sequence = link.next_sequence.max(last + 1);
        }
    }

    /// Takes operations out of the store.
    pub(super) fn forget(&mut self, entries: Vec<Entry>, step: &mut Step) {
        for entry in entries {
            step.touched.insert(entry.name().to_owned());
            step.writes.push(Write::Unqueue(entry.key));
        }
    }
}
