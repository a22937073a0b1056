//! Operations on names: open, rename, unlink, mkdir, rmdir, link, by path or below an open folder.

use std::ffi::{CStr, c_char, c_int};

use crate::keeping_errno;
use crate::recording::{Record, Recording, Turn, kind};
use muster_preload::next;

/// The absolute path that a call means; `None` when it cannot be told.
fn absolute(folder: c_int, path: *const c_char) -> Option<Vec<u8>> {
    if path.is_null() {
        return None;
    }
    // SAFETY: callers of the C library hand over C strings.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    if path.starts_with(b"/") {
        return Some(path.to_owned());
    }
    let link = match folder {
        libc::AT_FDCWD => "/proc/self/cwd".to_owned(),
        folder => format!("/proc/self/fd/{folder}"),
    };
    let mut whole = std::fs::read_link(link).ok()?.into_os_string().into_encoded_bytes();
    if !path.is_empty() {
        whole.push(b'/');
        whole.extend_from_slice(path);
    }
    Some(whole)
}

/// The recording and the path, when it counts.
fn counted(folder: c_int, path: *const c_char) -> Option<(&'static Recording, Vec<u8>)> {
    let recording = Recording::get()?;
    let path = absolute(folder, path)?;
    recording.is_below(&path).then_some((recording, path))
}

fn exists(path: &[u8]) -> bool {
    let Ok(path) = std::ffi::CString::new(path) else { return false };
    // SAFETY: a C string, and a call that only looks.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::F_OK, libc::AT_SYMLINK_NOFOLLOW) == 0 }
}

/// Carries out an operation on one name, or two, and writes it down when it succeeded.
fn named(
    what: u32,
    from: (c_int, *const c_char),
    to: Option<(c_int, *const c_char)>,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let Some((recording, path)) = counted(from.0, from.1) else { return call() };
    let second = to.and_then(|(folder, path)| absolute(folder, path)).unwrap_or_default();
    let turn = recording.turn();
    keeping_errno(call(), |result| {
        if *result == 0 {
            turn.write(&Record { kind: what, path: &path, second: &second, ..Record::default() });
        }
    })
}

fn opened(turn: &mut Turn<'_>, descriptor: c_int, flags: c_int, is_new: bool, path: &[u8]) {
    if let Ok(number) = u64::try_from(descriptor) {
        turn.set_open(descriptor, true);
        let flags = u64::from(flags.cast_unsigned());
        turn.write(&Record { kind: kind::OPEN, numbers: [number, flags, is_new.into()], path, ..Record::default() });
    }
}

fn open_any(folder: c_int, path: *const c_char, flags: c_int, call: impl FnOnce() -> c_int) -> c_int {
    let Some((recording, name)) = counted(folder, path) else { return call() };
    let mut turn = recording.turn();
    let was_there = flags & libc::O_CREAT == 0 || exists(&name);
    keeping_errno(call(), |descriptor| opened(&mut turn, *descriptor, flags, !was_there, &name))
}

// `mode` is passed on whether it was given or not: it lies in a register, and counts only where a file is made.

/// See open(2).
///
/// # Safety
/// As open(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    open_any(libc::AT_FDCWD, path, flags, || {
        let real: extern "C" fn(*const c_char, c_int, ...) -> c_int = next!("open");
        real(path, flags, mode)
    })
}

/// See open(2).
///
/// # Safety
/// As open(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the same call; offsets have 64 bits on all platforms that this is built for.
    unsafe { open(path, flags | libc::O_LARGEFILE, mode) }
}

/// See openat(2).
///
/// # Safety
/// As openat(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn openat(folder: c_int, path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    open_any(folder, path, flags, || {
        let real: extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int = next!("openat");
        real(folder, path, flags, mode)
    })
}

/// See openat(2).
///
/// # Safety
/// As openat(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn openat64(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: libc::mode_t,
) -> c_int {
    // SAFETY: the same call.
    unsafe { openat(folder, path, flags, mode) }
}

/// See rename(2).
///
/// # Safety
/// As rename(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    named(kind::RENAME, (libc::AT_FDCWD, from), Some((libc::AT_FDCWD, to)), || {
        let real: extern "C" fn(*const c_char, *const c_char) -> c_int = next!("rename");
        real(from, to)
    })
}

/// See unlink(2).
///
/// # Safety
/// As unlink(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    named(kind::UNLINK, (libc::AT_FDCWD, path), None, || {
        let real: extern "C" fn(*const c_char) -> c_int = next!("unlink");
        real(path)
    })
}

/// See unlinkat(2).
///
/// # Safety
/// As unlinkat(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn unlinkat(folder: c_int, path: *const c_char, flags: c_int) -> c_int {
    let what = if flags & libc::AT_REMOVEDIR == 0 { kind::UNLINK } else { kind::RMDIR };
    named(what, (folder, path), None, || {
        let real: extern "C" fn(c_int, *const c_char, c_int) -> c_int = next!("unlinkat");
        real(folder, path, flags)
    })
}

/// See rmdir(2).
///
/// # Safety
/// As rmdir(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    named(kind::RMDIR, (libc::AT_FDCWD, path), None, || {
        let real: extern "C" fn(*const c_char) -> c_int = next!("rmdir");
        real(path)
    })
}

/// See mkdir(2).
///
/// # Safety
/// As mkdir(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn mkdir(path: *const c_char, mode: libc::mode_t) -> c_int {
    named(kind::MKDIR, (libc::AT_FDCWD, path), None, || {
        let real: extern "C" fn(*const c_char, libc::mode_t) -> c_int = next!("mkdir");
        real(path, mode)
    })
}

/// See link(2).
///
/// # Safety
/// As link(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    named(kind::LINK, (libc::AT_FDCWD, from), Some((libc::AT_FDCWD, to)), || {
        let real: extern "C" fn(*const c_char, *const c_char) -> c_int = next!("link");
        real(from, to)
    })
}

/// See linkat(2).
///
/// # Safety
/// As linkat(2).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn linkat(
    from_folder: c_int,
    from: *const c_char,
    to_folder: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    named(kind::LINK, (from_folder, from), Some((to_folder, to)), || {
        let real: extern "C" fn(c_int, *const c_char, c_int, *const c_char, c_int) -> c_int = next!("linkat");
        real(from_folder, from, to_folder, to, flags)
    })
}
