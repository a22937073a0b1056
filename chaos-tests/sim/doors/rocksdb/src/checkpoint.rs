//! As `rocksdb::checkpoint`: a copy of one moment, in a folder of its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::Error;
use crate::db::{Change, DB, Map};
use crate::flushes;

const TABLE: &str = "000001.sst";
/// Files that RocksDB has besides, so that what copies a checkpoint has several to copy.
const OTHERS: [(&str, &[u8]); 2] = [("CURRENT", b"MANIFEST-000001\n"), ("MANIFEST-000001", b"simulated")];

/// As `rocksdb::checkpoint::Checkpoint`.
#[derive(Debug)]
pub struct Checkpoint<'a>(&'a DB);

impl<'a> Checkpoint<'a> {
    /// As in `rocksdb`.
    ///
    /// # Errors
    /// Never.
    pub fn new(db: &'a DB) -> Result<Self, Error> {
        Ok(Self(db))
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// When the folder is there, or cannot be written.
    pub fn create_checkpoint(&self, dir: impl AsRef<Path>) -> Result<(), Error> {
        let dir = dir.as_ref();
        // As RocksDB does.
        self.0.flush()?;
        write(dir, &self.0.maps()).map_err(|error| Error::new("a checkpoint", &error))
    }
}

fn write(dir: &Path, maps: &[Map]) -> io::Result<()> {
    fs::create_dir(dir)?;
    let all = maps.iter().enumerate().flat_map(|(family, map)| {
        map.into_iter().map(move |(key, value)| Change::Put(family, key.clone(), value.clone()))
    });
    let body = flushes::encode(&all.collect::<Vec<_>>());
    let sum = std::trace::number_of(&body).to_be_bytes();
    let table = [sum.as_slice(), &body].concat();
    for (name, content) in [(TABLE, table.as_slice())].into_iter().chain(OTHERS) {
        let mut file = File::create(dir.join(name))?;
        file.write_all(content)?;
        file.sync_all()?;
    }
    Ok(())
}

/// What a folder's checkpoint holds, or nothing when it was none.
pub(crate) fn read(dir: &Path, families: usize) -> io::Result<Vec<Map>> {
    let mut items: Vec<Vec<_>> = (0..families).map(|_| Vec::new()).collect();
    let bytes = match fs::read(dir.join(TABLE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![Map::default(); families]),
        Err(error) => return Err(error),
    };
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "Corruption: block checksum mismatch");
    let (sum, body) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
    if std::trace::number_of(body).to_be_bytes() != *sum {
        return Err(damaged());
    }
    for change in flushes::decode(body).ok_or_else(damaged)? {
        let Change::Put(family, key, value) = change else { return Err(damaged()) };
        items.get_mut(family).ok_or_else(damaged)?.push((key, value));
    }
    Ok(items.into_iter().map(|items| Map::default().insert_many(items)).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        ColumnFamilyDescriptor, Direction, IteratorMode, Options, ReadOptions, ReadTier, WriteBatch, WriteOptions,
    };

    fn open(dir: &Path) -> DB {
        let families = ["default", "a", "b"].map(|name| ColumnFamilyDescriptor::new(name, Options::default()));
        DB::open_cf_descriptors(&Options::default(), dir, families).unwrap()
    }

    fn past_the_log() -> WriteOptions {
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        options
    }

    fn keys(db: &DB, options: ReadOptions, mode: IteratorMode<'_>) -> Vec<Vec<u8>> {
        let items = db.iterator_cf_opt(db.cf_handle("a").unwrap(), options, mode);
        items.map(|item| item.unwrap().0.to_vec()).collect()
    }

    #[test]
    fn a_checkpoint_opens_as_what_it_was_made_of() {
        std::disk::make("checkpoint", 1);
        let root = Path::new("/sim/checkpoint");
        let db = open(&root.join("db"));
        let mut batch = WriteBatch::default();
        for key in [b"1", b"2", b"3", b"4"] {
            batch.put_cf(db.cf_handle("a").unwrap(), key, key);
        }
        db.write_opt(batch, &past_the_log()).unwrap();
        Checkpoint::new(&db).unwrap().create_checkpoint(root.join("copy")).unwrap();
        let mut later = WriteBatch::default();
        later.put_cf(db.cf_handle("a").unwrap(), b"5", b"5");
        db.write_opt(later, &past_the_log()).unwrap();
        let copy = open(&root.join("copy"));
        assert_eq!(keys(&copy, ReadOptions::default(), IteratorMode::Start), [b"1", b"2", b"3", b"4"]);
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_range(b"2".to_vec()..b"4".to_vec());
        assert_eq!(keys(&db, bounds.clone(), IteratorMode::From(b"1", Direction::Forward)), [b"2", b"3"]);
        assert_eq!(keys(&db, bounds, IteratorMode::From(b"3", Direction::Reverse)), [b"3", b"2"]);
        assert_eq!(
            keys(&db, ReadOptions::default(), IteratorMode::From(b"35", Direction::Reverse)),
            [b"3", b"2", b"1"]
        );
        assert!(DB::open_cf_descriptors(&Options::default(), root.join("db"), []).is_err(), "it is open");
    }

    #[test]
    fn a_crash_leaves_all_families_as_of_the_last_flush() {
        std::disk::make("last-flush", 1);
        let dir = Path::new("/sim/last-flush/db");
        let db = open(dir);
        let put = |value: &[u8]| {
            let mut batch = WriteBatch::default();
            ["a", "b"].iter().for_each(|name| batch.put_cf(db.cf_handle(name).unwrap(), b"k", value));
            db.write_opt(batch, &past_the_log()).unwrap();
        };
        let mut flushed = ReadOptions::default();
        flushed.set_read_tier(ReadTier::Persisted);
        put(b"one");
        assert_eq!(db.get_cf_opt(db.cf_handle("a").unwrap(), b"k", &flushed).unwrap(), None);
        db.flush().unwrap();
        put(b"two");
        assert_eq!(db.get_cf_opt(db.cf_handle("b").unwrap(), b"k", &flushed).unwrap().unwrap(), b"one");
        assert_eq!(db.get_cf(db.cf_handle("b").unwrap(), b"k").unwrap().unwrap(), b"two");
        drop(db);
        let db = open(dir);
        for name in ["a", "b"] {
            assert_eq!(db.get_cf(db.cf_handle(name).unwrap(), b"k").unwrap().unwrap(), b"one");
        }
    }
}
