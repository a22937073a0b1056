//! Reads a log that no node has open, as a start would, and leaves every file as it is: what a crash tore stays torn, and
//! leftovers stay.
//!
//! It works on files that may only be read, too. It does not know how far the log was known to be durable.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use super::error::LogOpenError;
use super::{Recovered, recover};

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::raft) struct Inspected {
    /// What a start would find.
    pub recovered: Recovered,
    /// The indexes of the first and last entry.
    pub ends: Option<(u64, u64)>,
}

/// Reads and checks all of the log in `dir`. A log that was never begun is empty.
pub(in crate::raft) fn inspect(dir: &Path) -> Result<Inspected, LogOpenError> {
    let files = |source| LogOpenError::Files { path: dir.to_owned(), source };
    if !std::fs::exists(dir).map_err(files)? {
        return Ok(Inspected::default());
    }
    if std::fs::exists(dir.join("CURRENT")).map_err(files)? {
        return Err(LogOpenError::RocksDb { path: dir.to_owned() });
    }
    let _lock = lock(dir)?;
    let found = recover::inspect(dir)?;
    Ok(found
        .map_or_else(Inspected::default, |found| Inspected { recovered: found.recovered, ends: found.index.ends() }))
}

/// Keeps writers out; a log without its lock file has none, and it is not made here.
fn lock(dir: &Path) -> Result<Option<File>, LogOpenError> {
    let files = |source| LogOpenError::Files { path: dir.to_owned(), source };
    let file = match File::open(dir.join("LOCK")) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(files(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(LogOpenError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(files(source)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::SystemTime;

    use super::super::tests::{append, entry, open};
    use super::super::{LogOpenError, segment};
    use super::{Inspected, inspect};
    use crate::raft::types::log_id;

    fn everything(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
        entries.map(|path| (path.clone(), read(path))).collect()
    }

    #[test]
    fn a_torn_log_and_leftovers_are_read_and_left_as_they_are() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("raftlog");
        assert_eq!(inspect(&dir).unwrap(), Inspected::default());
        assert!(!dir.exists(), "it makes no directory");
        let (disk, _) = open(&dir).unwrap();
        append(&disk, (0..3).map(|index| entry(1, index, 20)));
        let torn_at = disk.end().offset;
        append(&disk, (3..5).map(|index| entry(1, index, 60)));
        assert!(matches!(inspect(&dir), Err(LogOpenError::InUse { .. })), "it is open");
        drop(disk);
        let path = segment::path(&dir, 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes[torn_at + 40..].fill(0);
        fs::write(&path, bytes).unwrap();
        fs::write(dir.join("spare-7.tmp"), [7; 100]).unwrap();

        let before = everything(&dir);
        let found = inspect(&dir).unwrap();
        assert_eq!((found.recovered.last, found.ends), (Some(log_id(1, 2)), Some((0, 2))));
        assert_eq!(everything(&dir), before);
        fs::remove_file(dir.join("LOCK")).unwrap();
        assert_eq!(inspect(&dir).unwrap(), found);
        assert!(!dir.join("LOCK").exists(), "it makes no file");

        let (disk, recovered) = open(&dir).unwrap();
        assert_eq!((recovered, disk.index().ends()), (found.recovered, found.ends), "a start finds the same");
    }
}
