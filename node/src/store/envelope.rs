//! The fixed header around every stored record: it tells a torn or rotted record from a good one before decoding.
//!
//! ```text
//! magic(1) format(1) flags(1) type(2) length(4) crc32c(4) body(length)      all big-endian
//! ```
//!
//! This file does not know what the body says. Invariants:
//! - The checksum covers type, length and body, so that a record found under another type is refused too.
//! - A format or flag that is not known is an error, never a guess.

use bytes::{BufMut, Bytes, BytesMut};
use muster_planted::{self as planted, Bug};

/// Length of the header in bytes.
pub const HEADER_BYTES: usize = 13;

const MAGIC: u8 = 0xB5;
const FORMAT: u8 = 1;

/// What a record is. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum RecordType {
    /// A Raft log entry (`stored.v1.RaftEntry`).
    LogEntry = 1,
    /// A Raft vote (`stored.v1.RaftVote`).
    Vote = 2,
    /// A place in the log (`stored.v1.RaftLogId`).
    LogId = 3,
    /// A membership (`stored.v1.RaftStoredMembership`).
    Membership = 4,
    /// The high-water mark (`stored.v1.RaftHighWater`).
    HighWater = 5,
    /// A snapshot's manifest (`stored.v1.SnapshotManifest`).
    SnapshotManifest = 6,
}

/// Why a record cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Fewer bytes than the header announces, or no header at all.
    #[error("the record is cut short: {found} bytes where {expected} belong")]
    Short {
        /// Bytes that belong here.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The first byte is not ours.
    #[error("this is not a stored record: first byte {0:#04x}")]
    Magic(u8),
    /// Written by a newer version.
    #[error("the record has format {format} and flags {flags}; this version reads format {FORMAT} without flags")]
    Format {
        /// Format found.
        format: u8,
        /// Flags found.
        flags: u8,
    },
    /// Another record lies where this one belongs.
    #[error("a record of type {found} lies where type {expected} belongs")]
    Type {
        /// Type number that belongs here.
        expected: u16,
        /// Type number found.
        found: u16,
    },
    /// The content differs from what was written.
    #[error("the record's checksum does not match: its bytes have changed since they were written")]
    Checksum,
}

impl From<EnvelopeError> for std::io::Error {
    fn from(error: EnvelopeError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

/// Puts the header in front of a body.
pub fn seal(kind: impl Into<u16>, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::with_capacity(HEADER_BYTES + body.len());
    seal_into(&mut out, kind, |buffer| buffer.put_slice(body));
    out.into()
}

/// Like [`seal`], but the body is written in place, so that it is copied only once.
pub fn seal_into(out: &mut BytesMut, kind: impl Into<u16>, body: impl FnOnce(&mut BytesMut)) {
    let kind = kind.into();
    let start = out.len();
    out.put_bytes(0, HEADER_BYTES);
    body(out);
    let length = u32::try_from(out.len() - start - HEADER_BYTES).expect("records are bounded far below 4 GiB");
    let sum = checksum(kind, length, &out[start + HEADER_BYTES..]);
    let mut header = &mut out[start..start + HEADER_BYTES];
    header.put_u8(MAGIC);
    header.put_u8(FORMAT);
    header.put_u8(0);
    header.put_u16(kind);
    header.put_u32(length);
    header.put_u32(sum);
}

/// Checks a record and gives its body.
///
/// # Errors
/// When the record is damaged, cut short, of another type or of a newer format.
pub fn open(kind: impl Into<u16>, record: &[u8]) -> Result<&[u8], EnvelopeError> {
    let length = check_header(kind.into(), record)?;
    Ok(&record[HEADER_BYTES..HEADER_BYTES + length])
}

/// Like [`open`], sharing the memory of the record.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(kind: impl Into<u16>, record: &Bytes) -> Result<Bytes, EnvelopeError> {
    let length = check_header(kind.into(), record)?;
    Ok(record.slice(HEADER_BYTES..HEADER_BYTES + length))
}

fn check_header(kind: u16, record: &[u8]) -> Result<usize, EnvelopeError> {
    let Some((header, body)) = record.split_at_checked(HEADER_BYTES) else {
        return Err(EnvelopeError::Short { expected: HEADER_BYTES, found: record.len() });
    };
    if header[0] != MAGIC {
        return Err(EnvelopeError::Magic(header[0]));
    }
    if header[1] != FORMAT || header[2] != 0 {
        return Err(EnvelopeError::Format { format: header[1], flags: header[2] });
    }
    let found = u16::from_be_bytes([header[3], header[4]]);
    if found != kind {
        return Err(EnvelopeError::Type { expected: kind, found });
    }
    let length = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
    let expected = length as usize;
    let Some(body) = body.get(..expected) else {
        return Err(EnvelopeError::Short { expected: HEADER_BYTES + expected, found: record.len() });
    };
    let sum = u32::from_be_bytes([header[9], header[10], header[11], header[12]]);
    if sum != checksum(kind, length, body) && !planted::is(Bug::ChecksumIgnored) {
        return Err(EnvelopeError::Checksum);
    }
    Ok(expected)
}

fn checksum(kind: u16, length: u32, body: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&kind.to_be_bytes());
    let sum = crc32c::crc32c_append(sum, &length.to_be_bytes());
    crc32c::crc32c_append(sum, body)
}

impl From<RecordType> for u16 {
    fn from(kind: RecordType) -> Self {
        kind as Self
    }
}

#[cfg(test)]
mod tests {
    use super::{EnvelopeError, HEADER_BYTES, RecordType, open, seal};

    #[test]
    fn a_sealed_body_comes_back() {
        for body in [&b""[..], b"x", &[7; 5000]] {
            let record = seal(RecordType::LogEntry, body);
            assert_eq!(record.len(), HEADER_BYTES + body.len());
            assert_eq!(open(RecordType::LogEntry, &record), Ok(body));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = seal(RecordType::Vote, b"some vote");
        for bit in 0..record.len() * 8 {
            let mut bad = record.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(RecordType::Vote, &bad).is_err(), "bit {bit} went unnoticed");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let record = seal(RecordType::Vote, b"some vote");
        for length in 0..record.len() {
            assert!(matches!(open(RecordType::Vote, &record[..length]), Err(EnvelopeError::Short { .. })));
        }
    }

    #[test]
    fn another_type_is_refused() {
        let record = seal(RecordType::Vote, b"some vote");
        assert_eq!(open(RecordType::LogEntry, &record), Err(EnvelopeError::Type { expected: 1, found: 2 }));
    }
}
