//! The systems that can be measured, each a file here and a line in `rounds.rs`.
//!
//! Invariant: a system does the work it is asked for, or says that it can't; it never does something cheaper.

use std::pin::Pin;

use anyhow::Result;

use crate::load::{Client, Window};

pub(crate) mod echo;
pub(crate) mod etcd;
mod etcd_watch;
pub(crate) mod muster;

/// One kind of work. What it means to each system is in that system's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// One small durable change per call.
    Write,
    /// One linearizable read per call.
    Read,
    /// Changes one after another on a stream, many of them unanswered at a time.
    Stream,
    /// Many changes per call.
    Batch { patches: usize },
}

/// Bytes of a request and of its answer, as protobuf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) request: usize,
    pub(crate) answer: usize,
}

/// A running system with its data loaded and its connections open.
pub(crate) trait System: Send {
    /// As it appears in tables.
    fn name(&self) -> &'static str;

    /// Its processes, by name.
    fn processes(&self) -> Vec<(String, u32)>;

    /// The runs of `count` clients that do this work.
    fn clients(&self, work: Work, count: usize, window: Window) -> Result<Vec<Client>>;

    /// Fails when one of its processes has ended.
    fn check_running(&mut self) -> Result<()>;

    /// Ends its processes and waits for that.
    fn stop(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}
