//! Tells a disk that is broken from one that is full, and from data that is wrong.
//!
//! After a failed sync the kernel may hold other bytes than the disk, and say so to nobody again (Rebello et al., "Can Applications
//! Recover from fsync Failures?", ATC 2020); so nothing that a node does with such a disk may go on, however little depends on it. A full
//! disk is waited for, and wrong data is refused. It does not know what follows: see `raft::FatalHandler`.

use std::error::Error;
use std::io;

/// What the kernel says of a broken device or file system: `EIO`, `ENXIO`, `ENODEV`, `EROFS`, `EUCLEAN`.
const BROKEN: [i32; 5] = [5, 6, 19, 30, 117];
/// How RocksDB's errors of files begin.
const IO: &str = "IO error";
/// The same as RocksDB passes it on, in the words of the C library (glibc, and musl for the first).
const IN_WORDS: [&str; 5] =
    ["Input/output error", "I/O error", "No such device", "Read-only file system", "Structure needs cleaning"];

/// Whether the error, or one of its causes, comes from a broken disk.
#[must_use]
pub fn is_broken(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        let says_so = error.raw_os_error().is_some_and(|code| BROKEN.contains(&code));
        // What it wraps is not among its sources.
        let inner = error.get_ref().is_some_and(|inner| is_broken(inner));
        return says_so || inner;
    }
    if let Some(error) = error.downcast_ref::<rocksdb::Error>() {
        return says_rocksdb(&error.clone().into_string());
    }
    error.source().is_some_and(is_broken)
}

/// The same of an error in RocksDB's words. That something is damaged or missing does not count: it may have come from elsewhere.
pub(super) fn says_rocksdb(error: &str) -> bool {
    error.starts_with(IO) && IN_WORDS.iter().any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_device_is_broken_and_a_full_one_is_not() {
        let of = |code| is_broken(&io::Error::from_raw_os_error(code));
        assert!(of(5), "EIO");
        assert!(of(30), "EROFS");
        assert!(!of(28), "ENOSPC");
        assert!(!of(2), "ENOENT");
        assert!(!is_broken(&io::Error::from(io::ErrorKind::InvalidData)), "what arrived is wrong");
    }

    #[test]
    fn the_cause_is_found_below_other_errors() {
        let wrapped = io::Error::other(io::Error::from_raw_os_error(5));
        assert!(is_broken(&io::Error::other(wrapped)));
        assert!(!is_broken(&io::Error::other(io::Error::from_raw_os_error(28))));
    }

    #[test]
    fn rocksdb_says_it_in_words() {
        assert!(says_rocksdb("IO error: While fdatasync: data/state/1/000024.sst: Input/output error"));
        assert!(!says_rocksdb("IO error: No space left on device: While appending to file: 000024.sst"));
        assert!(!says_rocksdb("IO error: No such file or directory: While open a file for random read: 000024.sst"));
        assert!(!says_rocksdb("Invalid argument: a comparator of a peer's making: Input/output error"));
        assert!(!says_rocksdb("Corruption: block checksum mismatch in 000024.sst"), "a peer may have sent it");
    }
}
