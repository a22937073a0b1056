//! Preloaded into a process (`LD_PRELOAD`), this library writes down, in order and with contents, each operation by
//! which the process changes files below one folder: see [`recording`]. The crash lab makes from it what a disk may
//! hold after a crash.
//!
//! - Without `MUSTER_CRASH_ROOT` and `MUSTER_CRASH_RECORDING` in the environment each function does what the C library
//!   does.
//! - Operations that change something take turns. Syncs do not, and reads are not looked at.
//! - Copies within the kernel (`copy_file_range`, `sendfile`) are refused as not supported, so that their callers
//!   write.
//! - Not seen, because Muster and RocksDB as it is built here do not use them: `mmap` for writing, `O_DIRECT`, `dup`ed
//!   descriptors, `io_uring`. What `stdio` writes is not seen either: `RocksDB` writes its text log so.

#![cfg(target_os = "linux")]

mod descriptors;
mod names;
mod recording;

/// Carries `call` out and keeps `errno` as it left it, whatever is done after it.
fn keeping_errno<T>(result: T, then: impl FnOnce(&T)) -> T {
    // SAFETY: the location belongs to this thread.
    let errno = unsafe { *libc::__errno_location() };
    then(&result);
    // SAFETY: as before.
    unsafe { *libc::__errno_location() = errno };
    result
}

fn fail(code: libc::c_int) {
    // SAFETY: the location belongs to this thread.
    unsafe { *libc::__errno_location() = code }
}
