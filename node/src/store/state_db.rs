//! The state store on disk: which RocksDB directory is the current one, and how it is replaced as a whole.
//!
//! ```text
//! data/state/CURRENT      the number of the directory in use
//! data/state/<n>/         RocksDB with the families of `columns.rs`
//! ```
//!
//! This file does not know what the records say, nor what Raft is. Invariants:
//! - Writes go into memory and become durable by flushes of all families at once (`unlogged.rs`): a crash loses a
//!   suffix, never a part from the middle, and the Raft log replays it. Whoever drops log entries calls
//!   [`StateDb::flush`] first.
//! - An installation is one rename: a crash at any step leaves the old or the new state, whole.
//! - A reader that took [`StateDb::db`] keeps a working store, even when it is replaced meanwhile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{Cache, DB, DBRecoveryMode, LogLevel, Options, WriteBatch};

use super::{columns, durable, rocksdb_log, unlogged};
use crate::failpoint::{self, Point};

/// Sizes that depend on the machine.
#[derive(Clone, Copy, Debug)]
pub struct StateOptions {
    /// Cache of uncompressed blocks, shared by all column families, in bytes.
    pub block_cache_bytes: usize,
    /// Size at which a family's memory table is written out, in bytes.
    pub write_buffer_bytes: usize,
    /// Called with what RocksDB says when its own work, such as a compaction, meets a broken disk.
    pub on_broken: fn(&str),
}

impl Default for StateOptions {
    fn default() -> Self {
        Self { block_cache_bytes: 256 << 20, write_buffer_bytes: 64 << 20, on_broken: |_| {} }
    }
}

/// Why the state store could not be opened, copied or replaced.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file operation failed.
    #[error("the state store's files at {path}")]
    Files {
        /// What was being worked on.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// RocksDB refused.
    #[error("the state store's database at {path}")]
    Database {
        /// The database directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: rocksdb::Error,
    },
    /// The pointer file says something that is not a number.
    #[error("the pointer file {path} is damaged: {content:?}")]
    Pointer {
        /// The pointer file.
        path: PathBuf,
        /// Its content.
        content: String,
    },
}

impl From<StateError> for io::Error {
    fn from(error: StateError) -> Self {
        Self::other(error)
    }
}

/// The state store. Cheap to share; all methods may be called from any thread.
pub struct StateDb {
    root: PathBuf,
    options: StateOptions,
    cache: Cache,
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    number: u64,
    db: Arc<DB>,
}

impl std::fmt::Debug for StateDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateDb").field("root", &self.root).finish_non_exhaustive()
    }
}

impl StateDb {
    /// Opens the state store below `data_dir`, or creates an empty one, and removes what an interrupted installation
    /// left behind.
    ///
    /// # Errors
    /// When files or database cannot be opened; the store is then untouched.
    pub fn open(data_dir: &Path, options: StateOptions) -> Result<Arc<Self>, StateError> {
        let root = data_dir.join("state");
        fs::create_dir_all(&root).map_err(|source| files(&root, source))?;
        let cache = Cache::new_lru_cache(options.block_cache_bytes);
        let number = match read_pointer(&root)? {
            Some(number) => number,
            None => {
                write_pointer(&root, 1)?;
                1
            }
        };
        remove_others(&root, number).map_err(|source| files(&root, source))?;
        let db = Arc::new(open_db(&root.join(number.to_string()), &cache, options)?);
        Ok(Arc::new(Self { root, options, cache, current: RwLock::new(Current { number, db }) }))
    }

    /// The database in use. Take it anew for each read or write; held across an installation it shows the old state.
    pub fn db(&self) -> Arc<DB> {
        Arc::clone(&self.read().db)
    }

    /// Writes a batch atomically, into memory.
    ///
    /// # Errors
    /// When RocksDB refuses; the node must then end, because it can no longer follow its peers.
    pub fn write(&self, batch: WriteBatch) -> Result<(), rocksdb::Error> {
        unlogged::write(&self.db(), batch)
    }

    /// Makes everything written so far survive a power cut.
    ///
    /// # Errors
    /// When the sync fails; nothing may then be assumed about what is durable.
    pub fn flush(&self) -> Result<(), rocksdb::Error> {
        unlogged::flush(&self.db())
    }

    /// Writes a consistent copy into `path`, which must not exist and must lie on the same filesystem. Writes go on
    /// meanwhile. Tables are hard links, so the copy is cheap.
    ///
    /// # Errors
    /// When the copy or its sync fails; `path` may then hold a part of it.
    pub fn checkpoint(&self, path: &Path) -> Result<(), StateError> {
        let db = self.db();
        let failed = |source| StateError::Database { path: path.to_owned(), source };
        Checkpoint::new(&*db).map_err(failed)?.create_checkpoint(path).map_err(failed)?;
        durable::sync_dir(path).map_err(|source| files(path, source))
    }

    /// Replaces the whole state by a checkpoint, which itself is left as it is. Must not run beside a write.
    ///
    /// # Errors
    /// When a step fails; the old state is then still the current one.
    pub fn install(&self, checkpoint_dir: &Path) -> Result<(), StateError> {
        let number = self.read().number + 1;
        let dir = self.root.join(number.to_string());
        durable::remove_dir(&dir).map_err(|source| files(&dir, source))?;
        // Only tables are immutable; RocksDB may write to every other file.
        durable::link_or_copy_dir(checkpoint_dir, &dir, |name| name.ends_with(".sst"))
            .map_err(|source| files(&dir, source))?;
        failpoint::reach(Point::StateLinked);
        let db = Arc::new(open_db(&dir, &self.cache, self.options)?);
        failpoint::reach(Point::StateOpened);
        unlogged::flush(&db).map_err(|source| StateError::Database { path: dir.clone(), source })?;
        write_pointer(&self.root, number)?;
        failpoint::reach(Point::StatePointed);
        let old = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, Current { number, db })
        };
        let old_dir = self.root.join(old.number.to_string());
        let readers = Arc::downgrade(&old.db);
        drop(old);
        remove_when_unused(readers, old_dir);
        Ok(())
    }

    /// The directory of the database in use.
    pub fn current_dir(&self) -> PathBuf {
        self.root.join(self.read().number.to_string())
    }

    fn read(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The directory of the database in use below `data_dir`, which nobody has open.
///
/// # Errors
/// When there is none.
pub fn current_in(data_dir: &Path) -> Result<PathBuf, StateError> {
    let root = data_dir.join("state");
    match read_pointer(&root)? {
        Some(number) => Ok(root.join(number.to_string())),
        None => Err(files(&root.join("CURRENT"), io::Error::from(io::ErrorKind::NotFound))),
    }
}

fn open_db(dir: &Path, cache: &Cache, options: StateOptions) -> Result<DB, StateError> {
    let mut all = Options::default();
    all.create_if_missing(true);
    all.create_missing_column_families(true);
    all.set_max_background_jobs(2);
    all.set_paranoid_checks(true);
    all.set_atomic_flush(true);
    // Versions before decision 0019 wrote a log, whose end may be torn: what it held is replayed from the Raft log.
    all.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    all.set_bytes_per_sync(1 << 20);
    all.set_max_open_files(1024);
    all.set_log_level(LogLevel::Warn);
    all.set_info_logger(rocksdb_log::logger(options.on_broken));
    DB::open_cf_descriptors(&all, dir, columns::descriptors(cache, options.write_buffer_bytes))
        .map_err(|source| StateError::Database { path: dir.to_owned(), source })
}

fn read_pointer(root: &Path) -> Result<Option<u64>, StateError> {
    let path = root.join("CURRENT");
    let content = match fs::read_to_string(&path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(files(&path, source)),
    };
    match content.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(StateError::Pointer { path, content }),
    }
}

fn write_pointer(root: &Path, number: u64) -> Result<(), StateError> {
    let path = root.join("CURRENT");
    durable::replace_file(&path, format!("{number}\n").as_bytes()).map_err(|source| files(&path, source))
}

/// Removes every numbered directory but the current one: leftovers of an installation that did not finish, or whose
/// readers were still busy when the process ended.
fn remove_others(root: &Path, current: u64) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        if number.is_some_and(|number| number != current) {
            durable::remove_dir(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a replaced database once its last reader is gone; a later start removes it otherwise.
fn remove_when_unused(readers: Weak<DB>, dir: PathBuf) {
    const WAIT_STEPS: u32 = 600;
    let remove = move || {
        for _ in 0..WAIT_STEPS {
            if readers.strong_count() == 0 {
                if let Err(error) = durable::remove_dir(&dir) {
                    tracing::warn!(dir = %dir.display(), %error, "the replaced state could not be removed");
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    if let Err(error) = std::thread::Builder::new().name("state-cleanup".into()).spawn(remove) {
        tracing::warn!(%error, "no thread to remove the replaced state; the next start removes it");
    }
}

fn files(path: &Path, source: io::Error) -> StateError {
    StateError::Files { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};
    use std::{fs, io};

    use rocksdb::WriteBatch;

    use super::{StateDb, StateOptions};
    use crate::store::{columns, unlogged};

    fn put(db: &StateDb, key: &[u8], value: &[u8]) {
        let raw = db.db();
        let mut batch = WriteBatch::default();
        batch.put_cf(raw.cf_handle(columns::STATES).unwrap(), key, value);
        db.write(batch).unwrap();
    }

    fn get(db: &StateDb, key: &[u8]) -> Option<Vec<u8>> {
        let raw = db.db();
        raw.get_cf(raw.cf_handle(columns::STATES).unwrap(), key).unwrap()
    }

    #[test]
    fn a_checkpoint_replaces_the_state_and_survives_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let db = StateDb::open(dir.path(), StateOptions::default()).unwrap();
        put(&db, b"k", b"old");
        let copy = dir.path().join("copy");
        db.checkpoint(&copy).unwrap();
        put(&db, b"k", b"new");
        let reader = db.db();
        db.install(&copy).unwrap();
        assert_eq!(get(&db, b"k").unwrap(), b"old");
        let still = reader.get_cf(reader.cf_handle(columns::STATES).unwrap(), b"k").unwrap();
        assert_eq!(still.unwrap(), b"new", "a reader of before keeps its view");
        put(&db, b"l", b"after");
        drop((reader, db));
        let db = StateDb::open(dir.path(), StateOptions::default()).unwrap();
        assert_eq!(get(&db, b"k").unwrap(), b"old");
        assert_eq!(get(&db, b"l").unwrap(), b"after");
        assert!(copy.join("CURRENT").exists(), "the checkpoint itself is not consumed");
    }

    /// The folder as a crash leaves it, whatever the database does when it is closed.
    fn crashed(dir: &Path) -> tempfile::TempDir {
        loop {
            match copy(dir) {
                Ok(copy) => return copy,
                // Taken away in the middle, so that what was copied is of two instants.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn copy(dir: &Path) -> io::Result<tempfile::TempDir> {
        let copy = tempfile::tempdir()?;
        fs::create_dir_all(copy.path().join("state/1"))?;
        fs::copy(dir.join("state/CURRENT"), copy.path().join("state/CURRENT"))?;
        for entry in fs::read_dir(dir.join("state/1"))? {
            let entry = entry?;
            fs::copy(entry.path(), copy.path().join("state/1").join(entry.file_name()))?;
        }
        Ok(copy)
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a limit while RocksDB's own threads are waited for")]
    fn a_crash_leaves_all_families_as_of_one_flush() {
        let dir = tempfile::tempdir().unwrap();
        let small = StateOptions { write_buffer_bytes: 64 << 10, ..StateOptions::default() };
        let db = StateDb::open(dir.path(), small).unwrap();
        let put_all = |value: &[u8]| {
            let raw = db.db();
            let mut batch = WriteBatch::default();
            columns::ALL.iter().for_each(|name| batch.put_cf(raw.cf_handle(name).unwrap(), b"k", value));
            db.write(batch).unwrap();
        };
        let flushed = || {
            let raw = db.db();
            let is_busy = |name| raw.property_int_value(name).unwrap() != Some(0);
            let seen = unlogged::get_flushed(&raw, raw.cf_handle(columns::EVENTS).unwrap(), b"k").unwrap();
            !is_busy("rocksdb.num-running-flushes")
                && !is_busy("rocksdb.mem-table-flush-pending")
                && seen.as_deref() == Some(b"two")
        };
        let values = |dir: &Path| -> Vec<Option<Vec<u8>>> {
            let db = StateDb::open(dir, StateOptions::default()).unwrap();
            let raw = db.db();
            columns::ALL.iter().map(|name| raw.get_cf(raw.cf_handle(name).unwrap(), b"k").unwrap()).collect()
        };
        put_all(b"one");
        assert_eq!(values(crashed(dir.path()).path()), vec![None; columns::ALL.len()]);
        db.flush().unwrap();
        put_all(b"two");
        // One family has more than its share, and is flushed on its own account: all are.
        let deadline = Instant::now() + Duration::from_secs(20);
        for filler in 0_u32.. {
            if flushed() {
                break;
            }
            assert!(Instant::now() < deadline, "a family that is full is not flushed");
            let (raw, mut batch) = (db.db(), WriteBatch::default());
            batch.put_cf(raw.cf_handle(columns::EVENTS).unwrap(), filler.to_be_bytes(), [0; 4_096]);
            db.write(batch).unwrap();
        }
        put_all(b"three");
        assert_eq!(values(crashed(dir.path()).path()), vec![Some(b"two".to_vec()); columns::ALL.len()]);
        drop(db);
        // The write-ahead log holds nothing: a node that stopped in order does not miss its files.
        for entry in fs::read_dir(dir.path().join("state/1")).unwrap().map(Result::unwrap) {
            if entry.path().extension().is_some_and(|ending| ending == "log") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        assert_eq!(values(dir.path()), vec![Some(b"three".to_vec()); columns::ALL.len()]);
    }

    #[test]
    fn what_is_durable_is_told_from_what_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let db = StateDb::open(dir.path(), StateOptions::default()).unwrap();
        let flushed = || {
            let raw = db.db();
            unlogged::get_flushed(&raw, raw.cf_handle(columns::STATES).unwrap(), b"k").unwrap()
        };
        put(&db, b"k", b"one");
        assert_eq!(flushed(), None);
        db.flush().unwrap();
        put(&db, b"k", b"two");
        assert_eq!(flushed().unwrap(), b"one");
        assert_eq!(get(&db, b"k").unwrap(), b"two");
    }

    #[test]
    fn the_pointer_is_that_of_earlier_versions() {
        let dir = tempfile::tempdir().unwrap();
        drop(StateDb::open(dir.path(), StateOptions::default()).unwrap());
        let path = dir.path().join("state/CURRENT");
        let stored = crate::store::golden::golden("state-current.txt", fs::read(&path).unwrap());
        fs::write(&path, stored).unwrap();
        assert_eq!(
            StateDb::open(dir.path(), StateOptions::default()).unwrap().current_dir(),
            dir.path().join("state/1")
        );
    }

    #[test]
    fn an_installation_cut_short_leaves_the_old_state() {
        let dir = tempfile::tempdir().unwrap();
        let db = StateDb::open(dir.path(), StateOptions::default()).unwrap();
        put(&db, b"k", b"old");
        drop(db);
        fs::create_dir(dir.path().join("state/2")).unwrap();
        fs::write(dir.path().join("state/2/CURRENT"), b"half").unwrap();
        let db = StateDb::open(dir.path(), StateOptions::default()).unwrap();
        assert_eq!(get(&db, b"k").unwrap(), b"old");
        assert!(!dir.path().join("state/2").exists());
    }
}
