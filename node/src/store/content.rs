//! A hash over every byte that the store holds, for those who ask whether two stores answer alike to whatever they are
//! asked.
//!
//! It knows no records. Everything is read, so it is for small stores.

use rocksdb::{DB, IteratorMode, ReadOptions};

use super::columns;
use super::error::{StoreError, rocks};
use super::states::family;

/// A hash over all that is stored. Each value is read twice: by its neighbours' way and by its key, as a caller would.
///
/// # Errors
/// When something cannot be read, or a key gives another value than its neighbours do.
pub fn hash(db: &DB) -> Result<[u8; 32], StoreError> {
    let mut hasher = blake3::Hasher::new();
    for name in columns::ALL {
        let family = family(db, name)?;
        let mut options = ReadOptions::default();
        options.set_verify_checksums(true);
        for item in db.iterator_cf_opt(family, options, IteratorMode::Start) {
            let (key, value) = item.map_err(rocks("read everything"))?;
            let found = db.get_pinned_cf(family, &key).map_err(rocks("read a value by its key"))?;
            if found.as_deref() != Some(&*value) {
                return Err(StoreError::Inconsistent(format!(
                    "{name}: a key gives another value than its neighbours do"
                )));
            }
            for part in [name.as_bytes(), &key, &value] {
                hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
            }
        }
    }
    Ok(*hasher.finalize().as_bytes())
}
