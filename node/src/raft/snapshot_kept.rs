//! Whole files of snapshots that arrived in part, kept for the next try.
//!
//! ```text
//! data/snapshots/incoming/kept/<BLAKE3>
//! ```
//!
//! It does not know snapshots, only files by their hashes. Invariants:
//! - A file lies here only after it arrived whole and was synced; it is hashed again before it is used, because the process,
//!   or the machine, may have ended since.
//! - What no manifest asks for is removed: what lies here is at most one snapshot.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use muster_proto::stored::v1::SnapshotFile;

use crate::node::hex;
use crate::store::{checkpoint, durable};

/// See the module.
pub(super) struct KeptFiles {
    folder: PathBuf,
}

impl KeptFiles {
    /// The files in `folder`, which is there while it holds some.
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Removes all.
    pub(super) fn clear(&self) -> io::Result<()> {
        durable::remove_dir(&self.folder)
    }

    fn path(&self, file: &SnapshotFile) -> PathBuf {
        self.folder.join(hex(&file.blake3))
    }

    /// Positions of the files that are here, read and found right; everything else here is removed.
    pub(super) fn of(&self, files: &[SnapshotFile]) -> io::Result<Vec<u32>> {
        let mut wanted = BTreeSet::new();
        let mut here = Vec::new();
        for (position, file) in (0_u32..).zip(files) {
            let path = self.path(file);
            if is_right(&path, file)? {
                wanted.insert(path);
                here.push(position);
            }
        }
        if !fs::exists(&self.folder)? {
            return Ok(here);
        }
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if !wanted.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(here)
    }

    /// Puts a file that is here to where it is wanted. False when it is not here, or not right.
    pub(super) fn take(&self, file: &SnapshotFile, to: &Path) -> io::Result<bool> {
        let path = self.path(file);
        if !is_right(&path, file)? {
            return Ok(false);
        }
        fs::rename(path, to)?;
        Ok(true)
    }

    /// Keeps a file that arrived whole.
    pub(super) fn keep(&self, file: &SnapshotFile, from: &Path) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::rename(from, self.path(file))?;
        durable::sync_dir(&self.folder)
    }
}

fn is_right(path: &Path, file: &SnapshotFile) -> io::Result<bool> {
    if !fs::exists(path)? {
        return Ok(false);
    }
    let found = checkpoint::describe_file(path, file.name.clone())?;
    Ok(found.size_bytes == file.size_bytes && found.blake3 == file.blake3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_and_right_stays() {
        let dir = tempfile::tempdir().unwrap();
        let kept = KeptFiles::at(dir.path().join("kept"));
        let file = |content: &[u8]| SnapshotFile {
            name: "a.sst".to_owned(),
            size_bytes: content.len() as u64,
            blake3: blake3::hash(content).as_bytes().to_vec().into(),
        };
        let files = [file(b"one"), file(b"two"), file(b"three")];
        for (file, content) in files.iter().zip([b"one".as_slice(), b"two", b"three"]) {
            let arrived = dir.path().join("arrived");
            fs::write(&arrived, content).unwrap();
            kept.keep(file, &arrived).unwrap();
        }
        fs::write(kept.path(&files[1]), b"twi").unwrap();
        assert_eq!(kept.of(&files[..2]).unwrap(), [0], "the second one is damaged");
        assert!(!kept.path(&files[2]).exists(), "nobody wants the third");
        let to = dir.path().join("to");
        assert!(kept.take(&files[0], &to).unwrap());
        assert_eq!(fs::read(to).unwrap(), b"one");
        assert!(!kept.take(&files[0], &dir.path().join("again")).unwrap());
    }
}
