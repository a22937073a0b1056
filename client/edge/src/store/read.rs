//! Reading items beside the one who writes: each call sees one committed state of the store.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use muster_proto::v1;
use redb::{Database, ReadableDatabase, ReadableTable};

use super::error::read;
use super::{ITEMS, StoreError, record};
use crate::contents::Contents;

/// See the module. Clones share the store.
#[derive(Debug, Clone)]
pub struct Reader {
    database: Arc<Database>,
}

/// A part of a list.
#[derive(Debug)]
pub struct Listed {
    /// In the order of names.
    pub items: Vec<v1::SyncItem>,
    /// The last name looked at, when there may be more.
    pub next_after: Option<String>,
}

impl Reader {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// An item by its name.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn item(&self, name: &str) -> Result<Option<v1::SyncItem>, StoreError> {
        let transaction = self.database.begin_read().map_err(read)?;
        let table = transaction.open_table(ITEMS).map_err(read)?;
        let Some(bytes) = table.get(name).map_err(read)? else { return Ok(None) };
        match record::decode_item(name, bytes.value()) {
            Ok(item) => Ok(Some(item)),
            Err(_) => Err(StoreError::DamagedItem(name.to_owned())),
        }
    }

    /// Up to `limit` names that lie behind `after`, in their order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn names(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let transaction = self.database.begin_read().map_err(read)?;
        let table = transaction.open_table(ITEMS).map_err(read)?;
        let rows = table.range::<&str>((Bound::Excluded(after), Bound::Unbounded)).map_err(read)?;
        rows.take(limit).map(|row| Ok(row.map_err(read)?.0.value().to_owned())).collect()
    }

    /// Hashes of all items that are whole, by what they hold.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn contents(&self) -> Result<Contents, StoreError> {
        let transaction = self.database.begin_read().map_err(read)?;
        let table = transaction.open_table(ITEMS).map_err(read)?;
        let mut hashes = BTreeMap::new();
        for row in table.iter().map_err(read)? {
            let (name, bytes) = row.map_err(read)?;
            match record::decode_item(name.value(), bytes.value()) {
                Ok(item) => drop(hashes.insert(item.name.clone(), Contents::hash(&item))),
                Err(what) => tracing::error!(item = name.value(), what, "a stored item is damaged"),
            }
        }
        let reader = self.clone();
        Ok(Contents::new(hashes, Box::new(move |name| reader.item(name).ok().flatten())))
    }

    /// Up to `limit` items whose names begin with `prefix`, lie behind `after` and please `keep`. Names are judged before
    /// items are decoded.
    ///
    /// # Errors
    /// When they cannot be read, or one is damaged.
    pub fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        is_wanted: impl Fn(&str) -> bool,
        keep: impl Fn(&v1::SyncItem) -> bool,
    ) -> Result<Listed, StoreError> {
        let transaction = self.database.begin_read().map_err(read)?;
        let table = transaction.open_table(ITEMS).map_err(read)?;
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let (mut items, mut next_after) = (Vec::new(), None);
        for row in table.range::<&str>((start, Bound::Unbounded)).map_err(read)? {
            let (name, bytes) = row.map_err(read)?;
            let name = name.value();
            if !name.starts_with(prefix) {
                break;
            }
            if !is_wanted(name) {
                continue;
            }
            if items.len() == limit {
                next_after = items.last().map(|item: &v1::SyncItem| item.name.clone());
                break;
            }
            let item =
                record::decode_item(name, bytes.value()).map_err(|_| StoreError::DamagedItem(name.to_owned()))?;
            if keep(&item) {
                items.push(item);
            }
        }
        Ok(Listed { items, next_after })
    }
}
