//! Room on the disk of the store: how much is free, and a reserve of the store's own for when others have taken it all.
//!
//! ```text
//!   free ≥ bound        everything goes on
//!   free < bound        low: nothing new is taken from applications
//!   free < bound / 4,   full: no link either, so nothing is written until there is room
//!   or the reserve was used
//! ```
//!
//! - Asking is one call to the file system; who writes asks before.
//! - The reserve is a file beside the store. It is given back to the disk only for a write that would fail without it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

const RESERVE: &str = "RESERVE";
/// The reserve is a quarter of the bound, and at most this.
const RESERVE_BYTES_MAX: u64 = 8 << 20;

/// See the module.
#[derive(Debug)]
pub struct Room {
    folder: PathBuf,
    free_min_bytes: u64,
    /// The reserve was used, and is not back yet.
    is_used_up: AtomicBool,
    /// A write has found no room and waits for it.
    awaited: watch::Sender<bool>,
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// Enough.
    Enough,
    /// Too little for anything new.
    Low,
    /// Too little for anything.
    Full,
}

impl Room {
    /// Of the disk that `folder` is on; with a bound of 0 it is never low, and there is no reserve.
    #[must_use]
    pub fn new(folder: &Path, free_min_bytes: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            free_min_bytes,
            is_used_up: AtomicBool::new(false),
            awaited: watch::Sender::new(false),
        }
    }

    /// The least that must be free, bytes.
    #[must_use]
    pub fn free_min_bytes(&self) -> u64 {
        self.free_min_bytes
    }

    /// How much there is now. A disk that cannot be asked has enough: its writes will say.
    #[must_use]
    pub fn left(&self) -> Left {
        let free = fs4::available_space(&self.folder).unwrap_or(u64::MAX);
        if free >= self.free_min_bytes {
            if self.is_used_up.load(Ordering::Acquire) {
                self.put_by();
            }
            return Left::Enough;
        }
        if self.is_used_up.load(Ordering::Acquire) || free < self.free_min_bytes / 4 { Left::Full } else { Left::Low }
    }

    /// Makes the reserve, if there is room for it.
    pub fn put_by(&self) {
        let bytes = (self.free_min_bytes / 4).min(RESERVE_BYTES_MAX);
        let path = self.folder.join(RESERVE);
        let is_there = fs::metadata(&path).is_ok_and(|file| file.len() == bytes);
        let made = if is_there || bytes == 0 { Ok(()) } else { write_zeros(&path, bytes) };
        match made {
            Ok(()) => self.is_used_up.store(false, Ordering::Release),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "no reserve on the disk of the store");
                fs::remove_file(&path).ok();
            }
        }
    }

    /// Whether a write waits for room: nobody else is to wait behind it.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        *self.awaited.borrow()
    }

    /// Returns when a write waits for room.
    pub async fn awaited(&self) {
        // The sender is this one, so it does not go away.
        self.awaited.subscribe().wait_for(|is_awaited| *is_awaited).await.ok();
    }

    pub(super) fn set_awaited(&self, is_awaited: bool) {
        metrics::gauge!("muster_edge_awaits_room").set(f64::from(u8::from(is_awaited)));
        self.awaited.send_replace(is_awaited);
    }

    /// Gives the reserve back to the disk; whether there was one.
    pub(super) fn use_up(&self) -> bool {
        self.is_used_up.store(true, Ordering::Release);
        fs::remove_file(self.folder.join(RESERVE)).is_ok()
    }
}

/// Real zeros: a file that only says how long it is reserves nothing.
fn write_zeros(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let zeros = vec![0; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all(&zeros[..count])?;
        left -= count as u64;
    }
    file.sync_all()
}

/// Whether an error says that there is no room.
pub(super) fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_says_what_is_left_and_the_reserve_comes_back() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let free = fs4::available_space(folder.path()).expect("it answers");
        let room = |bound| Room::new(folder.path(), bound);
        assert_eq!(room(0).left(), Left::Enough);
        assert_eq!(room(free / 2).left(), Left::Enough);
        assert_eq!(room(free + (1 << 30)).left(), Left::Low);
        assert_eq!(room(u64::MAX).left(), Left::Full);

        let room = room(1 << 20);
        room.put_by();
        let reserve = folder.path().join(RESERVE);
        assert_eq!(fs::metadata(&reserve).expect("it is there").len(), 1 << 18);
        assert!(room.use_up() && !reserve.exists());
        assert!(!room.use_up(), "once");
        assert_eq!(room.left(), Left::Enough);
        assert!(reserve.exists(), "put by again when there is room");
    }
}
