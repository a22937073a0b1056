//! The chain of hashes over the event log, from its first entry to the position.

use rocksdb::{DB, IteratorMode};

use super::{VerifyError, differs};
use crate::store::error::{StoreError, rocks};
use crate::store::event_log::{self, ChainHash};
use crate::store::states::family;
use crate::store::{columns, envelope, keys};

const PLACE: &str = "the event log";

/// Returns the first revision: 1, or where the store says that its log begins since older events were removed.
pub(super) fn check(db: &DB, revision: u64, chain: &ChainHash) -> Result<u64, VerifyError> {
    let begins = event_log::swept(db)?;
    let first = begins.revision.max(1);
    let mut last: (u64, ChainHash) = (first - 1, begins.chain_before);
    for item in db.iterator_cf(family(db, columns::EVENTS)?, IteratorMode::Start) {
        let (key, value) = item.map_err(rocks("read events"))?;
        let here = keys::revision_at_end(&key).filter(|_| key.len() == 8);
        let here = here.ok_or_else(|| differs(last.0, PLACE, format!("a key that is none: {key:02x?}")))?;
        let split = value.split_first_chunk::<32>();
        let (hash, stored) = split.ok_or_else(|| differs(here, PLACE, "the entry has no chain hash"))?;
        if here != last.0 + 1 {
            return Err(differs(last.0 + 1, PLACE, format!("the entry is missing; the next one is revision {here}")));
        }
        check_entry(here, stored)?;
        if event_log::chain(&last.1, stored) != *hash {
            return Err(differs(here, PLACE, "the chain hash is not that of the stored bytes and the hash before"));
        }
        last = (here, *hash);
    }
    if last.0 != revision {
        return Err(differs(last.0, PLACE, format!("the log ends here, the position is at revision {revision}")));
    }
    if last.1 != *chain {
        return Err(differs(revision, "the position", "its chain hash is not that of the event log"));
    }
    Ok(first)
}

fn check_entry(revision: u64, stored: &[u8]) -> Result<(), StoreError> {
    let damaged = |source| StoreError::Damaged { what: format!("revision {revision}"), source };
    envelope::open(event_log::REVISION_TYPE, stored).map(|_| ()).map_err(damaged)
}
