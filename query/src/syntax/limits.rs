//! How large a query may be: section 13 of the language.

use super::ast::Span;
use crate::error::{Code, QueryError};

/// Bounds of one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Characters of text.
    pub characters: usize,
    /// Levels of nesting, in the text and in the tree that it becomes.
    pub depth: usize,
    /// Elements of an array, arguments of a function.
    pub list: usize,
    /// Elements of `SELECT`.
    pub elements: usize,
    /// Keys of `GROUP BY`, and of `ORDER BY`.
    pub keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { characters: 8_192, depth: 64, list: 1_000, elements: 100, keys: 16 }
    }
}

impl Limits {
    /// Looks at no more of the text than is allowed.
    pub(super) fn check_text(&self, text: &str) -> Result<(), QueryError> {
        if text.chars().nth(self.characters).is_none() {
            return Ok(());
        }
        let message = format!("the query has more than {} characters", self.characters);
        Err(QueryError::new(Code::TooLarge, Span::default(), message))
    }
}
