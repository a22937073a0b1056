//! The file that operations are written down in, one after the other, in the order in which they took place.
//!
//! ```text
//! kind(4) a(8) b(8) c(8) path bytes(4) second path bytes(4) data bytes(4), little-endian, then path, second path, data
//! ```
//!
//! | kind | operation | a | b | c |
//! |---|---|---|---|---|
//! | 1 | a process begins | pid | | |
//! | 2 | open, path | descriptor | flags | 1: it was made just now |
//! | 3 | close | descriptor | | |
//! | 4 | write, data | descriptor | offset | |
//! | 5 | set the size | descriptor | size | |
//! | 6 | give room, and size | descriptor | offset | length |
//! | 7 | rename, path to second path | | | |
//! | 8 | unlink, path | | | |
//! | 9 | rmdir, path | | | |
//! | 10 | mkdir, path | | | |
//! | 11 | link, path as second path | | | |
//! | 12 | a sync begins | descriptor | | |
//! | 13 | that sync has returned | descriptor | 1: without an error | number of its begin |
//!
//! `chaos-tests/src/crash_lab/recording.rs` reads it. Invariants:
//! - Operations that change something are carried out and written down under one lock: their order is the real one.
//! - A sync holds no lock while it runs; it covers what was written down before its begin.
//! - A record is written by one call, and before the caller hears that its operation is done: whatever somebody
//!   concludes from an operation lies behind it in the file.

use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Kinds of records, as in the table.
pub(crate) mod kind {
    pub(crate) const BEGIN: u32 = 1;
    pub(crate) const OPEN: u32 = 2;
    pub(crate) const CLOSE: u32 = 3;
    pub(crate) const WRITE: u32 = 4;
    pub(crate) const SIZE: u32 = 5;
    pub(crate) const ALLOCATE: u32 = 6;
    pub(crate) const RENAME: u32 = 7;
    pub(crate) const UNLINK: u32 = 8;
    pub(crate) const RMDIR: u32 = 9;
    pub(crate) const MKDIR: u32 = 10;
    pub(crate) const LINK: u32 = 11;
    pub(crate) const SYNC_BEGIN: u32 = 12;
    pub(crate) const SYNC_END: u32 = 13;
}

const HEADER_BYTES: usize = 40;

/// One operation.
#[derive(Default)]
pub(crate) struct Record<'a> {
    pub(crate) kind: u32,
    pub(crate) numbers: [u64; 3],
    pub(crate) path: &'a [u8],
    pub(crate) second: &'a [u8],
    pub(crate) data: &'a [u8],
}

/// The open file, and the folder below which operations count.
pub(crate) struct Recording {
    file: libc::c_int,
    root: Vec<u8>,
    /// Which descriptors are open below the folder.
    open: Mutex<Vec<bool>>,
    syncs: AtomicU64,
}

/// Held while an operation is carried out and written down.
pub(crate) struct Turn<'a> {
    recording: &'a Recording,
    open: MutexGuard<'a, Vec<bool>>,
}

impl Recording {
    /// That of this process; `None` when nothing is to be recorded.
    pub(crate) fn get() -> Option<&'static Self> {
        static RECORDING: OnceLock<Option<Recording>> = OnceLock::new();
        RECORDING.get_or_init(Self::open).as_ref()
    }

    fn open() -> Option<Self> {
        let root = std::env::var_os("MUSTER_CRASH_ROOT")?.into_encoded_bytes();
        let path = CString::new(std::env::var_os("MUSTER_CRASH_RECORDING")?.into_encoded_bytes()).ok()?;
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: the path is a C string; the call goes past the functions of this library.
        let file = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) };
        let file = libc::c_int::try_from(file).ok().filter(|file| *file >= 0)?;
        let this = Self { file, root, open: Mutex::default(), syncs: AtomicU64::new(0) };
        this.turn().write(&Record {
            kind: kind::BEGIN,
            numbers: [std::process::id().into(), 0, 0],
            ..Record::default()
        });
        Some(this)
    }

    /// Whether a path lies below the folder.
    pub(crate) fn is_below(&self, path: &[u8]) -> bool {
        path.strip_prefix(&*self.root).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn { recording: self, open: self.open.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// A number for a sync.
    pub(crate) fn next_sync(&self) -> u64 {
        self.syncs.fetch_add(1, Ordering::Relaxed)
    }
}

impl Turn<'_> {
    pub(crate) fn is_open(&self, descriptor: libc::c_int) -> bool {
        usize::try_from(descriptor).ok().and_then(|at| self.open.get(at)).copied().unwrap_or_default()
    }

    pub(crate) fn set_open(&mut self, descriptor: libc::c_int, is_open: bool) {
        let Ok(at) = usize::try_from(descriptor) else { return };
        if self.open.len() <= at {
            self.open.resize(at + 1, false);
        }
        self.open[at] = is_open;
    }

    /// Writes a record down. The process ends when that fails: a recording with a hole would prove nothing.
    pub(crate) fn write(&self, record: &Record<'_>) {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&record.kind.to_le_bytes());
        for (place, number) in header[4..28].chunks_exact_mut(8).zip(record.numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        for (place, part) in header[28..].chunks_exact_mut(4).zip([record.path, record.second, record.data]) {
            let Ok(length) = u32::try_from(part.len()) else { std::process::abort() };
            place.copy_from_slice(&length.to_le_bytes());
        }
        let parts = [&header[..], record.path, record.second, record.data]
            .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
        let all: usize = parts.iter().map(|part| part.iov_len).sum();
        // SAFETY: the parts live until the call returns, which only reads them.
        let written =
            unsafe { libc::syscall(libc::SYS_writev, self.recording.file, parts.as_ptr(), parts.len() as libc::c_int) };
        if usize::try_from(written).ok() != Some(all) {
            std::process::abort();
        }
    }
}
