//! Looks after the views beside everything else: writes their checkpoint now and then and at the end, tells what memory
//! they take, and holds them to their bound.
//!
//! It knows no records. A checkpoint that cannot be written is told and tried again later, because it only makes starts faster;
//! unless the disk is broken, which ends the node whoever meets it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Views;
use super::checkpoint::CheckpointFile;
use crate::disk_space::DiskSpace;
use crate::raft::FatalHandler;
use crate::store::state_db::StateDb;
use crate::tasks::{self, StopSignal};

/// How often it looks.
const LOOK: Duration = Duration::from_secs(5);

/// Settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeeperSettings {
    /// Between two checkpoints at least; `None` for none but that at the end.
    pub interval: Option<Duration>,
    /// Memory of all columns from which on no further paths get columns.
    pub memory_bytes_max: usize,
}

/// The one who looks after the views of a node.
pub struct ViewsKeeper {
    views: Arc<Views>,
    file: CheckpointFile,
    disk: Arc<DiskSpace>,
    /// Made as durable as each checkpoint, which is of no use to a state that is behind it.
    state: Arc<StateDb>,
    fatal: Arc<dyn FatalHandler>,
    settings: KeeperSettings,
    /// Held while a checkpoint is written, so that there is one at a time.
    writing: Mutex<()>,
}

impl ViewsKeeper {
    /// For the views of a node.
    #[must_use]
    pub fn new(
        views: Arc<Views>,
        file: CheckpointFile,
        disk: Arc<DiskSpace>,
        state: Arc<StateDb>,
        fatal: Arc<dyn FatalHandler>,
        settings: KeeperSettings,
    ) -> Arc<Self> {
        Arc::new(Self { views, file, disk, state, fatal, settings, writing: Mutex::new(()) })
    }

    /// Begins, until told to stop.
    pub fn start(self: &Arc<Self>, stop: StopSignal) {
        drop(tasks::spawn("views", Arc::clone(self).keep(stop)));
    }

    async fn keep(self: Arc<Self>, stop: StopSignal) {
        let stopped = stop.stopped();
        tokio::pin!(stopped);
        let mut last = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = &mut stopped => return,
                () = tokio::time::sleep(LOOK.min(self.settings.interval.unwrap_or(LOOK))) => {}
            }
            self.look();
            if self.settings.interval.is_some_and(|interval| last.elapsed() >= interval) {
                let this = Arc::clone(&self);
                // `None` only when the runtime ends.
                tasks::blocking(move || this.write()).await;
                last = tokio::time::Instant::now();
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "gauges are floats; a byte more or less does not matter")]
    fn look(&self) {
        let (rows, bytes) = self.views.size();
        metrics::gauge!("muster_views_rows").set(rows as f64);
        metrics::gauge!("muster_views_memory_bytes").set(bytes as f64);
        if bytes > self.settings.memory_bytes_max && self.views.close_paths() {
            let most = self.settings.memory_bytes_max;
            tracing::warn!(
                bytes,
                most,
                "views take more memory than queries.views_memory_bytes: new paths get no columns"
            );
        }
    }

    /// Writes a checkpoint, unless the last one says the same.
    pub fn write(&self) {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.disk.is_low() {
            return;
        }
        let start = crate::raft::now();
        match self.views.save(&self.file) {
            Ok(Some(bytes)) => {
                metrics::histogram!("muster_views_checkpoint_seconds").record(start.elapsed());
                tracing::debug!(bytes, took = ?start.elapsed(), "a checkpoint of views was written");
            }
            Ok(None) => {}
            Err(error) => {
                self.fatal.end_if_broken("writing the checkpoint of views", &error);
                return tracing::warn!(%error, "the checkpoint of views cannot be written");
            }
        }
        if let Err(error) = self.state.flush() {
            self.fatal.end_if_broken("flushing the state", &error);
            tracing::warn!(%error, "the state cannot be flushed after the checkpoint of views");
        }
    }
}
