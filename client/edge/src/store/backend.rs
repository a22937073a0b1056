//! The file below the database, which waits where a write finds no room: a write that failed would end the database, with
//! everything that was not synced, and no reader could go on beside it.
//!
//! - First the reserve is used; then the write is tried again until there is room.
//! - Every other error goes on as it is; so does one of a sync, also for want of room: what was not synced then may be gone, and
//!   another try would not tell.

use std::io::Result;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::room::{Room, is_full};

const PAUSE: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug)]
pub(super) struct Patient {
    file: FileBackend,
    room: Arc<Room>,
}

impl Patient {
    pub(super) fn new(file: FileBackend, room: Arc<Room>) -> Self {
        Self { file, room }
    }

    fn until_there_is_room(&self, mut write: impl FnMut() -> Result<()>) -> Result<()> {
        let mut tries = 0_u32;
        loop {
            match write() {
                Err(error) if is_full(&error) => {
                    let had_reserve = self.room.use_up();
                    if tries.is_multiple_of(50) {
                        tracing::error!(%error, had_reserve, "the disk of the store is full: a write waits for room");
                    }
                    tries += 1;
                    if !had_reserve {
                        self.room.set_awaited(true);
                        std::thread::sleep(PAUSE);
                    }
                }
                other => {
                    if tries > 0 {
                        self.room.set_awaited(false);
                    }
                    return other;
                }
            }
        }
    }
}

impl StorageBackend for Patient {
    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.until_there_is_room(|| self.file.set_len(len))
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.until_there_is_room(|| self.file.write(offset, data))
    }

    fn close(&self) -> Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
