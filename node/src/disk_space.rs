//! Whether the disk still has room for writes.
//!
//! Deliberately refuses nothing itself: who takes writes asks [`DiskSpace::is_low`].
//!
//! - Asking is one atomic load; the file system is asked by a task, once a second.
//! - A disk that cannot be asked counts as it did before: a hiccup must not stop a cluster.

use crate::tasks::{self, StopSignal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);

/// The free space of the disk under the data directory.
#[derive(Debug)]
pub struct DiskSpace {
    path: PathBuf,
    free_min_bytes: u64,
    free_bytes: AtomicU64,
}

impl DiskSpace {
    /// Asks once. `free_min_bytes` of 0 means that it is never low.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn new(path: &Path, free_min_bytes: u64) -> std::io::Result<Arc<Self>> {
        let free_bytes = AtomicU64::new(fs4::available_space(path)?);
        Ok(Arc::new(Self { path: path.to_owned(), free_min_bytes, free_bytes }))
    }

    /// Asks every second until told to stop, and says so when it becomes low or has room again.
    pub fn watch(self: &Arc<Self>, stop: StopSignal) {
        let this = Arc::clone(self);
        drop(tasks::spawn("disk space", async move {
            let stopped = stop.stopped();
            tokio::pin!(stopped);
            loop {
                tokio::select! {
                    () = &mut stopped => return,
                    () = tokio::time::sleep(INTERVAL) => this.refresh(),
                }
            }
        }));
    }

    /// Whether less is free than `storage.disk_free_min_bytes`: reads go on, writes must be refused.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.free_bytes() < self.free_min_bytes
    }

    /// What was free a second ago at most.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float; a byte more or less does not matter")]
    fn refresh(&self) {
        let was_low = self.is_low();
        match fs4::available_space(&self.path) {
            Ok(free) => self.free_bytes.store(free, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "cannot ask how much of the disk is free")
            }
        }
        let (free_bytes, free_min_bytes) = (self.free_bytes(), self.free_min_bytes);
        metrics::gauge!("muster_disk_free_bytes").set(free_bytes as f64);
        match (was_low, self.is_low()) {
            (false, true) => {
                tracing::error!(free_bytes, free_min_bytes, "the disk is nearly full: writes are refused, reads go on")
            }
            (true, false) => tracing::info!(free_bytes, "the disk has room again: writes are taken"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_low_below_the_bound_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let space = |bound| DiskSpace::new(folder.path(), bound).expect("answers");
        assert!(!space(0).is_low(), "0 switches it off");
        assert!(!space(1).is_low());
        assert!(space(u64::MAX).is_low());
        let space = space(1);
        space.free_bytes.store(0, Ordering::Relaxed);
        assert!(space.is_low());
        space.refresh();
        assert!(!space.is_low(), "it is asked again");
    }
}
