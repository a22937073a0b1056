//! Preloaded into a process (`LD_PRELOAD`), this library stands in for some functions of the C library and lets them fail as a
//! disk or a clock may. What fails is said, while the process runs, in a small file that it maps: see [`control`].
//!
//! - Without `MUSTER_DISK_FAULTS` in the environment, or with zeros in the file, each function does what the C library does.
//! - Only regular files count: a sync or write of a socket, pipe or terminal is never touched.
//! - It knows nothing of Muster. RocksDB is linked into `musterd`, yet calls the C library like everybody else.

#![cfg(target_os = "linux")]

mod control;

use std::ffi::{c_char, c_int, c_void};
use std::io::Write;
use std::path::PathBuf;

use control::{Control, Which};
use muster_preload::next;

/// Whether a descriptor is a regular file.
fn is_file(descriptor: c_int) -> bool {
    // SAFETY: `stat` is plain data that fstat fills.
    let mut about: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `stat`; a bad descriptor is an error, not undefined.
    let known = unsafe { libc::fstat(descriptor, &raw mut about) } == 0;
    known && about.st_mode & libc::S_IFMT == libc::S_IFREG
}

fn fail(code: c_int) {
    // SAFETY: the location belongs to this thread.
    unsafe { *libc::__errno_location() = code }
}

/// How RocksDB calls the threads that compact.
const COMPACTING: &str = "rocksdb:low";

fn path_of(descriptor: c_int) -> PathBuf {
    std::fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap_or_default()
}

/// Whether a sync of this file by this thread may be one that fails.
fn is_meant(control: &Control, descriptor: c_int) -> bool {
    // Its own name: a thread that RocksDB made has none that Rust knows.
    let compacts = || std::fs::read_to_string("/proc/thread-self/comm").is_ok_and(|name| name.trim_end() == COMPACTING);
    let ends_in = |wanted| path_of(descriptor).extension().is_some_and(|ending| ending == wanted);
    match control.which_syncs() {
        Which::Any => true,
        Which::Compactions => compacts() && ends_in("sst"),
        Which::Segments => ends_in("seg"),
    }
}

/// Says on standard error which file was not synced, so that a log shows what its process should have noticed.
fn tell(descriptor: c_int) {
    // Nobody may listen.
    drop(writeln!(std::io::stderr(), "disk-faults: the sync of {} fails", path_of(descriptor).display()));
}

/// What a sync has to suffer: `Some` when it fails without being done.
fn sync_fault(descriptor: c_int) -> Option<c_int> {
    let control = Control::get()?;
    let (delay, may_fail) = (control.sync_delay(), control.sync_errors_left() > 0);
    if (delay.is_none() && !may_fail) || !is_file(descriptor) {
        return None;
    }
    if let Some(delay) = delay {
        std::thread::sleep(delay);
    }
    (is_meant(control, descriptor) && control.take_sync_error()).then(|| {
        tell(descriptor);
        fail(libc::EIO);
        -1
    })
}

/// `Some` when a write fails because nothing fits any more.
fn write_fault(descriptor: c_int) -> Option<libc::ssize_t> {
    let is_full = Control::get().is_some_and(Control::is_without_space) && is_file(descriptor);
    is_full.then(|| {
        fail(libc::ENOSPC);
        -1
    })
}

/// See fsync(2).
#[unsafe(no_mangle)]
pub extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync_fault(descriptor).unwrap_or_else(|| {
        let real: extern "C" fn(c_int) -> c_int = next!("fsync");
        real(descriptor)
    })
}

/// See fdatasync(2).
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync_fault(descriptor).unwrap_or_else(|| {
        let real: extern "C" fn(c_int) -> c_int = next!("fdatasync");
        real(descriptor)
    })
}

/// See write(2).
///
/// # Safety
/// As write(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(descriptor: c_int, bytes: *const c_void, count: usize) -> libc::ssize_t {
    write_fault(descriptor).unwrap_or_else(|| {
        let real: extern "C" fn(c_int, *const c_void, usize) -> libc::ssize_t = next!("write");
        real(descriptor, bytes, count)
    })
}

/// See pwrite(2).
///
/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    descriptor: c_int,
    bytes: *const c_void,
    count: usize,
    offset: libc::off64_t,
) -> libc::ssize_t {
    write_fault(descriptor).unwrap_or_else(|| {
        let real: extern "C" fn(c_int, *const c_void, usize, libc::off64_t) -> libc::ssize_t = next!("pwrite64");
        real(descriptor, bytes, count, offset)
    })
}

/// See pwrite(2).
///
/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(
    descriptor: c_int,
    bytes: *const c_void,
    count: usize,
    offset: libc::off_t,
) -> libc::ssize_t {
    // SAFETY: the same call; offsets have 64 bits on all platforms that this is built for.
    unsafe { pwrite64(descriptor, bytes, count, offset) }
}

/// See statvfs(3); the way in which Rust asks for free space.
///
/// # Safety
/// As statvfs(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn statvfs64(path: *const c_char, about: *mut libc::statvfs64) -> c_int {
    let real: extern "C" fn(*const c_char, *mut libc::statvfs64) -> c_int = next!("statvfs64");
    let done = real(path, about);
    if done == 0 && Control::get().is_some_and(Control::is_full) {
        // SAFETY: the call has just filled it.
        unsafe { ((*about).f_bavail, (*about).f_bfree) = (0, 0) };
    }
    done
}

/// See statvfs(3).
///
/// # Safety
/// As statvfs(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn statvfs(path: *const c_char, about: *mut libc::statvfs) -> c_int {
    let real: extern "C" fn(*const c_char, *mut libc::statvfs) -> c_int = next!("statvfs");
    let done = real(path, about);
    if done == 0 && Control::get().is_some_and(Control::is_full) {
        // SAFETY: the call has just filled it.
        unsafe { ((*about).f_bavail, (*about).f_bfree) = (0, 0) };
    }
    done
}

/// See `clock_gettime(2)`. Only the wall clock can be wrong; monotonic time goes on as it does.
///
/// # Safety
/// As `clock_gettime(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    let real: extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int = next!("clock_gettime");
    let done = real(clock, time);
    if done == 0
        && clock == libc::CLOCK_REALTIME
        && let Some(control) = Control::get()
    {
        // SAFETY: the call has just filled it.
        unsafe { (*time).tv_sec = (*time).tv_sec.saturating_add(control.clock_offset_s()).max(0) };
    }
    done
}
