//! What lies inside of stored records: the domain's values as the bytes of `stored/v1/*.proto`, and back.
//!
//! It does not know the envelope around them ([`super::envelope`]), the keys they lie under, or where they lie. Invariants:
//!
//! - Decoding what was encoded gives the same value, and the bytes of a value never change: the golden files of
//!   `tests/golden/stored-v1/` hold every kind of them.
//! - Bytes are what prost writes for the same message, whichever way they are written here.
//! - What is not known (an operation, a kind of event, a number of an enum) is an error that names it, never a default.
//! - No input makes a decoder panic.
//!
//! Twins, patches, revisions of patches and outcomes are written directly from the domain's values, backwards
//! ([`backwards`]); everything rarer goes through the generated messages.

mod backwards;
mod discovery;
mod edge_operations;
mod edges;
mod enums;
mod error;
mod event;
mod identities;
mod import;
mod keys;
mod nodes;
mod operation;
mod outcome;
mod reader;
mod record;
mod request;
mod retention;
mod settings;
mod twin;

pub use error::CodecError;
pub use event::{RevisionEntry, decode_revision, encode_revision};
pub use outcome::{decode_outcome, encode_outcome};
pub use record::{decode_record, encode_record};
pub use request::{decode_batch, decode_request, encode_batch, encode_request};

#[cfg(test)]
mod tests;
