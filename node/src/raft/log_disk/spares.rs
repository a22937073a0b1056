//! Gets the next segment ready and clears away the old ones, on a thread of its own, so that the writer waits for
//! neither.
//!
//! ```text
//! writer ── prepare(n) ──▶ ┌────────┐ ◀── retire(old segments) ── writer
//!        ◀── n.seg ─────── │ thread │ ──▶ removed, or kept as spare-<n>.tmp and made n.seg again
//! ```
//!
//! Invariants:
//! - Segments leave the directory in the order of their numbers, each durably before the next, so that a crash leaves
//!   no gap. (They come the same way.)
//! - A file is used again only when no reader holds it; otherwise it is removed, and the reader reads on.
//! - The first error ends the work; the writer hears of it when it asks for the next segment.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::segment::{self, Segment};
use crate::store::durable;

/// Files kept for later although the log does not need them now.
const SPARES_MAX: usize = 8;
/// Tasks waiting for the thread.
const QUEUE_TASKS: usize = 64;
/// The ending of files without a meaning; they are removed at open.
pub(super) const TEMPORARY: &str = "tmp";

enum Task {
    Prepare(u64),
    Retire(Vec<Arc<Segment>>),
}

/// The writer's end.
pub(super) struct Spares {
    /// `None` only while closing.
    tasks: Option<SyncSender<Task>>,
    results: Receiver<io::Result<Segment>>,
    /// Segments that lay ready when the log was opened.
    found: VecDeque<Arc<Segment>>,
    asked: bool,
    thread: Option<JoinHandle<()>>,
}

impl Spares {
    pub(super) fn start(dir: &Path, segment_bytes: usize, found: VecDeque<Arc<Segment>>) -> io::Result<Self> {
        let (tasks, queue) = sync_channel(QUEUE_TASKS);
        // One is asked for at a time, so a place for one is enough.
        let (ready, results) = sync_channel(1);
        let workshop = Workshop { dir: dir.to_owned(), segment_bytes, spares: VecDeque::new(), made: 0, failed: None };
        let thread = std::thread::Builder::new()
            .name("raft-log-files".to_owned())
            .spawn(move || workshop.run(&queue, &ready))?;
        Ok(Self { tasks: Some(tasks), results, found, asked: false, thread: Some(thread) })
    }

    /// Lets segment `number`, the next one, be made if it does not lie ready.
    pub(super) fn prepare(&mut self, number: u64) -> io::Result<()> {
        if !self.asked && self.found.is_empty() {
            self.send(Task::Prepare(number))?;
            self.asked = true;
        }
        Ok(())
    }

    /// Segment `number`, the next one; waits until it is ready.
    pub(super) fn take(&mut self, number: u64) -> io::Result<Arc<Segment>> {
        self.prepare(number)?;
        if let Some(found) = self.found.pop_front() {
            return Ok(found);
        }
        self.asked = false;
        Ok(Arc::new(self.results.recv().map_err(|_| ended())??))
    }

    /// Clears away segments that are not needed any more, in order.
    pub(super) fn retire(&mut self, segments: Vec<Arc<Segment>>) -> io::Result<()> {
        if segments.is_empty() { Ok(()) } else { self.send(Task::Retire(segments)) }
    }

    fn send(&self, task: Task) -> io::Result<()> {
        self.tasks.as_ref().ok_or_else(ended)?.send(task).map_err(|_| ended())
    }
}

impl Drop for Spares {
    /// Waits for the thread, so that nothing changes in the directory once the log is closed.
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there.
            thread.join().ok();
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that prepares the files of the Raft log has ended")
}

struct Workshop {
    dir: PathBuf,
    segment_bytes: usize,
    spares: VecDeque<(PathBuf, File)>,
    /// Counts temporary files, for their names.
    made: u64,
    failed: Option<io::Error>,
}

impl Workshop {
    fn run(mut self, tasks: &Receiver<Task>, ready: &SyncSender<io::Result<Segment>>) {
        while let Ok(task) = tasks.recv() {
            match task {
                Task::Prepare(number) => {
                    let result = self.failed.take().map_or_else(|| self.prepare(number), Err);
                    let failed = result.is_err();
                    if ready.send(result).is_err() || failed {
                        return;
                    }
                }
                Task::Retire(segments) if self.failed.is_none() => {
                    if let Err(error) = segments.into_iter().try_for_each(|segment| self.retire(segment)) {
                        tracing::error!(%error, "old files of the Raft log cannot be removed");
                        self.failed = Some(error);
                    }
                }
                Task::Retire(_) => {}
            }
        }
    }

    fn prepare(&mut self, number: u64) -> io::Result<Segment> {
        let (path, file) = match self.spares.pop_front() {
            Some(spare) => spare,
            None => {
                let path = self.temporary();
                let file = segment::blank(&path, self.segment_bytes)?;
                (path, file)
            }
        };
        Segment::publish(&self.dir, &path, file, number)
    }

    fn retire(&mut self, segment: Arc<Segment>) -> io::Result<()> {
        let path = segment::path(&self.dir, segment.number());
        let free = if self.spares.len() < SPARES_MAX { Arc::into_inner(segment) } else { None };
        match free.and_then(|segment| segment.into_file(self.segment_bytes)) {
            Some(file) => {
                let spare = self.temporary();
                fs::rename(&path, &spare)?;
                self.spares.push_back((spare, file));
            }
            None => fs::remove_file(&path)?,
        }
        durable::sync_dir(&self.dir)
    }

    fn temporary(&mut self) -> PathBuf {
        self.made += 1;
        self.dir.join(format!("spare-{}.{TEMPORARY}", self.made))
    }
}
