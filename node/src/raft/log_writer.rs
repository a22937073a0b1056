//! The one thread that writes the Raft log: it drains a queue, writes one batch, syncs once, then tells everybody.
//!
//! ```text
//! openraft -> queue (bounded) -> [ append append vote append ] -> one batch, one sync -> callbacks, in order
//! ```
//!
//! Votes, truncations and purges take the same way, so nothing can overtake anything. This file does not know what an
//! entry means. Invariants:
//! - A callback fires only after the sync that covers it has returned.
//! - After a failed write or sync nothing is written any more: the fatal handler is told, and all waiters get an error.
//! - Before entries are purged, what they led to is durable in the state store.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_planted::{self as planted, Bug};
use openraft::storage::IOFlushed;
use tokio::sync::{mpsc, oneshot};

use super::fatal::FatalHandler;
use super::log_disk::{LogBatch, LogDisk};
use super::log_tail::Tail;
use super::types::{Entry, LogId, TypeConfig, Vote};
use crate::store::high_water::{HighWater, Mark};

type Done = oneshot::Sender<io::Result<()>>;

/// What the writer is asked to do.
pub(super) enum Job {
    Append {
        entries: Vec<Entry>,
        epoch: u64,
        callback: IOFlushed<TypeConfig>,
    },
    SaveVote {
        vote: Vote,
        done: Done,
    },
    /// Removes entries from an index on.
    Truncate {
        from: u64,
        keep: Option<LogId>,
        done: Done,
    },
    Purge {
        upto: LogId,
        done: Done,
    },
}

/// What is known about the log right now, durable or not.
pub(super) struct LogView {
    pub tail: Tail,
    pub vote: Option<Vote>,
    pub purged: Option<LogId>,
    /// The lowest index that can be read.
    pub first: u64,
    pub last: Option<LogId>,
    pub committed: Option<LogId>,
    /// Counts truncations and purges, so that a reader notices one that happened while it read the disk.
    pub removals: u64,
}

/// What reader, appender and writer share.
pub(super) struct LogCore {
    pub disk: LogDisk,
    pub view: Mutex<LogView>,
}

impl LogCore {
    pub(super) fn view(&self) -> MutexGuard<'_, LogView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes durable what the entries about to be purged led to.
pub(super) type BeforePurge = Box<dyn Fn(&LogId) -> io::Result<()> + Send>;

pub(super) struct Writer {
    pub core: Arc<LogCore>,
    pub queue: mpsc::Receiver<Job>,
    pub high_water: Arc<HighWaterKeeper>,
    pub before_purge: BeforePurge,
    pub fatal: Arc<dyn FatalHandler>,
}

/// A batch stops growing at these bounds; it is written then, and the next one begins.
const BATCH_JOBS: usize = 4096;
const BATCH_BYTES: usize = 8 << 20;

impl Writer {
    /// Runs until every sender is gone or a write failed.
    pub(super) fn run(mut self) {
        let mut committed = self.core.view().committed;
        while let Some(first) = self.queue.blocking_recv() {
            let mut round = Round::default();
            let result = self.write_round(first, &mut round, &mut committed);
            if let Err(error) = result {
                self.fail(round, error);
                return;
            }
            self.publish(round);
        }
        if let Err(error) = self.high_water.close() {
            self.fatal.fatal("writing the high-water mark", &error);
        }
    }

    fn write_round(&mut self, first: Job, round: &mut Round, committed: &mut Option<LogId>) -> io::Result<()> {
        let core = Arc::clone(&self.core);
        let mut batch = core.disk.batch();
        let mut next = Some(first);
        while let Some(job) = next {
            let added = self.add(&job, &mut batch, round);
            // Kept even when it failed, so that nobody hears of the failure before the fatal handler does.
            round.jobs.push(job);
            added?;
            next = if round.jobs.len() < BATCH_JOBS && batch.bytes() < BATCH_BYTES {
                self.queue.try_recv().ok()
            } else {
                None
            };
        }
        let now = self.core.view().committed;
        if let Some(now) = now.filter(|now| Some(*now) != *committed) {
            // Rides along: it needs no durability of its own.
            batch.set_committed(&now);
            *committed = Some(now);
        }
        if planted::is(Bug::AckedEarly) {
            self.publish(std::mem::take(round));
        }
        let start = super::now();
        batch.commit_synced()?;
        metrics::histogram!("muster_raft_log_sync_seconds").record(start.elapsed());
        Ok(())
    }

    fn add(&self, job: &Job, batch: &mut LogBatch<'_>, round: &mut Round) -> io::Result<()> {
        match job {
            Job::Append { entries, epoch, .. } => {
                entries.iter().for_each(|entry| batch.put(entry));
                round.entries += entries.len();
                if let Some(last) = entries.last() {
                    round.durable = Some((*epoch, last.log_id));
                    round.last = Some(last.log_id);
                }
            }
            Job::SaveVote { vote, .. } => {
                batch.set_vote(vote);
                round.vote = Some(*vote);
            }
            Job::Truncate { from, keep, .. } => {
                if !planted::is(Bug::MarkNotLowered) {
                    self.high_water.lower(*keep)?;
                }
                batch.truncate_from(*from);
                round.durable = None;
                round.last = *keep;
            }
            Job::Purge { upto, .. } => {
                if !planted::is(Bug::PurgedTooSoon) {
                    (self.before_purge)(upto)?;
                }
                batch.purge_upto(upto);
                round.last = round.last.max(Some(*upto));
            }
        }
        Ok(())
    }

    fn publish(&self, round: Round) {
        if round.entries > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a batch holds a few thousand entries")]
            metrics::histogram!("muster_raft_append_batch_entries").record(round.entries as f64);
        }
        if let Some((epoch, last)) = round.durable {
            self.core.view().tail.mark_durable(epoch, last.index + 1);
        }
        for job in round.jobs {
            match job {
                Job::Append { callback, .. } => callback.io_completed(Ok(())),
                // A caller that gave up waiting does not matter here.
                Job::SaveVote { done, .. } | Job::Truncate { done, .. } | Job::Purge { done, .. } => {
                    done.send(Ok(())).ok();
                }
            }
        }
        if let Some(last) = round.last {
            self.high_water.raise_log(last);
        }
        if let Some(vote) = round.vote {
            self.high_water.raise_vote(vote.leader_id.term);
        }
    }

    fn fail(mut self, round: Round, error: io::Error) {
        self.high_water.stop();
        self.fatal.fatal("writing the Raft log", &error);
        let text = error.to_string();
        let mut jobs = round.jobs;
        loop {
            for job in jobs.drain(..) {
                let error = io::Error::other(text.clone());
                match job {
                    Job::Append { callback, .. } => callback.io_completed(Err(error)),
                    Job::SaveVote { done, .. } | Job::Truncate { done, .. } | Job::Purge { done, .. } => {
                        done.send(Err(error)).ok();
                    }
                }
            }
            match self.queue.blocking_recv() {
                Some(job) => jobs.push(job),
                None => return,
            }
        }
    }
}

#[derive(Default)]
struct Round {
    jobs: Vec<Job>,
    entries: usize,
    /// The last entry appended since the last truncation, and the epoch it was queued in.
    durable: Option<(u64, LogId)>,
    last: Option<LogId>,
    vote: Option<Vote>,
}

/// Writes the high-water mark behind the log, on a thread of its own and not more often than [`PACE`], so that its
/// sync costs the writer nothing.
pub(super) struct HighWaterKeeper {
    file: Mutex<HighWater>,
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Clone, Copy)]
struct Wanted {
    mark: Mark,
    dirty: bool,
    closed: bool,
}

const PACE: Duration = Duration::from_millis(100);

impl HighWaterKeeper {
    pub(super) fn new(file: HighWater) -> Self {
        let wanted = Wanted { mark: file.mark(), dirty: false, closed: false };
        Self { file: Mutex::new(file), wanted: Mutex::new(wanted), changed: Condvar::new() }
    }

    /// Runs until closed.
    pub(super) fn run(&self, fatal: &dyn FatalHandler) {
        loop {
            let wanted = self.wanted();
            let wanted = self
                .changed
                .wait_while(wanted, |wanted| !wanted.dirty && !wanted.closed)
                .unwrap_or_else(PoisonError::into_inner);
            if wanted.closed {
                return;
            }
            drop(wanted);
            if let Err(error) = self.write() {
                fatal.fatal("writing the high-water mark", &error);
                return;
            }
            let wanted = self.wanted();
            drop(self.changed.wait_timeout_while(wanted, PACE, |wanted| !wanted.closed));
        }
    }

    fn raise_log(&self, last: LogId) {
        self.update(|mark| {
            // A purge reports an entry below the end of the log.
            if mark.last.is_none_or(|(_, index)| index < last.index) {
                mark.last = Some((last.leader_id.term, last.index));
            }
        });
    }

    fn raise_vote(&self, term: u64) {
        self.update(|mark| mark.vote_term = term);
    }

    fn update(&self, change: impl FnOnce(&mut Mark)) {
        let mut wanted = self.wanted();
        change(&mut wanted.mark);
        wanted.dirty = true;
        self.changed.notify_all();
    }

    /// Lowers the mark durably, because the log is about to be shortened on purpose. Never raises it: what is kept may
    /// lie in a batch that is not synced yet.
    fn lower(&self, keep: Option<LogId>) -> io::Result<()> {
        let keep = keep.map(|keep| (keep.leader_id.term, keep.index));
        {
            let mut wanted = self.wanted();
            if wanted.mark.last.map(|(_, index)| index) > keep.map(|(_, index)| index) {
                wanted.mark.last = keep;
            }
        }
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the file's lock: a mark lowered meanwhile must not be overwritten by an older, higher one.
        let mark = {
            let mut wanted = self.wanted();
            wanted.dirty = false;
            wanted.mark
        };
        file.write(mark)
    }

    fn close(&self) -> io::Result<()> {
        let result = self.write();
        self.stop();
        result
    }

    fn stop(&self) {
        self.wanted().closed = true;
        self.changed.notify_all();
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::HighWaterKeeper;
    use crate::raft::types::log_id;
    use crate::store::high_water::{HighWater, Mark};

    #[test]
    fn a_truncation_lowers_the_mark_and_never_raises_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HIGH_WATER");
        let keeper = HighWaterKeeper::new(HighWater::open(&path).unwrap());
        let on_disk = || HighWater::open(&path).unwrap().mark().last;
        // Entries 0..=9 wait in the batch that also truncates: a kill before its sync leaves an empty log.
        keeper.lower(Some(log_id(1, 7))).unwrap();
        assert_eq!(on_disk(), None);
        keeper.raise_log(log_id(1, 5));
        keeper.write().unwrap();
        keeper.lower(Some(log_id(1, 7))).unwrap();
        assert_eq!(on_disk(), Some((1, 5)));
        keeper.lower(Some(log_id(1, 3))).unwrap();
        assert_eq!(on_disk(), Some((1, 3)));
        keeper.lower(None).unwrap();
        assert_eq!(HighWater::open(&path).unwrap().mark(), Mark::default());
    }
}
