//! The Raft log as openraft sees it: entries are readable at once, durable when the callback says so.
//!
//! Reads go through the tail in memory and then to disk; writes go to the writer thread. This file does not write.
//!
//! - `append` returns as soon as the entries can be read; the callback comes from the writer after the sync.
//! - `save_vote`, `truncate_after` and `purge` return after their sync.
//! - One read hands out at most [`READ_BYTES`], so that a message to a follower stays far below the wire's limit.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, io};

use futures::stream::{self, Stream};
use muster_planted::{self as planted, Bug};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use tokio::sync::{mpsc, oneshot};

use super::fatal::FatalHandler;
use super::log_disk::{LogDisk, LogOpenError};
use super::log_tail::{Tail, TailLimits};
use super::log_writer::{BeforePurge, HighWaterKeeper, Job, LogCore, LogView, Writer};
use super::types::{Entry, LogId, TypeConfig, Vote};
use crate::store::high_water::{self, HighWater, Mark};

/// Most bytes of entries that one read hands out, unless a single entry is larger.
pub(super) const READ_BYTES: usize = 2 << 20;

/// Jobs waiting for the writer thread; appending waits when there are more.
const QUEUE_JOBS: usize = 4096;

/// The log, for openraft. Clones are readers of the same log.
#[derive(Clone)]
pub(super) struct LogStore {
    core: Arc<LogCore>,
    queue: mpsc::Sender<Job>,
}

/// Waits for the writer thread of a log; see [`LogCloser::closed`].
pub(super) struct LogCloser {
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LogCloser {
    /// Returns when the log is closed and its directory can be opened again, or after `timeout`. All handles of the
    /// log must have been dropped.
    pub(super) async fn closed(&self, timeout: Duration) -> bool {
        let start = super::now();
        loop {
            let finished = match &*self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
                Some(thread) => thread.is_finished(),
                None => true,
            };
            if finished || start.elapsed() >= timeout {
                return finished;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Opens the log below `data_dir`, checks that nothing durable is missing, and starts its writer. New files of the log have
/// `segment_bytes` bytes.
pub(super) fn open(
    data_dir: &Path,
    segment_bytes: usize,
    limits: TailLimits,
    before_purge: BeforePurge,
    fatal: Arc<dyn FatalHandler>,
) -> Result<(LogStore, LogCloser), LogOpenError> {
    let mark_path = data_dir.join("HIGH_WATER");
    let failed = |source| LogOpenError::HighWater { path: mark_path.clone(), source };
    let path = data_dir.join("raftlog");
    let (disk, found) = LogDisk::open(&path, segment_bytes, Arc::clone(&fatal))?;
    if (found.last.is_some() || found.vote.is_some()) && !fs::exists(&mark_path).map_err(failed)? {
        return Err(failed(high_water::missing()));
    }
    // Made before anything is promised.
    let high_water = HighWater::open(&mark_path).map_err(failed)?;
    let known = high_water.mark();
    if !found.reaches(known) {
        let found = Mark {
            last: found.last.map(|last| (last.leader_id.term, last.index)),
            vote_term: found.vote.map_or(0, |vote| vote.leader_id.term),
        };
        return Err(LogOpenError::LogLost { path, found: describe(found), known: describe(known) });
    }
    let next = found.last.map_or(0, |last| last.index + 1);
    // A commit beyond the log belongs to a snapshot that the state store knows about by itself.
    let committed = found.committed.filter(|committed| committed.index < next);
    let view = LogView {
        tail: Tail::new(limits, next),
        vote: found.vote,
        purged: found.purged,
        first: found.purged.map_or(0, |purged| purged.index + 1),
        last: found.last,
        committed,
        removals: 0,
    };
    let core = Arc::new(LogCore { disk, view: Mutex::new(view) });
    let high_water = Arc::new(HighWaterKeeper::new(high_water));
    let (queue, jobs) = mpsc::channel(QUEUE_JOBS);
    let keeper = (Arc::clone(&high_water), Arc::clone(&fatal));
    spawn("raft-high-water", move || keeper.0.run(&*keeper.1))?;
    let writer = Writer { core: Arc::clone(&core), queue: jobs, high_water, before_purge, fatal };
    let thread = spawn("raft-log", move || writer.run())?;
    Ok((LogStore { core, queue }, LogCloser { thread: Mutex::new(Some(thread)) }))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LogOpenError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(LogOpenError::Thread)
}

fn describe(mark: Mark) -> String {
    let vote = format!("vote term {}", mark.vote_term);
    match mark.last {
        Some((term, index)) => format!("index {index} of term {term}, {vote}"),
        None => format!("nothing, {vote}"),
    }
}

impl LogStore {
    /// Entries of `start..end` that exist, until `budget` bytes are used up.
    fn read(&self, mut start: u64, end: u64, mut budget: usize) -> io::Result<Vec<Entry>> {
        let mut out: Vec<Entry> = Vec::new();
        loop {
            let (from, disk_end, removals) = {
                let view = self.core.view();
                let from = start.max(view.first);
                let end = end.min(view.last.map_or(0, |last| last.index + 1));
                let tail_first = view.tail.first().unwrap_or(end);
                if from >= end {
                    return Ok(out);
                }
                if from >= tail_first {
                    view.tail.copy(from, end, &mut budget, &mut out);
                    return Ok(out);
                }
                (from, end.min(tail_first), view.removals)
            };
            self.core.disk.read(from, disk_end, &mut budget, &mut out)?;
            if budget == 0 || self.core.view().removals != removals {
                // Enough, or truncated or purged meanwhile: what was read is still a run of once valid entries.
                return Ok(out);
            }
            if out.last().is_none_or(|last| last.log_id.index + 1 != disk_end) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("log entries {from}..{disk_end} should be on disk, but not all of them are"),
                ));
            }
            // The tail may have let go of more entries meanwhile, so look again.
            start = disk_end;
        }
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Job) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.queue.send(job(done)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

fn closed() -> io::Error {
    io::Error::other("the Raft log's writer has ended")
}

fn limits<R: RangeBounds<u64>>(range: &R) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, io::Error> {
        let (start, end) = limits(&range);
        self.read(start, end, usize::MAX)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.read(start, end, READ_BYTES)
    }

    /// Reads in portions: after a restart the range may be the whole log.
    async fn entries_stream<R>(&mut self, range: R) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = limits(&range);
        let state = (self.clone(), start, VecDeque::<Entry>::new(), false);
        stream::unfold(state, move |(store, mut next, mut ready, failed)| async move {
            if failed {
                return None;
            }
            if ready.is_empty() && next < end {
                match store.read(next, end, READ_BYTES) {
                    Ok(entries) => ready.extend(entries),
                    Err(error) => return Some((Err(error), (store, next, ready, true))),
                }
            }
            let entry = ready.pop_front()?;
            next = entry.log_id.index + 1;
            Some((Ok(entry), (store, next, ready, false)))
        })
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.core.view().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let view = self.core.view();
        Ok(LogState { last_purged_log_id: view.purged, last_log_id: view.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let vote = *vote;
        if planted::is(Bug::VoteNotSynced) {
            self.queue.send(Job::SaveVote { vote, done: oneshot::channel().0 }).await.map_err(|_| closed())?;
        } else {
            self.ask(|done| Job::SaveVote { vote, done }).await?;
        }
        self.core.view().vote = Some(vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        // Written with the next batch: openraft only uses it to shorten recovery.
        self.core.view().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.core.view().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let epoch = {
            let mut view = self.core.view();
            if let Some(first) = entries.first().filter(|_| view.last.is_none()) {
                view.first = first.log_id.index;
            }
            for entry in &entries {
                view.tail.push(entry.clone());
            }
            if let Some(last) = entries.last() {
                view.last = Some(last.log_id);
            }
            view.tail.epoch()
        };
        self.queue.send(Job::Append { entries, epoch, callback }).await.map_err(|_| closed())
    }

    async fn truncate_after(&mut self, keep: Option<LogId>) -> Result<(), io::Error> {
        let from = keep.map_or(0, |keep| keep.index + 1);
        {
            let mut view = self.core.view();
            if view.last.is_none_or(|last| last.index < from) {
                return Ok(());
            }
            view.tail.truncate_from(from);
            view.removals += 1;
            view.last = keep.max(view.purged);
        }
        self.ask(|done| Job::Truncate { from, keep, done }).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        {
            // Before the disk, so that no reader looks there for what is just being removed.
            let mut view = self.core.view();
            view.tail.purge_upto(upto.index);
            view.removals += 1;
            view.purged = view.purged.max(Some(upto));
            view.first = view.first.max(upto.index + 1);
            if view.last.is_none_or(|last| last.index < upto.index) {
                view.last = Some(upto);
            }
        }
        self.ask(|done| Job::Purge { upto, done }).await
    }
}
