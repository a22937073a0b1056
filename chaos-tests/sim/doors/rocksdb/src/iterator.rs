//! Looking through a family, at the moment it began.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::{Bound, Range};

use bytes::Bytes;

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
    lower: Option<Bytes>,
    upper: Option<Bytes>,
    pub(crate) tier: Option<ReadTier>,
}

/// As `rocksdb::ReadTier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTier {
    /// As in `rocksdb`: of what is written past the write-ahead log, only what was flushed.
    Persisted,
}

impl ReadOptions {
    /// As in `rocksdb`.
    pub fn set_iterate_range(&mut self, range: Range<impl Into<Vec<u8>>>) {
        self.lower = Some(range.start.into().into());
        self.upper = Some(range.end.into().into());
    }

    /// As in `rocksdb`.
    pub fn set_iterate_lower_bound(&mut self, key: impl Into<Vec<u8>>) {
        self.lower = Some(key.into().into());
    }

    /// As in `rocksdb`.
    pub fn set_iterate_upper_bound(&mut self, key: impl Into<Vec<u8>>) {
        self.upper = Some(key.into().into());
    }

    /// As in `rocksdb`, for single keys.
    pub fn set_read_tier(&mut self, tier: ReadTier) {
        self.tier = Some(tier);
    }

    /// As in `rocksdb`; without an effect.
    pub fn set_verify_checksums(&mut self, _verify: bool) {}

    /// As in `rocksdb`; without an effect.
    pub fn fill_cache(&mut self, _fill: bool) {}

    /// As in `rocksdb`; without an effect.
    pub fn set_readahead_size(&mut self, _bytes: usize) {}
}

/// As `rocksdb::DBIteratorWithThreadMode`.
pub struct DBIteratorWithThreadMode<'a> {
    map: Map,
    range: (Bound<Bytes>, Bound<Bytes>),
    direction: Direction,
    /// What comes next: to look for each item by itself would take long.
    ahead: VecDeque<(Bytes, Bytes)>,
    looked: usize,
    database: PhantomData<&'a ()>,
}

impl DBIteratorWithThreadMode<'_> {
    pub(crate) fn new(map: Map, options: &ReadOptions, mode: &IteratorMode<'_>) -> Self {
        let bound = |key: &Option<Bytes>| key.clone();
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
                if !matches!(&low, Bound::Included(lower) if lower.as_ref() > *key) {
                    low = Bound::Included(Bytes::copy_from_slice(key));
                }
                Direction::Forward
            }
            IteratorMode::From(key, Direction::Reverse) => {
                if !matches!(&high, Bound::Excluded(upper) if upper.as_ref() <= *key) {
                    high = Bound::Included(Bytes::copy_from_slice(key));
                }
                Direction::Reverse
            }
        };
        Self { map, range: (low, high), direction, ahead: VecDeque::new(), looked: 1, database: PhantomData }
    }

    /// Twice as many as before, because most who ask want one.
    fn look_ahead(&mut self) {
        const LOOKED_MAX: usize = 64;
        if self.is_empty() {
            return;
        }
        let items = self.map.range::<Bytes, _>((self.range.0.as_ref(), self.range.1.as_ref()));
        let own = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
        self.ahead = match self.direction {
            Direction::Forward => items.take(self.looked).map(own).collect(),
            Direction::Reverse => items.rev().take(self.looked).map(own).collect(),
        };
        self.looked = (2 * self.looked).min(LOOKED_MAX);
        let last = self.ahead.back().map(|(key, _)| Bound::Excluded(key.clone()));
        match (self.direction, last) {
            (_, None) => {}
            (Direction::Forward, Some(last)) => self.range.0 = last,
            (Direction::Reverse, Some(last)) => self.range.1 = last,
        }
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
        let (key, value) = match self.ahead.pop_front() {
            Some(item) => item,
            None => {
                self.look_ahead();
                self.ahead.pop_front()?
            }
        };
        Some(Ok((Box::from(key.as_ref()), Box::from(value.as_ref()))))
    }
}

/// As `rocksdb::Snapshot`.
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
        Ok(self.maps[family.number].get(key.as_ref()).map(|value| value.to_vec()))
    }

    /// As in `rocksdb`.
    #[must_use]
    pub fn iterator_cf(&self, family: &ColumnFamily, mode: IteratorMode<'_>) -> DBIteratorWithThreadMode<'_> {
        DBIteratorWithThreadMode::new(Map::clone(&self.maps[family.number]), &ReadOptions::default(), &mode)
    }
}
