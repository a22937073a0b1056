//! The files of a checkpoint of the state store: which they are, their hashes, and opening one that nobody writes to.
//!
//! It does not know what a checkpoint is for: snapshots (`raft/snapshot.rs`) and backups (`backup/`) are made of them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use muster_proto::stored::v1::SnapshotFile;
use rocksdb::{DB, Options};

use super::columns;

/// Opens the database in `dir` for reading. It changes nothing that belongs to the database.
///
/// # Errors
/// When it is none, or damaged.
pub fn open_read_only(dir: &Path) -> io::Result<DB> {
    let families = std::iter::once("default").chain(columns::ALL);
    DB::open_cf_for_read_only(&Options::default(), dir, families, false).map_err(io::Error::other)
}

/// Opens the database in `dir`, reads from it, and removes what RocksDB leaves behind even when it only reads.
///
/// # Errors
/// As [`open_read_only`], and what `read` returns.
pub fn look_into<T>(dir: &Path, read: impl FnOnce(&DB) -> io::Result<T>) -> io::Result<T> {
    let found = read(&open_read_only(dir)?);
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !belongs(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    found
}

/// Is this file part of the database, rather than a lock or a text log?
fn belongs(name: &str) -> bool {
    !(name == "LOCK" || name.starts_with("LOG"))
}

/// All files of the database in `dir` with their hashes, in the order of their names. Each is synced.
///
/// # Errors
/// When one cannot be read or synced.
pub fn describe_files(dir: &Path) -> io::Result<Vec<SnapshotFile>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a file name that is not UTF-8");
        let name = name.to_str().ok_or_else(invalid)?;
        if belongs(name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.into_iter().map(|name| describe_file(&dir.join(&name), name)).collect()
}

/// One file under this name. It is synced.
///
/// # Errors
/// When it cannot be read or synced.
pub fn describe_file(path: &Path, name: String) -> io::Result<SnapshotFile> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size_bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        size_bytes += count as u64;
    }
    file.sync_all()?;
    Ok(SnapshotFile { name, size_bytes, blake3: hasher.finalize().as_bytes().to_vec().into() })
}
