//! Looking through a family, at the moment it began.

use std::marker::PhantomData;
use std::ops::{Bound, Range};

use crate::Error;
use crate::db::{ColumnFamily, Map};

/// As `rocksdb::Direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As in `rocksdb`.
    Forward,
    /// As in `rocksdb`.
    Reverse,
}

/// As `rocksdb::IteratorMode`.
#[derive(Clone, Copy, Debug)]
pub enum IteratorMode<'a> {
    /// As in `rocksdb`.
    Start,
    /// As in `rocksdb`.
    End,
    /// As in `rocksdb`.
    From(&'a [u8], Direction),
}

/// As `rocksdb::ReadOptions`.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    lower: Option<Vec<u8>>,
    upper: Option<Vec<u8>>,
}

impl ReadOptions {
    /// As in `rocksdb`.
    pub fn set_iterate_range(&mut self, range: Range<impl Into<Vec<u8>>>) {
        self.lower = Some(range.start.into());
        self.upper = Some(range.end.into());
    }

    /// As in `rocksdb`.
    pub fn set_iterate_lower_bound(&mut self, key: impl Into<Vec<u8>>) {
        self.lower = Some(key.into());
    }

    /// As in `rocksdb`.
    pub fn set_iterate_upper_bound(&mut self, key: impl Into<Vec<u8>>) {
        self.upper = Some(key.into());
    }

    /// As in `rocksdb`; without an effect.
    pub fn fill_cache(&mut self, _fill: bool) {}

    /// As in `rocksdb`; without an effect.
    pub fn set_readahead_size(&mut self, _bytes: usize) {}
}

/// As `rocksdb::DBIteratorWithThreadMode`.
#[derive(Debug)]
pub struct DBIteratorWithThreadMode<'a> {
    map: Map,
    range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    direction: Direction,
    database: PhantomData<&'a ()>,
}

impl DBIteratorWithThreadMode<'_> {
    pub(crate) fn new(map: Map, options: &ReadOptions, mode: &IteratorMode<'_>) -> Self {
        let bound = |key: &Option<Vec<u8>>| key.clone();
        let mut low = bound(&options.lower).map_or(Bound::Unbounded, Bound::Included);
        let mut high = match bound(&options.upper) {
            // As RocksDB: an empty bound is none.
            Some(key) if !key.is_empty() => Bound::Excluded(key),
            _ => Bound::Unbounded,
        };
        let direction = match mode {
            IteratorMode::Start => Direction::Forward,
            IteratorMode::End => Direction::Reverse,
            IteratorMode::From(key, Direction::Forward) => {
                if !matches!(&low, Bound::Included(lower) if lower.as_slice() > *key) {
                    low = Bound::Included(key.to_vec());
                }
                Direction::Forward
            }
            IteratorMode::From(key, Direction::Reverse) => {
                if !matches!(&high, Bound::Excluded(upper) if upper.as_slice() <= *key) {
                    high = Bound::Included(key.to_vec());
                }
                Direction::Reverse
            }
        };
        Self { map, range: (low, high), direction, database: PhantomData }
    }

    fn is_empty(&self) -> bool {
        match (&self.range.0, &self.range.1) {
            (Bound::Included(low), Bound::Included(high)) => low > high,
            (Bound::Included(low), Bound::Excluded(high)) | (Bound::Excluded(low), Bound::Included(high)) => {
                low >= high
            }
            (Bound::Excluded(low), Bound::Excluded(high)) => low >= high,
            _ => false,
        }
    }
}

impl Iterator for DBIteratorWithThreadMode<'_> {
    type Item = Result<(Box<[u8]>, Box<[u8]>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_empty() {
            return None;
        }
        let mut left = self.map.range::<Vec<u8>, _>((self.range.0.as_ref(), self.range.1.as_ref()));
        let (key, value) = match self.direction {
            Direction::Forward => left.next()?,
            Direction::Reverse => left.next_back()?,
        };
        let found = (key.clone().into_boxed_slice(), value.clone().into_boxed_slice());
        match self.direction {
            Direction::Forward => self.range.0 = Bound::Excluded(key.clone()),
            Direction::Reverse => self.range.1 = Bound::Excluded(key.clone()),
        }
        Some(Ok(found))
    }
}

/// As `rocksdb::Snapshot`.
#[derive(Debug)]
pub struct Snapshot<'a> {
    maps: Vec<Map>,
    database: PhantomData<&'a ()>,
}

impl Snapshot<'_> {
    pub(crate) fn new(maps: Vec<Map>) -> Self {
        Self { maps, database: PhantomData }
    }

    /// As in `rocksdb`.
    ///
    /// # Errors
    /// Never.
    pub fn get_cf(&self, family: &ColumnFamily, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.maps[family.number].get(key.as_ref()).cloned())
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn iterator_cf(&self, family: &ColumnFamily, mode: IteratorMode<'_>) -> DBIteratorWithThreadMode<'_> {
        DBIteratorWithThreadMode::new(Map::clone(&self.maps[family.number]), &ReadOptions::default(), &mode)
    }
}
