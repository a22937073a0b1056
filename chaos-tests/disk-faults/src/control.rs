//! What shall fail: six numbers in a file, little-endian, 8 bytes each, that whoever breaks things changes while the process
//! runs. Times are read at each call.
//!
//! | offset | meaning |
//! |---|---|
//! | 0 | each sync of a file takes so many microseconds longer |
//! | 8 | so many syncs fail with `EIO`; counted down here |
//! | 16 | 1: no space is left, as far as `statvfs` tells |
//! | 24 | 1: each write to a file fails with `ENOSPC` |
//! | 32 | the wall clock is wrong by so many seconds, signed |
//! | 40 | which syncs fail: 0 any, 1 of tables (`*.sst`) by compactions of RocksDB, 2 of segments of a log (`*.seg`) |

use std::ffi::CString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// See the module.
#[repr(C)]
pub(crate) struct Control {
    sync_delay_us: AtomicU64,
    sync_errors_left: AtomicU64,
    is_full: AtomicU64,
    is_without_space: AtomicU64,
    clock_offset_s: AtomicI64,
    which_syncs: AtomicU64,
}

/// Which syncs fail.
pub(crate) enum Which {
    Any,
    /// Tables that RocksDB's compactions write.
    Compactions,
    /// What ends in `.seg`.
    Segments,
}

impl Control {
    /// The file's contents, mapped once; `None` without such a file.
    pub(crate) fn get() -> Option<&'static Self> {
        static CONTROL: OnceLock<Option<&'static Control>> = OnceLock::new();
        *CONTROL.get_or_init(Self::map)
    }

    fn map() -> Option<&'static Self> {
        let path = CString::new(std::env::var_os("MUSTER_DISK_FAULTS")?.into_encoded_bytes()).ok()?;
        // SAFETY: the path is a C string.
        let file = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
        if file < 0 {
            return None;
        }
        let bytes = size_of::<Self>();
        // SAFETY: a new mapping of an open file; the mapping outlives the descriptor and is never taken away.
        let start = unsafe {
            let (access, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
            let start = libc::mmap(std::ptr::null_mut(), bytes, access, shared, file, 0);
            libc::close(file);
            start
        };
        if start == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the mapping is aligned to a page, as large as the struct, lives for ever, and any bits are valid atomics.
        Some(unsafe { &*start.cast::<Self>() })
    }

    pub(crate) fn sync_delay(&self) -> Option<Duration> {
        Some(self.sync_delay_us.load(Ordering::Relaxed)).filter(|delay| *delay > 0).map(Duration::from_micros)
    }

    pub(crate) fn sync_errors_left(&self) -> u64 {
        self.sync_errors_left.load(Ordering::Relaxed)
    }

    /// Whether this sync is one of those that fail.
    pub(crate) fn take_sync_error(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.sync_errors_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Which syncs fail. A number without a meaning is taken for any.
    pub(crate) fn which_syncs(&self) -> Which {
        match self.which_syncs.load(Ordering::Relaxed) {
            1 => Which::Compactions,
            2 => Which::Segments,
            _ => Which::Any,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn is_without_space(&self) -> bool {
        self.is_without_space.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn clock_offset_s(&self) -> i64 {
        self.clock_offset_s.load(Ordering::Relaxed)
    }
}
