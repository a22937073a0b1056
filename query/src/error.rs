//! What is wrong with a query, and where. It knows no gRPC and no terminal.

mod render;

use crate::syntax::ast::Span;

/// Why a query is refused. Nothing was answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Which rule was broken.
    pub code: Code,
    /// Where in the text; empty when it is about the whole query.
    pub span: Span,
    /// What is wrong, in one sentence, without the place.
    pub message: String,
    /// What was expected or could be done; may be empty.
    pub help: String,
}

/// Which rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The text does not follow the grammar.
    Syntax,
    /// A name that does not exist: collection, member, function, alias.
    UnknownName,
    /// Something of the wrong type or in the wrong place, which the grammar alone does not tell.
    Invalid,
    /// A limit of section 13 of the language, or a budget of the caller.
    TooLarge,
}

impl QueryError {
    /// Without help.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), help: String::new() }
    }

    /// With what was expected, or could be done.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// The known name that looks most like `name`, if one is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let allowed = (lower.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap neighbours) from one word to another.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        best = best.min(rows[i - 2][j - 2] + 1);
                    }
                    best
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["deviceId", "tags", "properties", "status"];
        assert_eq!(nearest("tag", known), Some("tags"));
        assert_eq!(nearest("DEVICEDI", known), Some("deviceId"));
        assert_eq!(nearest("porperties", known), Some("properties"));
        assert_eq!(nearest("temperature", known), None);
    }
}
