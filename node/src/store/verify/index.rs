//! The secondary keys, both ways: each living asset is found under its device, and nothing else is.

use std::collections::BTreeSet;

use muster_domain::{Body, Key};
use rocksdb::{DB, IteratorMode};

use super::{VerifyError, differs};
use crate::store::error::rocks;
use crate::store::states::{decode, family};
use crate::store::{columns, keys};

pub(super) fn check(db: &DB, revision: u64) -> Result<(), VerifyError> {
    let mut expected = BTreeSet::new();
    for item in db.iterator_cf(family(db, columns::STATES)?, IteratorMode::Start) {
        let (key, value) = item.map_err(rocks("read the records"))?;
        let Some(Key::Asset(namespace, asset)) = keys::parse_asset(&key) else { continue };
        if let Body::Asset(record) = decode(&key, &value)?.body {
            expected.insert(keys::asset_by_device(&namespace, &record.definition.device_ref.device, &asset));
        }
    }
    for item in db.iterator_cf(family(db, columns::SECONDARY)?, IteratorMode::Start) {
        let (key, _) = item.map_err(rocks("read the secondary keys"))?;
        if key.first() == Some(&keys::ASSET_BY_DEVICE) && !expected.remove(&*key) {
            return Err(differs(revision, format!("the secondary key {key:02x?}"), "no living asset refers so"));
        }
    }
    match expected.first() {
        None => Ok(()),
        Some(missing) => Err(differs(revision, format!("the secondary key {missing:02x?}"), "it is missing")),
    }
}
