//! From what was written to a plan: names resolved, constants computed, mistakes found and explained.
//!
//! It knows the schema and no data. Invariants: those of [`crate::plan`].

use crate::error::QueryError;
use crate::plan::{Expr, Path, Plan, Words};
use crate::schema::{Collection, Schema};
use crate::syntax::ast;

/// A condition on the rows of a collection, apart from any query.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What a row must fulfil.
    pub filter: Expr,
    /// `MATCH` conditions in it, as [`Plan::matches`].
    pub matches: Vec<(Path, Words)>,
}

/// The plan of a query.
///
/// # Errors
/// When it breaks a rule of the language that its grammar does not hold.
pub fn bind(_select: &ast::Select, _schema: &Schema) -> Result<Plan, QueryError> {
    Err(QueryError::new(crate::Code::Invalid, ast::Span::default(), "under construction"))
}

/// A condition on the rows of `collection`, as behind `WHERE`.
///
/// # Errors
/// As [`bind`].
pub fn bind_condition(_condition: &ast::Expr, _collection: &Collection) -> Result<Condition, QueryError> {
    Err(QueryError::new(crate::Code::Invalid, ast::Span::default(), "under construction"))
}
