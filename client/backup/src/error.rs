//! Why a backup cannot be written, read or trusted. Each names the file at fault.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else lies there.
    #[error("{}: this is not a backup of Muster", .0.display())]
    NotABackup(PathBuf),
    /// Written by a newer version.
    #[error("{}: this backup has format {found}, and this program reads format {known}; use a newer version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Ends too early.
    #[error("{}: the backup is cut short: {what}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// Its bytes have changed.
    #[error("{}: the backup is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A folder with no backup, or with several that none can be chosen from.
    #[error("{}: {what}", path.display())]
    Choice {
        /// The folder.
        path: PathBuf,
        /// What is to be done.
        what: String,
    },
    /// The content does not come as the manifest says.
    #[error("the content does not follow the manifest: {0}")]
    OutOfPlace(String),
}

pub(crate) fn io_failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::Io { action, path: path.to_owned(), source }
}

pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> BackupError {
    BackupError::Damaged { path: path.to_owned(), what: what.into() }
}

pub(crate) fn truncated(path: &Path, what: impl Into<String>) -> BackupError {
    BackupError::Truncated { path: path.to_owned(), what: what.into() }
}
