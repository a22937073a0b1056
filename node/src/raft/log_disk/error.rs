//! Why a log could not be opened. Each message says what is wrong and, where there is one, the way out.

use std::io;
use std::path::PathBuf;

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogOpenError {
    /// The directory or a file in it could not be used.
    #[error("the files of the Raft log at {path}")]
    Files {
        /// The log's directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Another process, or another part of this one, has the log open.
    #[error("the Raft log at {path} is in use")]
    InUse {
        /// The log's directory.
        path: PathBuf,
    },
    /// Something that was durable is unreadable, missing or out of place.
    #[error("the Raft log at {path} is damaged")]
    Damaged {
        /// The log's directory.
        path: PathBuf,
        /// Where and how.
        #[source]
        source: io::Error,
    },
    /// Written by a newer version.
    #[error("the Raft log at {path} has format {found}; this version reads format {known}: start a newer version")]
    Newer {
        /// The log's directory.
        path: PathBuf,
        /// The format found.
        found: u16,
        /// The format this version reads.
        known: u16,
    },
    /// Written before the log had files of its own.
    #[error(
        "{path} holds a RocksDB database: a development version from before the log's present format wrote it. No later \
         version reads it: remove this node's data directory and join it as a new member"
    )]
    RocksDb {
        /// The log's directory.
        path: PathBuf,
    },
    /// The high-water file could not be used.
    #[error("the high-water file {path}")]
    HighWater {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Entries or votes that were once durable are gone.
    #[error(
        "the Raft log at {path} lost data that was durable: it ends at {found}, but was known to reach {known}. A node \
         that forgot what it promised must not take part again. Put the data directory back as it was when the node last \
         ran (not an older copy), or replace the member under a new id: `muster cluster replace`, see \
         node/docs/how-to/membership.md"
    )]
    LogLost {
        /// The log's directory.
        path: PathBuf,
        /// Where the log and vote end now.
        found: String,
        /// How far they were known to reach.
        known: String,
    },
    /// A thread could not be started.
    #[error("no thread for the Raft log")]
    Thread(#[source] io::Error),
}

/// An error that says what is damaged.
pub(super) fn damage(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
