//! The value of an expression of a plan for one row or one group.
//!
//! ```text
//! evaluate(expr, source, context) ──▶ Datum        source: Document, GroupRow, or columns of the executor
//! order::compare, same ── key::encode ── rank over words::tokens
//! ```
//!
//! It knows neither where rows come from nor how many there are. Invariants:
//!
//! - It never fails: what makes no sense is undefined, as `docs/language.md` says for each operation.
//! - What a row's value is does not depend on how it is held: a number read from a column and one read from a document
//!   give the same bytes of output.
//! - Nothing is allocated for comparisons and logic over paths and constants.

mod datum;
mod expression;
mod functions;
pub mod key;
pub mod number;
pub mod order;
pub(crate) mod place;
mod source;
pub mod words;

#[cfg(test)]
pub(crate) mod laws;
#[cfg(test)]
mod tests;

pub use datum::Datum;
pub use expression::{evaluate, holds};
pub(crate) use functions::parse_rfc3339;
pub use source::{Document, GroupRow, Source};

use crate::plan::{Path, Words};

/// What a whole query has in common.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'c> {
    /// What `NOW()` is, milliseconds since the epoch.
    pub now_ms: u64,
    /// [`crate::plan::Plan::matches`].
    pub matches: &'c [(Path, Words)],
}

impl<'c> Context<'c> {
    /// The context of a plan.
    #[must_use]
    pub fn new(now_ms: u64, matches: &'c [(Path, Words)]) -> Self {
        Self { now_ms, matches }
    }
}
