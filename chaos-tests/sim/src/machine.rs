//! What the machine would give: random bytes, which come from the seed here, and the time, which is the simulated one.
//!
//! Hash maps, `rand`, `openraft`, `ring` and tokio's `select!` all end at `getrandom`, and every clock at `clock_gettime`. Both are
//! defined here, so that the linker takes these. In a process without a seed they are the system's own.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Mutex, PoisonError};

use muster_sim_std::baton;
use muster_sim_std::chance::Chance;

/// When all runs begin: seconds since 1970, and since the machine was started.
const BEGIN_S: i64 = 1_790_000_000;

static SEEDED: Mutex<Option<Chance>> = Mutex::new(None);

/// From now on all randomness of this process comes from `seed`.
pub fn seed_everything(seed: u64) {
    *SEEDED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Chance::new(seed ^ 0x5EED));
}

/// As `getrandom(2)`.
///
/// # Safety
/// As with the system's: `buffer` has room for `length` bytes.
#[allow(unsafe_code, reason = "stands in for a function of the C library")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    let mut seeded = SEEDED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(chance) = &mut *seeded else {
        // SAFETY: the same call with the same arguments.
        let got = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return isize::try_from(got).unwrap_or(-1);
    };
    let mut left = length;
    while left > 0 {
        let bytes = chance.draw().to_le_bytes();
        let count = left.min(bytes.len());
        // SAFETY: `left` bytes are left of the caller's buffer, behind those that were filled.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast::<u8>().add(length - left), count) };
        left -= count;
    }
    isize::try_from(length).unwrap_or(isize::MAX)
}

/// As `clock_gettime(2)`.
///
/// # Safety
/// As with the system's: `time` is a place for a time.
#[allow(unsafe_code, reason = "stands in for a function of the C library")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if SEEDED.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
        // SAFETY: the same call with the same arguments.
        let got = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
        return c_int::try_from(got).unwrap_or(-1);
    }
    // Not the newest: that asks a clock, which may ask here.
    let passed = i64::try_from(baton::last_known_ns()).unwrap_or_default();
    let now = libc::timespec { tv_sec: BEGIN_S + passed / 1_000_000_000, tv_nsec: passed % 1_000_000_000 };
    // SAFETY: the caller gives a place for a time.
    unsafe { time.write(now) };
    0
}
