//! Twins that were changed and do not lie in the `states` family yet. A fleet's twins change again and again: what
//! changed a hundred times is written once, and in the order of its keys.
//!
//! ```text
//! apply ──put──▶ now ──(enough of them)──▶ writing ──thread──▶ `states` family, then the cache
//! ```
//!
//! The events of a change are written when it is applied, in the batch that also moves the position, so nothing is lost
//! with these maps: `replay.rs` folds the events behind the mark again. It does not know what a twin means. Invariants:
//!
//! - What is here is newer than the cache and the family: a reader looks here first.
//! - The mark in `meta` names a revision up to which every twin lies in the family; it is written last.
//! - A twin leaves only when family and cache hold it.
//! - Memory is bounded: when both maps are full, applying waits for the disk.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use muster_domain::{Body, Record};
use muster_planted::{self as planted, Bug};
use rocksdb::{DB, WriteBatch};

use crate::store::error::{StoreError, rocks};
use crate::store::states::{RecordCache, family, seal};
use crate::store::{columns, replay, unlogged};

/// Changed twins by encoded key.
type Twins = HashMap<Box<[u8]>, Arc<Record>>;

/// When the twins at hand are given to the writing thread.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many different twins.
    pub twins: usize,
    /// So many bytes of memory.
    pub bytes: usize,
    /// So many changes since the last time: what a start after a crash has to fold again, twice over.
    pub changes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { twins: 32_768, bytes: 48 << 20, changes: 200_000 }
    }
}

/// Twins written in one go: few, so that applying never waits long behind them.
const CHUNK: usize = 128;

#[derive(Default)]
struct Maps {
    now: Twins,
    now_bytes: usize,
    /// Changes that led to `now`.
    now_changes: usize,
    /// The newest revision whose twins are here or written.
    revision: u64,
    /// The database that holds the events of `now`: they are written there and nowhere else, whatever is current by
    /// then.
    db: Option<Arc<DB>>,
    writing: Option<Arc<Twins>>,
}

impl Maps {
    fn is_enough(&self, limits: &Limits, times: usize) -> bool {
        self.now.len() >= limits.twins * times
            || self.now_bytes >= limits.bytes * times
            || self.now_changes >= limits.changes * times
    }
}

struct Shared {
    maps: RwLock<Maps>,
    cache: Arc<RecordCache>,
    /// The first fault of the writing thread; whoever changes something next gets it.
    fault: Mutex<Option<StoreError>>,
    /// Whether nothing is being written; says when that becomes true.
    idle: (Mutex<bool>, Condvar),
}

struct Job {
    db: Arc<DB>,
    twins: Arc<Twins>,
    revision: u64,
}

/// The twins that are not written yet, and the thread that writes them.
pub(crate) struct Unwritten {
    shared: Arc<Shared>,
    limits: Limits,
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Unwritten {
    /// Starts the thread; what is written goes into `cache` too.
    pub(crate) fn start(cache: Arc<RecordCache>, limits: Limits) -> Self {
        let shared = Arc::new(Shared {
            maps: RwLock::default(),
            cache,
            fault: Mutex::new(None),
            idle: (Mutex::new(true), Condvar::new()),
        });
        let (jobs, queue) = sync_channel(1);
        let writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || writer.run(&queue))
            .expect("a node that cannot start a thread cannot run");
        Self { shared, limits, jobs: Some(jobs), thread: Some(thread) }
    }

    /// The twin at an encoded key, if it changed lately.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Arc<Record>> {
        let maps = self.shared.read();
        let found = maps.now.get(key).or_else(|| maps.writing.as_ref()?.get(key));
        found.map(Arc::clone)
    }

    /// Takes over the twins that changed up to `revision`, whose events are written.
    ///
    /// # Errors
    /// When twins could not be written before.
    pub(crate) fn put(
        &self,
        db: &Arc<DB>,
        twins: impl IntoIterator<Item = (Vec<u8>, Arc<Record>)>,
        revision: u64,
    ) -> Result<(), StoreError> {
        // First of all, so that a node whose disk failed does not go on.
        self.shared.check()?;
        if planted::is(Bug::TwinsMarkedEarly) {
            replay::mark(db, revision)?;
        }
        let (enough, full) = {
            let mut maps = self.shared.write();
            for (key, record) in twins {
                maps.now_changes += 1;
                maps.now_bytes += memory_bytes(&record);
                if let Some(before) = maps.now.insert(key.into_boxed_slice(), record) {
                    maps.now_bytes = maps.now_bytes.saturating_sub(memory_bytes(&before));
                }
            }
            maps.revision = revision;
            if maps.db.as_ref().is_none_or(|known| !Arc::ptr_eq(known, db)) {
                maps.db = Some(Arc::clone(db));
            }
            #[expect(clippy::cast_precision_loss, reason = "some ten thousand at most")]
            metrics::gauge!("muster_state_twins_unwritten").set(maps.now.len() as f64);
            (maps.is_enough(&self.limits, 1), maps.is_enough(&self.limits, 2))
        };
        if !enough {
            return Ok(());
        }
        if full {
            self.shared.wait_until_idle();
        }
        self.begin();
        Ok(())
    }

    /// Writes everything that is here and returns when it is written.
    ///
    /// # Errors
    /// When it could not be written.
    pub(crate) fn write_all(&self) -> Result<(), StoreError> {
        self.shared.wait_until_idle();
        self.begin();
        self.shared.wait_until_idle();
        self.shared.check()?;
        // Changes of other kinds do not move the mark by themselves.
        let maps = self.shared.read();
        match &maps.db {
            Some(db) if maps.now.is_empty() && maps.writing.is_none() => replay::mark(db, maps.revision),
            _ => Ok(()),
        }
    }

    /// Returns when nothing is being written. Before the family is changed from elsewhere, so that the thread does not
    /// put older twins over newer ones.
    pub(crate) fn settle(&self) {
        self.shared.wait_until_idle();
    }

    /// Forgets everything: the family has all twins up to `revision`.
    pub(crate) fn forget_all(&self, revision: u64) {
        *self.shared.write() = Maps { revision, ..Maps::default() };
    }

    /// Gives the twins at hand to the thread, unless it is busy.
    fn begin(&self) {
        let job = {
            let mut idle = lock(&self.shared.idle.0);
            let mut maps = self.shared.write();
            if !*idle || maps.writing.is_some() || maps.now.is_empty() {
                return;
            }
            let Some(db) = maps.db.take() else { return };
            *idle = false;
            let twins = Arc::new(std::mem::take(&mut maps.now));
            maps.now_bytes = 0;
            maps.now_changes = 0;
            maps.writing = Some(Arc::clone(&twins));
            Job { db, twins, revision: maps.revision }
        };
        if let Some(jobs) = &self.jobs
            && jobs.send(job).is_err()
        {
            self.shared.set_idle();
        }
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        // The thread holds the database open while it writes: whoever opens it again must not meet it.
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes twins had panicked");
        }
    }
}

impl Shared {
    fn run(&self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match self.write_twins(&job) {
                Ok(()) => self.finish(&job),
                // Kept in `writing`, so that readers go on seeing them until the node stops.
                Err(fault) => {
                    lock(&self.fault).get_or_insert(fault);
                }
            }
            drop(job);
            self.set_idle();
        }
    }

    fn write_twins(&self, job: &Job) -> Result<(), StoreError> {
        let mut twins: Vec<_> = job.twins.iter().collect();
        twins.sort_unstable_by_key(|(key, _)| *key);
        let states = family(&job.db, columns::STATES)?;
        for chunk in twins.chunks(CHUNK) {
            let mut batch = WriteBatch::default();
            for (key, record) in chunk {
                batch.put_cf(states, key, seal(record));
            }
            unlogged::write(&job.db, batch).map_err(rocks("write twins"))?;
        }
        metrics::counter!("muster_state_twins_written_total").increment(twins.len() as u64);
        replay::mark(&job.db, job.revision)
    }

    fn finish(&self, job: &Job) {
        for (key, record) in job.twins.iter() {
            self.cache.remember(key, record, memory_bytes(record));
        }
        self.write().writing = None;
    }

    fn check(&self) -> Result<(), StoreError> {
        lock(&self.fault).take().map_or(Ok(()), Err)
    }

    fn wait_until_idle(&self) {
        let idle = lock(&self.idle.0);
        drop(self.idle.1.wait_while(idle, |idle| !*idle).unwrap_or_else(PoisonError::into_inner));
    }

    fn set_idle(&self) {
        *lock(&self.idle.0) = true;
        self.idle.1.notify_all();
    }

    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// About what a twin takes in memory, in bytes.
pub(crate) fn memory_bytes(record: &Record) -> usize {
    const FIXED: usize = 512;
    match &record.body {
        Body::Twin(twin) => {
            let sections = [&twin.tags, &twin.desired, &twin.reported];
            FIXED + sections.into_iter().map(|section| section.document.memory_bytes()).sum::<usize>()
        }
        _ => FIXED,
    }
}
