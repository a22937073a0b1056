//! The secondary keys, both ways: each living record that refers to another is found under that, and nothing else is.

use std::collections::BTreeSet;

use rocksdb::{DB, IteratorMode};

use super::{VerifyError, differs};
use crate::store::error::rocks;
use crate::store::states::{decode, family};
use crate::store::{columns, keys};

pub(super) fn check(db: &DB, revision: u64) -> Result<(), VerifyError> {
    let mut expected = BTreeSet::new();
    for item in db.iterator_cf(family(db, columns::STATES)?, IteratorMode::Start) {
        let (key, value) = item.map_err(rocks("read the records"))?;
        let Some(parsed) = keys::parse_indexed(&key) else { continue };
        expected.extend(keys::secondary(&parsed, &decode(&key, &value)?.body));
    }
    for item in db.iterator_cf(family(db, columns::SECONDARY)?, IteratorMode::Start) {
        let (key, _) = item.map_err(rocks("read the secondary keys"))?;
        if matches!(key.first(), Some(&(keys::ASSET_BY_DEVICE | keys::SITE_BY_PARENT))) && !expected.remove(&*key) {
            return Err(differs(revision, format!("the secondary key {key:02x?}"), "no living record refers so"));
        }
    }
    match expected.first() {
        None => Ok(()),
        Some(missing) => Err(differs(revision, format!("the secondary key {missing:02x?}"), "it is missing")),
    }
}
