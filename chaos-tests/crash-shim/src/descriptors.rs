//! Operations on open files: write, set the size, give room, sync, close.

use std::ffi::{c_int, c_void};

use libc::{off64_t, ssize_t};

use crate::recording::{Record, Recording, kind};
use crate::{fail, keeping_errno};
use muster_preload::next;

/// Carries out an operation on a descriptor and lets `then` say what to write down.
fn on<T, F>(descriptor: c_int, call: impl FnOnce() -> T, then: F) -> T
where
    F: FnOnce(&T, &mut dyn FnMut(&Record<'_>)),
{
    let Some(recording) = Recording::get() else { return call() };
    let turn = recording.turn();
    if !turn.is_open(descriptor) {
        drop(turn);
        return call();
    }
    keeping_errno(call(), |result| then(result, &mut |record| turn.write(record)))
}

fn number(descriptor: c_int) -> u64 {
    u64::from(descriptor.cast_unsigned())
}

/// Where a descriptor stands.
fn position(descriptor: c_int) -> u64 {
    // SAFETY: a call without pointers.
    u64::try_from(unsafe { libc::lseek(descriptor, 0, libc::SEEK_CUR) }).unwrap_or_default()
}

fn wrote(
    descriptor: c_int,
    bytes: *const c_void,
    count: ssize_t,
    offset: Option<off64_t>,
    write: &mut dyn FnMut(&Record<'_>),
) {
    let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else { return };
    // SAFETY: the kernel has just read that many bytes from there.
    let data = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count) };
    let offset = match offset {
        Some(offset) => offset.cast_unsigned(),
        None => position(descriptor).saturating_sub(count as u64),
    };
    write(&Record { kind: kind::WRITE, numbers: [number(descriptor), offset, 0], data, ..Record::default() });
}

/// See write(2).
///
/// # Safety
/// As write(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn write(descriptor: c_int, bytes: *const c_void, count: usize) -> ssize_t {
    let call = || {
        let real: extern "C" fn(c_int, *const c_void, usize) -> ssize_t = next!("write");
        real(descriptor, bytes, count)
    };
    on(descriptor, call, |count, write| wrote(descriptor, bytes, *count, None, write))
}

/// See writev(2). Part by part, for files that count.
///
/// # Safety
/// As writev(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn writev(descriptor: c_int, parts: *const libc::iovec, count: c_int) -> ssize_t {
    let is_ours = Recording::get().is_some_and(|recording| recording.turn().is_open(descriptor));
    if !is_ours {
        let real: extern "C" fn(c_int, *const libc::iovec, c_int) -> ssize_t = next!("writev");
        return real(descriptor, parts, count);
    }
    let mut all = 0;
    for at in 0..usize::try_from(count).unwrap_or_default() {
        // SAFETY: the caller hands over that many parts.
        let part = unsafe { &*parts.add(at) };
        // SAFETY: each part is a buffer of its length.
        let done = unsafe { write(descriptor, part.iov_base, part.iov_len) };
        match usize::try_from(done) {
            Err(_) if all == 0 => return done,
            Err(_) => break,
            Ok(length) => {
                all += done;
                if length < part.iov_len {
                    break;
                }
            }
        }
    }
    all
}

/// See pwrite(2).
///
/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwrite64(
    descriptor: c_int,
    bytes: *const c_void,
    count: usize,
    offset: off64_t,
) -> ssize_t {
    let call = || {
        let real: extern "C" fn(c_int, *const c_void, usize, off64_t) -> ssize_t = next!("pwrite64");
        real(descriptor, bytes, count, offset)
    };
    on(descriptor, call, |count, write| wrote(descriptor, bytes, *count, Some(offset), write))
}

/// See pwrite(2).
///
/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwrite(
    descriptor: c_int,
    bytes: *const c_void,
    count: usize,
    offset: libc::off_t,
) -> ssize_t {
    // SAFETY: the same call; offsets have 64 bits on all platforms that this is built for.
    unsafe { pwrite64(descriptor, bytes, count, offset) }
}

/// See ftruncate(2).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ftruncate64(descriptor: c_int, size: off64_t) -> c_int {
    let call = || {
        let real: extern "C" fn(c_int, off64_t) -> c_int = next!("ftruncate64");
        real(descriptor, size)
    };
    on(descriptor, call, |result, write| {
        if *result == 0 {
            let numbers = [number(descriptor), size.cast_unsigned(), 0];
            write(&Record { kind: kind::SIZE, numbers, ..Record::default() });
        }
    })
}

/// See ftruncate(2).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ftruncate(descriptor: c_int, size: libc::off_t) -> c_int {
    ftruncate64(descriptor, size)
}

/// See fallocate(2). Only what changes the size is written down; room beyond it has no contents.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn fallocate64(descriptor: c_int, mode: c_int, offset: off64_t, length: off64_t) -> c_int {
    let call = || {
        let real: extern "C" fn(c_int, c_int, off64_t, off64_t) -> c_int = next!("fallocate64");
        real(descriptor, mode, offset, length)
    };
    on(descriptor, call, |result, write| {
        if *result == 0 && mode == 0 {
            let numbers = [number(descriptor), offset.cast_unsigned(), length.cast_unsigned()];
            write(&Record { kind: kind::ALLOCATE, numbers, ..Record::default() });
        }
    })
}

/// See fallocate(2).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn fallocate(descriptor: c_int, mode: c_int, offset: libc::off_t, length: libc::off_t) -> c_int {
    fallocate64(descriptor, mode, offset, length)
}

/// Writes down that a sync begins and, when it has returned, that it did.
fn sync(descriptor: c_int, call: impl FnOnce() -> c_int) -> c_int {
    let Some(recording) = Recording::get() else { return call() };
    let sync = recording.next_sync();
    {
        let turn = recording.turn();
        if !turn.is_open(descriptor) {
            drop(turn);
            return call();
        }
        let numbers = [number(descriptor), 0, sync];
        turn.write(&Record { kind: kind::SYNC_BEGIN, numbers, ..Record::default() });
    }
    keeping_errno(call(), |result| {
        let numbers = [number(descriptor), (*result == 0).into(), sync];
        recording.turn().write(&Record { kind: kind::SYNC_END, numbers, ..Record::default() });
    })
}

/// See fsync(2).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync(descriptor, || {
        let real: extern "C" fn(c_int) -> c_int = next!("fsync");
        real(descriptor)
    })
}

/// See fdatasync(2).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync(descriptor, || {
        let real: extern "C" fn(c_int) -> c_int = next!("fdatasync");
        real(descriptor)
    })
}

/// Carries a close out, and writes it down first: the number may be given to another file at once.
fn closing(descriptor: c_int, call: impl FnOnce() -> c_int) -> c_int {
    let Some(recording) = Recording::get() else { return call() };
    let mut turn = recording.turn();
    if turn.is_open(descriptor) {
        turn.write(&Record { kind: kind::CLOSE, numbers: [number(descriptor), 0, 0], ..Record::default() });
        turn.set_open(descriptor, false);
    }
    keeping_errno(call(), |_| drop(turn))
}

/// See close(2). It syncs nothing.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn close(descriptor: c_int) -> c_int {
    closing(descriptor, || {
        let real: extern "C" fn(c_int) -> c_int = next!("close");
        real(descriptor)
    })
}

/// See closedir(3), by which a folder is closed that was opened by openat(2).
///
/// # Safety
/// As closedir(3).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn closedir(folder: *mut libc::DIR) -> c_int {
    // SAFETY: the caller hands over an open folder.
    closing(unsafe { libc::dirfd(folder) }, || {
        let real: extern "C" fn(*mut libc::DIR) -> c_int = next!("closedir");
        real(folder)
    })
}

/// See fclose(3). What is written by stdio is not seen (`RocksDB`'s text log); that the descriptor is free again must
/// be.
///
/// # Safety
/// As fclose(3).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fclose(stream: *mut libc::FILE) -> c_int {
    // SAFETY: the caller hands over an open stream.
    closing(unsafe { libc::fileno(stream) }, || {
        let real: extern "C" fn(*mut libc::FILE) -> c_int = next!("fclose");
        real(stream)
    })
}

/// See `copy_file_range(2)`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn copy_file_range(
    from: c_int,
    from_offset: *mut off64_t,
    to: c_int,
    to_offset: *mut off64_t,
    length: usize,
    flags: libc::c_uint,
) -> ssize_t {
    if Recording::get().is_some() {
        fail(libc::ENOSYS);
        return -1;
    }
    let real: extern "C" fn(c_int, *mut off64_t, c_int, *mut off64_t, usize, libc::c_uint) -> ssize_t =
        next!("copy_file_range");
    real(from, from_offset, to, to_offset, length, flags)
}

/// See sendfile(2).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn sendfile64(to: c_int, from: c_int, offset: *mut off64_t, count: usize) -> ssize_t {
    if Recording::get().is_some() {
        fail(libc::ENOSYS);
        return -1;
    }
    let real: extern "C" fn(c_int, c_int, *mut off64_t, usize) -> ssize_t = next!("sendfile64");
    real(to, from, offset, count)
}

/// See sendfile(2).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn sendfile(to: c_int, from: c_int, offset: *mut off64_t, count: usize) -> ssize_t {
    sendfile64(to, from, offset, count)
}
