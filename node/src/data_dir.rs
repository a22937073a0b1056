//! The data directory: one process in it at a time, and the same member of the same cluster for as long as it lives.
//!
//! Deliberately does not know what else lies in it (`store/`, `raft/`).
//!
//! - `LOCK` is held while the process lives; the operating system lets go of it, so a killed node leaves nothing behind.
//! - `IDENTITY` is written once and synced. A directory of another node or cluster is refused: a member that answered
//!   with another's votes could elect two leaders.

use crate::files;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The layout of a data directory that this program reads and writes.
pub const FORMAT: u32 = 1;

/// Who the data in a directory belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeIdentity {
    /// The layout of the directory; this program knows [`FORMAT`].
    pub format: u32,
    /// UUID of the cluster.
    pub cluster_id: String,
    /// The member's number; never given to another.
    pub node_id: u64,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The file system said no.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process works in it.
    #[error("another musterd is running on {}; stop it, or choose another node.data_dir", .0.display())]
    Locked(PathBuf),
    /// The identity file does not parse.
    #[error("{} cannot be read: {reason}. It is written once by musterd; restore it from a copy, or \
             start this node with an empty node.data_dir", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by another version.
    #[error("{} has format {found}, and this musterd reads format {FORMAT}; run the version that wrote it", path.display())]
    Format {
        /// The directory.
        path: PathBuf,
        /// What it holds.
        found: u32,
    },
    /// Half of a restore.
    #[error("{} holds a restore that did not finish; run `musterd restore` again", .0.display())]
    HalfRestored(PathBuf),
    /// Belongs to another member or cluster.
    #[error("{} belongs to {key} {found}, but the configuration says {wanted}; \
             set {key} back, or point node.data_dir at an empty directory", path.display())]
    Mismatch {
        /// The directory.
        path: PathBuf,
        /// The configuration key that differs.
        key: &'static str,
        /// What the directory holds.
        found: String,
        /// What the configuration says.
        wanted: String,
    },
}

/// A data directory that this process holds.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock lasts as long as this file stays open.
    _lock: Option<File>,
}

impl DataDir {
    /// Makes the directory if need be and locks it.
    ///
    /// # Errors
    /// When it cannot be made, or another process holds it.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let data_dir = Self::open_for_restore(path)?;
        if data_dir.restoring_path().exists() {
            return Err(DataDirError::HalfRestored(path.to_owned()));
        }
        Ok(data_dir)
    }

    /// The same, also when an interrupted restore left its traces.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_for_restore(path: &Path) -> Result<Self, DataDirError> {
        files::create_private_folder(path).map_err(failed("make the data directory", path))?;
        let lock_path = path.join("LOCK");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(failed("open", &lock_path))?;
        try_lock(&lock, path)?;
        Ok(Self { path: path.to_owned(), _lock: Some(lock) })
    }

    /// The same for somebody who only reads: makes nothing, and works where nothing may be written. A directory without a
    /// lock file, such as a copy, is not locked.
    ///
    /// # Errors
    /// When another process holds it, or an interrupted restore left its traces.
    pub fn open_to_read(path: &Path) -> Result<Self, DataDirError> {
        let lock_path = path.join("LOCK");
        let lock = match File::open(&lock_path) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed("open", &lock_path)(error)),
        };
        lock.as_ref().map_or(Ok(()), |lock| try_lock(lock, path))?;
        let data_dir = Self { path: path.to_owned(), _lock: lock };
        if data_dir.restoring_path().exists() {
            return Err(DataDirError::HalfRestored(path.to_owned()));
        }
        Ok(data_dir)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose data it holds; `None` when it is new.
    ///
    /// # Errors
    /// When the identity cannot be read or has another format.
    pub fn identity(&self) -> Result<Option<NodeIdentity>, DataDirError> {
        let path = self.identity_path();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let malformed = |reason: toml::de::Error| DataDirError::Malformed {
            path: path.clone(),
            reason: reason.message().to_owned(),
        };
        let table: toml::Table = toml::from_str(&text).map_err(malformed)?;
        // The format comes first: another one may have other fields.
        if let Some(found) = table.get("format").and_then(toml::Value::as_integer).and_then(|f| u32::try_from(f).ok())
            && found != FORMAT
        {
            return Err(DataDirError::Format { path: self.path.clone(), found });
        }
        NodeIdentity::deserialize(table).map(Some).map_err(malformed)
    }

    /// Makes sure that the directory belongs to this member: writes the identity into a new directory, compares it with
    /// that of a used one.
    ///
    /// # Errors
    /// When it belongs to another, or cannot be read or written.
    pub fn claim(&self, cluster_id: &str, node_id: u64) -> Result<NodeIdentity, DataDirError> {
        let wanted = NodeIdentity { format: FORMAT, cluster_id: cluster_id.to_owned(), node_id };
        let Some(found) = self.identity()? else {
            self.write_identity(&wanted)?;
            return Ok(wanted);
        };
        let differs =
            |key, found: String, wanted: String| DataDirError::Mismatch { path: self.path.clone(), key, found, wanted };
        if found.cluster_id != wanted.cluster_id {
            return Err(differs("cluster.id", found.cluster_id, wanted.cluster_id));
        }
        if found.node_id != wanted.node_id {
            return Err(differs("node.id", found.node_id.to_string(), wanted.node_id.to_string()));
        }
        Ok(found)
    }

    /// Says that the directory is being filled: until [`Self::end_restore`] no node starts on it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin_restore(&self) -> Result<(), DataDirError> {
        let path = self.restoring_path();
        let text = "# A backup is being restored into this directory. No node starts on it before that is finished.\n";
        files::create_private(&path, text.as_bytes()).map_err(failed("write", &path))
    }

    /// The directory is whole.
    ///
    /// # Errors
    /// When that cannot be made durable.
    pub fn end_restore(&self) -> Result<(), DataDirError> {
        let path = self.restoring_path();
        std::fs::remove_file(&path).map_err(failed("remove", &path))?;
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(failed("sync", &self.path))
    }

    fn restoring_path(&self) -> PathBuf {
        self.path.join("RESTORING")
    }

    fn write_identity(&self, identity: &NodeIdentity) -> Result<(), DataDirError> {
        let path = self.identity_path();
        let NodeIdentity { format, cluster_id, node_id } = identity;
        let text = format!(
            "# Whose data this directory holds. Written once by musterd; changing it loses data.\n\
             format = {format}\ncluster_id = \"{cluster_id}\"\nnode_id = {node_id}\n"
        );
        files::create_private(&path, text.as_bytes()).map_err(failed("write", &path))
    }

    fn identity_path(&self) -> PathBuf {
        self.path.join("IDENTITY")
    }
}

fn try_lock(lock: &File, path: &Path) -> Result<(), DataDirError> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(DataDirError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed("lock", &path.join("LOCK"))(source)),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    move |source| DataDirError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = "0f0e0d0c-0000-4000-8000-000000000000";

    #[test]
    fn one_process_at_a_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("data");
        let first = DataDir::open(&path).expect("free");
        assert!(matches!(DataDir::open(&path), Err(DataDirError::Locked(_))));
        assert!(matches!(DataDir::open_to_read(&path), Err(DataDirError::Locked(_))));
        drop(first);
        DataDir::open(&path).expect("free again");
        let copy = folder.path().join("copy");
        std::fs::create_dir(&copy).expect("made");
        DataDir::open_to_read(&copy).expect("nobody's");
        assert_eq!(std::fs::read_dir(&copy).expect("read").count(), 0, "reading makes no file");
    }

    #[test]
    fn belongs_to_the_first_who_claims_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = DataDir::open(folder.path()).expect("free");
        assert_eq!(data.identity().expect("new"), None);
        let identity = data.claim(CLUSTER, 2).expect("new");
        assert_eq!(data.claim(CLUSTER, 2).expect("the same"), identity);
        let error = data.claim(CLUSTER, 3).expect_err("another node").to_string();
        assert!(error.contains("node.id 2") && error.contains("says 3"), "{error}");
        let error = data.claim("ffffffff-0000-4000-8000-000000000000", 2).expect_err("another cluster").to_string();
        assert!(error.contains("cluster.id") && error.contains(CLUSTER), "{error}");
        assert_eq!(data.identity().expect("read"), Some(identity), "a refused claim changes nothing");
    }

    #[test]
    fn the_file_is_that_of_earlier_versions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = DataDir::open(folder.path()).expect("free");
        data.claim(CLUSTER, 2).expect("new");
        let path = folder.path().join("IDENTITY");
        let stored = crate::store::golden::golden("data-dir-identity.txt", std::fs::read(&path).expect("there"));
        std::fs::remove_file(&path).expect("there");
        std::fs::write(&path, stored).expect("written");
        let identity = NodeIdentity { format: FORMAT, cluster_id: CLUSTER.to_owned(), node_id: 2 };
        assert_eq!(data.identity().expect("read"), Some(identity));
    }

    #[test]
    fn a_damaged_or_newer_identity_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = DataDir::open(folder.path()).expect("free");
        for (text, wanted) in [
            ("", "cannot be read"),
            ("format = 1\n", "cannot be read"),
            ("format = 1\ncluster_id = 7\nnode_id = 1\n", "cannot be read"),
            ("\u{0}\u{0}", "cannot be read"),
            ("format = 2\nsomething_new = true\n", "format 2"),
        ] {
            std::fs::write(folder.path().join("IDENTITY"), text).expect("written");
            let error = data.claim(CLUSTER, 1).expect_err("refused").to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }
}
