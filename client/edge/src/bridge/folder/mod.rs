//! The bridge to files: a folder that is kept equal to what the edge holds, one file for each resource.
//!
//! It reads the replica and never what waits in the queue: a report shows in its file when the cluster has it. Nothing that
//! lies in the folder is ever taken in.
//!
//! - A reader sees a file as it was or as it is, never half of it.
//! - Only files that this bridge could have made are removed, and only in a folder that it made.
//! - A disk that fails is tried again; the agent goes on.

mod files;
mod layout;
mod mirror;
mod place;

use std::path::PathBuf;
use std::time::Duration;

use muster_proto::edge::v1::FolderStatus;
use tokio::sync::watch;

use super::feed::Feed;
use super::{Pause, Standing};
use crate::config::Folder;
use crate::handle::Handle;
use mirror::Mirror;

/// The longest wait for a disk that fails.
const LONGEST: Duration = Duration::from_secs(60);

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Somebody else's files lie in it.
    #[error("the folder {} is not empty and was not made by this bridge: choose another one, or empty it", .0.display())]
    NotOurs(PathBuf),
    /// Another edge keeps it.
    #[error("the folder {} is that of {edge}", path.display())]
    OtherEdge {
        /// Which.
        path: PathBuf,
        /// Whose.
        edge: String,
    },
    /// A link or a file lies where a folder of the bridge belongs.
    #[error("{} is no folder of this bridge", .0.display())]
    NoFolder(PathBuf),
    /// It cannot be read or written.
    #[error("{}: {cause}", path.display())]
    Files {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

/// Claims the folder and returns what keeps it; `None` when the bridge is off.
///
/// # Errors
/// When the folder cannot be used.
pub(crate) fn prepare(
    handle: &Handle,
    config: &Folder,
    standing: Option<&Standing<FolderStatus>>,
) -> Result<Option<FolderBridge>, FolderError> {
    let (Some(path), Some(standing)) = (&config.path, standing) else { return Ok(None) };
    place::claim(path, handle.edge())?;
    let mirror = Mirror::new(handle.clone(), path.clone(), config.format);
    Ok(Some(FolderBridge { mirror, handle: handle.clone(), standing: standing.clone() }))
}

/// See the module.
pub(crate) struct FolderBridge {
    mirror: Mirror,
    handle: Handle,
    standing: Standing<FolderStatus>,
}

impl FolderBridge {
    /// Keeps the folder until told to stop.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { mut mirror, handle, standing } = self;
        let mut feed = Feed::open(handle.published());
        if !super::replica_is_whole(&handle, &mut stop).await {
            return;
        }
        let mut pause = Pause::new(LONGEST);
        loop {
            tokio::select! {
                () = feed.wait() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let due = feed.take();
            let brought = tokio::task::spawn_blocking(move || {
                let result = mirror.bring(&due);
                (mirror, result)
            });
            let Ok((back, result)) = brought.await else { return };
            mirror = back;
            standing.change(|status| mirror.tell(status));
            match result {
                Ok(()) => {
                    standing.change(|status| status.message.clear());
                    pause.reset();
                }
                Err(error) => {
                    tracing::warn!(%error, "the folder is not as it should be; it is tried again");
                    metrics::counter!("muster_edge_folder_failures_total").increment(1);
                    standing.change(|status| status.message = error.to_string());
                    feed.again();
                    if !super::slept(pause.next(), &mut stop).await {
                        return;
                    }
                }
            }
        }
    }
}
