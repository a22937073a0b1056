//! Whether a state store agrees with itself: the event log is read again from its beginning, its hashes are computed anew,
//! and its events are folded into records, which must be the ones that are stored.
//!
//! ```text
//! events ── chain.rs: is each hash H(r) = BLAKE3(H(r-1) ‖ stored bytes)? ──▶ the position's hash
//!        └─ fold.rs:  evolve, evolve, evolve ──▶ the records in `states` ──▶ index.rs: `secondary`
//! ```
//!
//! Nothing is written. It does not know whose store it is. A log whose beginning was removed is checked from where it
//! begins; records that did not change since then are counted, not compared.

mod chain;
mod fold;
mod index;
#[cfg(test)]
pub(crate) mod tests;

use rocksdb::DB;

use super::error::StoreError;
use super::event_log::ChainHash;

/// Why a store was not found good.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be read, or a record's checksum is wrong.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It can be read, and contradicts itself.
    #[error("first difference at revision {revision}, {place}: {what}")]
    Differs {
        /// The revision at which it was noticed.
        revision: u64,
        /// The record or the part of the store.
        place: String,
        /// What differs.
        what: String,
    },
}

/// What was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// The first revision in the log; above 1 when older ones were removed.
    pub first_revision: u64,
    /// The last.
    pub revision: u64,
    /// Events folded.
    pub events: u64,
    /// Records compared, deleted ones included.
    pub records: u64,
    /// Records that could not be compared, because their events are no longer there.
    pub records_older: u64,
}

/// Checks everything. `revision` and `chain` are the store's position. `progress` hears of each revision that was read:
/// so many of so many.
///
/// # Errors
/// The first difference.
pub fn verify(
    db: &DB,
    revision: u64,
    chain: &ChainHash,
    mut progress: impl FnMut(u64, u64),
) -> Result<Verified, VerifyError> {
    let first_revision = chain::check(db, revision, chain)?;
    let mut verified = Verified { first_revision, revision, ..Verified::default() };
    fold::check(db, &mut verified, &mut progress)?;
    index::check(db, revision)?;
    Ok(verified)
}

/// Checks the hashes of the event log only, and returns its first revision.
///
/// # Errors
/// The first difference.
pub fn verify_chain(db: &DB, revision: u64, chain: &ChainHash) -> Result<u64, VerifyError> {
    chain::check(db, revision, chain)
}

fn differs(revision: u64, place: impl ToString, what: impl Into<String>) -> VerifyError {
    VerifyError::Differs { revision, place: place.to_string(), what: what.into() }
}
