//! Why stored bytes cannot be read. Below `propose` a node stops on any of these: it could not answer as its peers do.

use muster_domain::Rejection;
use prost::DecodeError;

/// Why stored bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They are not protobuf of this kind.
    #[error("{what} cannot be decoded: {detail}")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// Where it went wrong.
        detail: String,
    },
    /// A part that is always written is not there.
    #[error("{what} has no {part}")]
    Missing {
        /// What was decoded.
        what: &'static str,
        /// What it lacks.
        part: &'static str,
    },
    /// None of the kinds this version knows: most likely written by a newer one.
    #[error("{what} is of a kind that this version does not know")]
    UnknownKind {
        /// What was decoded.
        what: &'static str,
    },
    /// An enum has a number this version does not know: most likely written by a newer one.
    #[error("{what} has the number {number}, which this version does not know")]
    UnknownNumber {
        /// Which enum.
        what: &'static str,
        /// The number.
        number: i32,
    },
    /// Bytes of a fixed length have another.
    #[error("{what} has {found} bytes instead of {expected}")]
    Length {
        /// Which bytes.
        what: &'static str,
        /// Length it must have.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// A message shared with the public API holds what no version accepts.
    #[error("{what} is not valid: {rejection}")]
    Invalid {
        /// What was decoded.
        what: &'static str,
        /// Field and rule.
        rejection: Box<Rejection>,
    },
}

impl CodecError {
    pub(super) fn malformed(what: &'static str, detail: impl Into<String>) -> Self {
        Self::Malformed { what, detail: detail.into() }
    }

    /// For `map_err` on what prost says of `what`.
    pub(super) fn decoding(what: &'static str) -> impl FnOnce(DecodeError) -> Self {
        move |error| Self::Malformed { what, detail: error.to_string() }
    }

    /// For `map_err` on what a conversion shared with the API says of `what`.
    pub(super) fn invalid(what: &'static str) -> impl FnOnce(Rejection) -> Self {
        move |rejection| Self::Invalid { what, rejection: Box::new(rejection) }
    }
}

impl From<CodecError> for std::io::Error {
    fn from(error: CodecError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

/// The part that is always written.
pub(super) fn required<T>(what: &'static str, part: &'static str, value: Option<T>) -> Result<T, CodecError> {
    value.ok_or(CodecError::Missing { what, part })
}

/// Bytes of a fixed length.
pub(super) fn fixed<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], CodecError> {
    bytes.try_into().map_err(|_| CodecError::Length { what, expected: N, found: bytes.len() })
}
