//! How far the state has come: revision, chain hash and the last time stamped, stored with every batch.

use muster_domain::At;
use rocksdb::DB;

use crate::store::error::{StoreError, rocks};
use crate::store::event_log::{self, ChainHash};
use crate::store::states::family;
use crate::store::{columns, envelope, keys};

/// Envelope type of a stored position.
const POSITION_TYPE: u16 = 18;

/// A position in the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The newest revision; 0 before the first.
    pub revision: u64,
    /// Chain hash at that revision.
    pub chain: ChainHash,
    /// The latest time stamped on any command, milliseconds since the epoch.
    pub time_ms: u64,
    /// Raft entries applied that carried commands; numbers the rows of outcomes.
    pub entries: u64,
    /// The bucket that request ids go into now.
    pub bucket: u32,
    /// The minute of log time in which that bucket began.
    pub bucket_minute: u32,
}

impl Position {
    /// Where the next accepted command would be.
    pub(super) fn next(&self, time_ms: u64) -> At {
        At { revision: self.revision + 1, time_ms }
    }

    /// The position that is stored.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn load(db: &DB) -> Result<Self, StoreError> {
        let stored = db.get_cf(family(db, columns::META)?, keys::APPLIED).map_err(rocks("read the position"))?;
        let Some(stored) = stored else {
            return Ok(Self {
                revision: 0,
                chain: super::CHAIN_START,
                time_ms: 0,
                entries: 0,
                bucket: 0,
                bucket_minute: 0,
            });
        };
        let body = envelope::open(POSITION_TYPE, &stored)
            .map_err(|source| StoreError::Damaged { what: "the position".to_owned(), source })?;
        Self::decode(body).ok_or_else(|| StoreError::Inconsistent("the position has another length".to_owned()))
    }

    /// Whether the event log ends here: both were written as one.
    ///
    /// # Errors
    /// When it does not, or cannot be read.
    pub(super) fn check(&self, db: &DB) -> Result<(), StoreError> {
        let chain = event_log::chain_hash(db, self.revision)?;
        if self.revision == 0 || chain == Some(self.chain) {
            return Ok(());
        }
        Err(StoreError::Inconsistent(format!(
            "the position is at revision {}, the event log does not end there",
            self.revision
        )))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64);
        body.extend_from_slice(&self.revision.to_be_bytes());
        body.extend_from_slice(&self.time_ms.to_be_bytes());
        body.extend_from_slice(&self.entries.to_be_bytes());
        body.extend_from_slice(&self.bucket.to_be_bytes());
        body.extend_from_slice(&self.bucket_minute.to_be_bytes());
        body.extend_from_slice(&self.chain);
        envelope::seal(POSITION_TYPE, &body)
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let (revision, rest) = body.split_first_chunk::<8>()?;
        let (time_ms, rest) = rest.split_first_chunk::<8>()?;
        let (entries, rest) = rest.split_first_chunk::<8>()?;
        let (bucket, rest) = rest.split_first_chunk::<4>()?;
        let (bucket_minute, chain) = rest.split_first_chunk::<4>()?;
        Some(Self {
            revision: u64::from_be_bytes(*revision),
            chain: chain.try_into().ok()?,
            time_ms: u64::from_be_bytes(*time_ms),
            entries: u64::from_be_bytes(*entries),
            bucket: u32::from_be_bytes(*bucket),
            bucket_minute: u32::from_be_bytes(*bucket_minute),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::golden::golden;

    #[test]
    fn the_stored_form_is_that_of_earlier_versions() {
        let position = Position {
            revision: 4_711,
            chain: [0xC4; 32],
            time_ms: 1_795_000_000_123,
            entries: 815,
            bucket: 7,
            bucket_minute: 29_916_666,
        };
        let stored = golden("applied-position.bin", position.encode());
        let body = envelope::open(POSITION_TYPE, &stored).expect("whole");
        assert_eq!(Position::decode(body), Some(position));
        assert_eq!(Position::decode(&body[1..]), None, "another length");
    }
}
