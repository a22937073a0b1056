//! Cuts the power of mounted file systems, as far as they can tell: `FS_IOC_GOINGDOWN` without flushing the journal.
//! What was not synced is gone, and each later access fails, until the file system is mounted again.
//!
//! It knows nothing of who uses them. All are opened first, so that they go down at the same instant as nearly as can
//! be.
#![allow(clippy::print_stderr, reason = "a small tool, told about on standard error")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

/// `FS_IOC_GOINGDOWN`, `_IOR('X', 125, __u32)`: ext4, xfs and f2fs know it.
const GOING_DOWN: libc::c_ulong = 0x8004_587D;
/// Nothing is flushed, not even the journal.
const NO_LOG_FLUSH: u32 = 2;

fn main() -> ExitCode {
    let mut open = Vec::new();
    for path in std::env::args_os().skip(1) {
        match File::open(&path) {
            Ok(file) => open.push((path, file)),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
    }
    let (mut code, how) = (ExitCode::SUCCESS, NO_LOG_FLUSH);
    for (path, file) in open {
        // SAFETY: the descriptor is open, and the request reads one number of 32 bits.
        if unsafe { libc::ioctl(file.as_raw_fd(), GOING_DOWN, &raw const how) } != 0 {
            eprintln!("{}: {}", path.display(), std::io::Error::last_os_error());
            code = ExitCode::FAILURE;
        }
    }
    code
}
