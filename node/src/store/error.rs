//! What can go wrong below: a fault of the disk or damage on it. Never an answer to a caller's mistake.

use crate::store::codec::CodecError;
use crate::store::envelope::EnvelopeError;

/// A fault of the store. The node that meets one below `propose` stops, because it can no longer follow its peers.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// RocksDB refused.
    #[error("RocksDB failed to {doing}")]
    Rocks {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: rocksdb::Error,
    },
    /// A record's header or checksum is wrong.
    #[error("the record at {what} is damaged")]
    Damaged {
        /// Which record.
        what: String,
        /// How.
        source: EnvelopeError,
    },
    /// A record's content cannot be understood.
    #[error("the record at {what} cannot be decoded")]
    Undecodable {
        /// Which record.
        what: String,
        /// Why.
        source: CodecError,
    },
    /// What was asked for lies below the floor and is no longer here. Not a fault.
    #[error("the past below revision {floor} was compacted")]
    Compacted {
        /// The oldest revision that is left.
        floor: u64,
    },
    /// Records contradict each other.
    #[error("the store contradicts itself: {0}")]
    Inconsistent(String),
}

impl From<StoreError> for std::io::Error {
    fn from(error: StoreError) -> Self {
        Self::other(error)
    }
}

/// Names what was being done when RocksDB failed.
pub(crate) fn rocks(doing: &'static str) -> impl Fn(rocksdb::Error) -> StoreError {
    move |source| StoreError::Rocks { doing, source }
}
