//! The database: families of ordered maps behind one lock, and the log before them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::iterator::{DBIteratorWithThreadMode, IteratorMode, ReadOptions, Snapshot};
use crate::log::{self, Log};
use crate::options::Options;
use crate::{Error, checkpoint};

/// One family: shared with whoever looks at a moment of it.
pub(crate) type Map = Arc<BTreeMap<Vec<u8>, Vec<u8>>>;

/// As `rocksdb::ColumnFamily`.
#[derive(Debug)]
pub struct ColumnFamily {
    pub(crate) number: usize,
    name: String,
}

/// As `rocksdb::ColumnFamilyDescriptor`.
#[derive(Debug)]
pub struct ColumnFamilyDescriptor(String);

impl ColumnFamilyDescriptor {
    /// As in `rocksdb`.
    pub fn new(name: impl Into<String>, _options: Options) -> Self {
        Self(name.into())
    }
}

/// As `rocksdb::DBPinnableSlice`.
#[derive(Debug)]
pub struct DBPinnableSlice(Vec<u8>);

impl Deref for DBPinnableSlice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for DBPinnableSlice {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Put(usize, Vec<u8>, Vec<u8>),
    Delete(usize, Vec<u8>),
    DeleteRange(usize, Vec<u8>, Vec<u8>),
}

/// As `rocksdb::WriteBatch`.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch(pub(crate) Vec<Change>);

impl WriteBatch {
    /// As in `rocksdb`.
    pub fn put_cf(&mut self, family: &ColumnFamily, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.push(Change::Put(family.number, key.as_ref().to_vec(), value.as_ref().to_vec()));
    }

    /// As in `rocksdb`.
    pub fn delete_cf(&mut self, family: &ColumnFamily, key: impl AsRef<[u8]>) {
        self.0.push(Change::Delete(family.number, key.as_ref().to_vec()));
    }

    /// As in `rocksdb`.
    pub fn delete_range_cf<K: AsRef<[u8]>>(&mut self, family: &ColumnFamily, from: K, to: K) {
        self.0.push(Change::DeleteRange(family.number, from.as_ref().to_vec(), to.as_ref().to_vec()));
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

struct Content {
    maps: Vec<Map>,
    /// `None` when it is opened for reading only.
    log: Option<Log>,
}

/// As `rocksdb::DB`.
pub struct DB {
    dir: PathBuf,
    families: Vec<ColumnFamily>,
    content: Mutex<Content>,
    _lock: Option<File>,
}

impl fmt::Debug for DB {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DB").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl DB {
    /// As in `rocksdb`.
    ///
    /// # Errors
    /// When its files cannot be used, or somebody has it open.
    pub fn open_cf_descriptors(
        _options: &Options,
        dir: impl AsRef<Path>,
        families: impl IntoIterator<Item = ColumnFamilyDescriptor>,
    ) -> Result<Self, Error> {
        Self::open(dir.as_ref(), families.into_iter().map(|family| family.0), true)
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// When there is none, or its files cannot be read.
    pub fn open_cf_for_read_only<N: AsRef<str>>(
        _options: &Options,
        dir: impl AsRef<Path>,
        families: impl IntoIterator<Item = N>,
        _fail_if_there_is_a_log: bool,
    ) -> Result<Self, Error> {
        Self::open(dir.as_ref(), families.into_iter().map(|family| family.as_ref().to_owned()), false)
    }

    fn open(dir: &Path, names: impl Iterator<Item = String>, writes: bool) -> Result<Self, Error> {
        let failed = |error| Error::new(&dir.display().to_string(), &error);
        let lock = if writes {
            fs::create_dir_all(dir).map_err(failed)?;
            let lock = File::create(dir.join("LOCK")).map_err(failed)?;
            lock.try_lock().map_err(|_| Error("IO error: lock hold by current process".to_owned()))?;
            Some(lock)
        } else {
            None
        };
        let families: Vec<_> = names.enumerate().map(|(number, name)| ColumnFamily { number, name }).collect();
        let mut maps = checkpoint::read(dir, families.len()).map_err(failed)?;
        let found = log::read(dir).map_err(failed)?;
        found.batches.iter().for_each(|batch| apply(&mut maps, batch));
        let log = if writes { Some(Log::open(dir, found.whole_bytes).map_err(failed)?) } else { None };
        Ok(Self { dir: dir.to_owned(), families, content: Mutex::new(Content { maps, log }), _lock: lock })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn maps(&self) -> Vec<Map> {
        self.content().maps.clone()
    }

    pub(crate) fn map(&self, family: &ColumnFamily) -> Map {
        Arc::clone(&self.content().maps[family.number])
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn cf_handle(&self, name: &str) -> Option<&ColumnFamily> {
        self.families.iter().find(|family| family.name == name)
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// Never.
    pub fn get_cf(&self, family: &ColumnFamily, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.content().maps[family.number].get(key.as_ref()).cloned())
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// Never.
    pub fn get_pinned_cf(
        &self,
        family: &ColumnFamily,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<DBPinnableSlice>, Error> {
        Ok(self.get_cf(family, key)?.map(DBPinnableSlice))
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn write(&self, batch: WriteBatch) -> Result<(), Error> {
        let mut content = self.content();
        let Content { maps, log } = &mut *content;
        let log = log.as_mut().ok_or_else(|| Error("Not implemented: opened for reading only".to_owned()))?;
        log.append(&batch.0).map_err(|error| Error::new("writing the log", &error))?;
        apply(maps, &batch.0);
        Ok(())
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn put_cf(&self, family: &ColumnFamily, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        batch.put_cf(family, key, value);
        self.write(batch)
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// When the log cannot be synced.
    pub fn flush_wal(&self, sync: bool) -> Result<(), Error> {
        match &self.content().log {
            Some(log) if sync => log.sync().map_err(|error| Error::new("syncing the log", &error)),
            _ => Ok(()),
        }
    }

    /// As in `rocksdb`: nothing to free here.
    ///
    /// # Errors
    /// Never.
    pub fn delete_file_in_range_cf<K: AsRef<[u8]>>(&self, _: &ColumnFamily, _: K, _: K) -> Result<(), Error> {
        Ok(())
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn iterator_cf(&self, family: &ColumnFamily, mode: IteratorMode<'_>) -> DBIteratorWithThreadMode<'_> {
        self.iterator_cf_opt(family, ReadOptions::default(), mode)
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn iterator_cf_opt(
        &self,
        family: &ColumnFamily,
        options: ReadOptions,
        mode: IteratorMode<'_>,
    ) -> DBIteratorWithThreadMode<'_> {
        DBIteratorWithThreadMode::new(self.map(family), &options, &mode)
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(self.maps())
    }
}

fn apply(maps: &mut [Map], changes: &[Change]) {
    for change in changes {
        match change {
            Change::Put(family, key, value) => {
                Arc::make_mut(&mut maps[*family]).insert(key.clone(), value.clone());
            }
            Change::Delete(family, key) => {
                Arc::make_mut(&mut maps[*family]).remove(key);
            }
            Change::DeleteRange(family, from, to) => {
                let map = Arc::make_mut(&mut maps[*family]);
                let gone: Vec<_> = map.range(from.clone()..to.clone()).map(|(key, _)| key.clone()).collect();
                gone.iter().for_each(|key| {
                    map.remove(key);
                });
            }
        }
    }
}
