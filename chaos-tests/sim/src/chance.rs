//! The only source of chance in the process: what asks the operating system for random bytes gets them from the seed.
//!
//! Hash maps, `rand`, `openraft`, `ring` and tokio's `select!` all end at `getrandom`; it is defined here, so that the linker takes
//! this one. In a process without a seed it is the system's own.

pub use muster_sim_std::chance::Chance;

use std::ffi::{c_uint, c_void};
use std::sync::{Mutex, PoisonError};

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
        let bytes = chance.next().to_le_bytes();
        let count = left.min(bytes.len());
        // SAFETY: `left` bytes are left of the caller's buffer, behind those that were filled.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast::<u8>().add(length - left), count) };
        left -= count;
    }
    isize::try_from(length).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    #[test]
    fn hashes_and_generators_follow_the_seed() {
        let draw = || {
            // In a thread of its own, because both keep what they drew for their thread.
            std::thread::spawn(|| {
                super::seed_everything(7);
                (RandomState::new().hash_one(1), rand::random::<u64>())
            })
            .join()
            .expect("it does not panic")
        };
        assert_eq!(draw(), draw());
    }
}
