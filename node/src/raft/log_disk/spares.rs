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
//! - A full disk is waited for: the writer notices only when it needs the segment, and then it waits too. Any other error
//!   ends the work and is fatal at once: the writer may not ask for the next segment for hours.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::segment::{self, Segment};
use crate::raft::fatal::FatalHandler;
use crate::store::durable;

/// Files kept for later although the log does not need them now.
const SPARES_MAX: usize = 8;
/// Tasks waiting for the thread.
const QUEUE_TASKS: usize = 64;
/// How often it is tried again to make a file while the disk is full.
const FULL_PAUSE: Duration = Duration::from_millis(500);
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
    pub(super) fn start(
        dir: &Path,
        segment_bytes: usize,
        found: VecDeque<Arc<Segment>>,
        fatal: Arc<dyn FatalHandler>,
    ) -> io::Result<Self> {
        let (tasks, queue) = sync_channel(QUEUE_TASKS);
        // One is asked for at a time, so a place for one is enough.
        let (ready, results) = sync_channel(1);
        let workshop = Workshop::new(dir, segment_bytes, fatal);
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
    fatal: Arc<dyn FatalHandler>,
    /// Makes a file of zeros; tests make it fail.
    blank: Blank,
}

type Blank = Box<dyn FnMut(&Path, usize) -> io::Result<File> + Send>;

impl Workshop {
    fn new(dir: &Path, segment_bytes: usize, fatal: Arc<dyn FatalHandler>) -> Self {
        let blank = Box::new(segment::blank);
        Self { dir: dir.to_owned(), segment_bytes, spares: VecDeque::new(), made: 0, failed: None, fatal, blank }
    }

    fn run(mut self, tasks: &Receiver<Task>, ready: &SyncSender<io::Result<Segment>>) {
        while let Ok(task) = tasks.recv() {
            match task {
                Task::Prepare(number) => {
                    let Some(result) = self.prepare_in_time(number, tasks) else { return };
                    let failed = result.is_err();
                    if let Err(error) = &result {
                        self.fatal.fatal("making the next file of the Raft log", error);
                    }
                    if ready.send(result).is_err() || failed {
                        return;
                    }
                }
                Task::Retire(segments) => self.retire_all(segments),
            }
        }
    }

    /// The next segment, when the disk has room for it. `None` when the log was closed meanwhile.
    fn prepare_in_time(&mut self, number: u64, tasks: &Receiver<Task>) -> Option<io::Result<Segment>> {
        let mut was_full = false;
        loop {
            let result = self.failed.take().map_or_else(|| self.prepare(number), Err);
            match &result {
                Err(error) if is_full(error) => {}
                _ => return Some(result),
            }
            if !was_full {
                tracing::error!("the disk is full: the Raft log waits for room for its next file");
                was_full = true;
            }
            match tasks.recv_timeout(FULL_PAUSE) {
                // A file that is not needed any more is one that need not be made.
                Ok(Task::Retire(segments)) => self.retire_all(segments),
                Ok(Task::Prepare(_)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn retire_all(&mut self, segments: Vec<Arc<Segment>>) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = segments.into_iter().try_for_each(|segment| self.retire(segment)) {
            // On a full disk, too: the files after one that stays must not go, and whether it stays is not known.
            self.fatal.fatal("removing old files of the Raft log", &error);
            self.failed = Some(error);
        }
    }

    fn prepare(&mut self, number: u64) -> io::Result<Segment> {
        let (path, file) = match self.spares.pop_front() {
            Some(spare) => spare,
            None => {
                let path = self.temporary();
                let file = (self.blank)(&path, self.segment_bytes).inspect_err(|_| {
                    // What was written of it is room that somebody needs.
                    fs::remove_file(&path).ok();
                })?;
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

/// Whether it may work later without anybody doing anything about this program.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::raft::tests::support::Remember;

    /// A workshop on a disk that is full while the flag says so, and how often it was tried.
    fn on_a_full_disk(dir: &Path) -> (Workshop, Arc<AtomicBool>, Arc<AtomicUsize>) {
        let (full, tries) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (is_full, counted) = (Arc::clone(&full), Arc::clone(&tries));
        let blank = move |path: &Path, bytes: usize| {
            counted.fetch_add(1, Ordering::SeqCst);
            if is_full.load(Ordering::SeqCst) {
                fs::write(path, b"as far as it went")?;
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            segment::blank(path, bytes)
        };
        (Workshop { blank: Box::new(blank), ..Workshop::new(dir, 8192, Arc::new(Remember::default())) }, full, tries)
    }

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn a_full_disk_is_waited_for_and_leaves_nothing_half_made() {
        let dir = tempfile::tempdir().unwrap();
        let (workshop, full, tries) = on_a_full_disk(dir.path());
        let (tasks, queue) = sync_channel(QUEUE_TASKS);
        let (ready, results) = sync_channel(1);
        let thread = std::thread::spawn(move || workshop.run(&queue, &ready));
        tasks.send(Task::Prepare(7)).unwrap();
        while tries.load(Ordering::SeqCst) < 2 {
            std::thread::yield_now();
        }
        assert!(results.try_recv().is_err(), "it is neither there nor an error");
        full.store(false, Ordering::SeqCst);
        assert_eq!(results.recv().unwrap().unwrap().number(), 7);
        assert_eq!(files(dir.path()), 1, "only the segment");
        drop(tasks);
        thread.join().unwrap();
    }

    #[test]
    fn waiting_for_room_ends_when_the_log_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let (workshop, _full, tries) = on_a_full_disk(dir.path());
        let (tasks, queue) = sync_channel(QUEUE_TASKS);
        let (ready, results) = sync_channel(1);
        let thread = std::thread::spawn(move || workshop.run(&queue, &ready));
        tasks.send(Task::Prepare(1)).unwrap();
        while tries.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        drop(tasks);
        thread.join().unwrap();
        assert!(results.recv().is_err());
        assert_eq!(files(dir.path()), 0);
    }

    #[test]
    fn another_error_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (queue, ready) = (sync_channel(1), sync_channel(1));
        let blank = |_: &Path, _: usize| Err(io::Error::from(io::ErrorKind::PermissionDenied));
        let fatal = Arc::new(Remember::default());
        let workshop =
            Workshop { blank: Box::new(blank), ..Workshop::new(dir.path(), 8192, Arc::clone(&fatal) as Arc<_>) };
        queue.0.send(Task::Prepare(1)).unwrap();
        workshop.run(&queue.1, &ready.0);
        let said = fatal.0.lock().unwrap();
        assert!(
            said[0].starts_with("making the next file of the Raft log"),
            "before anybody asks for the file: {said:?}"
        );
        assert_eq!(ready.1.recv().unwrap().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
