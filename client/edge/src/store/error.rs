//! What can be wrong with a store, and what to do about it.

use std::path::{Path, PathBuf};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder or file cannot be made, read or written.
    #[error("{} cannot be used: {cause}", path.display())]
    Files {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// Another process has it.
    #[error("the store {} is open in another process: is the agent running?", path.display())]
    Busy {
        /// Which.
        path: PathBuf,
    },
    /// There was a store, and its file is gone.
    #[error(
        "the store {} is gone, but {} beside it says that there was one: put the file back, or begin anew with \
         `muster-edge reset --new-incarnation`", path.display(), marker.display()
    )]
    Gone {
        /// The file that is not there.
        path: PathBuf,
        /// The file that says so.
        marker: PathBuf,
    },
    /// It is not what was written.
    #[error(
        "the store {} is damaged: {what}. Operations in its queue that the cluster has not applied are lost with it; begin anew \
         with `muster-edge reset --new-incarnation`, which keeps the file", path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where.
        what: String,
    },
    /// It was made for another edge.
    #[error("the store {} belongs to {found}, not to {expected}: each edge has a folder of its own", path.display())]
    OtherEdge {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// A write failed: the disk is full or broken.
    #[error("the store {} cannot be written: {cause}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: Box<redb::Error>,
    },
    /// A read failed.
    #[error("the store cannot be read: {0}")]
    Read(Box<redb::Error>),
    /// An item is not what was written.
    #[error("the stored copy of {0} is damaged; the cluster sends it again")]
    DamagedItem(String),
}

impl StoreError {
    pub(super) fn files(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| Self::Files { path, cause }
    }

    pub(super) fn open(path: &Path, cause: redb::DatabaseError) -> Self {
        let path = path.to_owned();
        match cause {
            redb::DatabaseError::DatabaseAlreadyOpen => Self::Busy { path },
            redb::DatabaseError::Storage(redb::StorageError::Io(cause))
                if !matches!(cause.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
            {
                Self::Files { path, cause }
            }
            other => Self::Damaged { path, what: other.to_string() },
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

/// Every error of redb is one of reading.
pub(super) fn read(cause: impl Into<redb::Error>) -> StoreError {
    StoreError::Read(Box::new(cause.into()))
}
