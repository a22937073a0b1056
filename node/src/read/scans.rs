//! Long reads beside the worker threads: those belong to consensus and to short answers, and a scan on one of them would
//! delay heartbeats.
//!
//! It does not know what is read. At most [`SCANS_MAX`] scans run at once; who cannot begin in time is refused.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::ReadError;
use crate::store::error::StoreError;
use crate::tasks;

/// Scans that run at the same time on one node.
const SCANS_MAX: usize = 8;
/// Scans of those who follow changes, beside the others. They take turns, so that many who are behind neither fill the
/// memory nor keep the processors.
const FOLLOWERS_MAX: usize = 2;
/// How long a follower waits for its turn: it has no caller who would rather hear a refusal.
const FOLLOWER_WAIT: Duration = Duration::from_secs(600);

/// Why a scan has no result.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It could not begin.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The places for scans; clones share them.
#[derive(Clone)]
pub(super) struct Scans {
    free: Arc<Semaphore>,
    wait_max: Duration,
}

impl Scans {
    /// A scan waits at most `wait_max` for its place.
    pub(super) fn new(wait_max: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(SCANS_MAX)), wait_max }
    }

    /// For those who follow changes.
    pub(super) fn for_followers() -> Self {
        Self { free: Arc::new(Semaphore::new(FOLLOWERS_MAX)), wait_max: FOLLOWER_WAIT }
    }

    /// Runs `work` on a thread where it may take its time.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ScanError> {
        let place = timeout(self.wait_max, Arc::clone(&self.free).acquire_owned()).await;
        let place = place.map_err(|_| ReadError::Busy)?.map_err(|_| ReadError::Stopping)?;
        let ended = tasks::blocking(move || {
            let result = work();
            // The place is free when the work ends, not when its caller goes away.
            drop(place);
            result
        });
        Ok(ended.await.ok_or(ReadError::Stopping)??)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn what_finds_no_place_in_time_is_refused() {
        let scans = Scans::new(Duration::from_millis(20));
        let (release, released): (Vec<_>, Vec<_>) = (0..SCANS_MAX).map(|_| sync_channel::<()>(1)).unzip();
        let running: Vec<_> = released
            .into_iter()
            .map(|released| {
                let scans = Scans { wait_max: Duration::from_secs(30), ..scans.clone() };
                tasks::spawn("scan", async move { scans.run(move || Ok(released.recv().is_ok())).await })
            })
            .collect();
        while scans.free.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = scans.run(|| Ok(())).await;
        assert!(matches!(refused, Err(ScanError::Read(ReadError::Busy))), "{refused:?}");
        for release in release {
            release.send(()).expect("the scan waits");
        }
        for scan in running {
            assert!(scan.await.expect("no panic").expect("it ran"));
        }
        let patient = Scans { wait_max: Duration::from_secs(30), ..scans };
        assert_eq!(patient.run(|| Ok(7)).await.expect("a place is free"), 7);
    }
}
