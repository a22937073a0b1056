//! The database: families of ordered maps behind one lock, and what of them was flushed.

use std::fmt;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::flushes::{self, Flushes};
use crate::iterator::{DBIteratorWithThreadMode, IteratorMode, ReadOptions, ReadTier, Snapshot};
use crate::options::{FlushOptions, Options, WriteOptions};
use crate::{Error, checkpoint};

/// One family. A copy shares all that is not changed afterwards, so that moments are cheap.
pub(crate) type Map = immutable_chunkmap::map::Map<Bytes, Bytes, 16>;

/// As `rocksdb::ColumnFamily`.
#[derive(Debug)]
pub struct ColumnFamily {
    pub(crate) number: usize,
    name: String,
}

/// As `rocksdb::ColumnFamilyDescriptor`.
#[derive(Debug)]
pub struct ColumnFamilyDescriptor {
    name: String,
    options: Options,
}

impl ColumnFamilyDescriptor {
    /// As in `rocksdb`.
    pub fn new(name: impl Into<String>, options: Options) -> Self {
        Self { name: name.into(), options }
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
    Put(usize, Bytes, Bytes),
    Delete(usize, Bytes),
    DeleteRange(usize, Bytes, Bytes),
}

impl Change {
    fn bytes(&self) -> usize {
        match self {
            Self::Put(_, key, value) => key.len() + value.len(),
            Self::Delete(_, key) => key.len(),
            Self::DeleteRange(_, from, to) => from.len() + to.len(),
        }
    }
}

fn own(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}

/// As `rocksdb::WriteBatch`.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch(pub(crate) Vec<Change>);

impl WriteBatch {
    /// As in `rocksdb`.
    pub fn put_cf(&mut self, family: &ColumnFamily, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.push(Change::Put(family.number, own(key), own(value)));
    }

    /// As in `rocksdb`.
    pub fn delete_cf(&mut self, family: &ColumnFamily, key: impl AsRef<[u8]>) {
        self.0.push(Change::Delete(family.number, own(key)));
    }

    /// As in `rocksdb`.
    pub fn delete_range_cf<K: AsRef<[u8]>>(&mut self, family: &ColumnFamily, from: K, to: K) {
        self.0.push(Change::DeleteRange(family.number, own(from), own(to)));
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
    flushed: Vec<Map>,
    /// What was written since.
    unflushed: Vec<Change>,
    unflushed_bytes: usize,
    /// `None` when it is opened for reading only.
    file: Option<Flushes>,
    failed: Option<Error>,
}

impl Content {
    fn flush(&mut self) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Some(file) = self.file.as_mut().filter(|_| !self.unflushed.is_empty()) else { return Ok(()) };
        if let Err(error) = file.add(&self.unflushed) {
            let error = Error::new("a flush", &error);
            self.failed = Some(error.clone());
            return Err(error);
        }
        self.unflushed.clear();
        self.unflushed_bytes = 0;
        self.flushed = self.maps.clone();
        Ok(())
    }
}

/// As `rocksdb::DB`.
pub struct DB {
    dir: PathBuf,
    families: Vec<ColumnFamily>,
    /// As much is written between two flushes at most, in bytes.
    buffer_bytes: usize,
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
        let mut buffer_bytes = usize::MAX;
        let names = families.into_iter().map(|family| {
            buffer_bytes = buffer_bytes.min(family.options.write_buffer_bytes.unwrap_or(usize::MAX));
            family.name
        });
        let names: Vec<_> = names.collect();
        Ok(Self { buffer_bytes, ..Self::open(dir.as_ref(), names.into_iter(), true)? })
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
        let found = flushes::read(dir).map_err(failed)?;
        found.batches.iter().for_each(|batch| apply(&mut maps, batch));
        let file = if writes { Some(Flushes::open(dir, found.whole_bytes).map_err(failed)?) } else { None };
        let flushed = maps.clone();
        let content = Content { maps, flushed, unflushed: Vec::new(), unflushed_bytes: 0, file, failed: None };
        Ok(Self { dir: dir.to_owned(), families, buffer_bytes: usize::MAX, content: Mutex::new(content), _lock: lock })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn maps(&self) -> Vec<Map> {
        self.content().maps.clone()
    }

    pub(crate) fn map(&self, family: &ColumnFamily) -> Map {
        self.content().maps[family.number].clone()
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
        self.get_cf_opt(family, key, &ReadOptions::default())
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// Never.
    pub fn get_cf_opt(
        &self,
        family: &ColumnFamily,
        key: impl AsRef<[u8]>,
        options: &ReadOptions,
    ) -> Result<Option<Vec<u8>>, Error> {
        let content = self.content();
        let maps = if options.tier == Some(ReadTier::Persisted) { &content.flushed } else { &content.maps };
        Ok(maps[family.number].get(key.as_ref()).map(|value| value.to_vec()))
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

    /// As in `rocksdb`, past the write-ahead log, which is not modelled.
    ///
    /// # Errors
    /// When a flush fails, or failed before.
    pub fn write_opt(&self, batch: WriteBatch, options: &WriteOptions) -> Result<(), Error> {
        assert!(options.past_the_log, "a write-ahead log is not modelled");
        let mut content = self.content();
        if content.file.is_none() {
            return Err(Error("Not implemented: opened for reading only".to_owned()));
        }
        if let Some(error) = &content.failed {
            return Err(error.clone());
        }
        apply(&mut content.maps, &batch.0);
        content.unflushed_bytes += batch.0.iter().map(Change::bytes).sum::<usize>();
        content.unflushed.extend(batch.0);
        if content.unflushed_bytes >= self.buffer_bytes { content.flush() } else { Ok(()) }
    }

    /// As in `rocksdb`: all families are flushed together.
    ///
    /// # Errors
    /// When the flush fails, or one failed before.
    pub fn flush_cfs_opt(&self, _families: &[&&ColumnFamily], _options: &FlushOptions) -> Result<(), Error> {
        self.flush()
    }

    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.content().flush()
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
                maps[*family].insert_cow(key.clone(), value.clone());
            }
            Change::Delete(family, key) => {
                maps[*family].remove_cow(key);
            }
            Change::DeleteRange(family, from, to) => {
                let map = &mut maps[*family];
                let gone: Vec<_> = map.range(from.clone()..to.clone()).map(|(key, _)| key.clone()).collect();
                gone.iter().for_each(|key| {
                    map.remove_cow(key);
                });
            }
        }
    }
}
