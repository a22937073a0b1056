//! Muster's answers to questions over many resources: the query language, from text to an answer as of one revision, and the
//! page tokens of every list.
//!
//! It knows no devices, no Raft, no clock and no storage: documents, keys, times and positions arrive as plain values.
//! The language is specified in `docs/language.md`.
#![allow(clippy::disallowed_methods, reason = "nothing here asks for time, chance or tasks")]

pub mod aggregate;
pub mod bind;
pub mod column;
pub mod error;
pub mod evaluate;
pub mod page;
pub mod plan;
pub mod rank;
pub mod schema;
pub mod syntax;
pub mod value;

pub use error::{Code, QueryError};
pub use page::{PageToken, PageTokenError, Position, Scope};
pub use schema::{Collection, Relation, Schema};
pub use value::Value;
