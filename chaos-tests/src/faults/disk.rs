//! Disks that are slow, fail or are full, and clocks that are wrong, by way of the library `disk-faults`, which each breakable
//! node has preloaded: numbers in a file that the process maps.
//!
//! What each number means is told in `disk-faults/src/control.rs`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::cluster::DISK_FAULTS;

/// The disk and the clock of one node.
#[derive(Debug)]
pub struct Disk(File);

impl Disk {
    /// Those of the node in this folder.
    ///
    /// # Errors
    /// When the node is not breakable.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(DISK_FAULTS);
        Ok(Self(File::options().write(true).open(&path).with_context(|| path.display().to_string())?))
    }

    fn set(&self, place: u64, number: u64) -> anyhow::Result<()> {
        Ok(self.0.write_all_at(&number.to_le_bytes(), place * 8)?)
    }

    /// Each sync takes so much longer.
    ///
    /// # Errors
    /// When the file cannot be written; so with all others.
    pub fn slow_down(&self, delay: Duration) -> anyhow::Result<()> {
        self.set(0, u64::try_from(delay.as_micros())?)
    }

    /// The next sync fails, and says so once.
    ///
    /// # Errors
    /// See [`Self::slow_down`].
    pub fn fail_next_sync(&self) -> anyhow::Result<()> {
        self.fail_next(0)
    }

    /// The next sync by a compaction of RocksDB fails.
    ///
    /// # Errors
    /// See [`Self::slow_down`].
    pub fn fail_next_sync_of_a_compaction(&self) -> anyhow::Result<()> {
        self.fail_next(1)
    }

    /// The next sync of a round of the Raft log fails.
    ///
    /// # Errors
    /// See [`Self::slow_down`].
    pub fn fail_next_sync_of_the_raft_log(&self) -> anyhow::Result<()> {
        self.fail_next(2)
    }

    /// The next sync fails of those that the number means.
    fn fail_next(&self, which: u64) -> anyhow::Result<()> {
        self.set(5, which)?;
        self.set(1, 1)
    }

    /// Whether it is told that no space is left.
    ///
    /// # Errors
    /// See [`Self::slow_down`].
    pub fn seem_full(&self, is_full: bool) -> anyhow::Result<()> {
        self.set(2, is_full.into())
    }

    /// Whether each write fails because no space is left.
    ///
    /// # Errors
    /// See [`Self::slow_down`].
    pub fn be_full(&self, is_full: bool) -> anyhow::Result<()> {
        self.set(3, is_full.into())
    }

    /// By how much the wall clock is wrong, seconds.
    ///
    /// # Errors
    /// See [`Self::slow_down`].
    pub fn put_clock_off(&self, seconds: i64) -> anyhow::Result<()> {
        self.set(4, seconds.cast_unsigned())
    }

    /// It is as fast as it can be, has room, and the clock is right. What fails goes on failing.
    ///
    /// # Errors
    /// See [`Self::slow_down`].
    pub fn calm(&self) -> anyhow::Result<()> {
        self.slow_down(Duration::ZERO)?;
        self.seem_full(false)?;
        self.put_clock_off(0)
    }

    /// Everything works, and the clock is right.
    ///
    /// # Errors
    /// See [`Self::slow_down`].
    pub fn heal(&self) -> anyhow::Result<()> {
        Ok(self.0.write_all_at(&[0; 64], 0)?)
    }
}
