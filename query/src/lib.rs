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
pub mod execute;
pub mod page;
pub mod plan;
pub mod rank;
pub mod schema;
pub mod syntax;
pub mod text;
pub mod value;

pub use error::{Code, QueryError};
pub use page::{PageToken, PageTokenError, Position, Scope};
pub use schema::{Collection, Relation, Schema};
pub use value::Value;

/// The plan of a query.
///
/// # Errors
/// When the text is no query over the schema.
pub fn compile(text: &str, schema: &Schema) -> Result<plan::Plan, QueryError> {
    let select = syntax::parse(text, &syntax::Limits::default())?;
    bind::bind(&select, schema)
}
