//! An edge's side: what its store holds, and what it does with answers.

use std::collections::VecDeque;

use muster_domain::edge::UplinkChange;
use muster_domain::{Operation, Reason};

use super::world::EDGES;
use crate::edge_session::uplink;

/// What lies on an edge's disk, and the stream it has, which does not.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) edge: usize,
    pub(super) incarnation: u8,
    pub(super) epoch: u64,
    pub(super) session: u8,
    /// The newest operation that may have been sent.
    pub(super) sent: u64,
    /// Operations up to this one are done; the first in the queue is the next.
    pub(super) done: u64,
    pub(super) queue: VecDeque<UplinkChange>,
    /// The ids of all operations that were queued here or in what this is a copy of, and not dropped, by their numbers from
    /// 1 on.
    pub(super) ever: Vec<u64>,
    /// The stream, by its number; answers to older ones are not heard.
    pub(super) stream: Option<u64>,
    pub(super) is_welcome: bool,
    /// It was told that another one goes on, or found that it does not fit.
    pub(super) stopped: bool,
}

/// What comes back.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Welcome { epoch: u64, last_sequence: u64 },
    Done { last_sequence: u64 },
    Refused(Reason),
}

impl Store {
    pub(super) fn new(edge: usize, incarnation: u8, session: u8) -> Self {
        Self {
            edge,
            incarnation,
            epoch: 0,
            session,
            sent: 0,
            done: 0,
            queue: VecDeque::new(),
            ever: Vec::new(),
            stream: None,
            is_welcome: false,
            stopped: false,
        }
    }

    /// What a clone of the disk finds when it starts.
    pub(super) fn copied(&self) -> Self {
        Self { stream: None, is_welcome: false, ..self.clone() }
    }

    fn newest(&self) -> u64 {
        self.ever.len() as u64
    }

    pub(super) fn queue(&mut self, id: u64, change: UplinkChange) {
        self.ever.push(id);
        self.queue.push_back(change);
    }

    /// Drops the oldest operation that was never sent; those after it move up by one number.
    pub(super) fn drop_oldest(&mut self) {
        let number = self.sent.max(self.done) + 1;
        if number <= self.newest() {
            self.ever.remove(usize::try_from(number - 1).expect("few"));
            self.queue.remove(usize::try_from(number - 1 - self.done).expect("few"));
        }
    }

    pub(super) fn hello(&mut self, stream: u64, node_id: u64) -> Operation {
        self.stream = Some(stream);
        self.is_welcome = false;
        Operation::OpenEdgeSession {
            namespace: "plant".into(),
            edge: EDGES[self.edge].into(),
            incarnation: [self.incarnation; 16],
            known_epoch: self.epoch,
            session: [self.session; 16],
            sent_sequence: self.sent,
            node_id,
        }
    }

    /// Up to `count` operations of the queue after `skip`; nothing without a session.
    pub(super) fn send(&mut self, skip: usize, count: usize) -> Option<Operation> {
        let changes: Vec<_> = self.queue.iter().skip(skip).take(count).cloned().collect();
        let is_open = self.stream.is_some() && self.is_welcome && !self.stopped;
        if !is_open || changes.is_empty() {
            return None;
        }
        let first = self.done + 1 + skip as u64;
        self.sent = self.sent.max(first + changes.len() as u64 - 1);
        Some(uplink(EDGES[self.edge], self.epoch, first, changes))
    }

    /// An answer on the newest stream. `next_session` is used if it is a welcome.
    pub(super) fn hear(&mut self, answer: &Answer, next_session: u8) {
        match answer {
            // A node answers a hello once, however often that reaches the log.
            Answer::Welcome { .. } | Answer::Refused(Reason::EdgeReplaced) if self.is_welcome => {}
            Answer::Welcome { last_sequence, .. } if !(self.done..=self.sent).contains(last_sequence) => {
                self.stopped = true;
            }
            Answer::Welcome { epoch, last_sequence } => {
                self.epoch = *epoch;
                self.session = next_session;
                // What was sent in older epochs and is above cannot take effect any more.
                self.sent = *last_sequence;
                self.is_welcome = true;
                self.take(*last_sequence);
            }
            Answer::Done { last_sequence } => self.take(*last_sequence),
            Answer::Refused(Reason::EdgeReplaced) => self.stopped = true,
            Answer::Refused(_) => {
                self.stream = None;
                self.is_welcome = false;
            }
        }
    }

    fn take(&mut self, last_sequence: u64) {
        assert!(last_sequence <= self.newest(), "E6-no-fork: more was done than this store ever had");
        while self.done < last_sequence {
            self.queue.pop_front().expect("all that are not done");
            self.done += 1;
        }
    }
}
