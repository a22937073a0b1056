//! Something built from files, built again when they change.
//!
//! Deliberately does not know what is built.
//!
//! - Files are compared by content: renewing tools write, rename and link in all manners, and times can repeat.
//! - What cannot be built leaves the last good thing in place and is tried again, because a certificate and its key
//!   are two files that change one after the other.

use super::TlsError;
use super::material::PemFile;
use crate::tasks::{self, StopSignal};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often files are looked at.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

type Build<T> = dyn Fn(&[PemFile]) -> Result<T, TlsError> + Send + Sync;

/// The newest good `T` that its files gave.
pub struct Reloading<T> {
    paths: Vec<PathBuf>,
    build: Box<Build<T>>,
    current: RwLock<Arc<T>>,
    /// Of the files that `current` was built from.
    digest: Mutex<blake3::Hash>,
}

impl<T> std::fmt::Debug for Reloading<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reloading({:?})", self.paths)
    }
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Reads the files in this order and builds the first.
    pub(super) fn new(
        paths: Vec<PathBuf>,
        build: impl Fn(&[PemFile]) -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let files = read(&paths)?;
        let first = build(&files)?;
        let (current, digest) = (RwLock::new(Arc::new(first)), Mutex::new(digest(&files)));
        Ok(Self { paths, build: Box::new(build), current, digest })
    }

    /// The newest good one.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        // Only whole values are ever stored, so a poisoned lock still holds a good one.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files now. Says whether there was something new and good.
    ///
    /// # Errors
    /// When the files changed to something that cannot be used; the last good one stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let mut known = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let files = read(&self.paths)?;
        let found = digest(&files);
        if found == *known {
            return Ok(false);
        }
        let next = Arc::new((self.build)(&files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        *known = found;
        Ok(true)
    }

    /// Looks at the files every [`RELOAD_INTERVAL`] until told to stop.
    pub fn watch(self: &Arc<Self>, name: &'static str, stop: StopSignal) -> JoinHandle<()> {
        let this = Arc::clone(self);
        tasks::spawn("certificates", async move {
            let stopped = stop.stopped();
            tokio::pin!(stopped);
            loop {
                tokio::select! {
                    () = &mut stopped => return,
                    () = tokio::time::sleep(RELOAD_INTERVAL) => {}
                }
                match this.reload() {
                    Ok(false) => {}
                    Ok(true) => tracing::info!(name, "read new certificates; they count for new connections"),
                    Err(error) => {
                        metrics::counter!("muster_certificate_reload_failures_total", "listener" => name).increment(1);
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(name, error, "cannot use the changed certificates; the last good ones stay");
                    }
                }
            }
        })
    }
}

fn read(paths: &[PathBuf]) -> Result<Vec<PemFile>, TlsError> {
    paths.iter().map(|path| PemFile::read(path)).collect()
}

fn digest(files: &[PemFile]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(&(file.content.len() as u64).to_be_bytes()).update(&file.content);
    }
    hasher.finalize()
}
